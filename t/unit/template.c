/*
 * template.h, and what the providers make of a template: their own samples.
 */

#include "sample.h"

#include "channel/infobip.h"
#include "channel/meta.h"
#include "channel/template.h"
#include "setter_format.h"
#include "channel/twilio.h"


#define ORDER  "{\"name\": \"order_update\", \"language\": \"en_US\","        \
               " \"parameters\": [\"A-1001\", \"tomorrow\"]}"


static channel_message_t
make(channel_template_t *template, const char *json, arena_t *arena)
{
    setter_str_t        text = { strlen(json), json };
    const char         *reason;
    channel_message_t   message = {
        .message_id = setter_str("a1a1a1a1-0000-4000-8000-000000000010"),
        .text = setter_str("Your order A-1001 comes tomorrow."),
        .template = text, .filled = template
    };

    reason = template_read(template, text, arena);
    if (reason != NULL) {
        fail_msg("%s: %s", json, reason);
    }

    return message;
}


static void
test_what_is_wrong_is_named(void **state)
{
    size_t               i;
    char                 many[1024] = "{\"name\":\"a\",\"parameters\":[\"1\"";
    arena_t             *arena;
    const char          *reason;
    setter_str_t         json;
    channel_template_t   template;

    struct {
        const char  *json, *reason;
    } cases[] = {
        { "7", "template is no JSON object" },
        { "{", "template is no JSON object" },
        { "{}", "template.name" },
        { "{\"name\":\"\"}", "template.name" },
        { "{\"name\":7}", "template.name" },
        { "{\"name\":\"a\",\"language\":7}", "template.language" },
        { "{\"name\":\"a\",\"language\":\"abcdefghijklmnopq\"}",
          "template.language" },
        { "{\"name\":\"a\",\"parameters\":{}}", "template.parameters" },
        { "{\"name\":\"a\",\"parameters\":[\"1\",2]}",
          "template.parameters" },
        { many, "template.parameters are too many" },
    };

    (void) state;

    for (i = 0; i < TEMPLATE_MAX_PARAMETERS; i++) {
        strcat(many, ",\"1\"");
    }
    strcat(many, "]}");

    arena = arena_create();

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        json.data = cases[i].json;
        json.len = strlen(json.data);
        reason = template_read(&template, json, arena);

        if (reason == NULL || strstr(reason, cases[i].reason) == NULL) {
            fail_msg("%s: %s", json.data, reason);
        }
    }

    arena_destroy(arena);
}


static void
assert_body(arena_t *arena, const setter_buf_t *body, const char *text)
{
    assert_string_equal(arena_copy(arena, body->data, body->len), text);
}


static void
test_meta(void **state)
{
    arena_t             *arena;
    setter_buf_t         body;
    channel_message_t    message;
    channel_template_t   template;

    static const setter_json_path_t  paths[] = {
        { "messaging_product", 0 }, { "to", 0 }, { "type", 0 },
        { "template.name", 0 }, { "template.language.code", 0 },
        { "template.components.0.type", 0 },
        { "template.components.0.parameters.0.text", 0 },
        { "template.components.0.parameters.1.text", 0 },
    };

    (void) state;

    arena = arena_create();
    message = make(&template, ORDER, arena);
    message.to = (setter_str_t) setter_str("15550104321");
    setter_buf_init(&body, arena_alloc(arena), 0);
    meta_write(&message, &body);
    sample_request(arena, "meta-whatsapp/send-template", &body, paths, 8);

    message = make(&template, "{\"name\":\"hello\"}", arena);
    message.to = (setter_str_t) setter_str("15550104321");
    setter_buf_init(&body, arena_alloc(arena), 0);
    meta_write(&message, &body);
    assert_body(arena, &body, "{\"messaging_product\":\"whatsapp\","
        "\"recipient_type\":\"individual\",\"to\":\"15550104321\","
        "\"type\":\"template\",\"template\":{\"name\":\"hello\","
        "\"language\":{\"code\":\"en\"}},\"biz_opaque_callback_data\":"
        "\"a1a1a1a1-0000-4000-8000-000000000010\"}");
    arena_destroy(arena);
}


static void
test_infobip(void **state)
{
    arena_t             *arena;
    setter_buf_t         body;
    setter_str_t         from = setter_str("15550100299");
    http_response_t      response;
    channel_answer_t     answer;
    channel_message_t    message;
    channel_template_t   template;

    static const setter_json_path_t  paths[] = {
        { "messages.0.from", 0 }, { "messages.0.to", 0 },
        { "messages.0.messageId", 0 },
        { "messages.0.content.templateName", 0 },
        { "messages.0.content.language", 0 },
        { "messages.0.content.templateData.body.placeholders.0", 0 },
        { "messages.0.content.templateData.body.placeholders.1", 0 },
    };

    (void) state;

    arena = arena_create();
    message = make(&template, "{\"name\":\"order_update\",\"language\":\"en\","
                   "\"parameters\":[\"A-1001\",\"tomorrow\"]}", arena);
    message.to = (setter_str_t) setter_str("15550104330");
    setter_buf_init(&body, arena_alloc(arena), 0);
    infobip_write(&message, from, &body);
    sample_request(arena, "infobip/send-template", &body, paths, 7);

    sample_response(arena, "infobip/send-template", &response);
    channel_answer_init(&answer);
    infobip_judge(&response, &answer, arena);
    assert_int_equal(answer.result, CHANNEL_SENT);
    assert_true(setter_str_is(answer.provider_id,
                              "a1a1a1a1-0000-4000-8000-000000000010"));

    sample_make(200, "{\"messages\":[{\"status\":{\"groupName\":\"REJECTED\","
                "\"name\":\"REJECTED_TEMPLATE\"}}]}", &response);
    channel_answer_init(&answer);
    infobip_judge(&response, &answer, arena);
    assert_int_equal(answer.result, CHANNEL_FAILED);
    assert_string_equal(answer.reason, "200 REJECTED_TEMPLATE");

    message = make(&template, "{\"name\":\"hello\"}", arena);
    setter_buf_init(&body, arena_alloc(arena), 0);
    infobip_write(&message, from, &body);
    assert_non_null(strstr(arena_copy(arena, body.data, body.len),
                           "{\"templateName\":\"hello\",\"templateData\":"
                           "{\"body\":{\"placeholders\":[]}},"
                           "\"language\":\"en\"}"));
    arena_destroy(arena);
}


/* The sample has a callback's URL beside. */
static void
test_twilio(void **state)
{
    size_t               len;
    char                *sample;
    arena_t             *arena;
    setter_buf_t         body;
    setter_str_t         from = setter_str("15550100399");
    channel_message_t    message;
    channel_template_t   template;

    (void) state;

    arena = arena_create();
    message = make(&template, "{\"name\":"
                   "\"HX00000000000000000000000000000007\","
                   "\"parameters\":[\"A-1001\", \"tomorrow\" ]}", arena);
    message.to = (setter_str_t) setter_str("15550104440");
    setter_buf_init(&body, arena_alloc(arena), 0);
    twilio_write(&message, from, &body);

    sample = sample_read(arena,
        arena_printf(arena, "t/data/twilio/send-template.request.form"), &len);
    assert_non_null(sample);
    *strstr(sample, "&StatusCallback=") = '\0';
    assert_body(arena, &body, sample);

    message = make(&template, "{\"name\":\"HX1\",\"parameters\":[]}", arena);
    message.to = (setter_str_t) setter_str("15550104440");
    setter_buf_init(&body, arena_alloc(arena), 0);
    twilio_write(&message, from, &body);
    assert_body(arena, &body, "To=whatsapp%3A%2B15550104440"
                "&From=whatsapp%3A%2B15550100399&ContentSid=HX1");
    arena_destroy(arena);
}


/* The front door knows what of it each provider takes. */
static void
test_door(void **state)
{
    unsigned                 takes;
    const channel_t *const  *channel;

    (void) state;

    for (channel = channel_all(); *channel != NULL; channel++) {
        takes = setter_format_takes((setter_str_t) {
            strlen((*channel)->name), (*channel)->name });

        assert_int_equal(!!(takes & SETTER_SEND_TEMPLATE),
                         (*channel)->templates);
        assert_int_equal(!!(takes & SETTER_SEND_MEDIA), (*channel)->files);
        assert_int_equal(!!(takes & SETTER_SEND_BUTTONS),
                         (*channel)->buttons);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_what_is_wrong_is_named),
        cmocka_unit_test(test_meta),
        cmocka_unit_test(test_infobip),
        cmocka_unit_test(test_twilio),
        cmocka_unit_test(test_door)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("template", tests, NULL, NULL);
}
