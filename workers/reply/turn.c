/*
 * A turn from its claim to its end; what it does in between is its kind's.
 */

#include <string.h>

#include "reply/claim.h"
#include "reply/inbound.h"
#include "reply/kind.h"
#include "reply/record.h"
#include "runtime/log.h"
#include "runtime/loop.h"


#define TURN_PAUSE_MS      1000     /* before the next try, then doubling */
#define TURN_MAX_PAUSE_MS  300000
#define TURN_REDIS_MS      500
#define TURN_SUSPECT       2        /* crashes */


static void turn_run(void *data);
static turn_end_e turn_walk(turn_t *turn);
static void turn_close(turn_t *turn, turn_end_e end);
static int64_t turn_delay(const turn_t *turn, turn_end_e end);
static void turn_log(const turn_t *turn, turn_end_e end);
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
    turn->kind = kind_find(claim->jobs[0].header.kind);
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


static turn_end_e
turn_walk(turn_t *turn)
{
    turn_end_e  end;

    end = inbound_read(turn);
    turn_step(turn, "claimed");

    if (end == TURN_GOES_ON) {
        end = turn_steps(turn, turn->kind->steps);
    }

    return end == TURN_GOES_ON ? TURN_DONE : end;
}


turn_end_e
turn_steps(turn_t *turn, const kind_step_pt *step)
{
    turn_end_e  end;

    for (end = TURN_GOES_ON; end == TURN_GOES_ON && *step != NULL; step++) {
        end = (*step)(turn);
    }

    return end;
}


turn_end_e
turn_recorded(turn_t *turn, record_e rc)
{
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
    size_t          i;
    int64_t         delay;
    worker_t       *worker;
    queue_result_e  rc;

    if (turn->lost || end == TURN_LOST) {
        return;
    }

    worker = turn->worker;
    delay = turn_delay(turn, end);

    if (end != TURN_DONE && turn->ref != NULL) {
        for (i = 0; i < turn->njobs; i++) {
            turn->jobs[i].later = 0;
        }

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
        worker->ncompleted++;
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

    if (delay < turn->delay_ms || (end == TURN_BACK && turn->delay_ms >= 0)) {
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


const char *
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
