#include <string.h>

#include "setter_json_parts.h"


static const char *setter_json_unescaped(const char *p, const char *end);
static size_t setter_json_escaped(char out[6], char c);


void
setter_json_string(setter_buf_t *buf, const char *data, size_t len)
{
    char         escape[6];
    const char  *p, *end;

    end = data + len;

    setter_buf_byte(buf, '"');

    for ( ;; ) {
        p = setter_json_unescaped(data, end);
        setter_buf_append(buf, data, p - data);

        if (p == end) {
            break;
        }

        setter_buf_append(buf, escape, setter_json_escaped(escape, *p));
        data = p + 1;
    }

    setter_buf_byte(buf, '"');
}


void
setter_json_value(setter_buf_t *buf, const setter_json_value_t *value)
{
    switch (value->type) {

    case SETTER_JSON_ABSENT:
    case SETTER_JSON_NULL:
        setter_buf_text(buf, "null");
        break;

    case SETTER_JSON_FALSE:
        setter_buf_text(buf, "false");
        break;

    case SETTER_JSON_TRUE:
        setter_buf_text(buf, "true");
        break;

    case SETTER_JSON_STRING:
        setter_json_string(buf, value->text.data, value->text.len);
        break;

    case SETTER_JSON_NUMBER:
    case SETTER_JSON_OBJECT:
    case SETTER_JSON_ARRAY:
        setter_buf_append(buf, value->text.data, value->text.len);
        break;
    }
}


void
setter_json_name(setter_buf_t *buf, const char *name)
{
    setter_json_comma(buf);
    setter_json_string(buf, name, strlen(name));
    setter_buf_byte(buf, ':');
}


void
setter_json_member(setter_buf_t *buf, const char *name, setter_str_t text)
{
    if (text.data != NULL) {
        setter_json_name(buf, name);
        setter_json_string(buf, text.data, text.len);
    }
}


void
setter_json_comma(setter_buf_t *buf)
{
    char  last;

    if (buf->len > 0) {
        last = buf->data[buf->len - 1];

        if (last != '{' && last != '[' && last != ':') {
            setter_buf_byte(buf, ',');
        }
    }
}


/* Skips what stands in a string as it is. */
static const char *
setter_json_unescaped(const char *p, const char *end)
{
    uint64_t  word;

    while (end - p >= (ptrdiff_t) sizeof(word)) {
        memcpy(&word, p, sizeof(word));

        if (setter_word_below(word, 0x20) || setter_word_has(word, '"')
            || setter_word_has(word, '\\'))
        {
            break;
        }

        p += sizeof(word);
    }

    while (p < end && (unsigned char) *p >= 0x20 && *p != '"' && *p != '\\')
    {
        p++;
    }

    return p;
}


/* The escape of a quote, a backslash or a control character. */
static size_t
setter_json_escaped(char out[6], char c)
{
    const char         *known;

    static const char   short_ones[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    static const char   hex[] = "0123456789abcdef";

    out[0] = '\\';

    for (known = short_ones; *known != '\0'; known += 2) {
        if (*known == c) {
            out[1] = known[1];
            return 2;
        }
    }

    memcpy(out + 1, "u00", 3);
    out[4] = hex[(unsigned char) c >> 4];
    out[5] = hex[c & 0x0f];

    return 6;
}
