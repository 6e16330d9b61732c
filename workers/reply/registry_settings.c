/*
 * The queue goes by the settings of tenants and by what is held; PostgreSQL
 * has them on record.
 */

#include <stdio.h>
#include <string.h>

#include "reply/registry.h"
#include "reply/settings.h"
#include "runtime/log.h"
#include "runtime/pg.h"


#define REGISTRY_SETTINGS_PAGE        500
#define REGISTRY_SETTINGS_TIMEOUT_MS  5000


static int registry_tenants(worker_t *worker);
static int registry_holds(worker_t *worker);
static int registry_ask(const pg_query_t *query, pg_answer_t *page);
static int registry_set(worker_t *worker, const pg_answer_t *page);
static int registry_hold(worker_t *worker, const pg_answer_t *page);


/* Those that were never changed have what the queue takes for granted. */
static const char  registry_changed[] =
    "SELECT slug, " SETTINGS_COLUMNS " FROM tenants"
    " WHERE slug > $1 AND updated_at > created_at ORDER BY slug LIMIT $2";

static const char  registry_held[] =
    "SELECT tenant, lane FROM held_lanes($1, $2, $3)";


int
registry_publish_settings(worker_t *worker)
{
    return registry_tenants(worker) == 0 ? registry_holds(worker) : -1;
}


static int
registry_tenants(worker_t *worker)
{
    int          rc, rows;
    char         last[SETTER_SLUG_MAX + 1], limit[16];
    pg_query_t   query;
    pg_answer_t  page;

    snprintf(limit, sizeof(limit), "%d", REGISTRY_SETTINGS_PAGE);
    query = (pg_query_t) { registry_changed, 2, { last, limit } };
    last[0] = '\0';

    do {
        if (registry_ask(&query, &page) != 0) {
            return -1;
        }

        rc = registry_set(worker, &page);
        rows = pg_rows(&page, 0);
        if (rows > 0) {
            strcpy(last, pg_text(&page, 0, rows - 1, 0));
        }
        pg_clear(&page);

    } while (rc == 0 && rows == REGISTRY_SETTINGS_PAGE);

    return rc;
}


static int
registry_holds(worker_t *worker)
{
    int          rc, rows;
    char         last[SETTER_SLUG_MAX + 1], lane[SETTER_LANE_MAX + 1];
    char         limit[16];
    pg_query_t   query;
    pg_answer_t  page;

    snprintf(limit, sizeof(limit), "%d", REGISTRY_SETTINGS_PAGE);
    query = (pg_query_t) { registry_held, 3, { last, lane, limit } };
    last[0] = lane[0] = '\0';

    do {
        if (registry_ask(&query, &page) != 0) {
            return -1;
        }

        rc = registry_hold(worker, &page);
        rows = pg_rows(&page, 0);
        if (rows > 0) {
            snprintf(last, sizeof(last), "%s", pg_text(&page, 0, rows - 1, 0));
            snprintf(lane, sizeof(lane), "%s", pg_text(&page, 0, rows - 1, 1));
        }
        pg_clear(&page);

    } while (rc == 0 && rows == REGISTRY_SETTINGS_PAGE);

    return rc;
}


static int
registry_ask(const pg_query_t *query, pg_answer_t *page)
{
    if (pg_run(NULL, query, 1, REGISTRY_SETTINGS_TIMEOUT_MS, page) == PG_OK) {
        return 0;
    }

    log_warn("settings and holds cannot be read; setterctl migrate makes"
             " their place", "error", page->message);
    pg_clear(page);
    return -1;
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
