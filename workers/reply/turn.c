/*
 * The walk of a turn, from top to bottom.
 */

#include <string.h>

#include "reply/ask.h"
#include "reply/claim.h"
#include "reply/deliver.h"
#include "reply/inbound.h"
#include "reply/record.h"
#include "runtime/log.h"
#include "runtime/loop.h"


#define TURN_PAUSE_MS      1000     /* before the next try, then doubling */
#define TURN_MAX_PAUSE_MS  300000
#define TURN_REDIS_MS      500
#define TURN_SUSPECT       2        /* crashes */


static void turn_run(void *data);
static turn_end_e turn_walk(turn_t *turn);
static turn_end_e turn_record(turn_t *turn);
static turn_end_e turn_judge(turn_t *turn);
static turn_end_e turn_finish_old(turn_t *turn);
static turn_end_e turn_drop(turn_t *turn, const char *status,
    const char *reason);
static turn_end_e turn_address(turn_t *turn);
static turn_end_e turn_answer(turn_t *turn);
static void turn_close(turn_t *turn, turn_end_e end);
static int64_t turn_delay(const turn_t *turn, turn_end_e end);
static void turn_log(const turn_t *turn, turn_end_e end);
static const char *turn_job(const turn_t *turn);
static void turn_release(turn_t *turn);


int
turn_start(worker_t *worker, queue_turn_t *claim)
{
    turn_t  *turn;

    turn = arena_get(claim->arena, sizeof(turn_t));
    if (turn == NULL) {
        return -1;
    }

    memset(turn, 0, sizeof(turn_t));
    turn->worker = worker;
    turn->claim = claim;
    turn->pins = 1;
    turn->delay_ms = -1;
    turn->started_ms = loop_now_ms();
    turn->tenant = arena_copy(claim->arena, claim->tenant.data,
                              claim->tenant.len);
    turn->lane = arena_copy(claim->arena, claim->lane.data, claim->lane.len);
    turn->suspect = claim->crashes >= TURN_SUSPECT;

    if (turn->tenant == NULL || turn->lane == NULL) {
        return -1;
    }

    turn->task = task_start("turn", turn_run, turn);
    if (turn->task == NULL) {
        return -1;
    }

    LIST_INSERT_HEAD(&worker->turns, turn, link);
    worker->nturns++;
    worker->nsuspects += turn->suspect;
    return 0;
}


static void
turn_run(void *data)
{
    turn_t      *turn = data;
    turn_end_e   end;

    end = turn_walk(turn);

    task_shield();
    turn_close(turn, end);
    turn_log(turn, end);
    turn_release(turn);
}


/* Step after step, until one ends the turn. */
static turn_end_e
turn_walk(turn_t *turn)
{
    size_t      i;
    turn_end_e  end;

    static turn_end_e (*const  steps[])(turn_t *turn) = {
        inbound_read,
        turn_record,
        turn_judge,
        turn_address,
        deliver_check,
        turn_answer,
        deliver_reply
    };

    for (i = 0, end = TURN_GOES_ON; end == TURN_GOES_ON; i++) {
        end = steps[i](turn);
    }

    return end;
}


static turn_end_e
turn_record(turn_t *turn)
{
    record_e  rc;

    rc = record_inbound(turn);

    if (rc == RECORD_OK) {
        turn_step(turn, "recorded");
    }

    if (rc == RECORD_REFUSED && turn->claim->dead) {
        /* it never will be recorded, and must not stop its lane for ever */
        log_error("jobs given up that the record refuses", "tenant",
                  turn->tenant, "job", turn_job(turn));
        turn->outcome = "dead";
        return TURN_DONE;
    }

    return unit_ends(turn, rc);
}


/* What there is to do, now that the record is known. */
static turn_end_e
turn_judge(turn_t *turn)
{
    if (turn->ref == NULL) {
        return TURN_DONE;
    }

    if (turn->reply.state != NULL
        && strcmp(turn->reply.state, "composed") != 0)
    {
        return turn_finish_old(turn);
    }

    if (turn->claim->dead) {
        log_error("jobs given up", "tenant", turn->tenant, "job",
                  turn_job(turn));
        return turn_drop(turn, "dead", arena_copy(turn->claim->arena,
                                           turn->claim->reason.data,
                                           turn->claim->reason.len));
    }

    if (turn->suspended) {
        return turn_drop(turn, "failed", "the tenant is suspended");
    }

    if (turn->taken_over) {
        return turn_drop(turn, "done", "a person has taken over");
    }

    return TURN_GOES_ON;
}


/* The reply of an earlier claim went as far as the provider, or may have. */
static turn_end_e
turn_finish_old(turn_t *turn)
{
    if (strcmp(turn->reply.state, "sending") == 0) {
        return turn_settle(turn, "unknown", NULL, "done",
                           "the worker was lost while it sent");
    }

    return turn_settle(turn, NULL, NULL, "done", NULL);
}


/* No answer: a reply that is composed already fails. */
static turn_end_e
turn_drop(turn_t *turn, const char *status, const char *reason)
{
    return turn_settle(turn, turn->reply.state == NULL ? NULL : "failed",
                       NULL, status, reason);
}


/* The answer goes to whoever wrote last. */
static turn_end_e
turn_address(turn_t *turn)
{
    arena_t       *arena;
    turn_job_t    *last;
    turn_reply_t  *reply;

    if (turn->reply.state != NULL) {
        return TURN_GOES_ON;
    }

    arena = turn->claim->arena;
    last = turn->last;
    reply = &turn->reply;

    reply->provider = arena_copy(arena, last->job.provider.data,
                                 last->job.provider.len);
    reply->address = arena_copy(arena, last->job.from.data,
                                last->job.from.len);

    if (last->job.to.len > 0) {
        reply->sender = arena_copy(arena, last->job.to.data,
                                   last->job.to.len);
    }

    if (last->surface.len > 0) {
        reply->surface = arena_copy(arena, last->surface.data,
                                    last->surface.len);
    }

    return reply->provider != NULL && reply->address != NULL
           ? TURN_GOES_ON : turn_ends(turn, TURN_BACK, -1, "no memory");
}


/* What the model said is stored, whatever comes. */
static turn_end_e
turn_answer(turn_t *turn)
{
    record_e    rc;
    turn_end_e  end;

    if (turn->reply.state != NULL) {
        return TURN_GOES_ON;
    }

    end = ask_model(turn);
    if (end != TURN_GOES_ON) {
        return end;
    }

    task_shield();
    rc = record_composed(turn);
    task_unshield();

    if (rc == RECORD_OK) {
        turn->reply.state = "composed";
        turn_step(turn, "composed");
    }

    return unit_ends(turn, rc);
}


turn_end_e
turn_settle(turn_t *turn, const char *state, const char *provider_id,
    const char *status, const char *reason)
{
    record_e  rc;

    rc = record_settled(turn, state, provider_id, status, reason);
    if (rc != RECORD_OK) {
        return unit_ends(turn, rc);
    }

    turn->outcome = state != NULL ? state : status;
    return turn_ends(turn, TURN_DONE, -1, reason);
}


turn_end_e
turn_ends(turn_t *turn, turn_end_e end, int64_t delay_ms, const char *reason)
{
    if (reason != NULL) {
        turn->reason = arena_copy(turn->claim->arena, reason, strlen(reason));
    }

    turn->delay_ms = delay_ms;
    return end;
}


/*
 * Tells the queue how the turn ended, for as long as it takes: jobs that are
 * not dropped would come again as if the worker had crashed.
 */
static void
turn_close(turn_t *turn, turn_end_e end)
{
    int64_t         delay;
    worker_t       *worker;
    queue_result_e  rc;

    if (turn->lost || end == TURN_LOST) {
        return;
    }

    worker = turn->worker;
    delay = turn_delay(turn, end);

    if (end != TURN_DONE && turn->ref != NULL) {
        record_settled(turn, NULL, NULL, "queued", turn->reason);
    }

    for ( ;; ) {
        rc = end == TURN_DONE
             ? queue_complete(worker->redis, &worker->queue, turn->claim)
             : queue_fail(worker->redis, &worker->queue, turn->claim, delay,
                          end == TURN_AGAIN,
                          turn->reason != NULL ? turn->reason : "");

        if (rc != QUEUE_AWAY || worker->leaving || turn->lost) {
            break;
        }

        task_sleep(TURN_REDIS_MS);
    }

    if (rc == QUEUE_STALE) {
        turn->lost = 1;
    }

    if (rc == QUEUE_OK && end == TURN_DONE) {
        turn_step(turn, "completed");
    }
}


/* A provider that names a time is heard, within bounds. */
static int64_t
turn_delay(const turn_t *turn, turn_end_e end)
{
    int64_t  delay;

    delay = loop_backoff(end == TURN_AGAIN ? turn->claim->failures + 1 : 1,
                         TURN_PAUSE_MS, TURN_MAX_PAUSE_MS);

    if (end == TURN_BACK && turn->delay_ms >= 0) {
        return turn->delay_ms;
    }

    if (delay < turn->delay_ms) {
        delay = turn->delay_ms;
    }

    return delay < TURN_MAX_PAUSE_MS ? delay : TURN_MAX_PAUSE_MS;
}


void
turn_step(const turn_t *turn, const char *step)
{
    log_debug("step", "step", step, "tenant", turn->tenant,
              "job", turn_job(turn),
              "ms", log_number(loop_now_ms() - turn->started_ms));
}


static void
turn_log(const turn_t *turn, turn_end_e end)
{
    const char  *outcome;

    static const char *const  ends[] = { "", "done", "retry", "back", "lost" };

    outcome = turn->outcome != NULL ? turn->outcome
              : ends[turn->lost ? TURN_LOST : end];

    log_info("turn", "outcome", outcome, "tenant", turn->tenant,
             "job", turn_job(turn), "jobs", log_number((long) turn->njobs),
             "ms", log_number(loop_now_ms() - turn->started_ms),
             "llm_ms", log_number(turn->llm_ms),
             "send_ms", log_number(turn->send_ms),
             turn->reason != NULL ? "reason" : NULL, turn->reason);
}


/* A lane names a person, so the log knows a turn by its first job. */
static const char *
turn_job(const turn_t *turn)
{
    return turn->njobs > 0 ? turn->jobs[0].id : "";
}


static void
turn_release(turn_t *turn)
{
    worker_t  *worker;

    worker = turn->worker;

    turn->ended = 1;
    LIST_REMOVE(turn, link);
    worker->nsuspects -= turn->suspect;
    worker->nturns--;
    claim_wake(worker);

    turn_unpin(turn);
}


turn_end_e
turn_cancelled(turn_t *turn)
{
    return turn_ends(turn, turn->lost ? TURN_LOST : TURN_BACK, 0,
                     "the worker stops");
}


int
turn_holds(const turn_t *turn)
{
    return !turn->lost && !turn->worker->leaving
           && loop_now_ms() < turn->claim->lease_until;
}


void
turn_pin(turn_t *turn)
{
    turn->pins++;
}


void
turn_unpin(turn_t *turn)
{
    if (--turn->pins == 0) {
        arena_destroy(turn->claim->arena);
    }
}
