/*
 * Kind "event": what happened in a conversation and is no message to answer.
 *
 * Of type "echo": a message left our account, as the provider tells.  Where it
 * is none of ours, a person has written it in the provider's own app, and
 * answers from then on.  The event has a lane of its own, so that a reply that
 * is being composed meanwhile is dropped.
 *
 * Of type "unsent": the person has taken a message back.  Its text and files
 * are forgotten; where its turn has not come, there is an empty one in its
 * place, of which the message is a repeat then, and is not answered.
 */

#include <string.h>

#include "reply/inbound.h"
#include "reply/kind.h"
#include "reply/media.h"
#include "reply/record_parts.h"
#include "reply/unit.h"
#include "runtime/log.h"
#include "setter_format.h"


#define EVENT_TRIES  3      /* while one of ours may be what is echoed */


static turn_end_e event_settle(turn_t *turn);
static turn_end_e event_echo(turn_t *turn, const turn_job_t *job);
static turn_end_e event_unsent(turn_t *turn, const turn_job_t *job);
static turn_end_e event_told(turn_t *turn, const pg_answer_t *answer);
static const char *event_lane(turn_t *turn, const setter_job_t *job);


static const kind_step_pt  event_steps[] = {
    kind_record_jobs,
    event_settle,
    NULL
};

const kind_t  kind_event = { "event", inbound_disagrees, event_steps };


enum {
    EVENT_OURS,
    EVENT_SENDING,
    EVENT_TAKEN
};

/*
 * Ours by the provider's id, which is that of the last part; or by the text,
 * which holds that of each part.
 */
static const char  event_take[] =
    "WITH ours AS ("
    "  SELECT m.state, m.provider_id = $3 OR ($4 <> ''"
    "    AND m.created_at > now() - interval '1 day'"
    "    AND position($4 IN m.text) > 0) AS echoed"
    "  FROM messages AS m"
    "  WHERE m.tenant = $1 AND m.lane = $2 AND m.direction = 'out'"
    "  ORDER BY m.seq DESC LIMIT 100),"
    " found AS ("
    "  SELECT coalesce(bool_or(echoed), false) AS ours,"
    "   coalesce(bool_or(state = 'sending'), false) AS sending FROM ours),"
    " taken AS ("
    "  UPDATE conversations AS c SET taken_over = true"
    "  FROM found, tenants AS t"
    "  WHERE c.tenant = $1 AND c.lane = $2 AND NOT c.taken_over"
    "   AND t.slug = $1 AND t.echo = 'takeover'"
    "   AND NOT found.ours AND (NOT found.sending OR $5::boolean)"
    "  RETURNING c.lane)"
    " SELECT ours, sending, (SELECT count(*) > 0 FROM taken) FROM found";


static const char  event_unsend[] =
    "WITH old AS ("
    "  SELECT id AS old_id, media AS files FROM messages"
    "  WHERE tenant = $1 AND direction = 'in' AND provider = $3"
    "   AND provider_id = $4 FOR UPDATE),"
    " gone AS ("
    "  UPDATE messages SET text = '', type = 'unsent', media = NULL"
    "  FROM old WHERE tenant = $1 AND id = old_id RETURNING id),"
    " forgotten AS ("
    "  UPDATE jobs SET payload = '" EVENT_UNSENT "' FROM old"
    "  WHERE tenant = $1 AND id = old_id),"
    " talk AS ("
    "  INSERT INTO conversations (tenant, lane, window_until)"
    "  SELECT $1, $2, now() WHERE NOT EXISTS (SELECT FROM gone)"
    "  ON CONFLICT DO NOTHING),"
    " empty AS ("
    "  INSERT INTO messages (tenant, id, lane, direction, state, provider,"
    "   provider_id, address, type, text)"
    "  SELECT $1, $5::uuid, $2, 'in', 'received', $3, $4, $6, 'unsent', ''"
    "  WHERE NOT EXISTS (SELECT FROM gone)"
    "  ON CONFLICT DO NOTHING)"
    " SELECT (SELECT files FROM old LIMIT 1)";


/* Others than these say nothing to us, and are recorded. */
static turn_end_e
event_settle(turn_t *turn)
{
    size_t             i;
    turn_end_e         end;
    const setter_job_t  *job;

    for (i = 0; i < turn->njobs; i++) {
        job = &turn->jobs[i].job;

        if (turn->jobs[i].live && setter_str_is(job->type, "echo")) {
            end = event_echo(turn, &turn->jobs[i]);
            if (end != TURN_GOES_ON) {
                return end;
            }
        }

        if (turn->jobs[i].live && setter_str_is(job->type, "unsent")) {
            end = event_unsent(turn, &turn->jobs[i]);
            if (end != TURN_GOES_ON) {
                return end;
            }
        }
    }

    return turn_settle(turn, NULL, NULL, "done", NULL);
}


static turn_end_e
event_echo(turn_t *turn, const turn_job_t *turn_job)
{
    record_e             rc;
    turn_end_e           end;
    arena_t             *arena;
    pg_query_t           query;
    pg_answer_t          answer;
    const char          *lane, *id, *text;
    const setter_job_t  *job;

    arena = turn->claim->arena;
    job = &turn_job->job;
    lane = event_lane(turn, job);
    id = arena_copy(arena, job->provider_id.data, job->provider_id.len);
    text = arena_copy(arena, job->text.data, job->text.len);

    if (lane == NULL || id == NULL || text == NULL) {
        return turn_ends(turn, TURN_BACK, -1, "no memory");
    }

    query = (pg_query_t) {
        event_take, 5, { turn->tenant, lane, id, text,
                         turn->claim->failures + 1 < EVENT_TRIES
                         ? "false" : "true" } };

    rc = unit_run(turn, &query, 1, &answer);
    if (rc != RECORD_OK) {
        return unit_ends(turn, rc);
    }

    end = event_told(turn, &answer);
    pg_clear(&answer);

    return end;
}


static turn_end_e
event_unsent(turn_t *turn, const turn_job_t *turn_job)
{
    record_e             rc;
    arena_t             *arena;
    pg_query_t           query;
    pg_answer_t          answer;
    const char          *lane, *provider, *id, *person;
    const setter_job_t  *job;

    arena = turn->claim->arena;
    job = &turn_job->job;
    lane = event_lane(turn, job);
    provider = arena_copy(arena, job->provider.data, job->provider.len);
    id = arena_copy(arena, job->provider_id.data, job->provider_id.len);
    person = arena_copy(arena, job->from.data, job->from.len);

    if (lane == NULL || provider == NULL || id == NULL || person == NULL) {
        return turn_ends(turn, TURN_BACK, -1, "no memory");
    }

    query = (pg_query_t) {
        event_unsend, 6, { turn->tenant, lane, provider, id, turn_job->id,
                           person } };

    rc = unit_run(turn, &query, 1, &answer);
    if (rc == RECORD_OK) {
        media_drop(turn, pg_text(&answer, 0, 0, 0));
        pg_clear(&answer);
    }

    return unit_ends(turn, rc);
}


/* A reply that is under way has no id yet: it may be what is echoed. */
static turn_end_e
event_told(turn_t *turn, const pg_answer_t *answer)
{
    if (unit_true(answer, 0, 0, EVENT_TAKEN)) {
        log_info("a person has taken over", "tenant", turn->tenant, "job",
                 turn_job(turn));
        return TURN_GOES_ON;
    }

    if (!unit_true(answer, 0, 0, EVENT_OURS)
        && unit_true(answer, 0, 0, EVENT_SENDING)
        && turn->claim->failures + 1 < EVENT_TRIES)
    {
        return turn_ends(turn, TURN_AGAIN, -1, "a reply is under way");
    }

    return TURN_GOES_ON;
}


static const char *
event_lane(turn_t *turn, const setter_job_t *job)
{
    setter_buf_t  lane;

    setter_buf_init(&lane, arena_alloc(turn->claim->arena), 128);
    setter_lane_conversation(&lane, job->tenant,
                             setter_format_channel(job->provider), job->to,
                             job->from);

    return lane.failed ? NULL
           : arena_copy(turn->claim->arena, lane.data, lane.len);
}
