/*
 * Long texts, cut into what a provider takes at a time.
 */

#ifndef CHANNEL_SPLIT_H
#define CHANNEL_SPLIT_H

#include "setter_buf.h"


/*
 * The next part of a text of valid UTF-8: at most limit characters (code
 * points), or bytes, and never empty.  It ends with a paragraph, else with a
 * sentence, a line or a word, where one ends in the last two thirds of what
 * fits; else between two characters as one sees them, where these are not too
 * long.  White space at the cuts is dropped, and nothing else.
 * text moves on.  1, or 0 when nothing is left.
 */
int split_next(setter_str_t *text, size_t limit, int bytes,
    setter_str_t *part);

/* How long it is by that measure: characters, or bytes. */
size_t split_size(setter_str_t text, int bytes);


#endif /* CHANNEL_SPLIT_H */
