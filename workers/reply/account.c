#include <stdlib.h>
#include <string.h>

#include "reply/account.h"
#include "reply/unit.h"


enum {
    ACCOUNT_ADDRESS,
    ACCOUNT_USER,
    ACCOUNT_BASE_URL,
    ACCOUNT_CREDENTIAL,
    ACCOUNT_FITS,
    ACCOUNT_RATE,
    ACCOUNT_OURS,
};

/*
 * The best one, if it is not the right one: the tenant has channels.  What has
 * no key of its own, or is no channel, leaves with ours, but not from a number
 * that another tenant has, or merely says that it has.
 */
static const char  account_select[] =
    "SELECT c.address, c.account, c.base_url, c.credential,"
    "  coalesce(c.address IN ($3, '*'), $3 IS NULL), coalesce(c.rate, 0),"
    "  CASE WHEN c.address IS NOT NULL AND c.address <> '*'"
    "   THEN c.confirmed"
    "   ELSE coalesce(channel_owner($2, coalesce($3, $4)), $1) = $1 END"
    " FROM (SELECT) AS one LEFT JOIN LATERAL ("
    "  SELECT * FROM channels"
    "  WHERE tenant = $1 AND provider = $2 AND NOT removed"
    "  ORDER BY (address = $3) DESC NULLS LAST, (address = '*') DESC,"
    "   preferred DESC, id LIMIT 1) AS c ON true";


static const char *account_of(turn_t *turn, const pg_answer_t *answer);
static const char *account_open(turn_t *turn, const char *address,
    const char *sealed);
static const char *account_keep(turn_t *turn, const char *text);


turn_end_e
account_find(turn_t *turn, const char **missing)
{
    record_e             rc;
    pg_query_t           query;
    pg_answer_t          answer;
    const channel_t     *channel;
    const turn_reply_t  *reply;

    reply = &turn->reply;
    *missing = NULL;
    turn->account = *channel_account(turn->worker->accounts, reply->provider);

    query = (pg_query_t) {
        account_select, 4, { turn->tenant, reply->provider, reply->sender,
                             turn->account.sender } };

    rc = unit_run(turn, &query, 1, &answer);
    if (rc != RECORD_OK) {
        return unit_ends(turn, rc);
    }

    if (pg_rows(&answer, 0) == 1) {
        *missing = account_of(turn, &answer);
    }

    pg_clear(&answer);

    channel = channel_find((setter_str_t) {
        strlen(reply->provider), reply->provider });

    if (*missing == NULL && channel != NULL) {
        *missing = channel->check(&turn->account);
    }

    return TURN_GOES_ON;
}


/* NULL, or what a person has to set. */
static const char *
account_of(turn_t *turn, const pg_answer_t *answer)
{
    const char         *address, *base_url, *sealed;
    channel_account_t  *account;

    address = pg_text(answer, 0, 0, ACCOUNT_ADDRESS);
    base_url = pg_text(answer, 0, 0, ACCOUNT_BASE_URL);
    sealed = pg_text(answer, 0, 0, ACCOUNT_CREDENTIAL);
    account = &turn->account;

    if (address != NULL && !unit_true(answer, 0, 0, ACCOUNT_FITS)) {
        return "the tenant has no channel of that address: setterctl channel "
               "add";
    }

    account->rate = atol(pg_text(answer, 0, 0, ACCOUNT_RATE));

    if (address != NULL && strcmp(address, "*") != 0) {
        account->sender = account_keep(turn, address);
    }

    if (sealed == NULL) {
        /* whose number it is, and no more: not to another API with our key */
        return unit_true(answer, 0, 0, ACCOUNT_OURS) ? NULL
               : "the address is not known to be the tenant's: setterctl "
                 "channel set credential=FILE or confirmed=on";
    }

    account->user = account_keep(turn, pg_text(answer, 0, 0, ACCOUNT_USER));

    if (strcmp(address, "*") == 0) {
        account->sender = NULL;
    }

    if (base_url != NULL) {
        account->base_url = account_keep(turn, base_url);
        account->egress = 1;
    }

    return account_open(turn, address, sealed);
}


static const char *
account_open(turn_t *turn, const char *address, const char *sealed)
{
    int                rc;
    const char        *context;
    arena_t           *arena;
    setter_str_t       text, where, key;
    const master_t    *master;

    arena = turn->claim->arena;
    master = turn->worker->master;

    if (master->n == 0) {
        return "the channel's credential is sealed: SETTER_MASTER_KEY is not "
               "set";
    }

    context = arena_printf(arena, "credential/%s/%s/%s", turn->tenant,
                           turn->reply.provider, address);
    text.data = sealed;
    text.len = strlen(sealed);
    where.data = context;
    where.len = context != NULL ? strlen(context) : 0;

    rc = context != NULL
         ? setter_unseal(&key, master->keys, master->n, where, text,
                         arena_alloc(arena))
         : SETTER_NO_MEMORY;

    if (rc == SETTER_OK) {
        turn->account.api_key = arena_copy(arena, key.data, key.len);
        rc = turn->account.api_key != NULL ? rc : SETTER_NO_MEMORY;
    }

    if (rc == SETTER_NO_MEMORY) {
        return "no memory";
    }

    return rc == SETTER_OK ? NULL
           : "the channel's credential is sealed under another "
             "SETTER_MASTER_KEY, or damaged";
}


static const char *
account_keep(turn_t *turn, const char *text)
{
    return text == NULL ? NULL
           : arena_copy(turn->claim->arena, text, strlen(text));
}
