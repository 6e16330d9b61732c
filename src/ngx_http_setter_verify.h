/*
 * Who may call: "setter_verify", judged on the header alone.
 */

#ifndef _NGX_HTTP_SETTER_VERIFY_H_INCLUDED_
#define _NGX_HTTP_SETTER_VERIFY_H_INCLUDED_


#include "ngx_http_setter_key.h"


#define NGX_HTTP_SETTER_MAX_SECRETS  2      /* an old one and a new one */


struct ngx_http_setter_verify_s {
    ngx_http_complex_value_t   value;
    ngx_str_t                  secrets[NGX_HTTP_SETTER_MAX_SECRETS];
    ngx_uint_t                 nsecrets;

    unsigned                   keys:1;      /* tenants' keys instead */
    unsigned                   optional:1;  /* none at all is good, too */
};


/* "setter_verify token VALUE SECRET [SECRET]", "key [optional]" or "off" */
char *ngx_http_setter_verify_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* A file's text without the white space at its end; a NUL stands behind. */
ngx_int_t ngx_http_setter_read_secret(ngx_conf_t *cf, ngx_str_t *path,
    ngx_str_t *secret);

/*
 * NGX_OK, NGX_DECLINED when the request has no secret of ours, NGX_ERROR.
 * A key is put in ctx->bearer, and is good, or still unsure.
 */
ngx_int_t ngx_http_setter_verify(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, ngx_http_setter_verify_t *verify);


/* Whether who passes is known by name: no other source is needed then. */

static ngx_inline ngx_uint_t
ngx_http_setter_verify_names(ngx_http_setter_verify_t *verify)
{
    return verify && verify->keys && !verify->optional;
}


#endif /* _NGX_HTTP_SETTER_VERIFY_H_INCLUDED_ */
