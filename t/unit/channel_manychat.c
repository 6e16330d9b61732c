/*
 * workers/channel/manychat.c
 */

#include "sample.h"

#include "channel/manychat.h"


typedef struct {
    const char        *name;
    channel_result_e   result;
    const char        *reason;
} judged_t;


static const judged_t  judged[] = {
    { "send-content", CHANNEL_SENT, "200 " },
    { "error-200-with-error-status", CHANNEL_FAILED, "200 " },
    { "error-400-2011-user-ref", CHANNEL_FAILED, "400 2011" },
    { "error-400-3011-window", CHANNEL_FAILED, "400 3011" },
    { "error-400-3031-reason", CHANNEL_FAILED, "400 3031" },
    { "error-400-3041-channel", CHANNEL_FAILED, "400 3041" },
    { "error-400-validation", CHANNEL_FAILED, "400 " },
    { "error-401-token-required", CHANNEL_SETUP, "401 " },
    { "error-404-html", CHANNEL_FAILED, "404 " },
    { "error-429-undocumented", CHANNEL_NOT_SENT, "429 " },
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
        sample_response(arena, arena_printf(arena, "manychat/%s",
                                            judged[i].name), &response);
        channel_answer_init(&answer);
        manychat_judge(&response, &answer, arena);

        assert_int_equal(answer.result, judged[i].result);
        assert_string_equal(answer.reason, judged[i].reason);
    }

    arena_destroy(arena);
    assert_int_equal(sample_count("manychat"), NJUDGED);
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
        { 200, "{\"status\":\"success\",\"data\":{}}", CHANNEL_SENT },
        { 200, "{\"status\":\"error\",\"code\":2012}", CHANNEL_NOT_SENT },
        { 200, "{\"status\":\"error\",\"code\":3011}", CHANNEL_FAILED },
        { 200, "{\"status\":\"strange\"}", CHANNEL_UNKNOWN },
        { 200, "{}", CHANNEL_UNKNOWN },
        { 200, "", CHANNEL_UNKNOWN },
        { 200, "\x1f\x8b\xff", CHANNEL_UNKNOWN },
        { 400, "{\"status\":\"error\",\"code\":2012}", CHANNEL_NOT_SENT },
        { 400, "{\"status\":\"error\",\"code\":\"3021\"}", CHANNEL_FAILED },
        { 500, "{\"status\":\"error\"}", CHANNEL_NOT_SENT },
        { 500, "{\"status\":\"success\"}", CHANNEL_UNKNOWN },
        { 500, "<html>", CHANNEL_UNKNOWN },
        { 502, "<html>", CHANNEL_UNKNOWN },
        { 429, "<html>", CHANNEL_NOT_SENT },
        { 301, "", CHANNEL_FAILED },
    };

    (void) state;

    arena = arena_create();

    for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
        print_message("# %ld %s\n", odd[i].status, odd[i].body);
        sample_make(odd[i].status, odd[i].body, &response);
        response.retry_after_ms = 50;
        channel_answer_init(&answer);
        manychat_judge(&response, &answer, arena);
        assert_int_equal(answer.result, odd[i].result);
        assert_int_equal(answer.retry_after_ms,
                         odd[i].result == CHANNEL_NOT_SENT ? 50 : -1);
    }

    arena_destroy(arena);
}


static const char *
written(const char *to, const char *surface, arena_t *arena)
{
    setter_buf_t       body;
    channel_message_t  message;

    memset(&message, 0, sizeof(channel_message_t));
    message.to.data = to;
    message.to.len = strlen(to);
    message.surface.data = surface;
    message.surface.len = surface != NULL ? strlen(surface) : 0;
    message.text.data = "Yes, we ship to 40 countries.";
    message.text.len = strlen(message.text.data);

    setter_buf_init(&body, arena_alloc(arena), 0);
    manychat_write(&message, &body);
    setter_buf_byte(&body, '\0');
    assert_false(body.failed);

    return body.data;
}


/* Takes the white space between JSON's tokens away. */
static void
pack(char *json)
{
    int    quoted;
    char  *p;

    quoted = 0;

    for (p = json; *p != '\0'; p++) {
        if (*p == '"') {
            quoted = !quoted;
        }

        if (quoted || (*p != ' ' && *p != '\n')) {
            *json++ = *p;
        }
    }

    *json = '\0';
}


static void
test_request(void **state)
{
    char     *sample;
    size_t    len;
    arena_t  *arena;

    (void) state;

    arena = arena_create();
    sample = sample_read(arena, "t/data/manychat/send-content.request.json",
                         &len);
    assert_non_null(sample);
    pack(sample);

    assert_string_equal(written("1000000000012345", "instagram", arena),
                        sample);
    assert_string_equal(written("lead-7", NULL, arena),
        "{\"subscriber_id\":\"lead-7\",\"data\":{\"version\":\"v2\","
        "\"content\":{\"messages\":[{\"type\":\"text\",\"text\":"
        "\"Yes, we ship to 40 countries.\"}],\"actions\":[],"
        "\"quick_replies\":[]}}}");
    assert_non_null(strstr(written("7", "whatsapp", arena),
        "{\"type\":\"whatsapp\",\"messages\":[{\"type\":\"text\",\"text\":"
        "\"Yes, we ship to 40 countries.\"}],\"actions\":[]}"));
    assert_null(strstr(written("7", "telegram", arena), "quick_replies"));

    arena_destroy(arena);
}


/* Only what JSON and ManyChat take for an integer goes without quotes. */
static void
test_subscriber_id(void **state)
{
    size_t    i;
    arena_t  *arena;

    static const struct {
        const char  *id;
        const char  *json;
    } ids[] = {
        { "1", "{\"subscriber_id\":1," },
        { "98765432109876543", "{\"subscriber_id\":98765432109876543," },
        { "007", "{\"subscriber_id\":\"007\"," },
        { "0", "{\"subscriber_id\":\"0\"," },
        { "-1", "{\"subscriber_id\":\"-1\"," },
        { "1e3", "{\"subscriber_id\":\"1e3\"," },
        { "12345678901234567890",
          "{\"subscriber_id\":\"12345678901234567890\"," },
        { "a\"b", "{\"subscriber_id\":\"a\\\"b\"," },
    };

    (void) state;

    arena = arena_create();

    for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        assert_memory_equal(written(ids[i].id, NULL, arena), ids[i].json,
                            strlen(ids[i].json));
    }

    arena_destroy(arena);
}


/* One request has all the parts of a long text, for Instagram 1000 bytes. */
static void
test_long_text(void **state)
{
    int                  i;
    char                 text[12001];
    arena_t             *arena;
    setter_buf_t         body;
    channel_message_t    message;
    setter_json_value_t  values[3];

    static const setter_json_path_t  paths[3] = {
        { "data.content.messages.0.text", 0 },
        { "data.content.messages.9.text", 0 },
        { "data.content.messages.10", 0 }
    };

    static const struct {
        const char  *surface;
        size_t       first, tenth;      /* bytes */
    } surfaces[] = {
        { "instagram", 1000, 3000 }, { "telegram", 4096, 0 }
    };

    (void) state;

    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    arena = arena_create();

    for (i = 0; i < 2; i++) {
        memset(&message, 0, sizeof(message));
        message.to = (setter_str_t) setter_str("1");
        message.text = (setter_str_t) { sizeof(text) - 1, text };
        message.surface.data = surfaces[i].surface;
        message.surface.len = strlen(surfaces[i].surface);
        setter_buf_init(&body, arena_alloc(arena), 0);
        manychat_write(&message, &body);

        assert_int_equal(setter_json_read(body.data, body.len, 0, paths, 3,
                                          values, NULL, arena_alloc(arena)),
                         SETTER_JSON_OK);
        assert_int_equal(values[0].text.len, surfaces[i].first);
        assert_int_equal(values[1].text.len, surfaces[i].tenth);
        assert_int_equal(values[2].type, SETTER_JSON_ABSENT);
    }

    arena_destroy(arena);
}


static void
test_check(void **state)
{
    setter_str_t       name = setter_str("manychat");
    const channel_t   *channel;
    channel_account_t  account = { .base_url = "https://api.manychat.com",
                                   .api_key = "1:k" };

    (void) state;

    channel = channel_find(name);
    assert_non_null(channel);
    assert_null(channel->check(&account));

    account.api_key = NULL;
    assert_non_null(strstr(channel->check(&account), "MANYCHAT_API_KEY"));

    account.base_url = "";
    assert_non_null(strstr(channel->check(&account), "MANYCHAT_BASE_URL"));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_odd_responses),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_subscriber_id),
        cmocka_unit_test(test_long_text),
        cmocka_unit_test(test_check),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, unit_loop, NULL);
}
