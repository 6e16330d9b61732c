/*
 * Meta's pure functions, for itself and its unit test.
 */

#ifndef META_H
#define META_H

#include "channel/provider.h"


void meta_write(const channel_message_t *message, setter_buf_t *body);

/* That the message of that id was read, and an answer is being written. */
void meta_write_typing(const channel_message_t *message, setter_buf_t *body);

void meta_judge(const http_response_t *response, channel_answer_t *answer,
    arena_t *arena);

/* channel_t's reports: {"statuses":[…]}, as a webhook's value has them */
int meta_reports(setter_str_t json, channel_report_t **reports,
    int *unused, arena_t *arena);


#endif /* META_H */
