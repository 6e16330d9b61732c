/*
 * Inbound: the envelopes of a turn, read and judged.
 */

#ifndef INBOUND_H
#define INBOUND_H

#include "reply/turn.h"


/* Fills turn->jobs.  TURN_BACK when memory is short. */
turn_end_e inbound_read(turn_t *turn);

/* Fills turn->last and turn->ref from the jobs that are live. */
void inbound_choose(turn_t *turn);


#endif /* INBOUND_H */
