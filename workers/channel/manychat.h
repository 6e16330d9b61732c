/*
 * ManyChat's pure functions, for its unit test.
 */

#ifndef MANYCHAT_H
#define MANYCHAT_H

#include "channel/provider.h"


void manychat_write(const channel_message_t *message, setter_buf_t *body);

void manychat_judge(const http_response_t *response, channel_answer_t *answer,
    arena_t *arena);

/* As channel_t's pace, whatever the host, with the time given. */
int64_t manychat_turn(const char *api_key, int64_t now_ms, int64_t limit_ms);


#endif /* MANYCHAT_H */
