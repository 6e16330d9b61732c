/*
 * ManyChat's pure functions, for its unit test.
 */

#ifndef MANYCHAT_H
#define MANYCHAT_H

#include "channel/provider.h"


void manychat_write(const channel_message_t *message, setter_buf_t *body);

void manychat_judge(const http_response_t *response, channel_answer_t *answer,
    arena_t *arena);

/*
 * Takes the key's next turn to send: how many ms from now it is.  Where that
 * is more than limit_ms no turn is taken.
 */
int64_t manychat_pace(const char *api_key, int64_t now_ms, int64_t limit_ms);


#endif /* MANYCHAT_H */
