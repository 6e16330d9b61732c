/*
 * setter_spool.h: what was written is read; what was damaged, cut off or
 * never a record is skipped, and nothing else with it.
 */

#include "setter_unit.h"

#include "setter_spool.h"


#define RECORDS  5

typedef struct {
    char    data[4096];
    size_t  len;
    size_t  ends[RECORDS];
} file_t;


/* Text that holds nearly a magic. */
static const char *const  envelopes[RECORDS] = {
    "{\"text\":\"one\"}", "", "{\"text\":\"JB\\u0001JB\x01JB\"}",
    "{\"text\":\"\xc3\xbf JB\x01\"}", "5"
};

static const char *const  headers[RECORDS] = {
    "1\ta", "1\tb", "1\tc", "1\td", "1"
};


static void
add(file_t *file, const char *header, const char *envelope, uint64_t order)
{
    size_t                 size;
    setter_spool_record_t  record;

    record.order = order;
    record.header = unit_str(header);
    record.envelope = unit_str(envelope);

    size = setter_spool_record(file->data + file->len, &record);

    assert_int_equal(size, SETTER_SPOOL_RECORD_HEAD + strlen(header)
                           + strlen(envelope));

    memcpy(file->data + file->len + SETTER_SPOOL_RECORD_HEAD, header,
           strlen(header));
    memcpy(file->data + file->len + size - strlen(envelope), envelope,
           strlen(envelope));

    file->len += size;
}


static void
fill(file_t *file)
{
    int  i;

    file->len = 0;

    for (i = 0; i < RECORDS; i++) {
        add(file, headers[i], envelopes[i], 0x0123456789abcdef + i);
        file->ends[i] = file->len;
    }
}


/*
 * Reads it all, given in growing pieces of "step" bytes; a bit per record
 * found.  *skipped: bytes that were none.
 */
static unsigned
read_all(const file_t *file, size_t step, size_t *skipped)
{
    char                  *copy;
    size_t                 at, have, n;
    unsigned               found;
    setter_spool_read_e    rc;
    setter_spool_record_t  record;

    at = 0;
    found = 0;
    have = 0;
    *skipped = 0;

    while (at < file->len) {

        if (have <= at) {
            have = at + 1;
        }

        /* in memory of exactly that size, for the sanitizers */

        copy = malloc(have - at);
        assert_non_null(copy);
        memcpy(copy, file->data + at, have - at);

        rc = setter_spool_read(copy, have - at, have == file->len, &record,
                               &n);
        assert_true(n > 0);

        switch (rc) {

        case SETTER_SPOOL_MORE:
            assert_true(have < file->len);
            assert_true(n > have - at);
            have = have + step < file->len ? have + step : file->len;
            break;

        case SETTER_SPOOL_DAMAGED:
            assert_true(n <= have - at);
            *skipped += n;
            at += n;
            break;

        case SETTER_SPOOL_RECORD:
            assert_true(n <= have - at);
            n += at;

            found |= 1u << (record.order - 0x0123456789abcdef);
            assert_int_equal(n, file->ends[record.order
                                           - 0x0123456789abcdef]);
            assert_text(record.header,
                        headers[record.order - 0x0123456789abcdef]);
            assert_text(record.envelope,
                        envelopes[record.order - 0x0123456789abcdef]);
            at = n;
            break;
        }

        free(copy);
    }

    return found;
}


static void
test_written_is_read(void **state)
{
    size_t  step, skipped;
    file_t  file;

    (void) state;

    fill(&file);

    for (step = 1; step <= file.len; step++) {
        assert_int_equal(read_all(&file, step, &skipped), 0x1f);
        assert_int_equal(skipped, 0);
    }
}


static void
test_layout(void **state)
{
    file_t  file;

    static const char  bytes[] =
        "\xffJB\x01" "\xe4\x15\x45\x15" "\x66\x95\xe8\xa2"
        "\x02\0\0\0" "\x01\0\0\0" "\0\0\0\0"
        "\xef\xcd\xab\x89\x67\x45\x23\x01" "hi" "!";

    (void) state;

    file.len = 0;
    add(&file, "hi", "!", 0x0123456789abcdef);

    assert_int_equal(file.len, sizeof(bytes) - 1);
    assert_memory_equal(file.data, bytes, sizeof(bytes) - 1);
}


static void
test_any_bit_wrong(void **state)
{
    int       bit;
    size_t    at, skipped;
    file_t    file;
    unsigned  lost;

    (void) state;

    fill(&file);

    for (at = 0; at < file.len; at++) {

        for (lost = 0; at >= file.ends[lost]; lost++) { /* void */ }

        for (bit = 0; bit < 8; bit++) {
            file.data[at] ^= 1 << bit;

            assert_int_equal(read_all(&file, 7, &skipped),
                             0x1f & ~(1u << lost));
            assert_int_equal(skipped, file.ends[lost]
                                    - (lost ? file.ends[lost - 1] : 0));

            file.data[at] ^= 1 << bit;
        }
    }
}


static void
test_cut_off_anywhere(void **state)
{
    size_t    skipped, whole;
    file_t    file;
    unsigned  n;

    (void) state;

    fill(&file);

    while (--file.len > 0) {
        whole = 0;

        for (n = 0; n < RECORDS && file.ends[n] <= file.len; n++) {
            whole = file.ends[n];
        }

        assert_int_equal(read_all(&file, 5, &skipped), (1u << n) - 1);
        assert_int_equal(skipped, file.len - whole);
    }
}


/* A piece is missing, doubled, or zeros, as of a disk that lied. */
static void
test_rest_is_read(void **state)
{
    size_t  skipped;
    file_t  file;

    (void) state;

    fill(&file);
    memset(file.data + file.ends[0], 0, file.ends[2] - file.ends[0]);
    assert_int_equal(read_all(&file, 3, &skipped), 0x19);
    assert_int_equal(skipped, file.ends[2] - file.ends[0]);

    fill(&file);
    memmove(file.data + file.ends[1] + 10, file.data + file.ends[2],
            file.len - file.ends[2]);
    file.len -= file.ends[2] - file.ends[1] - 10;
    file.ends[3] -= file.ends[2] - file.ends[1] - 10;
    file.ends[4] -= file.ends[2] - file.ends[1] - 10;
    assert_int_equal(read_all(&file, 3, &skipped), 0x1b);
    assert_int_equal(skipped, 10);

    fill(&file);
    memset(file.data + file.len, 0, 500);
    file.len += 500;
    assert_int_equal(read_all(&file, 100, &skipped), 0x1f);
    assert_int_equal(skipped, 500);
}


static void
test_any_bytes(void **state)
{
    int        round;
    size_t     i, skipped;
    file_t     file;
    unsigned   seed;

    static const char  magic[] = { '\xff', 'J', 'B', '\x01' };

    (void) state;

    seed = 1;

    for (round = 0; round < 2000; round++) {
        file.len = round % 200;

        for (i = 0; i < file.len; i++) {
            seed = seed * 1103515245 + 12345;
            file.data[i] = (seed >> 16) % 3 ? magic[(seed >> 20) % 4]
                                            : (char) (seed >> 24);
        }

        assert_int_equal(read_all(&file, 1 + round % 50, &skipped), 0);
        assert_int_equal(skipped, file.len);
    }
}


static void
test_limits(void **state)
{
    char                   head[SETTER_SPOOL_RECORD_HEAD], *text;
    size_t                 n;
    setter_spool_record_t  record;

    (void) state;

    text = malloc(SETTER_SPOOL_MAX_RECORD);
    assert_non_null(text);
    memset(text, 'a', SETTER_SPOOL_MAX_RECORD);

    record.order = 1;
    record.header = unit_str("h");
    record.envelope.data = text;
    record.envelope.len = SETTER_SPOOL_MAX_RECORD - 1;

    assert_int_equal(setter_spool_record(head, &record),
                     SETTER_SPOOL_RECORD_HEAD + SETTER_SPOOL_MAX_RECORD);

    assert_int_equal(setter_spool_read(head, sizeof(head), 0, &record, &n),
                     SETTER_SPOOL_MORE);
    assert_int_equal(n, SETTER_SPOOL_RECORD_HEAD + SETTER_SPOOL_MAX_RECORD);

    record.header = unit_str("h");
    record.envelope.data = text;
    record.envelope.len = SETTER_SPOOL_MAX_RECORD;
    assert_int_equal(setter_spool_record(head, &record), 0);

    record.envelope.len = (size_t) -1;
    assert_int_equal(setter_spool_record(head, &record), 0);

    record.header.len = 0;
    record.envelope.len = 0;
    assert_int_equal(setter_spool_record(head, &record), 0);

    free(text);
}


static void
test_cells(void **state)
{
    int                  bit;
    char                 head[SETTER_SPOOL_HEAD], bytes[SETTER_SPOOL_CELL];
    size_t               at;
    uint64_t             value;
    setter_spool_cell_e  cell;

    (void) state;

    setter_spool_head(head);
    assert_true(setter_spool_head_valid(head));

    for (cell = SETTER_SPOOL_RUN; cell <= SETTER_SPOOL_REPLAYED; cell++) {
        assert_int_equal(setter_spool_cell_read(head, cell, 7), 7);

        value = 0x8000000000000001 + cell;
        at = setter_spool_cell(bytes, cell, value);
        assert_in_range(at, 16, SETTER_SPOOL_HEAD - SETTER_SPOOL_CELL);
        memcpy(head + at, bytes, SETTER_SPOOL_CELL);
        assert_true(setter_spool_cell_read(head, cell, 7) == value);

        for (bit = 0; bit < 96; bit++) {
            head[at + bit / 8] ^= 1 << bit % 8;
            assert_int_equal(setter_spool_cell_read(head, cell, 7), 7);
            head[at + bit / 8] ^= 1 << bit % 8;
        }

        assert_true(setter_spool_cell_read(head, cell, 7) == value);

        setter_spool_cell(head + at, cell, 0);
        assert_int_equal(setter_spool_cell_read(head, cell, 7), 0);
    }

    /* a cell that came to another's place */

    (void) setter_spool_cell(head + SETTER_SPOOL_CELL,
                             SETTER_SPOOL_CLAIMED, 5);
    assert_int_equal(setter_spool_cell_read(head, SETTER_SPOOL_RUN, 7), 7);

    head[7]++;
    assert_false(setter_spool_head_valid(head));
}


static void
mark_replayed(char *head, uint64_t value)
{
    char    bytes[SETTER_SPOOL_CELL];
    size_t  at;

    at = setter_spool_cell(bytes, SETTER_SPOOL_REPLAYED, value);
    memcpy(head + at, bytes, sizeof(bytes));
}


/* A number that no writer wrote leads to no place outside the file. */
static void
test_start(void **state)
{
    size_t  i;
    char    head[SETTER_SPOOL_HEAD];

    static const uint64_t  outside[] = {
        0, SETTER_SPOOL_HEAD - 1, 501, 0x7fffffffffffffff,
        0x8000000000000000, 0xffffffffffffffff
    };

    (void) state;

    setter_spool_head(head);
    assert_int_equal(setter_spool_start(head, 500), SETTER_SPOOL_HEAD);
    assert_int_equal(setter_spool_start(head, 3), SETTER_SPOOL_HEAD);

    mark_replayed(head, 90);
    assert_int_equal(setter_spool_start(head, 500), 90);
    assert_int_equal(setter_spool_start(head, 90), 90);
    assert_int_equal(setter_spool_start(head, 89), SETTER_SPOOL_HEAD);

    for (i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
        mark_replayed(head, outside[i]);
        assert_int_equal(setter_spool_start(head, 500), SETTER_SPOOL_HEAD);
    }

    mark_replayed(head, 90);
    head[7]++;
    assert_int_equal(setter_spool_start(head, 500), 0);
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_written_is_read),
    cmocka_unit_test(test_layout),
    cmocka_unit_test(test_any_bit_wrong),
    cmocka_unit_test(test_cut_off_anywhere),
    cmocka_unit_test(test_rest_is_read),
    cmocka_unit_test(test_any_bytes),
    cmocka_unit_test(test_limits),
    cmocka_unit_test(test_cells),
    cmocka_unit_test(test_start)
};

unit_main(tests)
