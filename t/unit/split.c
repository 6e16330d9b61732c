/*
 * workers/channel/split.h
 */

#include "channel/split.h"
#include "setter_unit.h"


#define A10   "aaaaaaaaaa"
#define E_ACUTE  "\xc3\xa9"
#define JOINER   "\xe2\x80\x8d"
#define WOMAN    "\xf0\x9f\x91\xa9"

typedef struct {
    const char  *text;
    size_t       limit;
    int          bytes;
    const char  *parts[5];
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
