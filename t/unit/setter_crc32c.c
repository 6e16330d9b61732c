/*
 * setter_crc32c.h: the examples of RFC 3720, and both ways to count.
 */

#include "setter_unit.h"

#include "setter_crc32c.h"


static void
assert_crc(const unsigned char *data, size_t len, uint32_t crc)
{
    size_t    at;
    uint32_t  first;

    assert_int_equal(setter_crc32c(0, data, len), crc);
    assert_int_equal(setter_crc32c_portable(0, data, len), crc);

    /* in two pieces, cut anywhere, each by the other way to count */

    for (at = 0; at <= len; at++) {
        first = setter_crc32c(0, data, at);
        assert_int_equal(setter_crc32c_portable(first, data + at, len - at),
                         crc);
    }
}


static void
test_rfc_3720(void **state)
{
    int            i;
    unsigned char  data[32];

    static const unsigned char  read_10[] = {
        0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0x14, 0, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 0x14, 0, 0, 0, 0x18,
        0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0
    };

    (void) state;

    memset(data, 0, sizeof(data));
    assert_crc(data, sizeof(data), 0x8a9136aa);

    memset(data, 0xff, sizeof(data));
    assert_crc(data, sizeof(data), 0x62a8ab43);

    for (i = 0; i < 32; i++) {
        data[i] = i;
    }

    assert_crc(data, sizeof(data), 0x46dd794e);

    for (i = 0; i < 32; i++) {
        data[i] = 31 - i;
    }

    assert_crc(data, sizeof(data), 0x113fdb5c);
    assert_crc(read_10, sizeof(read_10), 0xd9963a56);
}


static void
test_lengths_and_places(void **state)
{
    size_t         i, len, at;
    unsigned char  data[300];

    (void) state;

    for (i = 0; i < sizeof(data); i++) {
        data[i] = i * 167 + 13;
    }

    assert_int_equal(setter_crc32c(0, data, 0), 0);
    assert_int_equal(setter_crc32c(0, "123456789", 9), 0xe3069283);

    for (at = 0; at < 9; at++) {
        for (len = 0; len < sizeof(data) - at; len++) {
            assert_int_equal(setter_crc32c(0, data + at, len),
                             setter_crc32c_portable(0, data + at, len));
        }
    }
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_rfc_3720),
    cmocka_unit_test(test_lengths_and_places)
};

unit_main(tests)
