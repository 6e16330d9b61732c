/*
 * Settings of tenants: what PostgreSQL has on record, told to the queue.
 */

#ifndef SETTINGS_H
#define SETTINGS_H

#include "queue/queue.h"


/* What the queue is told of a tenant's row, as columns of a query. */
#define SETTINGS_COLUMNS                                                      \
    "weight, cap, quota_day, quota_minute, (worker = 'outside')::integer,"    \
    " held::integer"

#define SETTINGS_N  6

/* What they are of a tenant's that the queue was told nothing of. */
#define SETTINGS_INITIAL  "1, 200, 0, 0, 0, 0"

/* values: of SETTINGS_COLUMNS, in order, as text. */
queue_result_e settings_publish(redis_t *redis,
    const queue_settings_t *settings, const char *slug,
    const char *const values[SETTINGS_N]);


#endif /* SETTINGS_H */
