/*
 * The types that the rooms of the module share.
 */

#ifndef _NGX_HTTP_SETTER_MODULE_H_INCLUDED_
#define _NGX_HTTP_SETTER_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "setter_format.h"
#include "setter_job.h"

#include "ngx_http_setter_redis.h"
#include "ngx_http_setter_spool.h"


#define NGX_HTTP_SETTER_TRACE_LEN  55


typedef struct ngx_http_setter_ctx_s     ngx_http_setter_ctx_t;
typedef struct ngx_http_setter_stat_s    ngx_http_setter_stat_t;
typedef struct ngx_http_setter_verify_s  ngx_http_setter_verify_t;
typedef struct ngx_http_setter_plan_s    ngx_http_setter_plan_t;
typedef struct ngx_http_setter_batch_s   ngx_http_setter_batch_t;
typedef struct ngx_http_setter_api_s     ngx_http_setter_api_t;
typedef struct ngx_http_setter_key_s     ngx_http_setter_key_t;
typedef struct ngx_http_setter_recent_s  ngx_http_setter_recent_t;
typedef struct ngx_http_setter_bell_s    ngx_http_setter_bell_t;
typedef struct ngx_http_setter_polls_s   ngx_http_setter_polls_t;
typedef struct ngx_http_setter_calls_s   ngx_http_setter_calls_t;
typedef struct ngx_http_setter_call_s    ngx_http_setter_call_t;
typedef struct ngx_http_setter_stat_tenant_s  ngx_http_setter_stat_tenant_t;
typedef struct ngx_http_setter_lookup_s   ngx_http_setter_lookup_t;
typedef struct ngx_http_setter_signing_s  ngx_http_setter_signing_t;


/* How a request ended; ngx_http_setter_reply.c has what each one answers. */

typedef enum {
    ngx_http_setter_undecided = 0,
    ngx_http_setter_passed,         /* it goes on: others will answer */
    ngx_http_setter_accepted,
    ngx_http_setter_method,
    ngx_http_setter_unauthorized,
    ngx_http_setter_unknown_tenant,
    ngx_http_setter_forbidden,
    ngx_http_setter_media_type,
    ngx_http_setter_too_large,
    ngx_http_setter_json,
    ngx_http_setter_fields,
    ngx_http_setter_quota,
    ngx_http_setter_full,
    ngx_http_setter_unavailable,
    ngx_http_setter_timeout,
    ngx_http_setter_unsupported,
    ngx_http_setter_failed,
    ngx_http_setter_outcomes,   /* of messages: these are counted */

    ngx_http_setter_no_job = ngx_http_setter_outcomes,
    ngx_http_setter_stale,
    ngx_http_setter_unloaded,
    ngx_http_setter_no_reply,
    ngx_http_setter_no_answer
} ngx_http_setter_outcome_e;


struct ngx_http_setter_main_conf_s {
    ngx_http_setter_redis_t     *redis;
    ngx_http_setter_spool_t     *spool;     /* or NULL */
    ngx_uint_t                   partitions;
    size_t                       zone_size;
    ngx_array_t                  formats;   /* of const setter_format_t * */

    ngx_http_setter_stat_t      *stat;      /* in shared memory, or NULL */
    ngx_uint_t                  *slots;     /* of the formats in it */
    ngx_http_setter_recent_t    *recent;
    ngx_http_setter_signing_t   *signing;   /* keys, or NULL */

    ngx_http_setter_bell_t      *bell;      /* NULL: nothing waits */
    ngx_http_setter_polls_t     *polls;
    ngx_http_setter_calls_t     *calls;
    unsigned                     has_polls:1;   /* some location has */
    unsigned                     has_calls:1;
    unsigned                     crowded:1; /* a tenant had no place, logged */
};


typedef struct {
    ngx_array_t                 *tenants;   /* of ngx_http_setter_source_t */
    ngx_uint_t                   known;
    ngx_uint_t                   quota;     /* messages a minute; 0: any */
    ngx_http_setter_verify_t    *verify;

    ngx_flag_t                   validate;
    const setter_format_t       *format;    /* not inherited */
    ngx_uint_t                   format_n;  /* in smcf->formats */
    ngx_http_setter_plan_t      *plan;
    ngx_array_t                 *required;  /* of ngx_str_t */
    ngx_array_t                 *defaults;  /* of ngx_http_setter_member_t */
    ngx_array_t                 *sets;
    ngx_str_t                    dedupe;    /* member of the body, or empty */
    ngx_flag_t                   no_dedupe;

    ngx_http_complex_value_t    *lane;
    ngx_msec_t                   debounce;
    ngx_msec_t                   debounce_max;
    size_t                       max_job;
    ngx_uint_t                   compat;
    ngx_http_setter_api_t       *api;       /* not inherited */
    void                        *api_conf;  /* its parameters */
} ngx_http_setter_loc_conf_t;


/* "undecided": the request waits, and is answered later. */
typedef ngx_http_setter_outcome_e (*ngx_http_setter_go_on_pt)(
    ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx);


/*
 * A request, from the first of its handlers or variables that needs this on.
 *
 * Allocated from the request's pool and found again, after an internal
 * redirect has wiped r->ctx, through its pool cleanup: a job is appended
 * once, and the variables keep their values until the log is written.
 */

struct ngx_http_setter_ctx_s {
    ngx_http_request_t          *request;
    setter_alloc_t               alloc;

    ngx_array_t                 *tenants;   /* the sources of "tenant" */
    ngx_str_t                    tenant;    /* len 0: none found */
    ngx_http_setter_loc_conf_t  *checked;   /* header-only checks passed for */
    ngx_http_setter_key_t       *bearer;    /* NULL: no key was looked for */
    ngx_http_setter_go_on_pt     go_on;     /* when key or signature is good */
    ngx_http_setter_lookup_t    *signing;   /* of channels' secrets, or NULL */
    setter_str_t                 body;      /* that is signed */

    setter_job_t                 job;
    setter_str_t                 key;       /* to know a repeat by, or len 0 */
    int64_t                      send_at;   /* Unix ms; 0: at once */
    setter_buf_t                 errors;    /* members of the errors array */
    setter_buf_t                 header;
    setter_buf_t                 envelope;
    const char                  *detail;    /* NULL, or what is wrong */

    ngx_http_setter_op_t         op;
    ngx_http_setter_call_t      *call;      /* NULL, or what the job is for:
                                               the answer comes later */
    ngx_http_setter_batch_t     *batch;     /* NULL, or what was in the body */
    ngx_http_setter_spool_wait_t wait;
    uint64_t                     order;     /* of the job among all */
    uint64_t                     started;   /* of the append, us */
    uint64_t                     enqueued;  /* what it took, us */
    ngx_http_setter_outcome_e    outcome;

    ngx_uint_t                   partition;
    ngx_http_setter_stat_tenant_t  *place;  /* the tenant's, or NULL */
    uint64_t                     taken;     /* of its quota, or 0: nothing */

    unsigned                     settled:1; /* the tenant is final */
    unsigned                     claimed:1; /* by the request, not for all */
    unsigned                     admin:1;   /* an administrator's request */
    unsigned                     part:1;    /* not the request's: the batch's */
    unsigned                     admitted:1;
    unsigned                     answered:1;    /* to the question: known? */
    unsigned                     known:1;   /* the answer */
    unsigned                     traced:1;
    unsigned                     changed:1; /* members were set */
    unsigned                     passed:1;  /* once is enough */
    unsigned                     unsupported:1; /* an error says so */
    char                         id[SETTER_UUID_LEN];
    char                         trace[NGX_HTTP_SETTER_TRACE_LEN];
};


/* For directives: the location takes messages of this format. */
char *ngx_http_setter_use_format(ngx_conf_t *cf,
    ngx_http_setter_loc_conf_t *slcf, const setter_format_t *format);

/* The handler of locations that take messages. */
ngx_int_t ngx_http_setter_content_handler(ngx_http_request_t *r);

/* The context of the main request, or NULL; the second makes one. */
ngx_http_setter_ctx_t *ngx_http_setter_find_ctx(ngx_http_request_t *r);
ngx_http_setter_ctx_t *ngx_http_setter_get_ctx(ngx_http_request_t *r);

/* setter_alloc_t over an ngx_pool_t. */
void *ngx_http_setter_palloc(void *pool, size_t size);

/* value is the text of a directive; NGX_ERROR is logged. */
ngx_int_t ngx_http_setter_complex_value(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_complex_value_t *cv);

/* Bytes that are no text become U+FFFD, in a copy where there are such. */
ngx_int_t ngx_http_setter_utf8(ngx_pool_t *pool, ngx_str_t *text);

/* The value of a request header, or NULL; name is in lower case. */
ngx_str_t *ngx_http_setter_header(ngx_http_request_t *r, ngx_str_t *name);


static ngx_inline setter_str_t
ngx_http_setter_text(ngx_str_t *value)
{
    setter_str_t  text;

    text.len = value->len;
    text.data = (const char *) value->data;

    return text;
}


/* text is NUL-terminated, or NULL for what is absent. */

static ngx_inline setter_str_t
ngx_http_setter_constant(const char *text)
{
    setter_str_t  str;

    str.len = text ? ngx_strlen(text) : 0;
    str.data = text;

    return str;
}


/* Of a location with "setter_webhook" whose messages become jobs. */
ngx_int_t ngx_http_setter_content_handler(ngx_http_request_t *r);


extern ngx_module_t  ngx_http_setter_module;


#endif /* _NGX_HTTP_SETTER_MODULE_H_INCLUDED_ */
