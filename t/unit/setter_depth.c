/* What the partitions tell of the queue, put together, and desired workers. */

#include "setter_unit.h"

#include "setter_depth.h"


/* A reply as RESP text, to be freed. */
static redisReply *
parse(const char *text)
{
    void         *reply;
    redisReader  *reader;

    reader = redisReaderCreate();
    assert_int_equal(redisReaderFeed(reader, text, strlen(text)), REDIS_OK);
    assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
    assert_non_null(reply);
    redisReaderFree(reader);

    return reply;
}


static void
add(setter_depth_t *depth, const char *text)
{
    redisReply  *reply;

    reply = parse(text);
    setter_depth_add(depth, reply);
    freeReplyObject(reply);
}


static void
test_sum(void **state)
{
    setter_depth_t  depth = { .ncounts = 0 };

    (void) state;

    add(&depth, "*8\r\n$5\r\ninbox\r\n:3\r\n$6\r\nleased\r\n:1\r\n"
                "$7\r\nworkers\r\n:2\r\n$9\r\noldest_ms\r\n:70\r\n");
    add(&depth, "*8\r\n$5\r\ninbox\r\n:4\r\n$6\r\nleased\r\n:0\r\n"
                "$7\r\nworkers\r\n:1\r\n$9\r\noldest_ms\r\n:90\r\n");

    assert_int_equal(depth.ncounts, 4);
    assert_int_equal(setter_depth_count(&depth, "inbox"), 7);
    assert_int_equal(setter_depth_count(&depth, "leased"), 1);
    assert_int_equal(setter_depth_count(&depth, "workers"), 2);
    assert_int_equal(setter_depth_count(&depth, "oldest_ms"), 90);
    assert_int_equal(setter_depth_count(&depth, "nothing"), 0);
}


static void
test_what_is_behind(void **state)
{
    redisReply        *reply;
    setter_depth_t     depth = { .ncounts = 0 };
    const redisReply  *behind;

    (void) state;

    reply = parse("*3\r\n$5\r\ninbox\r\n:1\r\n*1\r\n$4\r\nacme\r\n");
    behind = setter_depth_add(&depth, reply);
    assert_ptr_equal(behind, reply->element[2]);
    freeReplyObject(reply);

    reply = parse("*2\r\n$5\r\ninbox\r\n:1\r\n");
    assert_null(setter_depth_add(&depth, reply));
    freeReplyObject(reply);

    assert_int_equal(setter_depth_count(&depth, "inbox"), 2);
}


static void
test_length_of_the_inbox(void **state)
{
    setter_depth_t  depth = { .ncounts = 0 };

    (void) state;

    add(&depth, ":3\r\n");
    add(&depth, ":4\r\n");
    assert_int_equal(setter_depth_count(&depth, "inbox"), 7);
    assert_int_equal(setter_depth_queued(&depth), 7);
}


/* A name or a value of another type, and more counts than there is room. */
static void
test_what_is_not_taken(void **state)
{
    int             i;
    char            text[128];
    setter_depth_t  depth = { .ncounts = 0 };

    (void) state;

    add(&depth, "*4\r\n:1\r\n:1\r\n$5\r\ninbox\r\n$1\r\n1\r\n");
    add(&depth, "*4\r\n$5\r\ninbox\r\n:-1\r\n"
                "$6\r\nleased\r\n:9223372036854775807\r\n");
    assert_int_equal(depth.ncounts, 0);

    for (i = 100; i < 100 + SETTER_DEPTH_COUNTS + 5; i++) {
        snprintf(text, sizeof(text), "*2\r\n$3\r\n%d\r\n:%d\r\n", i, i);
        add(&depth, text);
    }

    assert_int_equal(depth.ncounts, SETTER_DEPTH_COUNTS);
    assert_int_equal(setter_depth_count(&depth, "131"), 131);
    assert_int_equal(setter_depth_count(&depth, "132"), 0);
}


static void
test_queued(void **state)
{
    setter_depth_t  depth = { .ncounts = 0 };

    (void) state;

    add(&depth, "*10\r\n$5\r\ninbox\r\n:1\r\n$7\r\nwaiting\r\n:20\r\n"
                "$5\r\nlater\r\n:4000\r\n$7\r\noverdue\r\n:300\r\n"
                "$6\r\nleased\r\n:50000\r\n");
    assert_int_equal(setter_depth_queued(&depth), 321);
    assert_int_equal(setter_depth_in_flight(&depth), 50000);
}


static void
test_desired(void **state)
{
    size_t          i;
    char            text[128];
    setter_scale_t  scale = { SETTER_SCALE_TARGET, SETTER_SCALE_MIN,
                              SETTER_SCALE_MAX };

    static const struct {
        int  waiting, leased, min, max, desired;
    } rows[] = {
        { 0, 0, 0, 10, 0 },
        { 1, 0, 0, 10, 1 },
        { 5, 0, 0, 10, 1 },
        { 6, 0, 0, 10, 2 },
        { 0, 1, 0, 10, 1 },
        { 5, 1, 0, 10, 2 },
        { 3, 2, 0, 10, 1 },
        { 50, 0, 0, 10, 10 },
        { 1000000, 3, 0, 10, 10 },
        { 0, 0, 2, 10, 2 },
        { 100, 0, 4, 4, 4 },
        { 0, 0, 0, 0, 0 },
        { 9, 9, 0, 0, 0 }
    };

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        setter_depth_t  depth = { .ncounts = 0 };

        snprintf(text, sizeof(text),
                 "*4\r\n$7\r\nwaiting\r\n:%d\r\n$6\r\nleased\r\n:%d\r\n",
                 rows[i].waiting, rows[i].leased);
        add(&depth, text);
        scale.min = rows[i].min;
        scale.max = rows[i].max;
        assert_int_equal(setter_depth_desired(&depth, &scale),
                         rows[i].desired);
    }
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_sum),
    cmocka_unit_test(test_what_is_behind),
    cmocka_unit_test(test_length_of_the_inbox),
    cmocka_unit_test(test_what_is_not_taken),
    cmocka_unit_test(test_queued),
    cmocka_unit_test(test_desired)
};

unit_main(tests)
