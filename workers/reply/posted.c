/*
 * Reading what was posted beside the queue.
 */

#include <stdio.h>
#include <string.h>

#include "reply/posted.h"
#include "runtime/loop.h"
#include "setter_format.h"
#include "setter_time.h"


#define POSTED_KIND_MAX  32

/* What is being read. */
typedef struct {
    posted_t     *posted;
    setter_str_t  body;
    const char   *tenant;           /* where the body names none */
    char         *error;
    size_t        size;
    arena_t      *arena;
} posted_read_t;


/* The members by which a body's kind is known. */
enum { KIND = 0, LEAD, MESSAGE, TEXT, NKNOWN };

/* The members of an envelope that make its header. */
enum { ID = 0, TENANT, LANE, JOB_KIND, RECEIVED, NHEADER };


static int posted_json(posted_read_t *read, const setter_json_path_t *paths,
    size_t n, setter_json_value_t *values, setter_buf_t *rest);
static int posted_envelope(posted_read_t *read);
static int posted_envelope_check(posted_read_t *read,
    const setter_json_value_t *values);
static int posted_visible(setter_str_t text);
static int posted_body(posted_read_t *read, const char *name);
static int posted_fields(posted_read_t *read, const setter_format_t *format,
    const setter_json_value_t *values, setter_job_t *job);
static int posted_field(posted_read_t *read, setter_job_t *job,
    const setter_format_field_t *field, const setter_json_value_t *value);
static void posted_defaults(const setter_format_t *format,
    setter_job_t *job);
static int posted_tenant(posted_read_t *read, setter_str_t claim,
    setter_job_t *job);
static int posted_identity(posted_read_t *read, setter_str_t key,
    setter_job_t *job);
static int posted_write(posted_read_t *read, const setter_job_t *job);
static int posted_header(posted_read_t *read, const setter_job_t *job);
static setter_str_t posted_str(const char *text);
static int posted_wrong(posted_read_t *read, const char *field,
    const char *what);


int
posted_read(posted_t *posted, const char *body, const char *tenant,
    char *error, size_t size, arena_t *arena)
{
    posted_read_t        read;
    setter_json_value_t  values[NKNOWN];

    static const setter_json_path_t  known[NKNOWN] = {
        [KIND] = { "kind", 0 },
        [LEAD] = { "lead_message", 0 },
        [MESSAGE] = { "message", 0 },
        [TEXT] = { "text", 0 },
    };

    read = (posted_read_t) { posted, posted_str(body), tenant, error, size,
                             arena };

    if (posted_json(&read, known, NKNOWN, values, NULL) != 0) {
        return -1;
    }

    if (values[KIND].type != SETTER_JSON_ABSENT) {
        return posted_envelope(&read);
    }

    if (values[LEAD].type != SETTER_JSON_ABSENT) {
        return posted_body(&read, "manychat");
    }

    if (values[MESSAGE].type != SETTER_JSON_ABSENT) {
        return posted_body(&read, "engine");
    }

    if (values[TEXT].type != SETTER_JSON_ABSENT) {
        return posted_body(&read, "generic");
    }

    return posted_wrong(&read, "kind", "required in an envelope; a body has"
                        " lead_message, message or text");
}


static int
posted_json(posted_read_t *read, const setter_json_path_t *paths, size_t n,
    setter_json_value_t *values, setter_buf_t *rest)
{
    setter_json_error_e  rc;

    rc = setter_json_read(read->body.data, read->body.len, 0, paths, n,
                          values, rest, arena_alloc(read->arena));

    return rc == SETTER_JSON_OK
           ? 0 : posted_wrong(read, "the body", setter_json_strerror(rc));
}


/* It travels on as it is. */
static int
posted_envelope(posted_read_t *read)
{
    setter_job_t         job;
    setter_json_value_t  values[NHEADER];

    static const setter_json_path_t  paths[NHEADER] = {
        [ID] = { "id", 0 },
        [TENANT] = { "tenant", 0 },
        [LANE] = { "lane", 0 },
        [JOB_KIND] = { "kind", 0 },
        [RECEIVED] = { "received_at", 0 },
    };

    if (posted_json(read, paths, NHEADER, values, NULL) != 0
        || posted_envelope_check(read, values) != 0)
    {
        return -1;
    }

    if (setter_job_read(&job, read->body.data, read->body.len,
                        arena_alloc(read->arena))
        != SETTER_OK)
    {
        return posted_wrong(read, "the body", "no memory");
    }

    if (job.received_ms < 0) {
        job.received_ms = loop_unix_ms();
    }

    read->posted->envelope = read->body;

    return posted_header(read, &job);
}


static int
posted_envelope_check(posted_read_t *read, const setter_json_value_t *values)
{
    size_t               i;
    const setter_str_t  *tenant, *lane;

    static const char *const  names[] = { "id", "tenant", "lane", "kind" };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (values[i].type == SETTER_JSON_ABSENT) {
            return posted_wrong(read, names[i], "required");
        }

        if (values[i].type != SETTER_JSON_STRING) {
            return posted_wrong(read, names[i], "type");
        }
    }

    tenant = &values[TENANT].text;
    lane = &values[LANE].text;

    if (!setter_uuid_valid(values[ID].text)) {
        return posted_wrong(read, "id", "not a UUID in lower case");
    }

    if (!setter_slug_valid(*tenant)) {
        return posted_wrong(read, "tenant", "not a slug");
    }

    if (lane->len > SETTER_LANE_MAX || !posted_visible(*lane)
        || lane->len <= tenant->len || lane->data[tenant->len] != '/'
        || memcmp(lane->data, tenant->data, tenant->len) != 0)
    {
        return posted_wrong(read, "lane", "not the tenant's slug, \"/\" and"
                            " visible ASCII");
    }

    if (values[JOB_KIND].text.len == 0
        || values[JOB_KIND].text.len > POSTED_KIND_MAX
        || !posted_visible(values[JOB_KIND].text))
    {
        return posted_wrong(read, "kind", "not a word");
    }

    if (values[RECEIVED].type != SETTER_JSON_ABSENT
        && setter_time_read(values[RECEIVED].text) < 0)
    {
        return posted_wrong(read, "received_at", "not a time as"
                            " 2026-11-20T10:30:00.123Z");
    }

    return 0;
}


/* As a header holds it without changing it. */
static int
posted_visible(setter_str_t text)
{
    size_t  i;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] <= 0x20 || text.data[i] >= 0x7f) {
            return 0;
        }
    }

    return 1;
}


/* What the module makes of the same body in a plain location. */
static int
posted_body(posted_read_t *read, const char *name)
{
    size_t                  i;
    setter_buf_t            data;
    setter_job_t            job;
    const setter_format_t  *format;
    setter_json_path_t      paths[SETTER_FORMAT_MAX_FIELDS];
    setter_json_value_t     values[SETTER_FORMAT_MAX_FIELDS];

    format = setter_format_find(posted_str(name));

    for (i = 0; i < format->nfields; i++) {
        paths[i].path = format->fields[i].path;
        paths[i].flags = format->fields[i].member == SETTER_FIELD_DATA
                         ? SETTER_JSON_KEEP : SETTER_JSON_TEXT;
    }

    setter_buf_init(&data, arena_alloc(read->arena), 0);

    if (posted_json(read, paths, format->nfields, values, &data) != 0) {
        return -1;
    }

    memset(&job, 0, sizeof(setter_job_t));
    job.received_ms = loop_unix_ms();
    job.kind = posted_str(format->kind);
    job.type = posted_str("text");
    job.provider = posted_str(format->provider);
    job.data.data = data.data;
    job.data.len = data.len;

    if (data.failed) {
        return posted_wrong(read, "the body", "no memory");
    }

    return posted_fields(read, format, values, &job);
}


static int
posted_fields(posted_read_t *read, const setter_format_t *format,
    const setter_json_value_t *values, setter_job_t *job)
{
    size_t                        i;
    setter_str_t                  key, claim;
    const setter_format_field_t  *field;

    memset(&key, 0, sizeof(key));
    memset(&claim, 0, sizeof(claim));

    for (i = 0; i < format->nfields; i++) {
        field = &format->fields[i];

        if (posted_field(read, job, field, &values[i]) != 0) {
            return -1;
        }

        if (setter_field_absent(field, &values[i])) {
            continue;
        }

        if (strcmp(field->path, format->dedupe) == 0) {
            key = values[i].text;
        }

        if (strcmp(field->path, format->tenant) == 0) {
            claim = values[i].text;
        }
    }

    posted_defaults(format, job);

    if (job->provider.len == 0) {
        return posted_wrong(read, "provider", "required");
    }

    if (posted_tenant(read, claim, job) != 0
        || posted_identity(read, key, job) != 0)
    {
        return -1;
    }

    return posted_write(read, job);
}


static int
posted_field(posted_read_t *read, setter_job_t *job,
    const setter_format_field_t *field, const setter_json_value_t *value)
{
    setter_buf_t           json;
    setter_str_t          *member;
    setter_field_error_e   rc;

    rc = setter_field_check(field, value);
    if (rc != SETTER_FIELD_OK) {
        return posted_wrong(read, field->path, setter_field_strerror(rc));
    }

    if (setter_field_absent(field, value)
        || field->member == SETTER_FIELD_DATA
        || field->member == SETTER_FIELD_NONE)
    {
        return 0;
    }

    member = (setter_str_t *) ((char *) job + field->member);

    if (field->type != SETTER_FIELD_JSON) {
        *member = value->text;
        return 0;
    }

    setter_buf_init(&json, arena_alloc(read->arena), 0);
    setter_json_value(&json, value);
    member->data = json.data;
    member->len = json.len;

    return json.failed ? posted_wrong(read, field->path, "no memory") : 0;
}


static void
posted_defaults(const setter_format_t *format, setter_job_t *job)
{
    setter_str_t                          *member;
    const struct setter_format_default_s  *initial;

    for (initial = format->defaults;
         initial != NULL && initial->field != NULL;
         initial++)
    {
        member = (setter_str_t *)
                 ((char *) job
                  + setter_format_member(posted_str(initial->field)));

        if (member->len == 0) {
            *member = posted_str(initial->value);
        }
    }
}


static int
posted_tenant(posted_read_t *read, setter_str_t claim, setter_job_t *job)
{
    job->tenant = claim.len > 0 ? claim : posted_str(read->tenant);

    return setter_slug_valid(job->tenant)
           ? 0 : posted_wrong(read, "tenant_id", "not a slug");
}


static int
posted_identity(posted_read_t *read, setter_str_t key, setter_job_t *job)
{
    int            rc;
    char           id[SETTER_UUID_LEN];
    setter_buf_t   lane;

    rc = key.len > 0 ? setter_uuid_from_key(id, job->tenant, key)
                     : setter_uuid_v7(id, job->received_ms);

    job->id.data = arena_copy(read->arena, id, sizeof(id));
    job->id.len = sizeof(id);

    setter_buf_init(&lane, arena_alloc(read->arena), 0);
    setter_lane_conversation(&lane, job->tenant,
                             setter_format_channel(job->provider), job->to,
                             job->from);
    job->lane.data = lane.data;
    job->lane.len = lane.len;

    if (rc != SETTER_OK || job->id.data == NULL || lane.failed) {
        return posted_wrong(read, "the body", "no memory");
    }

    return 0;
}


static int
posted_write(posted_read_t *read, const setter_job_t *job)
{
    setter_buf_t  envelope;

    setter_buf_init(&envelope, arena_alloc(read->arena), 0);
    setter_job_write(&envelope, job);
    read->posted->envelope.data = envelope.data;
    read->posted->envelope.len = envelope.len;

    if (envelope.failed) {
        return posted_wrong(read, "the body", "no memory");
    }

    return posted_header(read, job);
}


static int
posted_header(posted_read_t *read, const setter_job_t *job)
{
    setter_buf_t         line;
    setter_job_header_t  header;

    memset(&header, 0, sizeof(header));
    header.id = job->id;
    header.tenant = job->tenant;
    header.kind = job->kind;
    header.lane = job->lane;
    header.received_ms = job->received_ms;

    setter_buf_init(&line, arena_alloc(read->arena), 0);
    setter_job_header_write(&line, &header);

    read->posted->id = job->id;
    read->posted->tenant = job->tenant;
    read->posted->header.data = line.data;
    read->posted->header.len = line.len;

    return line.failed ? posted_wrong(read, "the body", "no memory") : 0;
}


static setter_str_t
posted_str(const char *text)
{
    setter_str_t  str;

    str.data = text;
    str.len = text != NULL ? strlen(text) : 0;

    return str;
}


static int
posted_wrong(posted_read_t *read, const char *field, const char *what)
{
    snprintf(read->error, read->size, "%s: %s", field, what);

    return -1;
}
