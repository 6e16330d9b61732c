/*
 * The registry: Redis knows the tenants that are active in PostgreSQL, the
 * hashes of their keys, their settings, and the lanes that are held.
 */

#ifndef REGISTRY_H
#define REGISTRY_H

#include "reply/worker.h"


/* Publishes all of it once for each connection to Redis.  0, or -1: not yet. */
int registry_publish(worker_t *worker);

/* The same in any case. */
int registry_renew(worker_t *worker);

/* For registry_renew(): tenants' keys, and those revoked. */
int registry_publish_keys(worker_t *worker);

/* For registry_renew(): tenants' settings, and the lanes that are held. */
int registry_publish_settings(worker_t *worker);


#endif /* REGISTRY_H */
