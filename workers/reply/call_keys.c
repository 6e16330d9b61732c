/*
 * The keys of a tenant, below "tenants/SLUG/keys":
 *
 *   GET          all of them, by what they end in
 *   POST         {"name":…} makes one; the answer alone has its text, sealed
 *                for nginx
 *   DELETE ID    revokes it
 */

#include <string.h>

#include <openssl/crypto.h>

#include "reply/call_registry.h"
#include "reply/tenants.h"
#include "reply/unit.h"
#include "setter_apikey.h"


#define KEYS_ENDING  4


static int keys_make(turn_t *turn, const char *call,
    char text[SETTER_APIKEY_MAX + 1]);
static int keys_insert(turn_t *turn, const char *text, const char *name,
    call_answer_t *answer);
static int keys_made(turn_t *turn, const pg_answer_t *rows,
    const char *member, const char *text, call_answer_t *answer);


static const char  list_sql[] =
    "SELECT json_build_object('keys', coalesce(json_agg(json_build_object("
    "  'id', id, 'name', name, 'ending', ending, 'created_at', created_at,"
    "  'revoked_at', revoked_at) ORDER BY id), '[]'::json))"
    " FROM keys WHERE tenant = $1";

/* A call that is run again finds its own. */
static const char  insert_sql[] =
    "INSERT INTO keys (tenant, hash, name, ending)"
    " SELECT slug, $2, $3, $4 FROM tenants WHERE slug = $1"
    " ON CONFLICT DO NOTHING";

static const char  made_sql[] =
    "SELECT id FROM keys"
    " WHERE tenant = $1 AND hash = $2 AND revoked_at IS NULL";

static const char  revoke_sql[] =
    "UPDATE keys SET revoked_at = coalesce(revoked_at, now())"
    " WHERE tenant = $1 AND id::text = $2 RETURNING tenant || '/' || hash";


int
call_keys_list(turn_t *turn, const call_ask_t *ask, call_answer_t *answer)
{
    pg_query_t  select;

    (void) ask;

    select = (pg_query_t) { list_sql, 1, { turn->tenant } };

    return call_registry_list(turn, &select, answer);
}


int
call_keys_add(turn_t *turn, const call_ask_t *ask, call_answer_t *answer)
{
    int                  rc;
    char                 text[SETTER_APIKEY_MAX + 1];
    const char          *name;
    setter_json_value_t  value;

    static const setter_json_path_t  path = { "name", 0 };

    rc = call_registry_read(turn, ask, &path, 1, &value, answer);
    if (rc != 1) {
        return rc;
    }

    name = value.type == SETTER_JSON_ABSENT ? ""
           : call_registry_text(turn, &value, 0, "");

    if (name == NULL || strlen(name) > 100) {
        return call_invalid(turn, answer, "name",
                            "name is a text of up to 100 characters");
    }

    /* nobody else may read it on its way back */
    if (turn->worker->master->n == 0) {
        return call_problem(turn, answer, 501, "Not Implemented",
                            "keys are made here where the workers have "
                            "SETTER_MASTER_KEY and nginx setter_signing_key");
    }

    return keys_make(turn, answer->call, text) == 0
           ? keys_insert(turn, text, *name == '\0' ? NULL : name, answer) : -1;
}


/*
 * Its secret is derived from the master key, for the call: whoever runs it
 * again makes the same key, though nobody keeps its text.  0, or -1: no memory.
 */
static int
keys_make(turn_t *turn, const char *call, char text[SETTER_APIKEY_MAX + 1])
{
    int                 rc;
    const char         *use;
    setter_str_t        slug;
    setter_seal_key_t   secret;

    use = arena_printf(turn->claim->arena, "setter key %s/%s", turn->tenant,
                       call);
    slug.data = turn->tenant;
    slug.len = strlen(turn->tenant);

    if (use == NULL
        || setter_seal_key_derive(&secret, &turn->worker->master->keys[0],
                                  use)
           != SETTER_OK)
    {
        return -1;
    }

    rc = setter_apikey_make(text, slug, secret.key);
    OPENSSL_cleanse(&secret, sizeof(secret));

    return rc == SETTER_OK ? 0 : -1;
}


static int
keys_insert(turn_t *turn, const char *text, const char *name,
    call_answer_t *answer)
{
    int              rc;
    char             member[SETTER_APIKEY_MEMBER_MAX + 1];
    pg_query_t       queries[2];
    pg_answer_t      rows;
    setter_apikey_t  key;

    if (setter_apikey_read(&key, (setter_str_t) { strlen(text), text })
        != SETTER_OK)
    {
        return -1;
    }

    setter_apikey_member(member, &key);

    queries[0] = (pg_query_t) {
        insert_sql, 4, { turn->tenant, strchr(member, '/') + 1, name,
                         text + strlen(text) - KEYS_ENDING } };
    queries[1] = (pg_query_t) {
        made_sql, 2, { turn->tenant, strchr(member, '/') + 1 } };

    if (pg_run(turn->tenant, queries, 2, unit_timeout_ms(turn), &rows)
        != PG_OK)
    {
        rc = call_registry_away(turn, &rows, answer);

    } else if (pg_rows(&rows, 1) == 0) {
        rc = call_problem(turn, answer, 404, "Not Found",
                          "there is no such tenant");

    } else {
        rc = keys_made(turn, &rows, member, text, answer);
    }

    pg_clear(&rows);

    return rc;
}


static int
keys_made(turn_t *turn, const pg_answer_t *rows, const char *member,
    const char *text, call_answer_t *answer)
{
    char         error[TENANTS_ERROR];
    const char  *wrong, *id;

    id = pg_text(rows, 1, 0, 0);
    wrong = tenants_member(turn->worker->redis, &turn->worker->queue, "SADD",
                           turn->tenant, "keys", member, error);

    if (wrong != NULL) {
        return call_unpublished(turn, wrong);
    }

    answer->status = 201;
    answer->secret = 1;
    answer->location = arena_printf(turn->claim->arena,
                                    "/api/tenants/%s/keys/%s", turn->tenant,
                                    id);
    answer->body.data = arena_printf(turn->claim->arena,
                                     "{\"id\":%s,\"key\":\"%s\"}", id, text);

    if (answer->body.data == NULL || answer->location == NULL) {
        return -1;
    }

    answer->body.len = strlen(answer->body.data);

    return 0;
}


int
call_keys_revoke(turn_t *turn, const call_ask_t *ask, call_answer_t *answer)
{
    int           rc;
    char          error[TENANTS_ERROR];
    const char   *wrong, *which;
    pg_query_t    update;
    pg_answer_t   row;

    which = call_segment(turn, ask, 2);
    if (which == NULL) {
        return -1;
    }

    update = (pg_query_t) { revoke_sql, 2, { turn->tenant, which } };

    if (pg_run(turn->tenant, &update, 1, unit_timeout_ms(turn), &row)
        != PG_OK)
    {
        rc = call_registry_away(turn, &row, answer);

    } else if (pg_rows(&row, 0) == 0) {
        rc = call_not_found(answer);

    } else {
        wrong = tenants_member(turn->worker->redis, &turn->worker->queue,
                               "SREM", turn->tenant, "keys",
                               pg_text(&row, 0, 0, 0), error);
        rc = wrong == NULL ? call_body(turn, answer, 204, "", NULL)
             : call_unpublished(turn, wrong);
    }

    pg_clear(&row);

    return rc;
}
