/*
 * Twilio's webhooks for WhatsApp: a form with one message, as "Twilio's
 * request to your incoming message Webhook URL" has it, or with the status of
 * one of ours.
 */

#include <stdio.h>
#include <string.h>

#include "setter_form.h"
#include "setter_format_tables.h"


#define SETTER_TWILIO_DATA   512    /* bytes that "data" has at first */
#define SETTER_TWILIO_MEDIA  10     /* files of a message */


enum {
    TWILIO_ID,
    TWILIO_ID_SMS,
    TWILIO_ID_OLD,
    TWILIO_FROM,
    TWILIO_TO,
    TWILIO_BODY,
    TWILIO_TYPE,
    TWILIO_STATUS,
    TWILIO_STATUS_SMS,
    TWILIO_ERROR,
    TWILIO_REASON,
    TWILIO_PROFILE,
    TWILIO_LABEL,
    TWILIO_LATITUDE,
    TWILIO_NPATHS
};

static const setter_json_path_t  setter_twilio_paths[TWILIO_NPATHS] = {
    { "MessageSid", 0 },
    { "SmsSid", 0 },
    { "SmsMessageSid", 0 },
    { "From", 0 },
    { "To", 0 },
    { "Body", 0 },
    { "MessageType", SETTER_JSON_KEEP },
    { "MessageStatus", 0 },
    { "SmsStatus", 0 },
    { "ErrorCode", 0 },
    { "ErrorMessage", 0 },
    { "ProfileName", 0 },
    { "Label", SETTER_JSON_KEEP },
    { "Latitude", SETTER_JSON_KEEP }
};

/* What a message of that type is, and what stands for a text it lacks. */
static const struct {
    const char  *type;
    const char  *as;
    const char  *otherwise;
} setter_twilio_types[] = {
    { "text", "text", NULL },
    { "button", "button", NULL },
    { "interactive", "list", NULL },
    { "image", "image", "[image]" },
    { "video", "video", "[video]" },
    { "document", "document", "[document]" },
    { "audio", "audio", "[audio]" },
    { "sticker", "sticker", "[sticker]" },
    { "contacts", "contacts", "[contacts]" },
    { "location", "location", "[location]" }
};

#define SETTER_TWILIO_NTYPES                                                  \
    (sizeof(setter_twilio_types) / sizeof(setter_twilio_types[0]))


static int setter_twilio_events(setter_str_t body, setter_events_t *events);
static int setter_twilio_told(setter_str_t json, setter_events_t *events);
static int setter_twilio_status(setter_event_t *event,
    const setter_json_value_t *values, setter_alloc_t *alloc);
static int setter_twilio_said(setter_event_t *event, setter_str_t json,
    const setter_json_value_t *values, setter_alloc_t *alloc);
static void setter_twilio_content(setter_event_t *event,
    const setter_json_value_t *values);
static int setter_twilio_media(setter_event_t *event, setter_str_t json,
    setter_alloc_t *alloc);
static setter_str_t setter_twilio_address(setter_str_t text);


const setter_format_t  setter_format_twilio = {
    .name = "twilio",
    .provider = "twilio",
    .kind = "message",
    .hook = 1,
    .events = setter_twilio_events,
    .answer = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
              "<Response></Response>",
    .answer_type = "text/xml"
};


/* The form becomes an object, which is read like those of others. */
static int
setter_twilio_events(setter_str_t body, setter_events_t *events)
{
    int                   rc;
    size_t                n;
    setter_buf_t          json;
    setter_form_field_t  *fields;

    rc = setter_form_read(body, &fields, &n, events->alloc);

    if (rc != SETTER_OK || n == 0) {
        return rc == SETTER_NO_MEMORY ? rc : SETTER_ERROR;
    }

    setter_buf_init(&json, events->alloc, body.len + 8 * n);
    setter_form_json(&json, fields, n);

    return json.failed ? SETTER_NO_MEMORY
           : setter_twilio_told((setter_str_t) { json.len, json.data },
                                events);
}


static int
setter_twilio_told(setter_str_t json, setter_events_t *events)
{
    int                   rc;
    setter_buf_t          data;
    setter_event_t       *event;
    setter_json_value_t   values[TWILIO_NPATHS];

    setter_buf_init(&data, events->alloc, SETTER_TWILIO_DATA);
    rc = setter_event_read(json, setter_twilio_paths, TWILIO_NPATHS, values,
                           &data, events->alloc);

    if (rc != SETTER_OK || data.failed) {
        return rc == SETTER_ERROR ? rc : SETTER_NO_MEMORY;
    }

    if (values[TWILIO_ID].type == SETTER_JSON_ABSENT
        && values[TWILIO_FROM].type == SETTER_JSON_ABSENT)
    {
        return SETTER_ERROR;
    }

    event = setter_event_add(events);
    if (event == NULL) {
        return SETTER_NO_MEMORY;
    }

    event->job.provider = (setter_str_t) setter_str("twilio");

    if (values[TWILIO_STATUS].text.len > 0
        && values[TWILIO_BODY].type == SETTER_JSON_ABSENT)
    {
        return setter_twilio_status(event, values, events->alloc);
    }

    event->job.data.data = data.data;
    event->job.data.len = data.len;

    return setter_twilio_said(event, json, values, events->alloc);
}


/* What the worker reads of it: workers/channel/twilio_report.c. */
static int
setter_twilio_status(setter_event_t *event,
    const setter_json_value_t *values, setter_alloc_t *alloc)
{
    setter_buf_t  element;

    event->job.to = setter_twilio_address(values[TWILIO_FROM].text);

    setter_buf_init(&element, alloc, 256);
    setter_buf_byte(&element, '{');
    setter_json_name(&element, "MessageSid");
    setter_json_value(&element, &values[TWILIO_ID]);
    setter_json_name(&element, "MessageStatus");
    setter_json_value(&element, &values[TWILIO_STATUS]);
    setter_json_name(&element, "ErrorCode");
    setter_json_value(&element, &values[TWILIO_ERROR]);
    setter_json_name(&element, "ErrorMessage");
    setter_json_value(&element, &values[TWILIO_REASON]);
    setter_buf_byte(&element, '}');

    return element.failed ? SETTER_NO_MEMORY
           : setter_event_status(event, "statuses",
                                 (setter_str_t) { element.len, element.data },
                                 values[TWILIO_ID].text,
                                 values[TWILIO_STATUS].text, alloc);
}


static int
setter_twilio_said(setter_event_t *event, setter_str_t json,
    const setter_json_value_t *values, setter_alloc_t *alloc)
{
    setter_buf_t  profile;

    event->job.kind = (setter_str_t) setter_str("message");
    event->job.channel = (setter_str_t) setter_str("whatsapp");
    event->job.from = setter_twilio_address(values[TWILIO_FROM].text);
    event->job.to = setter_twilio_address(values[TWILIO_TO].text);
    event->job.provider_id = values[TWILIO_ID].text;
    event->key = values[TWILIO_ID].text;

    if (!setter_event_addressed(event)) {
        return SETTER_OK;
    }

    if (values[TWILIO_PROFILE].text.len > 0) {
        setter_buf_init(&profile, alloc, 64);
        setter_buf_byte(&profile, '{');
        setter_json_member(&profile, "name", values[TWILIO_PROFILE].text);
        setter_buf_byte(&profile, '}');

        if (profile.failed) {
            return SETTER_NO_MEMORY;
        }

        event->job.profile.data = profile.data;
        event->job.profile.len = profile.len;
    }

    setter_twilio_content(event, values);

    return setter_twilio_media(event, json, alloc);
}


/* Of a type that is not known the text counts. */
static void
setter_twilio_content(setter_event_t *event,
    const setter_json_value_t *values)
{
    size_t        i;
    setter_str_t  text;
    const char   *as, *otherwise;

    as = "text";
    otherwise = NULL;

    for (i = 0; i < SETTER_TWILIO_NTYPES; i++) {
        if (setter_str_is(values[TWILIO_TYPE].text,
                          setter_twilio_types[i].type))
        {
            as = setter_twilio_types[i].as;
            otherwise = setter_twilio_types[i].otherwise;
        }
    }

    text = values[TWILIO_BODY].text;

    if (text.len == 0 && values[TWILIO_LATITUDE].text.len > 0) {
        as = "location";
        text = values[TWILIO_LABEL].text;
        otherwise = "[location]";
    }

    event->job.type.data = as;
    event->job.type.len = strlen(as);
    setter_event_text(event, text, otherwise);
}


/* [{"url":"…","type":"image/png"},…] */
static int
setter_twilio_media(setter_event_t *event, setter_str_t json,
    setter_alloc_t *alloc)
{
    int                  i, rc;
    char                 names[2 * SETTER_TWILIO_MEDIA][24];
    setter_buf_t         media;
    setter_json_path_t   paths[2 * SETTER_TWILIO_MEDIA];
    setter_json_value_t  values[2 * SETTER_TWILIO_MEDIA];

    for (i = 0; i < SETTER_TWILIO_MEDIA; i++) {
        snprintf(names[2 * i], sizeof(names[0]), "MediaUrl%d", i);
        snprintf(names[2 * i + 1], sizeof(names[0]), "MediaContentType%d", i);
        paths[2 * i].path = names[2 * i];
        paths[2 * i].flags = 0;
        paths[2 * i + 1].path = names[2 * i + 1];
        paths[2 * i + 1].flags = 0;
    }

    rc = setter_event_read(json, paths, 2 * SETTER_TWILIO_MEDIA, values, NULL,
                           alloc);

    if (rc != SETTER_OK || values[0].text.len == 0) {
        return rc == SETTER_NO_MEMORY ? rc : SETTER_OK;
    }

    setter_buf_init(&media, alloc, 256);
    setter_buf_byte(&media, '[');

    for (i = 0; i < SETTER_TWILIO_MEDIA && values[2 * i].text.len > 0; i++) {
        setter_buf_append(&media, ",", i > 0);
        setter_buf_byte(&media, '{');
        setter_json_member(&media, "url", values[2 * i].text);
        setter_json_member(&media, "type", values[2 * i + 1].text);
        setter_buf_byte(&media, '}');
    }

    setter_buf_byte(&media, ']');

    if (media.failed) {
        return SETTER_NO_MEMORY;
    }

    event->job.media.data = media.data;
    event->job.media.len = media.len;

    /* a file of whatever type is something to answer */

    if (event->aside != NULL) {
        setter_event_text(event, (setter_str_t) { 0, NULL }, "[document]");
    }

    return SETTER_OK;
}


/* "whatsapp:+15550100001" is the number's digits, as other providers say. */
static setter_str_t
setter_twilio_address(setter_str_t text)
{
    size_t  len;

    len = sizeof("whatsapp:") - 1;

    if (text.len > len && memcmp(text.data, "whatsapp:", len) == 0) {
        text.data += len;
        text.len -= len;
    }

    if (text.len > 1 && text.data[0] == '+') {
        text.data++;
        text.len--;
    }

    return text;
}
