/*
 * setter:{tag}:known, a set a partition, tells the front door which tenants
 * are active; one that was merely seen is in there only once it was added.
 */

#include <stdio.h>
#include <string.h>

#include "reply/registry.h"
#include "runtime/log.h"
#include "runtime/pg.h"
#include "setter_job.h"


#define REGISTRY_PAGE        1000
#define REGISTRY_TIMEOUT_MS  5000


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
    int          rc, rows;
    char         last[SETTER_SLUG_MAX + 1], limit[16];
    pg_query_t   query;
    pg_answer_t  page;

    snprintf(limit, sizeof(limit), "%d", REGISTRY_PAGE);
    query = (pg_query_t) { registry_tenants, 2, { last, limit } };
    last[0] = '\0';

    do {
        if (pg_run(NULL, &query, 1, REGISTRY_TIMEOUT_MS, &page) != PG_OK) {
            log_warn("the tenants cannot be read; setterctl migrate makes"
                     " their table", "error", page.message);
            pg_clear(&page);
            return -1;
        }

        rc = registry_page(worker, &page);
        rows = pg_rows(&page, 0);
        if (rows > 0) {
            strcpy(last, pg_text(&page, 0, rows - 1, 0));
        }
        pg_clear(&page);

    } while (rc == 0 && rows == REGISTRY_PAGE);

    if (rc == 0) {
        rc = registry_publish_keys(worker);
    }

    return rc == 0 ? registry_publish_settings(worker) : rc;
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
