/*
 * setterctl lane hold, release, takeover, handback and list: conversations
 * that wait for a person, or that one has.
 */

#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"


static int lane_switch(ctl_t *ctl, const char *lane, int hold);
static int lane_give(ctl_t *ctl, const char *lane, const char *sql,
    const char *otherwise);
static int lane_valid(const char *lane);
static int lane_bad(const char *lane);
static int lane_record(ctl_t *ctl, const char *lane, const char *sql,
    int *changed);


/* One that nobody wrote in yet may be held too. */
static const char  hold_sql[] =
    "INSERT INTO conversations AS c (tenant, lane, window_until, held)"
    " VALUES (split_part($1, '/', 1), $1, now(), true)"
    " ON CONFLICT (tenant, lane) DO UPDATE SET held = true WHERE NOT c.held"
    " RETURNING lane";

static const char  release_sql[] =
    "UPDATE conversations SET held = false, guard_from = now()"
    " WHERE tenant = split_part($1, '/', 1) AND lane = $1 AND held"
    " RETURNING lane";

/* What is composed and not sent is dropped by the fence. */
static const char  takeover_sql[] =
    "UPDATE conversations SET taken_over = true"
    " WHERE tenant = split_part($1, '/', 1) AND lane = $1 AND NOT taken_over"
    " RETURNING lane";

static const char  handback_sql[] =
    "UPDATE conversations SET taken_over = false"
    " WHERE tenant = split_part($1, '/', 1) AND lane = $1 AND taken_over"
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
ctl_lane_takeover(ctl_t *ctl, int argc, char **argv)
{
    return argc == 1 ? lane_give(ctl, argv[0], takeover_sql, "taken over "
                                 "already, or nobody has written in it")
                     : CTL_USAGE;
}


int
ctl_lane_handback(ctl_t *ctl, int argc, char **argv)
{
    return argc == 1 ? lane_give(ctl, argv[0], handback_sql, "not taken over")
                     : CTL_USAGE;
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
        return lane_bad(lane);
    }

    if (ctl_redis(ctl) == NULL
        || lane_record(ctl, lane, hold ? hold_sql : release_sql, &changed)
           != CTL_OK)
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


/* To a person, or back to us: the workers see it in the record. */
static int
lane_give(ctl_t *ctl, const char *lane, const char *sql,
    const char *otherwise)
{
    int  changed;

    if (!lane_valid(lane)) {
        return lane_bad(lane);
    }

    if (lane_record(ctl, lane, sql, &changed) != CTL_OK) {
        return CTL_FAILED;
    }

    return changed ? CTL_OK : ctl_fail("the lane is %s", otherwise);
}


static int
lane_bad(const char *lane)
{
    return ctl_fail("\"%s\" is not a lane: TENANT/conv/... as setterctl job "
                    "show tells it", lane);
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
lane_record(ctl_t *ctl, const char *lane, const char *sql, int *changed)
{
    int          rc;
    PGconn      *pg;
    PGresult    *result;
    const char  *params[1] = { lane };

    pg = ctl_record(ctl);
    if (pg == NULL) {
        return CTL_FAILED;
    }

    result = PQexecParams(pg, sql, 1, NULL, params, NULL, NULL, 0);
    rc = PQresultStatus(result) == PGRES_TUPLES_OK
         ? CTL_OK : ctl_fail("%s", PQerrorMessage(pg));
    *changed = PQntuples(result);
    PQclear(result);
    PQfinish(pg);

    return rc;
}
