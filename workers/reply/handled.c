/*
 * Kind "record": workers of another make have handled messages, and these are
 * their envelopes once more, in the places that the messages had in their
 * lane.  They are put on record with what became of them; nobody is answered.
 *
 * The queue calls such a job "<id>-r", so its envelope disagrees with its
 * header.
 */

#include <string.h>

#include "reply/inbound.h"
#include "reply/kind.h"
#include "reply/record.h"


#define HANDLED_ID  "-r"


static const char *handled_unfit(const turn_job_t *job,
    const setter_job_header_t *header);
static int handled_named(const setter_job_t *job,
    const setter_job_header_t *header);
static int handled_is(setter_str_t text, setter_str_t first,
    const char *last);
static turn_end_e handled_record(turn_t *turn);
static void handled_outcome(turn_job_t *job);


static const kind_step_pt  handled_steps[] = { handled_record, NULL };

const kind_t  kind_record = {
    "record", handled_unfit, handled_steps
};


/* Another worker may know providers that this one does not. */
static const char *
handled_unfit(const turn_job_t *job, const setter_job_header_t *header)
{
    return handled_named(&job->job, header) ? inbound_unclear(&job->job)
           : "the envelope disagrees with its header";
}


static int
handled_named(const setter_job_t *job, const setter_job_header_t *header)
{
    return handled_is(header->tenant, job->tenant, "")
           && handled_is(header->id, job->id, HANDLED_ID)
           && handled_is(header->lane, job->lane, "");
}


static int
handled_is(setter_str_t text, setter_str_t first, const char *last)
{
    size_t  len;

    len = strlen(last);

    return text.len == first.len + len
           && memcmp(text.data, first.data, first.len) == 0
           && memcmp(text.data + first.len, last, len) == 0;
}


static turn_end_e
handled_record(turn_t *turn)
{
    size_t       i;
    turn_job_t  *job;

    if (turn->claim->dead) {
        return kind_record_jobs(turn);
    }

    for (i = 0; i < turn->njobs; i++) {
        job = &turn->jobs[i];

        if (job->unfit != NULL) {
            continue;
        }

        handled_outcome(job);
        job->id = inbound_id(turn, job->job.id);

        if (job->id == NULL) {
            return turn_ends(turn, TURN_BACK, -1, "no memory");
        }
    }

    return turn_recorded(turn, record_handled(turn));
}


/* What the header's flags say became of it. */
static void
handled_outcome(turn_job_t *job)
{
    size_t  i;

    static const struct {
        const char  *flag, *status, *reason;
    } outcomes[] = {
        { "status=failed", "failed", "refused by another worker" },
        { "status=dead", "dead", "given up by other workers" },
    };

    job->status = "done";

    for (i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
        if (setter_job_header_has(job->header, outcomes[i].flag)) {
            job->status = outcomes[i].status;
            job->reason = outcomes[i].reason;
        }
    }
}
