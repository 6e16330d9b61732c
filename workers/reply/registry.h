/*
 * The registry: Redis knows the tenants that are active in PostgreSQL, and
 * the hashes of their keys.
 */

#ifndef REGISTRY_H
#define REGISTRY_H

#include "reply/worker.h"


/*
 * Publishes all active tenants, and takes back those suspended, once for
 * each connection to Redis.  0, or -1: not yet.
 */
int registry_publish(worker_t *worker);

/* For registry_publish(): the same of tenants' keys and those revoked. */
int registry_publish_keys(worker_t *worker);


#endif /* REGISTRY_H */
