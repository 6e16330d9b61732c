/*
 * setter:{tag}:known, a set a partition, tells the front door which tenants
 * are active; one that was merely seen is in there only once it was added.
 */

#include <stdio.h>
#include <string.h>

#include "reply/registry.h"
#include "runtime/log.h"
#include "setter_job.h"


#define REGISTRY_TIMEOUT_MS  5000
#define REGISTRY_BEHIND      2       /* columns that a page begins behind */


static int registry_page(worker_t *worker, const pg_answer_t *page);
static int registry_send(worker_t *worker, const pg_answer_t *page,
    unsigned partition, const char *command, const char *status);


static const char  registry_tenants[] =
    "SELECT slug, status FROM tenants"
    " WHERE slug > $1 AND status IN ('active', 'suspended')"
    " ORDER BY slug LIMIT $2";


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
    return registry_pages(worker, registry_tenants, 1, "", registry_page) == 0
           && registry_publish_keys(worker) == 0
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
        if (pg_run(NULL, &query, 1, REGISTRY_TIMEOUT_MS, &page) != PG_OK) {
            log_warn("what is to be published cannot be read; setterctl"
                     " migrate makes its tables", "error", page.message);
            pg_clear(&page);
            return -1;
        }

        rc = take(worker, &page);
        rows = pg_rows(&page, 0);

        for (i = 0; i < keys && rows > 0; i++) {
            snprintf(last[i], sizeof(last[i]), "%s",
                     pg_text(&page, 0, rows - 1, i));
        }

        pg_clear(&page);

    } while (rc == 0 && rows == REGISTRY_PAGE);

    return rc;
}


static int
registry_page(worker_t *worker, const pg_answer_t *page)
{
    unsigned  partition;

    for (partition = 0; partition < worker->queue.partitions; partition++) {
        if (registry_send(worker, page, partition, "SADD", "active") != 0
            || registry_send(worker, page, partition, "SREM", "suspended")
               != 0)
        {
            return -1;
        }
    }

    return 0;
}


/* One command for the tenants of a page that have this status. */
static int
registry_send(worker_t *worker, const pg_answer_t *page, unsigned partition,
    const char *command, const char *status)
{
    int            row, argc;
    char           key[SETTER_KEY_MAX];
    size_t         argvlen[REGISTRY_PAGE + 2];
    redisReply    *reply;
    const char    *argv[REGISTRY_PAGE + 2];
    setter_str_t   slug;
    redis_error_e  rc;

    argv[0] = command;
    argv[1] = key;
    argvlen[0] = strlen(command);
    argvlen[1] = setter_partition_key(key, partition,
                                      worker->queue.partitions, "known");
    argc = 2;

    for (row = 0; row < pg_rows(page, 0); row++) {
        slug.data = pg_text(page, 0, row, 0);
        slug.len = strlen(slug.data);

        if (strcmp(pg_text(page, 0, row, 1), status) == 0
            && setter_partition(slug, worker->queue.partitions) == partition)
        {
            argv[argc] = slug.data;
            argvlen[argc++] = slug.len;
        }
    }

    if (argc == 2) {
        return 0;
    }

    rc = redis_command(worker->redis, argc, argv, argvlen,
                       REGISTRY_TIMEOUT_MS, &reply);
    if (rc == REDIS_REPLIED) {
        rc = reply->type == REDIS_REPLY_ERROR ? REDIS_UNKNOWN : rc;
        freeReplyObject(reply);
    }

    return rc == REDIS_REPLIED ? 0 : -1;
}
