/*
 * workers/channel/twilio.c and twilio_report.c
 */

#include "sample.h"

#include "channel/twilio.h"


static const struct {
    const char        *name;
    channel_result_e   result;
    int64_t            retry_after_ms;
    const char        *reason;
} judged[] = {
    { "send-text", CHANNEL_SENT, -1,
      "201 SMa00000000000000000000000000000c9" },
    { "error-20003", CHANNEL_SETUP, -1, "401 20003" },
    { "error-20404", CHANNEL_SETUP, -1, "404 20404" },
    { "error-20429", CHANNEL_NOT_SENT, -1, "429 20429" },
    { "error-21211", CHANNEL_FAILED, -1, "400 21211" },
    { "error-21610", CHANNEL_FAILED, -1, "400 21610" },
    { "error-21617", CHANNEL_FAILED, -1, "400 21617" },
    { "error-21656", CHANNEL_FAILED, -1, "400 21656" },
    { "error-21910", CHANNEL_FAILED, -1, "400 21910" },
    { "error-63007", CHANNEL_SETUP, -1, "400 63007" },
    { "error-63016", CHANNEL_FAILED, -1, "400 63016" },
    { "error-63018", CHANNEL_NOT_SENT, 2000, "429 63018" },
    { "error-63038", CHANNEL_NOT_SENT, 3600000, "429 63038" },
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
        sample_response(arena, arena_printf(arena, "twilio/%s",
                                            judged[i].name), &response);
        channel_answer_init(&answer);
        twilio_judge(&response, &answer, arena);

        print_message("#   %s\n", answer.reason);
        assert_int_equal(answer.result, judged[i].result);
        assert_int_equal(answer.retry_after_ms, judged[i].retry_after_ms);
        assert_string_equal(answer.reason, judged[i].reason);
        assert_int_equal(answer.opted_out,
                         strcmp(judged[i].name, "error-21610") == 0);
    }

    arena_destroy(arena);
    assert_int_equal(sample_count("twilio"), NJUDGED);
}


/* Each code of the table, whatever the status beside it. */
static void
test_codes(void **state)
{
    size_t            i, j;
    arena_t          *arena;
    http_response_t   response;
    channel_answer_t  answer;

    static const long  statuses[] = { 200, 201, 400, 401, 404, 429, 500 };

    static const struct {
        channel_result_e   result;
        int                codes[20];
    } table[] = {
        { CHANNEL_SETUP, { 20003, 20404, 21212, 21606, 63001, 63007, 0 } },
        { CHANNEL_NOT_SENT, { 20429, 21611, 30001, 63009, 63010, 63012,
                              63017, 63018, 63038, 0 } },
        { CHANNEL_FAILED, { 21211, 21408, 21610, 21617, 21656, 21910, 30003,
                            30005, 30008, 63003, 63005, 63013, 63016, 63021,
                            63024, 63027, 63028, 63032, 0 } },
    };

    (void) state;

    arena = arena_create();

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        for (j = 0; table[i].codes[j] != 0; j++) {
            print_message("# %d\n", table[i].codes[j]);
            sample_make(statuses[j % 7],
                        arena_printf(arena, "{\"code\":%d}",
                                     table[i].codes[j]), &response);
            channel_answer_init(&answer);
            twilio_judge(&response, &answer, arena);
            assert_int_equal(answer.result, table[i].result);
        }
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
        { 201, "{}", CHANNEL_UNKNOWN },
        { 201, "", CHANNEL_UNKNOWN },
        { 201, "\x1f\x8b\xff", CHANNEL_UNKNOWN },
        { 201, "{\"sid\":\"SM1\",\"error_code\":null}", CHANNEL_SENT },
        { 201, "{\"sid\":\"SM1\",\"error_code\":63016}", CHANNEL_FAILED },
        { 400, "{\"code\":99999}", CHANNEL_FAILED },
        { 500, "{\"code\":99999}", CHANNEL_NOT_SENT },
        { 500, "", CHANNEL_UNKNOWN },
        { 502, "<html>", CHANNEL_UNKNOWN },
        { 401, "<html>", CHANNEL_SETUP },
        { 429, "", CHANNEL_NOT_SENT },
    };

    (void) state;

    arena = arena_create();

    for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        print_message("# %ld %s\n", odd[i].status, odd[i].body);
        sample_make(odd[i].status, odd[i].body, &response);
        channel_answer_init(&answer);
        twilio_judge(&response, &answer, arena);
        assert_int_equal(answer.result, odd[i].result);
    }

    arena_destroy(arena);
}


static void
test_request(void **state)
{
    size_t             i;
    arena_t           *arena;
    setter_buf_t       body;
    setter_str_t       from = setter_str("15550100399");
    channel_message_t  message;

    static const struct {
        const char  *to, *text, *body;
    } cases[] = {
        { "15550104440", "We open at 9 & close at 5.",
          "To=whatsapp%3A%2B15550104440&From=whatsapp%3A%2B15550100399"
          "&Body=We%20open%20at%209%20%26%20close%20at%205." },
        { "US.21817263544536271804", "1 + 1 = 2\n100% #",
          "To=whatsapp%3AUS.21817263544536271804"
          "&From=whatsapp%3A%2B15550100399"
          "&Body=1%20%2B%201%20%3D%202%0A100%25%20%23" },
    };

    (void) state;

    arena = arena_create();

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        memset(&message, 0, sizeof(message));
        message.to.data = cases[i].to;
        message.to.len = strlen(cases[i].to);
        message.text.data = cases[i].text;
        message.text.len = strlen(cases[i].text);
        setter_buf_init(&body, arena_alloc(arena), 0);
        twilio_write(&message, from, &body);
        assert_string_equal(arena_copy(arena, body.data, body.len),
                            cases[i].body);
    }

    arena_destroy(arena);
}


#define STATUS(status)  "{\"MessageSid\":\"SM1\",\"MessageStatus\":\"" status  \
    "\",\"ErrorCode\":null}"

static void
test_reports(void **state)
{
    int                i, unused;
    arena_t           *arena;
    channel_report_t  *reports;

    static const setter_str_t  json = setter_str("{\"statuses\":["
        STATUS("queued") "," STATUS("sent") "," STATUS("delivered") ","
        STATUS("read") "," STATUS("canceled") "," STATUS("odd") ",7,"
        "{\"MessageStatus\":\"sent\"},"
        "{\"MessageSid\":\"SM2\",\"MessageStatus\":\"undelivered\","
        "\"ErrorCode\":\"63024\",\"ErrorMessage\":\"Invalid recipient\"}]}");

    static const char *const  states[] = { "sent", "sent", "delivered",
                                           "read", "failed", "failed" };

    (void) state;

    arena = arena_create();
    assert_int_equal(twilio_reports(json, &reports, &unused, arena), 6);
    assert_int_equal(unused, 3);

    for (i = 0; i < 6; i++) {
        assert_string_equal(reports[i].state, states[i]);
    }

    assert_true(setter_str_is(reports[5].provider_id, "SM2"));
    assert_true(setter_str_is(reports[5].reason, "63024 Invalid recipient"));
    arena_destroy(arena);
}


static void
test_check(void **state)
{
    arena_t            *arena;
    channel_answer_t    answer;
    channel_message_t   message;
    channel_account_t   account = { .base_url = NULL };

    (void) state;

    assert_string_equal(channel_twilio.check(&account),
                        "TWILIO_BASE_URL is not set");
    account.base_url = "http://127.0.0.1:1";
    assert_non_null(strstr(channel_twilio.check(&account),
                           "TWILIO_ACCOUNT_SID"));
    account.user = "AC1/../2";
    assert_string_equal(channel_twilio.check(&account),
                        "TWILIO_AUTH_TOKEN is not set");
    account.api_key = "token";
    assert_null(channel_twilio.check(&account));

    /* without a number, or with what is no account, nothing leaves */
    arena = arena_create();
    memset(&message, 0, sizeof(message));
    message.text = (setter_str_t) setter_str("a");
    assert_int_equal(channel_twilio.send(&account, &message, &answer, arena),
                     CHANNEL_SETUP);
    assert_non_null(strstr(answer.reason, "TWILIO_SENDER"));
    account.sender = "15550100399";
    assert_int_equal(channel_twilio.send(&account, &message, &answer, arena),
                     CHANNEL_SETUP);
    assert_non_null(strstr(answer.reason, "TWILIO_ACCOUNT_SID"));
    arena_destroy(arena);
}


static void
test_typing(void **state)
{
    char               *sample;
    size_t              len;
    arena_t            *arena;
    setter_buf_t        body;
    channel_message_t   message;

    (void) state;

    arena = arena_create();
    len = sample_compact(arena, "t/data/twilio/typing.request.json", &sample);

    memset(&message, 0, sizeof(message));
    message.message_id = (setter_str_t) setter_str(
        "SMa0000000000000000000000000000001");
    setter_buf_init(&body, arena_alloc(arena), 0);
    twilio_write_typing(&message, &body);
    assert_int_equal(body.len, len);
    assert_memory_equal(body.data, sample, body.len);
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
        cmocka_unit_test(test_reports),
        cmocka_unit_test(test_typing),
        cmocka_unit_test(test_check)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("channel_twilio", tests, NULL, NULL);
}
