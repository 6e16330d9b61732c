/*
 * workers/channel/infobip.c, and the rules it shares with the others
 */

#include "sample.h"

#include "channel/infobip.h"


typedef struct {
    const char        *name;
    channel_result_e   result;
    int64_t            retry_after_ms;
    const char        *reason;
} judged_t;


static const judged_t  judged[] = {
    { "send-text", CHANNEL_SENT, -1, "200 PENDING_ENROUTE" },
    { "send-text-rejected", CHANNEL_FAILED, -1,
      "200 REJECTED_NOT_ENOUGH_CREDITS" },
    { "error-400", CHANNEL_FAILED, -1, "400 BAD_REQUEST" },
    { "error-400-validation", CHANNEL_FAILED, -1, "400 BAD_REQUEST" },
    { "error-401", CHANNEL_SETUP, -1, "401 UNAUTHORIZED" },
    { "error-403", CHANNEL_SETUP, -1, "403 FORBIDDEN" },
    { "error-429", CHANNEL_NOT_SENT, 2000, "429 TOO_MANY_REQUESTS" },
    { "error-500", CHANNEL_NOT_SENT, -1, "500 GENERAL_ERROR" },
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
        sample_response(arena, arena_printf(arena, "infobip/%s",
                                            judged[i].name), &response);
        channel_answer_init(&answer);
        infobip_judge(&response, &answer, arena);

        assert_int_equal(answer.result, judged[i].result);
        assert_int_equal(answer.retry_after_ms, judged[i].retry_after_ms);
        assert_string_equal(answer.reason, judged[i].reason);
    }

    arena_destroy(arena);
    assert_int_equal(sample_count("infobip"), NJUDGED);
}


static void
test_provider_id(void **state)
{
    arena_t          *arena;
    http_response_t   response;
    channel_answer_t  answer;

    (void) state;

    arena = arena_create();
    sample_response(arena, "infobip/send-text", &response);
    channel_answer_init(&answer);
    infobip_judge(&response, &answer, arena);

    assert_int_equal(answer.provider_id.len, 36);
    assert_memory_equal(answer.provider_id.data,
                        "a1a1a1a1-0000-4000-8000-000000000001", 36);
    arena_destroy(arena);
}


#define GROUP(name)                                                           \
    "{\"messageId\":\"m\",\"status\":{\"groupName\":\"" name "\"}}"

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
        { 200, GROUP("OK"), CHANNEL_SENT },
        { 200, GROUP("PENDING"), CHANNEL_SENT },
        { 200, GROUP("DELIVERED"), CHANNEL_SENT },
        { 200, GROUP("UNDELIVERABLE"), CHANNEL_FAILED },
        { 200, GROUP("EXPIRED"), CHANNEL_FAILED },
        { 200, GROUP("REJECTED"), CHANNEL_FAILED },
        { 200, GROUP("NEW_GROUP"), CHANNEL_UNKNOWN },
        { 200, "{\"status\":{\"groupName\":\"REJECTED\",\"name\":"
          "\"REJECTED_DUPLICATE_MESSAGE_ID\"}}", CHANNEL_SENT },
        { 200, "{}", CHANNEL_UNKNOWN },
        { 200, "\x1f\x8b\xff", CHANNEL_UNKNOWN },
        { 200, "", CHANNEL_UNKNOWN },
        { 200, "{\"requestError\":{\"serviceException\":{\"messageId\":"
          "\"BAD_REQUEST\"}}}", CHANNEL_FAILED },
        { 400, "{\"errorCode\":\"E400\",\"description\":\"x\"}",
          CHANNEL_FAILED },
        { 503, "{\"errorCode\":\"E503\",\"description\":\"x\"}",
          CHANNEL_NOT_SENT },
        { 302, "", CHANNEL_FAILED },
        { 401, "<html>", CHANNEL_SETUP },
        { 403, "<html>", CHANNEL_FAILED },
        { 404, "<html>", CHANNEL_FAILED },
        { 408, "<html>", CHANNEL_NOT_SENT },
        { 429, "<html>", CHANNEL_NOT_SENT },
        { 500, "<html>", CHANNEL_UNKNOWN },
        { 502, "<html>", CHANNEL_UNKNOWN },
        { 504, "", CHANNEL_UNKNOWN },
        { 500, "{\"error\":\"of somebody else\"}", CHANNEL_UNKNOWN },
    };

    (void) state;

    arena = arena_create();

    for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        print_message("# %ld %s\n", odd[i].status, odd[i].body);
        sample_make(odd[i].status, odd[i].body, &response);
        channel_answer_init(&answer);
        infobip_judge(&response, &answer, arena);
        assert_int_equal(answer.result, odd[i].result);
    }

    arena_destroy(arena);
}


/* No whole response came: what may have left decides, whatever broke. */
static void
test_transport(void **state)
{
    http_error_e     error;
    http_response_t  response;

    (void) state;

    memset(&response, 0, sizeof(http_response_t));

    for (error = HTTP_CONNECT; error <= HTTP_FAILED; error++) {
        response.error = error;

        response.may_have_left = 0;
        assert_int_equal(channel_judge_transport(&response),
                         error == HTTP_REFUSED ? CHANNEL_WITHHELD
                                               : CHANNEL_NOT_SENT);

        response.may_have_left = 1;
        assert_int_equal(channel_judge_transport(&response),
                         CHANNEL_UNKNOWN);
    }
}


static void
test_request(void **state)
{
    arena_t            *arena;
    setter_buf_t        body;
    setter_str_t        from = setter_str("15550100299");
    channel_message_t   message = {
        .message_id = setter_str("0190-1"),
        .to = setter_str("15550104330"),
        .text = setter_str("We \"open\"\nat nine."),
    };

    static const char  expected[] =
        "{\"from\":\"15550100299\",\"to\":\"15550104330\","
        "\"messageId\":\"0190-1\","
        "\"content\":{\"text\":\"We \\\"open\\\"\\nat nine.\"},"
        "\"callbackData\":\"0190-1\"}";

    (void) state;

    arena = arena_create();
    setter_buf_init(&body, arena_alloc(arena), 0);
    infobip_write(&message, from, &body);

    assert_int_equal(body.len, sizeof(expected) - 1);
    assert_memory_equal(body.data, expected, body.len);
    arena_destroy(arena);
}


static void
test_check(void **state)
{
    setter_str_t       name = setter_str("infobip");
    const channel_t   *channel;
    channel_account_t  account = { "https://api.infobip.com", "key", NULL };

    (void) state;

    channel = channel_find(name);
    assert_non_null(channel);
    assert_null(channel->check(&account));

    account.api_key = "";
    assert_non_null(strstr(channel->check(&account), "INFOBIP_API_KEY"));

    account.base_url = NULL;
    assert_non_null(strstr(channel->check(&account), "INFOBIP_BASE_URL"));

    name.len--;
    assert_null(channel_find(name));
}


static void
test_no_sender(void **state)
{
    arena_t            *arena;
    channel_answer_t    answer;
    channel_message_t   message = {
        .to = setter_str("15550104330"), .text = setter_str("x"),
    };
    channel_account_t   account = { "http://127.0.0.1:1", "key", NULL };

    (void) state;

    arena = arena_create();
    assert_int_equal(channel_infobip.send(&account, &message, &answer, arena),
                     CHANNEL_SETUP);
    assert_non_null(strstr(answer.reason, "INFOBIP_SENDER"));
    arena_destroy(arena);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_provider_id),
        cmocka_unit_test(test_odd_responses),
        cmocka_unit_test(test_transport),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_no_sender),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
