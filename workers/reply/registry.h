/*
 * The registry: Redis knows the tenants that are active in PostgreSQL, the
 * hashes of their keys, their settings, and the lanes that are held.
 */

#ifndef REGISTRY_H
#define REGISTRY_H

#include "reply/worker.h"
#include "runtime/pg.h"


/* Publishes all of it once for each connection to Redis.  0, or -1: not yet. */
int registry_publish(worker_t *worker);

/* The same in any case. */
int registry_renew(worker_t *worker);

/*
 * For the parts of registry_renew(): asks a query for page after page and
 * hands each to take(), which returns 0, or -1 to end.  The query's first
 * parameters are the first "keys" columns of the last row, begin at first, and
 * are followed by the number of rows.  A page is read again when it was taken,
 * and taken again if it is another: what was changed and published between the
 * two is not undone.  0, or -1.
 */
#define REGISTRY_PAGE  500

int registry_pages(worker_t *worker, const char *sql, int keys,
    const char *first, int (*take)(worker_t *worker, const pg_answer_t *page));

/* For registry_renew(): tenants' settings, and the lanes that are held. */
int registry_publish_settings(worker_t *worker);

/* For registry_renew(): whose the addresses of channels are, and secrets. */
int registry_publish_channels(worker_t *worker);


#endif /* REGISTRY_H */
