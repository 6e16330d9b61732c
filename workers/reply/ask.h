/*
 * Asking the model.
 */

#ifndef ASK_H
#define ASK_H

#include "reply/turn.h"


/*
 * Fills turn->reply but for its state.  Tries again within the deadline what
 * may pass; what does not ends the turn.
 */
turn_end_e ask_model(turn_t *turn);


#endif /* ASK_H */
