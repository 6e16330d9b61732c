/*
 * Infobip's pure functions, for itself and its unit test.
 */

#ifndef INFOBIP_H
#define INFOBIP_H

#include "channel/provider.h"


/* from: the sender, ours */
void infobip_write(const channel_message_t *message, setter_str_t from,
    setter_buf_t *body);

void infobip_judge(const http_response_t *response, channel_answer_t *answer,
    arena_t *arena);

/* channel_t's reports */
int infobip_reports(setter_str_t json, channel_report_t **reports,
    int *unused, arena_t *arena);


#endif /* INFOBIP_H */
