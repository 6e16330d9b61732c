/*
 * What a request's header alone tells.
 */

#ifndef _NGX_HTTP_SETTER_CHECK_H_INCLUDED_
#define _NGX_HTTP_SETTER_CHECK_H_INCLUDED_


#include "ngx_http_setter_module.h"


/*
 * Method, secret, tenant, type and declared length, once a location;
 * "undecided" when nothing is wrong with them.  What was decided before, in
 * another location, stays so.
 */
ngx_http_setter_outcome_e ngx_http_setter_check(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx);

/*
 * Of a key that may be wrong Redis is asked, once.  Calls go_on() for who may
 * pass, at once or from the event of Redis's answer; "undecided" means that
 * the request waits, and is answered by whoever it waits for.
 */
ngx_http_setter_outcome_e ngx_http_setter_unlock(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, ngx_http_setter_go_on_pt go_on);

/*
 * 1 when Content-Type is absent, "application/json" or "application/…+json",
 * with parameters or without.
 */
ngx_uint_t ngx_http_setter_check_json(ngx_http_request_t *r);


#endif /* _NGX_HTTP_SETTER_CHECK_H_INCLUDED_ */
