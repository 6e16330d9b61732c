/*
 * Whether a tenant may have one more message: "setter_tenants" and
 * "setter_quota".
 *
 * What Redis says of a tenant is kept in the zone for 2 s, or while Redis is
 * away, and of one that is unknown and has no place there in the process for
 * 1 s; a tenant that no place is left for is asked for each time.
 */

#ifndef _NGX_HTTP_SETTER_ADMIT_H_INCLUDED_
#define _NGX_HTTP_SETTER_ADMIT_H_INCLUDED_


#include "ngx_http_setter_module.h"


/* "setter_quota" */
char *ngx_http_setter_quota_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * For ctx->tenant, in the request's location.  "undecided" with ctx->admitted
 * set: it may, and is counted; without: Redis has to be asked first.  Else
 * why it may not.
 */
ngx_http_setter_outcome_e ngx_http_setter_admit(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx);

/* Asks, for an operation whose data is ctx: two commands, two replies. */
ngx_int_t ngx_http_setter_admit_ask(ngx_http_setter_op_t *op);

/* Takes a reply; "undecided" and not yet admitted: the other is to come. */
ngx_http_setter_outcome_e ngx_http_setter_admit_reply(
    ngx_http_setter_op_t *op, redisReply *reply);

/*
 * When Redis was to be asked and did not answer: the same by what was known
 * last, however long ago.  "unavailable" where that is nothing.
 */
ngx_http_setter_outcome_e ngx_http_setter_admit_stale(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx);

/* The message was not accepted: it does not count. */
void ngx_http_setter_admit_undo(ngx_http_setter_ctx_t *ctx);

/* Seconds until the tenant's minute ends. */
ngx_uint_t ngx_http_setter_admit_retry_after(ngx_http_setter_ctx_t *ctx);


#endif /* _NGX_HTTP_SETTER_ADMIT_H_INCLUDED_ */
