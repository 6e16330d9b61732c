#include <string.h>

#include "setter_form.h"
#include "setter_json.h"


static size_t setter_form_count(setter_str_t body);
static setter_str_t setter_form_decode(setter_str_t text, char **out);
static int setter_form_hex(char c);
static int setter_form_had(const setter_form_field_t *fields, size_t n);


int
setter_form_read(setter_str_t body, setter_form_field_t **fields, size_t *n,
    setter_alloc_t *alloc)
{
    char                 *out;
    size_t                max;
    const char           *p, *end, *last, *equal;
    setter_form_field_t  *field;

    max = setter_form_count(body);
    *n = 0;

    if (max > SETTER_FORM_MAX) {
        return SETTER_ERROR;
    }

    /* decoded it is never longer */
    out = alloc->get(alloc->owner, body.len + 1);
    *fields = alloc->get(alloc->owner,
                         (max + 1) * sizeof(setter_form_field_t));

    if (out == NULL || *fields == NULL) {
        return SETTER_NO_MEMORY;
    }

    last = body.data + body.len;

    for (p = body.data; p < last; p = end + 1) {
        end = memchr(p, '&', (size_t) (last - p));
        end = end != NULL ? end : last;

        if (end == p) {
            continue;
        }

        equal = memchr(p, '=', (size_t) (end - p));
        equal = equal != NULL ? equal : end;
        field = &(*fields)[(*n)++];

        field->name = setter_form_decode(
                          (setter_str_t) { (size_t) (equal - p), p }, &out);
        equal += equal < end;
        field->value = setter_form_decode(
                          (setter_str_t) { (size_t) (end - equal), equal },
                          &out);
    }

    return SETTER_OK;
}


/* How many fields there are at most. */
static size_t
setter_form_count(setter_str_t body)
{
    size_t  i, n;

    n = body.len > 0;

    for (i = 0; i < body.len; i++) {
        n += body.data[i] == '&';
    }

    return n;
}


/* To *out, which moves on. */
static setter_str_t
setter_form_decode(setter_str_t text, char **out)
{
    int           high, low;
    char         *p;
    size_t        i;
    setter_str_t  decoded;

    p = *out;
    decoded.data = p;

    for (i = 0; i < text.len; i++) {
        *p = text.data[i] == '+' ? ' ' : text.data[i];

        if (*p == '%' && i + 2 < text.len) {
            high = setter_form_hex(text.data[i + 1]);
            low = setter_form_hex(text.data[i + 2]);

            if (high >= 0 && low >= 0) {
                *p = (char) (16 * high + low);
                i += 2;
            }
        }

        p++;
    }

    *out = p;
    decoded.len = (size_t) (p - decoded.data);

    return decoded;
}


static int
setter_form_hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}


void
setter_form_json(setter_buf_t *buf, const setter_form_field_t *fields,
    size_t n)
{
    size_t  i;

    setter_buf_byte(buf, '{');

    for (i = 0; i < n; i++) {

        if (setter_form_had(fields, i)) {
            continue;
        }

        if (i > 0) {
            setter_buf_byte(buf, ',');
        }

        setter_json_string(buf, fields[i].name.data, fields[i].name.len);
        setter_buf_byte(buf, ':');
        setter_json_string(buf, fields[i].value.data, fields[i].value.len);
    }

    setter_buf_byte(buf, '}');
}


/* Whether a field before that one has its name. */
static int
setter_form_had(const setter_form_field_t *fields, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (fields[i].name.len == fields[n].name.len
            && memcmp(fields[i].name.data, fields[n].name.data,
                      fields[n].name.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
