/*
 * Inbound: the envelopes of a turn, read and judged.
 */

#ifndef INBOUND_H
#define INBOUND_H

#include "reply/turn.h"


/*
 * Adds to turn->jobs those of the claim that were not read yet.  TURN_BACK
 * when memory is short.
 */
turn_end_e inbound_read(turn_t *turn);

/*
 * The id under which a job is recorded.  Whoever appends to the inbox may
 * call a job what he likes; what is no UUID becomes one, always the same.
 * NULL: no memory.
 */
const char *inbound_id(turn_t *turn, setter_str_t id);

/*
 * For kinds: the reason when the envelope's id, kind, tenant or lane is not
 * its header's, else NULL.
 */
const char *inbound_disagrees(const turn_job_t *job,
    const setter_job_header_t *header);

/* Why it cannot be said who wrote to whom and through whom, or NULL. */
const char *inbound_unclear(const setter_job_t *job);

/* There is no message in it that could be recorded, or none to be trusted;
 * reason NULL: there is. */
void inbound_unfit(turn_job_t *job, const char *reason);

/* Fills turn->last and turn->ref from the jobs that are live. */
void inbound_choose(turn_t *turn);


#endif /* INBOUND_H */
