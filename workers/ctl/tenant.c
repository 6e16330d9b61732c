/*
 * setterctl tenant add, suspend and list.
 *
 * The registry is PostgreSQL's; Redis has a set of the active tenants for
 * "setter_tenants known".  Should Redis lose it, the next worker that
 * connects writes it anew.
 */

#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "setter_partition.h"


#define TENANT_CALL_MS  5000


static int tenant_set(ctl_t *ctl, const char *slug, const char *status);
static int tenant_publish(ctl_t *ctl, const char *slug, const char *command);


int
ctl_tenant_add(ctl_t *ctl, int argc, char **argv)
{
    return argc == 1 ? tenant_set(ctl, argv[0], "active") : CTL_USAGE;
}


int
ctl_tenant_suspend(ctl_t *ctl, int argc, char **argv)
{
    return argc == 1 ? tenant_set(ctl, argv[0], "suspended") : CTL_USAGE;
}


int
ctl_tenant_list(ctl_t *ctl, int argc, char **argv)
{
    int      rc, rows;
    PGconn  *pg;

    (void) argv;

    if (argc > 0) {
        return CTL_USAGE;
    }

    pg = ctl_record(ctl);
    if (pg == NULL) {
        return CTL_FAILED;
    }

    rc = ctl_print(ctl, pg, "SELECT slug, status, created_at, updated_at "
                   "FROM tenants WHERE $1::text IS NULL ORDER BY slug", NULL,
                   &rows);

    if (ctl->json) {
        putchar('\n');
    }

    PQfinish(pg);

    return rc;
}


static int
tenant_set(ctl_t *ctl, const char *slug, const char *status)
{
    int           rc;
    PGconn       *pg;
    PGresult     *result;
    const char   *params[2] = { slug, status };
    setter_str_t  text;

    text.data = slug;
    text.len = strlen(slug);

    if (!setter_slug_valid(text)) {
        return ctl_fail("\"%s\" is not a slug: a lower-case letter, then up "
                        "to 62 letters, digits and hyphens", slug);
    }

    if (ctl_redis(ctl) == NULL) {
        return CTL_FAILED;
    }

    pg = ctl_record(ctl);
    if (pg == NULL) {
        return CTL_FAILED;
    }

    result = PQexecParams(pg, "INSERT INTO tenants (slug, status) "
                          "VALUES ($1, $2) ON CONFLICT (slug) "
                          "DO UPDATE SET status = EXCLUDED.status", 2, NULL,
                          params, NULL, NULL, 0);
    rc = PQresultStatus(result) == PGRES_COMMAND_OK
         ? CTL_OK : ctl_fail("%s", PQerrorMessage(pg));
    PQclear(result);
    PQfinish(pg);

    if (rc != CTL_OK) {
        return rc;
    }

    return tenant_publish(ctl, slug,
                          strcmp(status, "active") == 0 ? "SADD" : "SREM");
}


static int
tenant_publish(ctl_t *ctl, const char *slug, const char *command)
{
    int           rc;
    char          key[SETTER_KEY_MAX];
    redisReply   *reply;
    const char   *argv[3] = { command, key, slug };
    setter_str_t  text;

    text.data = slug;
    text.len = strlen(slug);
    setter_partition_key(key, setter_partition(text, ctl->queue.partitions),
                         ctl->queue.partitions, "known");

    if (redis_command(ctl->redis, 3, argv, NULL, TENANT_CALL_MS, &reply)
        != REDIS_REPLIED)
    {
        return ctl_fail("recorded, but Redis does not answer: run it again");
    }

    rc = reply->type == REDIS_REPLY_ERROR
         ? ctl_fail("recorded, but Redis refused: %s", reply->str) : CTL_OK;
    freeReplyObject(reply);

    return rc;
}
