/*
 * A job: the JSON envelope that travels from the module through Redis to a
 * worker, and the header line beside it that the queue's functions read.
 */

#ifndef SETTER_JOB_H
#define SETTER_JOB_H

#include "setter_buf.h"
#include "setter_uuid.h"


#define SETTER_SLUG_MAX  63     /* [a-z][a-z0-9-]{0,62} */
#define SETTER_LANE_MAX  512


/* Text members are absent when data is NULL. */
typedef struct {
    setter_str_t  id;
    setter_str_t  kind;             /* "message" */
    setter_str_t  tenant;
    setter_str_t  lane;
    setter_str_t  channel;
    setter_str_t  consumer;
    setter_str_t  workflow;
    setter_str_t  from;             /* the person's address */
    setter_str_t  to;               /* ours: number, page, sender */
    setter_str_t  text;
    setter_str_t  type;             /* "text" */
    setter_str_t  media;            /* JSON text, or absent */
    setter_str_t  provider;         /* who delivers the answer */
    setter_str_t  provider_id;      /* the provider's message id */
    setter_str_t  profile;          /* JSON text of an object, or absent */
    setter_str_t  trace;            /* W3C traceparent */
    setter_str_t  data;             /* members for "data", without braces */
    int64_t       received_ms;      /* Unix time */
} setter_job_t;


/* What the queue's functions need to know of a job; times in ms. */
typedef struct {
    setter_str_t  id;
    setter_str_t  tenant;
    setter_str_t  kind;
    setter_str_t  lane;
    int64_t       received_ms;
    int64_t       debounce_ms;      /* 0: none */
    int64_t       debounce_max_ms;
    int64_t       send_at_ms;       /* 0: at once */
    setter_str_t  flags;            /* "again,…", words; len 0: none */
} setter_job_header_t;


/* [a-z][a-z0-9-]{0,62}: what may be a tenant's slug. */
int setter_slug_valid(setter_str_t slug);

/* The tenant whom calls are of in the queue: one of the tenants' own may be
 * held, and then be asked about all the same.  It has nothing else. */
#define SETTER_CALLS  "setter"

/*
 * Appends "<tenant>/conv/<channel>:<us>:<them>".  Bytes that are not visible
 * ASCII, and '%', ':' and '/' inside a part, are percent-encoded; an absent
 * or empty part is "-".  A lane longer than SETTER_LANE_MAX ends in "%~" and
 * the SHA-256 of the whole instead.
 */
void setter_lane_conversation(setter_buf_t *buf, setter_str_t tenant,
    setter_str_t channel, setter_str_t us, setter_str_t them);

/* Appends "<tenant>/conv/<value>", value encoded likewise ('/', ':' kept). */
void setter_lane_custom(setter_buf_t *buf, setter_str_t tenant,
    setter_str_t value);

/* Appends "<tenant>/<kind>/<id>", for a job that has a lane of its own. */
void setter_lane_job(setter_buf_t *buf, setter_str_t tenant,
    setter_str_t kind, setter_str_t id);

/* Appends the envelope. */
void setter_job_write(setter_buf_t *buf, const setter_job_t *job);

/*
 * Reads an envelope; text points into json or alloc.  SETTER_ERROR when it
 * is no JSON object or lacks id, kind, tenant or lane; SETTER_NO_MEMORY, which
 * says nothing about it.  A member of another
 * type than it is written with counts as absent; without a received_at,
 * received_ms is -1.
 */
int setter_job_read(setter_job_t *job, const char *json, size_t len,
    setter_alloc_t *alloc);

/*
 * The header is one line of tab-separated fields, the first its version:
 *   1 id tenant kind lane received_ms debounce_ms debounce_max_ms send_at_ms
 *   [flags]
 * New fields are only ever added at the end.  Bytes that are not visible
 * ASCII, which no valid field has, are percent-encoded.  Reading points into
 * the line and returns SETTER_ERROR when it is no such header.
 *
 * Flags are words joined by ",", and words that nobody knows mean nothing:
 *   again      has leave to come a second time: requeued or reconciled
 *   over       the tenant's quota was used up: to be recorded, not answered
 *   status=…   what became of the job, on a job of kind "record"
 */
void setter_job_header_write(setter_buf_t *buf,
    const setter_job_header_t *header);
int setter_job_header_read(setter_job_header_t *header, setter_str_t line);

/* Whether the word is one of the header's flags: 1 or 0. */
int setter_job_header_has(const setter_job_header_t *header,
    const char *word);


#endif /* SETTER_JOB_H */
