/*
 * setter_format_twilio.c, over Twilio's samples.
 */

#include "events.h"


#define A  "15550104440 > 15550100399: "

static const struct {
    const char  *name;
    const char  *event;
} samples[] = {
    { "inbound-text", "message text " A "Hello + welcome & 100% = ok?" },
    { "inbound-text-unicode", "message text " A },
    { "inbound-text-channel-metadata", "message text " A "with metadata" },
    { "inbound-text-bsuid-from",
      "message text US.21817263544536271804 > 15550100399: no phone" },
    { "inbound-reply", "message text " A },
    { "inbound-ad-referral", "message text " A },
    { "inbound-button", "message button " A "Confirm" },
    { "inbound-list-reply", "message list " A "09:30" },
    { "inbound-media", "message image " A "[image]" },
    { "inbound-media-caption", "message image " A "is this ok?" },
    { "inbound-voice", "message audio " A "[audio]" },
    { "inbound-location", "message location " A "Example Cafe" },
    { "status-queued", "status  > 15550100399: " },
    { "status-sent", "status  > 15550100399: " },
    { "status-delivered", "status  > 15550100399: " },
    { "status-read", "status  > 15550100399: " },
    { "status-failed-63016", "status  > 15550100399: " },
    { "status-failed-63018", "status  > 15550100399: " },
    { "status-undelivered-63024", "status  > 15550100399: " },
};


static setter_events_t
read_sample(arena_t *arena, const char *name)
{
    int               rc;
    char             *text;
    size_t            len = 0;
    setter_events_t   events;

    text = sample_read(arena, arena_printf(arena, "t/data/twilio/%s.form",
                                           name), &len);
    assert_non_null(text);
    events = events_read("twilio", arena, text, len, &rc);
    assert_int_equal(rc, SETTER_OK);
    assert_int_equal(events.n, 1);

    return events;
}


static void
test_samples(void **state)
{
    size_t            i;
    arena_t          *arena;
    const char       *found;
    setter_events_t   events;

    (void) state;

    arena = arena_create();

    for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        print_message("# %s\n", samples[i].name);
        events = read_sample(arena, samples[i].name);
        found = events_tell(arena, &events.list[0]);
        print_message("#   %s\n", found);
        assert_memory_equal(found, samples[i].event,
                            strlen(samples[i].event));
        assert_true(events.list[0].key.len > 30);
    }

    arena_destroy(arena);
}


static void
assert_has(arena_t *arena, setter_str_t text, const char *part)
{
    assert_non_null(strstr(arena_copy(arena, text.data, text.len), part));
}


/* What belongs to the job beside the text. */
static void
test_members(void **state)
{
    arena_t          *arena;
    setter_job_t     *job;
    setter_event_t   *event;
    setter_events_t   events;

    (void) state;

    arena = arena_create();

    events = read_sample(arena, "inbound-media-caption");
    job = &events.list[0].job;
    assert_has(arena, job->media, "[{\"url\":\"https://api.twilio.com/");
    assert_has(arena, job->media, "\"type\":\"image/png\"}]");
    assert_has(arena, job->profile, "{\"name\":\"Test Contact G\"}");
    assert_has(arena, job->data, "\"NumMedia\":\"1\"");

    events = read_sample(arena, "inbound-button");
    job = &events.list[0].job;
    assert_has(arena, job->data, "\"ButtonPayload\":\"CONFIRM_7\"");
    assert_has(arena, job->data, "\"OriginalRepliedMessageSid\":\"MM");

    events = read_sample(arena, "status-failed-63016");
    event = &events.list[0];
    assert_has(arena, event->job.data, "\"statuses\":[{\"MessageSid\":\"SM");
    assert_has(arena, event->job.data, "\"ErrorCode\":\"63016\"");
    assert_memory_equal(event->key.data + event->job.provider_id.len,
                        "/failed", 7);

    arena_destroy(arena);
}


static void
test_odd_forms(void **state)
{
    static const events_body_t  odd[] = {
        { "MessageSid=SM1&From=whatsapp:%2B2&To=whatsapp:%2B1&Body=a",
          { "message text 2 > 1: a" } },
        { "MessageSid=SM1&From=2&To=1&Body=a&MessageType=hologram",
          { "message text 2 > 1: a" } },
        { "MessageSid=SM1&From=2&To=1&Body=", { "! empty" } },
        { "MessageSid=SM1&From=2&To=1&Body=&MediaUrl0=http://a",
          { "message text 2 > 1: [document]" } },
        { "MessageSid=SM1&From=2&To=1&Latitude=1&Longitude=2",
          { "message location 2 > 1: [location]" } },
        { "MessageSid=SM1&Body=a", { "! malformed" } },
        { "From=2&To=1&Body=a", { "! malformed" } },
        { "MessageSid=SM1&From=2&To=1&MessageStatus=sent&Body=a",
          { "message text 2 > 1: a" } },
        { "MessageSid=&From=1&MessageStatus=sent", { "! malformed" } },

        /* broken text is mended */
        { "MessageSid=SM1&From=2&To=1&Body=a%ff%00b",
          { "message text 2 > 1: a\xef\xbf\xbd\xef\xbf\xbd" "b" } },
        { "MessageSid=SM1&From=2&To=1&Body=a&Body=b&%ff=1",
          { "message text 2 > 1: a" } },
    };

    static const char *const  none[] = { "", "&&", "a=1", "{\"a\":1}" };

    (void) state;

    events_bodies("twilio", odd, sizeof(odd) / sizeof(odd[0]));
    events_none("twilio", none, sizeof(none) / sizeof(none[0]));
}


static void
test_no_memory(void **state)
{
    (void) state;

    events_no_memory("twilio", "t/data/twilio/inbound-media-caption.form", 1);
    events_no_memory("twilio", "t/data/twilio/status-delivered.form", 1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_odd_forms),
        cmocka_unit_test(test_no_memory)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("setter_format_twilio", tests, NULL,
                                       NULL);
}
