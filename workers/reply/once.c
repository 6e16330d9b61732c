/*
 * Watching for the moment to leave.  The queue may hand a job to any worker,
 * so what became of one is asked of the record.
 */

#include <stdio.h>
#include <string.h>

#include "reply/once.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/pg.h"


#define ONCE_LOOK_MS     50     /* between looks at what the worker does */
#define ONCE_ASK_MS      200    /* between questions to the record */
#define ONCE_TIMEOUT_MS  5000
#define ONCE_REACH_MS    5000   /* at least, until all is connected */


static void once_job(once_t *once);
static int once_append(once_t *once);
static int once_finished(once_t *once);
static void once_watch(once_t *once);
static int once_over(once_t *once);
static int64_t once_deadline(const once_t *once, int64_t ms);
static int once_ends(once_t *once, int status, const char *why);


static const char  once_sql[] =
    "SELECT status, reason FROM jobs WHERE tenant = $1 AND id = $2::uuid"
    " AND status IN ('done', 'failed', 'dead')";


void
once_run(void *data)
{
    once_t  *once = data;

    if (once->job != NULL) {
        once_job(once);
    } else {
        once_watch(once);
    }

    if (!once->worker->stopping) {
        once->leave();
    }
}


/*
 * A job that was finished before, by whomever, is not appended again.  Once it
 * is in the queue it has as long as it takes.
 */
static void
once_job(once_t *once)
{
    int64_t    deadline;
    worker_t  *worker;

    worker = once->worker;
    deadline = once_deadline(once, ONCE_REACH_MS);
    once->status = ONCE_UNFINISHED;

    while (!pg_ready() || (!once_finished(once) && once_append(once) != 0)) {
        if (worker->stopping) {
            return;
        }

        if (loop_now_ms() >= deadline) {
            once_ends(once, ONCE_UNFINISHED,
                      "the job could not be put into the queue in time");
            return;
        }

        task_sleep(ONCE_ASK_MS);
    }

    while (once->status == ONCE_UNFINISHED && !worker->stopping) {
        task_sleep(ONCE_ASK_MS);
        once_finished(once);
    }
}


/* 0, or -1: Redis did not take it, or did not say so.  Twice is as once. */
static int
once_append(once_t *once)
{
    int               rc;
    char              key[SETTER_KEY_MAX];
    size_t            argvlen[7];
    unsigned          partitions;
    redisReply       *reply;
    const char       *argv[7];
    const posted_t   *job;

    job = once->job;
    partitions = once->worker->queue.partitions;

    argv[0] = "XADD";
    argvlen[0] = 4;
    argv[1] = key;
    argvlen[1] = setter_partition_key(key,
                                      setter_partition(job->tenant,
                                                       partitions),
                                      partitions, "inbox");
    argv[2] = "*";
    argvlen[2] = 1;
    argv[3] = "h";
    argvlen[3] = 1;
    argv[4] = job->header.data;
    argvlen[4] = job->header.len;
    argv[5] = "j";
    argvlen[5] = 1;
    argv[6] = job->envelope.data;
    argvlen[6] = job->envelope.len;

    if (!redis_ready(once->worker->redis)
        || redis_command(once->worker->redis, 7, argv, argvlen,
                         ONCE_TIMEOUT_MS, &reply)
           != REDIS_REPLIED)
    {
        return -1;
    }

    rc = 0;

    if (reply->type == REDIS_REPLY_ERROR) {
        log_warn("Redis does not take the job", "reason", reply->str);
        rc = -1;
    }

    freeReplyObject(reply);

    return rc;
}


/* Whether the record knows the job's end; sets the status then. */
static int
once_finished(once_t *once)
{
    int          rc;
    char         tenant[SETTER_SLUG_MAX + 1], id[SETTER_UUID_LEN + 1];
    pg_query_t   query;
    pg_answer_t  answer;
    const char  *status;

    snprintf(tenant, sizeof(tenant), "%.*s", (int) once->job->tenant.len,
             once->job->tenant.data);
    snprintf(id, sizeof(id), "%.*s", (int) once->job->id.len,
             once->job->id.data);
    query = (pg_query_t) { once_sql, 2, { tenant, id } };

    rc = pg_run(tenant, &query, 1, ONCE_TIMEOUT_MS, &answer) == PG_OK
         && pg_rows(&answer, 0) == 1;

    if (rc) {
        status = pg_text(&answer, 0, 0, 0);
        once->status = strcmp(status, "done") == 0 ? ONCE_DONE : ONCE_FAILED;
        log_info("the job is finished", "tenant", tenant, "job", id,
                 "status", status,
                 pg_text(&answer, 0, 0, 1) != NULL ? "reason" : NULL,
                 pg_text(&answer, 0, 0, 1));
    }

    pg_clear(&answer);

    return rc;
}


int
once_result(once_t *once)
{
    if (once->job != NULL && once->status == ONCE_UNFINISHED) {
        once_finished(once);
    }

    return once->status;
}


static void
once_watch(once_t *once)
{
    once->deadline = once_deadline(once, ONCE_REACH_MS);

    while (!once->worker->stopping && !once_over(once)) {
        task_sleep(ONCE_LOOK_MS);
    }
}


/* Whether it is time to leave. */
static int
once_over(once_t *once)
{
    worker_t  *worker;

    worker = once->worker;

    if (worker->one && worker->ncompleted > 0) {
        return once_ends(once, ONCE_DONE, "a turn is completed");
    }

    /* from the queue's first answer on, and anew after a turn that failed */

    if (worker->nturns > 0 || worker->nclaimed > once->nclaimed
        || (worker->idle_since_ms >= 0 && !once->asked))
    {
        once->asked = 1;
        once->nclaimed = worker->nclaimed;
        once->deadline = once_deadline(once, 0);
        return 0;
    }

    if (worker->idle_since_ms >= 0
        && loop_now_ms() - worker->idle_since_ms >= once->idle_ms)
    {
        return once_ends(once, ONCE_DONE, "there is nothing to do");
    }

    if (!worker->one || loop_now_ms() < once->deadline) {
        return 0;
    }

    if (worker->nclaimed > 0) {
        return once_ends(once, ONCE_UNFINISHED, "no turn was completed");
    }

    return worker->idle_since_ms >= 0
           ? once_ends(once, ONCE_DONE, "there was nothing to do")
           : once_ends(once, ONCE_UNFINISHED,
                       "the queue could not be asked in time");
}


static int64_t
once_deadline(const once_t *once, int64_t least)
{
    if (once->wait_ms == TASK_FOREVER) {
        return TASK_FOREVER;
    }

    return loop_now_ms() + (once->wait_ms > least ? once->wait_ms : least);
}


/* Returns 1. */
static int
once_ends(once_t *once, int status, const char *why)
{
    once->status = status;

    if (status == ONCE_UNFINISHED) {
        log_warn("leaving", "reason", why);
    } else {
        log_info("leaving", "reason", why);
    }

    return 1;
}
