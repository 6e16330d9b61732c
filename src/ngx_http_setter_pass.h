/*
 * Pass-through ("setter_validate"): a message that was checked and completed
 * goes on to the location's own handler, and no job is made of it.
 */

#ifndef _NGX_HTTP_SETTER_PASS_H_INCLUDED_
#define _NGX_HTTP_SETTER_PASS_H_INCLUDED_


#include "ngx_http_setter_module.h"


/*
 * Once ngx_http_setter_enrich() has found the message good: "passed", why
 * its tenant may not have it, or "undecided": Redis is asked first, and what
 * comes of it is given to ngx_http_setter_reply_later().
 */
ngx_http_setter_outcome_e ngx_http_setter_pass(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx);

/*
 * "passed": gives the request its new body and goes on with the phases.
 * Neither r nor ctx may be there any more afterwards.
 */
void ngx_http_setter_pass_on(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx);


#endif /* _NGX_HTTP_SETTER_PASS_H_INCLUDED_ */
