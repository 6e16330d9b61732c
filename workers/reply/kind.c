/*
 * The kinds that kind_find() knows.
 */

#include <string.h>

#include "reply/kind.h"
#include "reply/record.h"
#include "runtime/log.h"


static const char *kind_none_unfit(const turn_job_t *job,
    const setter_job_header_t *header);


static const kind_t *const  kinds[] = {
    &kind_call,
    &kind_event,
    &kind_message,
    &kind_record,
    &kind_send,
    &kind_status
};

static const kind_step_pt  kind_none_steps[] = { kind_record_jobs, NULL };

static const kind_t  kind_none = {
    "", kind_none_unfit, kind_none_steps
};


const kind_t *
kind_find(setter_str_t name)
{
    size_t  i;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (name.len == strlen(kinds[i]->name)
            && memcmp(name.data, kinds[i]->name, name.len) == 0)
        {
            return kinds[i];
        }
    }

    return &kind_none;
}


static const char *
kind_none_unfit(const turn_job_t *job, const setter_job_header_t *header)
{
    (void) job;
    (void) header;

    return "this version does not handle the kind";
}


turn_end_e
kind_record_jobs(turn_t *turn)
{
    turn_end_e  end;

    end = turn_recorded(turn, record_jobs(turn));
    if (end != TURN_GOES_ON) {
        return end;
    }

    if (turn->ref == NULL) {
        return TURN_DONE;
    }

    return turn->claim->dead
           ? turn_settle(turn, NULL, NULL, "dead", kind_given_up(turn))
           : TURN_GOES_ON;
}


const char *
kind_given_up(turn_t *turn)
{
    log_error("jobs given up", "tenant", turn->tenant, "job",
              turn_job(turn));

    return arena_copy(turn->claim->arena, turn->claim->reason.data,
                      turn->claim->reason.len);
}
