#include "channel/split.h"


#define SPLIT_JOINED  64            /* code points that may belong together */


/* How good it is to cut before a byte, the best first. */
typedef enum {
    SPLIT_PARAGRAPH = 0,
    SPLIT_SENTENCE,
    SPLIT_LINE,
    SPLIT_WORD,
    SPLIT_NOWHERE
} split_e;


static size_t split_fits(setter_str_t text, size_t limit, int bytes);
static size_t split_place(setter_str_t text, size_t fits);
static split_e split_kind(setter_str_t text, size_t at);
static int split_ends_sentence(setter_str_t text, size_t at);
static size_t split_apart(setter_str_t text, size_t at);
static int split_joins(const char *p, size_t len);
static int split_space(char c);
static int split_within(char c);
static void split_trim(setter_str_t *text);


int
split_next(setter_str_t *text, size_t limit, int bytes, setter_str_t *part)
{
    size_t  end;

    split_trim(text);

    if (text->len == 0) {
        return 0;
    }

    end = split_fits(*text, limit, bytes);

    if (end < text->len) {
        end = split_place(*text, end);
    }

    part->data = text->data;
    part->len = end;
    text->data += end;
    text->len -= end;

    while (part->len > 0 && split_space(part->data[part->len - 1])) {
        part->len--;
    }

    return 1;
}


/* How many bytes of whole characters are within the limit: one at least. */
static size_t
split_fits(setter_str_t text, size_t limit, int bytes)
{
    size_t  i, next, characters;

    characters = 0;

    for (i = 0; i < text.len; i = next) {

        for (next = i + 1; next < text.len && split_within(text.data[next]);
             next++) { /* void */ }

        characters++;

        if (i > 0 && (bytes ? next : characters) > limit) {
            break;
        }
    }

    return i;
}


static size_t
split_place(setter_str_t text, size_t fits)
{
    size_t   at, places[SPLIT_NOWHERE];
    split_e  kind;

    for (kind = SPLIT_PARAGRAPH; kind < SPLIT_NOWHERE; kind++) {
        places[kind] = 0;
    }

    for (at = fits; at > fits / 3 && at > 0; at--) {
        kind = split_kind(text, at);

        if (kind < SPLIT_NOWHERE && places[kind] == 0) {
            places[kind] = at;
        }
    }

    for (kind = SPLIT_PARAGRAPH; kind < SPLIT_NOWHERE; kind++) {
        if (places[kind] > 0) {
            return places[kind];
        }
    }

    return split_apart(text, fits);
}


/* Of a cut before the byte at that place, which is not the first. */
static split_e
split_kind(setter_str_t text, size_t at)
{
    if (!split_space(text.data[at])) {
        return split_within(text.data[at])
               || !split_ends_sentence(text, at)
               || (unsigned char) text.data[at - 1] < 0x80
               ? SPLIT_NOWHERE : SPLIT_SENTENCE;
    }

    if (text.data[at] == '\n' && at + 1 < text.len
        && text.data[at + 1] == '\n')
    {
        return SPLIT_PARAGRAPH;
    }

    if (split_ends_sentence(text, at)) {
        return SPLIT_SENTENCE;
    }

    return text.data[at] == '\n' ? SPLIT_LINE : SPLIT_WORD;
}


/* Behind . ! ? … and those of Chinese and Japanese, which no space follows. */
static int
split_ends_sentence(setter_str_t text, size_t at)
{
    size_t  i, len;

    static const char *const  ends[] = {
        ".", "!", "?", "\xe2\x80\xa6", "\xe3\x80\x82", "\xef\xbc\x81",
        "\xef\xbc\x9f"
    };

    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        len = strlen(ends[i]);

        if (at >= len && memcmp(text.data + at - len, ends[i], len) == 0) {
            return 1;
        }
    }

    return 0;
}


/* Not within what is seen as one character, where that can be helped. */
static size_t
split_apart(setter_str_t text, size_t at)
{
    int     n;
    size_t  place;

    place = at;

    for (n = 0; n < SPLIT_JOINED; n++) {

        if (!split_joins(text.data + place, text.len - place)
            && !(place >= 3
                 && memcmp(text.data + place - 3, "\xe2\x80\x8d", 3) == 0))
        {
            return place;
        }

        do {
            place--;
        } while (place > 0 && split_within(text.data[place]));

        if (place == 0) {
            break;
        }
    }

    return at;
}


/*
 * Whether the code point there belongs to the one before it: marks that
 * combine (U+0300 to 036F, 20D0 to 20FF), the joiner (200D), variation
 * selectors (FE00 to FE0F) and tones of skin (1F3FB to 1F3FF).
 */
static int
split_joins(const char *p, size_t len)
{
    const unsigned char  *c = (const unsigned char *) p;

    if (len < 2) {
        return 0;
    }

    return c[0] == 0xcc || (c[0] == 0xcd && c[1] <= 0xaf)
           || (len >= 3 && c[0] == 0xe2 && c[1] == 0x80 && c[2] == 0x8d)
           || (len >= 3 && c[0] == 0xe2 && c[1] == 0x83 && c[2] >= 0x90)
           || (len >= 3 && c[0] == 0xef && c[1] == 0xb8 && c[2] <= 0x8f)
           || (len >= 4 && c[0] == 0xf0 && c[1] == 0x9f && c[2] == 0x8f
               && c[3] >= 0xbb);
}


static int
split_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}


/* Behind the first byte of a character. */
static int
split_within(char c)
{
    return ((unsigned char) c & 0xc0) == 0x80;
}


static void
split_trim(setter_str_t *text)
{
    while (text->len > 0 && split_space(*text->data)) {
        text->data++;
        text->len--;
    }
}
