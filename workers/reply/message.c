/*
 * Kind "message": a person wrote, the model answers.
 */

#include <string.h>

#include "reply/account.h"
#include "reply/ask.h"
#include "reply/deliver.h"
#include "reply/inbound.h"
#include "reply/kind.h"
#include "reply/media.h"
#include "reply/record.h"
#include "reply/rules.h"


#define MESSAGE_MERGES  3       /* a turn; what comes then is the next one's */


static turn_end_e message_record(turn_t *turn);
static turn_end_e message_media(turn_t *turn);
static turn_end_e message_judge(turn_t *turn);
static turn_end_e message_finish_old(turn_t *turn);
static turn_reply_t *message_old_reply(const turn_t *turn);
static int message_answers(const turn_reply_t *reply, const turn_job_t *job);
static turn_end_e message_take_reply(turn_t *turn);
static void message_forget(turn_t *turn, const turn_reply_t *reply);
static turn_end_e message_drop(turn_t *turn, const char *status,
    const char *reason);
static turn_end_e message_address(turn_t *turn);
static turn_end_e message_answer(turn_t *turn);
static turn_end_e message_ask(turn_t *turn);
static turn_end_e message_merge(turn_t *turn, int *came);
static size_t message_live(const turn_t *turn);


static const kind_step_pt  message_steps[] = {
    message_record,
    message_media,
    message_judge,
    rules_check,
    message_address,
    deliver_check,
    message_answer,
    deliver_reply,
    NULL
};

/* For messages that came while the model was asked. */
static const kind_step_pt  message_merge_steps[] = {
    message_record,
    message_media,
    message_judge,
    rules_check,
    message_address,
    deliver_check,
    NULL
};

const kind_t  kind_message = {
    "message", kind_message_unfit, message_steps
};


const char *
kind_message_unfit(const turn_job_t *turn_job,
    const setter_job_header_t *header)
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

    reason = inbound_unclear(job);
    if (reason != NULL) {
        return reason;
    }

    return job->text.len == 0 && turn_job->attached.len == 0 ? "no text"
                                                             : NULL;
}


static turn_end_e
message_record(turn_t *turn)
{
    return turn_recorded(turn, record_inbound(turn));
}


/*
 * Whether there is an answer or not: a person who has taken over sees the
 * files, too, and soon their URLs are no good.
 */
static turn_end_e
message_media(turn_t *turn)
{
    turn_end_e   end;
    const char  *missing;

    if (turn->ref == NULL || turn->suspended || turn->claim->dead
        || !media_there(turn))
    {
        return TURN_GOES_ON;
    }

    missing = NULL;
    end = message_address(turn);

    if (end == TURN_GOES_ON) {
        end = account_find(turn, &missing);
    }

    /* of an account that cannot be used it is told when it is to send */
    return end == TURN_GOES_ON && missing == NULL ? media_take(turn) : end;
}


/* What there is to do, now that the record is known. */
static turn_end_e
message_judge(turn_t *turn)
{
    turn_end_e  end;

    end = message_finish_old(turn);
    if (end != TURN_GOES_ON) {
        return end;
    }

    if (turn->ref == NULL) {
        return TURN_DONE;
    }

    end = message_take_reply(turn);
    if (end != TURN_GOES_ON) {
        return end;
    }

    if (turn->claim->dead) {
        return message_drop(turn, "dead", kind_given_up(turn));
    }

    if (turn->suspended) {
        return message_drop(turn, "failed", "the tenant is suspended");
    }

    if (turn->taken_over) {
        return message_drop(turn, "done", "a person has taken over");
    }

    return TURN_GOES_ON;
}


/*
 * Replies of earlier claims that went as far as the provider, or may have:
 * the jobs they answer are done.  Where Redis forgot that those were handed
 * over, others may have come with them, which are still to be answered.
 */
static turn_end_e
message_finish_old(turn_t *turn)
{
    size_t         i;
    turn_end_e     end;
    turn_reply_t  *reply;

    reply = message_old_reply(turn);
    if (reply == NULL) {
        return TURN_GOES_ON;
    }

    do {
        for (i = 0; i < turn->njobs; i++) {
            turn->jobs[i].later = !message_answers(reply, &turn->jobs[i]);
        }

        turn->reply = *reply;
        end = strcmp(reply->state, "sending") == 0
              ? turn_settle(turn, "unknown", NULL, "done",
                            "the worker was lost while it sent")
              : turn_settle(turn, NULL, NULL, "done", NULL);

        if (end != TURN_DONE) {
            return end;
        }

        for (i = 0; i < turn->njobs; i++) {
            turn->jobs[i].live &= turn->jobs[i].later;
            turn->jobs[i].later = 0;
        }

        reply = message_old_reply(turn);
    } while (reply != NULL);

    inbound_choose(turn);
    if (turn->ref == NULL) {
        return TURN_DONE;
    }

    turn->outcome = NULL;
    return message_record(turn);
}


/* One that is no longer ours to send, of any live job; or NULL. */
static turn_reply_t *
message_old_reply(const turn_t *turn)
{
    size_t             i;
    const turn_job_t  *job;

    for (i = 0; i < turn->njobs; i++) {
        job = &turn->jobs[i];

        if (job->live && job->reply != NULL
            && strcmp(job->reply->state, "composed") != 0)
        {
            return job->reply;
        }
    }

    return NULL;
}


static int
message_answers(const turn_reply_t *reply, const turn_job_t *job)
{
    return job->live && job->reply != NULL
           && strcmp(job->reply->id, reply->id) == 0;
}


/*
 * A reply that is composed already is taken where it answers all jobs; where
 * others came with them it is set aside, and the model is asked anew.
 */
static turn_end_e
message_take_reply(turn_t *turn)
{
    size_t         i;
    record_e       rc;
    turn_job_t    *job;
    turn_reply_t  *first;

    first = turn->last->reply;

    for (i = 0; i < turn->njobs && first != NULL; i++) {
        if (turn->jobs[i].live && !message_answers(first, &turn->jobs[i])) {
            first = NULL;
        }
    }

    if (first != NULL) {
        turn->reply = *first;
        return TURN_GOES_ON;
    }

    for (i = 0; i < turn->njobs; i++) {
        job = &turn->jobs[i];

        if (job->live && job->reply != NULL) {
            rc = record_set_aside(turn, job->reply->id,
                                  "a message came that it does not answer");
            if (rc != RECORD_OK) {
                return unit_ends(turn, rc);
            }

            message_forget(turn, job->reply);
        }
    }

    return TURN_GOES_ON;
}


static void
message_forget(turn_t *turn, const turn_reply_t *reply)
{
    size_t  i;

    for (i = 0; i < turn->njobs; i++) {
        if (message_answers(reply, &turn->jobs[i])) {
            turn->jobs[i].reply = NULL;
        }
    }
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

    end = message_ask(turn);
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


/*
 * Asks the model, and again when messages came while it thought: whose tenant
 * merges is not answered with what the last message made stale.  Those who
 * write on and on are answered at last.
 */
static turn_end_e
message_ask(turn_t *turn)
{
    int         merges, came;
    turn_end_e  end;

    merges = 0;

    do {
        end = ask_model(turn);
        if (end != TURN_GOES_ON || !turn->merge || merges == MESSAGE_MERGES) {
            return end;
        }

        merges++;
        end = message_merge(turn, &came);

    } while (end == TURN_GOES_ON && came);

    return end;
}


/* *came: there is more to answer than the model was asked. */
static turn_end_e
message_merge(turn_t *turn, int *came)
{
    size_t          live, added;
    turn_end_e      end;
    turn_reply_t    answer;
    queue_result_e  rc;

    *came = 0;
    live = message_live(turn);
    answer = turn->reply;

    rc = queue_more(turn->worker->redis, &turn->worker->queue, turn->claim,
                    &added);
    if (rc == QUEUE_STALE) {
        return turn_ends(turn, TURN_LOST, 0, "the lease was lost");
    }

    /* a Redis that is away keeps nobody from the answer that is there */
    if (added == 0) {
        return TURN_GOES_ON;
    }

    end = inbound_read(turn);
    if (end == TURN_GOES_ON) {
        end = turn_steps(turn, message_merge_steps);
    }

    if (message_live(turn) > live) {
        turn_step(turn, "merged");
        *came = 1;

    } else {
        turn->reply = answer;
    }

    return end;
}


static size_t
message_live(const turn_t *turn)
{
    size_t  i, n;

    for (i = 0, n = 0; i < turn->njobs; i++) {
        n += turn->jobs[i].live;
    }

    return n;
}
