/*
 * ManyChat's Dynamic Block and External Request with ManyChat's own names:
 * "Full Contact Data", alone or as the member "contact" of what the flow
 * adds, or the same variables typed one by one.  Answered with an empty
 * dynamic block, v2 ("Response Reference for Instagram, WhatsApp, and
 * Telegram Automation"), so that the flow shows nothing and goes on: the
 * reply is pushed when there is one.
 */

#include <string.h>

#include "setter_format_tables.h"


#define SETTER_CONTACT_DATA  512    /* bytes that "data" has at first */


enum {
    CONTACT_SUBSCRIBER,
    CONTACT_ID,
    CONTACT_INNER_ID,
    CONTACT_PAGE,
    CONTACT_INNER_PAGE,
    CONTACT_TEXT,
    CONTACT_LAST,
    CONTACT_INNER_LAST,
    CONTACT_NAME,
    CONTACT_INNER_NAME,
    CONTACT_CHANNEL,
    CONTACT_MESSAGE_ID,
    CONTACT_NPATHS
};

static const setter_json_path_t  setter_contact_paths[CONTACT_NPATHS] = {
    { "subscriber_id", SETTER_JSON_KEEP },
    { "id", SETTER_JSON_KEEP },
    { "contact.id", SETTER_JSON_KEEP },
    { "page_id", SETTER_JSON_KEEP },
    { "contact.page_id", SETTER_JSON_KEEP },
    { "text", SETTER_JSON_KEEP },
    { "last_input_text", SETTER_JSON_KEEP },
    { "contact.last_input_text", SETTER_JSON_KEEP },
    { "name", SETTER_JSON_KEEP },
    { "contact.name", SETTER_JSON_KEEP },
    { "channel", SETTER_JSON_KEEP },
    { "message_id", SETTER_JSON_KEEP },
};

static const setter_format_field_t  setter_contact_id = {
    "id", SETTER_FIELD_ID, 1, 1, SETTER_FIELD_NONE
};

static const setter_format_field_t  setter_contact_text = {
    "text", SETTER_FIELD_TEXT, 1, 1, SETTER_FIELD_NONE
};

static const struct setter_format_default_s  setter_contact_defaults[] = {
    { "channel", "telegram" },      /* one lane with setter_format_manychat */
    { "consumer", "MANYCHAT" },
    { "workflow", "SETTER" },
    { NULL, NULL }
};


static int setter_contact_events(setter_str_t body, setter_events_t *events);
static int setter_contact_said(setter_event_t *event,
    const setter_json_value_t *values, setter_alloc_t *alloc);
static setter_str_t setter_contact_first(const setter_json_value_t *values,
    const setter_format_field_t *field, const int *places);
static int setter_contact_profile(setter_event_t *event, setter_str_t name,
    setter_alloc_t *alloc);
static void setter_contact_answer(setter_str_t surface, setter_buf_t *buf);


const setter_format_t  setter_format_manychat_contact = {
    .name = "manychat_contact",
    .provider = "manychat",
    .kind = "message",
    .hook = 1,
    .defaults = setter_contact_defaults,
    .events = setter_contact_events,
    .write_answer = setter_contact_answer,
    .answer_type = "application/json"
};


static int
setter_contact_events(setter_str_t body, setter_events_t *events)
{
    int                   rc;
    setter_buf_t          data;
    setter_event_t       *event;
    setter_json_value_t   values[CONTACT_NPATHS];

    event = setter_event_add(events);
    if (event == NULL) {
        return SETTER_NO_MEMORY;
    }

    setter_buf_init(&data, events->alloc, SETTER_CONTACT_DATA);
    rc = setter_event_read(body, setter_contact_paths, CONTACT_NPATHS, values,
                           &data, events->alloc);

    if (rc != SETTER_OK || data.failed) {
        return rc != SETTER_OK ? rc : SETTER_NO_MEMORY;
    }

    event->job.data.data = data.data;
    event->job.data.len = data.len;

    return setter_contact_said(event, values, events->alloc);
}


/* What the flow typed comes first, then the contact as ManyChat has it. */
static int
setter_contact_said(setter_event_t *event, const setter_json_value_t *values,
    setter_alloc_t *alloc)
{
    static const int  ids[] = { CONTACT_SUBSCRIBER, CONTACT_ID,
                                CONTACT_INNER_ID, -1 };
    static const int  pages[] = { CONTACT_PAGE, CONTACT_INNER_PAGE, -1 };
    static const int  texts[] = { CONTACT_TEXT, CONTACT_LAST,
                                  CONTACT_INNER_LAST, -1 };
    static const int  names[] = { CONTACT_NAME, CONTACT_INNER_NAME, -1 };
    static const int  channels[] = { CONTACT_CHANNEL, -1 };
    static const int  keys[] = { CONTACT_MESSAGE_ID, -1 };

    event->job.kind = (setter_str_t) setter_str("message");
    event->job.type = (setter_str_t) setter_str("text");
    event->job.provider = (setter_str_t) setter_str("manychat");
    event->job.from = setter_contact_first(values, &setter_contact_id, ids);
    event->job.to = setter_contact_first(values, &setter_contact_id, pages);
    event->job.text = setter_contact_first(values, &setter_contact_text,
                                           texts);
    event->job.channel = setter_contact_first(values, &setter_contact_id,
                                              channels);
    event->key = setter_contact_first(values, &setter_contact_id, keys);

    if (event->job.from.len == 0) {
        event->aside = "malformed";

    } else if (event->job.text.len == 0) {
        event->aside = "empty";
    }

    return setter_contact_profile(event,
               setter_contact_first(values, &setter_contact_text, names),
               alloc);
}


/* The first that is no blank, and no variable that was left unfilled. */
static setter_str_t
setter_contact_first(const setter_json_value_t *values,
    const setter_format_field_t *field, const int *places)
{
    setter_str_t  none = setter_str("");

    for ( ; *places != -1; places++) {
        if (setter_field_check(field, &values[*places]) == SETTER_FIELD_OK) {
            return values[*places].text;
        }
    }

    return none;
}


static int
setter_contact_profile(setter_event_t *event, setter_str_t name,
    setter_alloc_t *alloc)
{
    setter_buf_t  profile;

    if (name.len == 0) {
        return SETTER_OK;
    }

    setter_buf_init(&profile, alloc, name.len + 16);
    setter_buf_byte(&profile, '{');
    setter_json_member(&profile, "name", name);
    setter_buf_byte(&profile, '}');

    event->job.profile.data = profile.data;
    event->job.profile.len = profile.len;

    return profile.failed ? SETTER_NO_MEMORY : SETTER_OK;
}


/* Messenger's blocks have no type. */
static void
setter_contact_answer(setter_str_t surface, setter_buf_t *buf)
{
    setter_buf_text(buf, "{\"version\":\"v2\",\"content\":{");

    if (surface.len > 0) {
        setter_json_member(buf, "type", surface);
        setter_buf_byte(buf, ',');
    }

    setter_buf_text(buf, "\"messages\":[],\"actions\":[],"
                         "\"quick_replies\":[]}}");
}
