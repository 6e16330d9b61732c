/*
 * The lanes of setter_job.h
 */

#include "setter_unit.h"

#include "setter_job.h"


typedef struct {
    unit_memory_t  memory;
    setter_buf_t   buf;
} lane_t;


static void
conversation(lane_t *lane, const char *channel, const char *us,
    const char *them)
{
    setter_buf_init(&lane->buf, unit_memory_init(&lane->memory, -1), 0);
    setter_lane_conversation(&lane->buf, unit_str("acme"), unit_str(channel),
                             unit_str(us), unit_str(them));
}


static void
custom(lane_t *lane, const char *value)
{
    setter_buf_init(&lane->buf, unit_memory_init(&lane->memory, -1), 0);
    setter_lane_custom(&lane->buf, unit_str("acme"), unit_str(value));
}


static void
test_conversation(void **state)
{
    lane_t  lane;

    (void) state;

    conversation(&lane, "manychat", "345", "42");
    assert_text(lane.buf, "acme/conv/manychat:345:42");
    unit_memory_free(&lane.memory);

    conversation(&lane, "manychat", NULL, "42");
    assert_text(lane.buf, "acme/conv/manychat:-:42");
    unit_memory_free(&lane.memory);

    conversation(&lane, "manychat", "", "42");
    assert_text(lane.buf, "acme/conv/manychat:-:42");
    unit_memory_free(&lane.memory);

    conversation(&lane, "whatsapp", "+15550100", "a:b/c%d e\t\x7f\xc3\xa9~");
    assert_text(lane.buf, "acme/conv/whatsapp:+15550100:"
                          "a%3Ab%2Fc%25d%20e%09%7F%C3%A9~");
    unit_memory_free(&lane.memory);
}


static void
test_custom(void **state)
{
    lane_t  lane;

    (void) state;

    custom(&lane, "room/1:2%\n ");
    assert_text(lane.buf, "acme/conv/room/1:2%25%0A%20");
    unit_memory_free(&lane.memory);
}


static void
test_job(void **state)
{
    lane_t  lane;

    (void) state;

    setter_buf_init(&lane.buf, unit_memory_init(&lane.memory, -1), 0);
    setter_lane_job(&lane.buf, unit_str("acme"), unit_str("status"),
                    unit_str("wamid.1/2:3%"));
    assert_text(lane.buf, "acme/status/wamid.1%2F2%3A3%25");
    unit_memory_free(&lane.memory);
}


static void
test_appends(void **state)
{
    lane_t  lane;

    (void) state;

    custom(&lane, "x");
    setter_lane_custom(&lane.buf, unit_str("b"), unit_str("y"));
    assert_text(lane.buf, "acme/conv/xb/conv/y");
    unit_memory_free(&lane.memory);
}


static void
test_longest(void **state)
{
    char    value[SETTER_LANE_MAX];
    lane_t  lane;

    (void) state;

    memset(value, 'x', sizeof(value));
    value[SETTER_LANE_MAX - strlen("acme/conv/")] = '\0';

    custom(&lane, value);
    assert_int_equal(lane.buf.len, SETTER_LANE_MAX);
    assert_null(memchr(lane.buf.data, '%', lane.buf.len));
    unit_memory_free(&lane.memory);
}


static void
test_too_long(void **state)
{
    char    value[SETTER_LANE_MAX];
    lane_t  lane, other;

    (void) state;

    /* printf 'acme/conv/xx…x', 503 times x | sha256sum */
    memset(value, 'x', sizeof(value));
    value[SETTER_LANE_MAX - strlen("acme/conv/") + 1] = '\0';

    custom(&lane, value);
    assert_int_equal(lane.buf.len, SETTER_LANE_MAX);
    assert_memory_equal(lane.buf.data, "acme/conv/xxx", 13);
    assert_memory_equal(lane.buf.data + SETTER_LANE_MAX - 66, "%~"
        "2f692fba26ef48f61fb8f5bd72d3d9472dc6802e9d2f96fe6b815a5818906797", 66);

    /* behind other text all the same */
    setter_lane_custom(&lane.buf, unit_str("acme"), unit_str(value));
    assert_int_equal(lane.buf.len, 2 * SETTER_LANE_MAX);
    assert_memory_equal(lane.buf.data, lane.buf.data + SETTER_LANE_MAX,
                        SETTER_LANE_MAX);

    /* what differs only far behind stays apart */
    value[SETTER_LANE_MAX - strlen("acme/conv/")] = 'y';
    custom(&other, value);
    assert_int_equal(other.buf.len, SETTER_LANE_MAX);
    assert_memory_not_equal(lane.buf.data, other.buf.data, SETTER_LANE_MAX);

    unit_memory_free(&lane.memory);
    unit_memory_free(&other.memory);
}


/* Wherever the cut falls, no half of an encoded byte is left. */
static void
test_cut_between_encoded(void **state)
{
    int     shift;
    size_t  i;
    char    value[800], *mark;
    lane_t  lane;

    (void) state;

    for (shift = 0; shift < 3; shift++) {
        memset(value, 'x', shift);
        memset(value + shift, '%', sizeof(value) - shift - 1);
        value[sizeof(value) - 1] = '\0';

        custom(&lane, value);
        assert_in_range(lane.buf.len, SETTER_LANE_MAX - 2, SETTER_LANE_MAX);

        mark = memmem(lane.buf.data, lane.buf.len, "%~", 2);
        assert_non_null(mark);

        for (i = 10 + shift; lane.buf.data + i < mark; i += 3) {
            assert_memory_equal(lane.buf.data + i, "%25", 3);
        }

        assert_ptr_equal(lane.buf.data + i, mark);
        assert_int_equal(lane.buf.data + lane.buf.len - mark, 66);

        unit_memory_free(&lane.memory);
    }
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_conversation),
    cmocka_unit_test(test_custom),
    cmocka_unit_test(test_job),
    cmocka_unit_test(test_appends),
    cmocka_unit_test(test_longest),
    cmocka_unit_test(test_too_long),
    cmocka_unit_test(test_cut_between_encoded)
};

unit_main(tests)
