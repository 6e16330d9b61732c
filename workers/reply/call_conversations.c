/*
 * The call "conversations": those of the tenant, and whether a person has
 * them.
 *
 *   GET                 a page of them, newest first: limit, after, state
 *   GET ID              one, with its last messages: limit
 *   POST ID/takeover    a person answers from now on; what is composed and
 *                       not sent is dropped by the fence
 *   POST ID/release     the model answers the next message again
 *
 * args: {"method":…,"path":…,"query":…}, the last as it stood in the URL.
 * Row-level security has the tenant too; both have to be right.
 */

#include <string.h>

#include "reply/call.h"
#include "reply/unit.h"
#include "setter_form.h"
#include "setter_json.h"


#define CONVERSATIONS_LIMIT  50
#define CONVERSATIONS_MAX    200


enum {
    ARGS_METHOD,
    ARGS_PATH,
    ARGS_QUERY,
    ARGS_NPATHS
};

static const setter_json_path_t  args_paths[ARGS_NPATHS] = {
    { "method", 0 },
    { "path", 0 },
    { "query", 0 },
};

/* What was asked; NULL: it was not said. */
typedef struct {
    const char  *id;
    const char  *limit;
    const char  *after;
    const char  *state;
    int          post;
} conversations_ask_t;


static int conversations_run(turn_t *turn, setter_str_t args,
    call_answer_t *answer);
static int conversations_route(turn_t *turn, setter_str_t path,
    conversations_ask_t *ask, call_answer_t *answer);
static int conversations_select(turn_t *turn, const char *sql, int n,
    const conversations_ask_t *ask, call_answer_t *answer);
static const char *conversations_query(turn_t *turn, setter_str_t query,
    conversations_ask_t *ask);
static const char *conversations_option(turn_t *turn,
    const setter_form_field_t *field, conversations_ask_t *ask);
static int conversations_is_limit(setter_str_t text);
static int conversations_not_found(call_answer_t *answer);


const call_t  call_conversations = { "conversations", conversations_run };


/* One as the API shows it; m is its last message. */
#define CONVERSATION                                                          \
    "'id', c.id, 'lane', c.lane, 'provider', m.provider,"                     \
    " 'person', m.address, 'ours', m.sender, 'taken_over', c.taken_over,"     \
    " 'held', c.held, 'window_until', c.window_until,"                        \
    " 'created_at', c.created_at, 'last_message', " MESSAGE

#define MESSAGE                                                               \
    "CASE WHEN m.id IS NOT NULL THEN json_build_object('id', m.id,"           \
    " 'direction', m.direction, 'state', m.state, 'type', m.type,"            \
    " 'text', m.text, 'error', m.error, 'created_at', m.created_at) END"

#define LAST_MESSAGE                                                          \
    " LEFT JOIN LATERAL (SELECT * FROM messages AS o"                         \
    "  WHERE o.tenant = c.tenant AND o.lane = c.lane"                         \
    "  ORDER BY o.seq DESC LIMIT 1) AS m ON true"

/* One row more than fits tells that there is a next page. */
static const char  list_sql[] =
    "WITH page AS ("
    "  SELECT c.* FROM conversations AS c"
    "  WHERE c.tenant = $1"
    "   AND ($3::uuid IS NULL OR (c.created_at, c.id) <"
    "    (SELECT o.created_at, o.id FROM conversations AS o"
    "     WHERE o.tenant = $1 AND o.id = $3::uuid))"
    "   AND CASE $4::text WHEN 'taken_over' THEN c.taken_over"
    "    WHEN 'held' THEN c.held ELSE true END"
    "  ORDER BY c.created_at DESC, c.id DESC LIMIT $2::integer + 1"
    " ), shown AS ("
    "  SELECT * FROM page ORDER BY created_at DESC, id DESC"
    "  LIMIT $2::integer)"
    " SELECT json_build_object('conversations',"
    "  coalesce((SELECT json_agg(json_build_object(" CONVERSATION ")"
    "    ORDER BY c.created_at DESC, c.id DESC)"
    "   FROM shown AS c" LAST_MESSAGE "), '[]'::json),"
    "  'next', CASE WHEN (SELECT count(*) FROM page) > $2::integer"
    "   THEN (SELECT id FROM shown ORDER BY created_at, id LIMIT 1) END)";

static const char  show_sql[] =
    "SELECT json_build_object(" CONVERSATION ", 'messages',"
    "  coalesce((SELECT json_agg(" MESSAGE " ORDER BY m.seq)"
    "   FROM (SELECT * FROM messages AS o"
    "    WHERE o.tenant = $1 AND o.lane = c.lane"
    "    ORDER BY o.seq DESC LIMIT $2::integer) AS m), '[]'::json))"
    " FROM conversations AS c" LAST_MESSAGE
    " WHERE c.tenant = $1 AND c.id = $3::uuid";

#define GIVE(taken_over)                                                      \
    "WITH c AS (UPDATE conversations SET taken_over = " taken_over            \
    "  WHERE tenant = $1 AND id = $3::uuid AND $2::integer > 0"               \
    "  RETURNING *)"                                                          \
    " SELECT json_build_object(" CONVERSATION ") FROM c" LAST_MESSAGE

static const char  takeover_sql[] = GIVE("true");
static const char  release_sql[] = GIVE("false");


static int
conversations_run(turn_t *turn, setter_str_t args, call_answer_t *answer)
{
    const char           *wrong;
    conversations_ask_t   ask;
    setter_json_value_t   values[ARGS_NPATHS];

    if (setter_json_read(args.data, args.len, SETTER_JSON_REPAIR, args_paths,
                         ARGS_NPATHS, values, NULL,
                         arena_alloc(turn->claim->arena))
        != SETTER_JSON_OK)
    {
        return conversations_not_found(answer);
    }

    memset(&ask, 0, sizeof(ask));
    ask.limit = unit_number(turn, CONVERSATIONS_LIMIT);
    ask.post = setter_str_is(values[ARGS_METHOD].text, "POST");

    wrong = conversations_query(turn, values[ARGS_QUERY].text, &ask);
    if (wrong != NULL) {
        return call_problem(turn, answer, 400, "Bad Request", wrong);
    }

    return conversations_route(turn, values[ARGS_PATH].text, &ask, answer);
}


static int
conversations_route(turn_t *turn, setter_str_t path,
    conversations_ask_t *ask, call_answer_t *answer)
{
    setter_str_t  id, verb;

    id = path;

    if (path.len == 0) {
        return ask->post
               ? call_problem(turn, answer, 405, "Method Not Allowed", NULL)
               : conversations_select(turn, list_sql, 4, ask, answer);
    }

    if (id.len > SETTER_UUID_LEN) {
        id.len = SETTER_UUID_LEN;
    }

    verb.data = path.data + id.len;
    verb.len = path.len - id.len;
    ask->id = arena_copy(turn->claim->arena, id.data, id.len);

    if (ask->id == NULL) {
        return -1;
    }

    if (!setter_uuid_valid(id)) {
        return conversations_not_found(answer);
    }

    if (verb.len == 0 && !ask->post) {
        return conversations_select(turn, show_sql, 3, ask, answer);
    }

    if (ask->post && setter_str_is(verb, "/takeover")) {
        return conversations_select(turn, takeover_sql, 3, ask, answer);
    }

    if (ask->post && setter_str_is(verb, "/release")) {
        return conversations_select(turn, release_sql, 3, ask, answer);
    }

    return verb.len == 0 || setter_str_is(verb, "/takeover")
           || setter_str_is(verb, "/release")
           ? call_problem(turn, answer, 405, "Method Not Allowed", NULL)
           : conversations_not_found(answer);
}


static int
conversations_select(turn_t *turn, const char *sql, int n,
    const conversations_ask_t *ask, call_answer_t *answer)
{
    const char   *text;
    pg_query_t    query;
    pg_answer_t   row;

    query = (pg_query_t) {
        sql, n, { turn->tenant, ask->limit,
                  ask->id != NULL ? ask->id : ask->after, ask->state } };

    if (unit_once(turn, &query, 1, &row) != RECORD_OK) {
        return call_problem(turn, answer, 503, "Service Unavailable",
                            "the record did not answer");
    }

    if (pg_rows(&row, 0) == 0) {
        pg_clear(&row);
        return conversations_not_found(answer);
    }

    text = pg_text(&row, 0, 0, 0);
    answer->status = 200;
    answer->body.len = strlen(text);
    answer->body.data = arena_copy(turn->claim->arena, text,
                                   answer->body.len);
    pg_clear(&row);

    return answer->body.data != NULL ? 0 : -1;
}


/* NULL, or what is wrong with it. */
static const char *
conversations_query(turn_t *turn, setter_str_t query,
    conversations_ask_t *ask)
{
    size_t                i, n;
    const char           *wrong;
    setter_form_field_t  *fields;

    if (query.len == 0) {
        return NULL;
    }

    if (setter_form_read(query, &fields, &n,
                         arena_alloc(turn->claim->arena))
        != SETTER_OK)
    {
        return "the query cannot be read";
    }

    for (i = 0, wrong = NULL; i < n && wrong == NULL; i++) {
        wrong = conversations_option(turn, &fields[i], ask);
    }

    return wrong;
}


static const char *
conversations_option(turn_t *turn, const setter_form_field_t *field,
    conversations_ask_t *ask)
{
    const char  *value;

    value = arena_copy(turn->claim->arena, field->value.data,
                       field->value.len);
    if (value == NULL) {
        return "no memory";
    }

    if (setter_str_is(field->name, "limit")) {
        ask->limit = value;
        return conversations_is_limit(field->value)
               ? NULL : "limit: a number from 1 to 200";
    }

    if (setter_str_is(field->name, "after")) {
        ask->after = value;
        return setter_uuid_valid(field->value) ? NULL
                                               : "after: a conversation's id";
    }

    if (setter_str_is(field->name, "state")) {
        ask->state = value;
        return setter_str_is(field->value, "taken_over")
               || setter_str_is(field->value, "held")
               ? NULL : "state: taken_over or held";
    }

    return "the query has what is not known: limit, after and state are";
}


static int
conversations_is_limit(setter_str_t text)
{
    int     limit;
    size_t  i;

    for (i = 0, limit = 0; i < text.len && i < 4; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return 0;
        }

        limit = 10 * limit + (text.data[i] - '0');
    }

    return i == text.len && limit >= 1 && limit <= CONVERSATIONS_MAX;
}


static int
conversations_not_found(call_answer_t *answer)
{
    static const char  body[] =
        "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404}";

    answer->type = CALL_PROBLEM;

    return call_error(answer, 404, body);
}
