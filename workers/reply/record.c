/*
 * The units of a turn that concern its reply, and its end.
 *
 * The conversation's row is where the turns of one lane meet: whatever
 * depends on the turn's token reads it with a lock.
 */

#include <string.h>

#include "reply/record_parts.h"


static record_e record_row(turn_t *turn, const pg_query_t *queries, int n,
    record_e (*run)(turn_t *, const pg_query_t *, int, pg_answer_t *));


/*
 * Jobs note which reply answers them, for they may come again in the company
 * of others.  An id that is there already is our own: the first try was not
 * answered.
 */
static const char  record_compose[] =
    "WITH reply AS ("
    " INSERT INTO messages (tenant, id, lane, direction, state, turn,"
    "  provider, address, sender, surface, text, model, prompt_tokens,"
    "  completion_tokens)"
    " SELECT $1, $4::uuid, $2, 'out', 'composed', $5::uuid, $6, $7, $8, $9,"
    "  $10, $11, $12::integer, $13::integer"
    " FROM conversations AS c"
    " WHERE c.tenant = $1 AND c.lane = $2 AND c.turn_token = $3"
    " FOR SHARE"
    " ON CONFLICT (tenant, id) DO UPDATE SET state = messages.state"
    " RETURNING turn)"
    " UPDATE jobs AS j SET turn = reply.turn FROM reply"
    " WHERE j.tenant = $1 AND j.id = ANY ($14::uuid[])"
    " RETURNING j.id";

/*
 * The server stops waiting for locks before we stop waiting for the server:
 * a fence that passed behind our back would leave a reply in "sending" that
 * nobody sends.
 */
#define RECORD_FENCE_PERCENT  80    /* of the unit's time */

static const char  record_bound[] =
    "SELECT set_config('statement_timeout', $1, true)";

/*
 * Locks what it reads, so that whoever takes the conversation over, opts out
 * or begins a later turn either comes first and is heeded, or finds the reply
 * in "sending".
 */
static const char  record_fence[] =
    "UPDATE messages AS m SET state = 'sending', error = NULL"
    " FROM (SELECT"
    "  FROM messages AS r"
    "  JOIN conversations AS c USING (tenant, lane)"
    "  JOIN contacts AS p USING (tenant, provider, address)"
    "  WHERE r.tenant = $1 AND r.id = $2 AND c.turn_token = $3"
    "   AND NOT c.taken_over AND NOT p.opted_out"
    "   AND (c.window_until > now() OR r.template IS NOT NULL)"
    "  FOR SHARE OF c, p) AS free"
    " WHERE m.tenant = $1 AND m.id = $2 AND m.state = 'composed'"
    " RETURNING m.id";

static const char  record_why[] =
    "SELECT c.turn_token = $3, c.taken_over, p.opted_out,"
    "  c.window_until > now() OR r.template IS NOT NULL"
    " FROM messages AS r"
    " JOIN conversations AS c USING (tenant, lane)"
    " JOIN contacts AS p USING (tenant, provider, address)"
    " WHERE r.tenant = $1 AND r.id = $2 AND r.state = 'composed'";

static const char  record_unsend[] =
    "UPDATE messages AS m SET state = 'composed', error = $4"
    " FROM (SELECT"
    "  FROM messages AS r"
    "  JOIN conversations AS c USING (tenant, lane)"
    "  WHERE r.tenant = $1 AND r.id = $2 AND c.turn_token = $3"
    "  FOR SHARE OF c) AS ours"
    " WHERE m.tenant = $1 AND m.id = $2"
    "  AND m.state IN ('sending', 'composed')"
    " RETURNING m.id";

static const char  record_put_aside[] =
    "UPDATE messages AS m"
    " SET set_aside = true, state = 'failed', error = $4"
    " FROM (SELECT"
    "  FROM messages AS r"
    "  JOIN conversations AS c USING (tenant, lane)"
    "  WHERE r.tenant = $1 AND r.id = $2 AND c.turn_token = $3"
    "  FOR SHARE OF c) AS ours"
    " WHERE m.tenant = $1 AND m.id = $2 AND m.state = 'composed'"
    " RETURNING m.id";

/* What is sent or failed stays so; what is unknown may become known. */
static const char  record_settle_reply[] =
    "UPDATE messages"
    " SET state = $3, provider_id = coalesce($4, provider_id), error = $5,"
    "  sent_at = CASE WHEN $3 = 'sent' THEN now() END"
    " WHERE tenant = $1 AND id = $2"
    "  AND state IN ('composed', 'sending', 'unknown')";

/* Which reply answers it stays noted. */
static const char  record_settle_job[] =
    "UPDATE jobs SET status = $3, reason = $4,"
    "  turn = CASE WHEN $3 = 'queued' THEN turn ELSE coalesce(turn, $5) END"
    " WHERE tenant = $1 AND id = $2"
    "  AND status IN ('queued', 'processing') AND turn_token <= $6";


static const char  record_opt[] =
    "UPDATE contacts SET opted_out = $4::boolean"
    " WHERE tenant = $1 AND provider = $2 AND address = $3"
    "  AND opted_out <> $4::boolean";

static const char  record_guard[] =
    "UPDATE conversations SET held = true"
    " WHERE tenant = $1 AND lane = $2 AND turn_token = $3 RETURNING lane";


static const char  record_policy[] =
    "SELECT window_policy, window_template FROM tenants WHERE slug = $1";

static const char  record_template[] =
    "UPDATE messages SET template = $3::jsonb"
    " WHERE tenant = $1 AND id = $2 AND state = 'composed' RETURNING id";

const char  record_closed[] = "the window for free text has closed";


record_e
record_composed(turn_t *turn)
{
    pg_query_t           query;
    const char          *ids;
    const turn_reply_t  *reply;

    reply = &turn->reply;

    ids = record_ids(turn);
    if (ids == NULL) {
        return RECORD_AWAY;
    }

    query = (pg_query_t) {
        record_compose, 14, {
            turn->tenant, turn->lane, turn->claim->token, reply->id,
            turn->ref, reply->provider, reply->address, reply->sender,
            reply->surface, reply->text, reply->model,
            unit_number(turn, reply->prompt_tokens),
            unit_number(turn, reply->completion_tokens), ids } };

    return record_row(turn, &query, 1, unit_run);
}


record_e
record_sending(turn_t *turn)
{
    pg_query_t  queries[2];

    queries[0] = (pg_query_t) {
        record_bound, 1, {
            unit_number(turn, unit_timeout_ms(turn)
                              * RECORD_FENCE_PERCENT / 100) } };
    queries[1] = (pg_query_t) {
        record_fence, 3, { turn->tenant, turn->reply.id,
                           turn->claim->token } };

    return record_row(turn, queries, 2, unit_once);
}


record_e
record_held(turn_t *turn, const char **status, const char **reason)
{
    record_e     rc;
    pg_query_t   query;
    pg_answer_t  answer;

    query = (pg_query_t) {
        record_why, 3, { turn->tenant, turn->reply.id,
                         turn->claim->token } };

    rc = unit_run(turn, &query, 1, &answer);
    if (rc != RECORD_OK) {
        return rc;
    }

    *status = "failed";

    if (!unit_true(&answer, 0, 0, 0)) {
        *reason = NULL;

    } else if (unit_true(&answer, 0, 0, 1)) {
        *status = "done";
        *reason = "a person has taken over";

    } else if (unit_true(&answer, 0, 0, 2)) {
        *reason = "the contact has opted out";

    } else {
        *reason = record_closed;
    }

    pg_clear(&answer);
    return RECORD_OK;
}


record_e
record_window(turn_t *turn, const char **policy, const char **template)
{
    record_e      rc;
    arena_t      *arena;
    pg_query_t    query;
    pg_answer_t   row;
    const char   *text;

    arena = turn->claim->arena;
    query = (pg_query_t) { record_policy, 1, { turn->tenant } };
    *policy = "fail";
    *template = NULL;

    rc = unit_run(turn, &query, 1, &row);
    if (rc != RECORD_OK) {
        return rc;
    }

    if (pg_rows(&row, 0) == 1) {
        text = pg_text(&row, 0, 0, 0);
        *policy = arena_copy(arena, text, strlen(text));
        text = pg_text(&row, 0, 0, 1);
        *template = text != NULL ? arena_copy(arena, text, strlen(text)) : NULL;
    }

    pg_clear(&row);

    return *policy != NULL ? RECORD_OK : RECORD_AWAY;
}


record_e
record_templated(turn_t *turn, const char *template)
{
    pg_query_t  query;

    query = (pg_query_t) {
        record_template, 3, { turn->tenant, turn->reply.id, template } };

    return record_row(turn, &query, 1, unit_run);
}


record_e
record_unsent(turn_t *turn, const char *error)
{
    pg_query_t  query;

    query = (pg_query_t) {
        record_unsend, 4, { turn->tenant, turn->reply.id,
                            turn->claim->token, error } };

    return record_row(turn, &query, 1, unit_run);
}


record_e
record_set_aside(turn_t *turn, const char *id, const char *reason)
{
    pg_query_t  query;

    query = (pg_query_t) {
        record_put_aside, 4, { turn->tenant, id, turn->claim->token,
                               reason } };

    return record_row(turn, &query, 1, unit_once);
}


record_e
record_settled(turn_t *turn, const char *state, const char *provider_id,
    const char *status, const char *reason)
{
    int           n;
    size_t        i;
    record_e      rc;
    pg_query_t   *queries;
    pg_answer_t   answer;

    queries = arena_get(turn->claim->arena,
                        (turn->njobs + 1) * sizeof(pg_query_t));
    if (queries == NULL) {
        return RECORD_AWAY;
    }

    n = 0;

    if (state != NULL) {
        queries[n++] = (pg_query_t) {
            record_settle_reply, 5, { turn->tenant, turn->reply.id, state,
                                      provider_id, reason } };
    }

    for (i = 0; i < turn->njobs; i++) {
        if (turn->jobs[i].live && !turn->jobs[i].later) {
            queries[n++] = (pg_query_t) {
                record_settle_job, 6, { turn->tenant, turn->jobs[i].id,
                                        status, reason, turn->ref,
                                        turn->claim->token } };
        }
    }

    rc = unit_run(turn, queries, n, &answer);
    if (rc == RECORD_OK) {
        pg_clear(&answer);
    }

    return rc;
}


record_e
record_opted(turn_t *turn, const char *provider, const char *address,
    int out)
{
    record_e     rc;
    pg_query_t   query;
    pg_answer_t  answer;

    query = (pg_query_t) {
        record_opt, 4, { turn->tenant, provider, address,
                         out ? "true" : "false" } };

    rc = unit_run(turn, &query, 1, &answer);
    if (rc == RECORD_OK) {
        pg_clear(&answer);
    }

    return rc;
}


record_e
record_guarded(turn_t *turn)
{
    pg_query_t  query;

    query = (pg_query_t) {
        record_guard, 3, { turn->tenant, turn->lane, turn->claim->token } };

    return record_row(turn, &query, 1, unit_run);
}


/* A unit whose last statement gives a row where its conditions hold. */
static record_e
record_row(turn_t *turn, const pg_query_t *queries, int n,
    record_e (*run)(turn_t *, const pg_query_t *, int, pg_answer_t *))
{
    int          rows;
    record_e     rc;
    pg_answer_t  answer;

    rc = run(turn, queries, n, &answer);
    if (rc != RECORD_OK) {
        return rc;
    }

    rows = pg_rows(&answer, n - 1);
    pg_clear(&answer);
    return rows > 0 ? RECORD_OK : RECORD_HELD;
}
