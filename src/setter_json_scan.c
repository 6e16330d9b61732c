#include <string.h>

#include "setter_json_parts.h"


#define SETTER_JSON_ESCAPE_LEN  6       /* \uXXXX */


static setter_json_error_e setter_json_repair(setter_str_t *text,
    const char *p, setter_alloc_t *alloc);
static setter_json_error_e setter_json_check(const char **pos,
    const char *end);
static const char *setter_json_plain(const char *p, const char *end);
static size_t setter_json_escape(const char *p, const char *end);
static int setter_json_hex(const char *p, const char *end);
static size_t setter_json_utf8(const char *p, const char *end);


setter_json_error_e
setter_json_scan(setter_str_t *text, int repair, setter_alloc_t *alloc)
{
    const char           *p;
    setter_json_error_e   error;

    p = text->data;
    error = setter_json_check(&p, text->data + text->len);

    if (error == SETTER_JSON_ENCODING && repair) {
        return setter_json_repair(text, p, alloc);
    }

    return error;
}


/* Copies the text, of which p is the first thing to repair. */
static setter_json_error_e
setter_json_repair(setter_str_t *text, const char *p, setter_alloc_t *alloc)
{
    const char           *start, *end;
    setter_buf_t          copy;
    setter_json_error_e   error;

    start = text->data;
    end = text->data + text->len;
    setter_buf_init(&copy, alloc, text->len + 64);

    do {
        setter_buf_append(&copy, start, p - start);

        if (*p == '\\') {
            setter_buf_text(&copy, "\\ufffd");
            p += SETTER_JSON_ESCAPE_LEN;

        } else {
            setter_buf_text(&copy, "\xef\xbf\xbd");
            p++;
        }

        start = p;
        error = setter_json_check(&p, end);

    } while (error == SETTER_JSON_ENCODING);

    setter_buf_append(&copy, start, end - start);

    text->data = copy.data;
    text->len = copy.len;

    return copy.failed ? SETTER_JSON_NO_MEMORY : error;
}


/* Moves *pos to the first thing that is wrong, or to the end. */
static setter_json_error_e
setter_json_check(const char **pos, const char *end)
{
    size_t       n;
    const char  *p;

    p = *pos;
    n = 1;

    while ((p = setter_json_plain(p, end)) < end) {

        if (*p == '\\') {
            n = setter_json_escape(p, end);

        } else if (*p == '\0') {
            n = 0;

        } else if (*p & 0x80) {
            n = setter_json_utf8(p, end);

        } else if (*p == '\n' || *p == '\r' || *p == '\t') {
            n = 1;

        } else {
            return SETTER_JSON_SYNTAX;
        }

        if (n == 0) {
            break;
        }

        p += n;
    }

    *pos = p;

    return n == 0 ? SETTER_JSON_ENCODING : SETTER_JSON_OK;
}


/* Skips printable ASCII other than the backslash. */
static const char *
setter_json_plain(const char *p, const char *end)
{
    uint64_t  word;

    while (end - p >= (ptrdiff_t) sizeof(word)) {
        memcpy(&word, p, sizeof(word));

        if ((word & SETTER_WORD_HIGHS)
            || setter_word_below(word, 0x20)
            || setter_word_has(word, '\\'))
        {
            break;
        }

        p += sizeof(word);
    }

    while (p < end && *p >= 0x20 && *p != '\\' && !(*p & 0x80)) {
        p++;
    }

    return p;
}


/*
 * The length of the escape at p, two of them for a surrogate pair; 0 for
 * U+0000 and a lone surrogate.  One that is no escape at all is left to yajl.
 */
static size_t
setter_json_escape(const char *p, const char *end)
{
    int  code, low;

    if (end - p < 2) {
        return 1;
    }

    code = setter_json_hex(p, end);

    if (code < 0) {
        return 2;
    }

    if (code == 0) {
        return 0;
    }

    if ((code & 0xf800) != 0xd800) {
        return SETTER_JSON_ESCAPE_LEN;
    }

    low = setter_json_hex(p + SETTER_JSON_ESCAPE_LEN, end);

    if (code >= 0xdc00 || (low & ~0x3ff) != 0xdc00) {
        return 0;
    }

    return 2 * SETTER_JSON_ESCAPE_LEN;
}


/* The number in \uXXXX, or -1 when no such thing stands at p. */
static int
setter_json_hex(const char *p, const char *end)
{
    int   i, c, code;

    if (end - p < SETTER_JSON_ESCAPE_LEN || p[0] != '\\' || p[1] != 'u') {
        return -1;
    }

    code = 0;

    for (i = 2; i < SETTER_JSON_ESCAPE_LEN; i++) {
        c = p[i] | 0x20;

        if (p[i] >= '0' && p[i] <= '9') {
            code = code << 4 | (p[i] - '0');

        } else if (c >= 'a' && c <= 'f') {
            code = code << 4 | (c - 'a' + 10);

        } else {
            return -1;
        }
    }

    return code;
}


/* The length of the character at p (not ASCII), or 0 when it is broken. */
static size_t
setter_json_utf8(const char *p, const char *end)
{
    size_t                i, len;
    const unsigned char  *c;

    c = (const unsigned char *) p;

    if (c[0] < 0xc2 || c[0] > 0xf4) {
        return 0;
    }

    len = c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : 4;

    if ((size_t) (end - p) < len) {
        return 0;
    }

    for (i = 1; i < len; i++) {
        if ((c[i] & 0xc0) != 0x80) {
            return 0;
        }
    }

    /* overlong, a surrogate, past U+10FFFF */

    if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f)
        || (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f))
    {
        return 0;
    }

    return len;
}
