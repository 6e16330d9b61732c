/*
 * Rules of conversation: who has opted out, and when it is too much.
 */

#ifndef RULES_H
#define RULES_H

#include "reply/turn.h"


typedef enum {
    RULES_NOTHING = 0,
    RULES_STOP,         /* no more messages, please */
    RULES_START         /* messages again */
} rules_word_e;

/*
 * Whether the text is, all of it, one of the words that people use for this,
 * or of the tenant's own (with commas between them; NULL: none).  Case and
 * what stands around it do not count.
 */
rules_word_e rules_word(setter_str_t text, const char *own);

/*
 * For messages that are recorded and wait for an answer: TURN_GOES_ON, or the
 * turn's end, because the person wants none, or the conversation is held.
 */
turn_end_e rules_check(turn_t *turn);

/*
 * An answer is ready and the window for free text has closed: what the
 * tenant's policy makes of it.  TURN_GOES_ON: the reply is a template now, and
 * may be sent; else the turn's end.
 */
turn_end_e rules_closed(turn_t *turn);


#endif /* RULES_H */
