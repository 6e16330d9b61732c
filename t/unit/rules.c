/*
 * rules_word() of workers/reply/rules.h
 */

#include "unit.h"

#include "reply/rules.h"


static void
test_words(void **state)
{
    size_t        i;
    setter_str_t  text;

    static const struct {
        const char    *text, *own;
        rules_word_e   word;
    } cases[] = {
        { "stop", NULL, RULES_STOP },
        { "STOP", NULL, RULES_STOP },
        { " Stop!\n", NULL, RULES_STOP },
        { "\"stop\"", NULL, RULES_STOP },
        { "opt out", NULL, RULES_STOP },
        { "d\xc3\xa9sabonner", NULL, RULES_STOP },
        { "Start.", NULL, RULES_START },
        { "stop it", NULL, RULES_NOTHING },
        { "please stop", NULL, RULES_NOTHING },
        { "stops", NULL, RULES_NOTHING },
        { "cancel", NULL, RULES_NOTHING },
        { "", NULL, RULES_NOTHING },
        { "...", NULL, RULES_NOTHING },
        { "stop stop stop stop stop stop stop stop stop", NULL,
          RULES_NOTHING },

        { "cancel", "cancel", RULES_STOP },
        { "Cancel!", "no more , cancel", RULES_STOP },
        { "no more", "no more , cancel", RULES_STOP },
        { "more", "no more , cancel", RULES_NOTHING },
        { "cancel", "", RULES_NOTHING },
        { "", ",,", RULES_NOTHING },
        { "stop", ",,", RULES_STOP },
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("# %s\n", cases[i].text);
        text.data = cases[i].text;
        text.len = strlen(cases[i].text);
        assert_int_equal(rules_word(text, cases[i].own), cases[i].word);
    }

    /* neither a NUL nor nothing is a word */
    assert_int_equal(rules_word((setter_str_t) { 5, "stop" }, NULL),
                     RULES_NOTHING);
    assert_int_equal(rules_word((setter_str_t) { 0, NULL }, NULL),
                     RULES_NOTHING);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_words)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
