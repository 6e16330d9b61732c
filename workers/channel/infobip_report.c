/*
 * Infobip: delivery and seen reports, of which a request brings any number.
 */

#include <stdio.h>
#include <string.h>

#include "channel/infobip.h"
#include "setter_uuid.h"


enum {
    REPORT_CALLBACK,
    REPORT_MESSAGE_ID,
    REPORT_GROUP,
    REPORT_STATUS,
    REPORT_ERROR,
    REPORT_SEEN_AT,
    REPORT_NPATHS
};

static const setter_json_path_t  report_paths[REPORT_NPATHS] = {
    { "callbackData", 0 },
    { "messageId", 0 },
    { "status.groupName", 0 },
    { "status.name", 0 },
    { "error.name", 0 },
    { "seenAt", 0 },
};

static const struct {
    const char  *group, *state;
} report_states[] = {
    { "OK", "sent" },
    { "PENDING", "sent" },
    { "DELIVERED", "delivered" },
    { "UNDELIVERABLE", "failed" },
    { "EXPIRED", "failed" },
    { "REJECTED", "failed" },
};

#define REPORT_NSTATES  (sizeof(report_states) / sizeof(report_states[0]))

#define REPORT_CHUNK     SETTER_JSON_MAX_PATHS  /* elements read at a time */
#define REPORT_PATH_MAX  24


static int report_chunk(setter_str_t json, int first,
    setter_json_value_t *values, arena_t *arena);
static int report_read(const setter_json_value_t *element,
    channel_report_t *report, arena_t *arena);
static const char *report_state(const setter_json_value_t *values);
static int report_failed(const char *state);


int
infobip_reports(setter_str_t json, channel_report_t **reports, int *unused,
    arena_t *arena)
{
    int                   i, n, first, elements;
    channel_report_t     *grown;
    setter_json_value_t   values[REPORT_CHUNK];

    n = 0;
    first = 0;
    *reports = NULL;
    *unused = 0;

    do {
        elements = report_chunk(json, first, values, arena);
        grown = arena_get(arena, (size_t) (n + REPORT_CHUNK)
                                 * sizeof(channel_report_t));
        if (elements < 0 || grown == NULL) {
            return -1;
        }

        if (n > 0) {
            memcpy(grown, *reports, (size_t) n * sizeof(channel_report_t));
        }
        *reports = grown;

        for (i = 0; i < elements; i++) {
            if (report_read(&values[i], &grown[n], arena)) {
                n++;
            } else {
                (*unused)++;
            }
        }

        first += REPORT_CHUNK;

    } while (elements == REPORT_CHUNK);

    return n;
}


/* The elements of "results" from the first on; -1: no memory. */
static int
report_chunk(setter_str_t json, int first, setter_json_value_t *values,
    arena_t *arena)
{
    int                 i;
    char                names[REPORT_CHUNK][REPORT_PATH_MAX];
    setter_json_path_t  paths[REPORT_CHUNK];

    for (i = 0; i < REPORT_CHUNK; i++) {
        snprintf(names[i], REPORT_PATH_MAX, "results.%d", first + i);
        paths[i].path = names[i];
        paths[i].flags = SETTER_JSON_TEXT;
    }

    switch (setter_json_read(json.data, json.len, SETTER_JSON_REPAIR, paths,
                             REPORT_CHUNK, values, NULL, arena_alloc(arena)))
    {

    case SETTER_JSON_OK:
        break;

    case SETTER_JSON_NO_MEMORY:
        return -1;

    default:
        return 0;
    }

    i = 0;

    while (i < REPORT_CHUNK && values[i].type != SETTER_JSON_ABSENT) {
        i++;
    }

    return i;
}


/*
 * 1 when the element is a report.  Our id was sent as the callback's data and
 * as the message's id; Infobip may have given it another.
 */
static int
report_read(const setter_json_value_t *element, channel_report_t *report,
    arena_t *arena)
{
    setter_json_value_t  values[REPORT_NPATHS];

    memset(report, 0, sizeof(channel_report_t));

    if (element->type != SETTER_JSON_OBJECT
        || setter_json_read(element->text.data, element->text.len,
                            SETTER_JSON_REPAIR, report_paths, REPORT_NPATHS,
                            values, NULL, arena_alloc(arena))
           != SETTER_JSON_OK)
    {
        return 0;
    }

    report->state = report_state(values);
    report->provider_id = values[REPORT_MESSAGE_ID].text;

    if (setter_uuid_valid(values[REPORT_CALLBACK].text)) {
        report->message_id = values[REPORT_CALLBACK].text;

    } else if (setter_uuid_valid(report->provider_id)) {
        report->message_id = report->provider_id;
    }

    if (report_failed(report->state)) {
        report->reason = setter_str_is(values[REPORT_ERROR].text, "NO_ERROR")
                         || values[REPORT_ERROR].text.len == 0
                         ? values[REPORT_STATUS].text
                         : values[REPORT_ERROR].text;
    }

    return report->state != NULL
           && report->message_id.len + report->provider_id.len > 0;
}


static const char *
report_state(const setter_json_value_t *values)
{
    size_t  i;

    if (values[REPORT_SEEN_AT].type == SETTER_JSON_STRING) {
        return "read";
    }

    for (i = 0; i < REPORT_NSTATES; i++) {
        if (setter_str_is(values[REPORT_GROUP].text, report_states[i].group)) {
            return report_states[i].state;
        }
    }

    return NULL;
}


static int
report_failed(const char *state)
{
    return state != NULL && strcmp(state, "failed") == 0;
}
