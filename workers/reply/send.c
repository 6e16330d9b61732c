/*
 * Kind "send": messages that somebody has us send.  Each job is one message,
 * and walks the delivery of a reply.
 */

#include <string.h>

#include "reply/deliver.h"
#include "reply/kind.h"
#include "reply/record.h"


static turn_end_e send_record(turn_t *turn);
static turn_end_e send_all(turn_t *turn);
static turn_end_e send_one(turn_t *turn, turn_job_t *job, int dead);
static void send_choose(turn_t *turn, const turn_job_t *job);
static turn_end_e send_finish_old(turn_t *turn);
static turn_end_e send_drop(turn_t *turn, const char *status,
    const char *reason);


static const kind_step_pt  send_steps[] = { send_record, send_all, NULL };

const kind_t  kind_send = { "send", kind_message_unfit, send_steps };


static turn_end_e
send_record(turn_t *turn)
{
    return turn_recorded(turn, record_outgoing(turn));
}


/*
 * In order, and none before the one ahead of it has come to its end.  Of a
 * turn that is given up because its tries failed, the first job left is; it
 * kept the others from being tried.
 */
static turn_end_e
send_all(turn_t *turn)
{
    int          dead;
    size_t       i;
    turn_end_e   end;
    turn_job_t  *job;

    dead = turn->claim->dead;

    for (i = 0, end = TURN_DONE; i < turn->njobs && end == TURN_DONE; i++) {
        job = &turn->jobs[i];

        if (!job->live) {
            continue;
        }

        end = send_one(turn, job, dead);
        job->live = end != TURN_DONE;
        dead = turn->claim->crashes >= turn->worker->queue.max_crashes;
    }

    /* what goes back to the queue are all that are left */
    for (i = 0; i < turn->njobs; i++) {
        turn->jobs[i].later = 0;
    }

    return end;
}


static turn_end_e
send_one(turn_t *turn, turn_job_t *job, int dead)
{
    turn_end_e  end;

    send_choose(turn, job);

    if (job->reply == NULL) {
        return turn_settle(turn, NULL, NULL, dead ? "dead" : "failed",
                           dead ? kind_given_up(turn)
                                : "its id is another message's");
    }

    turn->reply = *job->reply;

    if (strcmp(turn->reply.state, "composed") != 0) {
        return send_finish_old(turn);
    }

    if (dead) {
        return send_drop(turn, "dead", kind_given_up(turn));
    }

    if (turn->suspended) {
        return send_drop(turn, "failed", "the tenant is suspended");
    }

    if (turn->taken_over) {
        return send_drop(turn, "done", "a person has taken over");
    }

    end = deliver_check(turn);
    return end == TURN_GOES_ON ? deliver_reply(turn) : end;
}


/* What is settled from here on is this job's alone. */
static void
send_choose(turn_t *turn, const turn_job_t *job)
{
    size_t  i;

    for (i = 0; i < turn->njobs; i++) {
        turn->jobs[i].later = &turn->jobs[i] != job;
    }

    turn->ref = job->id;
    memset(&turn->reply, 0, sizeof(turn_reply_t));
}


/* An earlier claim brought it as far as the provider, or may have. */
static turn_end_e
send_finish_old(turn_t *turn)
{
    if (strcmp(turn->reply.state, "sending") == 0) {
        return turn_settle(turn, "unknown", NULL, "done",
                           "the worker was lost while it sent");
    }

    return turn_settle(turn, NULL, NULL,
                       strcmp(turn->reply.state, "failed") == 0 ? "failed"
                                                                : "done",
                       NULL);
}


static turn_end_e
send_drop(turn_t *turn, const char *status, const char *reason)
{
    return turn_settle(turn, "failed", NULL, status, reason);
}
