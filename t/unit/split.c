/*
 * workers/channel/split.h
 */

#include "channel/split.h"
#include "setter_unit.h"


#define A10   "aaaaaaaaaa"
#define E_ACUTE  "\xc3\xa9"
#define JOINER   "\xe2\x80\x8d"
#define WOMAN    "\xf0\x9f\x91\xa9"
#define FLAG_A   "\xf0\x9f\x87\xa6"
#define FLAG_T   "\xf0\x9f\x87\xb9"

typedef struct {
    const char  *text;
    size_t       limit;
    int          bytes;
    const char  *parts[7];
} split_t;


static const split_t  splits[] = {
    { "", 10, 0, { NULL } },
    { " \n\t ", 10, 0, { NULL } },
    { "short", 10, 0, { "short" } },
    { "  short \n", 10, 0, { "short" } },
    { "exactly 10", 10, 0, { "exactly 10" } },

    /* words, sentences, lines, paragraphs: the last that is far enough */
    { "one two three", 10, 0, { "one two", "three" } },
    { "One. Two three four", 12, 0, { "One. Two", "three four" } },
    { "One two. Three four", 15, 0, { "One two.", "Three four" } },
    { "What? Yes! No", 11, 0, { "What? Yes!", "No" } },
    { "one two\nthree four", 14, 0, { "one two", "three four" } },
    { "A bcd.\n\nC d. E f g", 15, 0, { "A bcd.", "C d. E f g" } },
    { "A.\n\nC d. E f g h", 15, 0, { "A.\n\nC d.", "E f g h" } },
    { "v1.5 and so on", 8, 0, { "v1.5 and", "so on" } },
    { "a bcdef\r\n\r\nc d. e f", 17, 0, { "a bcdef", "c d. e f" } },
    { "aa b. c\r\nd e f g", 12, 0, { "aa b.", "c\r\nd e f g" } },
    { "one  \n  two three", 10, 0, { "one", "two three" } },

    /* what closes behind a sentence belongs to it; an item's number is none */
    { "\"One two.\" Three four", 16, 0, { "\"One two.\"", "Three four" } },
    { "One (two!) three four", 16, 0, { "One (two!)", "three four" } },
    { "**One two.** Three four", 18, 0, { "**One two.**", "Three four" } },
    { "It is 24. 25 is more", 13, 0, { "It is 24.", "25 is more" } },
    { "One two three\n  12. Four", 20, 0,
      { "One two three", "12. Four" } },
    { "9. " A10 A10, 4, 0,
      { "9.", "aaaa", "aaaa", "aaaa", "aaaa", "aaaa" } },
    { "\xd9\x85\xd9\x86\xd8\x9f \xd9\x86\xd8\xb9\xd9\x85 \xd9\x84\xd8\xa7",
      9, 0, { "\xd9\x85\xd9\x86\xd8\x9f",
              "\xd9\x86\xd8\xb9\xd9\x85 \xd9\x84\xd8\xa7" } },

    /* no good place: anywhere between characters */
    { A10 A10 "aaaaa", 10, 0, { A10, A10, "aaaaa" } },
    { "a. " A10, 10, 0, { "a. aaaaaaa", "aaa" } },

    /* characters are not bytes */
    { E_ACUTE E_ACUTE E_ACUTE, 2, 0, { E_ACUTE E_ACUTE, E_ACUTE } },
    { E_ACUTE E_ACUTE E_ACUTE, 5, 1, { E_ACUTE E_ACUTE, E_ACUTE } },
    { E_ACUTE, 1, 1, { E_ACUTE } },

    /* nor are they always what one sees */
    { "aaae\xcc\x81", 4, 0, { "aaa", "e\xcc\x81" } },
    { "a" WOMAN JOINER WOMAN, 2, 0, { "a", WOMAN JOINER, WOMAN } },
    { "a" FLAG_A FLAG_T FLAG_A FLAG_T, 4, 0,
      { "a" FLAG_A FLAG_T, FLAG_A FLAG_T } },
    { FLAG_A FLAG_T FLAG_A FLAG_T FLAG_A FLAG_T, 3, 0,
      { FLAG_A FLAG_T, FLAG_A FLAG_T, FLAG_A FLAG_T } },
    { FLAG_A FLAG_T, 1, 0, { FLAG_A, FLAG_T } },
    { "\xe0\xb8\x81\xe0\xb8\xb5\xe0\xb9\x88\xe0\xb8\x81", 2, 0,
      { "\xe0\xb8\x81\xe0\xb8\xb5", "\xe0\xb9\x88\xe0\xb8\x81" } },
    { "\xe0\xb8\x81\xe0\xb8\x81\xe0\xb8\xb5\xe0\xb9\x88\xe0\xb8\x81",
      3, 0, { "\xe0\xb8\x81",
              "\xe0\xb8\x81\xe0\xb8\xb5\xe0\xb9\x88",
              "\xe0\xb8\x81" } },
    { "aa\xf0\x9f\x91\x8d\xf0\x9f\x8f\xbd", 3, 0,
      { "aa", "\xf0\x9f\x91\x8d\xf0\x9f\x8f\xbd" } },
    { "aa" WOMAN JOINER WOMAN, 4, 0, { "aa", WOMAN JOINER WOMAN } },
    { "\xe3\x81\x82\xe3\x81\x84\xe3\x80\x82\xe3\x81\x86\xe3\x81\x88", 4, 0,
      { "\xe3\x81\x82\xe3\x81\x84\xe3\x80\x82",
        "\xe3\x81\x86\xe3\x81\x88" } },
};


static void
test_parts(void **state)
{
    size_t        i, n;
    setter_str_t  text, part;

    (void) state;

    for (i = 0; i < sizeof(splits) / sizeof(splits[0]); i++) {
        print_message("# %zu\n", i);
        text = unit_str(splits[i].text);

        for (n = 0; split_next(&text, splits[i].limit, splits[i].bytes,
                               &part); n++)
        {
            assert_non_null(splits[i].parts[n]);
            assert_int_equal(part.len, strlen(splits[i].parts[n]));
            assert_memory_equal(part.data, splits[i].parts[n], part.len);
        }

        assert_null(splits[i].parts[n]);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_parts)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("split", tests, NULL, NULL);
}
