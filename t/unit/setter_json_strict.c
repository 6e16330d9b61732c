/*
 * setter_json.h: what is refused, what is repaired, and hostile documents.
 */

#include "setter_unit.h"

#include <time.h>

#include "setter_json.h"


#define REPLACEMENT  "\xef\xbf\xbd"


typedef struct {
    const char           *json;
    setter_json_error_e   error;
} refusal_t;


static setter_json_error_e
read_bytes(const char *json, size_t len, unsigned flags)
{
    char                 *copy;
    unit_memory_t         memory;
    setter_buf_t          rest;
    setter_json_path_t    path = { "wanted", SETTER_JSON_TEXT };
    setter_json_value_t   value;
    setter_json_error_e   error;

    /* exactly as long as the text, for the sanitizer to guard its end */
    copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, json, len);

    setter_buf_init(&rest, unit_memory_init(&memory, -1), 0);
    error = setter_json_read(copy, len, flags, &path, 1, &value, &rest,
                             &memory.alloc);

    unit_memory_free(&memory);
    free(copy);

    return error;
}


static void
refuse(const refusal_t *cases, size_t n)
{
    size_t               i;
    setter_json_error_e  error;

    for (i = 0; i < n; i++) {
        error = read_bytes(cases[i].json, strlen(cases[i].json), 0);

        if (error != cases[i].error) {
            fail_msg("%s: %s, not %s", cases[i].json,
                     setter_json_strerror(error),
                     setter_json_strerror(cases[i].error));
        }
    }
}


static void
test_syntax(void **state)
{
    size_t                  i;
    char                    json[64];

    static const refusal_t  cases[] = {
        { "", SETTER_JSON_SYNTAX },
        { " ", SETTER_JSON_SYNTAX },
        { "{", SETTER_JSON_SYNTAX },
        { "}", SETTER_JSON_SYNTAX },
        { "{}}", SETTER_JSON_SYNTAX },
        { "{} {}", SETTER_JSON_SYNTAX },
        { "{}x", SETTER_JSON_SYNTAX },
        { "{},", SETTER_JSON_SYNTAX },
        { "{}\"", SETTER_JSON_SYNTAX },
        { "{} \"unended", SETTER_JSON_SYNTAX },
        { "{}\"\\", SETTER_JSON_SYNTAX },
        { "{}1", SETTER_JSON_SYNTAX },
        { "{}t", SETTER_JSON_SYNTAX },
        { "{}/", SETTER_JSON_SYNTAX },
        { "{}\v", SETTER_JSON_SYNTAX },
        { "\f{}", SETTER_JSON_SYNTAX },
        { "\xef\xbb\xbf{}", SETTER_JSON_SYNTAX },
        { "\xc2\xa0{}", SETTER_JSON_SYNTAX },
        { "{\"a\":1", SETTER_JSON_SYNTAX },
        { "{\"a\":1,}", SETTER_JSON_SYNTAX },
        { "{,\"a\":1}", SETTER_JSON_SYNTAX },
        { "{\"a\" 1}", SETTER_JSON_SYNTAX },
        { "{\"a\":1 \"b\":2}", SETTER_JSON_SYNTAX },
        { "{a:1}", SETTER_JSON_SYNTAX },
        { "{'a':1}", SETTER_JSON_SYNTAX },
        { "{1:1}", SETTER_JSON_SYNTAX },
        { "{\"a\":}", SETTER_JSON_SYNTAX },
        { "{\"a\":[1,]}", SETTER_JSON_SYNTAX },
        { "{\"a\":[1 2]}", SETTER_JSON_SYNTAX },
        { "{\"a\":[}", SETTER_JSON_SYNTAX },
        { "{\"a\":[1}]", SETTER_JSON_SYNTAX },
        { "{\"a\":True}", SETTER_JSON_SYNTAX },
        { "{\"a\":nul}", SETTER_JSON_SYNTAX },
        { "{\"a\":nulll}", SETTER_JSON_SYNTAX },
        { "{\"a\":NaN}", SETTER_JSON_SYNTAX },
        { "{\"a\":Infinity}", SETTER_JSON_SYNTAX },
        { "{\"a\":-Infinity}", SETTER_JSON_SYNTAX },
        { "{\"a\":1}/* no */", SETTER_JSON_SYNTAX },
        { "{\"a\":1}// no", SETTER_JSON_SYNTAX },
        { "{/**/\"a\":1}", SETTER_JSON_SYNTAX },
        { "{\"a\":\"\t\"}", SETTER_JSON_SYNTAX },
        { "{\"a\":\"\n\"}", SETTER_JSON_SYNTAX },
        { "{\"a\":\"\x1f\"}", SETTER_JSON_SYNTAX },
        { "{\"a\":\"\\x\"}", SETTER_JSON_SYNTAX },
        { "{\"a\":\"\\'\"}", SETTER_JSON_SYNTAX },
        { "{\"a\":\"\\u12\"}", SETTER_JSON_SYNTAX },
        { "{\"a\":\"\\u123g\"}", SETTER_JSON_SYNTAX },
        { "{\"a\":\"\\U0041\"}", SETTER_JSON_SYNTAX },
        { "{\"a\":\"\\\"}", SETTER_JSON_SYNTAX },
        { "{\"a\":\"\\", SETTER_JSON_SYNTAX },
        { "{\"a\":\"unended}", SETTER_JSON_SYNTAX },
        { "{\\u0041:1}", SETTER_JSON_SYNTAX }
    };

    static const char *const  numbers[] = {
        "01", "-01", "00", "1.", ".5", "-", "+1", "-.5", "1e", "1e+", "1.e1",
        "0x10", "1_0", "1.2.3", "1e1.5", "--1", "0e", "1a", "0b1"
    };

    (void) state;

    refuse(cases, sizeof(cases) / sizeof(cases[0]));

    assert_int_equal(setter_json_read(NULL, 0, 0, NULL, 0, NULL, NULL, NULL),
                     SETTER_JSON_SYNTAX);

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        snprintf(json, sizeof(json), "{\"a\":%s}", numbers[i]);
        assert_int_equal(read_bytes(json, strlen(json), 0),
                         SETTER_JSON_SYNTAX);

        snprintf(json, sizeof(json), "{\"a\":[%s,1]}", numbers[i]);
        assert_int_equal(read_bytes(json, strlen(json), 0),
                         SETTER_JSON_SYNTAX);
    }
}


static void
test_not_object(void **state)
{
    static const refusal_t  cases[] = {
        { "[]", SETTER_JSON_NOT_OBJECT },
        { "[{\"a\":1}]", SETTER_JSON_NOT_OBJECT },
        { "\"text\"", SETTER_JSON_NOT_OBJECT },
        { "\"\\n\"", SETTER_JSON_NOT_OBJECT },
        { "5", SETTER_JSON_NOT_OBJECT },
        { " 5 ", SETTER_JSON_NOT_OBJECT },
        { "null", SETTER_JSON_NOT_OBJECT },
        { "true", SETTER_JSON_NOT_OBJECT }
    };

    (void) state;

    refuse(cases, sizeof(cases) / sizeof(cases[0]));
}


static void
test_encoding(void **state)
{
    size_t                    i;
    char                      json[64];

    static const char *const  bad[] = {
        "\\u0000", "x\\u0000y", "\\ud800", "\\uDBFF", "\\udc00", "\\udfff",
        "\\ud800\\ud800", "\\ud800\\u0041", "\\ud800x", "\\ud800\\n",
        "\\udc00\\ud800", "\\ud83d\\ude0", "\\n\\u0000",
        "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2\x41",
        "\xe0\x80\x80", "\xe0\x9f\xbf", "\xe2\x82", "\xe2\x82\x41",
        "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf",
        "\xf0\x9f\x98", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xf8\x88\x80\x80\x80", "\xfe", "\xff", "abcdefghijkl\xff",
        "\xc3\xa9\xc3"
    };

    static const char *const  good[] = {
        "\\u0001", "\\ud800\\udc00", "\\uDBFF\\uDFFF", "\\\\u0000",
        "\\\\\\\\ud800", "\\ue000", "\\ud7ff", "\x7f", "\xc2\x80", "\xdf\xbf",
        "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf",
        "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"
    };

    (void) state;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(json, sizeof(json), "{\"a\":\"%s\"}", bad[i]);
        assert_int_equal(read_bytes(json, strlen(json), 0),
                         SETTER_JSON_ENCODING);

        /* in a name too */
        snprintf(json, sizeof(json), "{\"%s\":1}", bad[i]);
        assert_int_equal(read_bytes(json, strlen(json), 0),
                         SETTER_JSON_ENCODING);
    }

    assert_int_equal(read_bytes("{\"a\":\"\0\"}", 9, 0),
                     SETTER_JSON_ENCODING);

    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        snprintf(json, sizeof(json), "{\"a\":\"%s\"}", good[i]);
        assert_int_equal(read_bytes(json, strlen(json), 0), SETTER_JSON_OK);
    }
}


static void
test_repair(void **state)
{
    size_t               i, len;
    char                 json[64];
    unit_memory_t        memory;
    setter_buf_t         rest;
    setter_json_path_t   path = { "a", 0 };
    setter_json_value_t  value;

    static const struct {
        const char  *bad;
        const char  *repaired;
    } cases[] = {
        { "a\\u0000b", "a" REPLACEMENT "b" },
        { "\\ud800", REPLACEMENT },
        { "\\ud800\\u0041", REPLACEMENT "A" },
        { "\\ud800\\ud83d\\ude00", REPLACEMENT "\xf0\x9f\x98\x80" },
        { "\\udc00\\ud800", REPLACEMENT REPLACEMENT },
        { "\xff", REPLACEMENT },
        { "\xed\xa0\x80", REPLACEMENT REPLACEMENT REPLACEMENT },
        { "\xe2\x82xyz", REPLACEMENT REPLACEMENT "xyz" },
        { "\xc3\xa9\xc3", "\xc3\xa9" REPLACEMENT },
        { "nothing", "nothing" }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        len = snprintf(json, sizeof(json), "{\"a\":\"%s\",\"b\":\"%s\"}",
                       cases[i].bad, cases[i].bad);

        setter_buf_init(&rest, unit_memory_init(&memory, -1), 0);
        assert_int_equal(setter_json_read(json, len, SETTER_JSON_REPAIR,
                                          &path, 1, &value, &rest,
                                          &memory.alloc),
                         SETTER_JSON_OK);
        assert_text(value.text, cases[i].repaired);

        snprintf(json, sizeof(json), "\"b\":\"%s\"", cases[i].repaired);
        assert_text(rest, json);

        unit_memory_free(&memory);
    }

    assert_int_equal(read_bytes("{\"a\":\"\0\"}", 9, SETTER_JSON_REPAIR),
                     SETTER_JSON_OK);

    /* only strings are repaired, and only what they say */
    assert_int_equal(read_bytes("{\xff}", 3, SETTER_JSON_REPAIR),
                     SETTER_JSON_SYNTAX);
    assert_int_equal(read_bytes("{}\0", 3, SETTER_JSON_REPAIR),
                     SETTER_JSON_SYNTAX);
    assert_int_equal(read_bytes("{\"\xff\":1,\"\xfe\":2}", 13,
                                SETTER_JSON_REPAIR),
                     SETTER_JSON_DUPLICATE_KEY);
    assert_int_equal(read_bytes("{\"a\":\"\xff\n\"}", 10, SETTER_JSON_REPAIR),
                     SETTER_JSON_SYNTAX);
}


static void
test_duplicate_keys(void **state)
{
    static const refusal_t  cases[] = {
        { "{\"a\":1,\"a\":1}", SETTER_JSON_DUPLICATE_KEY },
        { "{\"a\":1,\"\\u0061\":2}", SETTER_JSON_DUPLICATE_KEY },
        { "{\"\":1,\"\":2}", SETTER_JSON_DUPLICATE_KEY },
        { "{\"x\":{\"y\":[0,{\"a\":1,\"b\":2,\"a\":3}]}}",
          SETTER_JSON_DUPLICATE_KEY },
        { "{\"a\":{\"b\":{}},\"a\":1}", SETTER_JSON_DUPLICATE_KEY },
        { "{\"a\":{\"a\":{\"a\":1}},\"A\":[{\"a\":1},{\"a\":1}],\"\":0}",
          SETTER_JSON_OK },
        { "{\"ab\":1,\"a\":2,\"b\":3,\"ba\":4,\"a \":5}", SETTER_JSON_OK },
        { "{\"longer than a word\":1,\"longer than a worD\":2}",
          SETTER_JSON_OK }
    };

    (void) state;

    refuse(cases, sizeof(cases) / sizeof(cases[0]));
}


/* {"a":{"a":…1…}}, n levels in all */
static size_t
nested(char *json, int n, const char *open, const char *shut)
{
    int     i;
    size_t  len;

    len = sprintf(json, "{\"a\":");

    for (i = 1; i < n; i++) {
        len += sprintf(json + len, "%s", open);
    }

    len += sprintf(json + len, "1");

    for (i = 1; i < n; i++) {
        len += sprintf(json + len, "%s", shut);
    }

    return len + sprintf(json + len, "}");
}


static void
test_depth(void **state)
{
    size_t       i, len;
    static char  json[1000000];

    (void) state;

    len = nested(json, SETTER_JSON_MAX_DEPTH, "[", "]");
    assert_int_equal(read_bytes(json, len, 0), SETTER_JSON_OK);

    len = nested(json, SETTER_JSON_MAX_DEPTH + 1, "[", "]");
    assert_int_equal(read_bytes(json, len, 0), SETTER_JSON_TOO_DEEP);

    len = nested(json, SETTER_JSON_MAX_DEPTH, "{\"a\":", "}");
    assert_int_equal(read_bytes(json, len, 0), SETTER_JSON_OK);

    len = nested(json, SETTER_JSON_MAX_DEPTH + 1, "{\"a\":", "}");
    assert_int_equal(read_bytes(json, len, 0), SETTER_JSON_TOO_DEEP);

    /* wide is not deep */
    len = sprintf(json, "{\"a\":[");

    for (i = 0; i < 1000; i++) {
        len += sprintf(json + len, "[{}],");
    }

    len += sprintf(json + len, "{}]}");
    assert_int_equal(read_bytes(json, len, 0), SETTER_JSON_OK);

    memset(json, '[', sizeof(json));
    memcpy(json, "{\"a\":", 5);
    assert_int_equal(read_bytes(json, sizeof(json), 0), SETTER_JSON_TOO_DEEP);
}


/* yajl's memory is counted beforehand: strings of every kind and length. */
static void
test_long_strings(void **state)
{
    int                       kind;
    size_t                    i, len;
    static char               json[300000];

    static const char *const  kinds[] = {
        "x", "\\n", "\\u0041", "x\\ud83d\\ude00", "\xc3\xa9"
    };

    (void) state;

    for (i = 1; i < 250000; i = i < 700 ? i + 7 : i * 21 / 20) {

        for (kind = 0; kind < 5; kind++) {
            len = sprintf(json, "{\"a\":\"");

            while (len < i) {
                len += sprintf(json + len, "%s", kinds[kind]);
            }

            /* cut off in the middle of the string, then whole */

            assert_int_equal(read_bytes(json, len, 0), SETTER_JSON_SYNTAX);

            len += sprintf(json + len, "\",\"\\n\":[1,\"\\n\"]}");

            assert_int_equal(read_bytes(json, len, 0), SETTER_JSON_OK);
            assert_int_equal(read_bytes(json, len - 1, 0),
                             SETTER_JSON_SYNTAX);
        }
    }

    for (i = 1; i < 250000; i = i * 3 / 2 + 1) {
        memset(json, '1', i);
        assert_int_equal(read_bytes(json, i, 0), SETTER_JSON_NOT_OBJECT);
    }
}


/* A hostile document costs time in proportion to its length. */
static void
test_many_keys(void **state)
{
    int          i;
    size_t       len;
    clock_t      start;
    static char  json[2000000];

    (void) state;

    len = sprintf(json, "{\"k\":0");

    for (i = 0; i < 100000; i++) {
        len += sprintf(json + len, ",\"%d\":{\"a\":1}", i);
    }

    start = clock();
    assert_int_equal(read_bytes(json, len + sprintf(json + len, "}"), 0),
                     SETTER_JSON_OK);
    assert_true(clock() - start < 2 * CLOCKS_PER_SEC);

    len += sprintf(json + len, ",\"4711\":1}");
    assert_int_equal(read_bytes(json, len, 0), SETTER_JSON_DUPLICATE_KEY);
}


/* Every place where the text may end. */
static void
test_cut_short(void **state)
{
    size_t             len;

    static const char  json[] =
        "{\"a\":\"\\u00e9\\ud83d\\ude00\xf0\x9f\x98\x80\",\"b\":[1.5e3,null,"
        "{\"wanted\":true}],\"wanted\":{\"c\":[{\"d\":\"\\n\"}]}}";

    (void) state;

    assert_int_equal(read_bytes(json, sizeof(json) - 1, 0), SETTER_JSON_OK);

    for (len = 0; len < sizeof(json) - 1; len++) {
        assert_int_not_equal(read_bytes(json, len, 0), SETTER_JSON_OK);
        assert_int_not_equal(read_bytes(json, len, SETTER_JSON_REPAIR),
                             SETTER_JSON_OK);
    }
}


/* Memory that fails at each place where it is asked for. */
static void
test_no_memory(void **state)
{
    int                  left;
    unit_memory_t        memory;
    setter_buf_t         rest;
    setter_json_path_t   paths[] = { { "a", 0 }, { "b", SETTER_JSON_TEXT },
                                     { "c.d", SETTER_JSON_TEXT } };
    setter_json_value_t  values[3];
    setter_json_error_e  error;

    static const char    json[] = "{\"a\":\"\\n\xff\",\"b\":[1],"
                                  "\"c\":{\"d\":{}},\"e\":\"\\t\"}";

    (void) state;

    left = 0;

    do {
        setter_buf_init(&rest, unit_memory_init(&memory, left), 0);
        error = setter_json_read(json, sizeof(json) - 1, SETTER_JSON_REPAIR,
                                 paths, 3, values, &rest, &memory.alloc);
        unit_memory_free(&memory);
        assert_true(error == SETTER_JSON_OK
                    || error == SETTER_JSON_NO_MEMORY);

    } while (error == SETTER_JSON_NO_MEMORY && ++left < 20);

    /* the copy, the string, the text, rest and what was kept of it */
    assert_int_equal(error, SETTER_JSON_OK);
    assert_int_equal(left, 5);
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_syntax),
    cmocka_unit_test(test_not_object),
    cmocka_unit_test(test_encoding),
    cmocka_unit_test(test_repair),
    cmocka_unit_test(test_duplicate_keys),
    cmocka_unit_test(test_depth),
    cmocka_unit_test(test_long_strings),
    cmocka_unit_test(test_many_keys),
    cmocka_unit_test(test_cut_short),
    cmocka_unit_test(test_no_memory)
};

unit_main(tests)
