/*
 * Long texts in parts: none empty, none too long, none that begins within a
 * character, and nothing lost between them but white space.
 */

#include "fuzz.h"
#include "channel/split.h"


static int is_space(char c);
static size_t characters(setter_str_t text);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int            bytes;
    size_t         limit, len;
    setter_str_t   text, part;
    const char    *p, *start;
    fuzz_memory_t  memory;

    /* the last byte: limit, and of what */
    limit = size > 0 ? 1 + data[size - 1] / 2 : 1;
    bytes = size > 0 ? data[size - 1] & 1 : 0;

    text = fuzz_text(fuzz_memory(&memory, 0), data, size);
    p = start = text.data;

    while (split_next(&text, limit, bytes, &part)) {
        len = bytes ? part.len : characters(part);
        fuzz_holds(part.len > 0);
        fuzz_holds(len <= limit || characters(part) == 1);

        /* bytes that are in no character may stand behind a blank */
        fuzz_holds(part.data == start || is_space(part.data[-1])
                   || ((unsigned char) *part.data & 0xc0) != 0x80);

        for ( /* void */ ; p < part.data; p++) {
            fuzz_holds(is_space(*p));
        }

        p += part.len;
    }

    for ( /* void */ ; p < text.data + text.len; p++) {
        fuzz_holds(is_space(*p));
    }

    fuzz_forget(&memory);

    return 0;
}


static int
is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}


static size_t
characters(setter_str_t text)
{
    size_t  i, n;

    n = 0;

    for (i = 0; i < text.len; i++) {
        n += i == 0 || ((unsigned char) text.data[i] & 0xc0) != 0x80;
    }

    return n;
}
