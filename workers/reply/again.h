/*
 * Jobs on record that go through the queue once more.
 */

#ifndef AGAIN_H
#define AGAIN_H

#include "queue/queue.h"


/* What it takes, as columns of a query on the table jobs AS j, all text. */
#define AGAIN_COLUMNS                                                         \
    "j.tenant, j.id, coalesce(j.payload->>'id', j.id::text), j.kind, j.lane," \
    " (extract(epoch FROM j.received_at) * 1000)::bigint,"                    \
    " CASE jsonb_typeof(j.payload) WHEN 'string' THEN j.payload #>> '{}'"     \
    " ELSE j.payload::text END"

enum {
    AGAIN_TENANT = 0, AGAIN_ID, AGAIN_NAME, AGAIN_KIND, AGAIN_LANE,
    AGAIN_RECEIVED, AGAIN_PAYLOAD, AGAIN_N
};

/*
 * What the queue calls a job: the name in its envelope where the id was made
 * from that, else the id.
 */
setter_str_t again_name(const char *tenant, const char *id, const char *name);

/*
 * Appends a job, with leave to come a second time, behind those of its lane
 * that were received before.  values: of AGAIN_COLUMNS.
 */
queue_result_e again_append(redis_t *redis, const queue_settings_t *settings,
    const char *const values[AGAIN_N]);


#endif /* AGAIN_H */
