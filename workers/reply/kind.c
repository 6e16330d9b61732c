/*
 * The kinds that kind_find() knows.
 */

#include <string.h>

#include "reply/kind.h"
#include "reply/record.h"


static const char *kind_none_unfit(const turn_job_t *job,
    const setter_job_header_t *header);
static turn_end_e kind_none_record(turn_t *turn);


static const kind_t *const  kinds[] = {
    &kind_message
};

static const kind_step_pt  kind_none_steps[] = { kind_none_record, NULL };

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


static turn_end_e
kind_none_record(turn_t *turn)
{
    return turn_recorded(turn, record_jobs(turn));
}
