#include "setter_crc32c.h"
#include "setter_spool.h"


#define SETTER_SPOOL_MAGIC  4


static void setter_spool_put32(char *p, uint32_t value);
static void setter_spool_put64(char *p, uint64_t value);
static uint32_t setter_spool_get32(const char *p);
static uint64_t setter_spool_get64(const char *p);
static uint32_t setter_spool_cell_crc(const char *bytes,
    setter_spool_cell_e cell);
static uint32_t setter_spool_body_crc(const setter_spool_record_t *record);
static size_t setter_spool_size(const char *head);
static size_t setter_spool_skip(const char *data, size_t len, int last);


/* the last byte of each is the version */
static const char  setter_spool_file_magic[8] = "\xffSPOOL\n\x01";
static const char  setter_spool_record_magic[SETTER_SPOOL_MAGIC]
    = { '\xff', 'J', 'B', '\x01' };


void
setter_spool_head(char head[SETTER_SPOOL_HEAD])
{
    memset(head, 0, SETTER_SPOOL_HEAD);
    memcpy(head, setter_spool_file_magic, sizeof(setter_spool_file_magic));
}


int
setter_spool_head_valid(const char head[SETTER_SPOOL_HEAD])
{
    return memcmp(head, setter_spool_file_magic,
                  sizeof(setter_spool_file_magic))
           == 0;
}


size_t
setter_spool_cell(char bytes[SETTER_SPOOL_CELL], setter_spool_cell_e cell,
    uint64_t value)
{
    setter_spool_put64(bytes, value);
    setter_spool_put32(bytes + 8, setter_spool_cell_crc(bytes, cell));
    setter_spool_put32(bytes + 12, 0);

    return SETTER_SPOOL_CELL * (1 + cell);
}


uint64_t
setter_spool_cell_read(const char head[SETTER_SPOOL_HEAD],
    setter_spool_cell_e cell, uint64_t absent)
{
    const char  *bytes;

    bytes = head + SETTER_SPOOL_CELL * (1 + cell);

    if (setter_spool_get32(bytes + 8) != setter_spool_cell_crc(bytes, cell)) {
        return absent;
    }

    return setter_spool_get64(bytes);
}


uint64_t
setter_spool_start(const char head[SETTER_SPOOL_HEAD], uint64_t size)
{
    uint64_t  replayed;

    if (!setter_spool_head_valid(head)) {
        return 0;
    }

    replayed = setter_spool_cell_read(head, SETTER_SPOOL_REPLAYED, 0);

    return (replayed < SETTER_SPOOL_HEAD || replayed > size)
           ? SETTER_SPOOL_HEAD : replayed;
}


/* Of zeros it is not zero, so that a cell never written is absent. */
static uint32_t
setter_spool_cell_crc(const char *bytes, setter_spool_cell_e cell)
{
    char  place;

    place = cell + 1;

    return setter_crc32c(setter_crc32c(0, bytes, 8), &place, 1);
}


size_t
setter_spool_record(char head[SETTER_SPOOL_RECORD_HEAD],
    const setter_spool_record_t *record)
{
    if (record->header.len == 0
        || record->header.len > SETTER_SPOOL_MAX_RECORD
        || record->envelope.len > SETTER_SPOOL_MAX_RECORD)
    {
        return 0;
    }

    memcpy(head, setter_spool_record_magic, SETTER_SPOOL_MAGIC);
    setter_spool_put32(head + 8, setter_spool_body_crc(record));
    setter_spool_put32(head + 12, record->header.len);
    setter_spool_put32(head + 16, record->envelope.len);
    setter_spool_put32(head + 20, 0);
    setter_spool_put64(head + 24, record->order);
    setter_spool_put32(head + 4, setter_crc32c(0, head + 8,
                                            SETTER_SPOOL_RECORD_HEAD - 8));

    return setter_spool_size(head);
}


setter_spool_read_e
setter_spool_read(const char *data, size_t len, int last,
    setter_spool_record_t *record, size_t *n)
{
    size_t  size;

    size = SETTER_SPOOL_RECORD_HEAD;

    if (len >= size) {
        size = setter_spool_size(data);
    }

    if (size == 0) {
        *n = setter_spool_skip(data, len, last);
        return SETTER_SPOOL_DAMAGED;
    }

    if (len < size) {
        *n = last ? setter_spool_skip(data, len, last) : size;
        return last ? SETTER_SPOOL_DAMAGED : SETTER_SPOOL_MORE;
    }

    record->order = setter_spool_get64(data + 24);
    record->header.len = setter_spool_get32(data + 12);
    record->header.data = data + SETTER_SPOOL_RECORD_HEAD;
    record->envelope.len = setter_spool_get32(data + 16);
    record->envelope.data = record->header.data + record->header.len;

    if (setter_spool_body_crc(record) != setter_spool_get32(data + 8)) {
        *n = setter_spool_skip(data, len, last);
        return SETTER_SPOOL_DAMAGED;
    }

    *n = size;

    return SETTER_SPOOL_RECORD;
}


static uint32_t
setter_spool_body_crc(const setter_spool_record_t *record)
{
    uint32_t  crc;

    crc = setter_crc32c(0, record->header.data, record->header.len);

    return setter_crc32c(crc, record->envelope.data, record->envelope.len);
}


/* Of the whole record; 0 when this is not the head of one. */
static size_t
setter_spool_size(const char *head)
{
    uint32_t  header, envelope;

    if (memcmp(head, setter_spool_record_magic, SETTER_SPOOL_MAGIC) != 0
        || setter_spool_get32(head + 4)
           != setter_crc32c(0, head + 8, SETTER_SPOOL_RECORD_HEAD - 8))
    {
        return 0;
    }

    header = setter_spool_get32(head + 12);
    envelope = setter_spool_get32(head + 16);

    if (header == 0
        || header > SETTER_SPOOL_MAX_RECORD
        || envelope > SETTER_SPOOL_MAX_RECORD - header)
    {
        return 0;
    }

    return SETTER_SPOOL_RECORD_HEAD + (size_t) header + envelope;
}


/*
 * How far it is to where another record may begin.  What could be the first
 * bytes of its magic is kept as long as more may come.
 */
static size_t
setter_spool_skip(const char *data, size_t len, int last)
{
    size_t       left;
    const char  *p;

    for (p = data + 1; p < data + len; p++) {
        p = memchr(p, (unsigned char) setter_spool_record_magic[0],
                   data + len - p);

        if (p == NULL) {
            return len;
        }

        left = data + len - p;

        if (left < SETTER_SPOOL_MAGIC) {
            if (last) {
                return len;
            }

        } else {
            left = SETTER_SPOOL_MAGIC;
        }

        if (memcmp(p, setter_spool_record_magic, left) == 0) {
            return p - data;
        }
    }

    return len;
}


static void
setter_spool_put32(char *p, uint32_t value)
{
    int  i;

    for (i = 0; i < 4; i++) {
        p[i] = (char) (value >> 8 * i);
    }
}


static void
setter_spool_put64(char *p, uint64_t value)
{
    setter_spool_put32(p, (uint32_t) value);
    setter_spool_put32(p + 4, (uint32_t) (value >> 32));
}


static uint32_t
setter_spool_get32(const char *p)
{
    int       i;
    uint32_t  value;

    value = 0;

    for (i = 3; i >= 0; i--) {
        value = value << 8 | (unsigned char) p[i];
    }

    return value;
}


static uint64_t
setter_spool_get64(const char *p)
{
    return setter_spool_get32(p) | (uint64_t) setter_spool_get32(p + 4) << 32;
}
