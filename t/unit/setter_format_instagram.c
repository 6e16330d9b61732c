/*
 * setter_format_instagram.c, over Instagram's samples.
 */

#include "events.h"


#define A  "900000000000000101 > 17800000000000123: "

static const events_sample_t  samples[] = {
    { "inbound-text", 1, { "message text " A "Price of the blue one?" } },
    { "inbound-text-escaped", 1,
      { "message text " A "Caf\xc3\xa9 \xf0\x9f\x98\x8a https://" } },
    { "inbound-quick-reply", 1, { "message button " A "Size M" } },
    { "inbound-postback", 1, { "message button " A "Talk to us" } },
    { "inbound-story-reply", 1, { "message text " A "Is it still on?" } },
    { "inbound-inline-reply", 1, { "message text " A "this one" } },
    { "inbound-ad-referral", 1, { "message text " A "saw your ad" } },
    { "inbound-image", 1, { "message image " A "[image]" } },
    { "inbound-text-with-attachment", 1,
      { "message image " A "like this?" } },
    { "inbound-story-mention", 1,
      { "message story_mention " A "[story mention]" } },
    { "inbound-like-heart", 1, { "message sticker " A "[heart]" } },
    { "inbound-changes-style", 1,
      { "message text " A "dashboard test style" } },
    { "inbound-batch", 3, { "message text " A "one",
      "message text " A "two",
      "message text 900000000000000102 > 17800000000000456: three" } },
    { "inbound-seen", 1, { "status  > 17800000000000123: " } },
    { "inbound-echo", 1, { "event echo 900000000000000101 > "
      "17800000000000123: our own reply" } },
    { "inbound-deleted", 1, { "event unsent 900000000000000101 > "
                              "17800000000000123: " } },
    { "inbound-edit", 1, { "! edit" } },
    { "inbound-reaction", 1, { "! reaction" } },
    { "inbound-unreact", 1, { "! reaction" } },
    { "inbound-unsupported", 1, { "! unsupported" } },
    { "inbound-referral-link", 1, { "! referral" } },
    { "inbound-comment", 1, { "! comment" } },
    { "inbound-no-messaging", 1, { "! empty" } },
};


static void
test_samples(void **state)
{
    (void) state;

    events_samples("instagram", "instagram", samples,
                   sizeof(samples) / sizeof(samples[0]));
}


static const char *
copy(arena_t *arena, setter_str_t text)
{
    return arena_copy(arena, text.data, text.len);
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

    text = sample_read(arena, "t/data/instagram/inbound-text-with-attachment"
                       ".json", &len);
    events = events_read("instagram", arena, text, len, &rc);
    event = &events.list[0];
    job = &event->job;
    assert_int_equal(event->time_ms, 1767225600123);
    assert_string_equal(copy(arena, job->channel), "instagram");
    assert_string_equal(copy(arena, job->provider_id),
                        "aWdfZAG1faXRlbToxc2FtcGxlLW1pZC0wMDA2");
    assert_string_equal(copy(arena, event->key),
                        copy(arena, job->provider_id));
    assert_non_null(strstr(copy(arena, job->media), "\"type\":\"image\""));
    assert_non_null(strstr(copy(arena, job->media),
                           "\"url\":\"https://lookaside.example.com/ig/6"));

    /* the message as it came is data */
    text = sample_read(arena, "t/data/instagram/inbound-story-reply.json",
                       &len);
    events = events_read("instagram", arena, text, len, &rc);
    job = &events.list[0].job;
    assert_null(job->media.data);
    assert_non_null(strstr(copy(arena, job->data),
                           "\"id\":\"17900000000000007\""));
    assert_null(strstr(copy(arena, job->data), "\"sender\""));

    text = sample_read(arena, "t/data/instagram/inbound-postback.json", &len);
    events = events_read("instagram", arena, text, len, &rc);
    job = &events.list[0].job;
    assert_non_null(strstr(copy(arena, job->data),
                           "\"payload\":\"ICEBREAKER_TALK\""));

    /* seconds, as text */
    text = sample_read(arena, "t/data/instagram/inbound-changes-style.json",
                       &len);
    events = events_read("instagram", arena, text, len, &rc);
    assert_int_equal(events.list[0].time_ms, 1767225710000);

    /* a heart has no file */
    text = sample_read(arena, "t/data/instagram/inbound-like-heart.json",
                       &len);
    events = events_read("instagram", arena, text, len, &rc);
    assert_null(events.list[0].job.media.data);

    /* what was seen, as the worker reads it: our message, that is the echo */
    text = sample_read(arena, "t/data/instagram/inbound-seen.json", &len);
    events = events_read("instagram", arena, text, len, &rc);
    event = &events.list[0];
    assert_memory_equal(event->job.data.data, "\"messaging\":[{", 14);
    assert_string_equal(copy(arena, event->job.provider_id),
                        "aWdfZAG1faXRlbToxc2FtcGxlLW1pZC0wMDEx");
    assert_string_equal(copy(arena, event->key),
                        "aWdfZAG1faXRlbToxc2FtcGxlLW1pZC0wMDEx/read");

    arena_destroy(arena);
}


#define ENTRY(more)  "{\"entry\":[{\"id\":\"1\"," more "}]}"
#define SAID(more)  ENTRY("\"messaging\":[" more "]")
#define FROM(more)  "{\"sender\":{\"id\":\"2\"},\"recipient\":{\"id\":\"1\"}," \
    "\"timestamp\":1767225600123," more "}"
#define GOOD  FROM("\"message\":{\"mid\":\"m\",\"text\":\"good ] one\"}")

/* Bad elements are set aside, the others pass. */
static void
test_bad_elements(void **state)
{
    static const events_body_t  odd[] = {
        { SAID("7," GOOD ",null"),
          { "! malformed", "message text 2 > 1: good ] one",
            "! malformed" } },
        { " [" SAID(GOOD) ",\n" SAID(GOOD) "]",
          { "message text 2 > 1: good", "message text 2 > 1: good" } },
        { SAID("{},{\"message\":7},{\"sender\":{\"id\":\"2\"},"
               "\"message\":{\"text\":\"a\"}}"),
          { "! malformed", "! malformed", "! malformed" } },
        { SAID("{\"sender\":{\"id\":\"2\"},"
               "\"message\":{\"mid\":\"m\",\"text\":\"a\"}}"),
          { "message text 2 > 1: a" } },
        { SAID("{\"sender\":{\"id\":\"1\"},\"recipient\":{\"id\":\"2\"},"
               "\"message\":{\"mid\":\"m\",\"text\":\"ours\"}}"),
          { "event echo 2 > 1: ours" } },
        { SAID(FROM("\"message\":{\"mid\":\"m\",\"text\":\"a\","
                    "\"is_self\":true,\"is_echo\":false}")), { "! self" } },
        { SAID(FROM("\"message\":{\"mid\":\"m\",\"text\":\"a\","
                    "\"is_echo\":true}")), { "event echo 1 > 2: a" } },
        { SAID(FROM("\"message\":{\"mid\":\"m\"}")), { "! empty" } },
        { SAID(FROM("\"message\":{\"mid\":\"m\",\"attachments\":["
                    "{\"type\":\"template\"}]}")), { "! unsupported" } },
        { SAID(FROM("\"message\":{\"mid\":\"m\",\"text\":\"a\","
                    "\"attachments\":[{\"type\":\"template\"}]}")),
          { "message text 2 > 1: a" } },
        { SAID(FROM("\"message\":{\"mid\":\"m\",\"attachments\":[7]}")),
          { "! empty" } },
        { SAID(FROM("\"postback\":{\"mid\":\"m\"}")),
          { "message button 2 > 1: [button]" } },
        { SAID("{\"sender\":{\"id\":\"2\"},\"postback\":{\"title\":\"a\"}}"),
          { "! malformed" } },
        { SAID(FROM("\"read\":{}") "," FROM("\"read\":{\"mid\":\"m\"}")),
          { "! malformed", "status  > 1: " } },
        { ENTRY("\"standby\":[" GOOD "]"), { "! standby" } },
        { ENTRY("\"messaging\":7"), { "! malformed" } },
        { ENTRY("\"messaging\":[],\"changes\":["
                "{\"field\":\"messaging_postbacks\",\"value\":"
                FROM("\"postback\":{\"mid\":\"m\",\"title\":\"Go\"}") "},"
                "{\"field\":\"mentions\",\"value\":{}},"
                "{\"field\":\"live_comments\",\"value\":{}}"
                "]"),
          { "message button 2 > 1: Go", "! field", "! comment" } },
        { ENTRY("\"changes\":[7,{\"field\":\"messages\"},"
                "{\"field\":\"messages\",\"value\":{}}]"),
          { "! malformed", "! malformed", "! malformed" } },
        { "{\"entry\":[7]}", { "! malformed" } },
        { "{\"entry\":[]}", { NULL } },
        { "[]", { NULL } },
    };

    static const char *const  none[] = { "", "7", "{}", "[{}]", "[7]",
        "{\"entry\":7}", "{\"entry\":[", "{\"entry\":[]}x",
        "[{\"entry\":[]}]x", "[{\"entry\":[]}" };

    (void) state;

    events_bodies("instagram", odd, sizeof(odd) / sizeof(odd[0]));
    events_none("instagram", none, sizeof(none) / sizeof(none[0]));
}


/* A press that has no mid is known by who pressed what when. */
static void
test_no_mid(void **state)
{
    int               rc;
    arena_t          *arena;
    setter_events_t   events;
    const char       *body = SAID(FROM("\"postback\":{\"title\":\"Go\","
                                       "\"payload\":\"GO\"}"));

    (void) state;

    arena = arena_create();
    events = events_read("instagram", arena, body, strlen(body), &rc);

    assert_int_equal(events.n, 1);
    assert_string_equal(events_tell(arena, &events.list[0]),
                        "message button 2 > 1: Go");
    assert_string_equal(copy(arena, events.list[0].key),
                        "2/1767225600123/GO");
    assert_int_equal(events.list[0].job.provider_id.len, 0);
    arena_destroy(arena);
}


static void
test_no_memory(void **state)
{
    (void) state;

    events_no_memory("instagram", "t/data/instagram/inbound-batch.json", 3);
    events_no_memory("instagram", "t/data/instagram/inbound-seen.json", 1);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_bad_elements),
        cmocka_unit_test(test_no_mid),
        cmocka_unit_test(test_no_memory)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("setter_format_instagram", tests, NULL,
                                       NULL);
}
