/*
 * The job's way into the inbox of its tenant's partition.
 */

#ifndef _NGX_HTTP_SETTER_APPEND_H_INCLUDED_
#define _NGX_HTTP_SETTER_APPEND_H_INCLUDED_


#include "ngx_http_setter_module.h"


/* "setter_debounce" */
char *ngx_http_setter_debounce_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Gives ctx->job its id and lane and appends it.  "undecided" means that the
 * request waits for Redis and is answered by then.
 */
ngx_http_setter_outcome_e ngx_http_setter_append(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx);

/*
 * The same with a job that has both.  With ctx->call set, an append that went
 * well is not answered.
 */
ngx_http_setter_outcome_e ngx_http_setter_append_job(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx);


/* Between the files of the append. */

/* Gives ctx->job its id and its lane. */
ngx_int_t ngx_http_setter_append_name(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx);

/* Writes ctx->header and ctx->envelope, as they go to Redis. */
ngx_int_t ngx_http_setter_append_write(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx);


#endif /* _NGX_HTTP_SETTER_APPEND_H_INCLUDED_ */
