/*
 * ManyChat: pushes content to a subscriber, whatever the channel behind it.
 */

#include <string.h>

#include "channel/attached.h"
#include "channel/manychat.h"
#include "channel/split.h"
#include "runtime/loop.h"


#define MANYCHAT_MESSAGES  10       /* in one request */
#define MANYCHAT_TEXT      4096     /* characters of a message */
#define MANYCHAT_INSTAGRAM 1000     /* bytes of one on Instagram */
#define MANYCHAT_INT_MAX   18       /* digits that any integer type holds */


enum {
    MANYCHAT_STATUS,
    MANYCHAT_CODE,
    MANYCHAT_NPATHS
};

static const setter_json_path_t  manychat_paths[MANYCHAT_NPATHS] = {
    { "status", 0 },
    { "code", 0 },
};


/* What an error's code says; an error without one is judged by its status. */
static const struct {
    const char        *code;
    channel_result_e   result;
} manychat_errors[] = {
    { "2011", CHANNEL_FAILED },     /* user_ref unknown */
    { "2012", CHANNEL_NOT_SENT },   /* user_ref not linked yet */
    { "3011", CHANNEL_FAILED },     /* last interaction over 24 h ago */
    { "3021", CHANNEL_FAILED },     /* no one-time notification token */
    { "3031", CHANNEL_FAILED },     /* no notification reason */
};

#define MANYCHAT_NERRORS                                                      \
    (sizeof(manychat_errors) / sizeof(manychat_errors[0]))


/* Over its limit ManyChat may stop an account for a day: no bursts. */
static const channel_pace_t  manychat_pace = {
    .host = "api.manychat.com",
    .interval_us = 40000,
    .burst = 1,
    .by_key = 1
};


static const char *manychat_check(const channel_account_t *account);
static channel_result_e manychat_send(const channel_account_t *account,
    const channel_message_t *message, channel_answer_t *answer,
    arena_t *arena);
static void manychat_write_file(const channel_attached_t *with,
    setter_buf_t *body);
static void manychat_write_texts(const channel_message_t *message,
    setter_buf_t *body);
static int manychat_is_integer(setter_str_t id);
static channel_result_e manychat_judge_error(const http_response_t *response,
    const setter_json_value_t *values);


const channel_t  channel_manychat = {
    .name = "manychat",
    .check = manychat_check,
    .send = manychat_send,
    .pace = &manychat_pace,
    .files = 1
};


static const char *
manychat_check(const channel_account_t *account)
{
    if (account->base_url == NULL || account->base_url[0] == '\0') {
        return "MANYCHAT_BASE_URL is not set";
    }

    if (account->api_key == NULL || account->api_key[0] == '\0') {
        return "MANYCHAT_API_KEY is not set";
    }

    return NULL;
}


static channel_result_e
manychat_send(const channel_account_t *account,
    const channel_message_t *message, channel_answer_t *answer,
    arena_t *arena)
{
    channel_request_t  request;

    channel_answer_init(answer);
    memset(&request, 0, sizeof(request));

    request.path = "/fb/sending/sendContent";
    request.scheme = "Bearer";
    request.timeout_ms = message->timeout_ms;
    request.judge = manychat_judge;

    setter_buf_init(&request.body, arena_alloc(arena), 1024);
    manychat_write(message, &request.body);

    return channel_post(account, message, &request, answer, arena);
}


/* Ids are integers to ManyChat; one that is none goes as it is. */
void
manychat_write(const channel_message_t *message, setter_buf_t *body)
{
    setter_str_t  version = setter_str("v2");

    setter_buf_byte(body, '{');
    setter_json_name(body, "subscriber_id");

    if (manychat_is_integer(message->to)) {
        setter_buf_append(body, message->to.data, message->to.len);

    } else {
        setter_json_string(body, message->to.data, message->to.len);
    }

    setter_json_name(body, "data");
    setter_buf_byte(body, '{');
    setter_json_member(body, "version", version);
    setter_json_name(body, "content");
    setter_buf_byte(body, '{');

    if (message->surface.len > 0) {
        setter_json_member(body, "type", message->surface);
    }

    if (message->with != NULL) {
        manychat_write_file(message->with, body);

    } else {
        manychat_write_texts(message, body);
    }

    setter_buf_text(body, ",\"actions\":[]");

    if (!setter_str_is(message->surface, "whatsapp")
        && !setter_str_is(message->surface, "telegram"))
    {
        setter_buf_text(body, ",\"quick_replies\":[]");
    }

    setter_buf_text(body, "}}}");
}


/* Instagram and WhatsApp take images alone through ManyChat. */
static void
manychat_write_file(const channel_attached_t *with, setter_buf_t *body)
{
    setter_str_t  file = setter_str("file");

    setter_json_name(body, "messages");
    setter_buf_text(body, "[{");
    setter_json_member(body, "type", with->type == ATTACHED_DOCUMENT
                                     ? file : with->type_name);
    setter_json_member(body, "url", with->url);
    setter_buf_text(body, "}]");
}


/* A long text is many messages, sent in order; the last has the rest. */
static void
manychat_write_texts(const channel_message_t *message, setter_buf_t *body)
{
    int           n, bytes;
    size_t        limit;
    setter_str_t  rest, part, type = setter_str("text");

    bytes = setter_str_is(message->surface, "instagram");
    limit = bytes ? MANYCHAT_INSTAGRAM : MANYCHAT_TEXT;
    rest = message->text;
    n = 0;

    setter_json_name(body, "messages");
    setter_buf_byte(body, '[');

    do {
        if (n == MANYCHAT_MESSAGES - 1
            || !split_next(&rest, limit, bytes, &part))
        {
            part = rest;
            rest.len = 0;
        }

        if (n > 0) {
            setter_buf_byte(body, ',');
        }

        setter_buf_byte(body, '{');
        setter_json_member(body, "type", type);
        setter_json_member(body, "text", part);
        setter_buf_byte(body, '}');

        n++;

    } while (rest.len > 0);

    setter_buf_byte(body, ']');
}


static int
manychat_is_integer(setter_str_t id)
{
    size_t  i;

    for (i = 0; i < id.len; i++) {
        if (id.data[i] < '0' || id.data[i] > '9') {
            return 0;
        }
    }

    return id.len > 0 && id.len <= MANYCHAT_INT_MAX && id.data[0] != '0';
}


void
manychat_judge(const http_response_t *response, channel_answer_t *answer,
    arena_t *arena)
{
    channel_result_e     result;
    setter_json_value_t  values[MANYCHAT_NPATHS];

    if (setter_json_read(response->body, response->body_len,
                         SETTER_JSON_REPAIR, manychat_paths, MANYCHAT_NPATHS,
                         values, NULL, arena_alloc(arena))
        != SETTER_JSON_OK)
    {
        memset(values, 0, sizeof(values));
    }

    if (response->status / 100 == 2
        && setter_str_is(values[MANYCHAT_STATUS].text, "success"))
    {
        result = CHANNEL_SENT;

    } else {
        result = manychat_judge_error(response, values);
    }

    channel_say(response, answer, result, values[MANYCHAT_CODE].text);
}


/* An error may come with a 200: it is a refusal all the same. */
static channel_result_e
manychat_judge_error(const http_response_t *response,
    const setter_json_value_t *values)
{
    int           own;
    size_t        i;
    setter_str_t  code;

    own = setter_str_is(values[MANYCHAT_STATUS].text, "error");
    code = values[MANYCHAT_CODE].text;

    for (i = 0; own && i < MANYCHAT_NERRORS; i++) {
        if (setter_str_is(code, manychat_errors[i].code)) {
            return manychat_errors[i].result;
        }
    }

    if (own && response->status / 100 == 2) {
        return CHANNEL_FAILED;
    }

    return channel_judge_status(response->status, own);
}
