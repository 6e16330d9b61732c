/*
 * Delivery: the fence, the send, and what became of it.
 */

#ifndef DELIVER_H
#define DELIVER_H

#include "reply/turn.h"


/* TURN_GOES_ON when the reply's provider has an account that is complete. */
turn_end_e deliver_check(turn_t *turn);

/* Sends the reply, which is composed, at most once. */
turn_end_e deliver_reply(turn_t *turn);


#endif /* DELIVER_H */
