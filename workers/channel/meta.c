/*
 * Meta's WhatsApp Cloud API: texts.  Formats and codes are those of the
 * OpenAPI "business-messaging-api v23.0" and of the page "Error codes".
 */

#include <string.h>

#include "channel/meta.h"


#define META_MAX_NUMBER   32        /* bytes of a phone number's id */
#define META_TEXT         4096      /* characters of a message */
#define META_CODE_DIGITS  6

#define META_PAIR_MS      6000      /* one message a contact in so long */
#define META_BUSY_MS      2000
#define META_BUDGET_MS    60000     /* of calls, which is an hour's */


enum {
    META_CODE,
    META_TRANSIENT,
    META_ID,
    META_NPATHS
};

static const setter_json_path_t  meta_paths[META_NPATHS] = {
    { "error.code", 0 },
    { "error.is_transient", 0 },
    { "messages.0.id", 0 },
};


/*
 * What a code means, whatever the status beside it: Meta's own pages disagree
 * on that.  Ranges, the first that fits; wait_ms: before the next try, where
 * it is more than a back-off's.
 */
static const struct {
    int                low, high;
    channel_result_e   result;
    int                wait_ms;
} meta_errors[] = {
    { 0, 0, CHANNEL_SETUP, 0 },                     /* token */
    { 1, 2, CHANNEL_NOT_SENT, 0 },                  /* unknown, away */
    { 3, 3, CHANNEL_SETUP, 0 },                     /* permission */
    { 4, 4, CHANNEL_NOT_SENT, META_BUDGET_MS },     /* calls of the app */
    { 10, 10, CHANNEL_SETUP, 0 },
    { 100, 100, CHANNEL_FAILED, 0 },                /* parameter */
    { 190, 190, CHANNEL_SETUP, 0 },                 /* token expired */
    { 200, 299, CHANNEL_SETUP, 0 },                 /* permission */
    { 368, 368, CHANNEL_SETUP, 0 },                 /* blocked by policy */
    { 80007, 80007, CHANNEL_NOT_SENT, META_BUDGET_MS },
    { 130429, 130429, CHANNEL_NOT_SENT, META_BUSY_MS },     /* throughput */
    { 131000, 131000, CHANNEL_NOT_SENT, 0 },        /* something went wrong */
    { 131008, 131009, CHANNEL_FAILED, 0 },          /* parameter */
    { 131016, 131016, CHANNEL_NOT_SENT, 0 },        /* service away */
    { 131021, 131021, CHANNEL_FAILED, 0 },          /* to ourselves */
    { 131026, 131026, CHANNEL_FAILED, 0 },          /* undeliverable */
    { 131030, 131030, CHANNEL_FAILED, 0 },          /* not in the test list */
    { 131031, 131031, CHANNEL_SETUP, 0 },           /* account locked */
    { 131042, 131042, CHANNEL_SETUP, 0 },           /* billing */
    { 131047, 131047, CHANNEL_FAILED, 0 },          /* window closed */
    { 131048, 131048, CHANNEL_SETUP, 0 },           /* spam limit */
    { 131049, 131049, CHANNEL_FAILED, 0 },          /* kept back */
    { 131051, 131053, CHANNEL_FAILED, 0 },          /* type, media */
    { 131056, 131056, CHANNEL_NOT_SENT, META_PAIR_MS },
    { 131057, 131057, CHANNEL_NOT_SENT, 0 },        /* maintenance */
    { 131062, 131062, CHANNEL_FAILED, 0 },          /* needs a number */
    { 132000, 132999, CHANNEL_FAILED, 0 },          /* template */
    { 133004, 133004, CHANNEL_NOT_SENT, 0 },        /* server away */
};

#define META_NERRORS  (sizeof(meta_errors) / sizeof(meta_errors[0]))


static const char *meta_check(const channel_account_t *account);
static channel_result_e meta_send(const channel_account_t *account,
    const channel_message_t *message, channel_answer_t *answer,
    arena_t *arena);
static int meta_is_number(setter_str_t text);
static int meta_find(setter_str_t text, size_t *place);


const channel_t  channel_meta = {
    .name = "meta",
    .check = meta_check,
    .send = meta_send,
    .reports = meta_reports,
    .max_text = META_TEXT
};


static const char *
meta_check(const channel_account_t *account)
{
    if (account->base_url == NULL || account->base_url[0] == '\0') {
        return "META_BASE_URL is not set";
    }

    if (account->api_key == NULL || account->api_key[0] == '\0') {
        return "META_ACCESS_TOKEN is not set";
    }

    return NULL;
}


/* The number that the message came to answers it. */
static channel_result_e
meta_send(const channel_account_t *account, const channel_message_t *message,
    channel_answer_t *answer, arena_t *arena)
{
    setter_str_t       from;
    channel_request_t  request;

    channel_answer_init(answer);
    from = message->from;

    if (from.len == 0 && account->sender != NULL) {
        from.data = account->sender;
        from.len = strlen(account->sender);
    }

    if (from.len == 0) {
        return channel_stop(answer, CHANNEL_SETUP,
                            "no sender: META_PHONE_NUMBER_ID is not set");
    }

    /* it becomes part of the URL */
    if (!meta_is_number(from)) {
        return channel_stop(answer, CHANNEL_FAILED,
                            "the sender is no phone number's id");
    }

    request.path = arena_printf(arena, "/%.*s/messages", (int) from.len,
                                from.data);
    if (request.path == NULL) {
        return channel_stop(answer, CHANNEL_NOT_SENT, "out of memory");
    }

    request.scheme = "Bearer";
    request.timeout_ms = message->timeout_ms;
    request.judge = meta_judge;

    setter_buf_init(&request.body, arena_alloc(arena), 1024);
    meta_write(message, &request.body);

    return channel_post(account, message, &request, answer, arena);
}


static int
meta_is_number(setter_str_t text)
{
    size_t  i;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return 0;
        }
    }

    return text.len > 0 && text.len <= META_MAX_NUMBER;
}


/* Who has no number is known by a business-scoped id, "US.1349…". */
void
meta_write(const channel_message_t *message, setter_buf_t *body)
{
    setter_str_t  whatsapp = setter_str("whatsapp");
    setter_str_t  individual = setter_str("individual");
    setter_str_t  text = setter_str("text");

    setter_buf_byte(body, '{');
    setter_json_member(body, "messaging_product", whatsapp);
    setter_json_member(body, "recipient_type", individual);
    setter_json_member(body, meta_is_number(message->to) ? "to" : "recipient",
                       message->to);
    setter_json_member(body, "type", text);

    setter_json_name(body, "text");
    setter_buf_text(body, "{\"preview_url\":false");
    setter_json_member(body, "body", message->text);
    setter_buf_byte(body, '}');

    setter_json_member(body, "biz_opaque_callback_data",
                       message->message_id);
    setter_buf_byte(body, '}');
}


void
meta_judge(const http_response_t *response, channel_answer_t *answer,
    arena_t *arena)
{
    int                   own;
    size_t                i;
    channel_result_e      result;
    setter_json_value_t   values[META_NPATHS], *code;

    if (setter_json_read(response->body, response->body_len,
                         SETTER_JSON_REPAIR, meta_paths, META_NPATHS, values,
                         NULL, arena_alloc(arena))
        != SETTER_JSON_OK)
    {
        memset(values, 0, sizeof(values));
    }

    code = &values[META_CODE];
    own = code->type == SETTER_JSON_NUMBER;

    if (!own && response->status / 100 == 2) {
        result = values[META_ID].text.len > 0 ? CHANNEL_SENT
                                              : CHANNEL_UNKNOWN;
        channel_say(response, answer, result, values[META_ID].text);
        answer->provider_id = values[META_ID].text;
        return;
    }

    if (own && meta_find(code->text, &i)) {
        channel_say(response, answer, meta_errors[i].result, code->text);

        if (answer->result == CHANNEL_NOT_SENT && answer->retry_after_ms < 0
            && meta_errors[i].wait_ms > 0)
        {
            answer->retry_after_ms = meta_errors[i].wait_ms;
        }

        return;
    }

    result = own && values[META_TRANSIENT].type == SETTER_JSON_TRUE
             ? CHANNEL_NOT_SENT : channel_judge_status(response->status, own);
    channel_say(response, answer, result, code->text);
}


static int
meta_find(setter_str_t text, size_t *place)
{
    int     code;
    size_t  i;

    if (!meta_is_number(text) || text.len > META_CODE_DIGITS) {
        return 0;
    }

    for (i = 0, code = 0; i < text.len; i++) {
        code = 10 * code + text.data[i] - '0';
    }

    for (i = 0; i < META_NERRORS; i++) {
        if (code >= meta_errors[i].low && code <= meta_errors[i].high) {
            *place = i;
            return 1;
        }
    }

    return 0;
}
