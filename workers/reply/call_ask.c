#include <string.h>

#include "reply/call_ask.h"
#include "reply/channels.h"
#include "setter_form.h"


enum {
    ASK_METHOD,
    ASK_PATH,
    ASK_QUERY,
    ASK_PRINCIPAL,
    ASK_IF_MATCH,
    ASK_BODY,
    ASK_SEALED,
    ASK_NPATHS
};

static const setter_json_path_t  ask_paths[ASK_NPATHS] = {
    { "method", 0 },
    { "path", 0 },
    { "query", 0 },
    { "principal", 0 },
    { "if_match", 0 },
    { "body", SETTER_JSON_TEXT },
    { "sealed", 0 },
};


static void ask_path(call_ask_t *ask, setter_str_t path);
static const char *ask_version(turn_t *turn, setter_str_t match);
static int ask_unseal(turn_t *turn, const char *name, setter_str_t sealed,
    setter_str_t *body);
static int ask_keys(const master_t *master, setter_seal_key_t *keys);
static int ask_matches(const call_ask_t *ask, const char *path);
static int ask_option(turn_t *turn, const setter_form_field_t *field,
    const call_option_t *options, size_t n, const char **values,
    call_answer_t *answer);


int
call_ask(turn_t *turn, const char *name, setter_str_t args, call_ask_t *ask,
    call_answer_t *answer)
{
    int                  rc;
    setter_json_error_e  error;
    setter_json_value_t  values[ASK_NPATHS];

    error = setter_json_read(args.data, args.len, SETTER_JSON_REPAIR,
                             ask_paths, ASK_NPATHS, values, NULL,
                             arena_alloc(turn->claim->arena));

    if (error != SETTER_JSON_OK) {
        return error == SETTER_JSON_NO_MEMORY ? -1 : call_not_found(answer);
    }

    memset(ask, 0, sizeof(*ask));
    ask->method = values[ASK_METHOD].text;
    ask->query = values[ASK_QUERY].text;
    ask->admin = setter_str_is(values[ASK_PRINCIPAL].text, "admin");
    ask->body = values[ASK_BODY].text;
    ask_path(ask, values[ASK_PATH].text);

    if (values[ASK_IF_MATCH].type == SETTER_JSON_STRING) {
        ask->version = ask_version(turn, values[ASK_IF_MATCH].text);
    }

    if (values[ASK_SEALED].type != SETTER_JSON_STRING) {
        return 1;
    }

    ask->sealed = 1;
    rc = ask_unseal(turn, name, values[ASK_SEALED].text, &ask->body);

    if (rc == SETTER_ERROR) {
        return call_problem(turn, answer, 500, "Internal Server Error",
                            "the workers' SETTER_MASTER_KEY is not the one "
                            "that nginx's setter_signing_key is derived "
                            "from");
    }

    return rc == SETTER_OK ? 1 : -1;
}


static void
ask_path(call_ask_t *ask, setter_str_t path)
{
    int     i;
    size_t  n;

    for (i = 0; path.len > 0; i++) {
        for (n = 0; n < path.len && path.data[n] != '/'; n++) { /* void */ }

        if (i == CALL_SEGMENTS) {
            ask->deep = 1;
            return;
        }

        ask->path[i].data = path.data;
        ask->path[i].len = n;

        n += n < path.len;
        path.data += n;
        path.len -= n;
    }
}


/* "*" is any version; what is no entity tag of ours matches none. */
static const char *
ask_version(turn_t *turn, setter_str_t match)
{
    if (setter_str_is(match, "*")) {
        return NULL;
    }

    if (match.len < 2 || match.data[0] != '"'
        || match.data[match.len - 1] != '"')
    {
        return "";
    }

    return arena_copy(turn->claim->arena, match.data + 1, match.len - 2);
}


static int
ask_unseal(turn_t *turn, const char *name, setter_str_t sealed,
    setter_str_t *body)
{
    int                 n;
    const char         *context;
    setter_seal_key_t   keys[MASTER_KEYS];

    context = arena_printf(turn->claim->arena, "call/%s/%s", turn->tenant,
                           name);
    n = ask_keys(turn->worker->master, keys);

    if (context == NULL || n == -1) {
        return SETTER_NO_MEMORY;
    }

    return setter_unseal(body, keys, (size_t) n,
                         (setter_str_t) { strlen(context), context }, sealed,
                         arena_alloc(turn->claim->arena));
}


static int
ask_keys(const master_t *master, setter_seal_key_t *keys)
{
    size_t  i;

    for (i = 0; i < master->n; i++) {
        if (setter_seal_key_derive(&keys[i], &master->keys[i], CHANNELS_KEY)
            != SETTER_OK)
        {
            return -1;
        }
    }

    return (int) master->n;
}


int
call_route(turn_t *turn, const call_ask_t *ask, const call_route_t *routes,
    size_t n, call_answer_t *answer)
{
    size_t       i;
    const char  *allow;

    for (i = 0, allow = NULL; i < n; i++) {
        if (!ask_matches(ask, routes[i].path)) {
            continue;
        }

        if (setter_str_is(ask->method, routes[i].method)) {
            return routes[i].run(turn, ask, answer);
        }

        allow = allow == NULL ? routes[i].method
                : arena_printf(turn->claim->arena, "%s, %s", allow,
                               routes[i].method);

        if (allow == NULL) {
            return -1;
        }
    }

    return allow == NULL ? call_not_found(answer)
                         : call_not_allowed(answer, allow);
}


static int
ask_matches(const call_ask_t *ask, const char *path)
{
    int     i;
    size_t  len;

    for (i = 0; i < CALL_SEGMENTS; i++) {
        len = strcspn(path, "/");

        if (len == 1 && *path == '*') {
            if (ask->path[i].len == 0) {
                return 0;
            }

        } else if (ask->path[i].len != len
                   || (len > 0 && memcmp(ask->path[i].data, path, len) != 0))
        {
            return 0;
        }

        path += len + (path[len] == '/');
    }

    return !ask->deep;
}


const char *
call_segment(turn_t *turn, const call_ask_t *ask, int i)
{
    return arena_copy(turn->claim->arena, ask->path[i].data,
                      ask->path[i].len);
}


int
call_query(turn_t *turn, const call_ask_t *ask, const call_option_t *options,
    size_t n, const char **values, call_answer_t *answer)
{
    int                   rc;
    size_t                i, nfields;
    setter_form_field_t  *fields;

    if (ask->query.len == 0) {
        return 1;
    }

    if (setter_form_read(ask->query, &fields, &nfields,
                         arena_alloc(turn->claim->arena))
        != SETTER_OK)
    {
        return call_problem(turn, answer, 400, "Bad Request",
                            "the query cannot be read");
    }

    for (i = 0, rc = 1; i < nfields && rc == 1; i++) {
        rc = ask_option(turn, &fields[i], options, n, values, answer);
    }

    return rc;
}


static int
ask_option(turn_t *turn, const setter_form_field_t *field,
    const call_option_t *options, size_t n, const char **values,
    call_answer_t *answer)
{
    size_t       i;
    const char  *wrong;

    if (setter_str_is(field->name, "tenant")) {
        return setter_str_is(field->value, turn->tenant) ? 1
               : call_problem(turn, answer, 403, "Forbidden",
                              "the key is another tenant's");
    }

    for (i = 0; i < n; i++) {
        if (!setter_str_is(field->name, options[i].name)) {
            continue;
        }

        wrong = options[i].check(field->value);
        if (wrong != NULL) {
            return call_problem(turn, answer, 400, "Bad Request", wrong);
        }

        values[i] = arena_copy(turn->claim->arena, field->value.data,
                               field->value.len);

        return values[i] != NULL ? 1 : -1;
    }

    return call_problem(turn, answer, 400, "Bad Request",
                        arena_printf(turn->claim->arena,
                                     "the query's parameter \"%.*s\" is not "
                                     "known", (int) field->name.len,
                                     field->name.data));
}


const char *
call_limit(setter_str_t value)
{
    int     limit;
    size_t  i;

    for (i = 0, limit = 0; i < value.len && i < 4; i++) {
        if (value.data[i] < '0' || value.data[i] > '9') {
            break;
        }

        limit = 10 * limit + (value.data[i] - '0');
    }

    return i > 0 && i == value.len && limit >= 1 && limit <= CALL_LIMIT_MAX
           ? NULL : "limit: a number from 1 to 200";
}


const char *
call_after(setter_str_t value)
{
    return setter_uuid_valid(value) ? NULL : "after: an id";
}


int
call_unchanged(turn_t *turn, const call_ask_t *ask, int found,
    call_answer_t *answer)
{
    return found && ask->version != NULL
           ? call_problem(turn, answer, 412, "Precondition Failed",
                          "it has been changed since: read it again")
           : call_not_found(answer);
}
