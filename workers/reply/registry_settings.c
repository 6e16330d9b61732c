/*
 * The queue goes by the settings of tenants and by what is held; PostgreSQL
 * has them on record.
 */

#include <string.h>

#include "reply/registry.h"
#include "reply/settings.h"


static int registry_set(worker_t *worker, const pg_answer_t *page);
static int registry_hold(worker_t *worker, const pg_answer_t *page);


/*
 * The queue takes for granted what a tenant has that was never changed; one may
 * also have been made with other settings.
 */
static const char  registry_changed[] =
    "SELECT slug, " SETTINGS_COLUMNS " FROM tenants"
    " WHERE slug > $1 AND (updated_at > created_at"
    "  OR (" SETTINGS_COLUMNS ") IS DISTINCT FROM (" SETTINGS_INITIAL "))"
    " ORDER BY slug LIMIT $2";

static const char  registry_held[] =
    "SELECT tenant, lane FROM held_lanes($1, $2, $3)";


int
registry_publish_settings(worker_t *worker)
{
    return registry_pages(worker, registry_changed, 1, "", registry_set) == 0
           ? registry_pages(worker, registry_held, 2, "", registry_hold) : -1;
}


static int
registry_set(worker_t *worker, const pg_answer_t *page)
{
    int          row, column;
    const char  *values[SETTINGS_N];

    for (row = 0; row < pg_rows(page, 0); row++) {
        for (column = 0; column < SETTINGS_N; column++) {
            values[column] = pg_text(page, 0, row, 1 + column);
        }

        if (settings_publish(worker->redis, &worker->queue,
                             pg_text(page, 0, row, 0), values)
            != QUEUE_OK)
        {
            return -1;
        }
    }

    return 0;
}


static int
registry_hold(worker_t *worker, const pg_answer_t *page)
{
    int           row, changed;
    setter_str_t  lane;

    for (row = 0; row < pg_rows(page, 0); row++) {
        lane.data = pg_text(page, 0, row, 1);
        lane.len = strlen(lane.data);

        if (queue_hold(worker->redis, &worker->queue, lane, &changed)
            != QUEUE_OK)
        {
            return -1;
        }
    }

    return 0;
}
