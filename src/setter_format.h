/*
 * The formats that webhooks arrive in, one table each: which JSON member
 * becomes which member of the job.  Adding one is one table in a file
 * setter_format_<name>.c and one line in setter_format.c.
 */

#ifndef SETTER_FORMAT_H
#define SETTER_FORMAT_H

#include "setter_job.h"
#include "setter_json.h"


#define SETTER_FORMAT_MAX_FIELDS  32
#define SETTER_FIELD_ID_MAX       256     /* bytes of an id or a name */


typedef enum {
    SETTER_FIELD_TEXT,      /* a string; empty when only white space */
    SETTER_FIELD_ID,        /* a short string, or a number kept as its text */
    SETTER_FIELD_OBJECT,    /* an object; kept as JSON text */
    SETTER_FIELD_JSON,      /* anything; kept as JSON text */
    SETTER_FIELD_TIME       /* when to send: see setter_field_time() */
} setter_field_type_e;


/*
 * Where a field goes when it is not a member of the job itself.  A path of
 * DATA is read with SETTER_JSON_KEEP.
 */
#define SETTER_FIELD_DATA  ((size_t) -1)   /* stays in "data" */
#define SETTER_FIELD_NONE  ((size_t) -2)   /* read, and not passed on */

typedef struct {
    const char           *path;         /* in the request's body */
    setter_field_type_e   type;
    unsigned              required:1;
    unsigned              variables:1;  /* "{{...}}" counts as empty */
    size_t                member;       /* offsetof(setter_job_t, …) */
} setter_format_field_t;


#define SETTER_FORMAT_MAX_EVENTS  4096      /* in one body */


/*
 * One thing of many that a provider's webhook tells: what becomes a job, or
 * why none is made of it.
 */
typedef struct {
    setter_job_t   job;         /* but id, tenant, lane, received_ms, trace */
    setter_str_t   key;         /* to know a repeat by; len 0: none */
    int64_t        time_ms;     /* the provider's, Unix ms; 0: none */
    const char    *aside;       /* NULL, or a word: "reaction" */
} setter_event_t;

typedef struct {
    setter_event_t  *list;
    size_t           n;
    size_t           size;      /* places */
    setter_alloc_t  *alloc;
} setter_events_t;


typedef enum {
    SETTER_FIELD_OK = 0,
    SETTER_FIELD_REQUIRED,
    SETTER_FIELD_EMPTY,
    SETTER_FIELD_BAD_TYPE,
    SETTER_FIELD_TOO_LONG,
    SETTER_FIELD_ENCODING,
    SETTER_FIELD_UNSUPPORTED
} setter_field_error_e;

/* Told of each field that is wrong. */
typedef void (*setter_field_report_pt)(void *owner, const char *field,
    setter_field_error_e error);


typedef struct {
    const char                   *name;       /* "manychat" */
    const char                   *provider;   /* NULL: the job says */
    const char                   *kind;
    unsigned                      apart:1;    /* no conversation: each job
                                                 has a lane of its own */
    unsigned                      hook:1;     /* a provider posts it, and
                                                 repeats what is refused */
    const char                   *dedupe;     /* path, or NULL */
    const char                   *tenant;     /* path of a tenant claim */
    const setter_format_field_t  *fields;
    size_t                        nfields;
    const struct setter_format_default_s {
        const char  *field;
        const char  *value;
    }                            *defaults;   /* NULL, or ends with NULLs */

    /*
     * For formats that bring many things in one body, NULL for the others:
     * reads all of them, in the order they stand.  SETTER_ERROR: the body is
     * no such thing; SETTER_NO_MEMORY.
     */
    int                         (*events)(setter_str_t body,
                                          setter_events_t *events);

    const char                   *answer;       /* of 200; NULL: nothing */
    const char                   *answer_type;

    /* In its place, where it depends on the surface that the location sets
     * (len 0: none); NULL: it does not. */
    void                        (*write_answer)(setter_str_t surface,
                                                setter_buf_t *buf);

    const char                   *excused;      /* a required field that may
                                                   be absent beside … */
    const char                   *excuse;       /* … this one; NULL: none */

    /*
     * Judges what the table cannot; of a field that is wrong already the job
     * has nothing.  NULL: nothing.  SETTER_OK, or SETTER_NO_MEMORY.
     */
    int                         (*check)(const setter_job_t *job,
                                         setter_field_report_pt report,
                                         void *owner, setter_alloc_t *alloc);
} setter_format_t;


/* What a message to send may have beside a text, by setter_format_takes(). */
#define SETTER_SEND_TEMPLATE  1
#define SETTER_SEND_MEDIA     2
#define SETTER_SEND_BUTTONS   4

/* The SETTER_SEND_… that a provider takes. */
unsigned setter_format_takes(setter_str_t provider);


/* The table of a webhook's format of that name, or NULL. */
const setter_format_t *setter_format_find(setter_str_t name);

/* That of messages to send, which come through no webhook. */
const setter_format_t *setter_format_outgoing(void);

/*
 * Where the provider's conversations take place: whatever format a message
 * has, its lane is the same.
 */
setter_str_t setter_format_channel(setter_str_t provider);

/* offsetof the member of setter_job_t that may be set by name, or
 * SETTER_FIELD_DATA: channel, consumer, workflow, from, to, text, type,
 * provider, provider_id are settable. */
size_t setter_format_member(setter_str_t name);


/* "required", "empty", "type", "too_long", "encoding", "unsupported"; "ok" */
const char *setter_field_strerror(setter_field_error_e error);

/*
 * Judges one value read from a body against its field.  What may be absent
 * may also be null or empty.  ENCODING is the reader's to find.
 */
setter_field_error_e setter_field_check(const setter_format_field_t *field,
    const setter_json_value_t *value);

/*
 * Unix time in ms: a string in RFC 3339, or a number of seconds or, where it
 * would be after the year 5138, of ms.  -1 when it is neither.
 */
int64_t setter_field_time(const setter_json_value_t *value);

/* 1 when the value counts as not given: absent, null or empty. */
int setter_field_absent(const setter_format_field_t *field,
    const setter_json_value_t *value);


#endif /* SETTER_FORMAT_H */
