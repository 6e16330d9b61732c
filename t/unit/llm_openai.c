/*
 * workers/llm/openai.c
 */

#include "sample.h"
#include "sandbox.h"

#include "llm/provider.h"


typedef struct {
    const char   *name;
    llm_error_e   error;
    int64_t       retry_after_ms;
    const char   *reason;
} judged_t;


static const judged_t  judged[] = {
    { "chat", LLM_OK, -1, "" },
    { "chat-truncated", LLM_OK, -1, "" },
    { "chat-tool-final", LLM_OK, -1, "" },
    { "chat-content-filter", LLM_PERMANENT, -1, "content_filter" },
    { "chat-refusal", LLM_PERMANENT, -1, "refusal" },
    { "chat-reasoning-empty-content", LLM_PERMANENT, -1,
      "no text within the token limit" },
    { "chat-tools", LLM_RETRY, -1, "no text" },
    { "chat-tools-bad-arguments", LLM_RETRY, -1, "no text" },
    { "chat-tools-parallel", LLM_OK, -1, "" },
    { "error-400-context-length", LLM_PERMANENT, -1,
      "400 context_length_exceeded" },
    { "error-400-invalid", LLM_PERMANENT, -1, "400 unknown_parameter" },
    { "error-401-invalid-key", LLM_SETUP, -1, "401 invalid_api_key" },
    { "error-403-region", LLM_SETUP, -1,
      "403 unsupported_country_region_territory" },
    { "error-404-model", LLM_SETUP, -1, "404 model_not_found" },
    { "error-429-credit-balance-exhausted", LLM_SETUP, -1,
      "429 credit_balance_exhausted" },
    { "error-429-insufficient-quota", LLM_SETUP, -1,
      "429 insufficient_quota" },
    { "error-429-project-spend-limit", LLM_SETUP, -1,
      "429 project_spend_limit_exceeded" },
    { "error-429-rate-limit-requests", LLM_RETRY, 360000,
      "429 rate_limit_exceeded" },
    { "error-429-rate-limit-tokens", LLM_RETRY, 1200,
      "429 rate_limit_exceeded" },
    { "error-429-slow-down", LLM_RETRY, 15000, "429 slow_down" },
    { "error-500", LLM_RETRY, -1, "500 server_error" },
    { "error-502-html", LLM_RETRY, -1, "502 " },
    { "error-503-overloaded", LLM_RETRY, -1, "503 server_is_overloaded" },
};

#define NJUDGED  (sizeof(judged) / sizeof(judged[0]))


static void
judge(const http_response_t *response, llm_answer_t *answer, arena_t *arena)
{
    memset(answer, 0, sizeof(llm_answer_t));
    answer->error = LLM_RETRY;
    answer->retry_after_ms = -1;
    llm_openai.judge(response, answer, arena);
}


static void
test_samples(void **state)
{
    size_t           i;
    arena_t         *arena;
    llm_answer_t     answer;
    http_response_t  response;

    (void) state;

    arena = arena_create();

    for (i = 0; i < NJUDGED; i++) {
        print_message("# %s\n", judged[i].name);
        sample_response(arena, arena_printf(arena, "openai/%s",
                                            judged[i].name), &response);
        judge(&response, &answer, arena);

        assert_int_equal(answer.error, judged[i].error);
        assert_int_equal(answer.retry_after_ms, judged[i].retry_after_ms);
        assert_string_equal(answer.reason, judged[i].reason);
        assert_int_equal(answer.text.len > 0, answer.error == LLM_OK);
    }

    arena_destroy(arena);
    assert_int_equal(sample_count("openai"), NJUDGED);
}


static void
test_answer(void **state)
{
    arena_t         *arena;
    llm_answer_t     answer;
    http_response_t  response;

    (void) state;

    arena = arena_create();
    sample_response(arena, "openai/chat-truncated", &response);
    judge(&response, &answer, arena);

    assert_memory_equal(answer.text.data, "Yes, to 40 countries, namely",
                        answer.text.len);
    assert_int_equal(answer.text.len, 28);
    assert_memory_equal(answer.model.data, "gpt-4o-mini-2024-07-18", 22);
    assert_int_equal(answer.prompt_tokens, 31);
    assert_int_equal(answer.completion_tokens, 300);
    arena_destroy(arena);
}


/* What no sample shows: proxies, and answers that make no sense. */
static void
test_odd_responses(void **state)
{
    size_t           i;
    arena_t         *arena;
    llm_answer_t     answer;
    http_response_t  response;

    static const struct {
        long          status;
        const char   *body;
        llm_error_e   error;
        const char   *reason;
    } odd[] = {
        { 200, "", LLM_RETRY, "200 without JSON" },
        { 200, "<html>", LLM_RETRY, "200 without JSON" },
        { 200, "{\"choices\":[{", LLM_RETRY, "200 without JSON" },
        { 200, "{}", LLM_RETRY, "200 without choices" },
        { 200, "{\"choices\":[]}", LLM_RETRY, "200 without choices" },
        { 200, "{\"choices\":[{}]}", LLM_RETRY, "no text" },
        { 200, "{\"choices\":[{\"message\":{\"content\":\" \\n\"}}]}",
          LLM_RETRY, "no text" },
        { 200, "{\"choices\":[{\"message\":{\"content\":7}}]}", LLM_RETRY,
          "no text" },
        { 200, "{\"error\":null,\"choices\":[{\"message\":"
          "{\"content\":\"hi\"}}]}", LLM_OK, "" },
        { 200, "{\"error\":{\"code\":\"rate_limit_exceeded\"}}", LLM_RETRY,
          "200 rate_limit_exceeded" },
        { 200, "{\"error\":{\"type\":\"insufficient_quota\"}}", LLM_SETUP,
          "200 insufficient_quota" },
        { 200, "{\"error\":{\"type\":\"invalid_request_error\"}}",
          LLM_PERMANENT, "200 invalid_request_error" },
        { 200, "{\"error\":{\"code\":401}}", LLM_SETUP, "200 401" },
        { 200, "{\"error\":{\"code\":502}}", LLM_RETRY, "200 502" },
        { 200, "{\"error\":\"no such thing\"}", LLM_RETRY, "200 " },
        { 301, "", LLM_SETUP, "301 " },
        { 401, "<html>", LLM_SETUP, "401 " },
        { 408, "", LLM_RETRY, "408 " },
        { 409, "{}", LLM_RETRY, "409 " },
        { 413, "<html>", LLM_PERMANENT, "413 " },
        { 529, "", LLM_RETRY, "529 " },
        { 400, "{\"error\":{\"code\":\"\xc3\xa9v\xff\"}}", LLM_PERMANENT,
          "400 " },
    };

    (void) state;

    arena = arena_create();

    for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        print_message("# %ld %s\n", odd[i].status, odd[i].body);
        sample_make(odd[i].status, odd[i].body, &response);
        judge(&response, &answer, arena);
        assert_int_equal(answer.error, odd[i].error);
        assert_string_equal(answer.reason, odd[i].reason);
    }

    arena_destroy(arena);
}


static void
test_should_retry(void **state)
{
    arena_t         *arena;
    llm_answer_t     answer;
    http_response_t  response;

    (void) state;

    arena = arena_create();

    sample_make(500, "{}", &response);
    response.retry_after_ms = 70;
    response.should_retry = -1;
    judge(&response, &answer, arena);
    assert_int_equal(answer.error, LLM_PERMANENT);
    assert_int_equal(answer.retry_after_ms, -1);

    sample_make(400, "{}", &response);
    response.retry_after_ms = 70;
    response.should_retry = 1;
    judge(&response, &answer, arena);
    assert_int_equal(answer.error, LLM_RETRY);
    assert_int_equal(answer.retry_after_ms, 70);

    sample_make(401, "{}", &response);
    response.should_retry = 1;
    judge(&response, &answer, arena);
    assert_int_equal(answer.error, LLM_SETUP);

    arena_destroy(arena);
}


static void
test_request(void **state)
{
    arena_t         *arena;
    llm_request_t    request;
    http_request_t   http;
    llm_settings_t   settings = {
        "openai", "gpt-4o-mini", "http://127.0.0.1:1/v1/", "key"
    };
    llm_message_t    messages[] = {
        { LLM_SYSTEM, setter_str("Be \"brief\"."), NULL, 0 },
        { LLM_USER, setter_str("Hi"), NULL, 0 },
        { LLM_ASSISTANT, setter_str("Hello"), NULL, 0 },
        { LLM_USER, setter_str("a\nb"), NULL, 0 },
    };

    static const char  body[] =
        "{\"model\":\"gpt-4o-mini\",\"messages\":["
        "{\"role\":\"system\",\"content\":\"Be \\\"brief\\\".\"},"
        "{\"role\":\"user\",\"content\":\"Hi\"},"
        "{\"role\":\"assistant\",\"content\":\"Hello\"},"
        "{\"role\":\"user\",\"content\":\"a\\nb\"}]}";
    static const char  seen[] =
        ",{\"role\":\"user\",\"content\":[{\"type\":\"text\","
        "\"text\":\"a\\nb\"},"
        "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:1\"}},"
        "{\"type\":\"image_url\",\"image_url\":{\"url\":\"data:2\"}}]}]}";
    static const setter_str_t  images[] = {
        setter_str("data:1"), setter_str("data:2")
    };

    (void) state;

    arena = arena_create();
    request.messages = messages;
    request.nmessages = 4;

    assert_int_equal(llm_openai.write(&settings, &request, &http, arena),
                     SETTER_OK);
    assert_string_equal(http.url, "http://127.0.0.1:1/v1/chat/completions");
    assert_string_equal(http.headers[2], "Authorization: Bearer key");
    assert_null(http.headers[3]);
    assert_int_equal(http.body_len, sizeof(body) - 1);
    assert_memory_equal(http.body, body, sizeof(body) - 1);

    messages[3].images = images;
    messages[3].nimages = 2;
    assert_int_equal(llm_openai.write(&settings, &request, &http, arena),
                     SETTER_OK);
    assert_non_null(strstr(http.body, seen));

    settings.api_key = "";
    assert_int_equal(llm_openai.write(&settings, &request, &http, arena),
                     SETTER_OK);
    assert_null(http.headers[2]);

    arena_destroy(arena);
}


static void
test_check(void **state)
{
    llm_settings_t  settings = {
        "openai", "gpt-4o-mini", "https://api.openai.com/v1", "key"
    };

    (void) state;

    assert_null(llm_check(&settings));

    settings.api_key = NULL;
    assert_non_null(strstr(llm_check(&settings), "OPENAI_API_KEY"));

    settings.base_url = "http://127.0.0.1:8000/v1";
    assert_null(llm_check(&settings));

    settings.base_url = "";
    assert_non_null(strstr(llm_check(&settings), "OPENAI_BASE_URL"));

    settings.model = "";
    settings.base_url = "http://127.0.0.1:8000/v1";
    assert_non_null(strstr(llm_check(&settings), "SETTER_LLM_MODEL"));

    settings.provider = "nobody";
    assert_non_null(strstr(llm_check(&settings), "SETTER_LLM "));
}


static llm_error_e
ask(const char *url, llm_answer_t *answer, arena_t *arena)
{
    llm_request_t   request;
    llm_settings_t  settings = { "openai", "gpt-4o-mini", url, "key" };
    llm_message_t   messages[] = {
        { LLM_USER, setter_str("old"), NULL, 0 },
        { LLM_ASSISTANT, setter_str("answered"), NULL, 0 },
        { LLM_USER, setter_str("one"), NULL, 0 },
        { LLM_USER, setter_str("na\xc3\xafve \"two\""), NULL, 0 },
    };

    request.messages = messages;
    request.nmessages = 4;
    request.timeout_ms = 300;

    return llm_call(&settings, &request, answer, arena);
}


/* The same against the sandbox: what it sends is what the real one would. */
static void
run_sandbox(void *arg)
{
    size_t         i;
    char          *url;
    arena_t       *arena;
    llm_answer_t   answer;

    static const struct {
        const char   *behaviour;
        llm_error_e   error;
        int64_t       retry_after_ms;
        const char   *reason;
    } cases[] = {
        { "{\"status\":{\"500\":1}}", LLM_RETRY, -1, "500 server_error" },
        { "{\"status\":{\"502\":1}}", LLM_RETRY, -1, "502 " },
        { "{\"status\":{\"429\":1},\"retry_after\":1.5}", LLM_RETRY, 1500,
          "429 rate_limit_exceeded" },
        { "{\"status\":{\"503\":1},\"headers\":"
          "{\"x-should-retry\":\"false\"}}", LLM_PERMANENT, -1,
          "503 server_is_overloaded" },
        { "{\"status\":{\"400\":1},\"headers\":"
          "{\"x-should-retry\":\"true\"}}", LLM_RETRY, -1,
          "400 invalid_request_error" },
        { "{\"status\":{\"401\":1}}", LLM_SETUP, -1,
          "401 invalid_api_key" },
        { "{\"garbage\":1}", LLM_RETRY, -1, "200 without JSON" },
        { "{\"timeout\":1}", LLM_RETRY, -1, NULL },
        { "{\"cut_after_accept\":1}", LLM_RETRY, -1, NULL },
        { "{\"reply\":\" \"}", LLM_RETRY, -1, "no text" },
    };

    (void) arg;

    arena = arena_create();
    url = arena_printf(arena, "%s/v1", sandbox_url);

    assert_int_equal(ask(url, &answer, arena), LLM_OK);
    assert_int_equal(answer.text.len, strlen("one\nna\xc3\xafve \"two\""));
    assert_memory_equal(answer.text.data, "one\nna\xc3\xafve \"two\"",
                        answer.text.len);
    assert_memory_equal(answer.model.data, "gpt-4o-mini", answer.model.len);
    assert_true(answer.prompt_tokens > 0 && answer.completion_tokens > 0);

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("# %s\n", cases[i].behaviour);
        sandbox_behave(arena_printf(arena, "{\"chat\":%s}",
                                    cases[i].behaviour), arena);

        assert_int_equal(ask(url, &answer, arena), cases[i].error);
        assert_int_equal(answer.retry_after_ms, cases[i].retry_after_ms);

        if (cases[i].reason != NULL) {
            assert_string_equal(answer.reason, cases[i].reason);
        }
    }

    assert_int_equal(ask("http://127.0.0.1:1/v1", &answer, arena), LLM_RETRY);
    assert_true(answer.reason[0] != '\0');
    arena_destroy(arena);
}


static void
test_sandbox(void **state)
{
    (void) state;
    unit_run(run_sandbox, NULL);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_odd_responses),
        cmocka_unit_test(test_should_retry),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_sandbox),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, sandbox_start, sandbox_stop);
}
