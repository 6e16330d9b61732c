#include <stdio.h>
#include <string.h>

#include "reply/pace.h"
#include "runtime/log.h"
#include "setter_digest.h"


#define PACE_WAIT_MS   10000        /* a longer one is the queue's */
#define PACE_BUSY_MS   1000         /* where the provider names no time */
#define PACE_STOP_MS   300000       /* then it is asked again in any case */
#define PACE_SECOND    1000000      /* us */
#define PACE_DIGEST    32           /* hexadecimal digits, of 64 */


static int pace_of(turn_t *turn, queue_pace_t paces[2]);
static const char *pace_account(turn_t *turn);
static int pace_own(const channel_pace_t *pace, const char *base_url);


turn_end_e
pace_wait(turn_t *turn)
{
    int           n;
    int64_t       ms;
    queue_pace_t  paces[2];

    n = pace_of(turn, paces);

    if (n == 0
        || queue_pace(turn->worker->redis, &turn->worker->queue, paces,
                      (size_t) n, PACE_WAIT_MS, &ms) != QUEUE_OK)
    {
        return TURN_GOES_ON;
    }

    if (ms > PACE_WAIT_MS) {
        return turn_ends(turn, TURN_BACK, ms, "the provider's pace");
    }

    return ms == 0 || task_sleep(ms) == TASK_OK ? TURN_GOES_ON
                                                : turn_cancelled(turn);
}


void
pace_learn(turn_t *turn, const channel_answer_t *answer)
{
    int64_t       ms;
    queue_pace_t  paces[2];

    if (!answer->busy || pace_of(turn, paces) == 0) {
        return;
    }

    ms = answer->retry_after_ms > 0 ? answer->retry_after_ms : PACE_BUSY_MS;
    ms = ms < PACE_STOP_MS ? ms : PACE_STOP_MS;

    log_warn("the provider says that an account sends too much", "tenant",
             turn->tenant, "provider", turn->reply.provider, "reason",
             answer->reason, "ms", log_number(ms));

    (void) queue_pace_stop(turn->worker->redis, &turn->worker->queue,
                           &paces[0], ms);
}


/*
 * How many, the account's first: there is one though no limit is known, for
 * what the provider says.  0: no memory.
 */
static int
pace_of(turn_t *turn, queue_pace_t paces[2])
{
    long                   rate;
    const char            *account, *pair;
    const channel_pace_t  *pace;

    account = pace_account(turn);
    if (account == NULL) {
        return 0;
    }

    pace = channel_find((setter_str_t) { strlen(turn->reply.provider),
                                         turn->reply.provider })->pace;

    /* another host, a sandbox say, has limits of its own */
    if (pace != NULL && !pace_own(pace, turn->account.base_url)) {
        pace = NULL;
    }

    memset(paces, 0, 2 * sizeof(queue_pace_t));
    paces[0].account = (setter_str_t) { strlen(account), account };
    paces[0].name = paces[0].account;
    paces[0].burst = 1;
    rate = turn->account.rate;

    if (rate > 0) {
        paces[0].interval_us = PACE_SECOND / rate;

    } else if (pace != NULL) {
        paces[0].interval_us = pace->interval_us;
        paces[0].burst = pace->burst;
    }

    if (pace == NULL || pace->pair_interval_us == 0) {
        return 1;
    }

    pair = arena_printf(turn->claim->arena, "%s/%s", account,
                        turn->reply.address);
    if (pair == NULL) {
        return 0;
    }

    paces[1].account = paces[0].account;
    paces[1].name = (setter_str_t) { strlen(pair), pair };
    paces[1].interval_us = pace->pair_interval_us;
    paces[1].burst = pace->pair_burst;

    return 2;
}


/*
 * By the number or page, unless the limit is the key's, and in any case by
 * whom is asked with which key: what another API, a tenant's own, says of a
 * number that he only claims to have is no word about whose it is.
 */
static const char *
pace_account(turn_t *turn)
{
    char                   hex[SETTER_DIGEST_HEX];
    const char            *sender;
    setter_str_t           asked[2];
    unsigned char          digest[SETTER_DIGEST];
    const channel_pace_t  *pace;

    pace = channel_find((setter_str_t) { strlen(turn->reply.provider),
                                         turn->reply.provider })->pace;
    sender = turn->reply.sender != NULL ? turn->reply.sender
                                        : turn->account.sender;

    if (sender == NULL || (pace != NULL && pace->by_key)) {
        sender = "";
    }

    /* the NUL between them is theirs, too */
    asked[0].data = turn->account.base_url;
    asked[0].len = strlen(asked[0].data) + 1;
    asked[1].data = turn->account.api_key;
    asked[1].len = strlen(asked[1].data);

    if (setter_digest(digest, asked, 2) != SETTER_OK) {
        return NULL;
    }

    setter_digest_hex(hex, digest);

    return arena_printf(turn->claim->arena, "%s/%s/%.*s",
                        turn->reply.provider, sender, PACE_DIGEST, hex);
}


/* "https://HOST/…", or a host below it. */
static int
pace_own(const channel_pace_t *pace, const char *base_url)
{
    size_t       len, host;
    const char  *from;

    from = strstr(base_url, "://");
    from = from != NULL ? from + 3 : base_url;
    len = strcspn(from, ":/?#");
    host = strlen(pace->host);

    return len >= host && memcmp(from + len - host, pace->host, host) == 0
           && (len == host || from[len - host - 1] == '.');
}
