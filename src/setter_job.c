#include <string.h>

#include "setter_job.h"
#include "setter_json.h"
#include "setter_time.h"


typedef enum {
    SETTER_MEMBER_TEXT,
    SETTER_MEMBER_JSON,         /* anything; null when absent */
    SETTER_MEMBER_OBJECT,
    SETTER_MEMBER_DATA,         /* an object; the job has what is inside */
    SETTER_MEMBER_TIME
} setter_member_type_e;

typedef struct {
    const char            *name;
    setter_member_type_e   type;
    size_t                 offset;      /* in setter_job_t */
} setter_member_t;


static int setter_job_take(setter_job_t *job, const setter_member_t *member,
    const setter_json_value_t *value, setter_alloc_t *alloc);

/* The envelope, in its order. */
static const setter_member_t  setter_members[] = {
    { "id", SETTER_MEMBER_TEXT, offsetof(setter_job_t, id) },
    { "kind", SETTER_MEMBER_TEXT, offsetof(setter_job_t, kind) },
    { "tenant", SETTER_MEMBER_TEXT, offsetof(setter_job_t, tenant) },
    { "lane", SETTER_MEMBER_TEXT, offsetof(setter_job_t, lane) },
    { "channel", SETTER_MEMBER_TEXT, offsetof(setter_job_t, channel) },
    { "consumer", SETTER_MEMBER_TEXT, offsetof(setter_job_t, consumer) },
    { "workflow", SETTER_MEMBER_TEXT, offsetof(setter_job_t, workflow) },
    { "from", SETTER_MEMBER_TEXT, offsetof(setter_job_t, from) },
    { "to", SETTER_MEMBER_TEXT, offsetof(setter_job_t, to) },
    { "text", SETTER_MEMBER_TEXT, offsetof(setter_job_t, text) },
    { "type", SETTER_MEMBER_TEXT, offsetof(setter_job_t, type) },
    { "media", SETTER_MEMBER_JSON, offsetof(setter_job_t, media) },
    { "provider", SETTER_MEMBER_TEXT, offsetof(setter_job_t, provider) },
    { "provider_id", SETTER_MEMBER_TEXT,
      offsetof(setter_job_t, provider_id) },
    { "profile", SETTER_MEMBER_OBJECT, offsetof(setter_job_t, profile) },
    { "received_at", SETTER_MEMBER_TIME,
      offsetof(setter_job_t, received_ms) },
    { "trace", SETTER_MEMBER_TEXT, offsetof(setter_job_t, trace) },
    { "data", SETTER_MEMBER_DATA, offsetof(setter_job_t, data) }
};

#define SETTER_MEMBERS  (sizeof(setter_members) / sizeof(setter_members[0]))

#define setter_member_str(job, member)                                        \
    ((setter_str_t *) ((char *) (job) + (member)->offset))


int
setter_slug_valid(setter_str_t slug)
{
    char    c;
    size_t  i;

    if (slug.len == 0 || slug.len > SETTER_SLUG_MAX) {
        return 0;
    }

    for (i = 0; i < slug.len; i++) {
        c = slug.data[i];

        if (c >= 'a' && c <= 'z') {
            continue;
        }

        if (i == 0 || !(c == '-' || (c >= '0' && c <= '9'))) {
            return 0;
        }
    }

    return 1;
}


void
setter_job_write(setter_buf_t *buf, const setter_job_t *job)
{
    size_t                  i;
    const setter_str_t     *text;
    const setter_member_t  *member;

    setter_buf_byte(buf, '{');

    for (i = 0; i < SETTER_MEMBERS; i++) {
        member = &setter_members[i];

        if (member->type == SETTER_MEMBER_TIME) {
            setter_json_name(buf, member->name);
            setter_buf_byte(buf, '"');
            setter_time_write(buf, job->received_ms);
            setter_buf_byte(buf, '"');
            continue;
        }

        text = setter_member_str(job, member);

        if (member->type == SETTER_MEMBER_TEXT) {
            setter_json_member(buf, member->name, *text);

        } else if (member->type == SETTER_MEMBER_DATA) {
            setter_json_name(buf, member->name);
            setter_buf_byte(buf, '{');
            setter_buf_append(buf, text->data, text->len);
            setter_buf_byte(buf, '}');

        } else if (text->data != NULL) {
            setter_json_name(buf, member->name);
            setter_buf_append(buf, text->data, text->len);

        } else if (member->type == SETTER_MEMBER_JSON) {
            setter_json_name(buf, member->name);
            setter_buf_text(buf, "null");
        }
    }

    setter_buf_byte(buf, '}');
}


int
setter_job_read(setter_job_t *job, const char *json, size_t len,
    setter_alloc_t *alloc)
{
    size_t                i;
    setter_json_path_t    paths[SETTER_MEMBERS];
    setter_json_value_t   values[SETTER_MEMBERS];
    setter_json_error_e   rc;

    for (i = 0; i < SETTER_MEMBERS; i++) {
        paths[i].path = setter_members[i].name;
        paths[i].flags = SETTER_JSON_TEXT;
    }

    rc = setter_json_read(json, len, 0, paths, SETTER_MEMBERS, values, NULL,
                          alloc);

    if (rc != SETTER_JSON_OK) {
        return rc == SETTER_JSON_NO_MEMORY ? SETTER_NO_MEMORY : SETTER_ERROR;
    }

    memset(job, 0, sizeof(setter_job_t));

    for (i = 0; i < SETTER_MEMBERS; i++) {
        if (setter_job_take(job, &setter_members[i], &values[i], alloc)
            != SETTER_OK)
        {
            return SETTER_NO_MEMORY;
        }
    }

    if (job->id.len == 0 || job->kind.len == 0 || job->tenant.len == 0
        || job->lane.len == 0)
    {
        return SETTER_ERROR;
    }

    return SETTER_OK;
}


static int
setter_job_take(setter_job_t *job, const setter_member_t *member,
    const setter_json_value_t *value, setter_alloc_t *alloc)
{
    setter_buf_t   buf;
    setter_str_t  *text;

    text = setter_member_str(job, member);

    switch (member->type) {

    case SETTER_MEMBER_TEXT:
        if (value->type == SETTER_JSON_STRING) {
            *text = value->text;
        }

        break;

    case SETTER_MEMBER_OBJECT:
        if (value->type == SETTER_JSON_OBJECT) {
            *text = value->text;
        }

        break;

    case SETTER_MEMBER_DATA:
        if (value->type == SETTER_JSON_OBJECT) {
            text->data = value->text.data + 1;
            text->len = value->text.len - 2;
        }

        break;

    case SETTER_MEMBER_TIME:
        job->received_ms = setter_time_read(value->text);
        break;

    case SETTER_MEMBER_JSON:
        if (value->type == SETTER_JSON_ABSENT
            || value->type == SETTER_JSON_NULL)
        {
            break;
        }

        setter_buf_init(&buf, alloc, 0);
        setter_json_value(&buf, value);

        if (buf.failed) {
            return SETTER_ERROR;
        }

        text->data = buf.data;
        text->len = buf.len;
        break;
    }

    return SETTER_OK;
}
