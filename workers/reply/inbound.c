/*
 * Reading the jobs of a turn.  The header is what the queue went by and is
 * right; an envelope that says otherwise is not answered.
 */

#include <string.h>

#include "reply/inbound.h"
#include "reply/kind.h"
#include "runtime/log.h"
#include "setter_json.h"


#define INBOUND_ID_MAX     256  /* bytes of an address or a provider's id */
#define INBOUND_TRACE_AT   3    /* in a traceparent */
#define INBOUND_TRACE_LEN  32


static int inbound_job(turn_t *turn, const queue_job_t *claimed);
static int inbound_known(const turn_t *turn, const char *id);
static void inbound_trace(setter_str_t trace);
static int inbound_judge(turn_t *turn, turn_job_t *job,
    const setter_job_header_t *header);
static int inbound_extras(turn_t *turn, turn_job_t *job);
static int inbound_attach(turn_t *turn, turn_job_t *job, const char *name,
    setter_str_t json);
static int inbound_same(setter_str_t a, setter_str_t b);


turn_end_e
inbound_read(turn_t *turn)
{
    turn_job_t  *jobs;

    jobs = arena_get(turn->claim->arena,
                     turn->claim->njobs * sizeof(turn_job_t));
    if (jobs == NULL) {
        return turn_ends(turn, TURN_BACK, -1, "no memory");
    }

    if (turn->njobs > 0) {
        memcpy(jobs, turn->jobs, turn->njobs * sizeof(turn_job_t));
    }
    turn->jobs = jobs;

    for ( /* void */ ; turn->nread < turn->claim->njobs; turn->nread++) {
        if (inbound_job(turn, &turn->claim->jobs[turn->nread]) != 0) {
            return turn_ends(turn, TURN_BACK, -1, "no memory");
        }
    }

    return turn->njobs > 0 ? TURN_GOES_ON : TURN_DONE;
}


/* 0, or -1: no memory. */
static int
inbound_job(turn_t *turn, const queue_job_t *claimed)
{
    const char  *id;
    turn_job_t  *job;

    id = inbound_id(turn, claimed->header.id);
    if (id == NULL) {
        return -1;
    }

    if (inbound_known(turn, id)) {
        return 0;
    }

    job = &turn->jobs[turn->njobs++];
    memset(job, 0, sizeof(turn_job_t));
    job->id = id;
    job->header = &claimed->header;
    job->envelope = claimed->envelope;
    job->received_ms = claimed->header.received_ms;
    job->status = "processing";

    if (inbound_judge(turn, job, &claimed->header) != SETTER_OK) {
        return -1;
    }

    inbound_trace(job->job.trace);

    if (job->unfit != NULL) {
        log_error("a job cannot be answered", "tenant", turn->tenant,
                  "job", job->id, "reason", job->unfit);
    }

    return 0;
}


/* Log lines carry the trace id of the newest job that has one. */
static void
inbound_trace(setter_str_t trace)
{
    if (trace.len >= INBOUND_TRACE_AT + INBOUND_TRACE_LEN) {
        task_set_trace(trace.data + INBOUND_TRACE_AT, INBOUND_TRACE_LEN);
    }
}


const char *
inbound_id(turn_t *turn, setter_str_t id)
{
    char  made[SETTER_UUID_LEN];

    if (setter_uuid_valid(id)) {
        return arena_copy(turn->claim->arena, id.data, id.len);
    }

    if (setter_uuid_from_key(made, turn->claim->tenant, id) != SETTER_OK) {
        return NULL;
    }

    return arena_copy(turn->claim->arena, made, sizeof(made));
}


static int
inbound_known(const turn_t *turn, const char *id)
{
    size_t  i;

    for (i = 0; i < turn->njobs; i++) {
        if (strcmp(turn->jobs[i].id, id) == 0) {
            return 1;
        }
    }

    return 0;
}


/*
 * Jobs that were given up because workers died of them are not looked into
 * again.  SETTER_NO_MEMORY: nothing can be said of the job.
 */
static int
inbound_judge(turn_t *turn, turn_job_t *job,
    const setter_job_header_t *header)
{
    int  rc;

    if (turn->claim->dead
        && turn->claim->crashes >= turn->worker->queue.max_crashes)
    {
        job->job.kind = header->kind;
        return SETTER_OK;
    }

    rc = setter_job_read(&job->job, job->envelope.data, job->envelope.len,
                         arena_alloc(turn->claim->arena));

    if (rc == SETTER_ERROR) {
        memset(&job->job, 0, sizeof(setter_job_t));
        job->job.kind = header->kind;
        inbound_unfit(job, "the envelope cannot be read");
        return SETTER_OK;
    }

    if (rc != SETTER_OK) {
        return rc;
    }

    job->readable = 1;

    if (setter_job_header_has(header, "over")) {
        job->status = "failed";
        job->reason = "quota exceeded";
    }

    rc = inbound_extras(turn, job);

    if (rc == SETTER_OK) {
        inbound_unfit(job, turn->kind->unfit(job, header));
    }

    return rc;
}


void
inbound_unfit(turn_job_t *job, const char *reason)
{
    if (reason != NULL) {
        job->unfit = reason;
        job->status = "dead";
        job->reason = reason;
    }
}


const char *
inbound_disagrees(const turn_job_t *job, const setter_job_header_t *header)
{
    if (!inbound_same(job->job.id, header->id)
        || !inbound_same(job->job.kind, header->kind)
        || !inbound_same(job->job.tenant, header->tenant)
        || !inbound_same(job->job.lane, header->lane))
    {
        return "the envelope disagrees with its header";
    }

    return NULL;
}


const char *
inbound_unclear(const setter_job_t *job)
{
    return job->provider.len == 0 || job->provider.len > INBOUND_ID_MAX
           || job->from.len == 0 || job->from.len > INBOUND_ID_MAX
           || job->to.len > INBOUND_ID_MAX
           || job->provider_id.len > INBOUND_ID_MAX
           ? "an address or id is missing or too long" : NULL;
}


/*
 * ManyChat shows an answer where the location of the webhook says; what
 * somebody has us send may be a template, or have a file or buttons.
 */
static int
inbound_extras(turn_t *turn, turn_job_t *job)
{
    setter_json_value_t  values[4], *surface, *template;
    setter_json_error_e  rc;

    static const setter_json_path_t  paths[] = {
        { "data.surface", 0 },
        { "data.template", SETTER_JSON_TEXT },
        { "data.media", SETTER_JSON_TEXT },
        { "data.buttons", SETTER_JSON_TEXT },
    };

    rc = setter_json_read(job->envelope.data, job->envelope.len,
                          SETTER_JSON_REPAIR, paths, 4, values, NULL,
                          arena_alloc(turn->claim->arena));

    if (rc == SETTER_JSON_NO_MEMORY) {
        return SETTER_NO_MEMORY;
    }

    if (rc != SETTER_JSON_OK) {
        return SETTER_OK;
    }

    surface = &values[0];
    template = &values[1];

    if (surface->type == SETTER_JSON_STRING
        && surface->text.len <= INBOUND_ID_MAX)
    {
        job->surface = surface->text;
    }

    if (template->type == SETTER_JSON_OBJECT) {
        job->template = template->text;
    }

    if (values[2].type == SETTER_JSON_OBJECT) {
        return inbound_attach(turn, job, "media", values[2].text);
    }

    return values[3].type == SETTER_JSON_ARRAY
           ? inbound_attach(turn, job, "buttons", values[3].text) : SETTER_OK;
}


static int
inbound_attach(turn_t *turn, turn_job_t *job, const char *name,
    setter_str_t json)
{
    setter_buf_t  buf;

    /* what a person sends has none of it */
    if (strcmp(turn->kind->name, "send") != 0) {
        return SETTER_OK;
    }

    setter_buf_init(&buf, arena_alloc(turn->claim->arena), json.len + 16);
    setter_buf_byte(&buf, '{');
    setter_json_name(&buf, name);
    setter_buf_append(&buf, json.data, json.len);
    setter_buf_byte(&buf, '}');

    job->attached.data = buf.data;
    job->attached.len = buf.len;

    return buf.failed ? SETTER_NO_MEMORY : SETTER_OK;
}


static int
inbound_same(setter_str_t a, setter_str_t b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}


void
inbound_choose(turn_t *turn)
{
    size_t  i;

    turn->ref = NULL;
    turn->last = NULL;

    for (i = 0; i < turn->njobs; i++) {
        if (!turn->jobs[i].live) {
            continue;
        }

        if (turn->ref == NULL) {
            turn->ref = turn->jobs[i].id;
        }
        turn->last = &turn->jobs[i];
    }
}
