/*
 * What the formats share that bring many things in one body.
 */

#include <string.h>

#include "setter_format_tables.h"


setter_event_t *
setter_event_add(setter_events_t *events)
{
    size_t           size;
    setter_event_t  *list;

    if (events->n == events->size) {
        size = events->size > 0 ? 2 * events->size : 8;

        if (size > SETTER_FORMAT_MAX_EVENTS) {
            return NULL;
        }

        list = events->alloc->get(events->alloc->owner,
                                  size * sizeof(setter_event_t));
        if (list == NULL) {
            return NULL;
        }

        if (events->n > 0) {
            memcpy(list, events->list, events->n * sizeof(setter_event_t));
        }

        events->list = list;
        events->size = size;
    }

    memset(&events->list[events->n], 0, sizeof(setter_event_t));

    return &events->list[events->n++];
}


int
setter_event_aside(setter_events_t *events, const char *word)
{
    setter_event_t  *event;

    event = setter_event_add(events);
    if (event == NULL) {
        return SETTER_NO_MEMORY;
    }

    event->aside = word;

    return SETTER_OK;
}


int
setter_event_read(setter_str_t json, const setter_json_path_t *paths,
    size_t n, setter_json_value_t *values, setter_buf_t *rest,
    setter_alloc_t *alloc)
{
    switch (setter_json_read(json.data, json.len, SETTER_JSON_REPAIR, paths,
                             n, values, rest, alloc))
    {

    case SETTER_JSON_OK:
        return SETTER_OK;

    case SETTER_JSON_NO_MEMORY:
        return SETTER_NO_MEMORY;

    default:
        return SETTER_ERROR;
    }
}


int
setter_event_status(setter_event_t *event, const char *member,
    setter_str_t element, setter_str_t id, setter_str_t state,
    setter_alloc_t *alloc)
{
    setter_buf_t  data, key;

    if (id.len == 0 || id.len > SETTER_FIELD_ID_MAX || state.len == 0
        || state.len > SETTER_FIELD_ID_MAX)
    {
        event->aside = "malformed";
        return SETTER_OK;
    }

    setter_buf_init(&data, alloc, element.len + 16);
    setter_json_name(&data, member);
    setter_buf_byte(&data, '[');
    setter_buf_append(&data, element.data, element.len);
    setter_buf_byte(&data, ']');

    setter_buf_init(&key, alloc, id.len + state.len + 1);
    setter_buf_append(&key, id.data, id.len);
    setter_buf_byte(&key, '/');
    setter_buf_append(&key, state.data, state.len);

    event->job.kind = (setter_str_t) setter_str("status");
    event->job.provider_id = id;
    event->job.data.data = data.data;
    event->job.data.len = data.len;
    event->key.data = key.data;
    event->key.len = key.len;

    return data.failed || key.failed ? SETTER_NO_MEMORY : SETTER_OK;
}


void
setter_event_text(setter_event_t *event, setter_str_t text,
    const char *otherwise)
{
    event->job.text = text;

    if (text.len == 0 && otherwise != NULL) {
        event->job.text.data = otherwise;
        event->job.text.len = strlen(otherwise);
    }

    event->aside = event->job.text.len > 0 ? NULL : "empty";
}


int
setter_event_addressed(setter_event_t *event)
{
    size_t              i;
    const setter_str_t  ids[] = { event->job.from, event->job.to,
                                  event->job.provider_id };

    for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        if (ids[i].len > SETTER_FIELD_ID_MAX) {
            event->aside = "malformed";
        }
    }

    if (event->job.from.len == 0 || event->job.to.len == 0
        || event->key.len == 0)
    {
        event->aside = "malformed";
    }

    return event->aside == NULL;
}
