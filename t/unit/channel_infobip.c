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
    { "send-template", CHANNEL_SENT, -1, "200 PENDING_ENROUTE" },
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
                         : error == HTTP_FORBIDDEN ? CHANNEL_SETUP
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
    channel_account_t  account = { .base_url = "https://api.infobip.com",
                                   .api_key = "key" };

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
    channel_account_t   account = { .base_url = "http://127.0.0.1:1",
                                    .api_key = "key" };

    (void) state;

    arena = arena_create();
    assert_int_equal(channel_infobip.send(&account, &message, &answer, arena),
                     CHANNEL_SETUP);
    assert_non_null(strstr(answer.reason, "INFOBIP_SENDER"));
    arena_destroy(arena);
}


/* Reads what Infobip posted: how many reports, and how many are unused. */
static int
reports(arena_t *arena, const char *text, size_t len,
    channel_report_t **found, int *unused)
{
    setter_str_t  json;

    json.data = text;
    json.len = len;

    return infobip_reports(json, found, unused, arena);
}


static void
test_report_samples(void **state)
{
    int                unused;
    char              *text;
    size_t             i, len;
    arena_t           *arena;
    channel_report_t  *report;

    static const struct {
        const char  *name, *state, *reason;
        int          last;              /* digit of the message's id */
    } samples[] = {
        { "delivery-report-delivered", "delivered", "", 1 },
        { "delivery-report-pending", "sent", "", 4 },
        { "delivery-report-rejected-no-session", "failed", "EC_NO_SESSION",
          2 },
        { "delivery-report-undeliverable", "failed", "EC_UNKNOWN_USER", 3 },
        { "seen-report", "read", "", 1 },
    };

    (void) state;

    len = 0;
    arena = arena_create();

    for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        print_message("# %s\n", samples[i].name);
        text = sample_read(arena, arena_printf(arena, "t/data/infobip/%s.json",
                                               samples[i].name), &len);
        assert_non_null(text);
        assert_int_equal(reports(arena, text, len, &report, &unused), 1);
        assert_int_equal(unused, 0);
        assert_string_equal(report->state, samples[i].state);
        assert_true(setter_str_is(report->reason, samples[i].reason));

        /* the callback's data is none of our ids there */
        assert_true(setter_str_is(report->provider_id, arena_printf(arena,
                       "a1a1a1a1-0000-4000-8000-00000000000%d",
                       samples[i].last)));
        assert_memory_equal(report->message_id.data,
                            report->provider_id.data, 36);
    }

    text = sample_read(arena, "t/data/infobip/delivery-report-batch.json",
                       &len);
    assert_int_equal(reports(arena, text, len, &report, &unused), 2);
    assert_true(setter_str_is(report[1].provider_id,
                   "a1a1a1a1-0000-4000-8000-000000000006"));
    arena_destroy(arena);
}


static void
test_odd_reports(void **state)
{
    int                unused;
    size_t             i;
    arena_t           *arena;
    channel_report_t  *report;

    static const struct {
        const char  *json;
        int          n, unused;
    } odd[] = {
        { "{\"results\":[]}", 0, 0 },
        { "{\"results\":{}}", 0, 0 },
        { "{\"results\"", 0, 0 },
        { "{}", 0, 0 },
        { "{\"results\":[null,1,\"x\",[],{}]}", 0, 5 },
        { "{\"results\":[{\"messageId\":\"m\",\"status\":{\"groupName\":"
          "\"NEW\"}},{\"messageId\":\"m\",\"message\":{}}]}", 0, 2 },
        { "{\"results\":[{\"seenAt\":\"2026\"}]}", 0, 1 },
        { "{\"results\":[{\"messageId\":7,\"seenAt\":\"2026\"}]}", 1, 0 },
        { "{\"results\":[{\"callbackData\":"
          "\"a1a1a1a1-0000-4000-8000-000000000007\","
          "\"messageId\":\"theirs\",\"status\":{\"groupName\":"
          "\"EXPIRED\",\"name\":\"EXPIRED_EXPIRED\"}}]}", 1, 0 },
    };

    (void) state;

    arena = arena_create();

    for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        print_message("# %s\n", odd[i].json);
        assert_int_equal(reports(arena, odd[i].json, strlen(odd[i].json),
                                 &report, &unused), odd[i].n);
        assert_int_equal(unused, odd[i].unused);
    }

    assert_true(setter_str_is(report->message_id,
                   "a1a1a1a1-0000-4000-8000-000000000007"));
    assert_true(setter_str_is(report->provider_id, "theirs"));
    assert_true(setter_str_is(report->reason, "EXPIRED_EXPIRED"));
    arena_destroy(arena);
}


/* More than one look at the document takes in. */
static void
test_many_reports(void **state)
{
    int                i, n, unused;
    arena_t           *arena;
    setter_buf_t       json;
    channel_report_t  *report;

    (void) state;

    arena = arena_create();

    for (n = 63; n <= 129; n += 1 + 62 * (n == 65)) {
        setter_buf_init(&json, arena_alloc(arena), 0);
        setter_buf_text(&json, "{\"results\":[0");

        for (i = 1; i < n; i++) {
            setter_buf_text(&json, ",{\"seenAt\":\"\",\"messageId\":\"");
            setter_buf_number(&json, i);
            setter_buf_text(&json, "\"}");
        }

        setter_buf_text(&json, "]}");
        assert_int_equal(reports(arena, json.data, json.len, &report,
                                 &unused), n - 1);
        assert_int_equal(unused, 1);

        for (i = 1; i < n; i++) {
            assert_true(setter_str_is(report[i - 1].provider_id,
                           arena_printf(arena, "%d", i)));
        }
    }

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
        cmocka_unit_test(test_report_samples),
        cmocka_unit_test(test_odd_reports),
        cmocka_unit_test(test_many_reports),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
