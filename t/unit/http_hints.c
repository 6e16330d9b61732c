/*
 * http_parts.h: what the values of headers say about trying again.
 */

#include "setter_unit.h"

#include "runtime/http_parts.h"


#define DATE     "Wed, 21 Oct 2026 07:28:00 GMT"
#define DATE_MS  INT64_C(1792567680000)


static void
test_numbers(void **state)
{
    (void) state;

    assert_int_equal(http_read_ms("0"), 0);
    assert_int_equal(http_read_ms("250"), 250);
    assert_int_equal(http_read_ms("250.9"), 250);
    assert_int_equal(http_read_ms("9999999999999"), 9999999999999);

    assert_int_equal(http_read_retry_after("0", 5), 0);
    assert_int_equal(http_read_retry_after("120", 5), 120000);
    assert_int_equal(http_read_retry_after("1.5", 5), 1500);
    assert_int_equal(http_read_retry_after("9999999999", 5), 9999999999000);
}


static void
test_dates(void **state)
{
    (void) state;

    assert_int_equal(http_read_retry_after(DATE, DATE_MS - 7001), 7001);
    assert_int_equal(http_read_retry_after(DATE, DATE_MS), 0);
    assert_int_equal(http_read_retry_after(DATE, DATE_MS + 1), 0);
    assert_int_equal(http_read_retry_after("Wednesday, 21-Oct-26 07:28:00 GMT",
                                           DATE_MS - 1000), 1000);
    assert_int_equal(http_read_retry_after("Wed Oct 21 07:28:00 2026",
                                           DATE_MS - 1000), 1000);
}


/* Nor a time so far away that it would not fit into a number of ms. */
static void
test_anything_else_names_no_time(void **state)
{
    size_t  i;

    static const char *const  values[] = {
        "", " ", ".", "1.2.3", "-1", "-20301231", "+5", "0x10", "1e3",
        "inf", "nan", "250 ms", "soon", "10000000000000",
        "Wed, 99 Oct 2026 99:28:00 GMT", "Wed, 21 Oct 99999999 07:28:00 GMT",
        "Wed, 21 Oct 2147483647 07:28:00 GMT"
    };

    (void) state;

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        assert_int_equal(http_read_ms(values[i]), -1);
        assert_int_equal(http_read_retry_after(values[i], DATE_MS), -1);
    }

    assert_int_equal(http_read_ms(DATE), -1);
    assert_int_equal(http_read_retry_after("10000000000", DATE_MS), -1);
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_numbers),
    cmocka_unit_test(test_dates),
    cmocka_unit_test(test_anything_else_names_no_time)
};

unit_main(tests)
