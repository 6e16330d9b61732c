#include <string.h>

#include "setter_format_tables.h"
#include "setter_time.h"


/* a number that is not below this one is of ms */
#define SETTER_FIELD_TIME_SECONDS  100000000000
#define SETTER_FIELD_TIME_DIGITS   14           /* until the year 5138 */


static int setter_field_blank(setter_str_t text, int variables);
static const char *setter_skip_space(const char *p, const char *end);


static const setter_format_t *const  setter_formats[] = {
    &setter_format_manychat,
    &setter_format_manychat_contact,
    &setter_format_engine,
    &setter_format_generic,
    &setter_format_infobip,
    &setter_format_infobip_status,
    &setter_format_instagram,
    &setter_format_meta,
    &setter_format_twilio
};

static const struct {
    const char  *name;
    size_t       member;
} setter_settable[] = {
    { "channel", setter_job_member(channel) },
    { "consumer", setter_job_member(consumer) },
    { "workflow", setter_job_member(workflow) },
    { "from", setter_job_member(from) },
    { "to", setter_job_member(to) },
    { "text", setter_job_member(text) },
    { "type", setter_job_member(type) },
    { "provider", setter_job_member(provider) },
    { "provider_id", setter_job_member(provider_id) }
};


const setter_format_t *
setter_format_find(setter_str_t name)
{
    size_t  i;

    for (i = 0; i < sizeof(setter_formats) / sizeof(setter_formats[0]); i++) {
        if (setter_str_is(name, setter_formats[i]->name)) {
            return setter_formats[i];
        }
    }

    return NULL;
}


const setter_format_t *
setter_format_outgoing(void)
{
    return &setter_format_send;
}


setter_str_t
setter_format_channel(setter_str_t provider)
{
    static const setter_str_t  whatsapp = setter_str("whatsapp");

    return setter_str_is(provider, "infobip")
           || setter_str_is(provider, "twilio") ? whatsapp : provider;
}


size_t
setter_format_member(setter_str_t name)
{
    size_t  i;

    for (i = 0; i < sizeof(setter_settable) / sizeof(setter_settable[0]);
         i++)
    {
        if (setter_str_is(name, setter_settable[i].name)) {
            return setter_settable[i].member;
        }
    }

    return SETTER_FIELD_DATA;
}


const char *
setter_field_strerror(setter_field_error_e error)
{
    switch (error) {

    case SETTER_FIELD_OK:
        return "ok";

    case SETTER_FIELD_REQUIRED:
        return "required";

    case SETTER_FIELD_EMPTY:
        return "empty";

    case SETTER_FIELD_BAD_TYPE:
        return "type";

    case SETTER_FIELD_TOO_LONG:
        return "too_long";

    case SETTER_FIELD_ENCODING:
        return "encoding";

    case SETTER_FIELD_UNSUPPORTED:
        return "unsupported";
    }

    return "unknown";
}


setter_field_error_e
setter_field_check(const setter_format_field_t *field,
    const setter_json_value_t *value)
{
    if (value->type == SETTER_JSON_ABSENT || value->type == SETTER_JSON_NULL) {
        return field->required ? SETTER_FIELD_REQUIRED : SETTER_FIELD_OK;
    }

    switch (field->type) {

    case SETTER_FIELD_TEXT:
        if (value->type != SETTER_JSON_STRING) {
            return SETTER_FIELD_BAD_TYPE;
        }

        break;

    case SETTER_FIELD_ID:
        if (value->type != SETTER_JSON_STRING
            && value->type != SETTER_JSON_NUMBER)
        {
            return SETTER_FIELD_BAD_TYPE;
        }

        if (value->text.len > SETTER_FIELD_ID_MAX) {
            return SETTER_FIELD_TOO_LONG;
        }

        break;

    case SETTER_FIELD_OBJECT:
        if (value->type != SETTER_JSON_OBJECT) {
            return SETTER_FIELD_BAD_TYPE;
        }

        break;

    case SETTER_FIELD_JSON:
        break;

    case SETTER_FIELD_TIME:
        if (setter_field_time(value) < 0
            && !setter_field_absent(field, value))
        {
            return SETTER_FIELD_BAD_TYPE;
        }

        break;
    }

    if (field->required && setter_field_absent(field, value)) {
        return SETTER_FIELD_EMPTY;
    }

    return SETTER_FIELD_OK;
}


int
setter_field_absent(const setter_format_field_t *field,
    const setter_json_value_t *value)
{
    switch (value->type) {

    case SETTER_JSON_ABSENT:
    case SETTER_JSON_NULL:
        return 1;

    case SETTER_JSON_STRING:
        return setter_field_blank(value->text, field->variables);

    default:
        return 0;
    }
}


int64_t
setter_field_time(const setter_json_value_t *value)
{
    size_t   i;
    int64_t  number;

    if (value->type == SETTER_JSON_STRING) {
        return setter_time_read(value->text);
    }

    if (value->type != SETTER_JSON_NUMBER
        || value->text.len > SETTER_FIELD_TIME_DIGITS)
    {
        return -1;
    }

    number = 0;

    for (i = 0; i < value->text.len; i++) {
        if (value->text.data[i] < '0' || value->text.data[i] > '9') {
            return -1;
        }

        number = 10 * number + (value->text.data[i] - '0');
    }

    return number < SETTER_FIELD_TIME_SECONDS ? number * 1000 : number;
}


/* Only white space, or a single variable that nobody filled in. */
static int
setter_field_blank(setter_str_t text, int variables)
{
    const char  *p, *end;

    end = text.data + text.len;
    p = setter_skip_space(text.data, end);

    if (variables && end - p >= 4 && p[0] == '{' && p[1] == '{') {
        p = memmem(p + 2, end - p - 2, "}}", 2);

        return p != NULL && setter_skip_space(p + 2, end) == end;
    }

    return p == end;
}


/* White space as Unicode has it, and the byte order mark. */
static const char *
setter_skip_space(const char *p, const char *end)
{
    size_t                    i, len;

    static const char *const  spaces[] = {
        " ", "\t", "\n", "\v", "\f", "\r",
        "\xc2\x85", "\xc2\xa0", "\xe1\x9a\x80", "\xe2\x80\x80",
        "\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84",
        "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88",
        "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9",
        "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80", "\xef\xbb\xbf"
    };

again:

    if (p < end && *p > ' ' && *p < 0x7f) {
        return p;
    }

    for (i = 0; i < sizeof(spaces) / sizeof(spaces[0]); i++) {
        len = strlen(spaces[i]);

        if ((size_t) (end - p) >= len && memcmp(p, spaces[i], len) == 0) {
            p += len;
            goto again;
        }
    }

    return p;
}
