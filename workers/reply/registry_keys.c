/*
 * setter:{tag}:keys, a set a partition, tells the front door the hashes of
 * tenants' keys.
 */

#include <string.h>

#include "reply/registry.h"
#include "setter_apikey.h"


#define REGISTRY_KEYS_TIMEOUT_MS  5000


static int registry_keys_page(worker_t *worker, const pg_answer_t *page);
static int registry_keys_send(worker_t *worker, const pg_answer_t *page,
    unsigned partition, const char *command, const char *revoked);


static const char  registry_keys[] =
    "SELECT id, tenant, tenant || '/' || hash, revoked_at IS NOT NULL"
    " FROM keys WHERE id > $1 ORDER BY id LIMIT $2";


int
registry_publish_keys(worker_t *worker)
{
    return registry_pages(worker, registry_keys, 1, "0", registry_keys_page);
}


static int
registry_keys_page(worker_t *worker, const pg_answer_t *page)
{
    unsigned  partition;

    for (partition = 0; partition < worker->queue.partitions; partition++) {
        if (registry_keys_send(worker, page, partition, "SADD", "f") != 0
            || registry_keys_send(worker, page, partition, "SREM", "t") != 0)
        {
            return -1;
        }
    }

    return 0;
}


/* One command for the keys of a page that are revoked, or are not. */
static int
registry_keys_send(worker_t *worker, const pg_answer_t *page,
    unsigned partition, const char *command, const char *revoked)
{
    int            row, argc;
    char           set[SETTER_KEY_MAX];
    redisReply    *reply;
    const char    *argv[REGISTRY_PAGE + 2];
    setter_str_t   slug;
    redis_error_e  rc;

    setter_partition_key(set, partition, worker->queue.partitions, "keys");

    argv[0] = command;
    argv[1] = set;
    argc = 2;

    for (row = 0; row < pg_rows(page, 0); row++) {
        slug.data = pg_text(page, 0, row, 1);
        slug.len = strlen(slug.data);

        if (strcmp(pg_text(page, 0, row, 3), revoked) == 0
            && setter_partition(slug, worker->queue.partitions) == partition)
        {
            argv[argc++] = pg_text(page, 0, row, 2);
        }
    }

    if (argc == 2) {
        return 0;
    }

    rc = redis_command(worker->redis, argc, argv, NULL,
                       REGISTRY_KEYS_TIMEOUT_MS, &reply);
    if (rc == REDIS_REPLIED) {
        rc = reply->type == REDIS_REPLY_ERROR ? REDIS_UNKNOWN : rc;
        freeReplyObject(reply);
    }

    return rc == REDIS_REPLIED ? 0 : -1;
}
