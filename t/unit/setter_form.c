/*
 * setter_form.h
 */

#include "setter_form.h"
#include "setter_unit.h"


/* Names and values in turns, NULL at the end. */
static const struct {
    const char  *body;
    const char  *fields[9];
    const char  *json;
} forms[] = {
    { "", { NULL }, "{}" },
    { "&&&", { NULL }, "{}" },
    { "a=1&b=2", { "a", "1", "b", "2", NULL }, "{\"a\":\"1\",\"b\":\"2\"}" },
    { "a&b=", { "a", "", "b", "", NULL }, "{\"a\":\"\",\"b\":\"\"}" },
    { "=1", { "", "1", NULL }, "{\"\":\"1\"}" },
    { "a=1=2", { "a", "1=2", NULL }, "{\"a\":\"1=2\"}" },
    { "a+b=c+d%20e%2Bf", { "a b", "c d e+f", NULL },
      "{\"a b\":\"c d e+f\"}" },
    { "a=%e2%9c%93%E2%9C%93", { "a", "\xe2\x9c\x93\xe2\x9c\x93", NULL },
      "{\"a\":\"\xe2\x9c\x93\xe2\x9c\x93\"}" },

    /* what is no escape stands for itself */
    { "a=%&b=%1&c=%zz&d=%%41", { "a", "%", "b", "%1", "c", "%zz", "d", "%A",
      NULL }, "{\"a\":\"%\",\"b\":\"%1\",\"c\":\"%zz\",\"d\":\"%A\"}" },

    /* the first counts */
    { "a=1&a=2&b=3&a=4", { "a", "1", "a", "2", "b", "3", "a", "4", NULL },
      "{\"a\":\"1\",\"b\":\"3\"}" },
    { "a%22=%5C%0A", { "a\"", "\\\n", NULL }, "{\"a\\\"\":\"\\\\\\n\"}" },
};


static void
test_fields(void **state)
{
    size_t                i, j, n;
    setter_buf_t          json;
    unit_memory_t         memory;
    setter_alloc_t       *alloc;
    setter_form_field_t  *fields;

    (void) state;

    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        print_message("# %s\n", forms[i].body);
        alloc = unit_memory_init(&memory, -1);
        assert_int_equal(setter_form_read(unit_str(forms[i].body), &fields,
                                          &n, alloc), SETTER_OK);

        for (j = 0; j < n; j++) {
            assert_non_null(forms[i].fields[2 * j]);
            assert_true(setter_str_is(fields[j].name,
                                      forms[i].fields[2 * j]));
            assert_true(setter_str_is(fields[j].value,
                                      forms[i].fields[2 * j + 1]));
        }

        assert_null(forms[i].fields[2 * j]);

        setter_buf_init(&json, alloc, 0);
        setter_form_json(&json, fields, n);
        assert_int_equal(json.len, strlen(forms[i].json));
        assert_memory_equal(json.data, forms[i].json, json.len);
        unit_memory_free(&memory);
    }
}


static void
test_limits(void **state)
{
    int                   i;
    char                  body[2 * SETTER_FORM_MAX + 3];
    size_t                n;
    setter_str_t          text = { 2 * SETTER_FORM_MAX, body };
    unit_memory_t         memory;
    setter_form_field_t  *fields;

    (void) state;

    for (i = 0; i <= SETTER_FORM_MAX; i++) {
        body[2 * i] = 'a';
        body[2 * i + 1] = '&';
    }

    text.len--;
    assert_int_equal(setter_form_read(text, &fields, &n,
                                      unit_memory_init(&memory, -1)),
                     SETTER_OK);
    assert_int_equal(n, SETTER_FORM_MAX);
    unit_memory_free(&memory);

    text.len += 2;
    assert_int_equal(setter_form_read(text, &fields, &n,
                                      unit_memory_init(&memory, -1)),
                     SETTER_ERROR);
    unit_memory_free(&memory);

    for (i = 0; i < 2; i++) {
        assert_int_equal(setter_form_read(unit_str("a=1"), &fields, &n,
                                          unit_memory_init(&memory, i)),
                         SETTER_NO_MEMORY);
        unit_memory_free(&memory);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_limits)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("setter_form", tests, NULL, NULL);
}
