/*
 * OpenAI's chat completions, and whoever speaks them.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "llm/provider.h"
#include "setter_json.h"


#define OPENAI_MAX_NAME  100        /* bytes of a code in a reason */


enum {
    OPENAI_ERROR,
    OPENAI_ERROR_CODE,
    OPENAI_ERROR_TYPE,
    OPENAI_MODEL,
    OPENAI_CHOICE,
    OPENAI_CONTENT,
    OPENAI_REFUSAL,
    OPENAI_FINISH_REASON,
    OPENAI_PROMPT_TOKENS,
    OPENAI_COMPLETION_TOKENS,
    OPENAI_NPATHS
};

static const setter_json_path_t  openai_paths[OPENAI_NPATHS] = {
    { "error", 0 },
    { "error.code", 0 },
    { "error.type", 0 },
    { "model", 0 },
    { "choices.0", 0 },
    { "choices.0.message.content", 0 },
    { "choices.0.message.refusal", 0 },
    { "choices.0.finish_reason", 0 },
    { "usage.prompt_tokens", 0 },
    { "usage.completion_tokens", 0 },
};


/* What an error's code, or else its type, says whatever the status is. */
static const struct {
    const char   *name;
    llm_error_e   error;
} openai_errors[] = {
    { "insufficient_quota", LLM_SETUP },
    { "credit_balance_exhausted", LLM_SETUP },
    { "organization_spend_limit_exceeded", LLM_SETUP },
    { "project_spend_limit_exceeded", LLM_SETUP },
    { "organization_usage_limit_exceeded", LLM_SETUP },
    { "invalid_api_key", LLM_SETUP },
    { "model_not_found", LLM_SETUP },
    { "unsupported_country_region_territory", LLM_SETUP },
    { "context_length_exceeded", LLM_PERMANENT },
    { "rate_limit_exceeded", LLM_RETRY },
    { "slow_down", LLM_RETRY },
    { "server_error", LLM_RETRY },
    { "server_is_overloaded", LLM_RETRY },
    { "service_unavailable_error", LLM_RETRY },
};


static const char *openai_check(const llm_settings_t *settings);
static int openai_write(const llm_settings_t *settings,
    const llm_request_t *request, http_request_t *http, arena_t *arena);
static void openai_write_message(setter_buf_t *body,
    const llm_message_t *message);
static void openai_write_parts(setter_buf_t *body,
    const llm_message_t *message);
static void openai_judge(const http_response_t *response,
    llm_answer_t *answer, arena_t *arena);
static void openai_judge_error(const http_response_t *response,
    const setter_json_value_t *values, llm_answer_t *answer);
static void openai_say_name(llm_answer_t *answer, long status,
    setter_str_t name);
static llm_error_e openai_judge_status(long status);
static void openai_judge_answer(const setter_json_value_t *values,
    llm_answer_t *answer);
static void openai_say(llm_answer_t *answer, llm_error_e error,
    const char *reason);
static int openai_find(setter_str_t name, llm_error_e *error);
static int openai_is_blank(setter_str_t text);
static long openai_number(setter_str_t text);


const llm_provider_t  llm_openai = {
    "openai", openai_check, openai_write, openai_judge
};


/* A server of one's own may need no key; OpenAI's does. */
static const char *
openai_check(const llm_settings_t *settings)
{
    if (settings->base_url == NULL || settings->base_url[0] == '\0') {
        return "OPENAI_BASE_URL is not set: https://api.openai.com/v1, or "
               "another server's URL";
    }

    if (settings->model == NULL || settings->model[0] == '\0') {
        return "SETTER_LLM_MODEL is not set";
    }

    if ((settings->api_key == NULL || settings->api_key[0] == '\0')
        && strstr(settings->base_url, "//api.openai.com") != NULL)
    {
        return "OPENAI_API_KEY is not set: set it, or OPENAI_BASE_URL to a "
               "server that needs no key";
    }

    return NULL;
}


static int
openai_write(const llm_settings_t *settings, const llm_request_t *request,
    http_request_t *http, arena_t *arena)
{
    size_t         i, n;
    setter_buf_t   body;
    setter_str_t   model;
    const char   **headers;

    headers = arena_get(arena, 4 * sizeof(char *));

    if (headers == NULL) {
        return SETTER_ERROR;
    }

    n = 0;
    headers[n++] = "Content-Type: application/json";
    headers[n++] = "Accept: application/json";

    if (settings->api_key != NULL && settings->api_key[0] != '\0') {
        headers[n++] = arena_printf(arena, "Authorization: Bearer %s",
                                    settings->api_key);
    }

    headers[n] = NULL;

    model.data = settings->model;
    model.len = strlen(settings->model);

    setter_buf_init(&body, arena_alloc(arena), 4096);
    setter_buf_byte(&body, '{');
    setter_json_member(&body, "model", model);
    setter_json_name(&body, "messages");

    for (i = 0; i < request->nmessages; i++) {
        setter_buf_byte(&body, i == 0 ? '[' : ',');
        openai_write_message(&body, &request->messages[i]);
    }

    setter_buf_text(&body, "]}");

    http->url = llm_url(settings, "/chat/completions", arena);
    http->headers = headers;
    http->body = body.data;
    http->body_len = body.len;

    return http->url == NULL || headers[n - 1] == NULL || body.failed
           ? SETTER_ERROR : SETTER_OK;
}


/* With images the content is an array of parts. */
static void
openai_write_parts(setter_buf_t *body, const llm_message_t *message)
{
    size_t  i;

    setter_json_name(body, "content");
    setter_buf_text(body, "[{\"type\":\"text\"");
    setter_json_member(body, "text", message->text);
    setter_buf_byte(body, '}');

    for (i = 0; i < message->nimages; i++) {
        setter_buf_text(body, ",{\"type\":\"image_url\",\"image_url\":{");
        setter_json_member(body, "url", message->images[i]);
        setter_buf_text(body, "}}");
    }

    setter_buf_byte(body, ']');
}


static void
openai_write_message(setter_buf_t *body, const llm_message_t *message)
{
    static const setter_str_t  roles[] = {
        setter_str("system"), setter_str("user"), setter_str("assistant")
    };

    setter_buf_byte(body, '{');
    setter_json_member(body, "role", roles[message->role]);

    if (message->nimages > 0) {
        openai_write_parts(body, message);

    } else {
        setter_json_member(body, "content", message->text);
    }

    setter_buf_byte(body, '}');
}


static void
openai_judge(const http_response_t *response, llm_answer_t *answer,
    arena_t *arena)
{
    int                  readable;
    setter_json_value_t  values[OPENAI_NPATHS];

    readable = setter_json_read(response->body, response->body_len,
                                SETTER_JSON_REPAIR, openai_paths,
                                OPENAI_NPATHS, values, NULL,
                                arena_alloc(arena))
               == SETTER_JSON_OK;

    if (!readable) {
        memset(values, 0, sizeof(values));
    }

    if (response->status / 100 != 2
        || values[OPENAI_ERROR].type > SETTER_JSON_NULL)
    {
        openai_judge_error(response, values, answer);

    } else if (!readable) {
        openai_say(answer, LLM_RETRY, "200 without JSON");

    } else {
        openai_judge_answer(values, answer);
    }
}


void
openai_judge_failed(const http_response_t *response, llm_answer_t *answer,
    arena_t *arena)
{
    openai_judge(response, answer, arena);
}


/*
 * The code decides, then the type, then the status; x-should-retry has the
 * last word on a retry.  Behind a proxy an error may stand in a 200, with the
 * true status as its code.
 */
static void
openai_judge_error(const http_response_t *response,
    const setter_json_value_t *values, llm_answer_t *answer)
{
    long                        status;
    const setter_json_value_t  *code, *type;

    code = &values[OPENAI_ERROR_CODE];
    type = &values[OPENAI_ERROR_TYPE];
    status = response->status;

    if (status / 100 == 2) {
        if (code->type == SETTER_JSON_NUMBER) {
            status = openai_number(code->text);

        } else {
            status = setter_str_is(type->text, "invalid_request_error") ? 400
                                                                        : 500;
        }
    }

    if (!openai_find(code->text, &answer->error)
        && !openai_find(type->text, &answer->error))
    {
        answer->error = openai_judge_status(status);
    }

    if (answer->error == LLM_RETRY && response->should_retry < 0) {
        answer->error = LLM_PERMANENT;
    }

    if (answer->error == LLM_PERMANENT && response->should_retry > 0) {
        answer->error = LLM_RETRY;
    }

    if (answer->error == LLM_RETRY) {
        answer->retry_after_ms = response->retry_after_ms;
    }

    openai_say_name(answer, response->status,
                    code->text.len > 0 ? code->text : type->text);
}


/* A reason of a status and a name, not of whatever stood in its place. */
static void
openai_say_name(llm_answer_t *answer, long status, setter_str_t name)
{
    size_t  n;

    for (n = 0; n < name.len && n < OPENAI_MAX_NAME; n++) {
        if (name.data[n] <= ' ' || name.data[n] > '~') {
            break;
        }
    }

    snprintf(answer->reason, sizeof(answer->reason), "%ld %.*s", status,
             (int) n, n > 0 ? name.data : "");
}


static llm_error_e
openai_judge_status(long status)
{
    switch (status) {

    case 408:
    case 409:
    case 429:
        return LLM_RETRY;

    case 400:
    case 413:
    case 422:
        return LLM_PERMANENT;

    default:
        /* also 401, 403, 404, and a redirect: the URL or the key is wrong */
        return status >= 500 ? LLM_RETRY : LLM_SETUP;
    }
}


static void
openai_judge_answer(const setter_json_value_t *values, llm_answer_t *answer)
{
    setter_str_t  finish;

    answer->model = values[OPENAI_MODEL].text;
    answer->prompt_tokens = openai_number(values[OPENAI_PROMPT_TOKENS].text);
    answer->completion_tokens =
        openai_number(values[OPENAI_COMPLETION_TOKENS].text);

    finish = values[OPENAI_FINISH_REASON].text;

    if (values[OPENAI_CHOICE].type != SETTER_JSON_OBJECT) {
        openai_say(answer, LLM_RETRY, "200 without choices");

    } else if (setter_str_is(finish, "content_filter")) {
        openai_say(answer, LLM_PERMANENT, "content_filter");

    } else if (values[OPENAI_REFUSAL].text.len > 0) {
        openai_say(answer, LLM_PERMANENT, "refusal");

    } else if (values[OPENAI_CONTENT].type == SETTER_JSON_STRING
               && !openai_is_blank(values[OPENAI_CONTENT].text))
    {
        answer->error = LLM_OK;
        answer->text = values[OPENAI_CONTENT].text;

    } else if (setter_str_is(finish, "length")) {
        openai_say(answer, LLM_PERMANENT, "no text within the token limit");

    } else {
        openai_say(answer, LLM_RETRY, "no text");
    }
}


static void
openai_say(llm_answer_t *answer, llm_error_e error, const char *reason)
{
    answer->error = error;
    snprintf(answer->reason, sizeof(answer->reason), "%s", reason);
}


/* Looks a code or type up: 1 and its error, or 0. */
static int
openai_find(setter_str_t name, llm_error_e *error)
{
    size_t  i;

    for (i = 0; i < sizeof(openai_errors) / sizeof(openai_errors[0]); i++) {
        if (setter_str_is(name, openai_errors[i].name)) {
            *error = openai_errors[i].error;
            return 1;
        }
    }

    return 0;
}


static int
openai_is_blank(setter_str_t text)
{
    size_t  i;

    for (i = 0; i < text.len; i++) {
        if (strchr(" \t\r\n", text.data[i]) == NULL) {
            return 0;
        }
    }

    return 1;
}


/* A count: 0 where there is none. */
static long
openai_number(setter_str_t text)
{
    size_t  i;
    long    number;

    number = 0;

    for (i = 0; i < text.len && i < 10; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            break;
        }

        number = number * 10 + (text.data[i] - '0');
    }

    return number;
}
