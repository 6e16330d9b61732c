/*
 * workers/channel/meta.c and meta_report.c
 */

#include "sample.h"

#include "channel/meta.h"


typedef struct {
    const char        *name;
    channel_result_e   result;
    int64_t            retry_after_ms;
    const char        *reason;
} judged_t;

#define WAMID_TEXT                                                            \
    "wamid.HBgLMTU1NTAxMDQzMjEVAgARGBIyRTY5NTU4QTU2RkREQTU0NTMA"
#define WAMID_BSUID                                                           \
    "wamid.HBgLMTU1NTAxMDQzOTkVAgARGBIyMzk2Qzg2M0YxQzIwQjY4NDAA"


static const judged_t  judged[] = {
    { "send-text", CHANNEL_SENT, -1, "200 " WAMID_TEXT },
    { "send-template", CHANNEL_SENT, -1,
      "200 wamid.HBgLMTU1NTAxMDQzMjEVAgARGBI3MzcxMUUwOTcyQjM2ODdDODgA" },
    { "send-text-bsuid", CHANNEL_SENT, -1, "200 " WAMID_BSUID },
    { "error-2-transient", CHANNEL_NOT_SENT, -1, "503 2" },
    { "error-4", CHANNEL_NOT_SENT, 60000, "400 4" },
    { "error-100", CHANNEL_FAILED, -1, "400 100" },
    { "error-190-token-expired", CHANNEL_SETUP, -1, "401 190" },
    { "error-368", CHANNEL_SETUP, -1, "403 368" },
    { "error-80007", CHANNEL_NOT_SENT, 60000, "400 80007" },
    { "error-130429", CHANNEL_NOT_SENT, 2000, "429 130429" },
    { "error-130429-http400", CHANNEL_NOT_SENT, 2000, "400 130429" },
    { "error-131000", CHANNEL_NOT_SENT, -1, "500 131000" },
    { "error-131009", CHANNEL_FAILED, -1, "400 131009" },
    { "error-131016", CHANNEL_NOT_SENT, -1, "500 131016" },
    { "error-131026", CHANNEL_FAILED, -1, "400 131026" },
    { "error-131030", CHANNEL_FAILED, -1, "400 131030" },
    { "error-131042", CHANNEL_SETUP, -1, "400 131042" },
    { "error-131047", CHANNEL_FAILED, -1, "400 131047" },
    { "error-131048", CHANNEL_SETUP, -1, "400 131048" },
    { "error-131056", CHANNEL_NOT_SENT, 6000, "400 131056" },
    { "error-132001", CHANNEL_FAILED, -1, "404 132001" },
    { "error-502-html", CHANNEL_UNKNOWN, -1, "502 " },
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
        sample_response(arena, arena_printf(arena, "meta-whatsapp/%s",
                                            judged[i].name), &response);
        channel_answer_init(&answer);
        meta_judge(&response, &answer, arena);

        assert_int_equal(answer.result, judged[i].result);
        assert_int_equal(answer.retry_after_ms, judged[i].retry_after_ms);
        assert_string_equal(answer.reason, judged[i].reason);
    }

    arena_destroy(arena);
    assert_int_equal(sample_count("meta-whatsapp"), NJUDGED);
}


/* Each code of the table, whatever the status beside it. */
static void
test_codes(void **state)
{
    size_t            i, j;
    arena_t          *arena;
    http_response_t   response;
    channel_answer_t  answer;

    static const long  statuses[] = { 200, 400, 401, 403, 404, 429, 500, 503 };

    static const struct {
        channel_result_e   result;
        int                codes[24];
    } table[] = {
        { CHANNEL_NOT_SENT, { 1, 2, 4, 80007, 130429, 131000, 131016, 131056,
                              131057, 133004, -1 } },
        { CHANNEL_SETUP, { 0, 3, 10, 190, 200, 299, 368, 131031, 131042,
                           131048, -1 } },
        { CHANNEL_FAILED, { 100, 131008, 131009, 131021, 131026, 131030,
                            131047, 131049, 131051, 131052, 131053, 131062,
                            132000, 132001, 132005, 132007, 132012, 132015,
                            -1 } },
    };

    (void) state;

    arena = arena_create();

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        for (j = 0; table[i].codes[j] != -1; j++) {
            print_message("# %d\n", table[i].codes[j]);
            sample_make(statuses[j % 8],
                        arena_printf(arena, "{\"error\":{\"code\":%d}}",
                                     table[i].codes[j]), &response);
            channel_answer_init(&answer);
            meta_judge(&response, &answer, arena);
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
        { 200, "{}", CHANNEL_UNKNOWN },
        { 200, "", CHANNEL_UNKNOWN },
        { 200, "\x1f\x8b\xff", CHANNEL_UNKNOWN },
        { 200, "{\"messages\":[]}", CHANNEL_UNKNOWN },
        { 200, "{\"messages\":[{\"id\":\"wamid.1\",\"message_status\":"
          "\"held_for_quality_assessment\"}]}", CHANNEL_SENT },
        { 400, "{\"error\":{\"code\":999999}}", CHANNEL_FAILED },
        { 400, "{\"error\":{\"code\":999999,\"is_transient\":true}}",
          CHANNEL_NOT_SENT },
        { 500, "{\"error\":{\"code\":999999}}", CHANNEL_NOT_SENT },
        { 500, "{\"error\":{\"code\":1234567890123}}", CHANNEL_NOT_SENT },
        { 500, "{\"error\":{\"code\":\"131000\"}}", CHANNEL_UNKNOWN },
        { 400, "{\"error\":{\"code\":-1}}", CHANNEL_FAILED },
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
        meta_judge(&response, &answer, arena);
        assert_int_equal(answer.result, odd[i].result);
    }

    arena_destroy(arena);
}


/* What it says comes first, where it says how long to wait. */
static void
test_retry_after(void **state)
{
    arena_t          *arena;
    http_response_t   response;
    channel_answer_t  answer;

    (void) state;

    arena = arena_create();
    sample_make(429, "{\"error\":{\"code\":130429}}", &response);
    response.retry_after_ms = 7000;
    channel_answer_init(&answer);
    meta_judge(&response, &answer, arena);
    assert_int_equal(answer.retry_after_ms, 7000);
    arena_destroy(arena);
}


static void
assert_request(const char *name, const channel_message_t *message,
    const setter_json_path_t *paths, size_t n)
{
    arena_t       *arena;
    setter_buf_t   body;

    arena = arena_create();
    setter_buf_init(&body, arena_alloc(arena), 0);
    meta_write(message, &body);
    sample_request(arena, arena_printf(arena, "meta-whatsapp/%s", name),
                   &body, paths, n);
    arena_destroy(arena);
}


static void
test_requests(void **state)
{
    channel_message_t  number = {
        .message_id = setter_str("job-000123"),
        .to = setter_str("15550104321"),
        .text = setter_str("We deliver from 10:00 to 16:00 on Sundays."),
    };
    channel_message_t  scoped = {
        .message_id = setter_str("job-000123"),
        .to = setter_str("US.90817263544536271810"),
        .text = setter_str("Hello by business-scoped id."),
    };

    static const setter_json_path_t  paths[] = {
        { "messaging_product", 0 }, { "recipient_type", 0 }, { "to", 0 },
        { "recipient", 0 }, { "type", 0 }, { "text.body", 0 },
        { "text.preview_url", 0 }, { "biz_opaque_callback_data", 0 },
    };

    (void) state;

    assert_request("send-text", &number, paths, 8);
    /* this sample leaves the last two out */
    assert_request("send-text-bsuid", &scoped, paths, 6);
}


static void
test_check(void **state)
{
    setter_str_t       name = setter_str("meta");
    const channel_t   *channel;
    channel_account_t  account = {
        .base_url = "https://graph.facebook.com/v23.0", .api_key = "key"
    };

    (void) state;

    channel = channel_find(name);
    assert_non_null(channel);
    assert_null(channel->check(&account));

    account.api_key = "";
    assert_non_null(strstr(channel->check(&account), "META_ACCESS_TOKEN"));

    account.base_url = NULL;
    assert_non_null(strstr(channel->check(&account), "META_BASE_URL"));
}


/* The sender becomes part of the URL: nothing but digits may. */
static void
test_sender(void **state)
{
    size_t             i;
    arena_t           *arena;
    channel_answer_t   answer;
    channel_account_t  account = {
        .base_url = "http://127.0.0.1:1", .api_key = "key"
    };
    channel_message_t  message = { .to = setter_str("15550104321"),
                                   .text = setter_str("x") };

    static const char *const  bad[] = {
        "1/../2", "me", "1 2", "+15550100000", "1?x=", "1%2f",
        "123456789012345678901234567890123",
    };

    (void) state;

    arena = arena_create();
    assert_int_equal(channel_meta.send(&account, &message, &answer, arena),
                     CHANNEL_SETUP);
    assert_non_null(strstr(answer.reason, "META_PHONE_NUMBER_ID"));

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        message.from.data = bad[i];
        message.from.len = strlen(bad[i]);
        assert_int_equal(channel_meta.send(&account, &message, &answer,
                                           arena), CHANNEL_FAILED);
        assert_string_equal(answer.reason,
                            "the sender is no phone number's id");
    }

    arena_destroy(arena);
}


/* A webhook's value, as the job has it in its data. */
static int
read_reports(arena_t *arena, const char *name, channel_report_t **reports,
    int *unused)
{
    size_t                    len = 0;
    char                     *text;
    setter_str_t              json;
    setter_json_value_t       value;
    const setter_json_path_t  path = { "entry.0.changes.0.value",
                                       SETTER_JSON_TEXT };

    text = sample_read(arena, arena_printf(arena,
                       "t/data/meta-whatsapp/%s.json", name), &len);
    assert_non_null(text);
    assert_int_equal(setter_json_read(text, len, 0, &path, 1, &value, NULL,
                                      arena_alloc(arena)), SETTER_JSON_OK);
    json = value.text;

    return meta_reports(json, reports, unused, arena);
}


static void
test_reports(void **state)
{
    int                unused;
    size_t             i;
    arena_t           *arena;
    channel_report_t  *reports;

    static const struct {
        const char  *name, *state, *reason;
    } samples[] = {
        { "status-sent", "sent", "" },
        { "status-sent-v24", "sent", "" },
        { "status-delivered", "delivered", "" },
        { "status-delivered-bsuid", "delivered", "" },
        { "status-read", "read", "" },
        { "status-failed-131026", "failed", "131026 " },
        { "status-failed-131047", "failed", "131047 " },
        { "status-failed-131049", "failed", "131049 " },
    };

    (void) state;

    arena = arena_create();

    for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        print_message("# %s\n", samples[i].name);
        assert_int_equal(read_reports(arena, samples[i].name, &reports,
                                      &unused), 1);
        assert_int_equal(unused, 0);
        assert_string_equal(reports[0].state, samples[i].state);
        assert_true(reports[0].provider_id.len > 10);
        assert_memory_equal(reports[0].provider_id.data, "wamid.", 6);
        assert_memory_equal(reports[0].reason.data, samples[i].reason,
                            strlen(samples[i].reason));
    }

    assert_true(read_reports(arena, "status-batch", &reports, &unused) > 1);
    arena_destroy(arena);
}


static void
test_reports_of_ours_and_odd_ones(void **state)
{
    int                unused;
    arena_t           *arena;
    setter_str_t       json = setter_str("{\"statuses\":["
        "{\"id\":\"wamid.1\",\"status\":\"played\","
        "\"biz_opaque_callback_data\":"
        "\"0190a000-0000-7000-8000-000000000001\"},"
        "{\"id\":\"wamid.2\",\"status\":\"new one\"},"
        "{\"status\":\"sent\"},7,"
        "{\"id\":\"wamid.3\",\"status\":\"sent\","
        "\"biz_opaque_callback_data\":\"somebody else's\"}]}");
    channel_report_t  *reports;

    (void) state;

    arena = arena_create();
    assert_int_equal(meta_reports(json, &reports, &unused, arena), 2);
    assert_int_equal(unused, 3);
    assert_string_equal(reports[0].state, "read");
    assert_int_equal(reports[0].message_id.len, 36);
    assert_string_equal(reports[1].state, "sent");
    assert_int_equal(reports[1].message_id.len, 0);
    arena_destroy(arena);
}


/* The sample's request, but for white space. */
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
    len = sample_compact(arena, "t/data/meta-whatsapp/typing.request.json",
                         &sample);

    memset(&message, 0, sizeof(message));
    message.message_id = (setter_str_t) setter_str(
        "wamid.HBgLMTU1NTAxMDQzMjEVAgASGBQwRjNEMzk4NDlENDdFMkNGMzE1QwA=");
    setter_buf_init(&body, arena_alloc(arena), 0);
    meta_write_typing(&message, &body);
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
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_sender),
        cmocka_unit_test(test_reports),
        cmocka_unit_test(test_reports_of_ours_and_odd_ones),
        cmocka_unit_test(test_typing)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("channel_meta", tests, NULL, NULL);
}
