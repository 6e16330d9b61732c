#include "setter_buf.h"


#define SETTER_BUF_MIN  256


void
setter_buf_init(setter_buf_t *buf, setter_alloc_t *alloc, size_t size)
{
    buf->data = NULL;
    buf->len = 0;
    buf->size = 0;
    buf->alloc = alloc;
    buf->failed = 0;

    if (size > 0) {
        setter_buf_grow(buf, size);
    }
}


void
setter_buf_number(setter_buf_t *buf, int64_t number)
{
    char      text[20], *p;
    uint64_t  rest;

    p = text + sizeof(text);
    rest = number < 0 ? 0 - (uint64_t) number : (uint64_t) number;

    do {
        *--p = '0' + rest % 10;
        rest /= 10;
    } while (rest > 0);

    if (number < 0) {
        *--p = '-';
    }

    setter_buf_append(buf, p, text + sizeof(text) - p);
}


void
setter_buf_encoded(setter_buf_t *buf, setter_str_t text, const char *also)
{
    char               c, code[3];
    size_t             i, start;

    static const char  hex[] = "0123456789ABCDEF";

    start = 0;

    for (i = 0; i < text.len; i++) {
        c = text.data[i];

        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
            || (c > ' ' && c < 0x7f && strchr(also, c) == NULL))
        {
            continue;
        }

        code[0] = '%';
        code[1] = hex[(unsigned char) c >> 4];
        code[2] = hex[c & 0x0f];

        setter_buf_append(buf, text.data + start, i - start);
        setter_buf_append(buf, code, sizeof(code));
        start = i + 1;
    }

    setter_buf_append(buf, text.data + start, text.len - start);
}


void
setter_buf_grow(setter_buf_t *buf, size_t len)
{
    char    *data;
    size_t   size;

    if (buf->failed) {
        return;
    }

    size = buf->size > 0 ? buf->size : SETTER_BUF_MIN;

    while (size - buf->len < len && size <= SIZE_MAX / 2) {
        size *= 2;
    }

    data = NULL;

    if (size - buf->len >= len) {
        data = buf->alloc->get(buf->alloc->owner, size);
    }

    if (data == NULL) {
        buf->failed = 1;
        return;
    }

    if (buf->len > 0) {
        memcpy(data, buf->data, buf->len);
    }

    buf->data = data;
    buf->size = size;
}
