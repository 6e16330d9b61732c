/*
 * workers/channel/instagram.c
 */

#include "sample.h"

#include "channel/instagram.h"


#define MID  "aWdfZAG1faXRlbToxc2FtcGxlLW1pZC0wMDUw"

static const struct {
    const char        *name;
    channel_result_e   result;
    int64_t            retry_after_ms;
    const char        *reason;
} judged[] = {
    { "send-text", CHANNEL_SENT, -1, "200 " MID },
    { "error-10-2534022-window", CHANNEL_FAILED, -1, "400 2534022" },
    { "error-100-2534014-no-user", CHANNEL_FAILED, -1, "400 2534014" },
    { "error-190", CHANNEL_SETUP, -1, "401 460" },
    { "error-613-rate", CHANNEL_NOT_SENT, 2000, "400 613" },
};

#define NJUDGED  (sizeof(judged) / sizeof(judged[0]))


static void
test_samples(void **state)
{
    size_t            i;
    arena_t          *arena;
    http_response_t   response;
    channel_answer_t  answer;

    (void) state;

    arena = arena_create();

    for (i = 0; i < NJUDGED; i++) {
        print_message("# %s\n", judged[i].name);
        sample_response(arena, arena_printf(arena, "instagram/%s",
                                            judged[i].name), &response);
        channel_answer_init(&answer);
        instagram_judge(&response, &answer, arena);

        print_message("#   %s\n", answer.reason);
        assert_int_equal(answer.result, judged[i].result);
        assert_int_equal(answer.retry_after_ms, judged[i].retry_after_ms);
        assert_string_equal(answer.reason, judged[i].reason);
    }

    arena_destroy(arena);
    assert_int_equal(sample_count("instagram"), NJUDGED);
}


static void
test_responses(void **state)
{
    size_t            i;
    arena_t          *arena;
    http_response_t   response;
    channel_answer_t  answer;

    static const struct {
        long               status;
        const char        *body;
        channel_result_e   result;
    } odd[] = {
        { 200, "{}", CHANNEL_UNKNOWN },
        { 200, "", CHANNEL_UNKNOWN },
        { 200, "\x1f\x8b\xff", CHANNEL_UNKNOWN },
        { 200, "{\"error\":{\"code\":2}}", CHANNEL_NOT_SENT },
        { 500, "{\"error\":{\"code\":1}}", CHANNEL_NOT_SENT },
        { 500, "{\"error\":{\"code\":2,\"error_subcode\":1545133}}",
          CHANNEL_NOT_SENT },
        { 403, "{\"error\":{\"code\":3}}", CHANNEL_SETUP },
        { 400, "{\"error\":{\"code\":4}}", CHANNEL_NOT_SENT },
        { 403, "{\"error\":{\"code\":10}}", CHANNEL_FAILED },
        { 403, "{\"error\":{\"code\":10,\"error_subcode\":2018278}}",
          CHANNEL_SETUP },
        { 400, "{\"error\":{\"code\":17}}", CHANNEL_NOT_SENT },
        { 400, "{\"error\":{\"code\":32}}", CHANNEL_NOT_SENT },
        { 400, "{\"error\":{\"code\":100}}", CHANNEL_FAILED },
        { 400, "{\"error\":{\"code\":100,\"error_subcode\":2534001}}",
          CHANNEL_FAILED },
        { 400, "{\"error\":{\"code\":200}}", CHANNEL_SETUP },
        { 400, "{\"error\":{\"code\":230}}", CHANNEL_SETUP },
        { 400, "{\"error\":{\"code\":368}}", CHANNEL_SETUP },
        { 400, "{\"error\":{\"code\":551}}", CHANNEL_FAILED },
        { 400, "{\"error\":{\"code\":99999}}", CHANNEL_FAILED },
        { 400, "{\"error\":{\"code\":99999,\"is_transient\":true}}",
          CHANNEL_NOT_SENT },
        { 500, "{\"error\":{\"code\":\"2\"}}", CHANNEL_UNKNOWN },
        { 401, "<html>", CHANNEL_SETUP },
        { 429, "<html>", CHANNEL_NOT_SENT },
        { 504, "", CHANNEL_UNKNOWN },
    };

    (void) state;

    arena = arena_create();

    for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        print_message("# %ld %s\n", odd[i].status, odd[i].body);
        sample_make(odd[i].status, odd[i].body, &response);
        channel_answer_init(&answer);
        instagram_judge(&response, &answer, arena);
        assert_int_equal(answer.result, odd[i].result);
    }

    arena_destroy(arena);
}


/* The sample's request, but for white space. */
static void
test_request(void **state)
{
    char               *sample, *p, *q;
    size_t              len = 0;
    arena_t            *arena;
    setter_buf_t        body;
    channel_message_t   message;

    (void) state;

    arena = arena_create();
    sample = sample_read(arena, "t/data/instagram/send-text.request.json",
                         &len);

    /* none of its texts begins or ends with a blank, or has a line's end */
    for (p = q = sample; *p != '\0'; p++) {
        if (*p == '\n' || (*p == ' ' && (p[-1] == '\n' || p[-1] == ' '
                                         || p[-1] == ':')))
        {
            continue;
        }
        *q++ = *p;
    }

    memset(&message, 0, sizeof(message));
    message.to = (setter_str_t) setter_str("900000000000000101");
    message.text = (setter_str_t) setter_str("The blue one is 24.");
    setter_buf_init(&body, arena_alloc(arena), 0);
    instagram_write(&message, &body);
    assert_int_equal(body.len, q - sample);
    assert_memory_equal(body.data, sample, body.len);
    arena_destroy(arena);
}


static void
test_reports(void **state)
{
    int                unused;
    arena_t           *arena;
    channel_report_t  *reports;

    static const setter_str_t  json = setter_str("{\"messaging\":["
        "{\"read\":{\"mid\":\"m1\"}},{\"read\":{}},7,"
        "{\"read\":{\"mid\":\"m2\"}}]}");

    (void) state;

    arena = arena_create();
    assert_int_equal(instagram_reports(json, &reports, &unused, arena), 2);
    assert_int_equal(unused, 2);
    assert_string_equal(reports[1].state, "read");
    assert_true(setter_str_is(reports[1].provider_id, "m2"));
    arena_destroy(arena);
}


static void
test_check(void **state)
{
    arena_t            *arena;
    channel_answer_t    answer;
    channel_message_t   message;
    channel_account_t   account = { NULL, NULL, NULL, NULL };

    (void) state;

    assert_string_equal(channel_instagram.check(&account),
                        "INSTAGRAM_BASE_URL is not set");
    account.base_url = "http://127.0.0.1:1";
    assert_string_equal(channel_instagram.check(&account),
                        "INSTAGRAM_ACCESS_TOKEN is not set");
    account.api_key = "token";
    assert_null(channel_instagram.check(&account));

    /* without an account's id, or with what is none, nothing leaves */
    arena = arena_create();
    memset(&message, 0, sizeof(message));
    message.text = (setter_str_t) setter_str("a");
    assert_int_equal(channel_instagram.send(&account, &message, &answer,
                                            arena), CHANNEL_SETUP);
    assert_non_null(strstr(answer.reason, "INSTAGRAM_ACCOUNT_ID"));
    account.sender = "me/../1";
    assert_int_equal(channel_instagram.send(&account, &message, &answer,
                                            arena), CHANNEL_FAILED);
    arena_destroy(arena);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_reports),
        cmocka_unit_test(test_check)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("channel_instagram", tests, NULL,
                                       NULL);
}
