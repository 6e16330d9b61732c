/*
 * Inbound: the envelopes of a turn, read and judged.
 */

#ifndef INBOUND_H
#define INBOUND_H

#include "reply/turn.h"


/* Fills turn->jobs.  TURN_BACK when memory is short. */
turn_end_e inbound_read(turn_t *turn);

/*
 * For kinds: the reason when the envelope's id, kind, tenant or lane is not
 * its header's, else NULL.
 */
const char *inbound_disagrees(const turn_job_t *job,
    const setter_job_header_t *header);

#define INBOUND_ID_MAX  256     /* bytes of an address or a provider's id */

/* Fills turn->last and turn->ref from the jobs that are live. */
void inbound_choose(turn_t *turn);


#endif /* INBOUND_H */
