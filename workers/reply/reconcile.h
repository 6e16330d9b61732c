/*
 * Reconcile: what PostgreSQL knows as unfinished and Redis does not know
 * goes through the queue again.
 */

#ifndef RECONCILE_H
#define RECONCILE_H

#include "reply/worker.h"


/*
 * The task that looks at the start, at each new connection to Redis, and every
 * worker->reconcile_ms; data: worker_t *.
 */
void reconcile_run(void *data);


#endif /* RECONCILE_H */
