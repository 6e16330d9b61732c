/*
 * Kind "record": a worker of another make has handled a message, and this is
 * its envelope once more.  It is put on record with what became of it; nobody
 * is answered.
 *
 * The queue appends it under an id and a lane of its own, "<id>-r" in
 * "<tenant>/record/<id>", so its envelope disagrees with its header.
 */

#include <string.h>

#include "reply/inbound.h"
#include "reply/kind.h"
#include "reply/record.h"


#define HANDLED_LANE  "/record/"
#define HANDLED_ID    "-r"


static const char *handled_unfit(const turn_job_t *job,
    const setter_job_header_t *header);
static int handled_named(const setter_job_t *job,
    const setter_job_header_t *header);
static int handled_is(setter_str_t text, setter_str_t first,
    const char *middle, setter_str_t last);
static turn_end_e handled_record(turn_t *turn);
static void handled_outcome(turn_t *turn);


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
    static const setter_str_t  none;

    return handled_is(header->tenant, job->tenant, "", none)
           && handled_is(header->id, job->id, HANDLED_ID, none)
           && handled_is(header->lane, job->tenant, HANDLED_LANE, job->id);
}


static int
handled_is(setter_str_t text, setter_str_t first, const char *middle,
    setter_str_t last)
{
    size_t  len;

    len = strlen(middle);

    return text.len == first.len + len + last.len
           && memcmp(text.data, first.data, first.len) == 0
           && memcmp(text.data + first.len, middle, len) == 0
           && (last.len == 0
               || memcmp(text.data + first.len + len, last.data, last.len)
                  == 0);
}


/* All jobs of such a lane are one, which may have come more than once. */
static turn_end_e
handled_record(turn_t *turn)
{
    turn_job_t  *job;

    job = &turn->jobs[0];

    if (turn->claim->dead || job->unfit != NULL || turn->njobs > 1) {
        return kind_record_jobs(turn);
    }

    turn->lane = arena_copy(turn->claim->arena, job->job.lane.data,
                            job->job.lane.len);
    job->id = inbound_id(turn, job->job.id);

    if (turn->lane == NULL || job->id == NULL) {
        return turn_ends(turn, TURN_BACK, -1, "no memory");
    }

    handled_outcome(turn);
    return turn_recorded(turn, record_handled(turn));
}


/* What the header's flags say became of it. */
static void
handled_outcome(turn_t *turn)
{
    size_t                      i;
    turn_job_t                 *job;
    const setter_job_header_t  *header;

    static const struct {
        const char  *flag, *status, *reason;
    } outcomes[] = {
        { "status=failed", "failed", "refused by another worker" },
        { "status=dead", "dead", "given up by other workers" },
    };

    job = &turn->jobs[0];
    header = &turn->claim->jobs[0].header;
    job->status = "done";

    for (i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
        if (setter_job_header_has(header, outcomes[i].flag)) {
            job->status = outcomes[i].status;
            job->reason = outcomes[i].reason;
        }
    }
}
