/*
 * Meta's WhatsApp Cloud API: messages and statuses, any number in one body:
 * entry[] of changes[] of messages[] and statuses[], as the "messages webhook
 * reference" and the "Status messages webhook reference" have them.
 */

#include <string.h>

#include "setter_format_tables.h"


#define SETTER_META_DATA  256       /* bytes that "data" has at first */


enum {
    CHANGE_FIELD,
    CHANGE_NUMBER,
    CHANGE_MESSAGES,
    CHANGE_STATUSES,
    CHANGE_CONTACTS,
    CHANGE_NPATHS
};

static const setter_json_path_t  setter_meta_change[CHANGE_NPATHS] = {
    { "field", 0 },
    { "value.metadata.phone_number_id", 0 },
    { "value.messages", SETTER_JSON_TEXT },
    { "value.statuses", SETTER_JSON_TEXT },
    { "value.contacts", SETTER_JSON_TEXT }
};

enum {
    MESSAGE_ID,
    MESSAGE_TIME,
    MESSAGE_TYPE,
    MESSAGE_FROM,
    MESSAGE_USER,
    MESSAGE_GROUP,
    MESSAGE_TEXT,
    MESSAGE_BUTTON,
    MESSAGE_INTERACTIVE,
    MESSAGE_ORDER,
    MESSAGE_IMAGE,
    MESSAGE_VIDEO,
    MESSAGE_DOCUMENT,
    MESSAGE_AUDIO,
    MESSAGE_STICKER,
    MESSAGE_LOCATION,
    MESSAGE_CONTACTS,
    MESSAGE_NPATHS
};

static const setter_json_path_t  setter_meta_message[MESSAGE_NPATHS] = {
    { "id", 0 },
    { "timestamp", 0 },
    { "type", 0 },
    { "from", 0 },
    { "from_user_id", 0 },
    { "group_id", 0 },
    { "text", SETTER_JSON_TEXT },
    { "button", SETTER_JSON_TEXT|SETTER_JSON_KEEP },
    { "interactive", SETTER_JSON_TEXT|SETTER_JSON_KEEP },
    { "order", SETTER_JSON_TEXT|SETTER_JSON_KEEP },
    { "image", SETTER_JSON_TEXT },
    { "video", SETTER_JSON_TEXT },
    { "document", SETTER_JSON_TEXT },
    { "audio", SETTER_JSON_TEXT },
    { "sticker", SETTER_JSON_TEXT },
    { "location", SETTER_JSON_TEXT|SETTER_JSON_KEEP },
    { "contacts", SETTER_JSON_TEXT|SETTER_JSON_KEEP }
};

/*
 * What a message of that type is, and where its text stands in the member of
 * its own.  Of several lines the first that finds a text counts; what has none
 * is told by its type, "[image]".
 */
static const struct {
    const char  *type;
    const char  *as;
    int          member;
    unsigned     media:1;
    const char  *path;
    const char  *otherwise;         /* NULL: without a text there is no job */
} setter_meta_types[] = {
    { "text", "text", MESSAGE_TEXT, 0, "body", NULL },
    { "button", "button", MESSAGE_BUTTON, 0, "text", NULL },
    { "interactive", "button", MESSAGE_INTERACTIVE, 0, "button_reply.title",
      NULL },
    { "interactive", "list", MESSAGE_INTERACTIVE, 0, "list_reply.title",
      NULL },
    { "interactive", "flow", MESSAGE_INTERACTIVE, 0, "nfm_reply.body",
      "[flow]" },
    { "order", "order", MESSAGE_ORDER, 0, "text", "[order]" },
    { "image", "image", MESSAGE_IMAGE, 1, "caption", "[image]" },
    { "video", "video", MESSAGE_VIDEO, 1, "caption", "[video]" },
    { "document", "document", MESSAGE_DOCUMENT, 1, "caption", "[document]" },
    { "audio", "audio", MESSAGE_AUDIO, 1, "caption", "[audio]" },
    { "sticker", "sticker", MESSAGE_STICKER, 1, "caption", "[sticker]" },
    { "location", "location", MESSAGE_LOCATION, 0, "name", "[location]" },
    { "contacts", "contacts", MESSAGE_CONTACTS, 0, "name", "[contacts]" }
};

#define SETTER_META_NTYPES                                                    \
    (sizeof(setter_meta_types) / sizeof(setter_meta_types[0]))


static int setter_meta_events(setter_str_t body, setter_events_t *events);
static int setter_meta_entry(setter_str_t entry, setter_events_t *events);
static int setter_meta_changed(setter_str_t change, setter_events_t *events);
static int setter_meta_said(setter_str_t element,
    const setter_json_value_t *change, setter_events_t *events);
static int setter_meta_sender(setter_event_t *event,
    const setter_json_value_t *values);
static int setter_meta_content(setter_event_t *event,
    const setter_json_value_t *values, setter_alloc_t *alloc);
static int setter_meta_profile(setter_event_t *event, setter_str_t contacts,
    setter_alloc_t *alloc);
static int setter_meta_status(setter_str_t element, setter_str_t number,
    setter_events_t *events);
static int64_t setter_meta_time(setter_str_t text);


const setter_format_t  setter_format_meta = {
    .name = "meta",
    .provider = "meta",
    .kind = "message",
    .hook = 1,
    .events = setter_meta_events
};


static int
setter_meta_events(setter_str_t body, setter_events_t *events)
{
    int                       rc;
    setter_str_t              entry;
    setter_json_value_t       entries;
    const setter_json_path_t  path = { "entry", SETTER_JSON_TEXT };

    rc = setter_event_read(body, &path, 1, &entries, NULL, events->alloc);

    if (rc != SETTER_OK) {
        return rc;
    }

    if (entries.type != SETTER_JSON_ARRAY) {
        return SETTER_ERROR;
    }

    while (setter_json_next(&entries.text, &entry)) {
        rc = setter_meta_entry(entry, events);

        if (rc != SETTER_OK) {
            return rc;
        }
    }

    return SETTER_OK;
}


static int
setter_meta_entry(setter_str_t entry, setter_events_t *events)
{
    int                       rc;
    setter_str_t              change;
    setter_json_value_t       changes;
    const setter_json_path_t  path = { "changes", SETTER_JSON_TEXT };

    rc = setter_event_read(entry, &path, 1, &changes, NULL, events->alloc);

    if (rc == SETTER_ERROR
        || (rc == SETTER_OK && changes.type != SETTER_JSON_ARRAY))
    {
        return setter_event_aside(events, "malformed");
    }

    while (rc == SETTER_OK && setter_json_next(&changes.text, &change)) {
        rc = setter_meta_changed(change, events);
    }

    return rc;
}


static int
setter_meta_changed(setter_str_t change, setter_events_t *events)
{
    int                  rc;
    setter_str_t         element;
    setter_json_value_t  values[CHANGE_NPATHS];

    rc = setter_event_read(change, setter_meta_change, CHANGE_NPATHS, values,
                          NULL, events->alloc);

    if (rc == SETTER_NO_MEMORY) {
        return rc;
    }

    if (rc == SETTER_ERROR || values[CHANGE_NUMBER].text.len == 0) {

        /* other fields come to the same URL where they are subscribed */

        return setter_event_aside(events, rc == SETTER_OK
                                         && values[CHANGE_FIELD].text.len > 0
                                         && !setter_str_is(
                                                values[CHANGE_FIELD].text,
                                                "messages")
                                         ? "field" : "malformed");
    }

    if (values[CHANGE_MESSAGES].type != SETTER_JSON_ARRAY
        && values[CHANGE_STATUSES].type != SETTER_JSON_ARRAY)
    {
        return setter_event_aside(events, "errors");
    }

    while (rc == SETTER_OK
           && values[CHANGE_MESSAGES].type == SETTER_JSON_ARRAY
           && setter_json_next(&values[CHANGE_MESSAGES].text, &element))
    {
        rc = setter_meta_said(element, values, events);
    }

    while (rc == SETTER_OK
           && values[CHANGE_STATUSES].type == SETTER_JSON_ARRAY
           && setter_json_next(&values[CHANGE_STATUSES].text, &element))
    {
        rc = setter_meta_status(element, values[CHANGE_NUMBER].text, events);
    }

    return rc;
}


static int
setter_meta_said(setter_str_t element, const setter_json_value_t *change,
    setter_events_t *events)
{
    int                   rc;
    setter_buf_t          data;
    setter_event_t       *event;
    setter_json_value_t   values[MESSAGE_NPATHS];

    event = setter_event_add(events);
    if (event == NULL) {
        return SETTER_NO_MEMORY;
    }

    setter_buf_init(&data, events->alloc, SETTER_META_DATA);
    rc = setter_event_read(element, setter_meta_message, MESSAGE_NPATHS,
                          values, &data, events->alloc);

    if (rc != SETTER_OK || data.failed) {
        event->aside = "malformed";
        return rc == SETTER_ERROR ? SETTER_OK : SETTER_NO_MEMORY;
    }

    event->job.kind = (setter_str_t) setter_str("message");
    event->job.provider = (setter_str_t) setter_str("meta");
    event->job.channel = (setter_str_t) setter_str("whatsapp");
    event->job.to = change[CHANGE_NUMBER].text;
    event->job.provider_id = values[MESSAGE_ID].text;
    event->job.data.data = data.data;
    event->job.data.len = data.len;
    event->key = values[MESSAGE_ID].text;
    event->time_ms = setter_meta_time(values[MESSAGE_TIME].text);

    if (setter_meta_sender(event, values) != SETTER_OK) {
        return SETTER_OK;
    }

    rc = setter_meta_content(event, values, events->alloc);

    return rc == SETTER_OK && event->aside == NULL
           && change[CHANGE_CONTACTS].type == SETTER_JSON_ARRAY
           ? setter_meta_profile(event, change[CHANGE_CONTACTS].text,
                                 events->alloc)
           : rc;
}


/* Who has no number is known by a business-scoped id. */
static int
setter_meta_sender(setter_event_t *event, const setter_json_value_t *values)
{
    event->job.from = values[MESSAGE_FROM].text.len > 0
                      ? values[MESSAGE_FROM].text : values[MESSAGE_USER].text;

    if (setter_event_addressed(event) && values[MESSAGE_GROUP].text.len > 0) {
        event->aside = "group";
    }

    return event->aside == NULL ? SETTER_OK : SETTER_ERROR;
}


/* Type, text and media. */
static int
setter_meta_content(setter_event_t *event, const setter_json_value_t *values,
    setter_alloc_t *alloc)
{
    int                        rc;
    size_t                     i;
    setter_json_value_t        found[2];
    const setter_json_value_t  *member;

    event->aside = setter_str_is(values[MESSAGE_TYPE].text, "reaction")
                   ? "reaction" : "unsupported";

    for (i = 0; i < SETTER_META_NTYPES && event->job.text.len == 0; i++) {
        const setter_json_path_t  paths[2] = {
            { setter_meta_types[i].path, 0 }, { "voice", 0 }
        };

        member = &values[setter_meta_types[i].member];

        if (!setter_str_is(values[MESSAGE_TYPE].text,
                           setter_meta_types[i].type))
        {
            continue;
        }

        memset(found, 0, sizeof(found));
        rc = setter_event_read(member->text, paths, 2, found, NULL, alloc);

        if (rc == SETTER_NO_MEMORY) {
            return rc;
        }

        event->job.type.data = setter_meta_types[i].as;

        if (found[1].type == SETTER_JSON_TRUE) {
            event->job.type.data = "voice";
        }

        event->job.type.len = strlen(event->job.type.data);
        setter_event_text(event, found[0].text,
                          setter_meta_types[i].otherwise);

        if (setter_meta_types[i].media
            && member->type == SETTER_JSON_OBJECT)
        {
            event->job.media = member->text;
        }
    }

    return SETTER_OK;
}


/* Contacts need not stand in the order of the messages. */
static int
setter_meta_profile(setter_event_t *event, setter_str_t contacts,
    setter_alloc_t *alloc)
{
    int                  rc;
    setter_str_t         contact;
    setter_json_value_t  values[3];

    static const setter_json_path_t  paths[3] = {
        { "wa_id", 0 }, { "user_id", 0 }, { "profile", SETTER_JSON_TEXT }
    };

    while (setter_json_next(&contacts, &contact)) {
        rc = setter_event_read(contact, paths, 3, values, NULL, alloc);

        if (rc == SETTER_NO_MEMORY) {
            return rc;
        }

        if (rc == SETTER_OK && values[2].type == SETTER_JSON_OBJECT
            && ((values[0].text.len == event->job.from.len
                 && memcmp(values[0].text.data, event->job.from.data,
                           event->job.from.len) == 0)
                || (values[1].text.len == event->job.from.len
                    && memcmp(values[1].text.data, event->job.from.data,
                              event->job.from.len) == 0)))
        {
            event->job.profile = values[2].text;
            break;
        }
    }

    return SETTER_OK;
}


static int
setter_meta_status(setter_str_t element, setter_str_t number,
    setter_events_t *events)
{
    int                   rc;
    setter_event_t       *event;
    setter_json_value_t   values[3];

    static const setter_json_path_t  paths[3] = {
        { "id", 0 }, { "status", 0 }, { "timestamp", 0 }
    };

    event = setter_event_add(events);
    if (event == NULL) {
        return SETTER_NO_MEMORY;
    }

    rc = setter_event_read(element, paths, 3, values, NULL, events->alloc);

    if (rc != SETTER_OK) {
        event->aside = "malformed";
        return rc == SETTER_ERROR ? SETTER_OK : rc;
    }

    event->job.provider = (setter_str_t) setter_str("meta");
    event->job.to = number;
    event->time_ms = setter_meta_time(values[2].text);

    return setter_event_status(event, "statuses", element, values[0].text,
                               values[1].text, events->alloc);
}


/* Seconds as text, in ms; 0 when it is anything else. */
static int64_t
setter_meta_time(setter_str_t text)
{
    size_t   i;
    int64_t  seconds;

    seconds = 0;

    for (i = 0; i < text.len && i < 12; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return 0;
        }

        seconds = 10 * seconds + text.data[i] - '0';
    }

    return i == text.len ? 1000 * seconds : 0;
}
