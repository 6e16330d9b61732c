/*
 * Claiming: turns come from the queue into this process's free slots.
 */

#ifndef CLAIM_H
#define CLAIM_H

#include "reply/worker.h"


/* The task that claims, until the worker stops; data: worker_t *. */
void claim_run(void *data);

/* The task that waits at the bell for it, on worker->bell. */
void claim_listen(void *data);

/* A slot has become free, or the worker stops: look again. */
void claim_wake(worker_t *worker);


#endif /* CLAIM_H */
