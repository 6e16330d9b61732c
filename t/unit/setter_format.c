/*
 * setter_format.h
 */

#include "setter_unit.h"

#include "setter_format.h"


/* Reads a body by the table of a format and judges every field. */
typedef struct {
    const setter_format_t  *format;
    unit_memory_t           memory;
    setter_buf_t            rest;
    setter_json_value_t     values[SETTER_FORMAT_MAX_FIELDS];
    char                    errors[512];
} body_t;


static void
body_read(body_t *body, const char *format, const char *json)
{
    size_t                        i, len;
    setter_json_path_t            paths[SETTER_FORMAT_MAX_FIELDS];
    setter_field_error_e          error;
    const setter_format_field_t  *field;

    body->format = strcmp(format, "send") == 0
                   ? setter_format_outgoing()
                   : setter_format_find(unit_str(format));
    assert_non_null(body->format);
    assert_true(body->format->nfields <= SETTER_FORMAT_MAX_FIELDS);

    for (i = 0; i < body->format->nfields; i++) {
        field = &body->format->fields[i];
        paths[i].path = field->path;
        paths[i].flags = field->member == SETTER_FIELD_DATA
                         ? SETTER_JSON_KEEP : SETTER_JSON_TEXT;
    }

    unit_memory_init(&body->memory, -1);
    setter_buf_init(&body->rest, &body->memory.alloc, 0);
    assert_int_equal(setter_json_read(json, strlen(json), 0, paths,
                                      body->format->nfields, body->values,
                                      &body->rest, &body->memory.alloc),
                     SETTER_JSON_OK);

    len = 0;
    body->errors[0] = '\0';

    for (i = 0; i < body->format->nfields; i++) {
        field = &body->format->fields[i];
        error = setter_field_check(field, &body->values[i]);

        if (error != SETTER_FIELD_OK) {
            len += snprintf(body->errors + len, sizeof(body->errors) - len,
                            "%s %s; ", field->path,
                            setter_field_strerror(error));
        }
    }
}


static setter_str_t
body_member(const body_t *body, size_t member)
{
    size_t        i;
    setter_str_t  none = { 0, NULL };

    for (i = 0; i < body->format->nfields; i++) {
        if (body->format->fields[i].member == member
            && !setter_field_absent(&body->format->fields[i],
                                    &body->values[i]))
        {
            return body->values[i].text;
        }
    }

    return none;
}


static const char *
format_default(const setter_format_t *format, const char *name)
{
    size_t  i;

    for (i = 0; format->defaults != NULL && format->defaults[i].field != NULL;
         i++)
    {
        if (strcmp(format->defaults[i].field, name) == 0) {
            return format->defaults[i].value;
        }
    }

    return NULL;
}


#define assert_errors(format, json, expected)                                 \
    do {                                                                      \
        body_t  body;                                                         \
                                                                              \
        body_read(&body, format, json);                                       \
        assert_string_equal(body.errors, expected);                           \
        unit_memory_free(&body.memory);                                       \
    } while (0)

#define member(name)  offsetof(setter_job_t, name)


static void
test_find(void **state)
{
    setter_str_t  cut = { 4, "manychat" };

    (void) state;

    assert_string_equal(setter_format_find(unit_str("manychat"))->name,
                        "manychat");
    assert_string_equal(setter_format_find(unit_str("engine"))->provider,
                        "infobip");
    assert_null(setter_format_find(unit_str("generic"))->provider);
    assert_string_equal(setter_format_find(unit_str("infobip_status"))->kind,
                        "status");
    assert_null(setter_format_find(unit_str("")));
    assert_null(setter_format_find(unit_str("ManyChat")));
    assert_null(setter_format_find(cut));
}


/* What every table has to keep: users of the tables rely on it. */
static void
test_tables(void **state)
{
    size_t                        i, j, keys, claims;
    const setter_format_t        *format;
    const setter_format_field_t  *field;

    static const char *const      names[] = { "manychat", "engine",
                                              "generic" };

    (void) state;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        format = setter_format_find(unit_str(names[i]));
        assert_string_equal(format->kind, "message");
        keys = 0;
        claims = 0;

        for (j = 0; j < format->nfields; j++) {
            field = &format->fields[j];
            keys += strcmp(field->path, format->dedupe) == 0;
            claims += strcmp(field->path, format->tenant) == 0;

            assert_true(field->member < sizeof(setter_job_t)
                        || field->member == SETTER_FIELD_DATA
                        || field->member == SETTER_FIELD_NONE);
        }

        assert_int_equal(keys, 1);
        assert_int_equal(claims, 1);

        for (j = 0; format->defaults != NULL
                    && format->defaults[j].field != NULL; j++)
        {
            assert_int_not_equal(setter_format_member(
                                     unit_str(format->defaults[j].field)),
                                 SETTER_FIELD_DATA);
        }
    }
}


static void
test_members(void **state)
{
    (void) state;

    assert_int_equal(setter_format_member(unit_str("channel")),
                     member(channel));
    assert_int_equal(setter_format_member(unit_str("consumer")),
                     member(consumer));
    assert_int_equal(setter_format_member(unit_str("workflow")),
                     member(workflow));
    assert_int_equal(setter_format_member(unit_str("from")), member(from));
    assert_int_equal(setter_format_member(unit_str("to")), member(to));
    assert_int_equal(setter_format_member(unit_str("text")), member(text));
    assert_int_equal(setter_format_member(unit_str("type")), member(type));
    assert_int_equal(setter_format_member(unit_str("provider")),
                     member(provider));
    assert_int_equal(setter_format_member(unit_str("provider_id")),
                     member(provider_id));

    /* what decides who and where is not for a configuration to set */
    assert_int_equal(setter_format_member(unit_str("id")), SETTER_FIELD_DATA);
    assert_int_equal(setter_format_member(unit_str("tenant")),
                     SETTER_FIELD_DATA);
    assert_int_equal(setter_format_member(unit_str("surface")),
                     SETTER_FIELD_DATA);
}


static void
test_manychat(void **state)
{
    body_t  body;

    (void) state;

    body_read(&body, "manychat",
              "{\"lead_identification\":\"lead-7\",\"lead_message\":\"Hello\","
              "\"chat_id\":1000000000012345678901,\"page_id\":\"345\","
              "\"channel\":\"instagram\",\"message_id\":\"m1\","
              "\"tenant_id\":\"acme\",\"lead_name\":\"Test\"}");

    assert_string_equal(body.errors, "");
    assert_text(body_member(&body, member(text)), "Hello");
    assert_text(body_member(&body, member(from)), "1000000000012345678901");
    assert_text(body_member(&body, member(to)), "345");
    assert_text(body_member(&body, member(channel)), "instagram");
    assert_null(body_member(&body, member(consumer)).data);
    assert_text(body.rest, "\"lead_identification\":\"lead-7\","
                           "\"message_id\":\"m1\",\"lead_name\":\"Test\"");
    unit_memory_free(&body.memory);

    assert_string_equal(format_default(body.format, "channel"), "telegram");
    assert_string_equal(format_default(body.format, "consumer"), "MANYCHAT");
    assert_string_equal(format_default(body.format, "workflow"), "SETTER");
    assert_string_equal(body.format->provider, "manychat");
}


static void
test_manychat_errors(void **state)
{
    (void) state;

    assert_errors("manychat", "{}",
                  "lead_identification required; lead_message required; "
                  "chat_id required; ");

    assert_errors("manychat",
                  "{\"lead_identification\":null,\"lead_message\":\" \\n\","
                  "\"chat_id\":\"\"}",
                  "lead_identification required; lead_message empty; "
                  "chat_id empty; ");

    assert_errors("manychat",
                  "{\"lead_identification\":true,\"lead_message\":5,"
                  "\"chat_id\":{},\"channel\":[]}",
                  "lead_identification type; lead_message type; "
                  "chat_id type; channel type; ");

    /* a variable that was not filled in is as good as nothing */
    assert_errors("manychat",
                  "{\"lead_identification\":\"{{user_id}}\","
                  "\"lead_message\":\" {{last_input_text}}\\n\","
                  "\"chat_id\":\"1\",\"page_id\":\"{{page_id}}\"}",
                  "lead_identification empty; lead_message empty; ");

    /* what may be absent may be null or empty */
    assert_errors("manychat",
                  "{\"lead_identification\":1,\"lead_message\":\"x\","
                  "\"chat_id\":2,\"page_id\":null,\"channel\":\"\"}", "");
}


static void
test_engine(void **state)
{
    body_t  body;

    (void) state;

    body_read(&body, "engine",
              "{\"from\":\"15550100\",\"message\":\"{{raw}}\","
              "\"tenant_id\":\"acme\",\"timestamp\":\"2026-11-20\"}");

    assert_string_equal(body.errors, "");
    assert_text(body_member(&body, member(from)), "15550100");
    assert_text(body_member(&body, member(text)), "{{raw}}");
    assert_null(body_member(&body, member(to)).data);
    assert_text(body.rest, "\"timestamp\":\"2026-11-20\"");
    assert_string_equal(format_default(body.format, "channel"), "whatsapp");
    unit_memory_free(&body.memory);

    assert_errors("engine", "{\"from\":\"\"}",
                  "from empty; message required; ");
}


static void
test_generic(void **state)
{
    body_t  body;

    (void) state;

    body_read(&body, "generic",
              "{\"from\":\"1\",\"to\":2,\"text\":\"t\",\"type\":\"image\","
              "\"media\":{\"id\": 1},\"provider\":\"meta\","
              "\"provider_id\":\"wamid.1\",\"profile\":{\"name\":\"Test\"},"
              "\"data\":1,\"other\":2}");

    assert_string_equal(body.errors, "");
    assert_text(body_member(&body, member(to)), "2");
    assert_text(body_member(&body, member(type)), "image");
    assert_text(body_member(&body, member(media)), "{\"id\":1}");
    assert_text(body_member(&body, member(provider)), "meta");
    assert_text(body_member(&body, member(provider_id)), "wamid.1");
    assert_text(body_member(&body, member(profile)), "{\"name\":\"Test\"}");
    assert_text(body.rest, "\"data\":1,\"other\":2");
    unit_memory_free(&body.memory);

    assert_errors("generic",
                  "{\"from\":\"1\",\"text\":\"t\",\"profile\":\"Test\"}",
                  "profile type; ");
}


static void
test_too_long(void **state)
{
    char    json[1024], id[SETTER_FIELD_ID_MAX + 2];
    body_t  body;

    (void) state;

    memset(id, '7', sizeof(id));
    id[SETTER_FIELD_ID_MAX] = '\0';

    snprintf(json, sizeof(json), "{\"from\":\"%s\",\"message\":\"x\","
                                 "\"to\":%s}", id, id);
    body_read(&body, "engine", json);
    assert_string_equal(body.errors, "");
    unit_memory_free(&body.memory);

    id[SETTER_FIELD_ID_MAX] = '7';
    id[SETTER_FIELD_ID_MAX + 1] = '\0';

    /* a text may be as long as the body */
    snprintf(json, sizeof(json), "{\"from\":\"%s\",\"message\":\"%s\","
                                 "\"to\":%s}", id, id, id);
    body_read(&body, "engine", json);
    assert_string_equal(body.errors, "from too_long; to too_long; ");
    unit_memory_free(&body.memory);
}


static void
test_blank(void **state)
{
    size_t                    i;
    setter_json_value_t       value = { SETTER_JSON_STRING, { 0, NULL } };
    setter_format_field_t     field = { "a", SETTER_FIELD_TEXT, 1, 1, 0 };

    static const char *const  blank[] = {
        "", " ", "\t\n\v\f\r", "\xc2\xa0", "\xe2\x80\x83 \xe3\x80\x80",
        "\xef\xbb\xbf", "{{name}}", " {{ a b }} \n", "{{}}", "{{{x}}"
    };

    static const char *const  text[] = {
        "x", " .", "\xc2\xa1", "\xe2\x80\x8b", "\xe2\x80", "{{name}",
        "{name}}", "{{", "{{}", "{{name}} x", "x {{name}}",
        "{{name}}{{last}}"
    };

    (void) state;

    for (i = 0; i < sizeof(blank) / sizeof(blank[0]); i++) {
        value.text = unit_str(blank[i]);
        assert_int_equal(setter_field_check(&field, &value),
                         SETTER_FIELD_EMPTY);
        assert_true(setter_field_absent(&field, &value));
    }

    for (i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
        value.text = unit_str(text[i]);
        assert_int_equal(setter_field_check(&field, &value), SETTER_FIELD_OK);
        assert_false(setter_field_absent(&field, &value));
    }

    field.variables = 0;
    value.text = unit_str("{{name}}");
    assert_int_equal(setter_field_check(&field, &value), SETTER_FIELD_OK);
}


static void
test_send(void **state)
{
    body_t  body;

    (void) state;

    assert_null(setter_format_find(unit_str("send")));

    body_read(&body, "send", "{\"to\":\"15550100\",\"message\":\"Hi\","
                             "\"from\":15550199,\"provider\":\"manychat\","
                             "\"send_at\":1795170600,\"media\":null,"
                             "\"surface\":\"instagram\"}");
    assert_string_equal(body.errors, "");
    assert_text(body_member(&body, member(from)), "15550100");
    assert_text(body_member(&body, member(to)), "15550199");
    assert_text(body_member(&body, member(text)), "Hi");
    assert_text(body_member(&body, member(provider)), "manychat");
    assert_text(body.rest, "\"send_at\":1795170600,\"media\":null,"
                           "\"surface\":\"instagram\"");
    unit_memory_free(&body.memory);

    assert_string_equal(body.format->provider, "infobip");
    assert_string_equal(body.format->kind, "send");

    assert_errors("send", "{}", "to required; message required; ");
    assert_errors("send", "{\"to\":\"1\",\"message\":\"a\","
                          "\"send_at\":\"soon\",\"template\":{},"
                          "\"media\":\"\"}",
                  "send_at type; media type; ");
}


static void
test_send_at(void **state)
{
    size_t                       i;
    setter_json_value_t          value;
    const setter_format_field_t  field = { "a", SETTER_FIELD_TIME, 0, 0, 0 };

    static const struct {
        setter_json_type_e   type;
        const char          *text;
        int64_t              ms;
    } cases[] = {
        { SETTER_JSON_STRING, "2026-11-20T10:30:00.5Z", 1795170600500 },
        { SETTER_JSON_STRING, "2026-11-20T11:30:00+01:00", 1795170600000 },
        { SETTER_JSON_STRING, "1795170600", -1 },
        { SETTER_JSON_NUMBER, "1795170600", 1795170600000 },
        { SETTER_JSON_NUMBER, "1795170600500", 1795170600500 },
        { SETTER_JSON_NUMBER, "99999999999", 99999999999000 },
        { SETTER_JSON_NUMBER, "99999999999999", 99999999999999 },
        { SETTER_JSON_NUMBER, "0", 0 },
        { SETTER_JSON_NUMBER, "100000000000000", -1 },
        { SETTER_JSON_NUMBER, "-1", -1 },
        { SETTER_JSON_NUMBER, "1.5", -1 },
        { SETTER_JSON_NUMBER, "1e9", -1 },
        { SETTER_JSON_TRUE, "", -1 },
        { SETTER_JSON_OBJECT, "", -1 }
    };

    (void) state;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        value.type = cases[i].type;
        value.text = unit_str(cases[i].text);
        assert_int_equal(setter_field_time(&value), cases[i].ms);
        assert_int_equal(setter_field_check(&field, &value),
                         cases[i].ms < 0 ? SETTER_FIELD_BAD_TYPE
                                         : SETTER_FIELD_OK);
    }

    value.type = SETTER_JSON_STRING;
    value.text = unit_str(" ");
    assert_int_equal(setter_field_check(&field, &value), SETTER_FIELD_OK);
}


static void
test_channel(void **state)
{
    (void) state;

    assert_text(setter_format_channel(unit_str("infobip")), "whatsapp");
    assert_text(setter_format_channel(unit_str("manychat")), "manychat");
    assert_text(setter_format_channel(unit_str("other")), "other");
    assert_int_equal(setter_format_channel(unit_str("")).len, 0);
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_find),
    cmocka_unit_test(test_tables),
    cmocka_unit_test(test_members),
    cmocka_unit_test(test_manychat),
    cmocka_unit_test(test_manychat_errors),
    cmocka_unit_test(test_engine),
    cmocka_unit_test(test_generic),
    cmocka_unit_test(test_too_long),
    cmocka_unit_test(test_blank),
    cmocka_unit_test(test_send),
    cmocka_unit_test(test_send_at),
    cmocka_unit_test(test_channel)
};

unit_main(tests)
