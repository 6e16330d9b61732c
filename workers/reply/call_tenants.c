/*
 * The call "tenants": the registry.
 *
 *   GET                  a page of them, by name: limit, after, status
 *   POST                 {"slug":…, fields} adds one, active
 *   GET SLUG             one
 *   PATCH SLUG           {fields}, and "status" and "held"; null: the default.
 *                        If-Match: the version that it must have
 *   … SLUG/keys[/ID]     its keys, see call_keys.c
 *
 * An administrator may do all of it; a tenant's key sees its own tenant and
 * sets what is not the operator's to set (tenants.c).  On record first, then
 * told to nginx and the queue.
 */

#include <string.h>

#include "reply/call_ask.h"
#include "reply/call_registry.h"
#include "reply/settings.h"
#include "reply/tenants.h"
#include "reply/unit.h"
#include "runtime/log.h"


#define TENANTS_LIMIT  "50"


/* The parameters of a query. */
enum {
    QUERY_LIMIT,
    QUERY_AFTER,
    QUERY_STATUS,
    QUERY_N
};

/* What a body has beside the fields; then the fields. */
enum {
    BODY_SLUG,
    BODY_STATUS,
    BODY_HELD,
    BODY_FIELDS,
    BODY_NPATHS = BODY_FIELDS + TENANTS_NFIELDS
};


static int tenants_run(turn_t *turn, setter_str_t args,
    call_answer_t *answer);
static int tenants_show(turn_t *turn, const call_ask_t *ask,
    call_answer_t *answer);
static int tenants_change(turn_t *turn, const call_ask_t *ask,
    call_answer_t *answer);
static int tenants_list(turn_t *turn, const call_ask_t *ask,
    call_answer_t *answer);
static int tenants_add(turn_t *turn, const call_ask_t *ask,
    call_answer_t *answer);
static int tenants_write(turn_t *turn, const call_ask_t *ask, int add,
    const setter_json_value_t *values, call_answer_t *answer);
static int tenants_params(turn_t *turn, const call_ask_t *ask,
    const setter_json_value_t *values, const char **params,
    call_answer_t *answer);
static int tenants_state(turn_t *turn, const call_ask_t *ask,
    const setter_json_value_t *values, const char **params,
    call_answer_t *answer);
static int tenants_read(turn_t *turn, const call_ask_t *ask,
    setter_json_value_t *values, call_answer_t *answer);
static int tenants_tell(turn_t *turn, const pg_answer_t *rows,
    call_answer_t *answer);
static int tenants_refused(turn_t *turn, const pg_answer_t *rows,
    call_answer_t *answer);
static const char *tenants_slug(setter_str_t value);
static const char *tenants_status(setter_str_t value);


const call_t  call_tenants = { "tenants", tenants_run };


static const call_option_t  tenants_query[QUERY_N] = {
    { "limit", call_limit },
    { "after", tenants_slug },
    { "status", tenants_status },
};

/* One as the API shows it. */
#define TENANT                                                                \
    "json_build_object('slug', slug, 'status', status, 'held', held,"         \
    " 'name', name, 'weight', weight, 'cap', cap,"                            \
    " 'quota_minute', quota_minute, 'quota_day', quota_day,"                  \
    " 'worker', worker, 'mid_turn', mid_turn, 'prompt', prompt,"              \
    " 'model', model, 'time_zone', time_zone,"                                \
    " 'retention_days', retention_days, 'opt_out', opt_out,"                  \
    " 'guard', guard, 'echo', echo, 'typing', typing,"                        \
    " 'window_policy', window_policy, 'window_template', window_template,"    \
    " 'created_at', created_at, 'updated_at', updated_at)"

/* One row more than fits tells that there is a next page. */
static const char  list_sql[] =
    "WITH page AS ("
    "  SELECT * FROM tenants"
    "  WHERE ($1::text IS NULL OR slug = $1)"
    "   AND ($3::text IS NULL OR slug > $3)"
    "   AND ($4::text IS NULL OR status = $4)"
    "  ORDER BY slug LIMIT $2::integer + 1"
    " ), shown AS (SELECT * FROM page ORDER BY slug LIMIT $2::integer)"
    " SELECT json_build_object('tenants',"
    "  coalesce((SELECT json_agg(" TENANT " ORDER BY slug) FROM shown),"
    "   '[]'::json),"
    "  'next', CASE WHEN (SELECT count(*) FROM page) > $2::integer"
    "   THEN (SELECT max(slug) FROM shown) END)";

static const char  show_sql[] =
    "SELECT " TENANT ", " TENANTS_VERSION ", status = 'active'"
    " FROM tenants WHERE slug = $1";

/* Whom a message came for before he was added is added now. */
static const char  add_sql[] =
    "INSERT INTO tenants AS t (slug, status, call)"
    " VALUES ($1, 'active', $2::uuid)"
    " ON CONFLICT (slug) DO UPDATE"
    " SET status = 'active', call = EXCLUDED.call"
    "  WHERE t.status = 'seen' OR t.call = EXCLUDED.call"
    " RETURNING slug";


static const call_route_t  tenants_routes[] = {
    { "GET", "", tenants_list },
    { "POST", "", tenants_add },
    { "GET", "*", tenants_show },
    { "PATCH", "*", tenants_change },
    { "GET", "*/keys", call_keys_list },
    { "POST", "*/keys", call_keys_add },
    { "DELETE", "*/keys/*", call_keys_revoke },
};


/* Of another tenant it is not even said whether there is one. */
static int
tenants_run(turn_t *turn, setter_str_t args, call_answer_t *answer)
{
    int         rc;
    call_ask_t  ask;

    rc = call_ask(turn, "tenants", args, &ask, answer);
    if (rc != 1) {
        return rc;
    }

    return ask.path[0].len > 0 && !setter_str_is(ask.path[0], turn->tenant)
           ? call_not_found(answer)
           : call_route(turn, &ask, tenants_routes,
                        sizeof(tenants_routes) / sizeof(tenants_routes[0]),
                        answer);
}


static int
tenants_show(turn_t *turn, const call_ask_t *ask, call_answer_t *answer)
{
    (void) ask;

    return call_registry_show(turn, show_sql, turn->tenant, 200, answer);
}


static int
tenants_change(turn_t *turn, const call_ask_t *ask, call_answer_t *answer)
{
    int                  rc;
    setter_json_value_t  values[BODY_NPATHS];

    rc = tenants_read(turn, ask, values, answer);
    if (rc != 1) {
        return rc;
    }

    return values[BODY_SLUG].type != SETTER_JSON_ABSENT
           ? call_invalid(turn, answer, "slug", "slug cannot be changed")
           : tenants_write(turn, ask, 0, values, answer);
}


static int
tenants_list(turn_t *turn, const call_ask_t *ask, call_answer_t *answer)
{
    int          rc;
    pg_query_t   select;
    const char  *query[QUERY_N] = { TENANTS_LIMIT, NULL, NULL };

    rc = call_query(turn, ask, tenants_query, QUERY_N, query, answer);
    if (rc != 1) {
        return rc;
    }

    select = (pg_query_t) {
        list_sql, 4, { ask->admin ? NULL : turn->tenant, query[QUERY_LIMIT],
                       query[QUERY_AFTER], query[QUERY_STATUS] } };

    return call_registry_list(turn, &select, answer);
}


static int
tenants_add(turn_t *turn, const call_ask_t *ask, call_answer_t *answer)
{
    int                  rc;
    const char          *own;
    setter_str_t         slug;
    setter_json_value_t  values[BODY_NPATHS];

    if (!ask->admin) {
        return call_problem(turn, answer, 403, "Forbidden",
                            "an administrator adds tenants");
    }

    rc = tenants_read(turn, ask, values, answer);
    if (rc != 1) {
        return rc;
    }

    slug = values[BODY_SLUG].text;

    if (values[BODY_SLUG].type != SETTER_JSON_STRING
        || !setter_slug_valid(slug))
    {
        return call_invalid(turn, answer, "slug", "slug is a lower-case "
                            "letter, then up to 62 letters, digits and "
                            "hyphens");
    }

    if (tenants_reserved(slug)) {
        return call_invalid(turn, answer, "slug",
                            "slug: \"setter\" is Setter's own");
    }

    /* its rows are written in its name */
    own = turn->tenant;
    turn->tenant = arena_copy(turn->claim->arena, slug.data, slug.len);

    rc = turn->tenant != NULL ? tenants_write(turn, ask, 1, values, answer)
                              : -1;
    turn->tenant = own;

    return rc;
}


/* 1; 0: the answer says what is wrong; -1: no memory. */
static int
tenants_read(turn_t *turn, const call_ask_t *ask,
    setter_json_value_t *values, call_answer_t *answer)
{
    int                 i;
    setter_json_path_t  paths[BODY_NPATHS];

    memset(paths, 0, sizeof(paths));
    paths[BODY_SLUG].path = "slug";
    paths[BODY_STATUS].path = "status";
    paths[BODY_HELD].path = "held";

    for (i = 0; i < TENANTS_NFIELDS; i++) {
        paths[BODY_FIELDS + i].path = tenants_fields[i].name;
    }

    return call_registry_read(turn, ask, paths, BODY_NPATHS, values, answer);
}


/* One unit of work: all of it or nothing. */
static int
tenants_write(turn_t *turn, const call_ask_t *ask, int add,
    const setter_json_value_t *values, call_answer_t *answer)
{
    int            rc, n;
    pg_query_t     queries[3], *update;
    pg_answer_t    rows;

    n = 0;

    if (add) {
        queries[n++] = (pg_query_t) {
            add_sql, 2, { turn->tenant, answer->call } };
    }

    update = &queries[n++];
    *update = (pg_query_t) { tenants_update, TENANTS_NPARAMS,
                             { turn->tenant } };
    update->params[TENANTS_MATCH] = add ? TENANTS_NEW : ask->version;
    update->params[TENANTS_CALL] = answer->call;

    queries[n++] = (pg_query_t) { show_sql, 1, { turn->tenant } };

    rc = tenants_state(turn, ask, values, update->params, answer);

    if (rc == 1) {
        rc = tenants_params(turn, ask, values, update->params, answer);
    }

    if (rc != 1) {
        return rc;
    }

    if (pg_run(turn->tenant, queries, n, unit_timeout_ms(turn), &rows)
        != PG_OK)
    {
        rc = tenants_refused(turn, &rows, answer);

    } else if (pg_rows(&rows, n - 2) == 0) {
        rc = add ? call_problem(turn, answer, 409, "Conflict",
                                "there is such a tenant already")
             : call_unchanged(turn, ask, pg_rows(&rows, n - 1) > 0, answer);

    } else {
        answer->status = add ? 201 : 200;
        rc = tenants_tell(turn, &rows, answer);
    }

    pg_clear(&rows);

    return rc;
}


/* The operator's: whether it is active, and whether it waits. */
static int
tenants_state(turn_t *turn, const call_ask_t *ask,
    const setter_json_value_t *values, const char **params,
    call_answer_t *answer)
{
    const char                 *status;
    const setter_json_value_t  *is, *waits;

    is = &values[BODY_STATUS];
    waits = &values[BODY_HELD];

    if (!ask->admin && (is->type != SETTER_JSON_ABSENT
                        || waits->type != SETTER_JSON_ABSENT))
    {
        return call_problem(turn, answer, 403, "Forbidden",
                            "status and held are the administrator's to set");
    }

    if (is->type != SETTER_JSON_ABSENT) {
        status = setter_str_is(is->text, "active") ? "active" : "suspended";
        params[TENANTS_STATUS] = status;

        if (is->type != SETTER_JSON_STRING || !setter_str_is(is->text, status))
        {
            return call_invalid(turn, answer, "status",
                                "status is active or suspended");
        }
    }

    if (waits->type != SETTER_JSON_ABSENT) {
        params[TENANTS_HELD] = waits->type == SETTER_JSON_TRUE ? "true"
                                                               : "false";

        if (waits->type != SETTER_JSON_TRUE
            && waits->type != SETTER_JSON_FALSE)
        {
            return call_invalid(turn, answer, "held",
                                "held is true or false");
        }
    }

    return 1;
}


/* The fields that are given, from the statement's second parameter on. */
static int
tenants_params(turn_t *turn, const call_ask_t *ask,
    const setter_json_value_t *values, const char **params,
    call_answer_t *answer)
{
    int                         i;
    char                        error[256];
    const char                 *wrong;
    const tenants_field_t      *field;
    const setter_json_value_t  *value;

    for (i = 0; i < TENANTS_NFIELDS; i++) {
        field = &tenants_fields[i];
        value = &values[BODY_FIELDS + i];

        if (value->type == SETTER_JSON_ABSENT) {
            continue;
        }

        if (field->operators && !ask->admin) {
            return call_problem(turn, answer, 403, "Forbidden",
                                arena_printf(turn->claim->arena,
                                             "%s is the administrator's to "
                                             "set", field->name));
        }

        params[1 + i] = call_registry_text(turn, value,
                                           field->words[0] == NULL
                                           && field->min >= 0,
                                           field->initial);
        wrong = params[1 + i] == NULL ? "is of another type"
                : tenants_check(field, params[1 + i], error, sizeof(error));

        if (wrong != NULL) {
            return call_invalid(turn, answer, field->name,
                                arena_copy(turn->claim->arena, wrong,
                                           strlen(wrong)));
        }
    }

    return 1;
}


/* What the rows say now, to nginx and the queue; the last one is shown. */
static int
tenants_tell(turn_t *turn, const pg_answer_t *rows, call_answer_t *answer)
{
    int          i, active;
    char         error[TENANTS_ERROR];
    const char  *values[SETTINGS_N], *wrong;

    for (i = 0; i < SETTINGS_N; i++) {
        values[i] = pg_text(rows, rows->n - 2, 0, i);
    }

    active = unit_true(rows, rows->n - 1, 0, 2);
    wrong = tenants_member(turn->worker->redis, &turn->worker->queue,
                           active ? "SADD" : "SREM", turn->tenant, "known",
                           turn->tenant, error);

    if (wrong == NULL
        && settings_publish(turn->worker->redis, &turn->worker->queue,
                            turn->tenant, values) != QUEUE_OK)
    {
        wrong = "Redis does not take the settings";
    }

    if (wrong != NULL) {
        return call_unpublished(turn, wrong);
    }

    if (answer->status == 201) {
        answer->location = arena_printf(turn->claim->arena,
                                        "/api/tenants/%s", turn->tenant);
    }

    return call_body(turn, answer, answer->status,
                     pg_text(rows, rows->n - 1, 0, 0),
                     pg_text(rows, rows->n - 1, 0, 1));
}


/* All the others were checked before. */
static int
tenants_refused(turn_t *turn, const pg_answer_t *rows, call_answer_t *answer)
{
    if (rows->error == PG_FAILED && strncmp(rows->sqlstate, "22", 2) == 0) {
        return call_invalid(turn, answer, "time_zone",
                            "time_zone: there is no such time zone");
    }

    if (rows->error == PG_FAILED
        && strstr(rows->message, "window_template") != NULL)
    {
        return call_invalid(turn, answer, "window_template",
                            "window_template is NAME or NAME/LANGUAGE");
    }

    return call_registry_away(turn, rows, answer);
}


static const char *
tenants_slug(setter_str_t value)
{
    return setter_slug_valid(value) ? NULL : "after: a slug";
}


static const char *
tenants_status(setter_str_t value)
{
    return setter_str_is(value, "active") || setter_str_is(value, "suspended")
           || setter_str_is(value, "seen")
           ? NULL : "status: active, suspended or seen";
}
