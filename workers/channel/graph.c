/*
 * Sends of Meta's Graph API: POST /<our id>/messages.
 */

#include <stdlib.h>
#include <string.h>

#include "channel/graph.h"


#define GRAPH_MAX_ID    32          /* bytes */
#define GRAPH_DIGITS    8           /* of a code */

#define GRAPH_BUDGET_MS  60000      /* of calls, which is an hour's */


enum {
    GRAPH_CODE,
    GRAPH_SUBCODE,
    GRAPH_TRANSIENT,
    GRAPH_ID,
    GRAPH_NPATHS
};

static const graph_error_t  graph_errors[] = {
    { 0, 0, 0, CHANNEL_SETUP, 0 },                  /* token */
    { 1, 2, 0, CHANNEL_NOT_SENT, 0 },               /* unknown, away */
    { 3, 3, 0, CHANNEL_SETUP, 0 },                  /* permission */
    { 4, 4, 0, CHANNEL_NOT_SENT, GRAPH_BUDGET_MS },     /* the app's calls */
    { 10, 10, 0, CHANNEL_SETUP, 0 },                /* permission */
    { 17, 17, 0, CHANNEL_NOT_SENT, GRAPH_BUDGET_MS },   /* a user's */
    { 32, 32, 0, CHANNEL_NOT_SENT, GRAPH_BUDGET_MS },   /* a page's */
    { 100, 100, 0, CHANNEL_FAILED, 0 },             /* parameter */
    { 190, 190, 0, CHANNEL_SETUP, 0 },              /* token expired */
    { 200, 299, 0, CHANNEL_SETUP, 0 },              /* permission */
    { 368, 368, 0, CHANNEL_SETUP, 0 },              /* blocked by policy */
};

#define GRAPH_NERRORS  (sizeof(graph_errors) / sizeof(graph_errors[0]))


static const char *graph_credential(const channel_account_t *account,
    arena_t *arena);
static const graph_error_t *graph_find(const graph_api_t *api,
    const setter_json_value_t *values);
static const graph_error_t *graph_look(const graph_error_t *errors, size_t n,
    int code, int subcode);
static int graph_number(const setter_json_value_t *value);
static void graph_say(const http_response_t *response,
    const graph_error_t *error, const setter_json_value_t *values,
    channel_answer_t *answer, arena_t *arena);


const channel_media_way_t  graph_media = {
    .hosts = ".facebook.com .fbsbx.com",
    .credential = graph_credential,
    .by_id = 1
};


static const char *
graph_credential(const channel_account_t *account, arena_t *arena)
{
    return arena_printf(arena, "Authorization: Bearer %s", account->api_key);
}


int
graph_is_id(setter_str_t text)
{
    size_t  i;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return 0;
        }
    }

    return text.len > 0 && text.len <= GRAPH_MAX_ID;
}


channel_result_e
graph_send(const graph_api_t *api, const channel_account_t *account,
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
        return channel_stop(answer, CHANNEL_SETUP, api->no_sender);
    }

    /* it becomes part of the URL */
    if (!graph_is_id(from)) {
        return channel_stop(answer, CHANNEL_FAILED, api->bad_sender);
    }

    request.path = arena_printf(arena, "/%.*s/messages", (int) from.len,
                                from.data);
    if (request.path == NULL) {
        return channel_stop(answer, CHANNEL_NOT_SENT, "out of memory");
    }

    request.scheme = "Bearer";
    request.timeout_ms = message->timeout_ms;
    request.judge = api->judge;

    setter_buf_init(&request.body, arena_alloc(arena), 1024);
    api->write(message, &request.body);

    return channel_post(account, message, &request, answer, arena);
}


void
graph_judge(const graph_api_t *api, const http_response_t *response,
    channel_answer_t *answer, arena_t *arena)
{
    int                   own;
    channel_result_e      result;
    setter_json_value_t   values[GRAPH_NPATHS];
    const graph_error_t  *error;

    const setter_json_path_t  paths[GRAPH_NPATHS] = {
        { "error.code", 0 },
        { "error.error_subcode", 0 },
        { "error.is_transient", 0 },
        { api->id, 0 },
    };

    if (setter_json_read(response->body, response->body_len,
                         SETTER_JSON_REPAIR, paths, GRAPH_NPATHS, values,
                         NULL, arena_alloc(arena))
        != SETTER_JSON_OK)
    {
        memset(values, 0, sizeof(values));
    }

    own = values[GRAPH_CODE].type == SETTER_JSON_NUMBER;

    if (!own && response->status / 100 == 2) {
        result = values[GRAPH_ID].text.len > 0 ? CHANNEL_SENT
                                               : CHANNEL_UNKNOWN;
        channel_say(response, answer, result, values[GRAPH_ID].text);
        answer->provider_id = values[GRAPH_ID].text;
        return;
    }

    error = graph_find(api, values);

    if (error != NULL) {
        graph_say(response, error, values, answer, arena);
        return;
    }

    result = own && values[GRAPH_TRANSIENT].type == SETTER_JSON_TRUE
             ? CHANNEL_NOT_SENT : channel_judge_status(response->status, own);
    channel_say(response, answer, result, values[GRAPH_CODE].text);
}


/* NULL: there is no code, or none that is known. */
static const graph_error_t *
graph_find(const graph_api_t *api, const setter_json_value_t *values)
{
    int                   code, subcode;
    const graph_error_t  *error;

    code = graph_number(&values[GRAPH_CODE]);
    subcode = graph_number(&values[GRAPH_SUBCODE]);

    if (code < 0) {
        return NULL;
    }

    error = graph_look(api->errors, api->nerrors, code, subcode);

    return error != NULL ? error
           : graph_look(graph_errors, GRAPH_NERRORS, code, subcode);
}


static const graph_error_t *
graph_look(const graph_error_t *errors, size_t n, int code, int subcode)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (code >= errors[i].low && code <= errors[i].high
            && (errors[i].subcode == 0 || errors[i].subcode == subcode))
        {
            return &errors[i];
        }
    }

    return NULL;
}


/* -1: it is none, or not one that a table could have. */
static int
graph_number(const setter_json_value_t *value)
{
    int     number;
    size_t  i;

    if (value->type != SETTER_JSON_NUMBER || !graph_is_id(value->text)
        || value->text.len > GRAPH_DIGITS)
    {
        return -1;
    }

    for (i = 0, number = 0; i < value->text.len; i++) {
        number = 10 * number + value->text.data[i] - '0';
    }

    return number;
}


/* With the subcode where that has told what it means: "400 10/2534022". */
static void
graph_say(const http_response_t *response, const graph_error_t *error,
    const setter_json_value_t *values, channel_answer_t *answer,
    arena_t *arena)
{
    const char    *text;
    setter_str_t   name;

    name = values[GRAPH_CODE].text;

    if (error->subcode != 0) {
        text = arena_printf(arena, "%.*s/%d", (int) name.len, name.data,
                            error->subcode);

        if (text != NULL) {
            name.data = text;
            name.len = strlen(text);
        }
    }

    channel_say(response, answer, error->result, name);

    if (answer->result != CHANNEL_NOT_SENT || error->wait_ms == 0) {
        return;
    }

    answer->busy = error->wait_ms > 0;

    if (answer->retry_after_ms < 0) {
        answer->retry_after_ms = labs(error->wait_ms);
    }
}
