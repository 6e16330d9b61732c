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


#endif /* _NGX_HTTP_SETTER_CHECK_H_INCLUDED_ */
