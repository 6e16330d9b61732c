/*
 * Infobip: WhatsApp texts and templates.
 */

#include <string.h>

#include "channel/attached.h"
#include "channel/infobip.h"
#include "channel/media.h"
#include "channel/template.h"


#define INFOBIP_TEXT  4096          /* characters of a message */
#define INFOBIP_CAPTION  1024       /* beside a file */


enum {
    INFOBIP_EXCEPTION,
    INFOBIP_ERROR_CODE,
    INFOBIP_MESSAGE_ID,
    INFOBIP_STATUS_GROUP,
    INFOBIP_STATUS_NAME,
    INFOBIP_FIRST_ID,           /* of templates, which may be many */
    INFOBIP_FIRST_GROUP,
    INFOBIP_FIRST_NAME,
    INFOBIP_NPATHS
};

static const setter_json_path_t  infobip_paths[INFOBIP_NPATHS] = {
    { "requestError.serviceException.messageId", 0 },
    { "errorCode", 0 },
    { "messageId", 0 },
    { "status.groupName", 0 },
    { "status.name", 0 },
    { "messages.0.messageId", 0 },
    { "messages.0.status.groupName", 0 },
    { "messages.0.status.name", 0 },
};


/*
 * Codes of errors, names of statuses and then their groups.  A duplicate is
 * what an earlier try of ours left behind: it went out after all.
 */
static const struct {
    const char        *name;
    channel_result_e   result;
} infobip_results[] = {
    { "BAD_REQUEST", CHANNEL_FAILED },
    { "UNAUTHORIZED", CHANNEL_SETUP },
    { "FORBIDDEN", CHANNEL_SETUP },
    { "TOO_MANY_REQUESTS", CHANNEL_NOT_SENT },
    { "GENERAL_ERROR", CHANNEL_NOT_SENT },
    { "REJECTED_DUPLICATE_MESSAGE_ID", CHANNEL_SENT },
    { "OK", CHANNEL_SENT },
    { "PENDING", CHANNEL_SENT },
    { "DELIVERED", CHANNEL_SENT },
    { "UNDELIVERABLE", CHANNEL_FAILED },
    { "EXPIRED", CHANNEL_FAILED },
    { "REJECTED", CHANNEL_FAILED },
};

#define INFOBIP_NRESULTS                                                      \
    (sizeof(infobip_results) / sizeof(infobip_results[0]))


static const char *infobip_credential(const channel_account_t *account,
    arena_t *arena);
static const char *infobip_check(const channel_account_t *account);
static channel_result_e infobip_send(const channel_account_t *account,
    const channel_message_t *message, channel_answer_t *answer,
    arena_t *arena);
static const char *infobip_path(const channel_message_t *message);
static void infobip_write_attached(const channel_message_t *message,
    setter_buf_t *body);
static void infobip_write_content(const channel_message_t *message,
    setter_buf_t *body);
static int infobip_find(setter_str_t name, channel_result_e *result);


static const channel_media_way_t  infobip_media = {
    .hosts = ".infobip.com",
    .credential = infobip_credential
};

const channel_t  channel_infobip = {
    .name = "infobip",
    .check = infobip_check,
    .send = infobip_send,
    .reports = infobip_reports,
    .media = &infobip_media,
    .max_text = INFOBIP_TEXT,
    .max_caption = INFOBIP_CAPTION,
    .templates = 1,
    .files = 1,
    .buttons = 1
};


static const char *
infobip_credential(const channel_account_t *account, arena_t *arena)
{
    return arena_printf(arena, "Authorization: App %s", account->api_key);
}


static const char *
infobip_check(const channel_account_t *account)
{
    if (account->base_url == NULL || account->base_url[0] == '\0') {
        return "INFOBIP_BASE_URL is not set";
    }

    if (account->api_key == NULL || account->api_key[0] == '\0') {
        return "INFOBIP_API_KEY is not set";
    }

    return NULL;
}


static channel_result_e
infobip_send(const channel_account_t *account,
    const channel_message_t *message, channel_answer_t *answer,
    arena_t *arena)
{
    setter_str_t       from;
    channel_request_t  request;

    channel_answer_init(answer);
    memset(&request, 0, sizeof(request));
    from = message->from;

    if (from.len == 0 && account->sender != NULL) {
        from.data = account->sender;
        from.len = strlen(account->sender);
    }

    if (from.len == 0) {
        return channel_stop(answer, CHANNEL_SETUP,
                            "no sender: INFOBIP_SENDER is not set");
    }

    request.path = infobip_path(message);
    request.scheme = "App";
    request.timeout_ms = message->timeout_ms;
    request.judge = infobip_judge;

    setter_buf_init(&request.body, arena_alloc(arena), 1024);
    infobip_write(message, from, &request.body);

    return channel_post(account, message, &request, answer, arena);
}


static const char *
infobip_path(const channel_message_t *message)
{
    static const char *const  files[] = {       /* by attached_type_e */
        "/whatsapp/1/message/image", "/whatsapp/1/message/video",
        "/whatsapp/1/message/audio", "/whatsapp/1/message/document"
    };

    if (message->filled != NULL) {
        return "/whatsapp/1/message/template";
    }

    if (message->with == NULL) {
        return "/whatsapp/1/message/text";
    }

    return message->with->nbuttons > 0
           ? "/whatsapp/1/message/interactive/buttons"
           : files[message->with->type];
}


/* Our id goes twice: reports name it, and echo the callback's data. */
void
infobip_write(const channel_message_t *message, setter_str_t from,
    setter_buf_t *body)
{
    if (message->filled != NULL) {
        setter_buf_text(body, "{\"messages\":[");
    }

    setter_buf_byte(body, '{');
    setter_json_member(body, "from", from);
    setter_json_member(body, "to", message->to);
    setter_json_member(body, "messageId", message->message_id);

    setter_json_name(body, "content");
    setter_buf_byte(body, '{');
    infobip_write_content(message, body);
    setter_buf_byte(body, '}');

    setter_json_member(body, "callbackData", message->message_id);
    setter_buf_byte(body, '}');

    if (message->filled != NULL) {
        setter_buf_text(body, "]}");
    }
}


static void
infobip_write_content(const channel_message_t *message, setter_buf_t *body)
{
    setter_str_t               none = setter_str("[]");
    const setter_str_t        *list;
    const channel_template_t  *template;

    template = message->filled;

    if (message->with != NULL) {
        infobip_write_attached(message, body);
        return;
    }

    if (template == NULL) {
        setter_json_member(body, "text", message->text);
        return;
    }

    list = template->parameters.len > 0 ? &template->parameters : &none;

    setter_json_member(body, "templateName", template->name);
    setter_json_name(body, "templateData");
    setter_buf_text(body, "{\"body\":{\"placeholders\":");
    setter_buf_append(body, list->data, list->len);
    setter_buf_text(body, "}}");
    setter_json_member(body, "language", template->language);
}


/* "Send WhatsApp image message" and the like; "… interactive buttons …" */
static void
infobip_write_attached(const channel_message_t *message, setter_buf_t *body)
{
    size_t                     i;
    setter_str_t               reply = setter_str("REPLY");
    const channel_attached_t  *with;

    with = message->with;

    if (with->nbuttons == 0) {
        setter_json_member(body, "mediaUrl", with->url);

        if (message->text.len > 0) {
            setter_json_member(body, "caption", message->text);
        }

        if (with->type == ATTACHED_DOCUMENT && with->filename.len > 0) {
            setter_json_member(body, "filename", with->filename);
        }

        return;
    }

    setter_buf_text(body, "\"body\":{");
    setter_json_member(body, "text", message->text);
    setter_buf_text(body, "},\"action\":{\"buttons\":[");

    for (i = 0; i < with->nbuttons; i++) {
        setter_buf_append(body, ",", i > 0);
        setter_buf_byte(body, '{');
        setter_json_member(body, "type", reply);
        setter_json_member(body, "id", with->buttons[i].id);
        setter_json_member(body, "title", with->buttons[i].title);
        setter_buf_byte(body, '}');
    }

    setter_buf_text(body, "]}");
}


/* A 200 is not a delivery: a refusal may stand in it. */
void
infobip_judge(const http_response_t *response, channel_answer_t *answer,
    arena_t *arena)
{
    channel_result_e      result;
    setter_json_value_t   values[INFOBIP_NPATHS], *error, *status;

    if (setter_json_read(response->body, response->body_len,
                         SETTER_JSON_REPAIR, infobip_paths, INFOBIP_NPATHS,
                         values, NULL, arena_alloc(arena))
        != SETTER_JSON_OK)
    {
        memset(values, 0, sizeof(values));
    }

    if (values[INFOBIP_FIRST_GROUP].type != SETTER_JSON_ABSENT) {
        values[INFOBIP_MESSAGE_ID] = values[INFOBIP_FIRST_ID];
        values[INFOBIP_STATUS_GROUP] = values[INFOBIP_FIRST_GROUP];
        values[INFOBIP_STATUS_NAME] = values[INFOBIP_FIRST_NAME];
    }

    status = &values[INFOBIP_STATUS_NAME];
    error = &values[INFOBIP_EXCEPTION];

    if (error->type == SETTER_JSON_ABSENT) {
        error = &values[INFOBIP_ERROR_CODE];
    }

    if (response->status / 100 != 2 || error->type != SETTER_JSON_ABSENT) {
        if (!infobip_find(error->text, &result)) {
            result = channel_judge_status(response->status,
                                       error->type == SETTER_JSON_STRING);
        }

        channel_say(response, answer, result, error->text);
        return;
    }

    if (!infobip_find(status->text, &result)
        && !infobip_find(values[INFOBIP_STATUS_GROUP].text, &result))
    {
        result = CHANNEL_UNKNOWN;
    }

    channel_say(response, answer, result, status->text);
    answer->provider_id = values[INFOBIP_MESSAGE_ID].text;
}


/* Looks a name up: 1 and its result, or 0. */
static int
infobip_find(setter_str_t name, channel_result_e *result)
{
    size_t  i;

    for (i = 0; i < INFOBIP_NRESULTS; i++) {
        if (setter_str_is(name, infobip_results[i].name)) {
            *result = infobip_results[i].result;
            return 1;
        }
    }

    return 0;
}
