/*
 * setter_partition.h
 */

#include "setter_unit.h"

#include "setter_partition.h"


#define SLOTS  16384


/* Bit by bit, from the definition: polynomial 0x1021, initial value 0. */
static unsigned
crc16(const char *data, size_t len)
{
    int       bit;
    unsigned  crc;

    crc = 0;

    while (len-- > 0) {
        crc ^= (unsigned) (unsigned char) *data++ << 8;

        for (bit = 0; bit < 8; bit++) {
            crc = crc << 1 ^ (crc & 0x8000 ? 0x1021 : 0);
        }

        crc &= 0xffff;
    }

    return crc;
}


/* The slot Redis Cluster gives the key: that of its hash tag's content. */
static unsigned
slot(const char *key)
{
    const char  *open, *shut;

    open = strchr(key, '{');
    assert_non_null(open);
    shut = strchr(open, '}');
    assert_non_null(shut);
    assert_true(shut > open + 1);

    return crc16(open + 1, shut - open - 1) % SLOTS;
}


static void
test_known_values(void **state)
{
    (void) state;

    /* the check value of CRC-16/XMODEM */
    assert_int_equal(crc16("123456789", 9), 0x31c3);

    assert_int_equal(setter_partition(unit_str("123456789"), 64),
                     0x31c3 % 64);
    assert_int_equal(setter_partition(unit_str("123456789"), 1), 0);
    assert_int_equal(setter_partition(unit_str(""), 64), 0);
}


static void
test_every_byte(void **state)
{
    int           i;
    unsigned      p;
    char          name[3];
    setter_str_t  tenant;

    (void) state;

    tenant.data = name;
    tenant.len = sizeof(name);

    for (i = 0; i < 256; i++) {
        name[0] = 'a';
        name[1] = (char) i;
        name[2] = (char) (255 - i);

        for (p = 1; p <= SETTER_MAX_PARTITIONS; p++) {
            assert_int_equal(setter_partition(tenant, p),
                             crc16(name, sizeof(name)) % p);
        }
    }
}


static void
test_tags_are_spaced(void **state)
{
    size_t    len;
    unsigned  i;
    char      key[SETTER_KEY_MAX];

    (void) state;

    for (i = 0; i < SETTER_MAX_PARTITIONS; i++) {
        len = setter_partition_key(key, i, SETTER_MAX_PARTITIONS, "inbox");

        assert_int_equal(len, strlen(key));
        assert_memory_equal(key, "setter:{", 8);
        assert_string_equal(strchr(key, '}'), "}:inbox");
        assert_int_equal(slot(key) / (SLOTS / SETTER_MAX_PARTITIONS), i);
    }
}


/* Each number of partitions takes its own, evenly, beginning with the same. */
static void
test_any_number_of_partitions(void **state)
{
    unsigned  i, n, at, before;
    char      key[SETTER_KEY_MAX], first[SETTER_KEY_MAX];

    (void) state;

    setter_partition_key(first, 0, 1, "inbox");

    for (n = 1; n <= SETTER_MAX_PARTITIONS; n++) {
        setter_partition_key(key, 0, n, "inbox");
        assert_string_equal(key, first);

        before = slot(key);

        for (i = 1; i < n; i++) {
            setter_partition_key(key, i, n, "inbox");
            at = slot(key);

            assert_true(at > before);
            assert_in_range(at * n / SLOTS, i > 0 ? i - 1 : 0, i);
            before = at;
        }
    }
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_known_values),
    cmocka_unit_test(test_every_byte),
    cmocka_unit_test(test_tags_are_spaced),
    cmocka_unit_test(test_any_number_of_partitions)
};

unit_main(tests)
