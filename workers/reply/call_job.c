/*
 * The call "job": what has become of a job of the tenant's, {"id":"<uuid>"}.
 * What PostgreSQL has on record counts; what no worker took yet only the
 * queue knows of.
 */

#include <string.h>

#include "reply/call.h"
#include "reply/unit.h"
#include "setter_json.h"


static int call_job_run(turn_t *turn, setter_str_t args,
    call_answer_t *answer);
static int call_job_recorded(turn_t *turn, const pg_answer_t *row,
    call_answer_t *answer);
static int call_job_queued(turn_t *turn, setter_str_t id,
    call_answer_t *answer);


const call_t  call_job = { "job", call_job_run };


/* A reply of which nobody knows whether it arrived decides over its job. */
static const char  call_job_sql[] =
    "SELECT json_strip_nulls(json_build_object('id', j.id,"
    "  'status', CASE WHEN m.state = 'unknown' THEN m.state"
    "   ELSE j.status END,"
    "  'kind', j.kind, 'reason', coalesce(j.reason, m.error),"
    "  'attempts', j.attempts, 'received_at', j.received_at,"
    "  'updated_at', greatest(j.updated_at, m.updated_at),"
    "  'message', CASE WHEN m.id IS NOT NULL THEN json_build_object("
    "   'id', m.id, 'state', m.state, 'provider', m.provider,"
    "   'provider_id', m.provider_id, 'sent_at', m.sent_at,"
    "   'delivered_at', m.delivered_at, 'read_at', m.read_at) END))"
    " FROM jobs AS j"
    " LEFT JOIN messages AS m ON m.tenant = $1"
    "  AND m.turn = coalesce(j.turn, j.id)"
    "  AND m.direction = 'out' AND NOT m.set_aside"
    " WHERE j.tenant = $1 AND j.id = $2";


static int
call_job_run(turn_t *turn, setter_str_t args, call_answer_t *answer)
{
    int                  rc;
    const char          *id;
    pg_query_t           query;
    pg_answer_t          row;
    setter_json_value_t  value;

    static const setter_json_path_t  path = { "id", 0 };

    if (setter_json_read(args.data, args.len, 0, &path, 1, &value, NULL,
                         arena_alloc(turn->claim->arena))
        != SETTER_JSON_OK
        || !setter_uuid_valid(value.text))
    {
        return call_error(answer, 404, CALL_ERROR("No such job"));
    }

    id = arena_copy(turn->claim->arena, value.text.data, value.text.len);
    if (id == NULL) {
        return -1;
    }

    query = (pg_query_t) { call_job_sql, 2, { turn->tenant, id } };

    if (unit_once(turn, &query, 1, &row) != RECORD_OK) {
        return call_error(answer, 503, CALL_ERROR("Temporarily unavailable"));
    }

    rc = pg_rows(&row, 0) > 0 ? call_job_recorded(turn, &row, answer)
                              : call_job_queued(turn, value.text, answer);
    pg_clear(&row);
    return rc;
}


static int
call_job_recorded(turn_t *turn, const pg_answer_t *row, call_answer_t *answer)
{
    const char  *text;

    text = pg_text(row, 0, 0, 0);

    answer->status = 200;
    answer->body.len = strlen(text);
    answer->body.data = arena_copy(turn->claim->arena, text,
                                   answer->body.len);

    return answer->body.data != NULL ? 0 : -1;
}


static int
call_job_queued(turn_t *turn, setter_str_t id, call_answer_t *answer)
{
    queue_job_e   state;
    setter_buf_t  buf;
    setter_str_t  tenant;

    tenant.data = turn->tenant;
    tenant.len = strlen(turn->tenant);

    if (queue_state(turn->worker->redis, &turn->worker->queue, tenant, id,
                    &state)
        != QUEUE_OK)
    {
        return call_error(answer, 503, CALL_ERROR("Temporarily unavailable"));
    }

    if (state == QUEUE_JOB_UNKNOWN) {
        return call_error(answer, 404, CALL_ERROR("No such job"));
    }

    setter_buf_init(&buf, arena_alloc(turn->claim->arena), 128);

    setter_buf_byte(&buf, '{');
    setter_json_member(&buf, "id", id);
    setter_buf_text(&buf, ",\"status\":\"");

    if (state == QUEUE_JOB_IN_HAND) {
        setter_buf_text(&buf, "processing\"}");

    } else {
        setter_buf_text(&buf, "queued\"}");
    }

    answer->status = 200;
    answer->body.data = buf.data;
    answer->body.len = buf.len;

    return buf.failed ? -1 : 0;
}
