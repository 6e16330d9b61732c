/*
 * Answers of providers: a model's and those of channels.  Whatever a server
 * says, it is judged, with a reason that a log can hold.
 */

#include "channel/infobip.h"
#include "channel/instagram.h"
#include "channel/manychat.h"
#include "channel/meta.h"
#include "channel/twilio.h"
#include "channel/provider.h"
#include "fuzz.h"
#include "llm/provider.h"


static void check_channel(setter_str_t name, const http_response_t *response,
    arena_t *arena);
static void check_llm(const http_response_t *response, arena_t *arena);
static void check_reason(const char *reason, size_t size);


/*
 * The first line is the provider's name, the second the status and, behind
 * blanks, x-should-retry (-1, 0, 1) and retry-after in ms.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    long              status, retry_after;
    int               should_retry;
    arena_t          *arena;
    setter_str_t      text, name, line;
    fuzz_memory_t     memory;
    http_response_t   response;

    text = fuzz_text(fuzz_memory(&memory, 0), data, size);
    name = fuzz_line(&text);
    line = fuzz_line(&text);

    status = 200;
    should_retry = 0;
    retry_after = -1;
    sscanf(line.data, "%3ld %2d %9ld", &status, &should_retry, &retry_after);

    arena = arena_create();
    fuzz_holds(arena != NULL);

    memset(&response, 0, sizeof(response));
    response.status = status < 100 || status > 599 ? 200 : status;
    response.should_retry = should_retry;
    response.retry_after_ms = retry_after;
    response.body = text.data;
    response.body_len = text.len;

    if (setter_str_is(name, "openai")) {
        check_llm(&response, arena);
    } else {
        check_channel(name, &response, arena);
    }

    arena_destroy(arena);
    fuzz_forget(&memory);

    return 0;
}


static void
check_channel(setter_str_t name, const http_response_t *response,
    arena_t *arena)
{
    channel_answer_t  answer;

    channel_answer_init(&answer);

    if (setter_str_is(name, "infobip")) {
        infobip_judge(response, &answer, arena);
    } else if (setter_str_is(name, "meta")) {
        meta_judge(response, &answer, arena);
    } else if (setter_str_is(name, "instagram")) {
        instagram_judge(response, &answer, arena);
    } else if (setter_str_is(name, "twilio")) {
        twilio_judge(response, &answer, arena);
    } else {
        manychat_judge(response, &answer, arena);
    }

    fuzz_holds(answer.result != CHANNEL_WITHHELD);
    fuzz_holds(answer.result != CHANNEL_SENT || response->status / 100 == 2
               || answer.reason[0] != '\0');

    /* only what was surely not sent may be tried again */
    fuzz_holds(answer.retry_after_ms == -1
               || answer.result == CHANNEL_NOT_SENT);
    check_reason(answer.reason, sizeof(answer.reason));
}


static void
check_llm(const http_response_t *response, arena_t *arena)
{
    llm_answer_t  answer;

    memset(&answer, 0, sizeof(answer));
    answer.error = LLM_RETRY;
    answer.retry_after_ms = -1;

    llm_openai.judge(response, &answer, arena);

    fuzz_holds(answer.error != LLM_CANCELLED);
    fuzz_holds((answer.error == LLM_OK) == (answer.text.len > 0));
    fuzz_holds(answer.error != LLM_OK || response->status / 100 == 2);
    fuzz_holds(answer.prompt_tokens >= 0 && answer.completion_tokens >= 0);
    check_reason(answer.reason, sizeof(answer.reason));
}


static void
check_reason(const char *reason, size_t size)
{
    size_t  i, len;

    len = strnlen(reason, size);
    fuzz_holds(len < size);

    for (i = 0; i < len; i++) {
        fuzz_holds(reason[i] >= ' ' && reason[i] <= '~');
    }
}
