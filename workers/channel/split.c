#include "channel/split.h"


#define SPLIT_JOINED  64            /* code points that may belong together */
#define SPLIT_JOINER  0x200d
#define SPLIT_BLANKS  16            /* bytes of white space to look for lines */


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
static int split_lines(setter_str_t text, size_t at);
static int split_ends_sentence(setter_str_t text, size_t at);
static size_t split_behind(setter_str_t text, size_t at,
    const char *const *list);
static int split_numbers(setter_str_t text, size_t at);
static size_t split_apart(setter_str_t text, size_t at);
static int split_joined(setter_str_t text, size_t at);
static int split_flag(uint32_t c);
static uint32_t split_code(setter_str_t text, size_t at);
static size_t split_back(setter_str_t text, size_t at);
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
               || split_joined(text, at)
               ? SPLIT_NOWHERE : SPLIT_SENTENCE;
    }

    if (split_lines(text, at) > 1) {
        return SPLIT_PARAGRAPH;
    }

    if (split_ends_sentence(text, at)) {
        return SPLIT_SENTENCE;
    }

    return split_lines(text, at) > 0 ? SPLIT_LINE : SPLIT_WORD;
}


/* How many lines end in the white space there, as far as that matters. */
static int
split_lines(setter_str_t text, size_t at)
{
    int     lines;
    size_t  i;

    lines = 0;

    for (i = at; i < text.len && i < at + SPLIT_BLANKS
                 && split_space(text.data[i]); i++)
    {
        lines += text.data[i] == '\n';
    }

    return lines;
}


/*
 * Behind . ! ? … and their like of other scripts, and what closes a quotation
 * or bracket behind them; but not behind the number of a list's item.
 */
static int
split_ends_sentence(setter_str_t text, size_t at)
{
    size_t  len;

    static const char *const  closers[] = {
        "\"", "'", ")", "]", "*", "_", "\xc2\xbb", "\xe2\x80\x99",
        "\xe2\x80\x9d", "\xe3\x80\x8d", "\xe3\x80\x8f", "\xef\xbc\x89",
        NULL
    };

    static const char *const  ends[] = {
        ".", "!", "?", "\xd8\x9f", "\xdb\x94", "\xe0\xa5\xa4",
        "\xe2\x80\xa6", "\xe3\x80\x82", "\xef\xbc\x81", "\xef\xbc\x9f",
        NULL
    };

    do {
        len = split_behind(text, at, closers);
        at -= len;
    } while (len > 0);

    return split_behind(text, at, ends) > 0
           && !(text.data[at - 1] == '.' && split_numbers(text, at - 1));
}


/* The length of the one that stands before that place; 0: none does. */
static size_t
split_behind(setter_str_t text, size_t at, const char *const *list)
{
    size_t  len;

    for ( /* void */ ; *list != NULL; list++) {
        len = strlen(*list);

        if (at >= len && memcmp(text.data + at - len, *list, len) == 0) {
            return len;
        }
    }

    return 0;
}


/* Whether what stands before that place is a number that begins a line. */
static int
split_numbers(setter_str_t text, size_t at)
{
    size_t  i;

    for (i = at; i > 0 && text.data[i - 1] >= '0' && text.data[i - 1] <= '9';
         i--) { /* void */ }

    if (i == at) {
        return 0;
    }

    while (i > 0 && (text.data[i - 1] == ' ' || text.data[i - 1] == '\t')) {
        i--;
    }

    return i == 0 || text.data[i - 1] == '\n';
}


/* Not within what is seen as one character, where that can be helped. */
static size_t
split_apart(setter_str_t text, size_t at)
{
    int     n;
    size_t  place;

    place = at;

    for (n = 0; n < SPLIT_JOINED && place > 0; n++) {
        if (!split_joined(text, place)) {
            return place;
        }

        place = split_back(text, place);
    }

    return at;
}


/*
 * Whether the code point there belongs to the one before it: it extends that
 * (UAX #29, the ranges that chats have), follows a joiner, or is the second
 * half of a flag.
 */
static int
split_joined(setter_str_t text, size_t at)
{
    int       odd;
    size_t    i;
    uint32_t  c;

    static const uint32_t  extends[][2] = {
        { 0x300, 0x36f }, { 0x591, 0x5bd }, { 0x610, 0x61a },
        { 0x64b, 0x65f }, { 0x670, 0x670 }, { 0x900, 0x903 },
        { 0x93a, 0x93c }, { 0x93e, 0x94f }, { 0x981, 0x983 },
        { 0x9bc, 0x9bc }, { 0x9be, 0x9cd }, { 0xbbe, 0xbcd },
        { 0xe31, 0xe31 }, { 0xe33, 0xe3a }, { 0xe47, 0xe4e },
        { 0xeb1, 0xeb1 }, { 0xeb3, 0xebc }, { 0xec8, 0xece },
        { 0x102b, 0x103e }, { 0x1160, 0x11ff }, { 0x17b4, 0x17d3 },
        { 0x200c, 0x200d }, { 0x20d0, 0x20ff }, { 0x3099, 0x309a },
        { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f }, { 0x1f3fb, 0x1f3ff },
        { 0xe0020, 0xe007f }, { 0xe0100, 0xe01ef }
    };

    c = split_code(text, at);

    for (i = 0; i < sizeof(extends) / sizeof(extends[0]); i++) {
        if (c >= extends[i][0] && c <= extends[i][1]) {
            return 1;
        }
    }

    if (split_code(text, split_back(text, at)) == SPLIT_JOINER) {
        return 1;
    }

    if (!split_flag(c)) {
        return 0;
    }

    /* two a flag, from where they begin */
    for (odd = 0; at > 0; odd = !odd) {
        at = split_back(text, at);

        if (!split_flag(split_code(text, at))) {
            break;
        }
    }

    return odd;
}


static int
split_flag(uint32_t c)
{
    return c >= 0x1f1e6 && c <= 0x1f1ff;
}


/* The code point that begins there; of what is none, the first byte. */
static uint32_t
split_code(setter_str_t text, size_t at)
{
    size_t                i, more;
    uint32_t              code;
    const unsigned char  *c = (const unsigned char *) text.data + at;

    if (at >= text.len || c[0] < 0xc0) {
        return at < text.len ? c[0] : 0;
    }

    more = c[0] < 0xe0 ? 1 : c[0] < 0xf0 ? 2 : 3;
    code = c[0] & (0x3f >> more);

    for (i = 1; i <= more && at + i < text.len && split_within(c[i]); i++) {
        code = code << 6 | (c[i] & 0x3f);
    }

    return code;
}


/* Where the code point before that place, which is not the first, begins. */
static size_t
split_back(setter_str_t text, size_t at)
{
    do {
        at--;
    } while (at > 0 && split_within(text.data[at]));

    return at;
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


size_t
split_size(setter_str_t text, int bytes)
{
    size_t  i, n;

    if (bytes) {
        return text.len;
    }

    for (i = 0, n = 0; i < text.len; i++) {
        n += ((unsigned char) text.data[i] & 0xc0) != 0x80;
    }

    return n;
}
