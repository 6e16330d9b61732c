/*
 * Kind "message": a person wrote, the model answers.
 */

#include <string.h>

#include "reply/ask.h"
#include "reply/deliver.h"
#include "reply/inbound.h"
#include "reply/kind.h"
#include "reply/record.h"
#include "runtime/log.h"


static const char *message_unfit(const turn_job_t *turn_job,
    const setter_job_header_t *header);
static turn_end_e message_record(turn_t *turn);
static turn_end_e message_judge(turn_t *turn);
static turn_end_e message_finish_old(turn_t *turn);
static turn_end_e message_drop(turn_t *turn, const char *status,
    const char *reason);
static turn_end_e message_address(turn_t *turn);
static turn_end_e message_answer(turn_t *turn);


static const kind_step_pt  message_steps[] = {
    message_record,
    message_judge,
    message_address,
    deliver_check,
    message_answer,
    deliver_reply,
    NULL
};

const kind_t  kind_message = {
    "message", message_unfit, message_steps
};


static const char *
message_unfit(const turn_job_t *turn_job, const setter_job_header_t *header)
{
    const char          *reason;
    const setter_job_t  *job;

    reason = inbound_disagrees(turn_job, header);
    if (reason != NULL) {
        return reason;
    }

    job = &turn_job->job;

    if (job->provider.data == NULL || channel_find(job->provider) == NULL) {
        return "unknown provider";
    }

    if (job->from.len == 0 || job->from.len > INBOUND_ID_MAX
        || job->to.len > INBOUND_ID_MAX
        || job->provider_id.len > INBOUND_ID_MAX)
    {
        return "an address or id is missing or too long";
    }

    return job->text.len == 0 ? "no text" : NULL;
}


static turn_end_e
message_record(turn_t *turn)
{
    return turn_recorded(turn, record_inbound(turn));
}


/* What there is to do, now that the record is known. */
static turn_end_e
message_judge(turn_t *turn)
{
    if (turn->ref == NULL) {
        return TURN_DONE;
    }

    if (turn->reply.state != NULL
        && strcmp(turn->reply.state, "composed") != 0)
    {
        return message_finish_old(turn);
    }

    if (turn->claim->dead) {
        log_error("jobs given up", "tenant", turn->tenant, "job",
                  turn_job(turn));
        return message_drop(turn, "dead", arena_copy(turn->claim->arena,
                                           turn->claim->reason.data,
                                           turn->claim->reason.len));
    }

    if (turn->suspended) {
        return message_drop(turn, "failed", "the tenant is suspended");
    }

    if (turn->taken_over) {
        return message_drop(turn, "done", "a person has taken over");
    }

    return TURN_GOES_ON;
}


/* The reply of an earlier claim went as far as the provider, or may have. */
static turn_end_e
message_finish_old(turn_t *turn)
{
    if (strcmp(turn->reply.state, "sending") == 0) {
        return turn_settle(turn, "unknown", NULL, "done",
                           "the worker was lost while it sent");
    }

    return turn_settle(turn, NULL, NULL, "done", NULL);
}


/* No answer: a reply that is composed already fails. */
static turn_end_e
message_drop(turn_t *turn, const char *status, const char *reason)
{
    return turn_settle(turn, turn->reply.state == NULL ? NULL : "failed",
                       NULL, status, reason);
}


/* The answer goes to whoever wrote last. */
static turn_end_e
message_address(turn_t *turn)
{
    arena_t       *arena;
    turn_job_t    *last;
    turn_reply_t  *reply;

    if (turn->reply.state != NULL) {
        return TURN_GOES_ON;
    }

    arena = turn->claim->arena;
    last = turn->last;
    reply = &turn->reply;

    reply->provider = arena_copy(arena, last->job.provider.data,
                                 last->job.provider.len);
    reply->address = arena_copy(arena, last->job.from.data,
                                last->job.from.len);

    if (last->job.to.len > 0) {
        reply->sender = arena_copy(arena, last->job.to.data,
                                   last->job.to.len);
    }

    if (last->surface.len > 0) {
        reply->surface = arena_copy(arena, last->surface.data,
                                    last->surface.len);
    }

    return reply->provider != NULL && reply->address != NULL
           ? TURN_GOES_ON : turn_ends(turn, TURN_BACK, -1, "no memory");
}


/* What the model said is stored, whatever comes. */
static turn_end_e
message_answer(turn_t *turn)
{
    record_e    rc;
    turn_end_e  end;

    if (turn->reply.state != NULL) {
        return TURN_GOES_ON;
    }

    end = ask_model(turn);
    if (end != TURN_GOES_ON) {
        return end;
    }

    task_shield();
    rc = record_composed(turn);
    task_unshield();

    if (rc == RECORD_OK) {
        turn->reply.state = "composed";
        turn_step(turn, "composed");
    }

    return unit_ends(turn, rc);
}
