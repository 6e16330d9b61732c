/*
 * The providers of channels, and the rules of delivery they share.
 */

#include <stdio.h>
#include <string.h>

#include "channel/attached.h"
#include "channel/provider.h"
#include "channel/split.h"
#include "channel/template.h"
#include "runtime/task.h"


#define CHANNEL_MAX_NAME  100       /* bytes of a code in a reason */

#define CHANNEL_TRIES     3         /* of a part behind another */
#define CHANNEL_PAUSE_MS  500
#define CHANNEL_WAIT_MS   5000      /* between them, at most */


static const setter_str_t  none;

static const channel_t *const  channels[] = {
    &channel_infobip,
    &channel_manychat,
    &channel_instagram,
    &channel_meta,
    &channel_twilio,
    NULL
};


static channel_result_e channel_send_text(const channel_t *channel,
    const channel_account_t *account, const channel_message_t *message,
    int n, channel_answer_t *answer, arena_t *arena);
static channel_result_e channel_send_attached(const channel_t *channel,
    const channel_account_t *account, const channel_message_t *message,
    channel_answer_t *answer, arena_t *arena);
static channel_result_e channel_send_template(const channel_t *channel,
    const channel_account_t *account, const channel_message_t *message,
    channel_answer_t *answer, arena_t *arena);
static channel_result_e channel_send_part(const channel_t *channel,
    const channel_account_t *account, const channel_message_t *part, int n,
    channel_answer_t *answer, arena_t *arena);
static int channel_write(const channel_account_t *account,
    const channel_message_t *message, const channel_request_t *request,
    http_request_t *http, arena_t *arena);


const channel_t *
channel_find(setter_str_t name)
{
    const channel_t *const  *channel;

    for (channel = channels; *channel != NULL; channel++) {
        if (setter_str_is(name, (*channel)->name)) {
            break;
        }
    }

    return *channel;
}


const channel_t *const *
channel_all(void)
{
    return channels;
}


channel_result_e
channel_send(const channel_t *channel, const channel_account_t *account,
    const channel_message_t *message, channel_answer_t *answer,
    arena_t *arena)
{
    if (message->template.len > 0) {
        return channel_send_template(channel, account, message, answer,
                                     arena);
    }

    return message->attached.len > 0
           ? channel_send_attached(channel, account, message, answer, arena)
           : channel_send_text(channel, account, message, 1, answer, arena);
}


/* Its parts; the first of them is the message's nth. */
static channel_result_e
channel_send_text(const channel_t *channel, const channel_account_t *account,
    const channel_message_t *message, int n, channel_answer_t *answer,
    arena_t *arena)
{
    int                 more;
    setter_str_t        rest, next;
    channel_message_t   part;

    part = *message;
    rest = message->text;

    if (channel->max_text == 0
        || !split_next(&rest, channel->max_text, channel->bytes, &part.text)
        || rest.len == 0)
    {
        return channel_send_part(channel, account, message, n, answer, arena);
    }

    for (more = 1; more; n++, part.text = next) {
        more = split_next(&rest, channel->max_text, channel->bytes, &next);

        /* what is reported of the last one is true of all before it */
        part.message_id = more ? none : message->message_id;

        if (channel_send_part(channel, account, &part, n, answer, arena)
            != CHANNEL_SENT)
        {
            break;
        }
    }

    return answer->result;
}


/*
 * A file has its text beside it where that fits; else the text follows, once
 * the file was accepted.
 */
static channel_result_e
channel_send_attached(const channel_t *channel,
    const channel_account_t *account, const channel_message_t *message,
    channel_answer_t *answer, arena_t *arena)
{
    const char          *reason;
    channel_message_t    file, text;
    channel_attached_t   with;

    reason = attached_read(&with, message->attached, arena);

    if (reason == NULL) {
        reason = with.nbuttons > 0 && !channel->buttons
                 ? "the provider has no buttons"
                 : with.nbuttons == 0 && !channel->files
                 ? "the provider sends no files" : NULL;
    }

    if (reason != NULL) {
        channel_answer_init(answer);
        return channel_stop(answer, CHANNEL_FAILED, reason);
    }

    file = *message;
    file.with = &with;

    if (with.nbuttons > 0 || message->text.len == 0
        || (with.type != ATTACHED_AUDIO
            && split_size(message->text, channel->bytes)
               <= channel->max_caption))
    {
        return channel->send(account, &file, answer, arena);
    }

    file.text = none;
    file.message_id = none;

    if (channel->send(account, &file, answer, arena) != CHANNEL_SENT) {
        return answer->result;
    }

    text = *message;
    text.attached = none;

    return channel_send_text(channel, account, &text, 2, answer, arena);
}


static channel_result_e
channel_send_template(const channel_t *channel,
    const channel_account_t *account, const channel_message_t *message,
    channel_answer_t *answer, arena_t *arena)
{
    const char          *reason;
    channel_message_t    whole;
    channel_template_t   template;

    reason = channel->templates
             ? template_read(&template, message->template, arena)
             : "the provider has no templates";

    if (reason != NULL) {
        channel_answer_init(answer);
        return channel_stop(answer, CHANNEL_FAILED, reason);
    }

    whole = *message;
    whole.filled = &template;

    return channel->send(account, &whole, answer, arena);
}


/* Of the nth of the parts: once the person has the beginning, the rest is
 * worth a wait. */
static channel_result_e
channel_send_part(const channel_t *channel, const channel_account_t *account,
    const channel_message_t *part, int n, channel_answer_t *answer,
    arena_t *arena)
{
    int      tries;
    char     reason[sizeof(answer->reason)];
    int64_t  ms;

    for (tries = 1; channel->send(account, part, answer, arena)
                    == CHANNEL_NOT_SENT && n > 1 && tries < CHANNEL_TRIES;
         tries++)
    {
        ms = answer->retry_after_ms > CHANNEL_PAUSE_MS
             ? answer->retry_after_ms : CHANNEL_PAUSE_MS;

        if (ms > CHANNEL_WAIT_MS || task_sleep(ms) != TASK_OK) {
            break;
        }
    }

    if (n == 1 || answer->result == CHANNEL_SENT) {
        return answer->result;
    }

    snprintf(reason, sizeof(reason), "part %d: %.120s", n, answer->reason);
    return channel_stop(answer, CHANNEL_UNKNOWN, reason);
}


void
channel_answer_init(channel_answer_t *answer)
{
    memset(answer, 0, sizeof(channel_answer_t));
    answer->retry_after_ms = -1;
}


channel_result_e
channel_post(const channel_account_t *account,
    const channel_message_t *message, const channel_request_t *request,
    channel_answer_t *answer, arena_t *arena)
{
    http_request_t   http;
    http_response_t  response;

    if (channel_write(account, message, request, &http, arena) != SETTER_OK) {
        return channel_stop(answer, CHANNEL_NOT_SENT, "out of memory");
    }

    if (http_call(&http, &response, arena) == HTTP_OK) {
        request->judge(&response, answer, arena);
        return answer->result;
    }

    return channel_stop(answer, channel_judge_transport(&response),
                        response.reason);
}


/* A send leaves once: libcurl would repeat it on a connection that died. */
static int
channel_write(const channel_account_t *account,
    const channel_message_t *message, const channel_request_t *request,
    http_request_t *http, arena_t *arena)
{
    size_t        len;
    const char  **headers;

    headers = arena_get(arena, 4 * sizeof(char *));

    if (headers == NULL || request->body.failed) {
        return SETTER_ERROR;
    }

    headers[0] = arena_printf(arena, "Authorization: %s %s", request->scheme,
                              request->token != NULL ? request->token
                                                     : account->api_key);
    headers[1] = request->content_type == NULL
                 ? "Content-Type: application/json"
                 : arena_printf(arena, "Content-Type: %s",
                                request->content_type);
    headers[2] = "Accept: application/json";
    headers[3] = NULL;

    len = strlen(account->base_url);

    while (len > 0 && account->base_url[len - 1] == '/') {
        len--;
    }

    memset(http, 0, sizeof(http_request_t));
    http->method = "POST";
    http->url = arena_printf(arena, "%.*s%s", (int) len, account->base_url,
                             request->path);
    http->headers = headers;
    http->body = request->body.data;
    http->body_len = request->body.len;
    http->timeout_ms = request->timeout_ms;
    http->before_send = message->before_send;
    http->before_send_data = message->before_send_data;
    http->once = 1;
    http->egress = account->egress;

    return headers[0] == NULL || headers[1] == NULL || http->url == NULL
           ? SETTER_ERROR : SETTER_OK;
}


/*
 * Once bytes may have left, only an answer can tell.  HTTP_REFUSED then means
 * that http did not let libcurl send them a second time.
 */
channel_result_e
channel_judge_transport(const http_response_t *response)
{
    if (response->may_have_left) {
        return CHANNEL_UNKNOWN;
    }

    if (response->error == HTTP_FORBIDDEN) {
        return CHANNEL_SETUP;
    }

    return response->error == HTTP_REFUSED ? CHANNEL_WITHHELD
                                           : CHANNEL_NOT_SENT;
}


/*
 * 408 and 429 say that nothing was done yet, 401 that the key is refused.  A
 * 5xx that is not in the
 * provider's own words comes from a proxy, which cannot know what the
 * provider did.
 */
channel_result_e
channel_judge_status(long status, int own_body)
{
    if (status == 408 || status == 429) {
        return CHANNEL_NOT_SENT;
    }

    if (status == 401) {
        return CHANNEL_SETUP;
    }

    if (status >= 500) {
        return own_body ? CHANNEL_NOT_SENT : CHANNEL_UNKNOWN;
    }

    return status >= 300 ? CHANNEL_FAILED : CHANNEL_UNKNOWN;
}


void
channel_say(const http_response_t *response, channel_answer_t *answer,
    channel_result_e result, setter_str_t name)
{
    size_t  n;

    answer->result = result;

    if (result == CHANNEL_NOT_SENT) {
        answer->retry_after_ms = response->retry_after_ms;
        answer->busy = response->status == 429;
    }

    /* a name, not whatever somebody put into its place */
    for (n = 0; n < name.len && n < CHANNEL_MAX_NAME; n++) {
        if (name.data[n] <= ' ' || name.data[n] > '~') {
            break;
        }
    }

    snprintf(answer->reason, sizeof(answer->reason), "%ld %.*s",
             response->status, (int) n, n > 0 ? name.data : "");
}


void
channel_judge_typing(const http_response_t *response,
    channel_answer_t *answer, arena_t *arena)
{
    (void) arena;

    channel_say(response, answer, response->status / 100 == 2
                                  ? CHANNEL_SENT : CHANNEL_FAILED, none);
}


channel_result_e
channel_stop(channel_answer_t *answer, channel_result_e result,
    const char *reason)
{
    answer->result = result;
    snprintf(answer->reason, sizeof(answer->reason), "%s", reason);

    return result;
}
