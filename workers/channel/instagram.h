/*
 * Instagram's pure functions, for itself and its unit test.
 */

#ifndef INSTAGRAM_H
#define INSTAGRAM_H

#include "channel/provider.h"


void instagram_write(const channel_message_t *message, setter_buf_t *body);

/* That an answer is being written. */
void instagram_write_typing(const channel_message_t *message,
    setter_buf_t *body);

void instagram_judge(const http_response_t *response,
    channel_answer_t *answer, arena_t *arena);

/* channel_t's reports: {"messaging":[{"read":{"mid":…}}]} */
int instagram_reports(setter_str_t json, channel_report_t **reports,
    int *unused, arena_t *arena);


#endif /* INSTAGRAM_H */
