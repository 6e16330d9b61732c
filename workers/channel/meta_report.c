/*
 * Meta's WhatsApp Cloud API: statuses of messages, as the "Status messages
 * webhook reference" has them.
 */

#include <string.h>

#include "channel/meta.h"
#include "setter_uuid.h"


enum {
    REPORT_ID,
    REPORT_STATUS,
    REPORT_CALLBACK,
    REPORT_CODE,
    REPORT_TITLE,
    REPORT_NPATHS
};

static const setter_json_path_t  report_paths[REPORT_NPATHS] = {
    { "id", 0 },
    { "status", 0 },
    { "biz_opaque_callback_data", 0 },
    { "errors.0.code", 0 },
    { "errors.0.title", 0 },
};

/* Who has played a voice message has read it. */
static const struct {
    const char  *status, *state;
} report_states[] = {
    { "sent", "sent" },
    { "delivered", "delivered" },
    { "read", "read" },
    { "played", "read" },
    { "failed", "failed" },
};

#define REPORT_NSTATES  (sizeof(report_states) / sizeof(report_states[0]))


static int report_read(const setter_json_value_t *element,
    channel_report_t *report, arena_t *arena);


int
meta_reports(setter_str_t json, channel_report_t **reports, int *unused,
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

    report->provider_id = values[REPORT_ID].text;

    if (setter_uuid_valid(values[REPORT_CALLBACK].text)) {
        report->message_id = values[REPORT_CALLBACK].text;
    }

    if (setter_str_is(values[REPORT_STATUS].text, "failed")) {
        report->reason = channel_reason(values[REPORT_CODE].text,
                                        values[REPORT_TITLE].text, arena);
    }

    return report->state != NULL && report->provider_id.len > 0;
}
