/*
 * The reader of the spool's files.  Whatever bytes a file holds, and in
 * whatever pieces they come, it ends, and finds what trying each byte in turn
 * finds: every record whose checksums are right, and nothing else.
 *
 * The input is such a file; and it describes one, a step a line, of which the
 * first letter counts:
 *
 *   head VERSION              a file's head
 *   mark CELL NUMBER          one of its cells
 *   record HEADER|ENVELOPE    a record
 *   lengths HEADER ENVELOPE   the head of a record, right but for its body
 *   bytes ...                 these
 *   zeros N                   as of a disk that lied
 *   flip N                    a bit of the byte so far before the end
 *   tear N                    that many bytes at the end are missing
 *   again N                   that many stand there twice
 */

#include "fuzz.h"
#include "setter_crc32c.h"
#include "setter_spool.h"


#define FILE_MOST    8192
#define RECORD_MOST  (SETTER_SPOOL_RECORD_HEAD + SETTER_SPOOL_MAX_RECORD)


typedef struct {
    char      data[FILE_MOST];
    size_t    len;
    uint64_t  order;
} file_t;


static void build(file_t *file, setter_str_t text);
static void step(file_t *file, char what, setter_str_t rest);
static void add(file_t *file, const char *data, size_t len);
static void add_head(file_t *file, unsigned version);
static void mark(file_t *file, unsigned cell, uint64_t value);
static void add_record(file_t *file, setter_str_t text);
static void add_lengths(file_t *file, uint32_t header, uint32_t envelope);
static void check(setter_str_t file, size_t piece);
static void check_crc(setter_str_t file, size_t piece);
static void check_cells(const char *head);
static void walk(setter_str_t file, size_t at, size_t piece);
static void check_none(setter_str_t file, size_t at, size_t n);
static void check_record(const setter_spool_record_t *record,
    const char *data, size_t n);
static size_t whole(const char *data, size_t left);
static uint64_t number(const char *data, int bytes);


/* The control byte: how many bytes more are read at a time; 0: all. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned        piece;
    setter_str_t    text, built;
    fuzz_memory_t   memory;
    static file_t   file;

    piece = fuzz_control(data, &size);
    text = fuzz_text(fuzz_memory(&memory, 0), data, size);

    check(text, piece);

    build(&file, text);
    built.data = file.data;
    built.len = file.len;
    check(built, piece);

    fuzz_forget(&memory);

    return 0;
}


static void
build(file_t *file, setter_str_t text)
{
    char           what;
    setter_str_t   line;

    file->len = 0;
    file->order = 0;

    while (text.len > 0) {
        line = fuzz_line(&text);

        if (line.len == 0) {
            continue;
        }

        what = line.data[0];

        while (line.len > 0 && line.data[0] != ' ') {
            line.data++;
            line.len--;
        }

        if (line.len > 0) {
            line.data++;
            line.len--;
        }

        step(file, what, line);
    }
}


static void
step(file_t *file, char what, setter_str_t rest)
{
    char                numbers[64];
    size_t              n;
    unsigned long long  a, b;

    static const char  zeros[FILE_MOST];

    snprintf(numbers, sizeof(numbers), "%.*s", (int) (rest.len % FILE_MOST),
             rest.data);
    a = 0;
    b = 0;
    sscanf(numbers, "%19llu %19llu", &a, &b);
    n = a < file->len ? a : file->len;

    switch (what) {
    case 'h':
        add_head(file, a);
        break;
    case 'm':
        mark(file, a, b);
        break;
    case 'r':
        add_record(file, rest);
        break;
    case 'l':
        add_lengths(file, a, b);
        break;
    case 'b':
        add(file, rest.data, rest.len);
        break;
    case 'z':
        add(file, zeros, a < FILE_MOST ? a : FILE_MOST);
        break;
    case 'f':
        if (a > 0 && a == n) {
            file->data[file->len - n] ^= 4;
        }
        break;
    case 't':
        file->len -= n;
        break;
    case 'a':
        add(file, file->data + file->len - n, n);
        break;
    }
}


/* What does not fit is cut off. */
static void
add(file_t *file, const char *data, size_t len)
{
    if (len > FILE_MOST - file->len) {
        len = FILE_MOST - file->len;
    }

    memcpy(file->data + file->len, data, len);
    file->len += len;
}


static void
add_head(file_t *file, unsigned version)
{
    char  head[SETTER_SPOOL_HEAD];

    setter_spool_head(head);
    fuzz_holds(setter_spool_head_valid(head));

    head[7] = (char) version;
    add(file, head, sizeof(head));
}


static void
mark(file_t *file, unsigned cell, uint64_t value)
{
    char    bytes[SETTER_SPOOL_CELL];
    size_t  at;

    at = setter_spool_cell(bytes, cell % (SETTER_SPOOL_REPLAYED + 1), value);

    if (file->len >= SETTER_SPOOL_HEAD) {
        memcpy(file->data + at, bytes, sizeof(bytes));
    }
}


static void
add_record(file_t *file, setter_str_t text)
{
    char                    head[SETTER_SPOOL_RECORD_HEAD];
    size_t                  n;
    const char             *end;
    setter_spool_record_t   record;

    end = text.len > 0 ? memchr(text.data, '|', text.len) : NULL;
    n = end != NULL ? (size_t) (end - text.data) : text.len;

    record.order = ++file->order;
    record.header.data = text.data;
    record.header.len = n;
    record.envelope.data = end != NULL ? end + 1 : text.data + n;
    record.envelope.len = text.len - n - (end != NULL);

    n = setter_spool_record(head, &record);
    fuzz_holds((n == 0) == (record.header.len == 0));

    if (n > 0) {
        add(file, head, sizeof(head));
        add(file, record.header.data, record.header.len);
        add(file, record.envelope.data, record.envelope.len);
    }
}


/* Also of lengths with which no record is written. */
static void
add_lengths(file_t *file, uint32_t header, uint32_t envelope)
{
    int       i;
    char      head[SETTER_SPOOL_RECORD_HEAD] = { '\xff', 'J', 'B', '\x01' };
    uint32_t  crc;

    for (i = 0; i < 4; i++) {
        head[12 + i] = (char) (header >> 8 * i);
        head[16 + i] = (char) (envelope >> 8 * i);
    }

    crc = setter_crc32c_portable(0, head + 8, sizeof(head) - 8);

    for (i = 0; i < 4; i++) {
        head[4 + i] = (char) (crc >> 8 * i);
    }

    add(file, head, sizeof(head));
}


/* Read from its beginning, and as the module reads it. */
static void
check(setter_str_t file, size_t piece)
{
    char      head[SETTER_SPOOL_HEAD];
    uint64_t  start;

    memset(head, 0, sizeof(head));

    if (file.len > 0) {
        memcpy(head, file.data,
               file.len < sizeof(head) ? file.len : sizeof(head));
    }

    check_crc(file, piece);
    check_cells(head);
    walk(file, 0, piece);

    start = setter_spool_start(head, file.len);

    if (memcmp(head, "\xffSPOOL\n\x01", 8) != 0) {
        fuzz_holds(!setter_spool_head_valid(head) && start == 0);
        return;
    }

    fuzz_holds(setter_spool_head_valid(head));
    fuzz_holds(start == SETTER_SPOOL_HEAD
               || (start > SETTER_SPOOL_HEAD && start <= file.len));

    if (start < file.len) {
        walk(file, start, piece);
    }
}


/* Both ways to count, in two pieces, against the definition. */
static void
check_crc(setter_str_t file, size_t piece)
{
    int       bit;
    size_t    i;
    uint32_t  crc, first;

    crc = 0xffffffff;

    for (i = 0; i < file.len; i++) {
        crc ^= (unsigned char) file.data[i];

        for (bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
        }
    }

    crc = ~crc;
    piece = piece < file.len ? piece : file.len;

    first = setter_crc32c(0, file.data, piece);
    fuzz_holds(first == setter_crc32c_portable(0, file.data, piece));
    fuzz_holds(crc == setter_crc32c(first, file.data + piece,
                                    file.len - piece));
    fuzz_holds(crc == setter_crc32c_portable(first, file.data + piece,
                                             file.len - piece));
}


/* A cell is there only as it would be written, and at its place. */
static void
check_cells(const char *head)
{
    int       cell;
    char      bytes[SETTER_SPOOL_CELL];
    size_t    at;
    uint64_t  value;

    for (cell = SETTER_SPOOL_RUN; cell <= SETTER_SPOOL_REPLAYED; cell++) {
        value = setter_spool_cell_read(head, cell, 1);

        if (value == setter_spool_cell_read(head, cell, 2)) {
            at = setter_spool_cell(bytes, cell, value);
            fuzz_holds(memcmp(head + at, bytes, 12) == 0);

        } else {
            fuzz_holds(value == 1);
        }
    }
}


/* As the module reads: what is there, and more when that is too little. */
static void
walk(setter_str_t file, size_t at, size_t piece)
{
    char                   *copy;
    size_t                  have, n, len;
    setter_spool_read_e     rc;
    setter_spool_record_t   record;

    piece = piece == 0 ? FILE_MOST : piece;

    for (have = at; at < file.len; at += n) {
        have = have > at ? have : at;

        do {
            have = piece < file.len - have ? have + piece : file.len;
            len = have - at;

            copy = malloc(len);
            fuzz_holds(copy != NULL);
            memcpy(copy, file.data + at, len);

            rc = setter_spool_read(copy, len, have == file.len, &record, &n);

            if (rc == SETTER_SPOOL_RECORD) {
                fuzz_holds(n <= len);
                check_record(&record, copy, n);
            }

            free(copy);
            fuzz_holds(rc != SETTER_SPOOL_MORE
                       || (have < file.len && n > len && n <= RECORD_MOST));

        } while (rc == SETTER_SPOOL_MORE);

        if (rc == SETTER_SPOOL_DAMAGED) {
            fuzz_holds(n > 0 && n <= len);
            check_none(file, at, n);

        } else {
            fuzz_holds(n == whole(file.data + at, file.len - at));
        }
    }
}


/* None of these bytes is the first one of a record. */
static void
check_none(setter_str_t file, size_t at, size_t n)
{
    size_t  end;

    for (end = at + n; at < end; at++) {
        fuzz_holds(whole(file.data + at, file.len - at) == 0);
    }
}


/* It points into the bytes that it was read from, and makes them again. */
static void
check_record(const setter_spool_record_t *record, const char *data, size_t n)
{
    char  head[SETTER_SPOOL_RECORD_HEAD];

    fuzz_holds(record->order == number(data + 24, 8));
    fuzz_holds(record->header.data == data + SETTER_SPOOL_RECORD_HEAD);
    fuzz_holds(record->header.len > 0);
    fuzz_holds(record->envelope.data
               == record->header.data + record->header.len);
    fuzz_holds(record->envelope.data + record->envelope.len == data + n);

    fuzz_holds(setter_spool_record(head, record) == n);
    fuzz_holds(number(data + 20, 4) != 0
               || memcmp(head, data, sizeof(head)) == 0);
}


/* The size of the record at data, by the words of setter_spool.h; or 0. */
static size_t
whole(const char *data, size_t left)
{
    uint64_t  body;

    if (left < 32
        || memcmp(data, "\xffJB\x01", 4) != 0
        || number(data + 4, 4) != setter_crc32c_portable(0, data + 8, 24)
        || number(data + 12, 4) == 0)
    {
        return 0;
    }

    body = number(data + 12, 4) + number(data + 16, 4);

    if (body > left - 32
        || number(data + 8, 4) != setter_crc32c_portable(0, data + 32, body))
    {
        return 0;
    }

    return 32 + body;
}


static uint64_t
number(const char *data, int bytes)
{
    uint64_t  value;

    value = 0;

    while (bytes-- > 0) {
        value = value << 8 | (unsigned char) data[bytes];
    }

    return value;
}
