/*
 * Kind "status": what became of replies after they were sent, as the provider
 * reports it or another program tells, in the job's data:
 *   {"id":"<our message id>","state":"delivered"}
 *   {"provider_id":"…","state":"failed","reason":"…"}
 *   or what the provider posted, as its channel reads it
 * A message only moves forward, so reports may come late, twice or in any
 * order.
 */

#include <string.h>

#include "reply/inbound.h"
#include "reply/kind.h"
#include "reply/record.h"
#include "setter_json.h"


/* The answer to a send, which brings the provider's id, may be on its way. */
#define STATUS_TRIES  3


enum {
    STATUS_ID,
    STATUS_PROVIDER_ID,
    STATUS_STATE,
    STATUS_REASON,
    STATUS_MESSAGE_ID,
    STATUS_NPATHS
};

static const setter_json_path_t  status_paths[STATUS_NPATHS] = {
    { "id", 0 },
    { "provider_id", 0 },
    { "state", 0 },
    { "reason", 0 },
    { "message_id", 0 },
};

/* What is in a job: the reports, and how many more could not be used. */
typedef struct {
    channel_report_t  *reports;
    int                n;
    int                unused;
} status_reports_t;


static const char *status_unfit(const turn_job_t *job,
    const setter_job_header_t *header);
static turn_end_e status_settle(turn_t *turn);
static turn_end_e status_job(turn_t *turn, turn_job_t *job);
static int status_read(turn_t *turn, const turn_job_t *job,
    status_reports_t *reports);
static int status_read_own(turn_t *turn, setter_str_t json,
    status_reports_t *reports);
static int status_name(turn_t *turn, setter_str_t json,
    channel_report_t *report);
static const char *status_state(setter_str_t state);
static turn_end_e status_close(turn_t *turn, const status_reports_t *reports,
    int nameless);


static const kind_step_pt  status_steps[] = {
    kind_record_jobs,
    status_settle,
    NULL
};

const kind_t  kind_status = {
    "status", status_unfit, status_steps
};


static const char *
status_unfit(const turn_job_t *job, const setter_job_header_t *header)
{
    return inbound_disagrees(job, header);
}


/* Job by job: what one brings is of no concern to the others. */
static turn_end_e
status_settle(turn_t *turn)
{
    size_t      i, j;
    turn_end_e  end;

    for (i = 0; i < turn->njobs; i++) {
        if (!turn->jobs[i].live) {
            continue;
        }

        for (j = 0; j < turn->njobs; j++) {
            turn->jobs[j].later = j != i;
        }

        end = status_job(turn, &turn->jobs[i]);
        if (end != TURN_DONE) {
            return end;
        }

        turn->jobs[i].live = 0;
    }

    return TURN_DONE;
}


static turn_end_e
status_job(turn_t *turn, turn_job_t *job)
{
    int               i, nameless;
    record_e          rc;
    status_reports_t  reports;

    if (status_read(turn, job, &reports) != 0) {
        return turn_ends(turn, TURN_BACK, -1, "no memory");
    }

    nameless = 0;

    for (i = 0; i < reports.n; i++) {
        rc = record_report(turn, job->job.provider, &reports.reports[i]);

        if (rc == RECORD_HELD) {
            nameless++;

        } else if (rc != RECORD_OK) {
            return unit_ends(turn, rc);
        }
    }

    return status_close(turn, &reports, nameless);
}


/* 0, or -1: no memory. */
static int
status_read(turn_t *turn, const turn_job_t *job, status_reports_t *reports)
{
    arena_t          *arena;
    setter_str_t      json;
    const channel_t  *channel;

    memset(reports, 0, sizeof(status_reports_t));
    arena = turn->claim->arena;

    json.data = arena_printf(arena, "{%.*s}", (int) job->job.data.len,
                             job->job.data.data);
    if (json.data == NULL) {
        return -1;
    }
    json.len = job->job.data.len + 2;

    channel = channel_find(job->job.provider);

    if (channel == NULL || channel->reports == NULL) {
        return status_read_own(turn, json, reports);
    }

    reports->n = channel->reports(json, &reports->reports, &reports->unused,
                                  arena);

    if (reports->n == 0 && reports->unused == 0) {
        return status_read_own(turn, json, reports);
    }

    return reports->n == 1 ? status_name(turn, json, &reports->reports[0])
                           : reports->n < 0 ? -1 : 0;
}


/* The URL that a report was posted to may have told our id of it. */
static int
status_name(turn_t *turn, setter_str_t json, channel_report_t *report)
{
    setter_json_error_e  error;
    setter_json_value_t  values[STATUS_NPATHS];

    error = setter_json_read(json.data, json.len, SETTER_JSON_REPAIR,
                             status_paths, STATUS_NPATHS, values, NULL,
                             arena_alloc(turn->claim->arena));

    if (error == SETTER_JSON_OK && report->message_id.len == 0
        && setter_uuid_valid(values[STATUS_MESSAGE_ID].text))
    {
        report->message_id = values[STATUS_MESSAGE_ID].text;
    }

    return error == SETTER_JSON_NO_MEMORY ? -1 : 0;
}


static int
status_read_own(turn_t *turn, setter_str_t json, status_reports_t *reports)
{
    arena_t              *arena;
    channel_report_t     *report;
    setter_json_value_t   values[STATUS_NPATHS];

    arena = turn->claim->arena;
    report = arena_get(arena, sizeof(channel_report_t));

    if (report == NULL) {
        return -1;
    }

    switch (setter_json_read(json.data, json.len, SETTER_JSON_REPAIR,
                             status_paths, STATUS_NPATHS, values, NULL,
                             arena_alloc(arena)))
    {

    case SETTER_JSON_OK:
        break;

    case SETTER_JSON_NO_MEMORY:
        return -1;

    default:
        reports->unused = 1;
        return 0;
    }

    report->message_id = values[STATUS_ID].text;
    report->provider_id = values[STATUS_PROVIDER_ID].text;
    report->state = status_state(values[STATUS_STATE].text);
    report->reason = values[STATUS_REASON].text;

    if (!setter_uuid_valid(report->message_id)) {
        report->message_id.len = 0;
    }

    reports->reports = report;
    reports->n = report->state != NULL
                 && report->message_id.len + report->provider_id.len > 0;
    reports->unused = 1 - reports->n;
    return 0;
}


static const char *
status_state(setter_str_t state)
{
    size_t  i;

    static const char *const  states[] = {
        "sent", "delivered", "read", "failed"
    };

    for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (state.len == strlen(states[i])
            && memcmp(state.data, states[i], state.len) == 0)
        {
            return states[i];
        }
    }

    return NULL;
}


/* Reports of messages that are none of ours are nobody's fault. */
static turn_end_e
status_close(turn_t *turn, const status_reports_t *reports, int nameless)
{
    const char  *reason;

    if (nameless > 0 && turn->claim->failures + 1 < STATUS_TRIES
        && turn->claim->failures + 1 < turn->worker->queue.max_failures)
    {
        return turn_ends(turn, TURN_AGAIN, -1, "no message has the id yet");
    }

    if (reports->n == 0) {
        return turn_settle(turn, NULL, NULL, "failed",
                           "no report in it that can be used");
    }

    reason = nameless + reports->unused == 0 ? NULL
             : arena_printf(turn->claim->arena, "%d reports: %d name no"
                            " message of ours, %d cannot be used",
                            reports->n + reports->unused, nameless,
                            reports->unused);

    return turn_settle(turn, NULL, NULL, "done", reason);
}
