/*
 * Answers: one envelope, by its true status or always 201.
 */

#ifndef _NGX_HTTP_SETTER_REPLY_H_INCLUDED_
#define _NGX_HTTP_SETTER_REPLY_H_INCLUDED_


#include "ngx_http_setter_module.h"


/*
 * Decides the request, counts it, sends the answer and returns what the
 * request is to be finalized with.  A request that was decided before, and
 * came back by an internal redirect, gets the same answer again.
 */
ngx_int_t ngx_http_setter_reply(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, ngx_http_setter_outcome_e outcome);

/* Decides and counts alone: a request, or one of its batch. */
void ngx_http_setter_decide(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_outcome_e outcome);

/* Finalizes the request with that, or lets it go on where it has passed. */
void ngx_http_setter_end(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_outcome_e outcome);

/* The same from an event of another connection. */
void ngx_http_setter_reply_later(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, ngx_http_setter_outcome_e outcome);

/* Adds to the errors that an INVALID_INPUT answer names. */
void ngx_http_setter_error(ngx_http_setter_ctx_t *ctx, const char *field,
    setter_field_error_e error);

/* The outcome of a body that is no JSON object; names the body. */
ngx_http_setter_outcome_e ngx_http_setter_bad_json(
    ngx_http_setter_ctx_t *ctx, setter_json_error_e error);

/* "accepted", "fields", …: for metrics and logs */
ngx_str_t *ngx_http_setter_reason(ngx_http_setter_outcome_e outcome);

/* "SUCCESS", "INVALID_INPUT" or "ERROR" */
ngx_str_t *ngx_http_setter_status(ngx_http_setter_outcome_e outcome);

/* nginx has no name for it */
#define NGX_HTTP_UNPROCESSABLE_ENTITY  422

/*
 * What an answer of that status has to have beside: the first for what was
 * decided about the request, the second for any.  NGX_ERROR: memory is short.
 */
ngx_int_t ngx_http_setter_reply_headers(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, ngx_uint_t code);
ngx_int_t ngx_http_setter_reply_status(ngx_http_request_t *r,
    ngx_uint_t code);

/* NGX_ERROR when memory is short. */
ngx_int_t ngx_http_setter_add_header(ngx_http_request_t *r, char *name,
    ngx_str_t *value);


#endif /* _NGX_HTTP_SETTER_REPLY_H_INCLUDED_ */
