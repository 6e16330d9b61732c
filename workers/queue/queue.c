/*
 * Turns: calls of the functions in lanes/, which says what each takes and
 * returns.
 */

#include <stdio.h>
#include <string.h>

#include "queue/queue_parts.h"
#include "runtime/log.h"
#include "runtime/loop.h"


static queue_result_e queue_yes_or_stale(redisReply *reply);
static int queue_read_turn(queue_turn_t **out, const redisReply *reply,
    unsigned partition, int64_t lease_until);
static int queue_read_jobs(queue_turn_t *turn, redisReply **elements,
    size_t n);
static setter_str_t queue_keep(arena_t *arena, const redisReply *reply);


queue_result_e
queue_claim(redis_t *redis, const queue_settings_t *settings,
    unsigned partition, long slots, int suspect, queue_claim_t *claim,
    arena_t *arena)
{
    size_t        i;
    int64_t       lease_until;
    redisReply   *reply, *turns;
    queue_call_t  call;

    queue_begin(&call, "setter_claim", settings, partition);
    queue_add_text(&call, settings->worker);
    queue_add_text(&call, queue_version());
    queue_add_number(&call, slots);
    queue_add_number(&call, suspect);
    queue_add_number(&call, settings->lease_ms);
    queue_add_number(&call, settings->turn_jobs);
    queue_add_number(&call, settings->turn_bytes);
    queue_add_number(&call, settings->max_failures);
    queue_add_number(&call, settings->max_crashes);

    lease_until = loop_now_ms() + settings->lease_ms;

    reply = queue_finish(redis, &call);
    if (reply == NULL) {
        return QUEUE_AWAY;
    }

    turns = reply->element[4];
    claim->next_ms = reply->element[1]->integer;
    claim->nturns = 0;
    claim->turns = arena_get(arena, (turns->elements + 1)
                                    * sizeof(queue_turn_t *));
    snprintf(claim->last_id, sizeof(claim->last_id), "%s",
             reply->element[2]->str);

    if (reply->element[3]->integer > 0) {
        log_error("jobs were set aside: their header cannot be read", "jobs",
                  log_number(reply->element[3]->integer));
    }

    for (i = 0; claim->turns != NULL && i < turns->elements; i++) {
        if (queue_read_turn(&claim->turns[claim->nturns], turns->element[i],
                            partition, lease_until) == 0)
        {
            claim->nturns++;
        }
    }

    freeReplyObject(reply);

    return QUEUE_OK;
}


queue_result_e
queue_wait(redis_t *redis, const queue_settings_t *settings,
    const char (*last_ids)[48], int64_t ms)
{
    unsigned      i, n;
    redisReply   *reply;
    char          keys[SETTER_MAX_PARTITIONS][SETTER_KEY_MAX], wait[24];
    const char   *argv[6 + 2 * SETTER_MAX_PARTITIONS];
    redis_error_e error;

    n = settings->partitions;
    snprintf(wait, sizeof(wait), "%lld", (long long) (ms > 0 ? ms : 1));

    argv[0] = "XREAD";
    argv[1] = "COUNT";
    argv[2] = "1";
    argv[3] = "BLOCK";
    argv[4] = wait;
    argv[5] = "STREAMS";

    for (i = 0; i < n; i++) {
        setter_partition_key(keys[i], i, n, "inbox");
        argv[6 + i] = keys[i];
        argv[6 + n + i] = last_ids[i];
    }

    error = redis_command(redis, 6 + 2 * n, argv, NULL,
                          ms + QUEUE_TIMEOUT_MS, &reply);
    if (error != REDIS_REPLIED) {
        return QUEUE_AWAY;
    }

    n = reply->type == REDIS_REPLY_ERROR;
    freeReplyObject(reply);

    return n ? QUEUE_AWAY : QUEUE_OK;
}


/* Of one partition after the other, and so many a call at most. */
queue_result_e
queue_extend(redis_t *redis, const queue_settings_t *settings,
    queue_turn_t **turns, size_t n, unsigned char *stale)
{
    size_t         i, in_call, members[QUEUE_PAIRS_MAX];
    int64_t        lease_until;
    unsigned       partition;
    redisReply    *reply;
    queue_call_t   call;
    queue_turn_t  *turn;

    for (partition = 0; partition < settings->partitions; partition++) {
        i = 0;

        while (i < n) {
            in_call = 0;
            queue_begin(&call, "setter_extend", settings, partition);
            queue_add_number(&call, settings->lease_ms);

            for ( ; i < n && in_call < QUEUE_PAIRS_MAX; i++) {
                if (turns[i]->partition == partition) {
                    queue_add(&call, turns[i]->lane);
                    queue_add_text(&call, turns[i]->token);
                    members[in_call++] = i;
                }
            }

            if (in_call == 0) {
                break;
            }

            lease_until = loop_now_ms() + settings->lease_ms;

            reply = queue_finish(redis, &call);
            if (reply == NULL) {
                return QUEUE_AWAY;
            }

            while (in_call-- > 0) {
                stale[members[in_call]] =
                    reply->element[in_call]->integer == 0;
                turn = turns[members[in_call]];
                if (!stale[members[in_call]]
                    && turn->lease_until < lease_until)
                {
                    turn->lease_until = lease_until;
                }
            }

            freeReplyObject(reply);
        }
    }

    return QUEUE_OK;
}


queue_result_e
queue_more(redis_t *redis, const queue_settings_t *settings,
    queue_turn_t *turn, size_t *added)
{
    size_t          before;
    redisReply     *reply;
    queue_call_t    call;
    queue_result_e  rc;

    *added = 0;
    queue_begin(&call, "setter_more", settings, turn->partition);
    queue_add(&call, turn->lane);
    queue_add_text(&call, turn->token);
    queue_add_number(&call, settings->turn_jobs);
    queue_add_number(&call, settings->turn_bytes);

    reply = queue_finish(redis, &call);
    if (reply == NULL) {
        turn->torn = 1;
        return QUEUE_AWAY;
    }

    rc = reply->type == REDIS_REPLY_ARRAY ? QUEUE_OK : QUEUE_STALE;
    before = turn->njobs;

    if (rc == QUEUE_OK
        && queue_read_jobs(turn, reply->element, reply->elements) != 0)
    {
        log_error("no memory for a turn");
        turn->njobs = before;
        turn->torn = 1;
        rc = QUEUE_AWAY;
    }

    *added = turn->njobs - before;
    freeReplyObject(reply);

    return rc;
}


queue_result_e
queue_complete(redis_t *redis, const queue_settings_t *settings,
    queue_turn_t *turn)
{
    queue_call_t    call;
    queue_result_e  rc;

    if (turn->torn) {
        rc = queue_fail(redis, settings, turn, 0, 0, "jobs were not taken in");
        return rc == QUEUE_OK ? QUEUE_STALE : rc;
    }

    queue_begin(&call, "setter_complete", settings, turn->partition);
    queue_add(&call, turn->lane);
    queue_add_text(&call, turn->token);

    return queue_yes_or_stale(queue_finish(redis, &call));
}


queue_result_e
queue_fail(redis_t *redis, const queue_settings_t *settings,
    queue_turn_t *turn, int64_t delay_ms, int counted, const char *reason)
{
    queue_call_t  call;

    queue_begin(&call, "setter_fail", settings, turn->partition);
    queue_add(&call, turn->lane);
    queue_add_text(&call, turn->token);
    queue_add_number(&call, delay_ms);
    queue_add_number(&call, counted);
    queue_add_text(&call, reason);

    return queue_yes_or_stale(queue_finish(redis, &call));
}


static queue_result_e
queue_yes_or_stale(redisReply *reply)
{
    queue_result_e  rc;

    if (reply == NULL) {
        return QUEUE_AWAY;
    }

    rc = reply->integer == 1 ? QUEUE_OK : QUEUE_STALE;
    freeReplyObject(reply);

    return rc;
}


/* lane, token, failures, crashes, dead, reason, and the jobs */
static int
queue_read_turn(queue_turn_t **out, const redisReply *reply,
    unsigned partition, int64_t lease_until)
{
    arena_t       *arena;
    redisReply   **e;
    queue_turn_t  *turn;

    arena = arena_create();
    turn = arena != NULL ? arena_get(arena, sizeof(queue_turn_t)) : NULL;

    if (turn == NULL) {
        goto failed;
    }

    e = reply->element;
    memset(turn, 0, sizeof(queue_turn_t));
    turn->arena = arena;
    turn->partition = partition;
    turn->lane = queue_keep(arena, e[0]);
    turn->tenant.data = turn->lane.data;
    turn->tenant.len = strcspn(turn->lane.data, "/");
    snprintf(turn->token, sizeof(turn->token), "%s", e[1]->str);
    turn->failures = (int) e[2]->integer;
    turn->crashes = (int) e[3]->integer;
    turn->dead = (int) e[4]->integer;
    turn->reason = queue_keep(arena, e[5]);
    turn->lease_until = lease_until;

    if (queue_read_jobs(turn, e + 6, reply->elements - 6) != 0) {
        goto failed;
    }

    *out = turn;

    return 0;

failed:

    /* the lease ends by itself, and the lane is handed out again */
    log_error("no memory for a turn");

    if (arena != NULL) {
        arena_destroy(arena);
    }

    return -1;
}


/* Behind those that the turn has; each is "<header>\n<envelope>". */
static int
queue_read_jobs(queue_turn_t *turn, redisReply **elements, size_t n)
{
    size_t        i;
    queue_job_t  *job, *jobs;
    setter_str_t  text, line;

    jobs = arena_get(turn->arena, (turn->njobs + n) * sizeof(queue_job_t));
    if (jobs == NULL) {
        return -1;
    }

    if (turn->njobs > 0) {
        memcpy(jobs, turn->jobs, turn->njobs * sizeof(queue_job_t));
    }

    turn->jobs = jobs;

    for (i = 0; i < n; i++) {
        text = queue_keep(turn->arena, elements[i]);
        job = &turn->jobs[turn->njobs];
        line.data = text.data;
        line.len = strcspn(text.data, "\n");

        if (line.len >= text.len
            || setter_job_header_read(&job->header, line) != SETTER_OK)
        {
            return -1;
        }

        job->envelope.data = text.data + line.len + 1;
        job->envelope.len = text.len - line.len - 1;
        turn->njobs++;
    }

    return 0;
}


/* Empty when memory is short: no header or lane can be read from that. */
static setter_str_t
queue_keep(arena_t *arena, const redisReply *reply)
{
    setter_str_t  text;

    text.data = arena_copy(arena, reply->str, reply->len);
    text.len = text.data != NULL ? reply->len : 0;

    if (text.data == NULL) {
        text.data = "";
    }

    return text;
}
