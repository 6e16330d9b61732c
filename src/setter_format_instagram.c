/*
 * Instagram messaging: entry[] of messaging[], or of changes[] whose values
 * have the same shape, as the "Instagram Platform Webhook Notification
 * Examples" have them.  Our own messages, which come back as echoes, never
 * become jobs.
 */

#include <string.h>

#include "setter_format_tables.h"


#define SETTER_INSTAGRAM_DATA  256      /* bytes that "data" has at first */


enum {
    ENTRY_ACCOUNT,
    ENTRY_MESSAGING,
    ENTRY_STANDBY,
    ENTRY_CHANGES,
    ENTRY_NPATHS
};

static const setter_json_path_t  setter_instagram_entry[ENTRY_NPATHS] = {
    { "id", 0 },
    { "messaging", SETTER_JSON_TEXT },
    { "standby", SETTER_JSON_TEXT },
    { "changes", SETTER_JSON_TEXT }
};

enum {
    SAID_SENDER,
    SAID_FROM,
    SAID_RECIPIENT,
    SAID_TO,
    SAID_TIME,
    SAID_MESSAGE,
    SAID_MID,
    SAID_TEXT,
    SAID_QUICK_REPLY,
    SAID_ATTACHMENT,
    SAID_ATTACHMENT_TYPE,
    SAID_ATTACHMENT_PAYLOAD,
    SAID_ECHO,
    SAID_SELF,
    SAID_DELETED,
    SAID_UNSUPPORTED,
    SAID_POSTBACK,
    SAID_POSTBACK_MID,
    SAID_POSTBACK_TITLE,
    SAID_POSTBACK_PAYLOAD,
    SAID_READ,
    SAID_READ_MID,
    SAID_REACTION,
    SAID_EDIT,
    SAID_REFERRAL,
    SAID_NPATHS
};

static const setter_json_path_t  setter_instagram_paths[SAID_NPATHS] = {
    { "sender", 0 },
    { "sender.id", 0 },
    { "recipient", 0 },
    { "recipient.id", 0 },
    { "timestamp", 0 },
    { "message", SETTER_JSON_KEEP },
    { "message.mid", 0 },
    { "message.text", 0 },
    { "message.quick_reply", 0 },
    { "message.attachments.0", SETTER_JSON_TEXT },
    { "message.attachments.0.type", 0 },
    { "message.attachments.0.payload", 0 },
    { "message.is_echo", 0 },
    { "message.is_self", 0 },
    { "message.is_deleted", 0 },
    { "message.is_unsupported", 0 },
    { "postback", SETTER_JSON_KEEP },
    { "postback.mid", 0 },
    { "postback.title", 0 },
    { "postback.payload", 0 },
    { "read", 0 },
    { "read.mid", 0 },
    { "reaction", 0 },
    { "message_edit", 0 },
    { "referral", 0 }
};

/* What is there, and no message: by a member that is true, or an object. */
static const struct {
    int          member;
    const char  *aside;
} setter_instagram_asides[] = {
    { SAID_DELETED, "deleted" },
    { SAID_ECHO, "echo" },
    { SAID_SELF, "self" },
    { SAID_UNSUPPORTED, "unsupported" },
    { SAID_REACTION, "reaction" },
    { SAID_EDIT, "edit" }
};

/* What a message with an attachment of that type is, and stands for. */
static const struct {
    const char  *type;
    const char  *as;
    const char  *otherwise;
} setter_instagram_types[] = {
    { "image", "image", "[image]" },
    { "video", "video", "[video]" },
    { "audio", "audio", "[audio]" },
    { "file", "document", "[document]" },
    { "like_heart", "sticker", "[heart]" },
    { "story_mention", "story_mention", "[story mention]" },
    { "media", "share", "[share]" },
    { "share", "share", "[share]" },
    { "ig_post", "share", "[share]" },
    { "reel", "share", "[share]" },
    { "ig_reel", "share", "[share]" },
    { "story", "share", "[share]" },
    { "ig_story", "share", "[share]" }
};

#define setter_instagram_n(table)  (sizeof(table) / sizeof(table[0]))


static int setter_instagram_events(setter_str_t body,
    setter_events_t *events);
static int setter_instagram_bodies(setter_str_t body,
    setter_events_t *events);
static int setter_instagram_body(setter_str_t body, setter_events_t *events);
static int setter_instagram_account(setter_str_t entry,
    setter_events_t *events);
static int setter_instagram_list(int member,
    const setter_json_value_t *entry, setter_events_t *events);
static int setter_instagram_change(setter_str_t change, setter_str_t account,
    setter_events_t *events);
static int setter_instagram_said(setter_str_t element, setter_str_t account,
    setter_events_t *events);
static const char *setter_instagram_aside(const setter_json_value_t *values,
    setter_str_t account);
static int setter_instagram_unsent(setter_event_t *event,
    const setter_json_value_t *values, setter_alloc_t *alloc);
static void setter_instagram_echo(setter_event_t *event,
    const setter_json_value_t *values);
static int setter_instagram_message(setter_event_t *event,
    const setter_json_value_t *values, setter_alloc_t *alloc);
static void setter_instagram_content(setter_event_t *event,
    const setter_json_value_t *values);
static int setter_instagram_postback(setter_event_t *event,
    const setter_json_value_t *values, setter_alloc_t *alloc);
static int64_t setter_instagram_time(setter_json_value_t value);


const setter_format_t  setter_format_instagram = {
    .name = "instagram",
    .provider = "instagram",
    .kind = "message",
    .hook = 1,
    .events = setter_instagram_events
};


/* The examples page shows bodies inside an array: both are taken. */
static int
setter_instagram_events(setter_str_t body, setter_events_t *events)
{
    size_t  i;

    for (i = 0; i < body.len; i++) {
        if (memchr(" \t\r\n", body.data[i], 4) == NULL) {
            break;
        }
    }

    return i < body.len && body.data[i] == '['
           ? setter_instagram_bodies(body, events)
           : setter_instagram_body(body, events);
}


/* The reader takes objects, and so judges the array as the member of one. */
static int
setter_instagram_bodies(setter_str_t body, setter_events_t *events)
{
    int                       rc;
    setter_buf_t              buf;
    setter_str_t              json, element;
    setter_json_value_t       bodies;
    const setter_json_path_t  path = { "bodies", SETTER_JSON_TEXT };

    setter_buf_init(&buf, events->alloc, body.len + 16);
    setter_buf_byte(&buf, '{');
    setter_json_name(&buf, path.path);
    setter_buf_append(&buf, body.data, body.len);
    setter_buf_byte(&buf, '}');

    if (buf.failed) {
        return SETTER_NO_MEMORY;
    }

    json.data = buf.data;
    json.len = buf.len;
    rc = setter_event_read(json, &path, 1, &bodies, NULL, events->alloc);

    while (rc == SETTER_OK && setter_json_next(&bodies.text, &element)) {
        rc = setter_instagram_body(element, events);
    }

    return rc;
}


static int
setter_instagram_body(setter_str_t body, setter_events_t *events)
{
    int                       rc;
    setter_str_t              entry;
    setter_json_value_t       entries;
    const setter_json_path_t  path = { "entry", SETTER_JSON_TEXT };

    rc = setter_event_read(body, &path, 1, &entries, NULL, events->alloc);

    if (rc == SETTER_OK && entries.type != SETTER_JSON_ARRAY) {
        return SETTER_ERROR;
    }

    while (rc == SETTER_OK && setter_json_next(&entries.text, &entry)) {
        rc = setter_instagram_account(entry, events);
    }

    return rc;
}


static int
setter_instagram_account(setter_str_t entry, setter_events_t *events)
{
    int                  i, rc, lists;
    setter_json_value_t  values[ENTRY_NPATHS];

    rc = setter_event_read(entry, setter_instagram_entry, ENTRY_NPATHS,
                           values, NULL, events->alloc);

    if (rc == SETTER_ERROR) {
        return setter_event_aside(events, "malformed");
    }

    lists = 0;

    for (i = ENTRY_MESSAGING; rc == SETTER_OK && i < ENTRY_NPATHS; i++) {
        if (values[i].type == SETTER_JSON_ABSENT) {
            continue;
        }

        rc = values[i].type == SETTER_JSON_ARRAY
             ? setter_instagram_list(i, values, events)
             : setter_event_aside(events, "malformed");
        lists++;
    }

    return rc == SETTER_OK && lists == 0 ? setter_event_aside(events, "empty")
                                         : rc;
}


/* What is in standby is for another app, which has the conversation. */
static int
setter_instagram_list(int member, const setter_json_value_t *entry,
    setter_events_t *events)
{
    int           rc;
    setter_str_t  list, element;

    rc = SETTER_OK;
    list = entry[member].text;

    while (rc == SETTER_OK && setter_json_next(&list, &element)) {
        rc = member == ENTRY_MESSAGING
             ? setter_instagram_said(element, entry[ENTRY_ACCOUNT].text,
                                     events)
             : member == ENTRY_CHANGES
             ? setter_instagram_change(element, entry[ENTRY_ACCOUNT].text,
                                       events)
             : setter_event_aside(events, "standby");
    }

    return rc;
}


/* The fields "messages", "messaging_postbacks", "message_reactions", … */
static int
setter_instagram_change(setter_str_t change, setter_str_t account,
    setter_events_t *events)
{
    int                  rc;
    setter_str_t         field;
    setter_json_value_t  values[2];

    static const setter_json_path_t  paths[2] = {
        { "field", 0 }, { "value", SETTER_JSON_TEXT }
    };

    rc = setter_event_read(change, paths, 2, values, NULL, events->alloc);

    if (rc == SETTER_NO_MEMORY) {
        return rc;
    }

    field = values[0].text;

    if (rc == SETTER_ERROR || field.len == 0
        || values[1].type != SETTER_JSON_OBJECT)
    {
        return setter_event_aside(events, "malformed");
    }

    if (setter_str_is(field, "comments")
        || setter_str_is(field, "live_comments"))
    {
        return setter_event_aside(events, "comment");
    }

    if (field.len < 6 || memcmp(field.data, "messag", 6) != 0) {
        return setter_event_aside(events, "field");
    }

    return setter_instagram_said(values[1].text, account, events);
}


static int
setter_instagram_said(setter_str_t element, setter_str_t account,
    setter_events_t *events)
{
    int                   rc;
    setter_buf_t          data;
    setter_event_t       *event;
    setter_json_value_t   values[SAID_NPATHS];

    event = setter_event_add(events);
    if (event == NULL) {
        return SETTER_NO_MEMORY;
    }

    setter_buf_init(&data, events->alloc, SETTER_INSTAGRAM_DATA);
    rc = setter_event_read(element, setter_instagram_paths, SAID_NPATHS,
                           values, &data, events->alloc);

    if (rc != SETTER_OK || data.failed) {
        event->aside = "malformed";
        return rc == SETTER_ERROR ? SETTER_OK : SETTER_NO_MEMORY;
    }

    event->job.provider = (setter_str_t) setter_str("instagram");
    event->job.to = values[SAID_TO].text.len > 0 ? values[SAID_TO].text
                                                 : account;
    event->time_ms = setter_instagram_time(values[SAID_TIME]);

    /* what was seen last is a message of ours */

    if (values[SAID_READ].type == SETTER_JSON_OBJECT) {
        return setter_event_status(event, "messaging", element,
                                   values[SAID_READ_MID].text,
                                   (setter_str_t) setter_str("read"),
                                   events->alloc);
    }

    event->aside = setter_instagram_aside(values, account);

    if (event->aside != NULL && strcmp(event->aside, "echo") == 0) {
        setter_instagram_echo(event, values);
        return SETTER_OK;
    }

    if (event->aside != NULL && strcmp(event->aside, "deleted") == 0) {
        return setter_instagram_unsent(event, values, events->alloc);
    }

    if (event->aside != NULL) {
        return SETTER_OK;
    }

    event->job.data.data = data.data;
    event->job.data.len = data.len;

    return setter_instagram_message(event, values, events->alloc);
}


static const char *
setter_instagram_aside(const setter_json_value_t *values, setter_str_t account)
{
    size_t               i;
    setter_json_type_e   type;
    const setter_str_t  *from = &values[SAID_FROM].text;

    for (i = 0; i < setter_instagram_n(setter_instagram_asides); i++) {
        type = values[setter_instagram_asides[i].member].type;

        if (type == SETTER_JSON_TRUE || type == SETTER_JSON_OBJECT) {
            return setter_instagram_asides[i].aside;
        }
    }

    if (from->len > 0 && from->len == account.len
        && memcmp(from->data, account.data, account.len) == 0)
    {
        return "echo";
    }

    if (values[SAID_MESSAGE].type == SETTER_JSON_OBJECT
        || values[SAID_POSTBACK].type == SETTER_JSON_OBJECT)
    {
        return NULL;
    }

    return values[SAID_REFERRAL].type == SETTER_JSON_OBJECT ? "referral"
                                                            : "malformed";
}


/*
 * A message of the person's, who may have sent it a moment ago: no repeat of
 * that, though the provider's id is the same.
 */
static int
setter_instagram_unsent(setter_event_t *event,
    const setter_json_value_t *values, setter_alloc_t *alloc)
{
    setter_buf_t         key;
    const setter_str_t  *mid = &values[SAID_MID].text;

    if (values[SAID_ECHO].type == SETTER_JSON_TRUE
        || values[SAID_SELF].type == SETTER_JSON_TRUE)
    {
        return SETTER_OK;
    }

    setter_buf_init(&key, alloc, mid->len + sizeof("/unsent"));
    setter_buf_append(&key, mid->data, mid->len);
    setter_buf_text(&key, "/unsent");

    event->aside = NULL;
    event->job.kind = (setter_str_t) setter_str("event");
    event->job.channel = (setter_str_t) setter_str("instagram");
    event->job.type = (setter_str_t) setter_str("unsent");
    event->job.from = values[SAID_FROM].text;
    event->job.provider_id = *mid;
    event->key.data = key.data;
    event->key.len = key.len;

    if (mid->len == 0 || !setter_event_addressed(event)) {
        event->aside = "deleted";
    }

    return key.failed ? SETTER_NO_MEMORY : SETTER_OK;
}


/*
 * Our account has written to the person.  Whether it was we, the worker knows:
 * workers/reply/event.c.
 */
static void
setter_instagram_echo(setter_event_t *event,
    const setter_json_value_t *values)
{
    event->aside = NULL;
    event->job.kind = (setter_str_t) setter_str("event");
    event->job.channel = (setter_str_t) setter_str("instagram");
    event->job.type = (setter_str_t) setter_str("echo");
    event->job.from = values[SAID_TO].text;
    event->job.to = values[SAID_FROM].text;
    event->job.text = values[SAID_TEXT].text;
    event->job.provider_id = values[SAID_MID].text;
    event->key = values[SAID_MID].text;

    if (!setter_event_addressed(event)) {
        event->aside = "echo";
    }
}


static int
setter_instagram_message(setter_event_t *event,
    const setter_json_value_t *values, setter_alloc_t *alloc)
{
    int  rc;

    event->job.kind = (setter_str_t) setter_str("message");
    event->job.channel = (setter_str_t) setter_str("instagram");
    event->job.from = values[SAID_FROM].text;

    if (values[SAID_MESSAGE].type != SETTER_JSON_OBJECT) {
        rc = setter_instagram_postback(event, values, alloc);

        if (rc == SETTER_OK) {
            (void) setter_event_addressed(event);
        }

        return rc;
    }

    event->job.provider_id = values[SAID_MID].text;
    event->key = values[SAID_MID].text;

    if (setter_event_addressed(event)) {
        setter_instagram_content(event, values);
    }

    return SETTER_OK;
}


/* Type, text and media; of many attachments the first, all are in data. */
static void
setter_instagram_content(setter_event_t *event,
    const setter_json_value_t *values)
{
    size_t        i;
    const char   *as, *otherwise;
    setter_str_t  type;

    as = values[SAID_QUICK_REPLY].type == SETTER_JSON_OBJECT ? "button"
                                                             : "text";
    type = values[SAID_ATTACHMENT_TYPE].text;
    otherwise = NULL;

    for (i = 0; i < setter_instagram_n(setter_instagram_types); i++) {
        if (setter_str_is(type, setter_instagram_types[i].type)) {
            as = setter_instagram_types[i].as;
            otherwise = setter_instagram_types[i].otherwise;
        }
    }

    event->job.type.data = as;
    event->job.type.len = strlen(as);
    setter_event_text(event, values[SAID_TEXT].text, otherwise);

    if (event->aside != NULL && type.len > 0) {
        event->aside = "unsupported";
    }

    if (values[SAID_ATTACHMENT_PAYLOAD].type == SETTER_JSON_OBJECT) {
        event->job.media = values[SAID_ATTACHMENT].text;
    }
}


/* A button or ice breaker.  Without a mid, which can be missing, a repeat is
 * known by who pressed what when. */
static int
setter_instagram_postback(setter_event_t *event,
    const setter_json_value_t *values, setter_alloc_t *alloc)
{
    setter_buf_t  key;

    event->job.type = (setter_str_t) setter_str("button");
    event->job.provider_id = values[SAID_POSTBACK_MID].text;
    event->key = values[SAID_POSTBACK_MID].text;
    setter_event_text(event, values[SAID_POSTBACK_TITLE].text, "[button]");

    if (event->key.len > 0 || event->time_ms == 0) {
        return SETTER_OK;
    }

    setter_buf_init(&key, alloc, 128);
    setter_buf_append(&key, values[SAID_FROM].text.data,
                      values[SAID_FROM].text.len);
    setter_buf_byte(&key, '/');
    setter_buf_append(&key, values[SAID_TIME].text.data,
                      values[SAID_TIME].text.len);
    setter_buf_byte(&key, '/');
    setter_buf_append(&key, values[SAID_POSTBACK_PAYLOAD].text.data,
                      values[SAID_POSTBACK_PAYLOAD].text.len);

    event->key.data = key.data;
    event->key.len = key.len;

    return key.failed ? SETTER_NO_MEMORY : SETTER_OK;
}


/* A number of ms, in changes[] one of seconds, as text; 0: neither. */
static int64_t
setter_instagram_time(setter_json_value_t value)
{
    int64_t  ms;

    value.type = SETTER_JSON_NUMBER;
    ms = setter_field_time(&value);

    return ms > 0 ? ms : 0;
}
