/*
 * A Redis that lost data, all of it or the last moments, has forgotten jobs
 * that workers had already put on record.  One worker at a time goes through
 * the unfinished ones in the order received, and appends again what the queue
 * does not know.
 *
 * It may append what comes again by itself, or what another worker has in hand
 * still: the queue drops what stands in its lane, and the record says which
 * jobs are finished and whose turn it is.
 */

#include <stdio.h>
#include <string.h>

#include "reply/again.h"
#include "reply/reconcile.h"
#include "reply/registry.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/pg.h"


#define RECONCILE_LOOK_MS     500       /* whether it is time */
#define RECONCILE_PAGE        200       /* jobs looked at together */
#define RECONCILE_PAGES       100       /* a round; the next goes on there */
#define RECONCILE_LOCK_MS     10000     /* a worker's silence in a round */
#define RECONCILE_TIMEOUT_MS  5000


/* How far the look through the unfinished jobs has come, by the last one. */
typedef struct {
    char  received[64];
    char  seq[24];
    long  appended;
} reconcile_at_t;

/* How a round ended. */
enum {
    RECONCILE_END = 0,  /* all were looked at */
    RECONCILE_MORE,     /* the next one goes on */
    RECONCILE_AWAY      /* something is not there, or another worker at it */
};

/* The columns of the pages. */
enum {
    TENANT = 0, ID, NAME, LANE, RECEIVED, SEQ
};


static int reconcile_may(const worker_t *worker);
static int reconcile_round(worker_t *worker, reconcile_at_t *at, int fresh);
static int reconcile_renew(worker_t *worker);
static int reconcile_pages(worker_t *worker, reconcile_at_t *at,
    const char *untouched);
static int reconcile_page(worker_t *worker, reconcile_at_t *at,
    const char *untouched);
static int reconcile_lost(worker_t *worker, reconcile_at_t *at,
    const char *untouched, const pg_answer_t *page);
static int reconcile_append(worker_t *worker, reconcile_at_t *at,
    const char *untouched, const char *tenant, const char *id);
static void reconcile_begin(reconcile_at_t *at);
static int reconcile_lock(worker_t *worker, const char *how);
static int reconcile_set(worker_t *worker, const char *name, const char *how,
    long ms);
static void reconcile_unlock(worker_t *worker);
static redisReply *reconcile_command(worker_t *worker, int argc,
    const char **argv);


static const char  reconcile_unfinished[] =
    "SELECT tenant, id, queue_id, lane, received_at, seq"
    " FROM unfinished_jobs($1::interval, $2::timestamptz, $3, $4)";

/* Whoever changes it first has it, should two do this at a time. */
static const char  reconcile_take[] =
    "UPDATE jobs AS j SET status = 'queued', reason = 'the queue lost it'"
    " WHERE j.tenant = $1 AND j.id = $2"
    "  AND j.status IN ('queued', 'processing')"
    "  AND j.updated_at < now() - $3::interval"
    " RETURNING " AGAIN_COLUMNS;


/*
 * A new connection may be one to a Redis that lost data: then the jobs that
 * were touched just now are looked at too.
 */
void
reconcile_run(void *data)
{
    int              rc, fresh;
    int64_t          next;
    unsigned         generation;
    worker_t        *worker = data;
    reconcile_at_t   at;

    generation = 0;
    fresh = 1;
    next = 0;

    while (task_sleep(RECONCILE_LOOK_MS) == TASK_OK && !worker->stopping) {
        if (!reconcile_may(worker)) {
            continue;
        }

        if (generation != redis_generation(worker->redis)) {
            generation = redis_generation(worker->redis);
            reconcile_begin(&at);
            fresh = 1;
            next = 0;
        }

        if (loop_now_ms() < next) {
            continue;
        }

        rc = reconcile_round(worker, &at, fresh);

        if (rc == RECONCILE_END) {
            reconcile_begin(&at);
            fresh = 0;
            next = loop_now_ms() + worker->reconcile_ms;
        }
    }
}


/* Settings and holds come first: the claiming task has published them. */
static int
reconcile_may(const worker_t *worker)
{
    return redis_ready(worker->redis) && pg_ready()
           && worker->published == redis_generation(worker->redis);
}


/* RECONCILE_END, _MORE: to go on with at the next look, or _AWAY likewise. */
static int
reconcile_round(worker_t *worker, reconcile_at_t *at, int fresh)
{
    int   rc;
    char  untouched[32];

    if (reconcile_lock(worker, "NX") != 0) {
        return RECONCILE_AWAY;
    }

    snprintf(untouched, sizeof(untouched), "%ld ms",
             fresh ? 0 : worker->queue.lease_ms);

    rc = fresh || reconcile_renew(worker) == 0
         ? reconcile_pages(worker, at, untouched) : RECONCILE_AWAY;

    reconcile_unlock(worker);

    if (at->appended > 0) {
        log_warn("jobs that the queue had lost go through it again", "jobs",
                 log_number(at->appended));
        at->appended = 0;
    }

    return rc;
}


/* Settings and holds are told again, by one worker each time. */
static int
reconcile_renew(worker_t *worker)
{
    return reconcile_set(worker, "renewed", "NX", worker->reconcile_ms / 2)
           == 0 ? registry_renew(worker) : 0;
}


static int
reconcile_pages(worker_t *worker, reconcile_at_t *at, const char *untouched)
{
    int  n, rc;

    for (n = 0; n < RECONCILE_PAGES && !worker->stopping; n++) {
        rc = reconcile_page(worker, at, untouched);

        if (rc != RECONCILE_MORE || reconcile_lock(worker, "XX") != 0) {
            return rc == RECONCILE_MORE ? RECONCILE_AWAY : rc;
        }
    }

    return RECONCILE_MORE;
}


static int
reconcile_page(worker_t *worker, reconcile_at_t *at, const char *untouched)
{
    int          rc, rows;
    char         limit[16];
    pg_query_t   query;
    pg_answer_t  page;

    snprintf(limit, sizeof(limit), "%d", RECONCILE_PAGE);
    query = (pg_query_t) {
        reconcile_unfinished, 4, { untouched, at->received, at->seq, limit } };

    if (pg_run(NULL, &query, 1, RECONCILE_TIMEOUT_MS, &page) != PG_OK) {
        log_warn("the unfinished jobs cannot be read", "error", page.message);
        pg_clear(&page);
        return RECONCILE_AWAY;
    }

    rows = pg_rows(&page, 0);
    rc = rows < RECONCILE_PAGE ? RECONCILE_END : RECONCILE_MORE;

    if (rows > 0) {
        if (reconcile_lost(worker, at, untouched, &page) != 0) {
            rc = RECONCILE_AWAY;

        } else {
            snprintf(at->received, sizeof(at->received), "%s",
                     pg_text(&page, 0, rows - 1, RECEIVED));
            snprintf(at->seq, sizeof(at->seq), "%s",
                     pg_text(&page, 0, rows - 1, SEQ));
        }
    }

    pg_clear(&page);
    return rc;
}


/* Appends those of a page that the queue does not know.  0, or -1. */
static int
reconcile_lost(worker_t *worker, reconcile_at_t *at, const char *untouched,
    const pg_answer_t *page)
{
    int            row, rows;
    queue_ref_t    jobs[RECONCILE_PAGE];
    unsigned char  absent[RECONCILE_PAGE];

    rows = pg_rows(page, 0);

    for (row = 0; row < rows; row++) {
        jobs[row].lane.data = pg_text(page, 0, row, LANE);
        jobs[row].lane.len = strlen(jobs[row].lane.data);
        jobs[row].id = again_name(pg_text(page, 0, row, TENANT),
                                  pg_text(page, 0, row, ID),
                                  pg_text(page, 0, row, NAME));
    }

    if (queue_absent(worker->redis, &worker->queue, jobs, (size_t) rows,
                     absent)
        != QUEUE_OK)
    {
        return -1;
    }

    for (row = 0; row < rows; row++) {
        if (absent[row]
            && reconcile_append(worker, at, untouched,
                                pg_text(page, 0, row, TENANT),
                                pg_text(page, 0, row, ID))
               != 0)
        {
            return -1;
        }
    }

    return 0;
}


/* Unless it was finished, or taken, meanwhile. */
static int
reconcile_append(worker_t *worker, reconcile_at_t *at, const char *untouched,
    const char *tenant, const char *id)
{
    int          i;
    pg_query_t   query;
    pg_answer_t  answer;
    const char  *values[AGAIN_N];

    query = (pg_query_t) { reconcile_take, 3, { tenant, id, untouched } };

    if (pg_run(tenant, &query, 1, RECONCILE_TIMEOUT_MS, &answer) != PG_OK) {
        log_warn("an unfinished job cannot be taken", "tenant", tenant,
                 "job", id, "error", answer.message);
        pg_clear(&answer);
        return -1;
    }

    if (pg_rows(&answer, 0) == 0) {
        pg_clear(&answer);
        return 0;
    }

    for (i = 0; i < AGAIN_N; i++) {
        values[i] = pg_text(&answer, 0, 0, i);
    }

    i = again_append(worker->redis, &worker->queue, values) == QUEUE_OK;
    at->appended += i;
    pg_clear(&answer);
    return i ? 0 : -1;
}


static void
reconcile_begin(reconcile_at_t *at)
{
    strcpy(at->received, "-infinity");
    strcpy(at->seq, "0");
    at->appended = 0;
}


/*
 * how: NX, to have the lock, or XX, to keep it.  Whoever dies with it lets
 * the others wait for a moment; two that have it do no harm but to the order.
 */
static int
reconcile_lock(worker_t *worker, const char *how)
{
    return reconcile_set(worker, "reconcile", how, RECONCILE_LOCK_MS);
}


/*
 * Sets a key that vanishes by itself, where there is none ("NX") or is one
 * ("XX").  0, or -1.
 */
static int
reconcile_set(worker_t *worker, const char *name, const char *how, long ms)
{
    int          rc;
    char         key[SETTER_KEY_MAX], expire[24];
    redisReply  *reply;
    const char  *argv[6] = { "SET", key, worker->queue.worker, how, "PX",
                             expire };

    setter_partition_key(key, 0, worker->queue.partitions, name);
    snprintf(expire, sizeof(expire), "%ld", ms);

    reply = reconcile_command(worker, 6, argv);
    if (reply == NULL) {
        return -1;
    }

    rc = reply->type == REDIS_REPLY_STATUS ? 0 : -1;
    freeReplyObject(reply);
    return rc;
}


static void
reconcile_unlock(worker_t *worker)
{
    int          ours;
    char         key[SETTER_KEY_MAX];
    redisReply  *reply;
    const char  *get[2] = { "GET", key }, *del[2] = { "DEL", key };

    setter_partition_key(key, 0, worker->queue.partitions, "reconcile");

    reply = reconcile_command(worker, 2, get);
    if (reply == NULL) {
        return;
    }

    ours = reply->type == REDIS_REPLY_STRING
           && strcmp(reply->str, worker->queue.worker) == 0;
    freeReplyObject(reply);

    if (ours) {
        reply = reconcile_command(worker, 2, del);
        if (reply != NULL) {
            freeReplyObject(reply);
        }
    }
}


/* The reply, or NULL. */
static redisReply *
reconcile_command(worker_t *worker, int argc, const char **argv)
{
    redisReply  *reply;

    return redis_command(worker->redis, argc, argv, NULL,
                         RECONCILE_TIMEOUT_MS, &reply)
           == REDIS_REPLIED ? reply : NULL;
}
