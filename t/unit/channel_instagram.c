/*
 * workers/channel/instagram.c, and graph.c by it
 */

#include "sample.h"

#include "channel/instagram.h"


typedef struct {
    const char        *name;
    channel_result_e   result;
    int64_t            retry_after_ms;
    const char        *reason;
} judged_t;

static const judged_t  judged[] = {
    { "send-text", CHANNEL_SENT, -1,
      "200 aWdfZAG1faXRlbToxc2FtcGxlLW1pZC0wMDUw" },
    { "error-10-2534022-window", CHANNEL_FAILED, -1, "400 10/2534022" },
    { "error-100-2534014-no-user", CHANNEL_FAILED, -1, "400 100/2534014" },
    { "error-190", CHANNEL_SETUP, -1, "401 190" },
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

        assert_int_equal(answer.result, judged[i].result);
        assert_int_equal(answer.retry_after_ms, judged[i].retry_after_ms);
        assert_string_equal(answer.reason, judged[i].reason);
    }

    arena_destroy(arena);
    assert_int_equal(sample_count("instagram"), NJUDGED);
}


/* Each code of the table, with its subcode and others. */
static void
test_codes(void **state)
{
    size_t            i;
    arena_t          *arena;
    http_response_t   response;
    channel_answer_t  answer;

    static const struct {
        long               status;
        int                code, subcode;
        channel_result_e   result;
        const char        *reason;
    } table[] = {
        { 400, 10, 2534022, CHANNEL_FAILED, "400 10/2534022" },
        { 403, 10, 0, CHANNEL_SETUP, "403 10" },
        { 400, 10, 2018278, CHANNEL_SETUP, "400 10" },
        { 500, 100, 2534014, CHANNEL_FAILED, "500 100/2534014" },
        { 400, 100, 0, CHANNEL_FAILED, "400 100" },
        { 400, 10, 2534025, CHANNEL_FAILED, "400 10/2534025" },
        { 500, 10900, 2534025, CHANNEL_FAILED, "500 10900/2534025" },
        { 400, 10, 2534001, CHANNEL_FAILED, "400 10/2534001" },
        { 500, 551, 2534001, CHANNEL_FAILED, "500 551/2534001" },
        { 429, 613, 0, CHANNEL_NOT_SENT, "429 613" },
        { 400, 613, 1, CHANNEL_NOT_SENT, "400 613" },
        { 400, 2, 1545133, CHANNEL_NOT_SENT, "400 2/1545133" },
        { 400, 2, 0, CHANNEL_NOT_SENT, "400 2" },
        { 400, 1, 0, CHANNEL_NOT_SENT, "400 1" },
        { 400, 4, 0, CHANNEL_NOT_SENT, "400 4" },
        { 400, 17, 0, CHANNEL_NOT_SENT, "400 17" },
        { 400, 32, 0, CHANNEL_NOT_SENT, "400 32" },
        { 400, 190, 460, CHANNEL_SETUP, "400 190" },
        { 400, 200, 0, CHANNEL_SETUP, "400 200" },
        { 400, 0, 0, CHANNEL_SETUP, "400 0" },
        { 400, 3, 0, CHANNEL_SETUP, "400 3" },
        { 400, 230, 0, CHANNEL_SETUP, "400 230" },
        { 400, 368, 0, CHANNEL_SETUP, "400 368" },
        { 400, 551, 0, CHANNEL_FAILED, "400 551" },
        { 400, 777777, 0, CHANNEL_FAILED, "400 777777" },
        { 500, 777777, 0, CHANNEL_NOT_SENT, "500 777777" },
    };

    (void) state;

    arena = arena_create();

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        print_message("# %d/%d\n", table[i].code, table[i].subcode);
        sample_make(table[i].status,
                    arena_printf(arena, "{\"error\":{\"code\":%d,"
                                 "\"error_subcode\":%d}}", table[i].code,
                                 table[i].subcode), &response);
        channel_answer_init(&answer);
        instagram_judge(&response, &answer, arena);
        assert_int_equal(answer.result, table[i].result);
        assert_string_equal(answer.reason, table[i].reason);
    }

    arena_destroy(arena);
}


static void
test_odd_responses(void **state)
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
        { 200, "", CHANNEL_UNKNOWN },
        { 200, "{\"recipient_id\":\"2\"}", CHANNEL_UNKNOWN },
        { 200, "{\"message_id\":7}", CHANNEL_SENT },
        { 200, "{\"error\":{\"code\":613},\"message_id\":\"m\"}",
          CHANNEL_NOT_SENT },
        { 400, "{\"error\":{\"error_subcode\":2534022}}", CHANNEL_FAILED },
        { 400, "{\"error\":{\"code\":777777,\"is_transient\":true}}",
          CHANNEL_NOT_SENT },
        { 400, "{\"error\":{\"code\":10,\"error_subcode\":25340221234567}}",
          CHANNEL_SETUP },
        { 401, "<html>", CHANNEL_SETUP },
        { 429, "<html>", CHANNEL_NOT_SENT },
        { 502, "<html>", CHANNEL_UNKNOWN },
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


static void
test_request(void **state)
{
    arena_t            *arena;
    setter_buf_t        body;
    channel_message_t   message = {
        .message_id = setter_str("job-000123"),
        .to = setter_str("900000000000000101"),
        .text = setter_str("The blue one is 24."),
    };

    static const setter_json_path_t  paths[] = {
        { "recipient.id", 0 }, { "message.text", 0 },
        { "messaging_type", 0 }, { "tag", 0 },
    };

    (void) state;

    arena = arena_create();
    setter_buf_init(&body, arena_alloc(arena), 0);
    instagram_write(&message, &body);
    sample_request(arena, "instagram/send-text", &body, paths, 4);
    arena_destroy(arena);
}


static void
test_check(void **state)
{
    setter_str_t       name = setter_str("instagram");
    const channel_t   *channel;
    channel_account_t  account = {
        .base_url = "https://graph.instagram.com/v23.0", .api_key = "key"
    };

    (void) state;

    channel = channel_find(name);
    assert_non_null(channel);
    assert_null(channel->check(&account));

    account.api_key = "";
    assert_non_null(strstr(channel->check(&account),
                           "INSTAGRAM_ACCESS_TOKEN"));

    account.base_url = NULL;
    assert_non_null(strstr(channel->check(&account), "INSTAGRAM_BASE_URL"));
}


/* The sender becomes part of the URL: nothing but digits may. */
static void
test_sender(void **state)
{
    arena_t           *arena;
    channel_answer_t   answer;
    channel_account_t  account = {
        .base_url = "http://127.0.0.1:1", .api_key = "key"
    };
    channel_message_t  message = { .to = setter_str("900000000000000101"),
                                   .text = setter_str("x") };

    (void) state;

    arena = arena_create();
    assert_int_equal(channel_instagram.send(&account, &message, &answer,
                                            arena), CHANNEL_SETUP);
    assert_string_equal(answer.reason,
                        "no sender: INSTAGRAM_ACCOUNT_ID is not set");

    account.sender = "me/../1";
    assert_int_equal(channel_instagram.send(&account, &message, &answer,
                                            arena), CHANNEL_FAILED);
    assert_string_equal(answer.reason, "the sender is no account's id");

    arena_destroy(arena);
}


static void
test_reports(void **state)
{
    int                        unused;
    size_t                     len = 0;
    char                      *text;
    arena_t                   *arena;
    channel_report_t          *reports;
    setter_json_value_t        value;
    const setter_json_path_t   path = { "entry.0", SETTER_JSON_TEXT };
    setter_str_t               odd = setter_str("{\"messaging\":["
        "{\"read\":{\"mid\":\"m1\"}},{\"read\":{}},7,"
        "{\"message\":{\"mid\":\"m2\"}},{\"read\":{\"mid\":\"m3\"}}]}");

    (void) state;

    arena = arena_create();
    text = sample_read(arena, "t/data/instagram/inbound-seen.json", &len);
    assert_int_equal(setter_json_read(text, len, 0, &path, 1, &value, NULL,
                                      arena_alloc(arena)), SETTER_JSON_OK);
    assert_int_equal(instagram_reports(value.text, &reports, &unused, arena),
                     1);
    assert_int_equal(unused, 0);
    assert_string_equal(reports[0].state, "read");
    assert_string_equal(arena_copy(arena, reports[0].provider_id.data,
                                   reports[0].provider_id.len),
                        "aWdfZAG1faXRlbToxc2FtcGxlLW1pZC0wMDEx");
    assert_int_equal(reports[0].message_id.len, 0);

    assert_int_equal(instagram_reports(odd, &reports, &unused, arena), 2);
    assert_int_equal(unused, 3);
    arena_destroy(arena);
}


static void
test_typing(void **state)
{
    arena_t            *arena;
    setter_buf_t        body;
    channel_message_t   message = { .to = setter_str("900000000000000101") };

    static const setter_json_path_t  paths[] = {
        { "recipient.id", 0 }, { "sender_action", 0 }, { "message", 0 },
    };

    (void) state;

    arena = arena_create();
    setter_buf_init(&body, arena_alloc(arena), 0);
    instagram_write_typing(&message, &body);
    sample_request(arena, "instagram/sender-action-typing", &body, paths, 3);
    arena_destroy(arena);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_odd_responses),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_sender),
        cmocka_unit_test(test_reports),
        cmocka_unit_test(test_typing)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("channel_instagram", tests, NULL,
                                       NULL);
}
