/*
 * setter_json.h: what is read. What is refused stands in setter_json_strict.
 */

#include "setter_unit.h"

#include "setter_json.h"


#define MAX  SETTER_JSON_MAX_PATHS

/* One document, read by the paths a test names. */
typedef struct {
    unit_memory_t         memory;
    setter_json_path_t    paths[MAX];
    setter_json_value_t   values[MAX];
    size_t                npaths;
    setter_buf_t          rest;
} document_t;


static void
add(document_t *doc, const char *path, unsigned flags)
{
    assert_true(doc->npaths < MAX);
    doc->paths[doc->npaths].path = path;
    doc->paths[doc->npaths].flags = flags;
    doc->npaths++;
}


static setter_json_error_e
read_flags(document_t *doc, const char *json, unsigned flags)
{
    unit_memory_init(&doc->memory, -1);
    setter_buf_init(&doc->rest, &doc->memory.alloc, 0);

    return setter_json_read(json, strlen(json), flags, doc->paths,
                            doc->npaths, doc->values, &doc->rest,
                            &doc->memory.alloc);
}


static void
read_ok(document_t *doc, const char *json)
{
    assert_int_equal(read_flags(doc, json, 0), SETTER_JSON_OK);
}


#define assert_value(doc, i, t, expected)                                     \
    do {                                                                      \
        assert_int_equal((doc)->values[i].type, SETTER_JSON_ ## t);           \
        assert_text((doc)->values[i].text, expected);                         \
    } while (0)


static void
test_types(void **state)
{
    document_t  doc = { .npaths = 0 };

    (void) state;

    add(&doc, "s", 0);
    add(&doc, "n", 0);
    add(&doc, "t", 0);
    add(&doc, "f", 0);
    add(&doc, "z", 0);
    add(&doc, "o", 0);
    add(&doc, "a", 0);
    add(&doc, "none", 0);
    add(&doc, "e", 0);

    read_ok(&doc, " { \"s\" : \"text\", \"n\":-1.50e+10,\"t\":true,\n"
                  "\t\"f\":false,\r\"z\":null,\"o\":{\"s\":1},\"a\":[1],"
                  "\"e\":\"\"} ");

    assert_value(&doc, 0, STRING, "text");
    assert_value(&doc, 1, NUMBER, "-1.50e+10");
    assert_value(&doc, 2, TRUE, "");
    assert_value(&doc, 3, FALSE, "");
    assert_value(&doc, 4, NULL, "");
    assert_value(&doc, 5, OBJECT, "");
    assert_value(&doc, 6, ARRAY, "");
    assert_value(&doc, 7, ABSENT, "");
    assert_value(&doc, 8, STRING, "");
    assert_text(doc.rest, "");

    unit_memory_free(&doc.memory);
}


/* Ids past 2^53 keep their digits. */
static void
test_numbers_keep_their_text(void **state)
{
    document_t  doc = { .npaths = 0 };

    (void) state;

    add(&doc, "a", 0);
    add(&doc, "b", 0);
    add(&doc, "c", 0);

    read_ok(&doc, "{\"a\":123456789012345678901234567890,\"b\":-0,"
                  "\"c\":1E400,\"d\":0.10}");

    assert_value(&doc, 0, NUMBER, "123456789012345678901234567890");
    assert_value(&doc, 1, NUMBER, "-0");
    assert_value(&doc, 2, NUMBER, "1E400");
    assert_text(doc.rest, "\"d\":0.10");

    unit_memory_free(&doc.memory);
}


static void
test_escapes(void **state)
{
    document_t  doc = { .npaths = 0 };

    (void) state;

    add(&doc, "s", 0);
    add(&doc, "Ake", 0);

    read_ok(&doc, "{\"s\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u20AC"
                  "\\ud83d\\ude00\\u0001\\u007f\\uffff\","
                  "\"\\u0041ke\":1,\"x\\u0022\":\"\\u005c\"}");

    assert_value(&doc, 0, STRING, "\"\\/\b\f\n\r\t\xc3\xa9\xe2\x82\xac"
                                  "\xf0\x9f\x98\x80\x01\x7f\xef\xbf\xbf");
    assert_value(&doc, 1, NUMBER, "1");
    assert_text(doc.rest, "\"x\\\"\":\"\\\\\"");

    unit_memory_free(&doc.memory);
}


static void
test_deep_paths(void **state)
{
    document_t  doc = { .npaths = 0 };

    (void) state;

    add(&doc, "choices.0.message.content", 0);
    add(&doc, "choices.1.message.content", 0);
    add(&doc, "choices.1", 0);
    add(&doc, "choices.01.message.content", 0);
    add(&doc, "choices.2", 0);
    add(&doc, "usage.total", 0);
    add(&doc, "usage.total.0", 0);
    add(&doc, "usage", 0);
    add(&doc, "map.0", 0);
    add(&doc, "choices.0.message.content", 0);
    add(&doc, "choices.0.list.10", 0);

    read_ok(&doc,
            "{\"choices\":[{\"message\":{\"role\":\"x\",\"content\":\"A\"},"
            "\"content\":\"no\",\"list\":[0,1,2,3,4,5,6,7,8,9,\"ten\"]},"
            "{\"message\":{\"content\":\"B\"}}],\"message\":1,"
            "\"usage\":{\"other\":{\"total\":9},\"total\":7},"
            "\"map\":{\"0\":\"zero\"},\"0\":1}");

    assert_value(&doc, 0, STRING, "A");
    assert_value(&doc, 1, STRING, "B");
    assert_value(&doc, 2, OBJECT, "");
    assert_value(&doc, 3, ABSENT, "");
    assert_value(&doc, 4, ABSENT, "");
    assert_value(&doc, 5, NUMBER, "7");
    assert_value(&doc, 6, ABSENT, "");
    assert_value(&doc, 7, OBJECT, "");
    assert_value(&doc, 8, STRING, "zero");
    assert_value(&doc, 9, STRING, "A");
    assert_value(&doc, 10, STRING, "ten");

    unit_memory_free(&doc.memory);
}


/* A name that only looks like a path, or like the start of one. */
static void
test_names_are_not_paths(void **state)
{
    document_t  doc = { .npaths = 0 };

    (void) state;

    add(&doc, "a.b", 0);
    add(&doc, "chat_id", 0);

    read_ok(&doc, "{\"a.b\":1,\"chat\":2,\"chat_id2\":3,\"\":4,\"a\":5,"
                  "\"chat_\":{\"id\":6}}");

    assert_value(&doc, 0, ABSENT, "");
    assert_value(&doc, 1, ABSENT, "");
    assert_text(doc.rest, "\"a.b\":1,\"chat\":2,\"chat_id2\":3,\"\":4,"
                          "\"a\":5,\"chat_\":{\"id\":6}");

    unit_memory_free(&doc.memory);
}


static void
test_json_text(void **state)
{
    document_t  doc = { .npaths = 0 };

    (void) state;

    add(&doc, "o", SETTER_JSON_TEXT);
    add(&doc, "o.in", SETTER_JSON_TEXT);
    add(&doc, "o.in.1", SETTER_JSON_TEXT);
    add(&doc, "o.in.1.x", 0);
    add(&doc, "a.0", SETTER_JSON_TEXT);
    add(&doc, "s", SETTER_JSON_TEXT);
    add(&doc, "a.1", SETTER_JSON_TEXT);

    read_ok(&doc, "{ \"o\" : { \"q\":\"\\u00e9\\n\" , \"in\" : [ 1.0 ,"
                  " {\"x\":[ ]} , null ], \"z\":{ } },"
                  "\"a\":[{\"y\": true},[false,\"a\\\"\"]],\"s\":\"t\"}");

    assert_value(&doc, 0, OBJECT, "{\"q\":\"\xc3\xa9\\n\",\"in\":[1.0,"
                                  "{\"x\":[]},null],\"z\":{}}");
    assert_value(&doc, 1, ARRAY, "[1.0,{\"x\":[]},null]");
    assert_value(&doc, 2, OBJECT, "{\"x\":[]}");
    assert_value(&doc, 3, ARRAY, "");
    assert_value(&doc, 4, OBJECT, "{\"y\":true}");
    assert_value(&doc, 5, STRING, "t");
    assert_value(&doc, 6, ARRAY, "[false,\"a\\\"\"]");

    unit_memory_free(&doc.memory);
}


static void
test_rest(void **state)
{
    document_t  doc = { .npaths = 0 };

    (void) state;

    add(&doc, "taken", 0);
    add(&doc, "kept", SETTER_JSON_KEEP);
    add(&doc, "part.of", 0);
    add(&doc, "gone", 0);
    add(&doc, "gone.too", 0);
    add(&doc, "both", SETTER_JSON_KEEP);
    add(&doc, "both", 0);

    read_ok(&doc, "{\"taken\":{\"a\":[1]},\"kept\":[ 1, {\"b\":[[]]} ],"
                  "\"part\":{\"of\":{},\"x\":1},\"gone\":{\"too\":1},"
                  "\"other\":\"\xc3\xa9\\/\",\"both\":1}");

    assert_value(&doc, 4, NUMBER, "1");
    assert_text(doc.rest, "\"kept\":[1,{\"b\":[[]]}],"
                          "\"part\":{\"of\":{},\"x\":1},"
                          "\"other\":\"\xc3\xa9/\"");

    unit_memory_free(&doc.memory);
}


/* Text wanted from inside what goes to rest is the reader's own. */
static void
test_text_inside_rest(void **state)
{
    document_t  doc = { .npaths = 0 };

    (void) state;

    add(&doc, "part.of", SETTER_JSON_TEXT);
    read_ok(&doc, "{\"x\":1,\"part\":{\"of\":[1,{\"a\":2}]},\"y\":[]}");

    assert_text(doc.rest, "\"x\":1,\"part\":{\"of\":[1,{\"a\":2}]},\"y\":[]");
    memset(doc.rest.data, '?', doc.rest.len);
    assert_value(&doc, 0, ARRAY, "[1,{\"a\":2}]");

    unit_memory_free(&doc.memory);
}


static void
test_rest_is_appended(void **state)
{
    unit_memory_t  memory;
    setter_buf_t   rest;

    (void) state;

    setter_buf_init(&rest, unit_memory_init(&memory, -1), 0);

    setter_json_name(&rest, "surface");
    setter_json_string(&rest, "instagram", 9);
    assert_int_equal(setter_json_read("{\"a\":1}", 7, 0, NULL, 0, NULL, &rest,
                                      &memory.alloc),
                     SETTER_JSON_OK);
    setter_json_member(&rest, "b", unit_str("2"));
    setter_json_member(&rest, "c", unit_str(NULL));

    assert_text(rest, "\"surface\":\"instagram\",\"a\":1,\"b\":\"2\"");

    unit_memory_free(&memory);
}


static void
test_no_rest_wanted(void **state)
{
    unit_memory_t        memory;
    setter_json_value_t  value;
    setter_json_path_t   path = { "a", 0 };

    static const char    json[] = "{\"b\":{\"c\":[\"\\n\"]},\"a\":\"x\"}";

    (void) state;

    unit_memory_init(&memory, 0);

    /* without escapes nothing has to be copied */
    assert_int_equal(setter_json_read(json, sizeof(json) - 1, 0, &path, 1,
                                      &value, NULL, &memory.alloc),
                     SETTER_JSON_OK);
    assert_text(value.text, "x");
    assert_in_range((uintptr_t) value.text.data, (uintptr_t) json,
                    (uintptr_t) json + sizeof(json));
}


static void
test_all_paths(void **state)
{
    int         i;
    size_t      len;
    char        names[MAX][16], json[MAX * 16];
    document_t  doc = { .npaths = 0 };

    (void) state;

    len = 0;

    for (i = 0; i < MAX; i++) {
        snprintf(names[i], sizeof(names[i]), "m%d", i);
        add(&doc, names[i], 0);
        len += snprintf(json + len, sizeof(json) - len, "%c\"%s\":%d",
                        i > 0 ? ',' : '{', names[i], 1000 + i);
    }

    snprintf(json + len, sizeof(json) - len, "}");
    read_ok(&doc, json);

    for (i = 0; i < MAX; i++) {
        assert_int_equal(doc.values[i].text.len, 4);
        assert_int_equal(strtol(doc.values[i].text.data, NULL, 10), 1000 + i);
    }

    unit_memory_free(&doc.memory);
}


static void
test_writing(void **state)
{
    unit_memory_t        memory;
    setter_buf_t         buf;
    setter_json_value_t  absent = { SETTER_JSON_ABSENT, { 0, NULL } };
    setter_json_value_t  no = { SETTER_JSON_FALSE, { 0, NULL } };
    setter_json_value_t  text = { SETTER_JSON_STRING, { 2, "\"\n" } };

    (void) state;

    setter_buf_init(&buf, unit_memory_init(&memory, -1), 0);

    setter_buf_byte(&buf, '{');
    setter_json_member(&buf, "a\"", unit_str("\x01\x1f\x7f\b\f\n\r\t\\\"/"
                                             "\xc3\xa9"));
    setter_json_member(&buf, "b", unit_str(NULL));
    setter_json_member(&buf, "c", unit_str(""));
    setter_json_name(&buf, "d");
    setter_json_value(&buf, &absent);
    setter_json_name(&buf, "e");
    setter_json_value(&buf, &no);
    setter_json_name(&buf, "f");
    setter_json_value(&buf, &text);
    setter_buf_byte(&buf, '}');

    assert_text(buf, "{\"a\\\"\":\"\\u0001\\u001f\x7f\\b\\f\\n\\r\\t\\\\\\\"/"
                     "\xc3\xa9\",\"c\":\"\",\"d\":null,\"e\":false,"
                     "\"f\":\"\\\"\\n\"}");

    unit_memory_free(&memory);
}


/* What was written is read again as it was, whatever bytes it held. */
static void
test_written_is_read(void **state)
{
    int                  i;
    char                 all[3 * 128];
    unit_memory_t        memory;
    setter_buf_t         buf;
    setter_str_t         text;
    setter_json_path_t   path = { "a", 0 };
    setter_json_value_t  value;

    (void) state;

    for (i = 1; i < 128; i++) {
        all[3 * i - 3] = (char) i;
        memcpy(all + 3 * i - 2, "\xc2\x80", 2);
    }

    text.data = all;
    text.len = 3 * 127;

    setter_buf_init(&buf, unit_memory_init(&memory, -1), 0);
    setter_buf_byte(&buf, '{');
    setter_json_member(&buf, "a", text);
    setter_buf_byte(&buf, '}');

    assert_int_equal(setter_json_read(buf.data, buf.len, 0, &path, 1, &value,
                                      NULL, &memory.alloc),
                     SETTER_JSON_OK);
    assert_int_equal(value.text.len, text.len);
    assert_memory_equal(value.text.data, text.data, text.len);

    unit_memory_free(&memory);
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_types),
    cmocka_unit_test(test_numbers_keep_their_text),
    cmocka_unit_test(test_escapes),
    cmocka_unit_test(test_deep_paths),
    cmocka_unit_test(test_names_are_not_paths),
    cmocka_unit_test(test_json_text),
    cmocka_unit_test(test_rest),
    cmocka_unit_test(test_text_inside_rest),
    cmocka_unit_test(test_rest_is_appended),
    cmocka_unit_test(test_no_rest_wanted),
    cmocka_unit_test(test_all_paths),
    cmocka_unit_test(test_writing),
    cmocka_unit_test(test_written_is_read)
};

unit_main(tests)
