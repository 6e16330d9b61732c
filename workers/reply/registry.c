/*
 * Two sets a partition tell the front door who may come in:
 *
 *   setter:{tag}:known  tenants that are active; one that was merely seen is
 *                       in there only once it was added
 *   setter:{tag}:keys   the hashes of tenants' keys
 *
 * and two hashes (channels.h) which channels they have.
 */

#include <stdio.h>
#include <string.h>

#include "reply/registry.h"
#include "runtime/log.h"
#include "setter_job.h"


#define REGISTRY_TIMEOUT_MS  5000
#define REGISTRY_BEHIND      2       /* columns that a page begins behind */
#define REGISTRY_TRIES       10      /* of a page that changes all the time */


static int registry_page(worker_t *worker, const pg_query_t *query,
    int (*take)(worker_t *worker, const pg_answer_t *page),
    pg_answer_t *page);
static int registry_read(const pg_query_t *query, pg_answer_t *page);
static int registry_same(const pg_answer_t *a, const pg_answer_t *b);
static int registry_known_page(worker_t *worker, const pg_answer_t *page);
static int registry_keys_page(worker_t *worker, const pg_answer_t *page);
static int registry_members(worker_t *worker, const pg_answer_t *page,
    const char *set);
static int registry_send(worker_t *worker, const pg_answer_t *page,
    const char *set, unsigned partition, int in);


/* What a page begins behind, tenant, member of the set, whether it is in. */
static const char  registry_known[] =
    "SELECT slug, slug, slug, status = 'active' FROM tenants"
    " WHERE slug > $1 AND status IN ('active', 'suspended')"
    " ORDER BY slug LIMIT $2";

static const char  registry_keys[] =
    "SELECT id, tenant, tenant || '/' || hash, revoked_at IS NULL"
    " FROM keys WHERE id > $1 ORDER BY id LIMIT $2";


int
registry_publish(worker_t *worker)
{
    unsigned  generation;

    generation = redis_generation(worker->redis);
    if (worker->published == generation) {
        return 0;
    }

    if (registry_renew(worker) != 0) {
        return -1;
    }

    worker->published = generation;
    return 0;
}


int
registry_renew(worker_t *worker)
{
    return registry_pages(worker, registry_known, 1, "",
                          registry_known_page) == 0
           && registry_pages(worker, registry_keys, 1, "0",
                             registry_keys_page) == 0
           && registry_publish_channels(worker) == 0
           && registry_publish_settings(worker) == 0 ? 0 : -1;
}


int
registry_pages(worker_t *worker, const char *sql, int keys,
    const char *first, int (*take)(worker_t *worker, const pg_answer_t *page))
{
    int          i, rc, rows;
    char         last[REGISTRY_BEHIND][SETTER_LANE_MAX + 1], limit[16];
    pg_query_t   query;
    pg_answer_t  page;

    snprintf(limit, sizeof(limit), "%d", REGISTRY_PAGE);
    query = (pg_query_t) { sql, keys + 1, { NULL } };
    query.params[keys] = limit;

    for (i = 0; i < keys; i++) {
        snprintf(last[i], sizeof(last[i]), "%s", first);
        query.params[i] = last[i];
    }

    do {
        rc = registry_page(worker, &query, take, &page);
        rows = rc == 0 ? pg_rows(&page, 0) : 0;

        for (i = 0; i < keys && rows > 0; i++) {
            snprintf(last[i], sizeof(last[i]), "%s",
                     pg_text(&page, 0, rows - 1, i));
        }

        pg_clear(&page);

    } while (rc == 0 && rows == REGISTRY_PAGE);

    return rc;
}


/* Reads, takes, and reads it again until it is what was taken. */
static int
registry_page(worker_t *worker, const pg_query_t *query,
    int (*take)(worker_t *worker, const pg_answer_t *page), pg_answer_t *page)
{
    int          i, same;
    pg_answer_t  taken;

    if (registry_read(query, page) != 0) {
        return -1;
    }

    for (i = 0, same = 0; i < REGISTRY_TRIES && !same; i++) {
        if (take(worker, page) != 0) {
            return -1;
        }

        taken = *page;

        if (registry_read(query, page) != 0) {
            pg_clear(&taken);
            return -1;
        }

        same = registry_same(page, &taken);
        pg_clear(&taken);
    }

    return 0;
}


static int
registry_read(const pg_query_t *query, pg_answer_t *page)
{
    if (pg_run(NULL, query, 1, REGISTRY_TIMEOUT_MS, page) == PG_OK) {
        return 0;
    }

    log_warn("what is to be published cannot be read; setterctl migrate makes "
             "its tables", "error", page->message);

    return -1;
}


static int
registry_same(const pg_answer_t *a, const pg_answer_t *b)
{
    int          row, column;
    const char  *x, *y;

    if (pg_rows(a, 0) != pg_rows(b, 0)) {
        return 0;
    }

    for (row = 0; row < pg_rows(a, 0); row++) {
        for (column = 0; column < pg_columns(a, 0); column++) {
            x = pg_text(a, 0, row, column);
            y = pg_text(b, 0, row, column);

            if ((x == NULL) != (y == NULL)
                || (x != NULL && strcmp(x, y) != 0))
            {
                return 0;
            }
        }
    }

    return 1;
}


static int
registry_known_page(worker_t *worker, const pg_answer_t *page)
{
    return registry_members(worker, page, "known");
}


static int
registry_keys_page(worker_t *worker, const pg_answer_t *page)
{
    return registry_members(worker, page, "keys");
}


static int
registry_members(worker_t *worker, const pg_answer_t *page, const char *set)
{
    unsigned  partition;

    for (partition = 0; partition < worker->queue.partitions; partition++) {
        if (registry_send(worker, page, set, partition, 1) != 0
            || registry_send(worker, page, set, partition, 0) != 0)
        {
            return -1;
        }
    }

    return 0;
}


/* One command for what of a page is in the partition's set, or is not. */
static int
registry_send(worker_t *worker, const pg_answer_t *page, const char *set,
    unsigned partition, int in)
{
    int            row, argc;
    char           key[SETTER_KEY_MAX];
    redisReply    *reply;
    const char    *argv[REGISTRY_PAGE + 2];
    setter_str_t   slug;
    redis_error_e  rc;

    setter_partition_key(key, partition, worker->queue.partitions, set);

    argv[0] = in ? "SADD" : "SREM";
    argv[1] = key;
    argc = 2;

    for (row = 0; row < pg_rows(page, 0); row++) {
        slug.data = pg_text(page, 0, row, 1);
        slug.len = strlen(slug.data);

        if (strcmp(pg_text(page, 0, row, 3), in ? "t" : "f") == 0
            && setter_partition(slug, worker->queue.partitions) == partition)
        {
            argv[argc++] = pg_text(page, 0, row, 2);
        }
    }

    if (argc == 2) {
        return 0;
    }

    rc = redis_command(worker->redis, argc, argv, NULL, REGISTRY_TIMEOUT_MS,
                       &reply);
    if (rc == REDIS_REPLIED) {
        rc = reply->type == REDIS_REPLY_ERROR ? REDIS_UNKNOWN : rc;
        freeReplyObject(reply);
    }

    return rc == REDIS_REPLIED ? 0 : -1;
}
