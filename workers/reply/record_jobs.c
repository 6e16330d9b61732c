/*
 * The jobs of a turn, put on record; for kinds without a conversation that is
 * all.
 *
 * Statements name their tenant although row-level security does so too: both
 * have to be right.
 */

#include <string.h>

#include "reply/inbound.h"
#include "reply/record_parts.h"
#include "setter_json.h"


/* The statements of the unit, in order; then one for each job. */
enum {
    TENANT = 0, JOBS, EACH_JOB
};


static record_e record_jobs_as(turn_t *turn, record_form_e form);
static record_e record_give_up(turn_t *turn);
static record_e record_takes(turn_t *turn, const turn_job_t *job);
static void record_list_job(setter_buf_t *buf, const turn_job_t *job,
    size_t n, record_form_e form);
static void record_payload(setter_buf_t *buf, const turn_job_t *job,
    record_form_e form);
static void record_ascii(setter_buf_t *buf, setter_str_t text);
static void record_member(setter_buf_t *buf, const char *name,
    const char *text);


static const char  record_add_tenant[] =
    "INSERT INTO tenants (slug) VALUES ($1) ON CONFLICT DO NOTHING";

static const char  record_add_jobs[] =
    "INSERT INTO jobs AS j (tenant, id, kind, lane, status, reason, attempts,"
    "  turn_token, payload, received_at)"
    " SELECT $1, e.id, e.kind, $2, e.status, e.reason, $3::integer,"
    "  $4::bigint, e.payload, to_timestamp(e.received / 1000.0)"
    " FROM jsonb_to_recordset($5::jsonb)"
    "  AS e (id uuid, kind text, status text, reason text, received bigint,"
    "   payload jsonb, n integer)"
    " ORDER BY e.n"
    " ON CONFLICT (tenant, id) DO UPDATE"
    " SET status = excluded.status, reason = excluded.reason,"
    "  attempts = excluded.attempts, turn_token = excluded.turn_token"
    " WHERE j.status IN ('queued', 'processing')"
    "  AND j.turn_token <= excluded.turn_token";

/* A job that was finished before, or is a later turn's, is not ours. */
static const char  record_ours[] =
    "SELECT status = 'processing' AND turn_token = $3::bigint FROM jobs"
    " WHERE tenant = $1 AND id = $2";


record_e
record_jobs(turn_t *turn)
{
    return record_as(turn, record_jobs_as);
}


static record_e
record_jobs_as(turn_t *turn, record_form_e form)
{
    size_t        i, n;
    record_e      rc;
    const char   *list;
    pg_query_t   *queries;
    pg_answer_t   answer;

    n = EACH_JOB + turn->njobs;
    list = record_list(turn, form);
    queries = arena_get(turn->claim->arena, n * sizeof(pg_query_t));

    if (list == NULL || queries == NULL
        || record_list_queries(turn, list, &queries[TENANT], &queries[JOBS])
           != 0)
    {
        return RECORD_AWAY;
    }

    for (i = 0; i < turn->njobs; i++) {
        queries[EACH_JOB + i] = (pg_query_t) {
            record_ours, 3, { turn->tenant, turn->jobs[i].id,
                              turn->claim->token } };
    }

    rc = unit_run(turn, queries, (int) n, &answer);
    if (rc != RECORD_OK) {
        return rc;
    }

    for (i = 0; i < turn->njobs; i++) {
        turn->jobs[i].live = unit_true(&answer, EACH_JOB + (int) i, 0, 0);
        turn->jobs[i].recorded = 1;
    }

    pg_clear(&answer);
    inbound_choose(turn);
    return RECORD_OK;
}


record_e
record_as(turn_t *turn, record_e (*unit)(turn_t *turn, record_form_e form))
{
    int       form;
    record_e  rc;

    rc = RECORD_REFUSED;

    for (form = RECORD_JSON; form <= RECORD_ASCII && rc == RECORD_REFUSED;
         form++)
    {
        if (form == RECORD_ASCII) {
            rc = record_give_up(turn);
        }

        if (form != RECORD_ASCII || rc == RECORD_OK) {
            rc = unit(turn, form);
        }
    }

    return rc;
}


/*
 * What a message was to be sent with may be what PostgreSQL does not take: then
 * it is no message, for its text alone is another.  Each is asked of by itself:
 * those beside it are sent.
 */
static record_e
record_give_up(turn_t *turn)
{
    size_t       i;
    record_e     rc;
    turn_job_t  *job;

    rc = RECORD_OK;

    for (i = 0; i < turn->njobs && rc == RECORD_OK; i++) {
        job = &turn->jobs[i];

        if (job->unfit != NULL
            || (job->template.len == 0 && job->attached.len == 0))
        {
            continue;
        }

        rc = record_takes(turn, job);

        if (rc == RECORD_REFUSED) {
            inbound_unfit(job, "the record refuses its template, file or "
                               "buttons");
            rc = RECORD_OK;
        }
    }

    return rc;
}


/* RECORD_OK, RECORD_REFUSED, or what a query ends with. */
static record_e
record_takes(turn_t *turn, const turn_job_t *job)
{
    arena_t      *arena;
    record_e      rc;
    pg_query_t    query;
    pg_answer_t   answer;

    static const char  both[] = "SELECT $1::jsonb, $2::jsonb";

    arena = turn->claim->arena;
    query = (pg_query_t) { both, 2, {
        job->template.len == 0 ? "null"
        : arena_copy(arena, job->template.data, job->template.len),
        job->attached.len == 0 ? "null"
        : arena_copy(arena, job->attached.data, job->attached.len) } };

    if (query.params[0] == NULL || query.params[1] == NULL) {
        return RECORD_AWAY;
    }

    rc = unit_run(turn, &query, 1, &answer);

    if (rc == RECORD_OK) {
        pg_clear(&answer);
    }

    return rc;
}


int
record_list_queries(turn_t *turn, const char *list, pg_query_t *tenant,
    pg_query_t *jobs)
{
    const char  *tries;

    tries = unit_number(turn, turn->claim->failures + turn->claim->crashes
                              + 1);

    *tenant = (pg_query_t) { record_add_tenant, 1, { turn->tenant } };
    *jobs = (pg_query_t) {
        record_add_jobs, 5, { turn->tenant, turn->lane, tries,
                              turn->claim->token, list } };

    return tries != NULL ? 0 : -1;
}


const char *
record_list(turn_t *turn, record_form_e form)
{
    size_t        i;
    setter_buf_t  buf;

    setter_buf_init(&buf, arena_alloc(turn->claim->arena), 1024);

    for (i = 0; i < turn->njobs; i++) {
        setter_buf_byte(&buf, i == 0 ? '[' : ',');
        record_list_job(&buf, &turn->jobs[i], i + 1, form);
    }

    setter_buf_append(&buf, "]", 2);
    return buf.failed ? NULL : buf.data;
}


/* One that is not fit to be handled is no message. */
static void
record_list_job(setter_buf_t *buf, const turn_job_t *job, size_t n,
    record_form_e form)
{
    setter_buf_text(buf, "{\"n\":");
    setter_buf_number(buf, (int64_t) n);
    setter_json_name(buf, "received");
    setter_buf_number(buf, job->received_ms);
    record_member(buf, "id", job->id);
    setter_json_member(buf, "kind", job->job.kind);
    record_member(buf, "status", job->status);

    if (job->reason != NULL) {
        record_member(buf, "reason", job->reason);
    }

    if (job->unfit == NULL) {
        setter_json_member(buf, "provider", job->job.provider);
        setter_json_member(buf, "provider_id", job->job.provider_id);
        setter_json_member(buf, "address", job->job.from);
        setter_json_member(buf, "sender", job->job.to);
        setter_json_member(buf, "surface", job->surface);
        setter_json_member(buf, "type", job->job.type);
        setter_json_member(buf, "text", job->job.text);
    }

    if (form == RECORD_JSON && job->job.profile.data != NULL) {
        setter_json_name(buf, "profile");
        setter_buf_append(buf, job->job.profile.data, job->job.profile.len);
    }

    if (job->unfit == NULL && job->template.len > 0) {
        setter_json_name(buf, "template");
        setter_buf_append(buf, job->template.data, job->template.len);
    }

    if (job->unfit == NULL && job->attached.len > 0) {
        setter_json_name(buf, "attached");
        setter_buf_append(buf, job->attached.data, job->attached.len);
    }

    setter_json_name(buf, "payload");
    record_payload(buf, job, form);
    setter_buf_byte(buf, '}');
}


static void
record_payload(setter_buf_t *buf, const turn_job_t *job, record_form_e form)
{
    if (form == RECORD_JSON && job->readable) {
        setter_buf_append(buf, job->envelope.data, job->envelope.len);

    } else if (form == RECORD_ASCII) {
        record_ascii(buf, job->envelope);

    } else {
        setter_json_string(buf, job->envelope.data, job->envelope.len);
    }
}


static void
record_ascii(setter_buf_t *buf, setter_str_t text)
{
    char    byte;
    size_t  i;

    setter_buf_byte(buf, '"');

    for (i = 0; i < text.len; i++) {
        byte = text.data[i];
        if (byte == '"' || byte == '\\') {
            setter_buf_byte(buf, '\\');
        }
        setter_buf_byte(buf, byte >= ' ' && byte <= '~' ? byte : '?');
    }

    setter_buf_byte(buf, '"');
}


static void
record_member(setter_buf_t *buf, const char *name, const char *text)
{
    setter_str_t  str;

    str.data = text;
    str.len = strlen(text);
    setter_json_member(buf, name, str);
}


const char *
record_ids(turn_t *turn)
{
    size_t        i;
    setter_buf_t  buf;

    setter_buf_init(&buf, arena_alloc(turn->claim->arena),
                    (SETTER_UUID_LEN + 1) * turn->njobs + 3);
    setter_buf_byte(&buf, '{');

    for (i = 0; i < turn->njobs; i++) {
        if (turn->jobs[i].recorded && !turn->jobs[i].live) {
            continue;
        }

        if (buf.len > 1) {
            setter_buf_byte(&buf, ',');
        }
        setter_buf_append(&buf, turn->jobs[i].id, SETTER_UUID_LEN);
    }

    setter_buf_append(&buf, "}", 2);
    return buf.failed ? NULL : buf.data;
}
