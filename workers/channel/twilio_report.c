/*
 * Twilio: statuses of messages, as setter_format_twilio.c takes them out of
 * the forms of status callbacks.
 */

#include <string.h>

#include "channel/twilio.h"


enum {
    REPORT_SID,
    REPORT_STATUS,
    REPORT_CODE,
    REPORT_MESSAGE,
    REPORT_NPATHS
};

static const setter_json_path_t  report_paths[REPORT_NPATHS] = {
    { "MessageSid", 0 },
    { "MessageStatus", 0 },
    { "ErrorCode", 0 },
    { "ErrorMessage", 0 },
};

static const struct {
    const char  *status, *state;
} report_states[] = {
    { "queued", "sent" },
    { "accepted", "sent" },
    { "scheduled", "sent" },
    { "sending", "sent" },
    { "sent", "sent" },
    { "delivered", "delivered" },
    { "partially_delivered", "delivered" },
    { "read", "read" },
    { "undelivered", "failed" },
    { "failed", "failed" },
    { "canceled", "failed" },
};

#define REPORT_NSTATES  (sizeof(report_states) / sizeof(report_states[0]))


static int report_read(const setter_json_value_t *element,
    channel_report_t *report, arena_t *arena);


int
twilio_reports(setter_str_t json, channel_report_t **reports, int *unused,
    arena_t *arena)
{
    return channel_reports(json, "statuses", report_read, reports, unused,
                           arena);
}


static int
report_read(const setter_json_value_t *element, channel_report_t *report,
    arena_t *arena)
{
    size_t               i;
    setter_json_value_t  values[REPORT_NPATHS];

    if (element->type != SETTER_JSON_OBJECT
        || setter_json_read(element->text.data, element->text.len,
                            SETTER_JSON_REPAIR, report_paths, REPORT_NPATHS,
                            values, NULL, arena_alloc(arena))
           != SETTER_JSON_OK)
    {
        return 0;
    }

    for (i = 0; i < REPORT_NSTATES; i++) {
        if (setter_str_is(values[REPORT_STATUS].text,
                          report_states[i].status))
        {
            report->state = report_states[i].state;
        }
    }

    report->provider_id = values[REPORT_SID].text;

    if (report->state != NULL && strcmp(report->state, "failed") == 0) {
        report->reason = channel_reason(values[REPORT_CODE].text,
                                        values[REPORT_MESSAGE].text, arena);
    }

    return report->state != NULL && report->provider_id.len > 0;
}
