/*
 * Infobip: delivery and seen reports, of which a request brings any number.
 */

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


static int report_read(const setter_json_value_t *element,
    channel_report_t *report, arena_t *arena);
static const char *report_state(const setter_json_value_t *values);
static int report_failed(const char *state);


int
infobip_reports(setter_str_t json, channel_report_t **reports, int *unused,
    arena_t *arena)
{
    return channel_reports(json, "results", report_read, reports, unused,
                           arena);
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
