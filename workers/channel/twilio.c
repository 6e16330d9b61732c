/*
 * Twilio: WhatsApp texts, as the OpenAPI of "api v2010" has the call "Send a
 * message"; codes are those of the "Error and Warning Dictionary".
 */

#include <string.h>

#include <openssl/evp.h>

#include "channel/attached.h"
#include "channel/media.h"
#include "channel/template.h"
#include "channel/twilio.h"


#define TWILIO_TEXT     1600        /* characters of a message */

#define TWILIO_API        "https://api.twilio.com"
#define TWILIO_MESSAGING  "https://messaging.twilio.com"
#define TWILIO_BUSY_MS  2000
#define TWILIO_DAY_MS   3600000     /* an account's daily limit: much later */
#define TWILIO_SID_MAX  64
#define TWILIO_OPT_OUT  "21610"


enum {
    TWILIO_CODE,
    TWILIO_SID,
    TWILIO_STATUS,
    TWILIO_ERROR,
    TWILIO_NPATHS
};

static const setter_json_path_t  twilio_paths[TWILIO_NPATHS] = {
    { "code", 0 },
    { "sid", 0 },
    { "status", 0 },
    { "error_code", 0 },
};


static const struct {
    const char        *code;
    channel_result_e   result;
    int                wait_ms;
} twilio_codes[] = {
    { "20003", CHANNEL_SETUP, 0 },              /* credentials */
    { "20404", CHANNEL_SETUP, 0 },              /* no such account */
    { "20429", CHANNEL_NOT_SENT, 0 },           /* too many at a time */
    { "21211", CHANNEL_FAILED, 0 },             /* to whom? */
    { "21212", CHANNEL_SETUP, 0 },              /* from whom? */
    { "21408", CHANNEL_FAILED, 0 },             /* region */
    { "21606", CHANNEL_SETUP, 0 },              /* not our number */
    { TWILIO_OPT_OUT, CHANNEL_FAILED, 0 },
    { "21611", CHANNEL_NOT_SENT, TWILIO_BUSY_MS },      /* queue full */
    { "21617", CHANNEL_FAILED, 0 },             /* too long */
    { "21656", CHANNEL_FAILED, 0 },             /* template's variables */
    { "21910", CHANNEL_FAILED, 0 },             /* two channels */
    { "30001", CHANNEL_NOT_SENT, TWILIO_BUSY_MS },      /* queue */
    { "30003", CHANNEL_FAILED, 0 },             /* unreachable */
    { "30005", CHANNEL_FAILED, 0 },             /* unknown */
    { "30008", CHANNEL_FAILED, 0 },
    { "63001", CHANNEL_SETUP, 0 },              /* the channel's credentials */
    { "63003", CHANNEL_FAILED, 0 },             /* no such person */
    { "63005", CHANNEL_FAILED, 0 },             /* content */
    { "63007", CHANNEL_SETUP, 0 },              /* not a channel's number */
    { "63009", CHANNEL_NOT_SENT, 0 },           /* the channel is away */
    { "63010", CHANNEL_NOT_SENT, 0 },           /* Twilio is */
    { "63012", CHANNEL_NOT_SENT, 0 },
    { "63013", CHANNEL_FAILED, 0 },             /* policy */
    { "63016", CHANNEL_FAILED, 0 },             /* window closed */
    { "63017", CHANNEL_NOT_SENT, TWILIO_BUSY_MS },      /* rate */
    { "63018", CHANNEL_NOT_SENT, TWILIO_BUSY_MS },
    { "63021", CHANNEL_FAILED, 0 },             /* content */
    { "63024", CHANNEL_FAILED, 0 },             /* no such person */
    { "63027", CHANNEL_FAILED, 0 },             /* template */
    { "63028", CHANNEL_FAILED, 0 },
    { "63032", CHANNEL_FAILED, 0 },             /* kept back */
    { "63038", CHANNEL_NOT_SENT, TWILIO_DAY_MS },
};

#define TWILIO_NCODES  (sizeof(twilio_codes) / sizeof(twilio_codes[0]))


static const char *twilio_check(const channel_account_t *account);
static channel_result_e twilio_send(const channel_account_t *account,
    const channel_message_t *message, channel_answer_t *answer,
    arena_t *arena);
static channel_result_e twilio_typing(const channel_account_t *account,
    const channel_message_t *message, channel_answer_t *answer,
    arena_t *arena);
static const char *twilio_basic(const channel_account_t *account,
    arena_t *arena);
static const char *twilio_credential(const channel_account_t *account,
    arena_t *arena);
static int twilio_is_sid(const char *text);
static void twilio_write_template(const channel_template_t *template,
    setter_buf_t *body);
static void twilio_address(setter_buf_t *body, setter_str_t address);


/* The files are in a storage of Amazon's ("Media resource"). */
static const channel_media_way_t  twilio_media = {
    .hosts = ".twilio.com",
    .credential = twilio_credential,
    .redirects = 1
};

const channel_t  channel_twilio = {
    .name = "twilio",
    .check = twilio_check,
    .send = twilio_send,
    .reports = twilio_reports,
    .media = &twilio_media,
    .typing = twilio_typing,
    .templates = 1,
    .files = 1,
    .max_caption = TWILIO_TEXT,
    .max_text = TWILIO_TEXT
};


static const char *
twilio_check(const channel_account_t *account)
{
    if (account->base_url == NULL || account->base_url[0] == '\0') {
        return "TWILIO_BASE_URL is not set";
    }

    if (account->user == NULL || account->user[0] == '\0') {
        return "TWILIO_ACCOUNT_SID, or the channel's account, is not set";
    }

    if (account->api_key == NULL || account->api_key[0] == '\0') {
        return "TWILIO_AUTH_TOKEN is not set";
    }

    return NULL;
}


/* The number that the message came to answers it. */
static channel_result_e
twilio_send(const channel_account_t *account,
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
                            "no sender: TWILIO_SENDER is not set");
    }

    /* it becomes part of the URL */
    if (!twilio_is_sid(account->user)) {
        return channel_stop(answer, CHANNEL_SETUP,
                            "TWILIO_ACCOUNT_SID is no account's SID");
    }

    request.path = arena_printf(arena, "/2010-04-01/Accounts/%s/Messages.json",
                                account->user);
    request.scheme = "Basic";
    request.token = twilio_basic(account, arena);
    request.content_type = "application/x-www-form-urlencoded";
    request.timeout_ms = message->timeout_ms;
    request.judge = twilio_judge;

    if (request.path == NULL || request.token == NULL) {
        return channel_stop(answer, CHANNEL_NOT_SENT, "out of memory");
    }

    setter_buf_init(&request.body, arena_alloc(arena), 1024);
    twilio_write(message, from, &request.body);

    return channel_post(account, message, &request, answer, arena);
}


/* "Typing indicators": shown until the answer is there, or for 25 s. */
static channel_result_e
twilio_typing(const channel_account_t *account,
    const channel_message_t *message, channel_answer_t *answer,
    arena_t *arena)
{
    channel_account_t  other;
    channel_request_t  request;

    channel_answer_init(answer);
    memset(&request, 0, sizeof(request));
    other = *account;

    /* that is an API of its own, on a host of its own */
    if (strcmp(other.base_url, TWILIO_API) == 0) {
        other.base_url = TWILIO_MESSAGING;
    }

    request.path = "/v3/Indicators/Typing.json";
    request.scheme = "Basic";
    request.token = twilio_basic(account, arena);
    request.timeout_ms = message->timeout_ms;
    request.judge = channel_judge_typing;

    if (request.token == NULL) {
        return channel_stop(answer, CHANNEL_NOT_SENT, "out of memory");
    }

    setter_buf_init(&request.body, arena_alloc(arena), 128);
    twilio_write_typing(message, &request.body);

    return channel_post(&other, message, &request, answer, arena);
}


void
twilio_write_typing(const channel_message_t *message, setter_buf_t *body)
{
    setter_str_t  whatsapp = setter_str("WHATSAPP");

    setter_buf_byte(body, '{');
    setter_json_member(body, "channel", whatsapp);
    setter_json_member(body, "messageId", message->message_id);
    setter_buf_byte(body, '}');
}


static const char *
twilio_basic(const channel_account_t *account, arena_t *arena)
{
    size_t          len;
    const char     *plain;
    unsigned char  *token;

    plain = arena_printf(arena, "%s:%s", account->user, account->api_key);
    len = plain != NULL ? strlen(plain) : 0;
    token = arena_get(arena, 4 * ((len + 2) / 3) + 1);

    if (plain == NULL || token == NULL) {
        return NULL;
    }

    EVP_EncodeBlock(token, (const unsigned char *) plain, (int) len);

    return (const char *) token;
}


static const char *
twilio_credential(const channel_account_t *account, arena_t *arena)
{
    const char  *token;

    token = twilio_basic(account, arena);

    return token != NULL
           ? arena_printf(arena, "Authorization: Basic %s", token) : NULL;
}


static int
twilio_is_sid(const char *text)
{
    size_t  i;

    for (i = 0; text[i] != '\0'; i++) {
        if (!((text[i] >= '0' && text[i] <= '9')
              || ((text[i] | 0x20) >= 'a' && (text[i] | 0x20) <= 'z')))
        {
            return 0;
        }
    }

    return i > 0 && i <= TWILIO_SID_MAX;
}


void
twilio_write(const channel_message_t *message, setter_str_t from,
    setter_buf_t *body)
{
    setter_buf_text(body, "To=");
    twilio_address(body, message->to);
    setter_buf_text(body, "&From=");
    twilio_address(body, from);

    /* it knows no id of ours, so the URL has it; "connection overrides": three
     * tries */
    if (message->callback.len > 0 && message->message_id.len > 0) {
        setter_buf_text(body, "&StatusCallback=");
        setter_buf_encoded(body, message->callback, "%&=+#;");
        setter_buf_text(body, "%23rc%3D3%26rp%3Dall");
    }

    if (message->filled != NULL) {
        twilio_write_template(message->filled, body);
        return;
    }

    if (message->with != NULL) {
        setter_buf_text(body, "&MediaUrl=");
        setter_buf_encoded(body, message->with->url, "%&=+#;");
    }

    if (message->with == NULL || message->text.len > 0) {
        setter_buf_text(body, "&Body=");
        setter_buf_encoded(body, message->text, "%&=+#;");
    }
}


/* The parameters are numbered: {"1":"A-1001"}. */
static void
twilio_write_template(const channel_template_t *template, setter_buf_t *body)
{
    int           n;
    setter_str_t  rest, one;

    setter_buf_text(body, "&ContentSid=");
    setter_buf_encoded(body, template->name, "%&=+#;");

    rest = template->parameters;

    for (n = 1; template_next(&rest, &one); n++) {
        if (n == 1) {
            setter_buf_text(body, "&ContentVariables=%7B%22");
        } else {
            setter_buf_text(body, "%2C%22");
        }

        setter_buf_number(body, n);
        setter_buf_text(body, "%22%3A");
        setter_buf_encoded(body, one, "%&=+#;\"\\,:{}");
    }

    if (n > 1) {
        setter_buf_text(body, "%7D");
    }
}


/* Digits are a number; other ids are business-scoped, "US.1349…". */
static void
twilio_address(setter_buf_t *body, setter_str_t address)
{
    setter_buf_text(body, "whatsapp%3A");

    if (address.len > 0 && address.data[0] >= '0' && address.data[0] <= '9') {
        setter_buf_text(body, "%2B");
    }

    setter_buf_encoded(body, address, "%&=+#;");
}


void
twilio_judge(const http_response_t *response, channel_answer_t *answer,
    arena_t *arena)
{
    int                   own, wait_ms;
    setter_str_t          code;
    channel_result_e      result;
    setter_json_value_t   values[TWILIO_NPATHS];

    if (setter_json_read(response->body, response->body_len,
                         SETTER_JSON_REPAIR, twilio_paths, TWILIO_NPATHS,
                         values, NULL, arena_alloc(arena))
        != SETTER_JSON_OK)
    {
        memset(values, 0, sizeof(values));
    }

    own = values[TWILIO_CODE].type == SETTER_JSON_NUMBER;
    code = own ? values[TWILIO_CODE].text : values[TWILIO_ERROR].text;

    if (response->status / 100 == 2 && code.len == 0) {
        result = values[TWILIO_SID].text.len > 0 ? CHANNEL_SENT
                                                 : CHANNEL_UNKNOWN;
        channel_say(response, answer, result, values[TWILIO_SID].text);
        answer->provider_id = values[TWILIO_SID].text;
        return;
    }

    wait_ms = 0;

    if (!twilio_code(code, &result, &wait_ms)) {
        result = channel_judge_status(response->status, own);
    }

    channel_say(response, answer, result, code);
    answer->opted_out = setter_str_is(code, TWILIO_OPT_OUT);

    if (result == CHANNEL_NOT_SENT && answer->retry_after_ms < 0
        && wait_ms > 0)
    {
        answer->retry_after_ms = wait_ms;
        answer->busy = 1;
    }
}


int
twilio_code(setter_str_t code, channel_result_e *result, int *wait_ms)
{
    size_t  i;

    for (i = 0; i < TWILIO_NCODES; i++) {
        if (setter_str_is(code, twilio_codes[i].code)) {
            *result = twilio_codes[i].result;
            *wait_ms = twilio_codes[i].wait_ms;
            return 1;
        }
    }

    return 0;
}
