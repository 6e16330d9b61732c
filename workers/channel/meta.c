/*
 * Meta's WhatsApp Cloud API: texts and templates.  Formats and codes are those
 * of the OpenAPI "business-messaging-api v23.0" and of the page "Error codes".
 */

#include "channel/attached.h"
#include "channel/graph.h"
#include "channel/meta.h"
#include "channel/template.h"


#define META_TEXT         4096      /* characters of a message */
#define META_CAPTION  1024          /* beside a file */

#define META_PAIR_MS      6000      /* one message a contact in so long */
#define META_BUSY_MS      2000
#define META_BUDGET_MS    60000     /* of calls, which is an hour's */


static const graph_error_t  meta_errors[] = {
    { 80007, 80007, 0, CHANNEL_NOT_SENT, META_BUDGET_MS },
    { 130429, 130429, 0, CHANNEL_NOT_SENT, META_BUSY_MS },  /* throughput */
    { 131000, 131000, 0, CHANNEL_NOT_SENT, 0 },     /* something went wrong */
    { 131008, 131009, 0, CHANNEL_FAILED, 0 },       /* parameter */
    { 131016, 131016, 0, CHANNEL_NOT_SENT, 0 },     /* service away */
    { 131021, 131021, 0, CHANNEL_FAILED, 0 },       /* to ourselves */
    { 131026, 131026, 0, CHANNEL_FAILED, 0 },       /* undeliverable */
    { 131030, 131030, 0, CHANNEL_FAILED, 0 },       /* not in the test list */
    { 131031, 131031, 0, CHANNEL_SETUP, 0 },        /* account locked */
    { 131042, 131042, 0, CHANNEL_SETUP, 0 },        /* billing */
    { 131047, 131047, 0, CHANNEL_FAILED, 0 },       /* window closed */
    { 131048, 131048, 0, CHANNEL_SETUP, 0 },        /* spam limit */
    { 131049, 131049, 0, CHANNEL_FAILED, 0 },       /* kept back */
    { 131051, 131053, 0, CHANNEL_FAILED, 0 },       /* type, media */
    { 131056, 131056, 0, CHANNEL_NOT_SENT, -META_PAIR_MS },
    { 131057, 131057, 0, CHANNEL_NOT_SENT, 0 },     /* maintenance */
    { 131062, 131062, 0, CHANNEL_FAILED, 0 },       /* needs a number */
    { 132000, 132999, 0, CHANNEL_FAILED, 0 },       /* template */
    { 133004, 133004, 0, CHANNEL_NOT_SENT, 0 },     /* server away */
};


static const char *meta_check(const channel_account_t *account);
static channel_result_e meta_send(const channel_account_t *account,
    const channel_message_t *message, channel_answer_t *answer,
    arena_t *arena);


static channel_result_e meta_typing(const channel_account_t *account,
    const channel_message_t *message, channel_answer_t *answer,
    arena_t *arena);


static setter_str_t meta_type(const channel_message_t *message);
static void meta_write_buttons(const channel_message_t *message,
    setter_buf_t *body);
static void meta_write_file(const channel_message_t *message,
    setter_buf_t *body);
static void meta_write_template(const channel_template_t *template,
    setter_buf_t *body);


static const graph_api_t  meta_api = {
    "no sender: META_PHONE_NUMBER_ID is not set",
    "the sender is no phone number's id",
    meta_write,
    meta_judge,
    "messages.0.id",
    meta_errors,
    sizeof(meta_errors) / sizeof(meta_errors[0])
};

/* Shown until the answer is there, or for 25 s ("Typing indicators"). */
static const graph_api_t  meta_typing_api = {
    .no_sender = "no sender: META_PHONE_NUMBER_ID is not set",
    .bad_sender = "the sender is no phone number's id",
    .write = meta_write_typing,
    .judge = channel_judge_typing
};

/* "Messaging limits": a number's throughput, and to a person one in 6 s. */
static const channel_pace_t  meta_pace = {
    .host = "graph.facebook.com",
    .interval_us = 12500,
    .burst = 20,
    .pair_interval_us = 6000000,
    .pair_burst = 45
};

const channel_t  channel_meta = {
    .name = "meta",
    .check = meta_check,
    .send = meta_send,
    .reports = meta_reports,
    .pace = &meta_pace,
    .typing = meta_typing,
    .media = &graph_media,
    .max_text = META_TEXT,
    .max_caption = META_CAPTION,
    .templates = 1,
    .files = 1,
    .buttons = 1
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
    return graph_send(&meta_api, account, message, answer, arena);
}


static channel_result_e
meta_typing(const channel_account_t *account,
    const channel_message_t *message, channel_answer_t *answer,
    arena_t *arena)
{
    return graph_send(&meta_typing_api, account, message, answer, arena);
}


void
meta_write_typing(const channel_message_t *message, setter_buf_t *body)
{
    setter_str_t  whatsapp = setter_str("whatsapp");
    setter_str_t  status = setter_str("read");

    setter_buf_byte(body, '{');
    setter_json_member(body, "messaging_product", whatsapp);
    setter_json_member(body, "status", status);
    setter_json_member(body, "message_id", message->message_id);
    setter_buf_text(body, ",\"typing_indicator\":{\"type\":\"text\"}}");
}


/* Who has no number is known by a business-scoped id, "US.1349…". */
void
meta_write(const channel_message_t *message, setter_buf_t *body)
{
    setter_str_t  whatsapp = setter_str("whatsapp");
    setter_str_t  individual = setter_str("individual");

    setter_buf_byte(body, '{');
    setter_json_member(body, "messaging_product", whatsapp);
    setter_json_member(body, "recipient_type", individual);
    setter_json_member(body, graph_is_id(message->to) ? "to" : "recipient",
                       message->to);
    setter_json_member(body, "type", meta_type(message));

    if (message->filled != NULL) {
        meta_write_template(message->filled, body);

    } else if (message->with != NULL && message->with->nbuttons > 0) {
        meta_write_buttons(message, body);

    } else if (message->with != NULL) {
        meta_write_file(message, body);

    } else {
        setter_json_name(body, "text");
        setter_buf_text(body, "{\"preview_url\":false");
        setter_json_member(body, "body", message->text);
        setter_buf_byte(body, '}');
    }

    setter_json_member(body, "biz_opaque_callback_data",
                       message->message_id);
    setter_buf_byte(body, '}');
}


static setter_str_t
meta_type(const channel_message_t *message)
{
    setter_str_t  text = setter_str("text");
    setter_str_t  template = setter_str("template");
    setter_str_t  interactive = setter_str("interactive");

    if (message->filled != NULL) {
        return template;
    }

    if (message->with == NULL) {
        return text;
    }

    return message->with->nbuttons > 0 ? interactive
                                       : message->with->type_name;
}


/* "Interactive reply buttons messages" */
static void
meta_write_buttons(const channel_message_t *message, setter_buf_t *body)
{
    size_t        i;
    setter_str_t  button = setter_str("button"), reply = setter_str("reply");

    setter_json_name(body, "interactive");
    setter_buf_byte(body, '{');
    setter_json_member(body, "type", button);
    setter_buf_text(body, ",\"body\":{");
    setter_json_member(body, "text", message->text);
    setter_buf_text(body, "},\"action\":{\"buttons\":[");

    for (i = 0; i < message->with->nbuttons; i++) {
        setter_buf_append(body, ",", i > 0);
        setter_buf_byte(body, '{');
        setter_json_member(body, "type", reply);
        setter_buf_text(body, ",\"reply\":{");
        setter_json_member(body, "id", message->with->buttons[i].id);
        setter_json_member(body, "title", message->with->buttons[i].title);
        setter_buf_text(body, "}}");
    }

    setter_buf_text(body, "]}}");
}


/* "Image messages" and the like: by link */
static void
meta_write_file(const channel_message_t *message, setter_buf_t *body)
{
    const channel_attached_t  *with;

    with = message->with;

    setter_json_name(body, with->type_name.data);
    setter_buf_byte(body, '{');
    setter_json_member(body, "link", with->url);

    if (message->text.len > 0) {
        setter_json_member(body, "caption", message->text);
    }

    if (with->type == ATTACHED_DOCUMENT && with->filename.len > 0) {
        setter_json_member(body, "filename", with->filename);
    }

    setter_buf_byte(body, '}');
}


static void
meta_write_template(const channel_template_t *template, setter_buf_t *body)
{
    int           n;
    setter_str_t  rest, one;

    setter_json_name(body, "template");
    setter_buf_byte(body, '{');
    setter_json_member(body, "name", template->name);
    setter_json_name(body, "language");
    setter_buf_byte(body, '{');
    setter_json_member(body, "code", template->language);
    setter_buf_byte(body, '}');

    rest = template->parameters;

    if (rest.len > 0) {
        setter_json_name(body, "components");
        setter_buf_text(body, "[{\"type\":\"body\",\"parameters\":[");

        for (n = 0; template_next(&rest, &one); n++) {
            if (n > 0) {
                setter_buf_byte(body, ',');
            }

            setter_buf_text(body, "{\"type\":\"text\",\"text\":");
            setter_buf_append(body, one.data, one.len);
            setter_buf_byte(body, '}');
        }

        setter_buf_text(body, "]}]");
    }

    setter_buf_byte(body, '}');
}


void
meta_judge(const http_response_t *response, channel_answer_t *answer,
    arena_t *arena)
{
    graph_judge(&meta_api, response, answer, arena);
}
