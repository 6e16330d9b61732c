/*
 * The first unit of a turn: takes the conversation, records what came in, and
 * looks up what the turn needs to know.
 *
 * Statements name their tenant although row-level security does so too: both
 * have to be right.
 */

#include <string.h>

#include "reply/inbound.h"
#include "reply/record_parts.h"


#define RECORD_BURST  20    /* messages an exchange, to bound the memory */

/* The statements of the unit, in order; then one for each job. */
enum {
    TAKE = 0, TENANT, CONTACTS, JOBS, MESSAGES, SAID, EACH_JOB
};

/* The columns of that one. */
enum {
    STATUS = 0, SEEN, ID, STATE, TEXT, PROVIDER, ADDRESS, SENDER, SURFACE,
    TEMPLATE, ATTACHED
};


/* What differs between messages that came and messages to be sent. */
typedef struct {
    const char  *take;
    int          ntake;     /* parameters of it */
    const char  *messages;
    long         exchanges; /* to look up */
    long         rows;      /* for these, at most */
} record_way_t;


static record_e record_inbound_as(turn_t *turn, record_form_e form);
static record_e record_outgoing_as(turn_t *turn, record_form_e form);
static record_e record_begin(turn_t *turn, record_form_e form,
    const record_way_t *way);
static int record_list_unit(turn_t *turn, record_form_e form,
    const char *messages, pg_query_t *queries);
static record_e record_handled_as(turn_t *turn, record_form_e form);
static record_e record_view(turn_t *turn, const pg_answer_t *answer);
static void record_state(turn_job_t *job, const pg_answer_t *answer,
    int query);
static record_e record_reply(turn_t *turn, turn_job_t *job,
    const pg_answer_t *answer, int query);
static record_e record_memory(turn_t *turn, const pg_answer_t *answer);
static const char *record_text(turn_t *turn, const pg_answer_t *answer,
    int query, int column);
static const char *record_word(turn_t *turn, setter_str_t text);
static record_e record_repeated(turn_t *turn);


/*
 * A turn's first statement raises the token: whoever has a lower one sends
 * nothing from here on.  24 hours is what WhatsApp, Instagram and ManyChat
 * grant for free text.
 */
static const char  record_take[] =
    "INSERT INTO conversations AS c"
    " (tenant, lane, turn_token, window_until)"
    " VALUES ($1, $2, $3,"
    "  least(to_timestamp($4::bigint / 1000.0), now()) + interval '24 hours')"
    " ON CONFLICT (tenant, lane) DO UPDATE"
    " SET turn_token = greatest(c.turn_token, excluded.turn_token),"
    "  window_until = greatest(c.window_until, excluded.window_until)"
    " RETURNING turn_token = $3, taken_over,"
    "  (SELECT status = 'suspended' FROM tenants WHERE slug = $1),"
    "  (SELECT mid_turn = 'merge' FROM tenants WHERE slug = $1),"
    "  (SELECT prompt FROM tenants WHERE slug = $1),"
    "  (SELECT model FROM tenants WHERE slug = $1),"
    "  (SELECT to_char(now() AT TIME ZONE time_zone,"
    "    'FMDay, YYYY-MM-DD, HH24:MI') || ' (' || time_zone || ')'"
    "   FROM tenants WHERE slug = $1),"
    "  (SELECT opt_out FROM tenants WHERE slug = $1),"
    "  (SELECT opted_out FROM contacts"
    "   WHERE tenant = $1 AND provider = $5 AND address = $6),"
    "  (SELECT t.guard > 0 AND t.guard = (SELECT count(*) FROM ("
    "     SELECT m.created_at FROM messages AS m"
    "     WHERE m.tenant = $1 AND m.lane = $2 AND m.direction = 'out'"
    "     ORDER BY m.seq DESC LIMIT t.guard) AS newest"
    "    WHERE newest.created_at"
    "     > greatest(now() - interval '1 hour', c.guard_from))"
    "   FROM tenants AS t WHERE t.slug = $1),"
    "  (SELECT typing = 'on' FROM tenants WHERE slug = $1)";

/* Nobody who never wrote may be sent free text. */
static const char  record_take_outgoing[] =
    "INSERT INTO conversations AS c"
    " (tenant, lane, turn_token, window_until)"
    " VALUES ($1, $2, $3, '-infinity')"
    " ON CONFLICT (tenant, lane) DO UPDATE"
    " SET turn_token = greatest(c.turn_token, excluded.turn_token)"
    " RETURNING turn_token = $3, taken_over,"
    "  (SELECT status = 'suspended' FROM tenants WHERE slug = $1)";

/* The same where no turn of ours is taken. */
static const char  record_open[] =
    "INSERT INTO conversations AS c (tenant, lane, window_until)"
    " VALUES ($1, $2,"
    "  least(to_timestamp($3::bigint / 1000.0), now()) + interval '24 hours')"
    " ON CONFLICT (tenant, lane) DO UPDATE"
    " SET window_until = greatest(c.window_until, excluded.window_until)";

static const char  record_contacts[] =
    "INSERT INTO contacts AS c (tenant, provider, address, profile)"
    " SELECT DISTINCT ON (e.provider, e.address)"
    "  $1, e.provider, e.address, e.profile"
    " FROM jsonb_to_recordset($2::jsonb)"
    "  AS e (n integer, provider text, address text, profile jsonb)"
    " WHERE e.provider IS NOT NULL"
    " ORDER BY e.provider, e.address, e.n DESC"
    " ON CONFLICT (tenant, provider, address) DO UPDATE"
    " SET profile = excluded.profile"
    " WHERE excluded.profile IS DISTINCT FROM c.profile"
    "  AND excluded.profile IS NOT NULL";

static const char  record_messages[] =
    "INSERT INTO messages (tenant, id, lane, direction, state, provider,"
    "  provider_id, address, sender, type, text)"
    " SELECT $1, e.id, $2, 'in', 'received', e.provider, e.provider_id,"
    "  e.address, e.sender, coalesce(e.type, 'text'), e.text"
    " FROM jsonb_to_recordset($3::jsonb)"
    "  AS e (n integer, id uuid, provider text, provider_id text,"
    "   address text, sender text, type text, text text)"
    " WHERE e.provider IS NOT NULL"
    " ORDER BY e.n"
    " ON CONFLICT DO NOTHING";

/* Each job is a turn of its own here: what it is to send is its reply. */
static const char  record_replies[] =
    "INSERT INTO messages (tenant, id, lane, direction, state, turn,"
    "  provider, address, sender, surface, text, template, attached)"
    " SELECT $1, e.id, $2, 'out', 'composed', e.id, e.provider, e.address,"
    "  e.sender, e.surface, coalesce(e.text, ''), e.template, e.attached"
    " FROM jsonb_to_recordset($3::jsonb)"
    "  AS e (n integer, id uuid, provider text, address text, sender text,"
    "   surface text, text text, template jsonb, attached jsonb)"
    " WHERE e.provider IS NOT NULL"
    " ORDER BY e.n"
    " ON CONFLICT DO NOTHING";

/* A job, whether it has a message, and the reply that answers it. */
static const char  record_job[] =
    "SELECT j.status, m.id IS NOT NULL, r.id, r.state, r.text, r.provider,"
    "  r.address, r.sender, r.surface, r.template, r.attached"
    " FROM jobs AS j"
    " LEFT JOIN messages AS m ON m.tenant = $1 AND m.id = $2"
    " LEFT JOIN messages AS r ON r.tenant = $1"
    "  AND r.turn = coalesce(j.turn, $2)"
    "  AND r.direction = 'out' AND NOT r.set_aside"
    " WHERE j.tenant = $1 AND j.id = $2";

/* What was said since the n-th last reply before the last, newest first. */
static const char  record_said[] =
    "SELECT direction, text FROM messages"
    " WHERE tenant = $1 AND lane = $2 AND id <> ALL ($3::uuid[])"
    "  AND text <> ''"
    "  AND (direction = 'in' OR state IN ('sent', 'unknown'))"
    "  AND seq > coalesce((SELECT seq FROM messages"
    "    WHERE tenant = $1 AND lane = $2 AND direction = 'out'"
    "     AND state IN ('sent', 'unknown')"
    "    ORDER BY seq DESC OFFSET $4 LIMIT 1), 0)"
    " ORDER BY seq DESC LIMIT $5";

/* What was taken back before its turn is not kept here either. */
static const char  record_repeat[] =
    "UPDATE jobs SET status = 'done', reason = 'repeats a message',"
    "  payload = CASE WHEN EXISTS (SELECT FROM messages AS m"
    "   WHERE m.tenant = $1 AND m.provider = payload ->> 'provider'"
    "    AND m.provider_id = payload ->> 'provider_id'"
    "    AND m.type = 'unsent')"
    "  THEN '" EVENT_UNSENT "' ELSE payload END"
    " WHERE tenant = $1 AND id = $2 AND status = 'processing'"
    "  AND turn_token <= $3";


record_e
record_inbound(turn_t *turn)
{
    record_e  rc;

    rc = record_as(turn, record_inbound_as);
    return rc == RECORD_OK ? record_repeated(turn) : rc;
}


record_e
record_outgoing(turn_t *turn)
{
    return record_as(turn, record_outgoing_as);
}


static record_e
record_inbound_as(turn_t *turn, record_form_e form)
{
    record_way_t  way = { record_take, 6, record_messages, 0, 0 };

    way.exchanges = turn->worker->memory_exchanges;
    way.rows = RECORD_BURST * (way.exchanges + 1);

    return record_begin(turn, form, &way);
}


static record_e
record_outgoing_as(turn_t *turn, record_form_e form)
{
    record_way_t  way = { record_take_outgoing, 3, record_replies, 0, 0 };

    return record_begin(turn, form, &way);
}


static record_e
record_begin(turn_t *turn, record_form_e form, const record_way_t *way)
{
    size_t         i, n;
    record_e       rc;
    const char    *tenant, *lane, *token, *ids;
    const char    *received, *exchanges, *rows, *provider, *address;
    pg_query_t    *queries;
    pg_answer_t    answer;

    tenant = turn->tenant;
    lane = turn->lane;
    token = turn->claim->token;
    ids = record_ids(turn);
    received = unit_number(turn, turn->jobs[turn->njobs - 1].received_ms);
    provider = record_word(turn, turn->jobs[turn->njobs - 1].job.provider);
    address = record_word(turn, turn->jobs[turn->njobs - 1].job.from);
    exchanges = unit_number(turn, way->exchanges);
    rows = unit_number(turn, way->rows);

    n = EACH_JOB + turn->njobs;
    queries = arena_get(turn->claim->arena, n * sizeof(pg_query_t));

    if (ids == NULL || received == NULL || exchanges == NULL || rows == NULL
        || provider == NULL || address == NULL || queries == NULL
        || record_list_unit(turn, form, way->messages, queries) != 0)
    {
        return RECORD_AWAY;
    }

    queries[TAKE] = (pg_query_t) {
        way->take, way->ntake, { tenant, lane, token, received, provider,
                                 address } };
    queries[SAID] = (pg_query_t) {
        record_said, 5, { tenant, lane, ids, exchanges, rows } };

    for (i = 0; i < turn->njobs; i++) {
        queries[EACH_JOB + i] = (pg_query_t) {
            record_job, 2, { tenant, turn->jobs[i].id } };
    }

    rc = unit_run(turn, queries, (int) n, &answer);
    if (rc == RECORD_OK) {
        rc = record_view(turn, &answer);
        pg_clear(&answer);
    }

    return rc;
}


/* What is no text at all, as PostgreSQL sees it, is nobody's. */
static const char *
record_word(turn_t *turn, setter_str_t text)
{
    size_t  i;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < ' ' || text.data[i] > '~') {
            return "";
        }
    }

    return text.len == 0 ? ""
           : arena_copy(turn->claim->arena, text.data, text.len);
}


/* The statements for people, jobs and messages.  0, or -1: no memory. */
static int
record_list_unit(turn_t *turn, record_form_e form, const char *messages,
    pg_query_t *queries)
{
    const char  *list;

    list = record_list(turn, form);
    if (list == NULL) {
        return -1;
    }

    queries[CONTACTS] = (pg_query_t) {
        record_contacts, 2, { turn->tenant, list } };
    queries[MESSAGES] = (pg_query_t) {
        messages, 3, { turn->tenant, turn->lane, list } };

    return record_list_queries(turn, list, &queries[TENANT], &queries[JOBS]);
}


record_e
record_handled(turn_t *turn)
{
    return record_as(turn, record_handled_as);
}


static record_e
record_handled_as(turn_t *turn, record_form_e form)
{
    record_e      rc;
    const char   *received;
    pg_query_t    queries[SAID];
    pg_answer_t   answer;

    received = unit_number(turn, turn->jobs[0].received_ms);

    if (received == NULL
        || record_list_unit(turn, form, record_messages, queries) != 0)
    {
        return RECORD_AWAY;
    }

    queries[TAKE] = (pg_query_t) {
        record_open, 3, { turn->tenant, turn->lane, received } };

    rc = unit_run(turn, queries, SAID, &answer);
    if (rc == RECORD_OK) {
        pg_clear(&answer);
    }

    return rc;
}


/* Takes over what the unit found. */
static record_e
record_view(turn_t *turn, const pg_answer_t *answer)
{
    size_t       i;
    record_e     rc;
    turn_job_t  *job;

    if (!unit_true(answer, TAKE, 0, 0)) {
        return RECORD_HELD;
    }

    turn->taken_over = unit_true(answer, TAKE, 0, 1);
    turn->suspended = unit_true(answer, TAKE, 0, 2);
    turn->merge = unit_true(answer, TAKE, 0, 3);
    turn->prompt = record_text(turn, answer, TAKE, 4);
    turn->model = record_text(turn, answer, TAKE, 5);
    turn->local_time = record_text(turn, answer, TAKE, 6);
    turn->opt_out = record_text(turn, answer, TAKE, 7);
    turn->opted_out = unit_true(answer, TAKE, 0, 8);
    turn->guarded = unit_true(answer, TAKE, 0, 9);
    turn->shows = unit_true(answer, TAKE, 0, 10);
    memset(&turn->reply, 0, sizeof(turn_reply_t));
    rc = RECORD_OK;

    for (i = 0; i < turn->njobs && rc == RECORD_OK; i++) {
        job = &turn->jobs[i];
        record_state(job, answer, EACH_JOB + (int) i);
        job->recorded = 1;
        job->reply = NULL;

        if (job->live) {
            rc = record_reply(turn, job, answer, EACH_JOB + (int) i);
        }
    }

    inbound_choose(turn);
    return rc == RECORD_OK ? record_memory(turn, answer) : rc;
}


/*
 * A job that was finished before is not answered again.  One that has no
 * message repeats another job's: the provider's id was there already.
 */
static void
record_state(turn_job_t *job, const pg_answer_t *answer, int query)
{
    const char  *status;

    status = pg_text(answer, query, 0, STATUS);
    job->live = status != NULL && strcmp(status, "processing") == 0;

    job->repeated = job->live && job->job.provider.data != NULL
                    && !unit_true(answer, query, 0, SEEN);
    if (job->repeated) {
        job->live = 0;
    }
}


/* The reply that answers a job, if an earlier claim of it came so far. */
static record_e
record_reply(turn_t *turn, turn_job_t *job, const pg_answer_t *answer,
    int query)
{
    turn_reply_t  *reply;

    if (pg_text(answer, query, 0, ID) == NULL) {
        return RECORD_OK;
    }

    reply = arena_get(turn->claim->arena, sizeof(turn_reply_t));
    if (reply == NULL) {
        return RECORD_AWAY;
    }

    memset(reply, 0, sizeof(turn_reply_t));
    reply->id = record_text(turn, answer, query, ID);
    reply->state = record_text(turn, answer, query, STATE);
    reply->text = record_text(turn, answer, query, TEXT);
    reply->provider = record_text(turn, answer, query, PROVIDER);
    reply->address = record_text(turn, answer, query, ADDRESS);
    reply->sender = record_text(turn, answer, query, SENDER);
    reply->surface = record_text(turn, answer, query, SURFACE);
    reply->template = record_text(turn, answer, query, TEMPLATE);
    reply->attached = record_text(turn, answer, query, ATTACHED);
    job->reply = reply;

    return reply->id == NULL || reply->state == NULL || reply->text == NULL
           || reply->provider == NULL || reply->address == NULL
           ? RECORD_AWAY : RECORD_OK;
}


static record_e
record_memory(turn_t *turn, const pg_answer_t *answer)
{
    int             row, n;
    const char     *text;
    llm_message_t  *message;

    n = pg_rows(answer, SAID);
    turn->memory = arena_get(turn->claim->arena,
                             (size_t) n * sizeof(llm_message_t) + 1);
    if (turn->memory == NULL) {
        return RECORD_AWAY;
    }

    for (row = 0; row < n; row++) {
        text = pg_text(answer, SAID, row, 1);
        message = &turn->memory[row];

        message->role = strcmp(pg_text(answer, SAID, row, 0), "in") == 0
                        ? LLM_USER : LLM_ASSISTANT;
        message->text.len = strlen(text);
        message->text.data = arena_copy(turn->claim->arena, text,
                                        message->text.len);
        if (message->text.data == NULL) {
            return RECORD_AWAY;
        }
    }

    turn->nmemory = (size_t) n;
    return RECORD_OK;
}


/* A field, kept; NULL is SQL's NULL, or short memory. */
static const char *
record_text(turn_t *turn, const pg_answer_t *answer, int query, int column)
{
    const char  *text;

    text = pg_text(answer, query, 0, column);
    return text == NULL ? NULL
                        : arena_copy(turn->claim->arena, text, strlen(text));
}


/* Jobs that repeat a message need no answer of their own. */
static record_e
record_repeated(turn_t *turn)
{
    size_t       i;
    record_e     rc;
    pg_query_t   query;
    pg_answer_t  answer;

    for (i = 0; i < turn->njobs; i++) {
        if (!turn->jobs[i].repeated) {
            continue;
        }

        query = (pg_query_t) {
            record_repeat, 3, { turn->tenant, turn->jobs[i].id,
                                turn->claim->token } };

        rc = unit_run(turn, &query, 1, &answer);
        if (rc != RECORD_OK) {
            return rc;
        }
        pg_clear(&answer);
    }

    return RECORD_OK;
}
