/*
 * setterctl lane hold, release and list: conversations that wait for a person.
 */

#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"


static int lane_switch(ctl_t *ctl, const char *lane, int hold);
static int lane_valid(const char *lane);
static int lane_record(ctl_t *ctl, const char *lane, int hold, int *changed);


/* One that nobody wrote in yet may be held too. */
static const char  hold_sql[] =
    "INSERT INTO conversations AS c (tenant, lane, window_until, held)"
    " VALUES (split_part($1, '/', 1), $1, now(), true)"
    " ON CONFLICT (tenant, lane) DO UPDATE SET held = true WHERE NOT c.held"
    " RETURNING lane";

static const char  release_sql[] =
    "UPDATE conversations SET held = false"
    " WHERE tenant = split_part($1, '/', 1) AND lane = $1 AND held"
    " RETURNING lane";

static const char  list_sql[] =
    "SELECT tenant, lane, held, taken_over, updated_at FROM conversations"
    " WHERE (held OR taken_over) AND ($1::text IS NULL OR tenant = $1)"
    " ORDER BY tenant, lane LIMIT 1000";


int
ctl_lane_hold(ctl_t *ctl, int argc, char **argv)
{
    return argc == 1 ? lane_switch(ctl, argv[0], 1) : CTL_USAGE;
}


int
ctl_lane_release(ctl_t *ctl, int argc, char **argv)
{
    return argc == 1 ? lane_switch(ctl, argv[0], 0) : CTL_USAGE;
}


int
ctl_lane_list(ctl_t *ctl, int argc, char **argv)
{
    return argc > 1 ? CTL_USAGE
           : ctl_list(ctl, list_sql, argc == 1 ? argv[0] : NULL, NULL);
}


/* On record first, then told to the queue, which may know better. */
static int
lane_switch(ctl_t *ctl, const char *lane, int hold)
{
    int             changed, told;
    setter_str_t    name;
    queue_result_e  rc;

    if (!lane_valid(lane)) {
        return ctl_fail("\"%s\" is not a lane: TENANT/conv/... as setterctl "
                        "job show tells it", lane);
    }

    if (ctl_redis(ctl) == NULL
        || lane_record(ctl, lane, hold, &changed) != CTL_OK)
    {
        return CTL_FAILED;
    }

    name.data = lane;
    name.len = strlen(lane);

    rc = hold ? queue_hold(ctl->redis, &ctl->queue, name, &told)
              : queue_release(ctl->redis, &ctl->queue, name, &told);

    if (rc != QUEUE_OK) {
        return ctl_fail("recorded, but not in effect: Redis does not take it. "
                        "Run it again");
    }

    if (!changed && !told) {
        return ctl_fail("the lane is %s", hold ? "held already" : "not held");
    }

    return CTL_OK;
}


/* "<slug>/<kind>/<rest>" */
static int
lane_valid(const char *lane)
{
    size_t        i, kind;
    setter_str_t  slug;

    slug.data = lane;
    slug.len = strcspn(lane, "/");

    if (!setter_slug_valid(slug) || strlen(lane) > SETTER_LANE_MAX) {
        return 0;
    }

    for (i = 0; lane[i] != '\0'; i++) {
        if (lane[i] <= ' ' || lane[i] > '~') {
            return 0;
        }
    }

    if (lane[slug.len] == '\0') {
        return 0;
    }

    lane += slug.len + 1;
    kind = strcspn(lane, "/");

    return kind > 0 && lane[kind] == '/' && lane[kind + 1] != '\0';
}


static int
lane_record(ctl_t *ctl, const char *lane, int hold, int *changed)
{
    int          rc;
    PGconn      *pg;
    PGresult    *result;
    const char  *params[1] = { lane };

    pg = ctl_record(ctl);
    if (pg == NULL) {
        return CTL_FAILED;
    }

    result = PQexecParams(pg, hold ? hold_sql : release_sql, 1, NULL, params,
                          NULL, NULL, 0);
    rc = PQresultStatus(result) == PGRES_TUPLES_OK
         ? CTL_OK : ctl_fail("%s", PQerrorMessage(pg));
    *changed = PQntuples(result);
    PQclear(result);
    PQfinish(pg);

    return rc;
}
