/*
 * The formats of webhooks: what a table's checks let pass becomes a job that
 * is read as it was written.
 */

#include "fuzz.h"
#include "setter_format.h"


static void take_all(const setter_format_t *format, setter_str_t body,
    setter_alloc_t *alloc);
static void take_one(const setter_format_t *format, setter_str_t body,
    setter_alloc_t *alloc);
static int take(const setter_format_t *format,
    const setter_json_value_t *values, setter_job_t *job,
    setter_alloc_t *alloc);
static void check(const setter_job_t *job, setter_alloc_t *alloc);


/* The first line names the format. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    setter_str_t            text;
    fuzz_memory_t           memory;
    const setter_format_t  *format;

    text = fuzz_text(fuzz_memory(&memory, 0), data, size);
    format = setter_format_find(fuzz_line(&text));

    if (format != NULL && format->events != NULL) {
        take_all(format, text, &memory.alloc);

    } else if (format != NULL) {
        take_one(format, text, &memory.alloc);
    }

    fuzz_forget(&memory);

    return 0;
}


/* Of a body that brings many things each is a job, or set aside. */
static void
take_all(const setter_format_t *format, setter_str_t body,
    setter_alloc_t *alloc)
{
    int              named;
    size_t           i;
    setter_events_t  events;

    memset(&events, 0, sizeof(events));
    events.alloc = alloc;

    if (format->events(body, &events) != SETTER_OK) {
        return;
    }

    /* a contact of ManyChat's need not have a page, nor its text an id */
    named = strcmp(format->name, "manychat_contact") == 0;

    for (i = 0; i < events.n; i++) {
        fuzz_holds(events.list[i].aside != NULL
                   || (events.list[i].job.kind.len > 0
                       && (named || (events.list[i].key.len > 0
                           && (events.list[i].job.to.len > 0
                               || events.list[i].job.text.len == 0)))));

        if (events.list[i].aside == NULL) {
            check(&events.list[i].job, alloc);
        }
    }
}


static void
take_one(const setter_format_t *format, setter_str_t body,
    setter_alloc_t *alloc)
{
    size_t               i;
    setter_job_t         job;
    setter_buf_t         rest;
    setter_json_path_t   paths[SETTER_FORMAT_MAX_FIELDS];
    setter_json_value_t  values[SETTER_FORMAT_MAX_FIELDS];

    for (i = 0; i < format->nfields; i++) {
        paths[i].path = format->fields[i].path;
        paths[i].flags = format->fields[i].member == SETTER_FIELD_DATA
                         ? SETTER_JSON_KEEP : SETTER_JSON_TEXT;
    }

    setter_buf_init(&rest, alloc, 0);
    memset(&job, 0, sizeof(job));

    if (setter_json_read(body.data, body.len, 0, paths, format->nfields,
                         values, &rest, alloc)
        == SETTER_JSON_OK
        && take(format, values, &job, alloc) == 0)
    {
        job.data.data = rest.data;
        job.data.len = rest.len;
        check(&job, alloc);
    }
}


/* 0, or -1: a field is refused. */
static int
take(const setter_format_t *format, const setter_json_value_t *values,
    setter_job_t *job, setter_alloc_t *alloc)
{
    size_t                        i;
    setter_buf_t                  json;
    setter_str_t                 *member;
    setter_field_error_e          rc;
    const setter_format_field_t  *field;

    for (i = 0; i < format->nfields; i++) {
        field = &format->fields[i];
        rc = setter_field_check(field, &values[i]);
        fuzz_holds(strcmp(setter_field_strerror(rc), "unknown") != 0);

        if (rc != SETTER_FIELD_OK) {
            return -1;
        }

        if (setter_field_absent(field, &values[i])) {
            fuzz_holds(!field->required);
            continue;
        }

        if (field->member == SETTER_FIELD_DATA
            || field->member == SETTER_FIELD_NONE)
        {
            continue;
        }

        member = (setter_str_t *) ((char *) job + field->member);
        *member = values[i].text;

        if (field->type == SETTER_FIELD_JSON) {
            setter_buf_init(&json, alloc, 0);
            setter_json_value(&json, &values[i]);
            fuzz_holds(!json.failed);
            member->data = json.data;
            member->len = json.len;
        }
    }

    return 0;
}


static void
check(const setter_job_t *job, setter_alloc_t *alloc)
{
    setter_buf_t         lane, envelope, line;
    setter_job_t         full, again;
    setter_str_t         text;
    setter_job_header_t  header;

    static const setter_str_t  id = setter_str("00000000-0000-7000-8000-"
                                               "000000000000");
    static const setter_str_t  tenant = setter_str("acme");
    static const setter_str_t  kind = setter_str("message");

    full = *job;
    full.id = id;
    full.tenant = tenant;
    full.kind = kind;
    full.received_ms = 1795170600123;

    setter_buf_init(&lane, alloc, 0);
    setter_lane_conversation(&lane, tenant, job->provider, job->to, job->from);
    full.lane.data = lane.data;
    full.lane.len = lane.len;

    setter_buf_init(&envelope, alloc, 0);
    setter_job_write(&envelope, &full);
    fuzz_holds(!envelope.failed);
    fuzz_holds(setter_job_read(&again, envelope.data, envelope.len, alloc)
               == SETTER_OK);
    fuzz_holds(fuzz_same(again.lane, full.lane));
    fuzz_holds(fuzz_same(again.from, full.from));
    fuzz_holds(fuzz_same(again.to, full.to));
    fuzz_holds(fuzz_same(again.text, full.text));
    fuzz_holds(fuzz_same(again.media, full.media));
    fuzz_holds(fuzz_same(again.profile, full.profile));
    fuzz_holds(fuzz_same(again.data, full.data));
    fuzz_holds(again.received_ms == full.received_ms);

    memset(&header, 0, sizeof(header));
    header.id = id;
    header.tenant = tenant;
    header.kind = kind;
    header.lane = full.lane;
    setter_buf_init(&line, alloc, 0);
    setter_job_header_write(&line, &header);
    text.data = line.data;
    text.len = line.len;
    fuzz_holds(setter_job_header_read(&header, text) == SETTER_OK);
    fuzz_holds(fuzz_same(header.lane, full.lane));
}
