/*
 * Twilio's pure functions, for itself and its unit test.
 */

#ifndef TWILIO_H
#define TWILIO_H

#include "channel/provider.h"


void twilio_write(const channel_message_t *message, setter_str_t from,
    setter_buf_t *body);

void twilio_write_typing(const channel_message_t *message,
    setter_buf_t *body);

void twilio_judge(const http_response_t *response, channel_answer_t *answer,
    arena_t *arena);

/* channel_t's reports: {"statuses":[…]}, as setter_format_twilio.c has them */
int twilio_reports(setter_str_t json, channel_report_t **reports,
    int *unused, arena_t *arena);

/* What a code means; 0 when it is not known.  wait_ms: before another try. */
int twilio_code(setter_str_t code, channel_result_e *result, int *wait_ms);


#endif /* TWILIO_H */
