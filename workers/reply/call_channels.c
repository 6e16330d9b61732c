/*
 * The call "channels": the tenant's accounts with providers.
 *
 *   GET          all of them, without their secrets
 *   POST         {"provider":…,"address":…, fields} adds one
 *   GET ID       one
 *   PATCH ID     {fields}: account, base_url, credential, signing, preferred,
 *                rate; null takes one away.  If-Match: the version it must have
 *   DELETE ID    removes it
 *
 * Whose messages to an address are is not a tenant's to say: what its key adds
 * sends, and an administrator sets "confirmed".  Secrets come sealed from nginx
 * and are sealed for their row here.  On record first, then told to nginx.
 */

#include <string.h>

#include <openssl/crypto.h>

#include "channel/channel.h"
#include "reply/call_registry.h"
#include "reply/channels.h"
#include "reply/unit.h"


#define CHANNELS_SECRET_MAX  4096   /* bytes of one */


static int channels_run(turn_t *turn, setter_str_t args,
    call_answer_t *answer);
static int channels_list(turn_t *turn, const call_ask_t *ask,
    call_answer_t *answer);
static int channels_show(turn_t *turn, const call_ask_t *ask,
    call_answer_t *answer);
static int channels_found(turn_t *turn, const call_ask_t *ask,
    call_answer_t *answer);
static int channels_add(turn_t *turn, const call_ask_t *ask,
    call_answer_t *answer);
static int channels_change(turn_t *turn, const call_ask_t *ask,
    const char *const where[3], call_answer_t *answer);
static int channels_read(turn_t *turn, const call_ask_t *ask,
    setter_json_value_t *values, call_answer_t *answer);
static int channels_name(turn_t *turn, const setter_json_value_t *values,
    const char **params, call_answer_t *answer);
static int channels_params(turn_t *turn, const call_ask_t *ask,
    const setter_json_value_t *values, const char **params,
    call_answer_t *answer);
static int channels_param(turn_t *turn, const call_ask_t *ask, int field,
    const setter_json_value_t *value, const char **params,
    call_answer_t *answer);
static int channels_secret(turn_t *turn, const call_ask_t *ask, int field,
    const char **params, call_answer_t *answer);
static int channels_write(turn_t *turn, const call_ask_t *ask,
    const char *sql, int nparams, const char **params, int status,
    call_answer_t *answer);
static int channels_none(turn_t *turn, const call_ask_t *ask, int status,
    const pg_answer_t *rows, call_answer_t *answer);
static int channels_refused(turn_t *turn, const pg_answer_t *rows,
    call_answer_t *answer);
static int channels_tell(turn_t *turn, const pg_answer_t *rows,
    const char **params, call_answer_t *answer);


const call_t  call_channels = { "channels", channels_run };


/* One as the API shows it. */
#define CHANNEL                                                               \
    "json_build_object('id', id, 'tenant', tenant, 'provider', provider,"     \
    " 'address', address, 'account', account, 'base_url', base_url,"          \
    " 'credential', credential IS NOT NULL, 'signing', signing IS NOT NULL,"  \
    " 'preferred', preferred, 'rate', rate, 'confirmed', confirmed,"          \
    " 'created_at', created_at, 'updated_at', updated_at)"

/* Row-level security shows a worker no other tenant's. */
static const char  list_sql[] =
    "SELECT json_build_object('channels', coalesce(json_agg(" CHANNEL
    "  ORDER BY provider, address), '[]'::json))"
    " FROM channels WHERE tenant = $1 AND NOT removed";

static const char  show_sql[] =
    "SELECT " CHANNEL ", " CHANNELS_VERSION " FROM channels"
    " WHERE id::text = $1"
    "  AND tenant = current_setting('setter.tenant', true) AND NOT removed";

/* One that the call itself has removed is there, for it. */
static const char  find_sql[] =
    "SELECT provider, address FROM channels WHERE id::text = $1"
    "  AND tenant = current_setting('setter.tenant', true)"
    "  AND (NOT removed OR call = $2::uuid)";


static const call_route_t  channels_routes[] = {
    { "GET", "", channels_list },
    { "POST", "", channels_add },
    { "GET", "*", channels_show },
    { "PATCH", "*", channels_found },
    { "DELETE", "*", channels_found },
};


static int
channels_run(turn_t *turn, setter_str_t args, call_answer_t *answer)
{
    int         rc;
    call_ask_t  ask;

    rc = call_ask(turn, "channels", args, &ask, answer);

    if (rc == 1) {
        rc = call_query(turn, &ask, NULL, 0, NULL, answer);
    }

    return rc == 1 ? call_route(turn, &ask, channels_routes,
                                sizeof(channels_routes)
                                / sizeof(channels_routes[0]), answer)
                   : rc;
}


static int
channels_list(turn_t *turn, const call_ask_t *ask, call_answer_t *answer)
{
    pg_query_t  select;

    (void) ask;

    select = (pg_query_t) { list_sql, 1, { turn->tenant } };

    return call_registry_list(turn, &select, answer);
}


static int
channels_show(turn_t *turn, const call_ask_t *ask, call_answer_t *answer)
{
    return call_registry_show(turn, show_sql, call_segment(turn, ask, 0), 200,
                              answer);
}


static int
channels_found(turn_t *turn, const call_ask_t *ask, call_answer_t *answer)
{
    int          rc;
    const char  *id, *where[3];
    pg_query_t   select;
    pg_answer_t  row;

    id = call_segment(turn, ask, 0);
    if (id == NULL) {
        return -1;
    }

    select = (pg_query_t) { find_sql, 2, { id, answer->call } };

    if (pg_run(turn->tenant, &select, 1, unit_timeout_ms(turn), &row)
        != PG_OK)
    {
        rc = call_registry_away(turn, &row, answer);

    } else if (pg_rows(&row, 0) == 0) {
        rc = call_not_found(answer);

    } else {
        where[0] = turn->tenant;
        where[1] = pg_text(&row, 0, 0, 0);
        where[2] = pg_text(&row, 0, 0, 1);
        rc = channels_change(turn, ask, where, answer);
    }

    pg_clear(&row);

    return rc;
}


static int
channels_change(turn_t *turn, const call_ask_t *ask,
    const char *const where[3], call_answer_t *answer)
{
    int                  rc;
    const char          *params[CHANNELS_NPARAMS] = { NULL };
    setter_json_value_t  values[CHANNELS_NFIELDS];

    params[CHANNELS_TENANT] = where[0];
    params[CHANNELS_PROVIDER] = where[1];
    params[CHANNELS_ADDRESS] = where[2];

    if (setter_str_is(ask->method, "DELETE")) {
        params[CHANNELS_NDELETE - 2] = answer->call;
        params[CHANNELS_NDELETE - 1] = ask->version;

        return channels_write(turn, ask, channels_delete, CHANNELS_NDELETE,
                              params, 204, answer);
    }

    rc = channels_read(turn, ask, values, answer);
    if (rc != 1) {
        return rc;
    }

    if (values[CHANNELS_PROVIDER].type != SETTER_JSON_ABSENT
        || values[CHANNELS_ADDRESS].type != SETTER_JSON_ABSENT)
    {
        return call_invalid(turn, answer, "address", "provider and address "
                            "cannot be changed: add another channel");
    }

    rc = channels_params(turn, ask, values, params, answer);
    if (rc != 1) {
        return rc;
    }

    params[CHANNELS_NPARAMS - 2] = answer->call;
    params[CHANNELS_NPARAMS - 1] = ask->version;

    return channels_write(turn, ask, channels_update, CHANNELS_NPARAMS,
                          params, 200, answer);
}


static int
channels_add(turn_t *turn, const call_ask_t *ask, call_answer_t *answer)
{
    int                  rc;
    const char          *params[CHANNELS_NPARAMS] = { NULL };
    setter_json_value_t  values[CHANNELS_NFIELDS];

    rc = channels_read(turn, ask, values, answer);

    if (rc == 1) {
        rc = channels_name(turn, values, params, answer);
    }

    if (rc == 1) {
        rc = channels_params(turn, ask, values, params, answer);
    }

    if (params[CHANNELS_CONFIRMED] == NULL) {
        params[CHANNELS_CONFIRMED] = ask->admin ? "true" : "false";
    }

    params[CHANNELS_NINSERT - 1] = answer->call;

    return rc == 1 ? channels_write(turn, ask, channels_insert,
                                    CHANNELS_NINSERT, params, 201, answer)
                   : rc;
}


static int
channels_read(turn_t *turn, const call_ask_t *ask,
    setter_json_value_t *values, call_answer_t *answer)
{
    int                 i, rc;
    setter_json_path_t  paths[CHANNELS_NFIELDS];

    memset(paths, 0, sizeof(paths));

    for (i = 0; i < CHANNELS_NFIELDS; i++) {
        paths[i].path = channels_fields[i];
    }

    rc = call_registry_read(turn, ask, paths, CHANNELS_NFIELDS, values,
                            answer);

    if (rc == 1 && values[CHANNELS_TENANT].type != SETTER_JSON_ABSENT
        && !setter_str_is(values[CHANNELS_TENANT].text, turn->tenant))
    {
        return call_problem(turn, answer, 403, "Forbidden",
                            "the body names another tenant");
    }

    return rc;
}


/* Whose channel with whom: tenant, provider and address. */
static int
channels_name(turn_t *turn, const setter_json_value_t *values,
    const char **params, call_answer_t *answer)
{
    const char                 *wrong;
    const setter_json_value_t  *provider;

    provider = &values[CHANNELS_PROVIDER];

    if (provider->type != SETTER_JSON_STRING
        || channel_find(provider->text) == NULL)
    {
        return call_invalid(turn, answer, "provider",
                            "provider: there is none of that name");
    }

    params[CHANNELS_TENANT] = turn->tenant;
    params[CHANNELS_PROVIDER] = call_registry_text(turn, provider, 0, "");
    params[CHANNELS_ADDRESS] = call_registry_text(turn,
                                                  &values[CHANNELS_ADDRESS],
                                                  0, "");
    wrong = channels_wrong(params[CHANNELS_ADDRESS] != NULL
                           ? params[CHANNELS_ADDRESS] : "");

    return wrong == NULL ? 1 : call_invalid(turn, answer, "address", wrong);
}


static int
channels_params(turn_t *turn, const call_ask_t *ask,
    const setter_json_value_t *values, const char **params,
    call_answer_t *answer)
{
    int  i, rc;

    for (i = CHANNELS_ACCOUNT, rc = 1; i < CHANNELS_NFIELDS && rc == 1; i++) {
        if (values[i].type != SETTER_JSON_ABSENT) {
            rc = channels_param(turn, ask, i, &values[i], params, answer);
        }
    }

    return rc;
}


static int
channels_param(turn_t *turn, const call_ask_t *ask, int field,
    const setter_json_value_t *value, const char **params,
    call_answer_t *answer)
{
    if (field == CHANNELS_CONFIRMED && !ask->admin) {
        return call_problem(turn, answer, 403, "Forbidden",
                            "confirmed is the administrator's to set");
    }

    if (field == CHANNELS_PREFERRED || field == CHANNELS_CONFIRMED) {
        params[field] = value->type == SETTER_JSON_TRUE ? "true" : "false";

        return value->type == SETTER_JSON_TRUE
               || value->type == SETTER_JSON_FALSE
               ? 1 : call_invalid(turn, answer, channels_fields[field],
                                  "it is true or false");
    }

    params[field] = call_registry_text(turn, value, field == CHANNELS_RATE,
                                       "");

    if (params[field] == NULL) {
        return call_invalid(turn, answer, channels_fields[field],
                            field == CHANNELS_RATE
                            ? "a number, or null, is what it has to be"
                            : "a text, or null, is what it has to be");
    }

    return *params[field] != '\0'
           && (field == CHANNELS_CREDENTIAL || field == CHANNELS_SIGNING)
           ? channels_secret(turn, ask, field, params, answer) : 1;
}


static int
channels_secret(turn_t *turn, const call_ask_t *ask, int field,
    const char **params, call_answer_t *answer)
{
    size_t            i;
    arena_t          *arena;
    setter_buf_t      sealed;
    setter_str_t      text;
    const master_t   *master;

    arena = turn->claim->arena;
    master = turn->worker->master;
    text.data = params[field];
    text.len = strlen(text.data);

    if (!ask->sealed || master->n == 0) {
        return call_invalid(turn, answer, channels_fields[field],
                            "secrets are taken where nginx has "
                            "setter_signing_key and the workers "
                            "SETTER_MASTER_KEY; setterctl channel set takes "
                            "them from a file");
    }

    for (i = 0; i < text.len; i++) {
        if ((text.data[i] < ' '
             && (text.data[i] != '\n' || field == CHANNELS_CREDENTIAL))
            || text.data[i] > '~')
        {
            break;
        }
    }

    if (i < text.len || text.len > CHANNELS_SECRET_MAX) {
        return call_invalid(turn, answer, channels_fields[field],
                            field == CHANNELS_SIGNING
                            ? "signing: too long, or not visible ASCII"
                            : "credential: too long, or not one line of "
                              "visible ASCII");
    }

    setter_buf_init(&sealed, arena_alloc(arena), 0);

    if (channels_seal(&sealed, &master->keys[0], field == CHANNELS_SIGNING,
                      params, text, arena)
        != SETTER_OK)
    {
        return -1;
    }

    OPENSSL_cleanse((char *) params[field], text.len);
    params[field] = arena_copy(arena, sealed.data, sealed.len);

    return params[field] != NULL ? 1 : -1;
}


/* The row, and what nginx is to know of its provider's secrets. */
static int
channels_write(turn_t *turn, const call_ask_t *ask, const char *sql,
    int nparams, const char **params, int status, call_answer_t *answer)
{
    int          rc;
    pg_query_t   queries[2];
    pg_answer_t  rows;

    queries[0] = (pg_query_t) { sql, nparams, { NULL } };
    memcpy(queries[0].params, params, (size_t) nparams * sizeof(char *));
    queries[1] = (pg_query_t) {
        channels_published, 3, { turn->tenant, params[CHANNELS_PROVIDER],
                                 params[CHANNELS_ADDRESS] } };

    if (pg_run(turn->tenant, queries, 2, unit_timeout_ms(turn), &rows)
        != PG_OK)
    {
        rc = channels_refused(turn, &rows, answer);

    } else if (pg_rows(&rows, 0) == 0) {
        rc = channels_none(turn, ask, status, &rows, answer);

    } else {
        answer->status = status;
        rc = channels_tell(turn, &rows, params, answer);
    }

    pg_clear(&rows);

    return rc;
}


static int
channels_none(turn_t *turn, const call_ask_t *ask, int status,
    const pg_answer_t *rows, call_answer_t *answer)
{
    if (status != 201) {
        return call_unchanged(turn, ask, 1, answer);
    }

    return unit_true(rows, 1, 0, CHANNELS_PUBLISHED_TENANT)
           ? call_problem(turn, answer, 409, "Conflict",
                          "there is such a channel already")
           : call_problem(turn, answer, 404, "Not Found",
                          "there is no such tenant");
}


static int
channels_refused(turn_t *turn, const pg_answer_t *rows, call_answer_t *answer)
{
    int          i;
    size_t       len;
    const char  *reason;

    reason = rows->error == PG_FAILED ? channels_reason(rows->message) : NULL;

    if (reason == NULL) {
        return call_registry_away(turn, rows, answer);
    }

    /* "base_url: …" */
    len = strcspn(reason, ":");

    for (i = 0; i < CHANNELS_NFIELDS; i++) {
        if (strlen(channels_fields[i]) == len
            && memcmp(channels_fields[i], reason, len) == 0)
        {
            return call_invalid(turn, answer, channels_fields[i], reason);
        }
    }

    return call_registry_away(turn, rows, answer);
}


static int
channels_tell(turn_t *turn, const pg_answer_t *rows, const char **params,
    call_answer_t *answer)
{
    const char  *id;

    if (channels_publish_both(turn->worker->redis, &turn->worker->queue,
                              params,
                              pg_text(rows, 1, 0, CHANNELS_PUBLISHED_OWNER),
                              pg_text(rows, 1, 0, CHANNELS_PUBLISHED_SEALED))
        != QUEUE_OK)
    {
        return call_unpublished(turn, "Redis does not take it");
    }

    if (answer->status == 204) {
        return call_body(turn, answer, 204, "", NULL);
    }

    id = arena_copy(turn->claim->arena, pg_text(rows, 0, 0, 0),
                    strlen(pg_text(rows, 0, 0, 0)));
    if (id == NULL) {
        return -1;
    }

    if (answer->status == 201) {
        answer->location = arena_printf(turn->claim->arena,
                                        "/api/channels/%s", id);
    }

    return call_registry_show(turn, show_sql, id, answer->status, answer);
}
