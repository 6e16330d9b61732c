/*
 * Calls: a request is answered by a worker.  Its job of kind "call" names what
 * is asked and the stream of this process on which the answer comes back.
 */

#ifndef _NGX_HTTP_SETTER_CALL_H_INCLUDED_
#define _NGX_HTTP_SETTER_CALL_H_INCLUDED_


#include "ngx_http_setter_bell.h"


/* When a location has a call: makes smcf->calls. */
ngx_int_t ngx_http_setter_call_conf(ngx_conf_t *cf,
    ngx_http_setter_main_conf_t *smcf);

/* In each process that answers requests, before any. */
ngx_int_t ngx_http_setter_call_init(ngx_http_setter_main_conf_t *smcf);

/*
 * Calls "name" with "args", the text of a JSON object, for the tenant of the
 * request, which is answered with what the worker says, or 504 after timeout
 * ms.  Returns "undecided" unless that can be told at once: 429 when as many
 * as max of the tenant's wait in this process already, unless an administrator
 * asks.
 */
#define NGX_HTTP_SETTER_CALL_MAX  50

ngx_http_setter_outcome_e ngx_http_setter_call(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, const char *name, setter_str_t args,
    ngx_msec_t timeout, ngx_int_t max);


#endif /* _NGX_HTTP_SETTER_CALL_H_INCLUDED_ */
