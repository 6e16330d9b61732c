/* Jobs that come as text: envelopes, bodies of webhooks, and what is wrong. */

#include "unit.h"

#include "reply/posted.h"
#include "setter_time.h"


#define ID  "019370f0-0000-7000-8000-000000000001"

#define ENVELOPE(id, kind, tenant, lane, more)                                \
    "{\"id\":" id ",\"kind\":" kind ",\"tenant\":" tenant ",\"lane\":" lane   \
    more "}"

static posted_t              posted;
static setter_job_header_t   header;
static setter_job_t          job;
static char                  error[160];
static arena_t              *arena;


/* Reads a body of "default"'s, then what became of it. */
static int
take(const char *body)
{
    int           rc;
    setter_str_t  line;

    if (arena != NULL) {
        arena_destroy(arena);
    }

    arena = arena_create();
    error[0] = '\0';

    rc = posted_read(&posted, body, "default", error, sizeof(error), arena);
    if (rc != 0) {
        return rc;
    }

    line = posted.header;
    assert_int_equal(setter_job_header_read(&header, line), SETTER_OK);
    assert_int_equal(setter_job_read(&job, posted.envelope.data,
                                     posted.envelope.len, arena_alloc(arena)),
                     SETTER_OK);
    return 0;
}


static int
is(setter_str_t text, const char *expected)
{
    return text.len == strlen(expected)
           && memcmp(text.data, expected, text.len) == 0;
}


/* The header says what the envelope says, or the job is not answered. */
static void
assert_agree(void)
{
    assert_true(is(header.id, arena_copy(arena, job.id.data, job.id.len)));
    assert_true(is(header.kind, arena_copy(arena, job.kind.data,
                                           job.kind.len)));
    assert_true(is(header.tenant, arena_copy(arena, job.tenant.data,
                                             job.tenant.len)));
    assert_true(is(header.lane, arena_copy(arena, job.lane.data,
                                           job.lane.len)));
    assert_true(is(posted.id, arena_copy(arena, job.id.data, job.id.len)));
    assert_true(is(posted.tenant, arena_copy(arena, job.tenant.data,
                                             job.tenant.len)));
    assert_int_equal(header.received_ms, job.received_ms);
    assert_int_equal(header.debounce_ms, 0);
    assert_int_equal(header.send_at_ms, 0);
}


static void
test_envelope(void **state)
{
    const char  *body;

    (void) state;

    body = " " ENVELOPE("\"" ID "\"", "\"message\"", "\"acme\"",
                        "\"acme/conv/a:b:c\"",
                        ",\n\"received_at\":\"2026-11-20T10:30:00.123Z\","
                        "\"text\":\"hello\",\"more\":{\"a\":1}");

    assert_int_equal(take(body), 0);
    assert_agree();
    assert_true(is(posted.envelope, body));
    assert_true(is(job.text, "hello"));
    assert_int_equal(header.received_ms, 1795170600123);
}


static void
test_envelope_without_a_time(void **state)
{
    (void) state;

    assert_int_equal(take(ENVELOPE("\"" ID "\"", "\"send\"", "\"acme\"",
                                   "\"acme/conv/a\"", "")), 0);
    assert_true(is(header.kind, "send"));
    assert_true(header.received_ms > 1600000000000);
    assert_int_equal(job.received_ms, -1);
}


static void
test_manychat(void **state)
{
    (void) state;

    assert_int_equal(take("{\"lead_identification\":\"lead-1\","
                          "\"lead_message\":\"Hi\",\"chat_id\":1000000001,"
                          "\"page_id\":\"\",\"surface\":\"instagram\"}"), 0);
    assert_agree();
    assert_true(is(job.tenant, "default"));
    assert_true(is(job.kind, "message"));
    assert_true(is(job.lane, "default/conv/manychat:-:1000000001"));
    assert_true(is(job.from, "1000000001"));
    assert_true(is(job.text, "Hi"));
    assert_true(is(job.type, "text"));
    assert_true(is(job.provider, "manychat"));
    assert_true(is(job.channel, "telegram"));
    assert_true(is(job.consumer, "MANYCHAT"));
    assert_true(is(job.workflow, "SETTER"));
    assert_true(is(job.data, "\"lead_identification\":\"lead-1\","
                             "\"surface\":\"instagram\""));
}


static void
test_engine(void **state)
{
    (void) state;

    assert_int_equal(take("{\"from\":\"15550100001\",\"message\":\"Open?\","
                          "\"to\":\"15550199\",\"tenant_id\":\"acme\","
                          "\"timestamp\":1}"), 0);
    assert_agree();
    assert_true(is(job.tenant, "acme"));
    assert_true(is(job.lane, "acme/conv/whatsapp:15550199:15550100001"));
    assert_true(is(job.provider, "infobip"));
    assert_true(is(job.data, "\"timestamp\":1"));
}


static void
test_generic(void **state)
{
    (void) state;

    assert_int_equal(take("{\"from\":\"1\",\"text\":\"a\",\"provider\":\"x\","
                          "\"profile\":{\"name\":\"R\"},\"media\":[1],"
                          "\"channel\":\"web\"}"), 0);
    assert_agree();
    assert_true(is(job.lane, "default/conv/x:-:1"));
    assert_true(is(job.profile, "{\"name\":\"R\"}"));
    assert_true(is(job.media, "[1]"));
    assert_true(is(job.channel, "web"));
    assert_true(is(job.data, ""));
}


static void
test_ids(void **state)
{
    size_t       i;
    char         first[SETTER_UUID_LEN];

    static const struct {
        const char  *body;
        int          same;
    } rows[] = {
        { "{\"from\":\"1\",\"message\":\"a\",\"message_id\":\"m1\"}", 1 },
        { "{\"from\":\"1\",\"message\":\"b\",\"message_id\":\"m1\"}", 1 },
        { "{\"from\":\"1\",\"message\":\"a\",\"message_id\":\"m2\"}", 0 },
        { "{\"from\":\"1\",\"message\":\"a\",\"message_id\":\"m1\","
          "\"tenant_id\":\"acme\"}", 0 },
        { "{\"from\":\"1\",\"message\":\"a\"}", 0 }
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(take(rows[i].body), 0);
        assert_true(setter_uuid_valid(posted.id));
        if (i == 0) {
            memcpy(first, posted.id.data, SETTER_UUID_LEN);
        }
        assert_int_equal(memcmp(first, posted.id.data, SETTER_UUID_LEN) == 0,
                         rows[i].same);
    }

    assert_int_equal(take(rows[4].body), 0);
    memcpy(first, posted.id.data, SETTER_UUID_LEN);
    assert_int_equal(take(rows[4].body), 0);
    assert_memory_not_equal(first, posted.id.data, SETTER_UUID_LEN);
}


#define GOOD_ID      "\"" ID "\""
#define GOOD_LANE    "\"acme/conv/a\""

static void
test_refused(void **state)
{
    size_t  i;

    static const struct {
        const char  *body;
        const char  *error;
    } rows[] = {
        { "x", "the body: not valid JSON" },
        { "[]", "the body: not a JSON object" },
        { "{\"kind\":1,\"kind\":2}", "the body: duplicate key" },
        { "{}", "kind: required in an envelope; a body has lead_message,"
          " message or text" },
        { ENVELOPE("null", "\"message\"", "\"acme\"", GOOD_LANE, ""),
          "id: type" },
        { "{\"kind\":\"message\"}", "id: required" },
        { "{\"kind\":\"message\",\"id\":" GOOD_ID "}", "tenant: required" },
        { "{\"kind\":\"message\",\"id\":" GOOD_ID ",\"tenant\":\"a\"}",
          "lane: required" },
        { ENVELOPE("\"7\"", "\"message\"", "\"acme\"", GOOD_LANE, ""),
          "id: not a UUID in lower case" },
        { ENVELOPE(GOOD_ID, "\"\"", "\"acme\"", GOOD_LANE, ""),
          "kind: not a word" },
        { ENVELOPE(GOOD_ID, "\"a b\"", "\"acme\"", GOOD_LANE, ""),
          "kind: not a word" },
        { ENVELOPE(GOOD_ID, "7", "\"acme\"", GOOD_LANE, ""), "kind: type" },
        { ENVELOPE(GOOD_ID, "\"message\"", "\"Acme\"", GOOD_LANE, ""),
          "tenant: not a slug" },
        { ENVELOPE(GOOD_ID, "\"message\"", "\"acme\"", "\"other/conv/a\"",
                   ""), "lane: not the tenant's slug, \"/\" and visible"
          " ASCII" },
        { ENVELOPE(GOOD_ID, "\"message\"", "\"acme\"", "\"acmes/conv\"", ""),
          "lane: not the tenant's slug, \"/\" and visible ASCII" },
        { ENVELOPE(GOOD_ID, "\"message\"", "\"acme\"", "\"acme\"", ""),
          "lane: not the tenant's slug, \"/\" and visible ASCII" },
        { ENVELOPE(GOOD_ID, "\"message\"", "\"acme\"", "\"acme/a b\"", ""),
          "lane: not the tenant's slug, \"/\" and visible ASCII" },
        { ENVELOPE(GOOD_ID, "\"message\"", "\"acme\"", GOOD_LANE,
                   ",\"received_at\":\"now\""),
          "received_at: not a time as 2026-11-20T10:30:00.123Z" },
        { "{\"lead_message\":\"Hi\",\"chat_id\":\"1\"}",
          "lead_identification: required" },
        { "{\"lead_message\":\"  \",\"chat_id\":\"1\","
          "\"lead_identification\":\"l\"}", "lead_message: empty" },
        { "{\"message\":7,\"from\":\"1\"}", "message: type" },
        { "{\"text\":\"a\",\"from\":\"1\"}", "provider: required" },
        { "{\"message\":\"a\",\"from\":\"1\",\"tenant_id\":\"A\"}",
          "tenant_id: not a slug" },
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(take(rows[i].body), -1);
        assert_string_equal(error, rows[i].error);
    }
}


static int
teardown(void **state)
{
    (void) state;
    arena_destroy(arena);
    return 0;
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_envelope),
        cmocka_unit_test(test_envelope_without_a_time),
        cmocka_unit_test(test_manychat),
        cmocka_unit_test(test_engine),
        cmocka_unit_test(test_generic),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_refused)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, teardown);
}
