/*
 * Prolonging leases, all in one call.
 */

#include "reply/lease.h"
#include "runtime/loop.h"


typedef struct {
    turn_t         **turns;
    queue_turn_t   **claims;
    unsigned char   *stale;
    size_t           n;
} lease_batch_t;


static void lease_gather(worker_t *worker, lease_batch_t *batch,
    arena_t *arena);


void
lease_run(void *data)
{
    worker_t  *worker = data;

    while (task_sleep(worker->queue.lease_ms / 3) == TASK_OK) {
        lease_extend(worker);
    }
}


void
lease_extend(worker_t *worker)
{
    size_t          i;
    arena_t        *arena;
    lease_batch_t   batch;

    if (LIST_EMPTY(&worker->turns)) {
        return;
    }

    arena = arena_create();
    if (arena == NULL) {
        return;
    }

    lease_gather(worker, &batch, arena);

    if (batch.n > 0
        && queue_extend(worker->redis, &worker->queue, batch.claims, batch.n,
                        batch.stale)
           == QUEUE_OK)
    {
        for (i = 0; i < batch.n; i++) {
            if (batch.stale[i] && !batch.turns[i]->ended) {
                batch.turns[i]->lost = 1;
                task_cancel(batch.turns[i]->task);
            }
        }
    }

    for (i = 0; i < batch.n; i++) {
        turn_unpin(batch.turns[i]);
    }

    arena_destroy(arena);
}


/* Turns may end while the call waits, so each is pinned. */
static void
lease_gather(worker_t *worker, lease_batch_t *batch, arena_t *arena)
{
    size_t   max;
    turn_t  *turn;

    max = (size_t) worker->nturns;
    batch->n = 0;
    batch->turns = arena_get(arena, max * sizeof(turn_t *));
    batch->claims = arena_get(arena, max * sizeof(queue_turn_t *));
    batch->stale = arena_get(arena, max);

    if (batch->turns == NULL || batch->claims == NULL || batch->stale == NULL)
    {
        return;
    }

    LIST_FOREACH(turn, &worker->turns, link) {
        if (turn->sending) {
            continue;
        }

        turn_pin(turn);
        batch->turns[batch->n] = turn;
        batch->claims[batch->n] = turn->claim;
        batch->n++;
    }
}
