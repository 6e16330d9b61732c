/*
 * Who may call: "setter_verify", judged on the header, and of signatures on
 * the body as it came.
 */

#ifndef _NGX_HTTP_SETTER_VERIFY_H_INCLUDED_
#define _NGX_HTTP_SETTER_VERIFY_H_INCLUDED_


#include "ngx_http_setter_key.h"
#include "setter_sign.h"


#define NGX_HTTP_SETTER_MAX_SECRETS  2      /* an old one and a new one */


typedef enum {
    ngx_http_setter_verify_tokens = 0,      /* the value is a secret */
    ngx_http_setter_verify_signatures,      /* it is the body's signature */
    ngx_http_setter_verify_users,           /* Basic: "user:password" */
    ngx_http_setter_verify_keys             /* tenants' keys; the secrets are
                                               the administrator's */
} ngx_http_setter_scheme_e;


struct ngx_http_setter_verify_s {
    ngx_http_setter_scheme_e   scheme;
    ngx_http_complex_value_t   value;
    ngx_str_t                  secrets[NGX_HTTP_SETTER_MAX_SECRETS];
    ngx_uint_t                 nsecrets;

    setter_sign_t              sign;
    ngx_str_t                  handshake;   /* the token of GET, or len 0 */
    ngx_http_complex_value_t  *url;         /* Twilio's: is signed, too */

    unsigned                   meta:1;
    unsigned                   channel:1;   /* tenants' channels have secrets,
                                               too */
    unsigned                   optional:1;  /* no key at all is good, too */
};


char *ngx_http_setter_verify_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* A file's text without the white space at its end; a NUL stands behind. */
ngx_int_t ngx_http_setter_read_secret(ngx_conf_t *cf, ngx_str_t *path,
    ngx_str_t *secret);

/*
 * NGX_OK, NGX_DECLINED when the request has no secret of ours, NGX_ERROR.
 * A key is put in ctx->bearer, and is good, or still unsure; of an
 * administrator's secret ctx->admin tells; of a signature it is only seen that
 * there is one.
 */
ngx_int_t ngx_http_setter_verify(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, ngx_http_setter_verify_t *verify);


/* The same for the body, as it came; NGX_OK where that is not signed. */
ngx_int_t ngx_http_setter_verify_body(ngx_http_request_t *r,
    ngx_http_setter_verify_t *verify, setter_str_t *body);

/* The same for one secret. */
ngx_int_t ngx_http_setter_verify_signed(ngx_http_request_t *r,
    ngx_http_setter_verify_t *verify, setter_str_t secret,
    setter_str_t *body);

/*
 * Answers the GET request by which Meta asks whether the URL is ours
 * ("Create a webhook endpoint", verification requests): for a handler to
 * return.
 */
ngx_int_t ngx_http_setter_verify_handshake(ngx_http_request_t *r,
    ngx_http_setter_verify_t *verify);


/* Whether who passes is known by name: no other source is needed then. */

static ngx_inline ngx_uint_t
ngx_http_setter_verify_names(ngx_http_setter_verify_t *verify)
{
    return verify && verify->scheme == ngx_http_setter_verify_keys
           && !verify->optional;
}


#endif /* _NGX_HTTP_SETTER_VERIFY_H_INCLUDED_ */
