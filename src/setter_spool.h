/*
 * Files of the spool: jobs that wait for Redis to come back, and jobs that it
 * acknowledged a moment ago.  This is the format and no more: bytes in,
 * records out.  All numbers are little-endian.
 *
 * A file is a head of SETTER_SPOOL_HEAD bytes and records, one behind another.
 *
 * The head: 8 bytes of magic, whose last one is the version, 8 of zeros, and
 * four cells of 16 bytes: a number of 64 bits, the CRC32C of it and of its
 * place, and 4 bytes of zeros.  A cell is written alone, by whom it belongs
 * to; one that cannot be read counts as absent.
 *
 *   run         writer    hash of the Redis process that acknowledged this
 *   claimed     writer    up to where records are being made durable
 *   committed   writer    up to where they are, and may be answered for
 *   replayed    replayer  up to where Redis acknowledged them since
 *
 * A record:
 *
 *    0   4  magic; its first byte stands in no text in UTF-8, nor in JSON
 *    4   4  CRC32C of bytes 8 to 31
 *    8   4  CRC32C of what follows byte 31
 *   12   4  length of the header line, at least 1
 *   16   4  length of the envelope
 *   20   4  zeros
 *   24   8  order: when the job came, in us of Unix time, made unique and
 *           increasing over the processes, so that it is the sequence too
 *   32      the header line, from which tenant and lane can be read, and the
 *           envelope, as they go to Redis
 */

#ifndef SETTER_SPOOL_H
#define SETTER_SPOOL_H

#include "setter_buf.h"


#define SETTER_SPOOL_HEAD         80
#define SETTER_SPOOL_CELL         16
#define SETTER_SPOOL_RECORD_HEAD  32
#define SETTER_SPOOL_MAX_RECORD   (32 * 1024 * 1024)

typedef enum {
    SETTER_SPOOL_RUN = 0,
    SETTER_SPOOL_CLAIMED,
    SETTER_SPOOL_COMMITTED,
    SETTER_SPOOL_REPLAYED
} setter_spool_cell_e;

typedef struct {
    uint64_t      order;
    setter_str_t  header;
    setter_str_t  envelope;
} setter_spool_record_t;

typedef enum {
    SETTER_SPOOL_RECORD,    /* n: its bytes; it points into data */
    SETTER_SPOOL_MORE,      /* n: so many bytes are needed */
    SETTER_SPOOL_DAMAGED    /* n: so many bytes, at least 1, are none */
} setter_spool_read_e;


/* A head without any cell. */
void setter_spool_head(char head[SETTER_SPOOL_HEAD]);

/* 1 when it is the head of such a file, of a version that we read. */
int setter_spool_head_valid(const char head[SETTER_SPOOL_HEAD]);

/* The bytes of a cell, and where in the file they go. */
size_t setter_spool_cell(char bytes[SETTER_SPOOL_CELL],
    setter_spool_cell_e cell, uint64_t value);

/* The value; "absent" where there is none. */
uint64_t setter_spool_cell_read(const char head[SETTER_SPOOL_HEAD],
    setter_spool_cell_e cell, uint64_t absent);

/*
 * Where reading begins in a file of which "size" bytes can be read: behind
 * what was replayed, if that is inside it, or else behind the head; at 0 with
 * a head that is damaged, or of another version.
 */
uint64_t setter_spool_start(const char head[SETTER_SPOOL_HEAD],
    uint64_t size);

/*
 * What goes in front of the record's header and envelope.  Returns the size
 * of the whole, or 0 when that is more than SETTER_SPOOL_MAX_RECORD.
 */
size_t setter_spool_record(char head[SETTER_SPOOL_RECORD_HEAD],
    const setter_spool_record_t *record);

/*
 * Reads the record at the beginning of data.  "last": these bytes, of which
 * there are some, are all that will come, so there is no MORE; a record that
 * was cut off is DAMAGED.
 */
setter_spool_read_e setter_spool_read(const char *data, size_t len, int last,
    setter_spool_record_t *record, size_t *n);


#endif /* SETTER_SPOOL_H */
