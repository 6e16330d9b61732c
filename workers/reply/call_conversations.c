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
 * Row-level security has the tenant too; both have to be right.
 */

#include <string.h>

#include "reply/call_ask.h"
#include "reply/unit.h"


#define CONVERSATIONS_LIMIT  "50"


/* The parameters of a query. */
enum {
    QUERY_LIMIT,
    QUERY_AFTER,
    QUERY_STATE,
    QUERY_N
};


static int conversations_run(turn_t *turn, setter_str_t args,
    call_answer_t *answer);
static int conversations_list(turn_t *turn, const call_ask_t *ask,
    call_answer_t *answer);
static int conversations_show(turn_t *turn, const call_ask_t *ask,
    call_answer_t *answer);
static int conversations_take(turn_t *turn, const call_ask_t *ask,
    call_answer_t *answer);
static int conversations_release(turn_t *turn, const call_ask_t *ask,
    call_answer_t *answer);
static int conversations_one(turn_t *turn, const call_ask_t *ask,
    const char *sql, call_answer_t *answer);
static int conversations_select(turn_t *turn, const call_ask_t *ask,
    const char *sql, int n, const char *id, call_answer_t *answer);
static const char *conversations_state(setter_str_t value);


static const call_option_t  conversations_query[QUERY_N] = {
    { "limit", call_limit },
    { "after", call_after },
    { "state", conversations_state },
};

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
    " 'text', m.text, 'media', m.media, 'error', m.error,"                    \
    " 'created_at', m.created_at) END"

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


static const call_route_t  conversations_routes[] = {
    { "GET", "", conversations_list },
    { "GET", "*", conversations_show },
    { "POST", "*/takeover", conversations_take },
    { "POST", "*/release", conversations_release },
};


static int
conversations_run(turn_t *turn, setter_str_t args, call_answer_t *answer)
{
    int         rc;
    call_ask_t  ask;

    rc = call_ask(turn, "conversations", args, &ask, answer);

    return rc == 1 ? call_route(turn, &ask, conversations_routes,
                                sizeof(conversations_routes)
                                / sizeof(conversations_routes[0]), answer)
                   : rc;
}


static int
conversations_list(turn_t *turn, const call_ask_t *ask, call_answer_t *answer)
{
    return conversations_select(turn, ask, list_sql, 4, NULL, answer);
}


static int
conversations_show(turn_t *turn, const call_ask_t *ask, call_answer_t *answer)
{
    return conversations_one(turn, ask, show_sql, answer);
}


static int
conversations_take(turn_t *turn, const call_ask_t *ask, call_answer_t *answer)
{
    return conversations_one(turn, ask, takeover_sql, answer);
}


static int
conversations_release(turn_t *turn, const call_ask_t *ask,
    call_answer_t *answer)
{
    return conversations_one(turn, ask, release_sql, answer);
}


static int
conversations_one(turn_t *turn, const call_ask_t *ask, const char *sql,
    call_answer_t *answer)
{
    const char  *id;

    if (!setter_uuid_valid(ask->path[0])) {
        return call_not_found(answer);
    }

    id = call_segment(turn, ask, 0);

    return id != NULL ? conversations_select(turn, ask, sql, 3, id, answer)
                      : -1;
}


/* id: of one; NULL: a page of them. */
static int
conversations_select(turn_t *turn, const call_ask_t *ask, const char *sql,
    int n, const char *id, call_answer_t *answer)
{
    int          rc;
    pg_query_t   select;
    pg_answer_t  row;
    const char  *query[QUERY_N] = { CONVERSATIONS_LIMIT, NULL, NULL };

    rc = call_query(turn, ask, conversations_query, QUERY_N, query, answer);
    if (rc != 1) {
        return rc;
    }

    select = (pg_query_t) {
        sql, n, { turn->tenant, query[QUERY_LIMIT],
                  id != NULL ? id : query[QUERY_AFTER],
                  query[QUERY_STATE] } };

    if (unit_once(turn, &select, 1, &row) != RECORD_OK) {
        return call_problem(turn, answer, 503, "Service Unavailable",
                            "the record did not answer");
    }

    rc = pg_rows(&row, 0) == 0 ? call_not_found(answer)
         : call_body(turn, answer, 200, pg_text(&row, 0, 0, 0), NULL);

    pg_clear(&row);

    return rc;
}


static const char *
conversations_state(setter_str_t value)
{
    return setter_str_is(value, "taken_over") || setter_str_is(value, "held")
           ? NULL : "state: taken_over or held";
}
