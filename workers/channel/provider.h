/*
 * What the providers of channels share: the call between a provider's two
 * pure functions, one that writes a request and one that judges a response,
 * and the rules of delivery that hold for all of them.
 */

#ifndef CHANNEL_PROVIDER_H
#define CHANNEL_PROVIDER_H

#include "channel/channel.h"
#include "runtime/http.h"
#include "setter_json.h"


/*
 * Fills in answer (nothing in it, retry_after_ms -1) from a response that
 * came whole, whatever its status.
 */
typedef void (*channel_judge_pt)(const http_response_t *response,
    channel_answer_t *answer, arena_t *arena);

typedef struct {
    const char        *path;            /* behind the account's base_url */
    const char        *scheme;          /* of Authorization: "Bearer" */
    const char        *token;           /* behind it; NULL: the key */
    const char        *content_type;    /* NULL: of JSON */
    setter_buf_t       body;
    int64_t            timeout_ms;
    channel_judge_pt   judge;
} channel_request_t;


/* Nothing known yet: to begin a send with. */
void channel_answer_init(channel_answer_t *answer);

/* Sends the request, once, and returns answer->result. */
channel_result_e channel_post(const channel_account_t *account,
    const channel_message_t *message, const channel_request_t *request,
    channel_answer_t *answer, arena_t *arena);

/* What it means that no whole response came. */
channel_result_e channel_judge_transport(const http_response_t *response);

/*
 * What a refusal means by its status, where the provider's code says no
 * more.  own_body: the body is the provider's own error format.
 */
channel_result_e channel_judge_status(long status, int own_body);

/* Notes a result with its reason, "<status> <name>". */
void channel_say(const http_response_t *response, channel_answer_t *answer,
    channel_result_e result, setter_str_t name);

/* A channel_judge_pt, where nothing is sent but that an answer is being
 * written. */
void channel_judge_typing(const http_response_t *response,
    channel_answer_t *answer, arena_t *arena);

/* As channel_say(), before there was any response. */
channel_result_e channel_stop(channel_answer_t *answer,
    channel_result_e result, const char *reason);


/* Fills in an all-zero report: 1, or 0 when the element is none. */
typedef int (*channel_report_pt)(const setter_json_value_t *element,
    channel_report_t *report, arena_t *arena);

/* channel_t's reports(), of what is an array in that member of the object. */
int channel_reports(setter_str_t json, const char *member,
    channel_report_pt read, channel_report_t **reports, int *unused,
    arena_t *arena);


extern const channel_t  channel_infobip;
extern const channel_t  channel_manychat;
extern const channel_t  channel_instagram;
/* Why a message failed: "131047 Re-engagement message"; no memory: nothing. */
setter_str_t channel_reason(setter_str_t code, setter_str_t title,
    arena_t *arena);


extern const channel_t  channel_meta;
extern const channel_t  channel_twilio;


#endif /* CHANNEL_PROVIDER_H */
