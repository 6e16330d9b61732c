/*
 * Instagram messaging: texts, and who has seen them, as "Send Messages" of the
 * Instagram API has it.  The subcodes come from what gateways have seen.
 */

#include "channel/graph.h"
#include "channel/attached.h"
#include "channel/instagram.h"


#define INSTAGRAM_TEXT      1000    /* bytes of a message */
#define INSTAGRAM_BUSY_MS   2000    /* the limit is one of calls a second */
#define INSTAGRAM_ANY_CODE  0, 999999


static const graph_error_t  instagram_errors[] = {
    { 10, 10, 2534022, CHANNEL_FAILED, 0 },         /* window closed */
    { 100, 100, 2534014, CHANNEL_FAILED, 0 },       /* no such person */
    { INSTAGRAM_ANY_CODE, 2534025, CHANNEL_FAILED, 0 }, /* private reply */
    { INSTAGRAM_ANY_CODE, 2534001, CHANNEL_FAILED, 0 }, /* thread archived */
    { 2, 2, 1545133, CHANNEL_NOT_SENT, 0 },         /* temporary */
    { 551, 551, 0, CHANNEL_FAILED, 0 },             /* not available */
    { 613, 613, 0, CHANNEL_NOT_SENT, INSTAGRAM_BUSY_MS },
};


static const char *instagram_check(const channel_account_t *account);
static channel_result_e instagram_send(const channel_account_t *account,
    const channel_message_t *message, channel_answer_t *answer,
    arena_t *arena);
static channel_result_e instagram_typing(const channel_account_t *account,
    const channel_message_t *message, channel_answer_t *answer,
    arena_t *arena);
static void instagram_write_file(const channel_attached_t *with,
    setter_buf_t *body);
static void instagram_write_buttons(const channel_attached_t *with,
    setter_buf_t *body);
static int instagram_report(const setter_json_value_t *element,
    channel_report_t *report, arena_t *arena);


static const graph_api_t  instagram_api = {
    "no sender: INSTAGRAM_ACCOUNT_ID is not set",
    "the sender is no account's id",
    instagram_write,
    instagram_judge,
    "message_id",
    instagram_errors,
    sizeof(instagram_errors) / sizeof(instagram_errors[0])
};

/* As Messenger has it: shown until the answer is there. */
static const graph_api_t  instagram_typing_api = {
    .no_sender = "no sender: INSTAGRAM_ACCOUNT_ID is not set",
    .bad_sender = "the sender is no account's id",
    .write = instagram_write_typing,
    .judge = channel_judge_typing
};

/* "Rate limits": 300 texts a second. */
static const channel_pace_t  instagram_pace = {
    .host = "graph.instagram.com",
    .interval_us = 3334,
    .burst = 30
};

const channel_t  channel_instagram = {
    .name = "instagram",
    .pace = &instagram_pace,
    .check = instagram_check,
    .send = instagram_send,
    .reports = instagram_reports,
    .typing = instagram_typing,
    .max_text = INSTAGRAM_TEXT,
    .bytes = 1,
    .files = 1,
    .buttons = 1
};


static const char *
instagram_check(const channel_account_t *account)
{
    if (account->base_url == NULL || account->base_url[0] == '\0') {
        return "INSTAGRAM_BASE_URL is not set";
    }

    if (account->api_key == NULL || account->api_key[0] == '\0') {
        return "INSTAGRAM_ACCESS_TOKEN is not set";
    }

    return NULL;
}


/* The account that the message came to answers it. */
static channel_result_e
instagram_send(const channel_account_t *account,
    const channel_message_t *message, channel_answer_t *answer,
    arena_t *arena)
{
    return graph_send(&instagram_api, account, message, answer, arena);
}


static channel_result_e
instagram_typing(const channel_account_t *account,
    const channel_message_t *message, channel_answer_t *answer,
    arena_t *arena)
{
    return graph_send(&instagram_typing_api, account, message, answer, arena);
}


void
instagram_write_typing(const channel_message_t *message, setter_buf_t *body)
{
    setter_str_t  action = setter_str("typing_on");

    setter_buf_byte(body, '{');
    setter_json_name(body, "recipient");
    setter_buf_byte(body, '{');
    setter_json_member(body, "id", message->to);
    setter_buf_byte(body, '}');
    setter_json_member(body, "sender_action", action);
    setter_buf_byte(body, '}');
}


/* People are known by ids that hold for our account alone. */
void
instagram_write(const channel_message_t *message, setter_buf_t *body)
{
    setter_buf_byte(body, '{');
    setter_json_name(body, "recipient");
    setter_buf_byte(body, '{');
    setter_json_member(body, "id", message->to);
    setter_buf_byte(body, '}');

    setter_json_name(body, "message");
    setter_buf_byte(body, '{');

    if (message->with != NULL && message->with->nbuttons == 0) {
        instagram_write_file(message->with, body);

    } else {
        setter_json_member(body, "text", message->text);

        if (message->with != NULL) {
            instagram_write_buttons(message->with, body);
        }
    }

    setter_buf_text(body, "}}");
}


/* "Send a message with an image, video or audio": a document is a "file" */
static void
instagram_write_file(const channel_attached_t *with, setter_buf_t *body)
{
    setter_str_t  file = setter_str("file");

    setter_json_name(body, "attachment");
    setter_buf_byte(body, '{');
    setter_json_member(body, "type", with->type == ATTACHED_DOCUMENT
                                     ? file : with->type_name);
    setter_json_name(body, "payload");
    setter_buf_byte(body, '{');
    setter_json_member(body, "url", with->url);
    setter_buf_text(body, "}}");
}


/* "Quick replies" */
static void
instagram_write_buttons(const channel_attached_t *with, setter_buf_t *body)
{
    size_t        i;
    setter_str_t  text = setter_str("text");

    setter_json_name(body, "quick_replies");
    setter_buf_byte(body, '[');

    for (i = 0; i < with->nbuttons; i++) {
        setter_buf_append(body, ",", i > 0);
        setter_buf_byte(body, '{');
        setter_json_member(body, "content_type", text);
        setter_json_member(body, "title", with->buttons[i].title);
        setter_json_member(body, "payload", with->buttons[i].id);
        setter_buf_byte(body, '}');
    }

    setter_buf_byte(body, ']');
}


void
instagram_judge(const http_response_t *response, channel_answer_t *answer,
    arena_t *arena)
{
    graph_judge(&instagram_api, response, answer, arena);
}


int
instagram_reports(setter_str_t json, channel_report_t **reports, int *unused,
    arena_t *arena)
{
    return channel_reports(json, "messaging", instagram_report, reports,
                           unused, arena);
}


/* Instagram tells nothing but what was seen. */
static int
instagram_report(const setter_json_value_t *element, channel_report_t *report,
    arena_t *arena)
{
    setter_json_value_t  mid;

    static const setter_json_path_t  path = { "read.mid", 0 };

    if (element->type != SETTER_JSON_OBJECT
        || setter_json_read(element->text.data, element->text.len,
                            SETTER_JSON_REPAIR, &path, 1, &mid, NULL,
                            arena_alloc(arena))
           != SETTER_JSON_OK)
    {
        return 0;
    }

    report->state = "read";
    report->provider_id = mid.text;

    return mid.text.len > 0;
}
