/*
 * setterctl channel send: one message through a channel, to see that it works.
 */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl/channel.h"
#include "runtime/egress.h"
#include "runtime/http.h"
#include "setter_uuid.h"


#define SEND_TIMEOUT_MS  15000
#define SEND_TEST        "This is a test of Setter: the channel works."


static int send_account(ctl_t *ctl, const char *const where[3],
    channel_account_t *account, arena_t *arena);
static int send_open(ctl_t *ctl, const PGresult *result,
    const char *const where[3], channel_account_t *account, arena_t *arena);
static int send_now(ctl_t *ctl, char **argv, const char *text,
    const channel_account_t *account, arena_t *arena);
static int send_let(void *data);


static const char  send_select[] =
    "SELECT address, account, base_url, credential FROM channels"
    " WHERE tenant = $1 AND provider = $2 AND address = $3 AND NOT removed";

static const char *const  send_results[] = {
    [CHANNEL_SENT] = "sent",
    [CHANNEL_NOT_SENT] = "not sent, may be tried again",
    [CHANNEL_FAILED] = "refused",
    [CHANNEL_SETUP] = "not sent, a person must act",
    [CHANNEL_UNKNOWN] = "it may have arrived or not",
    [CHANNEL_WITHHELD] = "withheld"
};


int
ctl_channel_send(ctl_t *ctl, int argc, char **argv)
{
    int                 rc, test;
    char                error[320];
    arena_t            *arena;
    const char         *where[3];
    channel_account_t   account;

    test = argc > 0 && strcmp(argv[0], "--test") == 0;
    argv += test;
    argc -= test;

    if (argc != 5 && (argc != 4 || !test)) {
        return CTL_USAGE;
    }

    if (egress_allow(ctl->egress_allow, error, sizeof(error)) != 0) {
        return ctl_fail("%s", error);
    }

    memcpy(where, argv, sizeof(where));
    arena = arena_create();

    if (arena == NULL || http_init(1) != 0) {
        return ctl_fail("no memory");
    }

    rc = send_account(ctl, where, &account, arena);
    if (rc == CTL_OK) {
        rc = send_now(ctl, argv, argc == 5 ? argv[4] : SEND_TEST, &account,
                      arena);
    }

    http_free();
    arena_destroy(arena);

    return rc;
}


static int
send_account(ctl_t *ctl, const char *const where[3],
    channel_account_t *account, arena_t *arena)
{
    int        rc;
    PGconn    *pg;
    PGresult  *result;

    pg = ctl_record(ctl);
    if (pg == NULL) {
        return CTL_FAILED;
    }

    result = PQexecParams(pg, send_select, 3, NULL, where, NULL, NULL, 0);

    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        rc = ctl_fail("%s", PQerrorMessage(pg));

    } else if (PQntuples(result) == 0) {
        rc = ctl_fail("%s has no channel %s %s", where[0], where[1],
                      where[2]);

    } else if (PQgetisnull(result, 0, 3)) {
        *account = *channel_account(&ctl->accounts, where[1]);
        rc = CTL_OK;

        if (strcmp(where[2], "*") != 0) {
            account->sender = where[2];
        }

    } else {
        rc = send_open(ctl, result, where, account, arena);
    }

    PQclear(result);
    PQfinish(pg);

    return rc;
}


static int
send_open(ctl_t *ctl, const PGresult *result, const char *const where[3],
    channel_account_t *account, arena_t *arena)
{
    master_t                  master;
    const char               *context;
    setter_str_t              sealed, place, key;
    const channel_account_t  *known;

    if (ctl_master(ctl, &master) != CTL_OK) {
        return CTL_FAILED;
    }

    context = channels_context(0, where, arena);
    if (context == NULL) {
        return ctl_fail("no memory");
    }

    place.data = context;
    place.len = strlen(context);
    sealed.data = PQgetvalue(result, 0, 3);
    sealed.len = strlen(sealed.data);

    if (setter_unseal(&key, master.keys, master.n, place, sealed,
                      arena_alloc(arena))
        != SETTER_OK)
    {
        return ctl_fail("the credential is sealed under another "
                        "SETTER_MASTER_KEY, or damaged");
    }

    known = channel_account(&ctl->accounts, where[1]);
    memset(account, 0, sizeof(channel_account_t));
    account->base_url = PQgetisnull(result, 0, 2) ? known->base_url
                        : arena_copy(arena, PQgetvalue(result, 0, 2),
                                     PQgetlength(result, 0, 2));
    account->egress = !PQgetisnull(result, 0, 2);
    account->api_key = arena_copy(arena, key.data, key.len);
    account->user = PQgetisnull(result, 0, 1) ? NULL
                    : arena_copy(arena, PQgetvalue(result, 0, 1),
                                 PQgetlength(result, 0, 1));
    account->sender = strcmp(where[2], "*") == 0 ? known->sender : where[2];

    return account->api_key != NULL ? CTL_OK : ctl_fail("no memory");
}


static int
send_now(ctl_t *ctl, char **argv, const char *text,
    const channel_account_t *account, arena_t *arena)
{
    char                id[SETTER_UUID_LEN];
    const char         *missing;
    setter_str_t        provider;
    const channel_t    *channel;
    channel_answer_t    answer;
    channel_message_t   message;

    provider.data = argv[1];
    provider.len = strlen(argv[1]);
    channel = channel_find(provider);
    missing = channel != NULL ? channel->check(account) : "no such provider";

    if (missing != NULL) {
        return ctl_fail("%s", missing);
    }

    if (setter_uuid_v7(id, (int64_t) time(NULL) * 1000) != SETTER_OK) {
        return ctl_fail("the system gives no random bytes");
    }

    memset(&message, 0, sizeof(message));
    message.message_id = (setter_str_t) { sizeof(id), id };
    message.to = (setter_str_t) { strlen(argv[3]), argv[3] };
    message.text = (setter_str_t) { strlen(text), text };
    message.timeout_ms = SEND_TIMEOUT_MS;
    message.before_send = send_let;

    channel_send(channel, account, &message, &answer, arena);

    if (answer.result != CHANNEL_SENT) {
        return ctl_fail("%s: %s", send_results[answer.result], answer.reason);
    }

    if (ctl->json) {
        printf("{\"id\":\"%.*s\"}\n", (int) answer.provider_id.len,
               answer.provider_id.data);
    } else {
        printf("sent, %.*s\n", (int) answer.provider_id.len,
               answer.provider_id.len > 0 ? answer.provider_id.data : "");
    }

    return CTL_OK;
}


static int
send_let(void *data)
{
    (void) data;

    return 0;
}
