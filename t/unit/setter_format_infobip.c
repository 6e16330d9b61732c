/*
 * setter_format_infobip.c, over Infobip's samples.
 */

#include "events.h"


#define A  "15550104330 > 15550100299: "

static const events_sample_t  samples[] = {
    { "inbound-text", 1, { "message text " A "Hello, is" } },
    { "inbound-text-reply-context", 1, { "message text " A } },
    { "inbound-text-keyword", 1, { "message text " A "JOIN" } },
    { "inbound-text-identity", 1, { "message text " A "new" } },
    { "inbound-text-bsuid-only", 1, { "message text "
      "US.11817263544536271802 > 15550100299: no phone number" } },
    { "inbound-button", 1, { "message button " A "Confirm" } },
    { "inbound-interactive-button-reply", 1,
      { "message button " A "Yes" } },
    { "inbound-interactive-list-reply", 1,
      { "message list " A "09:30" } },
    { "inbound-image", 1, { "message image " A "broken part" } },
    { "inbound-document", 1, { "message document " A "form" } },
    { "inbound-audio", 1, { "message audio " A "[audio]" } },
    { "inbound-voice", 1, { "message voice " A "[audio]" } },
    { "inbound-sticker", 1, { "message sticker " A "[sticker" } },
    { "inbound-location", 1, { "message location " A "Exam" } },
    { "inbound-reaction", 1, { "! reaction" } },
    { "inbound-infected", 1, { "! unsupported" } },
    { "inbound-unsupported", 1, { "! unsupported" } },
    { "inbound-empty", 0, { NULL } },
    { "inbound-batch", 3, { "message text " A "one",
      "message text " A "two",
      "message text 15550104330 > 15550100298: three" } },
    { "delivery-report-delivered", 1, { "status  > : " } },
    { "delivery-report-rejected-no-session", 1, { "status " } },
    { "delivery-report-batch", 2, { "status ", "status " } },
    { "seen-report", 1, { "status  > 15550100299: " } },
};


static void
test_samples(void **state)
{
    (void) state;

    events_samples("infobip", "infobip", samples,
                   sizeof(samples) / sizeof(samples[0]));
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
    setter_event_t   *event;
    setter_events_t   events;

    (void) state;

    arena = arena_create();

    text = sample_read(arena, "t/data/infobip/inbound-image.json", &len);
    events = events_read("infobip", arena, text, len, &rc);
    job = &events.list[0].job;
    assert_int_equal(events.list[0].time_ms, 1767261600000);
    assert_non_null(strstr(arena_copy(arena, job->media.data, job->media.len),
                           "\"url\":\"https://ib.example.com/"));
    assert_non_null(strstr(arena_copy(arena, job->profile.data,
                                      job->profile.len),
                           "\"name\":\"Test Contact E\""));
    assert_int_equal(job->provider_id.len, events.list[0].key.len);

    /* what no member of the job takes is data */
    text = sample_read(arena, "t/data/infobip/inbound-text-keyword.json",
                       &len);
    events = events_read("infobip", arena, text, len, &rc);
    job = &events.list[0].job;
    text = arena_copy(arena, job->data.data, job->data.len);
    assert_non_null(strstr(text, "\"keyword\":\"JOIN\""));
    assert_non_null(strstr(text, "\"callbackData\":\"campaign-7\""));
    assert_null(strstr(text, "\"contact\""));

    /* a report as the worker reads it; a repeat is known by id and state */
    text = sample_read(arena, "t/data/infobip/delivery-report-delivered.json",
                       &len);
    events = events_read("infobip", arena, text, len, &rc);
    event = &events.list[0];
    assert_memory_equal(event->job.data.data, "\"results\":[{", 12);
    assert_memory_equal(event->key.data + event->job.provider_id.len,
                        "/DELIVERED", 10);

    text = sample_read(arena, "t/data/infobip/seen-report.json", &len);
    events = events_read("infobip", arena, text, len, &rc);
    event = &events.list[0];
    assert_memory_equal(event->key.data + event->job.provider_id.len,
                        "/SEEN", 5);

    arena_destroy(arena);
}


/* Bad elements are set aside, the others pass. */
static void
test_bad_elements(void **state)
{
#define GOOD  "{\"messageId\":\"w\",\"from\":\"2\",\"to\":\"1\","             \
    "\"message\":{\"type\":\"TEXT\",\"text\":\"good ] one\"}}"
#define FROM(more)  "{\"messageId\":\"w\",\"from\":\"2\",\"to\":\"1\"" more "}"

    static const events_body_t  odd[] = {
        { "{\"results\":[7," GOOD ",null]}",
          { "! malformed", "message text 2 > 1: good ] one",
            "! malformed" } },
        { "{\"results\":[{\"from\":\"2\",\"to\":\"1\",\"message\":{}}]}",
          { "! malformed" } },
        { "{\"results\":[{\"messageId\":\"w\",\"to\":\"1\","
          "\"message\":{\"type\":\"TEXT\",\"text\":\"a\"},"
          "\"contact\":{\"userId\":\"US.1\"}}]}",
          { "message text US.1 > 1: a" } },
        { "{\"results\":[" FROM(",\"message\":{\"type\":\"TEXT\"}") "]}",
          { "! empty" } },
        { "{\"results\":[" FROM(",\"message\":{}") "]}",
          { "! unsupported" } },
        { "{\"results\":[" FROM(",\"message\":7") "," FROM("") "]}",
          { "! malformed", "! malformed" } },
        { "{\"results\":[{\"seenAt\":\"2026-01-01T00:00:00Z\"},"
          "{\"status\":{\"groupName\":\"DELIVERED\"}}]}",
          { "! malformed", "! malformed" } },
    };

    static const char *const  none[] = { "", "7", "[]", "{}",
        "{\"results\":7}", "{\"results\":[", "{\"results\":[]}x" };

    (void) state;

    events_bodies("infobip", odd, sizeof(odd) / sizeof(odd[0]));
    events_none("infobip", none, sizeof(none) / sizeof(none[0]));
}


static void
test_no_memory(void **state)
{
    (void) state;

    events_no_memory("infobip", "t/data/infobip/inbound-batch.json", 3);
    events_no_memory("infobip", "t/data/infobip/delivery-report-batch.json",
                     2);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_bad_elements),
        cmocka_unit_test(test_no_memory)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("setter_format_infobip", tests, NULL,
                                       NULL);
}
