#include "setter_json.h"


static size_t setter_json_blanks(setter_str_t text);
static size_t setter_json_extent(setter_str_t text);


int
setter_json_next(setter_str_t *array, setter_str_t *element)
{
    size_t  n;

    if (array->len == 0) {
        return 0;
    }

    n = setter_json_blanks(*array);
    array->data += n;
    array->len -= n;

    /* "[" before the first element, "," before the others, "]" at the end */

    if (array->len == 0 || *array->data == ']') {
        array->len = 0;
        return 0;
    }

    array->data++;
    array->len--;

    n = setter_json_blanks(*array);
    array->data += n;
    array->len -= n;

    element->data = array->data;
    element->len = setter_json_extent(*array);

    array->data += element->len;
    array->len -= element->len;

    return element->len > 0;
}


static size_t
setter_json_blanks(setter_str_t text)
{
    size_t  n;

    for (n = 0; n < text.len; n++) {
        if (text.data[n] != ' ' && text.data[n] != '\t'
            && text.data[n] != '\r' && text.data[n] != '\n')
        {
            break;
        }
    }

    return n;
}


/* Of the value that the text begins with, up to what follows it. */
static size_t
setter_json_extent(setter_str_t text)
{
    int     quoted;
    size_t  n, depth;

    depth = 0;
    quoted = 0;

    for (n = 0; n < text.len; n++) {

        if (quoted) {

            if (text.data[n] == '\\') {
                n++;

            } else if (text.data[n] == '"') {
                quoted = 0;
            }

            continue;
        }

        switch (text.data[n]) {

        case '"':
            quoted = 1;
            break;

        case '[':
        case '{':
            depth++;
            break;

        case ']':
        case '}':
            if (depth == 0) {
                return n;
            }
            depth--;
            break;

        case ',':
            if (depth == 0) {
                return n;
            }
            break;
        }
    }

    return text.len;
}
