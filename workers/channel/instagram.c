/*
 * Instagram messaging: texts, and who has seen them, as "Send Messages" of the
 * Instagram API has it.  Codes are Meta's; the subcodes come from what
 * gateways have seen.
 */

#include <string.h>

#include "channel/instagram.h"


#define INSTAGRAM_MAX_ID   32       /* bytes of an account's id */
#define INSTAGRAM_TEXT     1000     /* bytes of a message */
#define INSTAGRAM_RATE_MS  2000


enum {
    INSTAGRAM_CODE,
    INSTAGRAM_SUBCODE,
    INSTAGRAM_TRANSIENT,
    INSTAGRAM_ID,
    INSTAGRAM_NPATHS
};

static const setter_json_path_t  instagram_paths[INSTAGRAM_NPATHS] = {
    { "error.code", 0 },
    { "error.error_subcode", 0 },
    { "error.is_transient", 0 },
    { "message_id", 0 },
};


/* What a code means, whatever the status beside it. */
static const struct {
    const char        *code;
    channel_result_e   result;
    int                wait_ms;     /* before the next try, at least */
} instagram_errors[] = {
    { "1", CHANNEL_NOT_SENT, 0 },                   /* unknown */
    { "2", CHANNEL_NOT_SENT, 0 },                   /* away */
    { "3", CHANNEL_SETUP, 0 },                      /* permission */
    { "4", CHANNEL_NOT_SENT, INSTAGRAM_RATE_MS },   /* calls of the app */
    { "10", CHANNEL_FAILED, 0 },                    /* window closed */
    { "17", CHANNEL_NOT_SENT, INSTAGRAM_RATE_MS },  /* calls of the user */
    { "32", CHANNEL_NOT_SENT, INSTAGRAM_RATE_MS },  /* calls of the page */
    { "100", CHANNEL_FAILED, 0 },                   /* parameter, no user */
    { "190", CHANNEL_SETUP, 0 },                    /* token */
    { "200", CHANNEL_SETUP, 0 },                    /* permission */
    { "230", CHANNEL_SETUP, 0 },
    { "368", CHANNEL_SETUP, 0 },                    /* blocked by policy */
    { "551", CHANNEL_FAILED, 0 },                   /* not available */
    { "613", CHANNEL_NOT_SENT, INSTAGRAM_RATE_MS }, /* rate */
};

#define INSTAGRAM_NERRORS                                                     \
    (sizeof(instagram_errors) / sizeof(instagram_errors[0]))

/* The subcode of code 10 where it is the window; others lack a permission. */
#define INSTAGRAM_WINDOW  "2534022"


static const char *instagram_check(const channel_account_t *account);
static channel_result_e instagram_send(const channel_account_t *account,
    const channel_message_t *message, channel_answer_t *answer,
    arena_t *arena);
static int instagram_is_id(setter_str_t text);
static channel_result_e instagram_judge_error(long status,
    const setter_json_value_t *values, int *wait_ms);
static int instagram_report(const setter_json_value_t *element,
    channel_report_t *report, arena_t *arena);


const channel_t  channel_instagram = {
    .name = "instagram",
    .check = instagram_check,
    .send = instagram_send,
    .reports = instagram_reports,
    .max_text = INSTAGRAM_TEXT,
    .bytes = 1
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
                            "no sender: INSTAGRAM_ACCOUNT_ID is not set");
    }

    /* it becomes part of the URL */
    if (!instagram_is_id(from)) {
        return channel_stop(answer, CHANNEL_FAILED,
                            "the sender is no account's id");
    }

    request.path = arena_printf(arena, "/%.*s/messages", (int) from.len,
                                from.data);
    if (request.path == NULL) {
        return channel_stop(answer, CHANNEL_NOT_SENT, "out of memory");
    }

    request.scheme = "Bearer";
    request.timeout_ms = message->timeout_ms;
    request.judge = instagram_judge;

    setter_buf_init(&request.body, arena_alloc(arena), 1280);
    instagram_write(message, &request.body);

    return channel_post(account, message, &request, answer, arena);
}


static int
instagram_is_id(setter_str_t text)
{
    size_t  i;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return 0;
        }
    }

    return text.len > 0 && text.len <= INSTAGRAM_MAX_ID;
}


void
instagram_write(const channel_message_t *message, setter_buf_t *body)
{
    setter_buf_text(body, "{\"recipient\":{");
    setter_json_member(body, "id", message->to);
    setter_buf_text(body, "},\"message\":{");
    setter_json_member(body, "text", message->text);
    setter_buf_text(body, "}}");
}


void
instagram_judge(const http_response_t *response, channel_answer_t *answer,
    arena_t *arena)
{
    int                   own, wait_ms;
    channel_result_e      result;
    setter_json_value_t   values[INSTAGRAM_NPATHS], *name;

    if (setter_json_read(response->body, response->body_len,
                         SETTER_JSON_REPAIR, instagram_paths,
                         INSTAGRAM_NPATHS, values, NULL, arena_alloc(arena))
        != SETTER_JSON_OK)
    {
        memset(values, 0, sizeof(values));
    }

    own = values[INSTAGRAM_CODE].type == SETTER_JSON_NUMBER;

    if (!own && response->status / 100 == 2) {
        result = values[INSTAGRAM_ID].text.len > 0 ? CHANNEL_SENT
                                                   : CHANNEL_UNKNOWN;
        channel_say(response, answer, result, values[INSTAGRAM_ID].text);
        answer->provider_id = values[INSTAGRAM_ID].text;
        return;
    }

    wait_ms = 0;
    name = values[INSTAGRAM_SUBCODE].text.len > 0
           ? &values[INSTAGRAM_SUBCODE] : &values[INSTAGRAM_CODE];
    result = own ? instagram_judge_error(response->status, values, &wait_ms)
                 : channel_judge_status(response->status, 0);

    channel_say(response, answer, result, name->text);

    if (result == CHANNEL_NOT_SENT && answer->retry_after_ms < 0
        && wait_ms > 0)
    {
        answer->retry_after_ms = wait_ms;
    }
}


static channel_result_e
instagram_judge_error(long status, const setter_json_value_t *values,
    int *wait_ms)
{
    size_t        i;
    setter_str_t  code, subcode;

    code = values[INSTAGRAM_CODE].text;
    subcode = values[INSTAGRAM_SUBCODE].text;

    if (setter_str_is(code, "10") && subcode.len > 0
        && !setter_str_is(subcode, INSTAGRAM_WINDOW))
    {
        return CHANNEL_SETUP;
    }

    for (i = 0; i < INSTAGRAM_NERRORS; i++) {
        if (setter_str_is(code, instagram_errors[i].code)) {
            *wait_ms = instagram_errors[i].wait_ms;
            return instagram_errors[i].result;
        }
    }

    return values[INSTAGRAM_TRANSIENT].type == SETTER_JSON_TRUE
           ? CHANNEL_NOT_SENT : channel_judge_status(status, 1);
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
