/*
 * One task claims.  When nothing is to be had it waits for the time that the
 * queue named, for a slot, or for the bell: a second task and a second
 * connection, where Redis tells of new entries in the inboxes.
 */

#include <string.h>

#include "reply/claim.h"
#include "reply/registry.h"
#include "reply/turn.h"
#include "runtime/loop.h"
#include "runtime/pg.h"


#define CLAIM_MAX_WAIT_MS  5000     /* a sign of life for the queue */
#define CLAIM_AWAY_MS      500      /* while something is not there */
#define CLAIM_CONNECT_MS   50       /* while that is a connection */


static int claim_usable(worker_t *worker);
static int64_t claim_round(worker_t *worker);
static int64_t claim_away(worker_t *worker);
static long claim_slots(const worker_t *worker);
static queue_result_e claim_partition(worker_t *worker, unsigned partition,
    int64_t *next_ms);
static void claim_take(worker_t *worker, queue_turn_t *claim);


void
claim_run(void *data)
{
    int64_t    wait_ms;
    worker_t  *worker = data;

    worker->claiming = 1;

    while (!worker->stopping) {
        wait_ms = claim_usable(worker) ? claim_round(worker)
                                       : claim_away(worker);
        task_sem_take(&worker->wake, loop_now_ms() + wait_ms);
        worker->woken = 0;
    }

    worker->claiming = 0;
}


/* Takes nothing that could not be answered. */
static int
claim_usable(worker_t *worker)
{
    return redis_ready(worker->redis) && pg_ready()
           && registry_publish(worker) == 0
           && llm_check(&worker->llm) == NULL;
}


/*
 * Asks each partition in turn, another first each time.  It asks without a
 * free slot too: the queue sorts what came and sees that we are alive.
 * Returns how long to wait.
 */
static int64_t
claim_round(worker_t *worker)
{
    long      claimed;
    int64_t   next_ms, wait_ms;
    unsigned  i, n;

    n = worker->queue.partitions;
    claimed = worker->nclaimed;
    worker->first = (worker->first + 1) % n;
    wait_ms = CLAIM_MAX_WAIT_MS;

    for (i = 0; i < n; i++) {
        if (claim_partition(worker, (worker->first + i) % n, &next_ms)
            != QUEUE_OK)
        {
            return claim_away(worker);
        }

        if (next_ms >= 0 && next_ms < wait_ms) {
            wait_ms = next_ms;
        }
    }

    if (worker->nturns > 0 || worker->nclaimed > claimed) {
        worker->idle_since_ms = -1;

    } else if (worker->idle_since_ms < 0) {
        worker->idle_since_ms = loop_now_ms();
    }

    if (worker->nturns >= worker->concurrency) {
        wait_ms = CLAIM_MAX_WAIT_MS;
    }

    if (wait_ms > 0 && !worker->armed) {
        worker->armed = 1;
        task_sem_give(&worker->arm);
    }

    return wait_ms;
}


static int64_t
claim_away(worker_t *worker)
{
    worker->idle_since_ms = -1;

    return redis_ready(worker->redis) && pg_ready() ? CLAIM_AWAY_MS
                                                    : CLAIM_CONNECT_MS;
}


/* One that is here for a single turn asks no more once that is completed. */
static long
claim_slots(const worker_t *worker)
{
    return worker->one && worker->ncompleted > 0
           ? 0 : worker->concurrency - worker->nturns;
}


static queue_result_e
claim_partition(worker_t *worker, unsigned partition, int64_t *next_ms)
{
    size_t           i;
    arena_t         *arena;
    queue_claim_t    claim;
    queue_result_e   rc;

    arena = arena_create();
    if (arena == NULL) {
        return QUEUE_AWAY;
    }

    rc = queue_claim(worker->redis, &worker->queue, partition,
                     claim_slots(worker), worker->nsuspects == 0, &claim,
                     arena);

    if (rc == QUEUE_OK) {
        for (i = 0; i < claim.nturns; i++) {
            claim_take(worker, claim.turns[i]);
        }

        *next_ms = claim.next_ms;
        memcpy(worker->last_ids[partition], claim.last_id,
               sizeof(claim.last_id));
    }

    arena_destroy(arena);
    return rc;
}


/* A turn that comes too late, or cannot be started, goes back at once. */
static void
claim_take(worker_t *worker, queue_turn_t *claim)
{
    if (!worker->leaving && turn_start(worker, claim) == 0) {
        worker->nclaimed++;
        return;
    }

    queue_fail(worker->redis, &worker->queue, claim, 0, 0,
               "the worker stops, or has no memory");
    arena_destroy(claim->arena);
}


void
claim_listen(void *data)
{
    worker_t  *worker = data;

    while (task_sem_take(&worker->arm, TASK_FOREVER) == TASK_OK) {
        if (queue_wait(worker->bell, &worker->queue,
                       (const char (*)[48]) worker->last_ids,
                       CLAIM_MAX_WAIT_MS)
            != QUEUE_OK
            && task_sleep(CLAIM_AWAY_MS) != TASK_OK)
        {
            return;
        }

        worker->armed = 0;
        claim_wake(worker);
    }
}


void
claim_wake(worker_t *worker)
{
    if (!worker->woken) {
        worker->woken = 1;
        task_sem_give(&worker->wake);
    }
}
