/*
 * A message to a person, at somebody's order: "setter_api send".  The person
 * is "to" here, and "from" in the job, as in the messages that come from it.
 *
 * Beside the text it may have a template, a file or buttons; what is wrong
 * with them is told here, where somebody hears of it.
 */

#include <string.h>

#include "setter_format_tables.h"


/* In characters, as WhatsApp has them: the least that all providers take. */
#define SETTER_SEND_BODY        1024    /* beside buttons */
#define SETTER_SEND_TITLE       20      /* of a button */
#define SETTER_SEND_BUTTON_ID   256     /* bytes */
#define SETTER_SEND_NBUTTONS    3
#define SETTER_SEND_URL         2048    /* bytes */
#define SETTER_SEND_FILENAME    240
#define SETTER_SEND_NAME        512     /* of a template */
#define SETTER_SEND_LANGUAGE    16
#define SETTER_SEND_PARAMETERS  100


enum {
    SEND_TEMPLATE,
    SEND_TEMPLATE_NAME,
    SEND_TEMPLATE_LANGUAGE,
    SEND_TEMPLATE_PARAMETERS,
    SEND_MEDIA,
    SEND_MEDIA_TYPE,
    SEND_MEDIA_URL,
    SEND_MEDIA_FILENAME,
    SEND_BUTTONS,
    SEND_NPATHS
};

static const setter_json_path_t  setter_send_paths[SEND_NPATHS] = {
    { "template", 0 },
    { "template.name", 0 },
    { "template.language", 0 },
    { "template.parameters", SETTER_JSON_TEXT },
    { "media", 0 },
    { "media.type", 0 },
    { "media.url", 0 },
    { "media.filename", 0 },
    { "buttons", SETTER_JSON_TEXT },
};

/* Who hears of what is wrong. */
typedef struct {
    setter_field_report_pt   report;
    void                    *owner;
    setter_alloc_t          *alloc;
} setter_send_check_t;


static int setter_send_check(const setter_job_t *job,
    setter_field_report_pt report, void *owner, setter_alloc_t *alloc);
static void setter_send_kinds(const setter_send_check_t *check,
    const setter_job_t *job, const setter_json_value_t *values);
static void setter_send_template(const setter_send_check_t *check,
    const setter_json_value_t *values);
static void setter_send_media(const setter_send_check_t *check,
    const setter_json_value_t *values);
static int setter_send_buttons(const setter_send_check_t *check,
    const setter_job_t *job, const setter_json_value_t *buttons);
static int setter_send_button(const setter_send_check_t *check,
    setter_str_t json);
static void setter_send_text(const setter_send_check_t *check,
    const char *field, const setter_json_value_t *value, int required,
    size_t max);
static int setter_send_given(const setter_json_value_t *value);
static size_t setter_send_characters(setter_str_t text);


static const setter_format_field_t  setter_send_fields[] = {
    { "to", SETTER_FIELD_ID, 1, 0, setter_job_member(from) },
    { "message", SETTER_FIELD_TEXT, 1, 0, setter_job_member(text) },
    { "from", SETTER_FIELD_ID, 0, 0, setter_job_member(to) },
    { "provider", SETTER_FIELD_ID, 0, 0, setter_job_member(provider) },
    { "channel", SETTER_FIELD_ID, 0, 0, setter_job_member(channel) },
    { "send_at", SETTER_FIELD_TIME, 0, 0, SETTER_FIELD_DATA },
    { "message_id", SETTER_FIELD_ID, 0, 0, SETTER_FIELD_DATA },
    { "template", SETTER_FIELD_OBJECT, 0, 0, SETTER_FIELD_DATA },
    { "media", SETTER_FIELD_OBJECT, 0, 0, SETTER_FIELD_DATA },
    { "buttons", SETTER_FIELD_JSON, 0, 0, SETTER_FIELD_DATA },
    { "tenant_id", SETTER_FIELD_ID, 0, 0, SETTER_FIELD_NONE }
};

const setter_format_t  setter_format_send = {
    .name = "send",
    .provider = "infobip",
    .kind = "send",
    .dedupe = "message_id",
    .tenant = "tenant_id",
    .excused = "message",           /* a file may be all that is sent */
    .excuse = "media",
    .fields = setter_send_fields,
    .nfields = sizeof(setter_send_fields) / sizeof(setter_send_fields[0]),
    .check = setter_send_check
};


/* As the channels of workers/channel have it. */
static const struct {
    const char  *provider;
    unsigned     takes;
} setter_send_takes[] = {
    { "infobip", SETTER_SEND_TEMPLATE|SETTER_SEND_MEDIA|SETTER_SEND_BUTTONS },
    { "instagram", SETTER_SEND_MEDIA|SETTER_SEND_BUTTONS },
    { "manychat", SETTER_SEND_MEDIA },
    { "meta", SETTER_SEND_TEMPLATE|SETTER_SEND_MEDIA|SETTER_SEND_BUTTONS },
    { "twilio", SETTER_SEND_TEMPLATE|SETTER_SEND_MEDIA },
};


unsigned
setter_format_takes(setter_str_t provider)
{
    size_t  i, n;

    n = sizeof(setter_send_takes) / sizeof(setter_send_takes[0]);

    for (i = 0; i < n; i++) {
        if (setter_str_is(provider, setter_send_takes[i].provider)) {
            return setter_send_takes[i].takes;
        }
    }

    return 0;
}


static int
setter_send_check(const setter_job_t *job, setter_field_report_pt report,
    void *owner, setter_alloc_t *alloc)
{
    setter_buf_t         data;
    setter_json_value_t  values[SEND_NPATHS];
    setter_send_check_t  check = { report, owner, alloc };

    setter_buf_init(&data, alloc, job->data.len + 2);
    setter_buf_byte(&data, '{');
    setter_buf_append(&data, job->data.data, job->data.len);
    setter_buf_byte(&data, '}');

    if (data.failed
        || setter_json_read(data.data, data.len, SETTER_JSON_REPAIR,
                            setter_send_paths, SEND_NPATHS, values, NULL,
                            alloc)
           != SETTER_JSON_OK)
    {
        return SETTER_NO_MEMORY;
    }

    setter_send_kinds(&check, job, values);

    /* one of another type is told of already */
    if (values[SEND_TEMPLATE].type == SETTER_JSON_OBJECT) {
        setter_send_template(&check, values);
    }

    if (values[SEND_MEDIA].type == SETTER_JSON_OBJECT) {
        setter_send_media(&check, values);
    }

    return setter_send_given(&values[SEND_BUTTONS])
           ? setter_send_buttons(&check, job, &values[SEND_BUTTONS])
           : SETTER_OK;
}


/* One of them, and one that the provider takes. */
static void
setter_send_kinds(const setter_send_check_t *check, const setter_job_t *job,
    const setter_json_value_t *values)
{
    int       given;
    size_t    i;
    unsigned  takes;

    static const struct {
        const char  *field;
        int          path;
        unsigned     takes;
    } kinds[] = {
        { "template", SEND_TEMPLATE, SETTER_SEND_TEMPLATE },
        { "media", SEND_MEDIA, SETTER_SEND_MEDIA },
        { "buttons", SEND_BUTTONS, SETTER_SEND_BUTTONS },
    };

    takes = setter_format_takes(job->provider);

    for (i = 0, given = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!setter_send_given(&values[kinds[i].path])) {
            continue;
        }

        if (given++ || !(takes & kinds[i].takes)) {
            check->report(check->owner, kinds[i].field,
                          SETTER_FIELD_UNSUPPORTED);
        }
    }
}


static void
setter_send_template(const setter_send_check_t *check,
    const setter_json_value_t *values)
{
    size_t                      n;
    setter_str_t                rest, one;
    const setter_json_value_t  *list;

    setter_send_text(check, "template.name", &values[SEND_TEMPLATE_NAME], 1,
                     SETTER_SEND_NAME);
    setter_send_text(check, "template.language",
                     &values[SEND_TEMPLATE_LANGUAGE], 0,
                     SETTER_SEND_LANGUAGE);

    list = &values[SEND_TEMPLATE_PARAMETERS];

    if (!setter_send_given(list)) {
        return;
    }

    if (list->type != SETTER_JSON_ARRAY) {
        check->report(check->owner, "template.parameters",
                      SETTER_FIELD_BAD_TYPE);
        return;
    }

    rest = list->text;

    for (n = 0; setter_json_next(&rest, &one); n++) {
        if (one.len == 0 || one.data[0] != '"') {
            check->report(check->owner, "template.parameters",
                          SETTER_FIELD_BAD_TYPE);
            return;
        }
    }

    if (n > SETTER_SEND_PARAMETERS) {
        check->report(check->owner, "template.parameters",
                      SETTER_FIELD_TOO_LONG);
    }
}


static void
setter_send_media(const setter_send_check_t *check,
    const setter_json_value_t *values)
{
    setter_str_t                url;
    const setter_json_value_t  *type;

    type = &values[SEND_MEDIA_TYPE];
    url = values[SEND_MEDIA_URL].text;

    if (!setter_send_given(type)) {
        check->report(check->owner, "media.type", SETTER_FIELD_REQUIRED);

    } else if (type->type != SETTER_JSON_STRING
               || (!setter_str_is(type->text, "image")
                   && !setter_str_is(type->text, "video")
                   && !setter_str_is(type->text, "audio")
                   && !setter_str_is(type->text, "document")))
    {
        check->report(check->owner, "media.type", SETTER_FIELD_BAD_TYPE);
    }

    setter_send_text(check, "media.url", &values[SEND_MEDIA_URL], 1,
                     SETTER_SEND_URL);
    setter_send_text(check, "media.filename", &values[SEND_MEDIA_FILENAME], 0,
                     SETTER_SEND_FILENAME);

    /* the provider fetches it */
    if (values[SEND_MEDIA_URL].type == SETTER_JSON_STRING && url.len > 0
        && (url.len < 9 || (memcmp(url.data, "https://", 8) != 0
                            && memcmp(url.data, "http://", 7) != 0)))
    {
        check->report(check->owner, "media.url", SETTER_FIELD_BAD_TYPE);
    }
}


static int
setter_send_buttons(const setter_send_check_t *check, const setter_job_t *job,
    const setter_json_value_t *buttons)
{
    int           rc;
    size_t        n;
    setter_str_t  rest, one;

    if (buttons->type != SETTER_JSON_ARRAY) {
        check->report(check->owner, "buttons", SETTER_FIELD_BAD_TYPE);
        return SETTER_OK;
    }

    rest = buttons->text;

    for (n = 0, rc = SETTER_OK; setter_json_next(&rest, &one)
                                && rc == SETTER_OK; n++)
    {
        if (n < SETTER_SEND_NBUTTONS) {
            rc = setter_send_button(check, one);
        }
    }

    if (n == 0) {
        check->report(check->owner, "buttons", SETTER_FIELD_EMPTY);

    } else if (n > SETTER_SEND_NBUTTONS) {
        check->report(check->owner, "buttons", SETTER_FIELD_TOO_LONG);
    }

    if (setter_send_characters(job->text) > SETTER_SEND_BODY) {
        check->report(check->owner, "message", SETTER_FIELD_TOO_LONG);
    }

    return rc;
}


static int
setter_send_button(const setter_send_check_t *check, setter_str_t json)
{
    setter_json_error_e  error;
    setter_json_value_t  values[2];

    static const setter_json_path_t  paths[] = { { "id", 0 },
                                                 { "title", 0 } };

    error = setter_json_read(json.data, json.len, SETTER_JSON_REPAIR, paths,
                             2, values, NULL, check->alloc);

    if (error == SETTER_JSON_NO_MEMORY) {
        return SETTER_NO_MEMORY;
    }

    if (error != SETTER_JSON_OK) {
        check->report(check->owner, "buttons", SETTER_FIELD_BAD_TYPE);
        return SETTER_OK;
    }

    setter_send_text(check, "buttons.id", &values[0], 1,
                     SETTER_SEND_BUTTON_ID);
    setter_send_text(check, "buttons.title", &values[1], 1,
                     SETTER_SEND_TITLE);

    return SETTER_OK;
}


static void
setter_send_text(const setter_send_check_t *check, const char *field,
    const setter_json_value_t *value, int required, size_t max)
{
    if (!setter_send_given(value)) {
        if (required) {
            check->report(check->owner, field, SETTER_FIELD_REQUIRED);
        }

    } else if (value->type != SETTER_JSON_STRING) {
        check->report(check->owner, field, SETTER_FIELD_BAD_TYPE);

    } else if (value->text.len == 0) {
        check->report(check->owner, field, SETTER_FIELD_EMPTY);

    } else if (setter_send_characters(value->text) > max) {
        check->report(check->owner, field, SETTER_FIELD_TOO_LONG);
    }
}


static int
setter_send_given(const setter_json_value_t *value)
{
    return value->type != SETTER_JSON_ABSENT
           && value->type != SETTER_JSON_NULL;
}


/* Of UTF-8. */
static size_t
setter_send_characters(setter_str_t text)
{
    size_t  i, n;

    for (i = 0, n = 0; i < text.len; i++) {
        n += ((unsigned char) text.data[i] & 0xc0) != 0x80;
    }

    return n;
}
