/*
 * setter_format_meta.c, over Meta's samples.
 */

#include "events.h"


static const events_sample_t  samples[] = {
#define A  "15550104321 > 800111222333444: "
    { "inbound-text", 1, { "message text " A } },
    { "inbound-text-compact", 1, { "message text " A } },
    { "inbound-text-escaped", 1, { "message text " A } },
    { "inbound-text-reply-context", 1, { "message text " A } },
    { "inbound-text-forwarded", 1, { "message text " A } },
    { "inbound-text-ad-referral", 1, { "message text " A } },
    { "inbound-text-bsuid-and-phone", 1, { "message text 1555010" } },
    { "inbound-text-bsuid-only", 1, { "message text "
      "US.90817263544536271810 > 800111222333444: no phone number" } },
    { "inbound-image", 1, { "message image " A } },
    { "inbound-image-no-caption", 1, { "message image " A "[image]" } },
    { "inbound-audio-voice", 1, { "message voice " A "[audio]" } },
    { "inbound-document", 1, { "message document " A } },
    { "inbound-sticker", 1, { "message sticker " A "[sticker]" } },
    { "inbound-button", 1, { "message button " A } },
    { "inbound-interactive-button-reply", 1, { "message button " A } },
    { "inbound-interactive-list-reply", 1, { "message list " A "09:30" } },
    { "inbound-interactive-flow-reply", 1, { "message flow " A "Sent" } },
    { "inbound-location", 1, { "message location " A } },
    { "inbound-contacts", 1, { "message contacts " A "[contacts]" } },
    { "inbound-order", 1, { "message order " A } },
    { "inbound-reaction", 1, { "! reaction" } },
    { "inbound-reaction-removed", 1, { "! reaction" } },
    { "inbound-system-number-changed", 1, { "! unsupported" } },
    { "inbound-unsupported", 1, { "! unsupported" } },
    { "inbound-group-text", 1, { "! group" } },
    { "inbound-value-errors", 1, { "! errors" } },
    { "field-template-status", 1, { "! field" } },
    { "inbound-batch", 4, { "message text " A "first",
      "message text " A "second",
      "message text 15550104322 > 800111222333444: third, other user",
      "message text " } },
    { "status-sent", 1, { "status " } },
    { "status-delivered", 1, { "status " } },
    { "status-read", 1, { "status " } },
    { "status-failed-131047", 1, { "status " } },
#undef A
};

#define NSAMPLES  (sizeof(samples) / sizeof(samples[0]))


static void
test_samples(void **state)
{
    (void) state;

    events_samples("meta", "meta-whatsapp", samples, NSAMPLES);
}


/* What belongs to the job beside the text. */
static void
test_members(void **state)
{
    int               rc;
    char             *text;
    size_t            len = 0;
    arena_t          *arena;
    setter_job_t     *job;
    setter_events_t   events;

    (void) state;

    arena = arena_create();

    text = sample_read(arena, "t/data/meta-whatsapp/inbound-image.json", &len);
    events = events_read("meta", arena, text, len, &rc);
    job = &events.list[0].job;
    assert_non_null(strstr(arena_copy(arena, job->media.data, job->media.len),
                           "\"mime_type\":\"image/jpeg\""));
    assert_non_null(strstr(arena_copy(arena, job->profile.data,
                                      job->profile.len),
                           "\"name\":\"Test Contact A\""));
    assert_true(job->provider_id.len == events.list[0].key.len);

    text = sample_read(arena, "t/data/meta-whatsapp/"
                       "inbound-text-ad-referral.json", &len);
    events = events_read("meta", arena, text, len, &rc);
    job = &events.list[0].job;
    assert_non_null(strstr(arena_copy(arena, job->data.data, job->data.len),
                           "\"referral\":{"));
    assert_null(strstr(arena_copy(arena, job->data.data, job->data.len),
                       "\"text\":{"));

    /* a status: its job has the element, by which a repeat is known, too */
    text = sample_read(arena, "t/data/meta-whatsapp/status-read.json", &len);
    events = events_read("meta", arena, text, len, &rc);
    job = &events.list[0].job;
    assert_memory_equal(job->data.data, "\"statuses\":[{", 13);
    assert_int_equal(events.list[0].key.len, job->provider_id.len + 5);
    assert_memory_equal(events.list[0].key.data + job->provider_id.len,
                        "/read", 5);

    arena_destroy(arena);
}


/* A bad element is set aside, and the others pass. */
static void
test_bad_elements(void **state)
{
#define VALUE(rest)                                                           \
    "{\"entry\":[{\"changes\":[{\"field\":\"messages\",\"value\":{"           \
    "\"metadata\":{\"phone_number_id\":\"1\"}," rest "}}]}]}"
#define GOOD  "{\"id\":\"w\",\"from\":\"2\",\"timestamp\":\"1767225600\","    \
    "\"type\":\"text\",\"text\":{\"body\":\"good \\\" ] one\"}}"

    static const events_body_t  odd[] = {
        { VALUE("\"messages\":[7," GOOD ",null]"),
          { "! malformed", "message text 2 > 1: good \" ] one",
            "! malformed" } },
        { VALUE("\"messages\":[{\"from\":\"2\"}," GOOD "]"),
          { "! malformed", "message text 2 > 1: good" } },
        { VALUE("\"messages\":[{\"id\":\"w\",\"from\":\"2\",\"type\":\"text\","
          "\"text\":{\"body\":\"\"}}]"), { "! empty" } },
        { VALUE("\"messages\":[{\"id\":\"w\",\"from\":\"2\",\"type\":\"text\","
          "\"text\":[]}]"), { "! empty" } },
        { VALUE("\"messages\":[{\"id\":\"w\",\"from\":\"2\"}]"),
          { "! unsupported" } },
        { VALUE("\"messages\":[ \n" GOOD " , " GOOD "\t] "),
          { "message text 2 > 1: good", "message text 2 > 1: good" } },
        { VALUE("\"messages\":[],\"statuses\":[]"), { NULL } },
        { VALUE("\"messages\":{},\"statuses\":7"), { "! errors" } },
        { VALUE("\"statuses\":[{\"id\":\"w\"},{\"status\":\"sent\"}]"),
          { "! malformed", "! malformed" } },
        { VALUE("\"messages\":[{\"id\":\"w\",\"from\":\"2\","
          "\"timestamp\":\"soon\",\"type\":\"text\","
          "\"text\":{\"body\":\"\\ud800 x\"}}]"),
          { "message text 2 > 1: \xef\xbf\xbd x" } },
        { "{\"entry\":[{},{\"changes\":7},7]}",
          { "! malformed", "! malformed", "! malformed" } },
        { "{\"entry\":[{\"changes\":[{},7,{\"field\":\"messages\"}]}]}",
          { "! malformed", "! malformed", "! malformed" } },
        { "{\"entry\":[]}", { NULL } },
    };

    static const char *const  none[] = { "", "7", "[]", "{}", "{\"entry\":7}",
        "{\"entry\":[", "{\"entry\":[]}x" };

    (void) state;

    events_bodies("meta", odd, sizeof(odd) / sizeof(odd[0]));
    events_none("meta", none, sizeof(none) / sizeof(none[0]));
}


static void
test_limits(void **state)
{
    int               i, rc;
    arena_t          *arena;
    setter_buf_t      buf;
    setter_events_t   events;

    (void) state;

    arena = arena_create();
    setter_buf_init(&buf, arena_alloc(arena), 0);
    setter_buf_text(&buf, "{\"entry\":[{\"changes\":[{\"field\":\"messages\","
                    "\"value\":{\"metadata\":{\"phone_number_id\":\"1\"},"
                    "\"messages\":[");
    for (i = 0; i < 1000; i++) {
        setter_buf_text(&buf, GOOD ",");
    }
    setter_buf_text(&buf, GOOD "]}}]}]}");

    events = events_read("meta", arena, buf.data, buf.len, &rc);
    assert_int_equal(rc, SETTER_OK);
    assert_int_equal(events.n, 1001);
    arena_destroy(arena);
}


static void
test_no_memory(void **state)
{
    (void) state;

    events_no_memory("meta", "t/data/meta-whatsapp/inbound-batch.json", 4);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_bad_elements),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_no_memory)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("setter_format_meta", tests, NULL,
                                       NULL);
}
