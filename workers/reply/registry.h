/*
 * The registry: Redis knows the tenants that are active in PostgreSQL.
 */

#ifndef REGISTRY_H
#define REGISTRY_H

#include "reply/worker.h"


/*
 * Publishes all active tenants, and takes back those suspended, once for
 * each connection to Redis.  0, or -1: not yet.
 */
int registry_publish(worker_t *worker);


#endif /* REGISTRY_H */
