/*
 * Before a message leaves: the provider's limits, of the account and of the
 * account and the person, and what it has said of them.
 */

#ifndef PACE_H
#define PACE_H

#include "reply/turn.h"


/*
 * Waits until the reply may be sent: TURN_GOES_ON; where that is too long, its
 * end.  A Redis that is away keeps nobody.
 */
turn_end_e pace_wait(turn_t *turn);

/* The account sends too much, the provider says: others wait, too. */
void pace_learn(turn_t *turn, const channel_answer_t *answer);


#endif /* PACE_H */
