/*
 * From a body to a job: read, judged and completed by the location's plan.
 */

#ifndef _NGX_HTTP_SETTER_ENRICH_H_INCLUDED_
#define _NGX_HTTP_SETTER_ENRICH_H_INCLUDED_


#include "ngx_http_setter_module.h"


/*
 * Fills ctx->job but for its id and lane, ctx->key and, when it refuses,
 * ctx->errors and ctx->detail.  "undecided" when the job is good.  Where the
 * message is to be passed on ("setter_validate"), ctx->job.data is the whole
 * body that it then has, and other than the caller's if ctx->changed.
 */
ngx_http_setter_outcome_e ngx_http_setter_enrich(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, setter_str_t *body);

/*
 * The same for one of a batch, whose ctx->job is filled in: "setter_set",
 * "setter_default" and "setter_dedupe off".
 */
ngx_http_setter_outcome_e ngx_http_setter_enrich_event(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx);

/* ctx->trace: the caller's traceparent where it is one, else a new one. */
ngx_int_t ngx_http_setter_trace(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx);


#endif /* _NGX_HTTP_SETTER_ENRICH_H_INCLUDED_ */
