/*
 * Files that messages bring: fetched early, for the provider's URLs expire,
 * stored, and made known to the model: what is said in a recording as text,
 * images as they are.
 */

#ifndef MEDIA_H
#define MEDIA_H

#include "reply/turn.h"


/*
 * A step of a turn, behind deliver_check(), which finds the account.  A file
 * that cannot be had keeps no message from its answer: the record says why.
 */
turn_end_e media_take(turn_t *turn);

/* A task of the worker's: deletes files that are too old. */
void media_forget(void *worker);


#endif /* MEDIA_H */
