/*
 * Typing: the person sees that an answer is being written.
 */

#ifndef TYPING_H
#define TYPING_H

#include "reply/turn.h"


/*
 * From here on until typing_stop(), where the provider can show it, the
 * tenant wants it, and it takes more than a second.  Nothing of this delays
 * the turn, or changes what becomes of it.
 */
void typing_start(turn_t *turn);

void typing_stop(turn_t *turn);

/* The worker's task that does it. */
void typing_run(void *worker);


#endif /* TYPING_H */
