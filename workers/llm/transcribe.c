#include <stdio.h>
#include <string.h>

#include "llm/provider.h"
#include "llm/transcribe.h"
#include "setter_json.h"
#include "setter_uuid.h"


#define TRANSCRIBE_HEAD  1024       /* bytes around the recording, about */


static const char *transcribe_boundary(arena_t *arena);
static void transcribe_write(setter_buf_t *body, const char *boundary,
    const char *model, const llm_recording_t *recording);
static void transcribe_put(setter_buf_t *body, const char *text);
static void transcribe_judge(const http_response_t *response,
    llm_answer_t *answer, arena_t *arena);


llm_error_e
llm_transcribe(const llm_settings_t *settings,
    const llm_recording_t *recording, llm_answer_t *answer, arena_t *arena)
{
    const char       *boundary, *headers[3] = { NULL };
    setter_buf_t      body;
    http_request_t    http;
    http_response_t   response;

    memset(answer, 0, sizeof(llm_answer_t));
    answer->error = LLM_RETRY;
    answer->retry_after_ms = -1;

    memset(&http, 0, sizeof(http_request_t));
    setter_buf_init(&body, arena_alloc(arena),
                    recording->data.len + TRANSCRIBE_HEAD);

    boundary = transcribe_boundary(arena);
    http.url = llm_url(settings, "/audio/transcriptions", arena);

    if (boundary != NULL) {
        transcribe_write(&body, boundary, settings->model, recording);
        headers[0] = arena_printf(arena, "Content-Type: multipart/form-data; "
                                  "boundary=%s", boundary);
    }

    if (settings->api_key != NULL && settings->api_key[0] != '\0') {
        headers[1] = arena_printf(arena, "Authorization: Bearer %s",
                                  settings->api_key);
    }

    if (headers[0] == NULL || http.url == NULL || body.failed) {
        snprintf(answer->reason, sizeof(answer->reason), "out of memory");
        return answer->error;
    }

    http.method = "POST";
    http.headers = headers;
    http.body = body.data;
    http.body_len = body.len;
    http.timeout_ms = recording->timeout_ms;

    if (http_call(&http, &response, arena) == HTTP_OK) {
        transcribe_judge(&response, answer, arena);

    } else {
        answer->error = response.error == HTTP_CANCELLED ? LLM_CANCELLED
                                                         : LLM_RETRY;
        snprintf(answer->reason, sizeof(answer->reason), "%s",
                 response.reason);
    }

    return answer->error;
}


/* RFC 2046: in no recording, as nobody can foresee it. */
static const char *
transcribe_boundary(arena_t *arena)
{
    char  id[SETTER_UUID_LEN];

    return setter_uuid_v7(id, 0) == SETTER_OK
           ? arena_printf(arena, "setter-%.*s", SETTER_UUID_LEN, id) : NULL;
}


/* RFC 7578 */
static void
transcribe_write(setter_buf_t *body, const char *boundary, const char *model,
    const llm_recording_t *recording)
{
    transcribe_put(body, "--");
    transcribe_put(body, boundary);
    transcribe_put(body, "\r\nContent-Disposition: form-data; "
                   "name=\"model\"\r\n\r\n");
    transcribe_put(body, model);
    transcribe_put(body, "\r\n--");
    transcribe_put(body, boundary);
    transcribe_put(body, "\r\nContent-Disposition: form-data; "
                   "name=\"response_format\"\r\n\r\njson\r\n--");
    transcribe_put(body, boundary);
    transcribe_put(body, "\r\nContent-Disposition: form-data; name=\"file\"; "
                   "filename=\"");
    transcribe_put(body, recording->name);
    transcribe_put(body, "\"\r\nContent-Type: ");
    transcribe_put(body, recording->type);
    transcribe_put(body, "\r\n\r\n");
    setter_buf_append(body, recording->data.data, recording->data.len);
    transcribe_put(body, "\r\n--");
    transcribe_put(body, boundary);
    transcribe_put(body, "--\r\n");
}


static void
transcribe_put(setter_buf_t *body, const char *text)
{
    setter_buf_append(body, text, strlen(text));
}


static void
transcribe_judge(const http_response_t *response, llm_answer_t *answer,
    arena_t *arena)
{
    setter_json_value_t  value;

    static const setter_json_path_t  path = { "text", 0 };

    if (response->status / 100 != 2) {
        openai_judge_failed(response, answer, arena);
        return;
    }

    if (setter_json_read(response->body, response->body_len,
                         SETTER_JSON_REPAIR, &path, 1, &value, NULL,
                         arena_alloc(arena))
        != SETTER_JSON_OK
        || value.type != SETTER_JSON_STRING)
    {
        snprintf(answer->reason, sizeof(answer->reason), "200 without text");
        return;
    }

    answer->error = LLM_OK;
    answer->text = value.text;
}
