/*
 * ManyChat's pure functions, for its unit test.
 */

#ifndef MANYCHAT_H
#define MANYCHAT_H

#include "channel/provider.h"


void manychat_write(const channel_message_t *message, setter_buf_t *body);

void manychat_judge(const http_response_t *response, channel_answer_t *answer,
    arena_t *arena);

#endif /* MANYCHAT_H */
