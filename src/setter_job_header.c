#include <string.h>

#include "setter_job.h"


#define SETTER_HEADER_VERSION  "1"


static void setter_header_text(setter_buf_t *buf, setter_str_t text);
static void setter_header_number(setter_buf_t *buf, int64_t number);
static int setter_header_next(setter_str_t *line, setter_str_t *field);
static int setter_header_next_number(setter_str_t *line, int64_t *number);


void
setter_job_header_write(setter_buf_t *buf, const setter_job_header_t *header)
{
    setter_buf_text(buf, SETTER_HEADER_VERSION);
    setter_header_text(buf, header->id);
    setter_header_text(buf, header->tenant);
    setter_header_text(buf, header->kind);
    setter_header_text(buf, header->lane);
    setter_header_number(buf, header->received_ms);
    setter_header_number(buf, header->debounce_ms);
    setter_header_number(buf, header->debounce_max_ms);
    setter_header_number(buf, header->send_at_ms);

    if (header->flags.len > 0) {
        setter_header_text(buf, header->flags);
    }
}


int
setter_job_header_read(setter_job_header_t *header, setter_str_t line)
{
    setter_str_t  version;

    if (setter_header_next(&line, &version) != SETTER_OK
        || version.len != sizeof(SETTER_HEADER_VERSION) - 1
        || memcmp(version.data, SETTER_HEADER_VERSION, version.len) != 0
        || setter_header_next(&line, &header->id) != SETTER_OK
        || setter_header_next(&line, &header->tenant) != SETTER_OK
        || setter_header_next(&line, &header->kind) != SETTER_OK
        || setter_header_next(&line, &header->lane) != SETTER_OK
        || setter_header_next_number(&line, &header->received_ms)
        || setter_header_next_number(&line, &header->debounce_ms)
        || setter_header_next_number(&line, &header->debounce_max_ms)
        || setter_header_next_number(&line, &header->send_at_ms))
    {
        return SETTER_ERROR;
    }

    /* what is behind the fields that everybody has spoils nothing */
    header->flags.data = line.data;
    header->flags.len = 0;

    while (header->flags.len < line.len
           && line.data[header->flags.len] != '\t')
    {
        header->flags.len++;
    }

    return SETTER_OK;
}


int
setter_job_header_has(const setter_job_header_t *header, const char *word)
{
    size_t        len, i, n;
    setter_str_t  flags;

    len = strlen(word);
    flags = header->flags;

    for (i = 0; i < flags.len; i += n + 1) {
        n = 0;

        while (i + n < flags.len && flags.data[i + n] != ',') {
            n++;
        }

        if (n == len && memcmp(flags.data + i, word, len) == 0) {
            return 1;
        }
    }

    return 0;
}


static void
setter_header_text(setter_buf_t *buf, setter_str_t text)
{
    setter_buf_byte(buf, '\t');
    setter_buf_encoded(buf, text, "");
}


static void
setter_header_number(setter_buf_t *buf, int64_t number)
{
    setter_buf_byte(buf, '\t');
    setter_buf_number(buf, number);
}


/* Takes a field, which is never empty and holds visible ASCII only. */
static int
setter_header_next(setter_str_t *line, setter_str_t *field)
{
    size_t  i;

    field->data = line->data;

    for (i = 0; i < line->len && line->data[i] != '\t'; i++) {
        if (line->data[i] <= 0x20 || line->data[i] >= 0x7f) {
            return SETTER_ERROR;
        }
    }

    field->len = i;

    if (i < line->len) {
        i++;
    }

    line->data += i;
    line->len -= i;

    return field->len > 0 ? SETTER_OK : SETTER_ERROR;
}


/* Not negative; a field that holds only digits, few enough for 64 bits. */
static int
setter_header_next_number(setter_str_t *line, int64_t *number)
{
    size_t        i;
    setter_str_t  field;

    if (setter_header_next(line, &field) != SETTER_OK || field.len > 18) {
        return SETTER_ERROR;
    }

    *number = 0;

    for (i = 0; i < field.len; i++) {
        if (field.data[i] < '0' || field.data[i] > '9') {
            return SETTER_ERROR;
        }

        *number = 10 * *number + (field.data[i] - '0');
    }

    return SETTER_OK;
}
