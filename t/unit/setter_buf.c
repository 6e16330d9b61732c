/*
 * setter_buf.h
 */

#include "setter_unit.h"


static void
test_grows(void **state)
{
    size_t         i;
    unit_memory_t  memory;
    setter_buf_t   buf;

    (void) state;

    setter_buf_init(&buf, unit_memory_init(&memory, -1), 0);
    assert_int_equal(memory.made, 0);

    for (i = 0; i < 10000; i++) {
        setter_buf_text(&buf, "ab");
        setter_buf_byte(&buf, (char) i);
    }

    assert_false(buf.failed);
    assert_int_equal(buf.len, 30000);

    for (i = 0; i < 10000; i++) {
        assert_memory_equal(buf.data + 3 * i, "ab", 2);
        assert_int_equal((unsigned char) buf.data[3 * i + 2], i % 256);
    }

    /* doubling: few allocations, however many appends */
    assert_in_range(memory.made, 2, 10);

    unit_memory_free(&memory);
}


static void
test_starts_with_size(void **state)
{
    unit_memory_t  memory;
    setter_buf_t   buf;
    static char    big[100000];

    (void) state;

    setter_buf_init(&buf, unit_memory_init(&memory, -1), sizeof(big));
    assert_int_equal(memory.made, 1);

    setter_buf_append(&buf, big, sizeof(big));
    assert_int_equal(memory.made, 1);
    assert_int_equal(buf.len, sizeof(big));

    unit_memory_free(&memory);
}


static void
test_numbers(void **state)
{
    unit_memory_t  memory;
    setter_buf_t   buf;

    (void) state;

    setter_buf_init(&buf, unit_memory_init(&memory, -1), 0);

    setter_buf_number(&buf, 0);
    setter_buf_byte(&buf, ' ');
    setter_buf_number(&buf, -7);
    setter_buf_byte(&buf, ' ');
    setter_buf_number(&buf, INT64_MAX);
    setter_buf_byte(&buf, ' ');
    setter_buf_number(&buf, INT64_MIN);

    assert_text(buf, "0 -7 9223372036854775807 -9223372036854775808");

    unit_memory_free(&memory);
}


static void
test_failure_sticks(void **state)
{
    unit_memory_t  memory;
    setter_buf_t   buf;
    static char    big[100000];

    (void) state;

    setter_buf_init(&buf, unit_memory_init(&memory, 1), 0);

    setter_buf_text(&buf, "kept");
    setter_buf_append(&buf, big, sizeof(big));
    assert_true(buf.failed);
    assert_int_equal(buf.len, 4);

    memory.left = -1;
    setter_buf_byte(&buf, 'x');
    assert_true(buf.failed);
    assert_text(buf, "kept");

    unit_memory_free(&memory);
}


static void
test_impossible_length(void **state)
{
    unit_memory_t  memory;
    setter_buf_t   buf;

    (void) state;

    setter_buf_init(&buf, unit_memory_init(&memory, -1), 0);

    setter_buf_text(&buf, "kept");
    setter_buf_grow(&buf, SIZE_MAX - 2);
    assert_true(buf.failed);
    assert_text(buf, "kept");

    unit_memory_free(&memory);
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_grows),
    cmocka_unit_test(test_starts_with_size),
    cmocka_unit_test(test_numbers),
    cmocka_unit_test(test_failure_sticks),
    cmocka_unit_test(test_impossible_length)
};

unit_main(tests)
