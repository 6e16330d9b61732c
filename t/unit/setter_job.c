/*
 * setter_job.h, setter_time.h
 */

#include "setter_unit.h"

#include "setter_job.h"
#include "setter_json.h"
#include "setter_time.h"


#define ID  "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


static void
test_envelope(void **state)
{
    unit_memory_t  memory;
    setter_buf_t   buf;
    setter_job_t   job, again;

    static const char  envelope[] =
        "{\"id\":\"" ID "\",\"kind\":\"message\",\"tenant\":\"acme\","
        "\"lane\":\"acme/conv/manychat:-:42\",\"channel\":\"telegram\","
        "\"consumer\":\"MANYCHAT\",\"workflow\":\"SETTER\",\"from\":\"42\","
        "\"to\":\"345\",\"text\":\"Hi \\\"you\\\"\\n\",\"type\":\"text\","
        "\"media\":{\"id\":1},\"provider\":\"manychat\","
        "\"provider_id\":\"m.1\",\"profile\":{\"name\":\"Test\"},"
        "\"received_at\":\"2026-11-20T10:30:00.123Z\","
        "\"trace\":\"00-0af7651916cd43dd8448eb211c80319c-"
        "b7ad6b7169203331-01\",\"data\":{\"surface\":\"instagram\","
        "\"n\":[1]}}";

    (void) state;

    memset(&job, 0, sizeof(job));
    job.id = unit_str(ID);
    job.kind = unit_str("message");
    job.tenant = unit_str("acme");
    job.lane = unit_str("acme/conv/manychat:-:42");
    job.channel = unit_str("telegram");
    job.consumer = unit_str("MANYCHAT");
    job.workflow = unit_str("SETTER");
    job.from = unit_str("42");
    job.to = unit_str("345");
    job.text = unit_str("Hi \"you\"\n");
    job.type = unit_str("text");
    job.media = unit_str("{\"id\":1}");
    job.provider = unit_str("manychat");
    job.provider_id = unit_str("m.1");
    job.profile = unit_str("{\"name\":\"Test\"}");
    job.trace = unit_str("00-0af7651916cd43dd8448eb211c80319c-"
                         "b7ad6b7169203331-01");
    job.data = unit_str("\"surface\":\"instagram\",\"n\":[1]");
    job.received_ms = 1795170600123;

    setter_buf_init(&buf, unit_memory_init(&memory, -1), 0);
    setter_job_write(&buf, &job);
    assert_text(buf, envelope);

    assert_int_equal(setter_job_read(&again, buf.data, buf.len,
                                     &memory.alloc),
                     SETTER_OK);

    assert_text(again.id, ID);
    assert_text(again.kind, "message");
    assert_text(again.tenant, "acme");
    assert_text(again.lane, "acme/conv/manychat:-:42");
    assert_text(again.channel, "telegram");
    assert_text(again.consumer, "MANYCHAT");
    assert_text(again.workflow, "SETTER");
    assert_text(again.from, "42");
    assert_text(again.to, "345");
    assert_text(again.text, "Hi \"you\"\n");
    assert_text(again.type, "text");
    assert_text(again.media, "{\"id\":1}");
    assert_text(again.provider, "manychat");
    assert_text(again.provider_id, "m.1");
    assert_text(again.profile, "{\"name\":\"Test\"}");
    assert_text(again.trace, "00-0af7651916cd43dd8448eb211c80319c-"
                             "b7ad6b7169203331-01");
    assert_text(again.data, "\"surface\":\"instagram\",\"n\":[1]");
    assert_int_equal(again.received_ms, 1795170600123);

    unit_memory_free(&memory);
}


static void
test_absent_members(void **state)
{
    unit_memory_t  memory;
    setter_buf_t   buf;
    setter_job_t   job;

    (void) state;

    memset(&job, 0, sizeof(job));
    job.id = unit_str("1");
    job.kind = unit_str("call");
    job.tenant = unit_str("acme");
    job.lane = unit_str("acme/call/1");
    job.text = unit_str("");

    setter_buf_init(&buf, unit_memory_init(&memory, -1), 0);
    setter_job_write(&buf, &job);

    assert_text(buf, "{\"id\":\"1\",\"kind\":\"call\",\"tenant\":\"acme\","
                     "\"lane\":\"acme/call/1\",\"text\":\"\",\"media\":null,"
                     "\"received_at\":\"1970-01-01T00:00:00.000Z\","
                     "\"data\":{}}");

    assert_int_equal(setter_job_read(&job, buf.data, buf.len, &memory.alloc),
                     SETTER_OK);
    assert_null(job.from.data);
    assert_null(job.media.data);
    assert_null(job.profile.data);
    assert_non_null(job.text.data);
    assert_int_equal(job.text.len, 0);
    assert_int_equal(job.data.len, 0);
    assert_int_equal(job.received_ms, 0);

    unit_memory_free(&memory);
}


#define NEEDED  "\"id\":\"1\",\"kind\":\"k\",\"tenant\":\"t\",\"lane\":\"l\""


static void
test_reading_others(void **state)
{
    size_t                    i;
    setter_job_t              job;
    unit_memory_t             memory;

    static const char         odd[] =
        " { " NEEDED ", \"from\":5,\"media\":\"a\\nb\",\"profile\":[1],"
        "\"data\":[2],\"received_at\":7,\"unknown\":{\"id\":\"2\"}}";

    static const char *const  bad[] = {
        "",
        "[]",
        "{}",
        "{\"id\":\"1\",\"kind\":\"k\",\"tenant\":\"t\"}",
        "{\"id\":\"\",\"kind\":\"k\",\"tenant\":\"t\",\"lane\":\"l\"}",
        "{\"id\":1,\"kind\":\"k\",\"tenant\":\"t\",\"lane\":\"l\"}",
        "{\"id\":\"1\",\"kind\":null,\"tenant\":\"t\",\"lane\":\"l\"}",
        "{" NEEDED,
        "{" NEEDED ",\"id\":\"1\"}",
        "{" NEEDED ",\"text\":\"\\ud800\"}"
    };

    (void) state;

    unit_memory_init(&memory, -1);

    assert_int_equal(setter_job_read(&job, odd, sizeof(odd) - 1,
                                     &memory.alloc),
                     SETTER_OK);
    assert_text(job.id, "1");
    assert_null(job.from.data);
    assert_text(job.media, "\"a\\nb\"");
    assert_null(job.profile.data);
    assert_null(job.data.data);
    assert_int_equal(job.received_ms, -1);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(setter_job_read(&job, bad[i], strlen(bad[i]),
                                         &memory.alloc),
                         SETTER_ERROR);
    }

    unit_memory_free(&memory);
}


/* Where memory is short a good envelope must not look like a bad one. */
static void
test_reading_without_memory(void **state)
{
    int            rc, left;
    setter_job_t   job;
    unit_memory_t  memory;

    static const char  json[] =
        "{" NEEDED ",\"text\":\"\\n\",\"media\":{\"a\":[1]},"
        "\"profile\":{\"name\":\"R\"},\"data\":{\"x\":\"\\t\"}}";

    (void) state;

    left = 0;

    do {
        unit_memory_init(&memory, left++);
        rc = setter_job_read(&job, json, sizeof(json) - 1, &memory.alloc);
        assert_true(rc == SETTER_OK || rc == SETTER_NO_MEMORY);
        unit_memory_free(&memory);
    } while (rc != SETTER_OK);

    assert_true(left > 2);
}


static void
test_time(void **state)
{
    size_t                    i;
    unit_memory_t             memory;
    setter_buf_t              buf;

    static const struct {
        int64_t      ms;
        const char  *text;
    } cases[] = {
        { 0, "1970-01-01T00:00:00.000Z" },
        { 951782400007, "2000-02-29T00:00:00.007Z" },
        { 1795170600123, "2026-11-20T10:30:00.123Z" },
        { 253402300799999, "9999-12-31T23:59:59.999Z" }
    };

    static const char *const  bad[] = {
        "", "Z", "2026-11-20", "2026-11-20T10:30:00", "2026-11-20 10:30:00Z",
        "2026-11-20T10:30:00+00", "2026-11-20T10:30:00+24:00",
        "2026-11-20T10:30:00+2400", "2026-11-20T10:30:00+010",
        "2026-11-20T10:30:00-00:60", "2026-11-20T10:30:00*01:00",
        "2026-11-20T10:30:00.+01:00", "2026-11-20T10:30:00+01:00Z",
        "+01:00", "2026-11-20T10:30+01:00", "2026-11-20T10:30:00.Z",
        "2026-11-20T10:30:00.1x3Z", "2026-11-20T10:30:00.123",
        "2026-13-20T10:30:00Z", "2026-00-20T10:30:00Z",
        "2025-02-29T10:30:00Z", "2026-11-31T10:30:00Z",
        "2026-11-20T24:30:00Z", "2026-11-20T10:60:00Z",
        "2026-11-2OT10:30:00Z", "+026-11-20T10:30:00Z"
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        setter_buf_init(&buf, unit_memory_init(&memory, -1), 0);
        setter_time_write(&buf, cases[i].ms);
        assert_text(buf, cases[i].text);
        assert_int_equal(setter_time_read(unit_str(cases[i].text)),
                         cases[i].ms);
        unit_memory_free(&memory);
    }

    assert_int_equal(setter_time_read(unit_str("2026-11-20T10:30:00Z")),
                     1795170600000);
    assert_int_equal(setter_time_read(unit_str("2026-11-20T10:30:00.1Z")),
                     1795170600100);
    assert_int_equal(setter_time_read(
                         unit_str("2026-11-20T10:30:00.123999999999Z")),
                     1795170600123);

    assert_int_equal(setter_time_read(unit_str("2026-11-20T11:30:00+01:00")),
                     1795170600000);
    assert_int_equal(setter_time_read(
                         unit_str("2026-11-20T06:59:59.5-03:30")),
                     1795170599500);
    assert_int_equal(setter_time_read(unit_str("2026-11-20T10:30:00-00:00")),
                     1795170600000);
    assert_int_equal(setter_time_read(
                         unit_str("2026-11-20T11:30:00.123+0100")),
                     1795170600123);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(setter_time_read(unit_str(bad[i])), -1);
    }
}


static void
test_header(void **state)
{
    unit_memory_t        memory;
    setter_buf_t         buf;
    setter_str_t         line;
    setter_job_header_t  header, again;

    (void) state;

    memset(&header, 0, sizeof(header));
    header.id = unit_str(ID);
    header.tenant = unit_str("acme");
    header.kind = unit_str("message");
    header.lane = unit_str("acme/conv/whatsapp:-:%2B15550100");
    header.received_ms = 1795170600123;
    header.debounce_ms = 2000;
    header.debounce_max_ms = 8000;
    header.send_at_ms = 0;

    setter_buf_init(&buf, unit_memory_init(&memory, -1), 0);
    setter_job_header_write(&buf, &header);
    assert_text(buf, "1\t" ID "\tacme\tmessage\t"
                     "acme/conv/whatsapp:-:%2B15550100\t"
                     "1795170600123\t2000\t8000\t0");

    line.data = buf.data;
    line.len = buf.len;
    assert_int_equal(setter_job_header_read(&again, line), SETTER_OK);
    assert_int_equal(again.flags.len, 0);

    /* a newer writer's words and fields are passed over */
    setter_buf_text(&buf, "\tnew\tmore\t");

    line.data = buf.data;
    line.len = buf.len;
    assert_int_equal(setter_job_header_read(&again, line), SETTER_OK);

    assert_text(again.id, ID);
    assert_text(again.tenant, "acme");
    assert_text(again.kind, "message");
    assert_text(again.lane, "acme/conv/whatsapp:-:%2B15550100");
    assert_int_equal(again.received_ms, 1795170600123);
    assert_int_equal(again.debounce_ms, 2000);
    assert_int_equal(again.debounce_max_ms, 8000);
    assert_int_equal(again.send_at_ms, 0);
    assert_text(again.flags, "new");

    unit_memory_free(&memory);
}


static void
test_header_flags(void **state)
{
    size_t                    i;
    unit_memory_t             memory;
    setter_buf_t              buf;
    setter_str_t              line;
    setter_job_header_t       header, again;

    static const char *const  absent[] = {
        "", "ove", "overt", "again,over", "status", "done", "="
    };

    (void) state;

    memset(&header, 0, sizeof(header));
    header.id = header.tenant = header.kind = header.lane = unit_str("x");
    assert_false(setter_job_header_has(&header, "again"));

    header.flags = unit_str("again,over,status=done");
    setter_buf_init(&buf, unit_memory_init(&memory, -1), 0);
    setter_job_header_write(&buf, &header);
    assert_text(buf, "1\tx\tx\tx\tx\t0\t0\t0\t0\tagain,over,status=done");

    line.data = buf.data;
    line.len = buf.len;
    assert_int_equal(setter_job_header_read(&again, line), SETTER_OK);
    assert_text(again.flags, "again,over,status=done");
    assert_true(setter_job_header_has(&again, "again"));
    assert_true(setter_job_header_has(&again, "over"));
    assert_true(setter_job_header_has(&again, "status=done"));

    for (i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
        assert_false(setter_job_header_has(&again, absent[i]));
    }

    /* nor do odd ones spoil the header */
    assert_int_equal(setter_job_header_read(&again,
                         unit_str("1\ti\tt\tk\tl\t1\t2\t3\t4\t,,\xff ,over")),
                     SETTER_OK);
    assert_true(setter_job_header_has(&again, "over"));
    assert_false(setter_job_header_has(&again, "again"));
    assert_int_equal(setter_job_header_read(&again,
                         unit_str("1\ti\tt\tk\tl\t1\t2\t3\t4\t")),
                     SETTER_OK);
    assert_int_equal(again.flags.len, 0);

    unit_memory_free(&memory);
}


/* No field can end the line or begin another field. */
static void
test_header_holds_no_control(void **state)
{
    int                  i;
    size_t               n, tabs;
    char                 all[255];
    unit_memory_t        memory;
    setter_buf_t         buf;
    setter_str_t         line;
    setter_job_header_t  header, again;

    (void) state;

    for (i = 0; i < 255; i++) {
        all[i] = (char) (i + 1);
    }

    memset(&header, 0, sizeof(header));
    header.id = unit_str("a\tb");
    header.tenant = unit_str("a\nb");
    header.kind = unit_str(" ");
    header.lane.data = all;
    header.lane.len = sizeof(all);

    setter_buf_init(&buf, unit_memory_init(&memory, -1), 0);
    setter_job_header_write(&buf, &header);
    tabs = 0;

    for (n = 0; n < buf.len; n++) {
        tabs += buf.data[n] == '\t';
        assert_true(buf.data[n] == '\t'
                    || (buf.data[n] > ' ' && buf.data[n] < 0x7f));
    }

    assert_int_equal(tabs, 8);

    line.data = buf.data;
    line.len = buf.len;
    assert_int_equal(setter_job_header_read(&again, line), SETTER_OK);
    assert_text(again.id, "a%09b");
    assert_text(again.tenant, "a%0Ab");
    assert_text(again.kind, "%20");

    unit_memory_free(&memory);
}


static void
test_bad_headers(void **state)
{
    size_t                    i;
    setter_job_header_t       header;

    static const char *const  bad[] = {
        "",
        "1",
        "1\ti\tt\tk\tl\t1\t2\t3",
        "2\ti\tt\tk\tl\t1\t2\t3\t4",
        "01\ti\tt\tk\tl\t1\t2\t3\t4",
        "1\t\tt\tk\tl\t1\t2\t3\t4",
        "1\ti\tt\tk\tl\t1\t2\t3\t",
        "1\ti\tt\tk\tl\t1\t2\t3\t-4",
        "1\ti\tt\tk\tl\t1\t2\t3\t4x",
        "1\ti\tt\tk\tl\t1\t2\t3\t4000000000000000000",
        "1\ti\tt\tk\tl\n\t1\t2\t3\t4",
        "1\ti\tt\tk l\t1\t1\t2\t3\t4",
        "1 i t k l 1 2 3 4"
    };

    (void) state;

    assert_int_equal(setter_job_header_read(&header,
                         unit_str("1\ti\tt\tk\tl\t1\t2\t3\t4")),
                     SETTER_OK);

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(setter_job_header_read(&header, unit_str(bad[i])),
                         SETTER_ERROR);
    }
}


static void
test_slug(void **state)
{
    size_t                    i;
    char                      slug[SETTER_SLUG_MAX + 2];

    static const char *const  bad[] = {
        "", "A", "1a", "-a", "a_b", "aB", "a.b", "a b", "a\n", "\xc3\xa9",
        "a/b", "a%"
    };

    (void) state;

    assert_true(setter_slug_valid(unit_str("a")));
    assert_true(setter_slug_valid(unit_str("acme-2")));
    assert_true(setter_slug_valid(unit_str("z-")));

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(setter_slug_valid(unit_str(bad[i])));
    }

    memset(slug, 'a', sizeof(slug));
    slug[SETTER_SLUG_MAX] = '\0';
    assert_true(setter_slug_valid(unit_str(slug)));
    slug[SETTER_SLUG_MAX] = 'a';
    slug[SETTER_SLUG_MAX + 1] = '\0';
    assert_false(setter_slug_valid(unit_str(slug)));
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_envelope),
    cmocka_unit_test(test_absent_members),
    cmocka_unit_test(test_reading_others),
    cmocka_unit_test(test_reading_without_memory),
    cmocka_unit_test(test_time),
    cmocka_unit_test(test_header),
    cmocka_unit_test(test_header_flags),
    cmocka_unit_test(test_header_holds_no_control),
    cmocka_unit_test(test_bad_headers),
    cmocka_unit_test(test_slug)
};

unit_main(tests)
