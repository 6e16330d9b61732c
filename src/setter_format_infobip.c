/*
 * Infobip's WhatsApp webhook: results[] of inbound messages ("Receive
 * WhatsApp inbound message") and of delivery and seen reports, told apart by
 * their shape.  Where messages and reports come to URLs of their own, reports
 * may also go to setter_format_infobip_status.c.
 */

#include <string.h>

#include "setter_format_tables.h"
#include "setter_time.h"


#define SETTER_INFOBIP_DATA  256    /* bytes that "data" has at first */


enum {
    RESULT_ID,
    RESULT_FROM,
    RESULT_TO,
    RESULT_RECEIVED,
    RESULT_MESSAGE,
    RESULT_TYPE,
    RESULT_TEXT,
    RESULT_TITLE,
    RESULT_CAPTION,
    RESULT_URL,
    RESULT_NAME,
    RESULT_CONTACT,
    RESULT_USER,
    RESULT_STATE,
    RESULT_DONE,
    RESULT_SEEN,
    RESULT_NPATHS
};

static const setter_json_path_t  setter_infobip_result[RESULT_NPATHS] = {
    { "messageId", 0 },
    { "from", 0 },
    { "to", 0 },
    { "receivedAt", 0 },
    { "message", SETTER_JSON_TEXT|SETTER_JSON_KEEP },
    { "message.type", 0 },
    { "message.text", 0 },
    { "message.title", 0 },
    { "message.caption", 0 },
    { "message.url", 0 },
    { "message.name", 0 },
    { "contact", SETTER_JSON_TEXT },
    { "contact.userId", 0 },
    { "status.groupName", 0 },
    { "doneAt", 0 },
    { "seenAt", 0 }
};

/* What a message of that type is, and its text or what stands for it. */
static const struct {
    const char  *type;
    const char  *as;
    int          text;
    const char  *otherwise;         /* NULL: without a text there is no job */
} setter_infobip_types[] = {
    { "TEXT", "text", RESULT_TEXT, NULL },
    { "BUTTON", "button", RESULT_TEXT, NULL },
    { "INTERACTIVE_BUTTON_REPLY", "button", RESULT_TITLE, NULL },
    { "INTERACTIVE_LIST_REPLY", "list", RESULT_TITLE, NULL },
    { "INTERACTIVE_FLOW_REPLY", "flow", RESULT_TEXT, "[flow]" },
    { "ORDER", "order", RESULT_TEXT, "[order]" },
    { "IMAGE", "image", RESULT_CAPTION, "[image]" },
    { "VIDEO", "video", RESULT_CAPTION, "[video]" },
    { "DOCUMENT", "document", RESULT_CAPTION, "[document]" },
    { "AUDIO", "audio", RESULT_CAPTION, "[audio]" },
    { "VOICE", "voice", RESULT_CAPTION, "[audio]" },
    { "STICKER", "sticker", RESULT_CAPTION, "[sticker]" },
    { "LOCATION", "location", RESULT_NAME, "[location]" },
    { "CONTACT", "contacts", RESULT_NAME, "[contacts]" }
};

#define SETTER_INFOBIP_NTYPES                                                 \
    (sizeof(setter_infobip_types) / sizeof(setter_infobip_types[0]))


static int setter_infobip_events(setter_str_t body, setter_events_t *events);
static int setter_infobip_told(setter_str_t element, setter_events_t *events);
static void setter_infobip_said(setter_event_t *event,
    const setter_json_value_t *values);
static void setter_infobip_content(setter_event_t *event,
    const setter_json_value_t *values);
static int64_t setter_infobip_time(setter_str_t text);


const setter_format_t  setter_format_infobip = {
    .name = "infobip",
    .provider = "infobip",
    .kind = "message",
    .hook = 1,
    .events = setter_infobip_events
};


static int
setter_infobip_events(setter_str_t body, setter_events_t *events)
{
    int                       rc;
    setter_str_t              element;
    setter_json_value_t       results;
    const setter_json_path_t  path = { "results", SETTER_JSON_TEXT };

    rc = setter_event_read(body, &path, 1, &results, NULL, events->alloc);

    if (rc == SETTER_OK && results.type != SETTER_JSON_ARRAY) {
        return SETTER_ERROR;
    }

    while (rc == SETTER_OK && setter_json_next(&results.text, &element)) {
        rc = setter_infobip_told(element, events);
    }

    return rc;
}


static int
setter_infobip_told(setter_str_t element, setter_events_t *events)
{
    int                   rc, seen;
    setter_buf_t          data;
    setter_event_t       *event;
    setter_json_value_t   values[RESULT_NPATHS];

    event = setter_event_add(events);
    if (event == NULL) {
        return SETTER_NO_MEMORY;
    }

    setter_buf_init(&data, events->alloc, SETTER_INFOBIP_DATA);
    rc = setter_event_read(element, setter_infobip_result, RESULT_NPATHS,
                           values, &data, events->alloc);

    if (rc != SETTER_OK || data.failed) {
        event->aside = "malformed";
        return rc == SETTER_ERROR ? SETTER_OK : SETTER_NO_MEMORY;
    }

    event->job.provider = (setter_str_t) setter_str("infobip");

    if (values[RESULT_MESSAGE].type == SETTER_JSON_OBJECT) {
        event->job.data.data = data.data;
        event->job.data.len = data.len;
        setter_infobip_said(event, values);

        return SETTER_OK;
    }

    /* without a "from" it is not known which of our numbers it was */

    seen = values[RESULT_SEEN].text.len > 0;
    event->job.to = values[RESULT_FROM].text;
    event->time_ms = setter_infobip_time(
                         values[seen ? RESULT_SEEN : RESULT_DONE].text);

    return setter_event_status(event, "results", element,
                               values[RESULT_ID].text,
                               seen ? (setter_str_t) setter_str("SEEN")
                                    : values[RESULT_STATE].text,
                               events->alloc);
}


static void
setter_infobip_said(setter_event_t *event, const setter_json_value_t *values)
{
    event->job.kind = (setter_str_t) setter_str("message");
    event->job.channel = (setter_str_t) setter_str("whatsapp");
    event->job.to = values[RESULT_TO].text;
    event->job.provider_id = values[RESULT_ID].text;
    event->key = values[RESULT_ID].text;
    event->time_ms = setter_infobip_time(values[RESULT_RECEIVED].text);

    /* who shows no number has a business-scoped id */
    event->job.from = values[RESULT_FROM].text.len > 0
                      ? values[RESULT_FROM].text : values[RESULT_USER].text;

    if (values[RESULT_CONTACT].type == SETTER_JSON_OBJECT) {
        event->job.profile = values[RESULT_CONTACT].text;
    }

    if (setter_event_addressed(event)) {
        setter_infobip_content(event, values);
    }
}


/* Type, text and media. */
static void
setter_infobip_content(setter_event_t *event,
    const setter_json_value_t *values)
{
    size_t  i;

    event->aside = setter_str_is(values[RESULT_TYPE].text, "REACTION")
                   ? "reaction" : "unsupported";

    for (i = 0; i < SETTER_INFOBIP_NTYPES; i++) {

        if (!setter_str_is(values[RESULT_TYPE].text,
                           setter_infobip_types[i].type))
        {
            continue;
        }

        event->job.type.data = setter_infobip_types[i].as;
        event->job.type.len = strlen(setter_infobip_types[i].as);
        setter_event_text(event, values[setter_infobip_types[i].text].text,
                          setter_infobip_types[i].otherwise);

        if (values[RESULT_URL].text.len > 0) {
            event->job.media = values[RESULT_MESSAGE].text;
        }

        return;
    }
}


static int64_t
setter_infobip_time(setter_str_t text)
{
    int64_t  ms;

    ms = setter_time_read(text);

    return ms > 0 ? ms : 0;
}
