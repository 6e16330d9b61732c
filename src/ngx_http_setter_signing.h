/*
 * Signatures by the secrets of tenants' own channels: "setter_verify …
 * channel", and the key they are sealed under, "setter_signing_key".
 */

#ifndef _NGX_HTTP_SETTER_SIGNING_H_INCLUDED_
#define _NGX_HTTP_SETTER_SIGNING_H_INCLUDED_


#include "ngx_http_setter_lookup.h"
#include "ngx_http_setter_verify.h"
#include "setter_seal.h"


#define NGX_HTTP_SETTER_MAX_SIGNING_KEYS  2     /* a new one and an old one */

/* In memory of its own, which no core dump has. */

struct ngx_http_setter_signing_s {
    setter_seal_key_t   keys[NGX_HTTP_SETTER_MAX_SIGNING_KEYS];
    size_t              n;
};


/* "setter_signing_key" */
char *ngx_http_setter_signing_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * For ctx->body, which no secret of the configuration has signed: whether one
 * of the tenant's channels has.  "undecided": it has, or Redis is being asked:
 * then "waits" is 1 and ctx->go_on is called once it has; else why not.
 */
ngx_http_setter_outcome_e ngx_http_setter_signing(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, ngx_uint_t *waits);


#endif /* _NGX_HTTP_SETTER_SIGNING_H_INCLUDED_ */
