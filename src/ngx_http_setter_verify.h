/*
 * Who may call a webhook: "setter_verify", judged on the header alone.
 */

#ifndef _NGX_HTTP_SETTER_VERIFY_H_INCLUDED_
#define _NGX_HTTP_SETTER_VERIFY_H_INCLUDED_


#include "ngx_http_setter_module.h"


#define NGX_HTTP_SETTER_MAX_SECRETS  2      /* an old one and a new one */


struct ngx_http_setter_verify_s {
    ngx_http_complex_value_t   value;
    ngx_str_t                  secrets[NGX_HTTP_SETTER_MAX_SECRETS];
    ngx_uint_t                 nsecrets;
};


/* "setter_verify token VALUE SECRET [SECRET]" or "setter_verify off" */
char *ngx_http_setter_verify_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* A file's text without the white space at its end; a NUL stands behind. */
ngx_int_t ngx_http_setter_read_secret(ngx_conf_t *cf, ngx_str_t *path,
    ngx_str_t *secret);

/* NGX_OK, NGX_DECLINED when the request has no secret of ours, NGX_ERROR. */
ngx_int_t ngx_http_setter_verify(ngx_http_request_t *r,
    ngx_http_setter_verify_t *verify);


#endif /* _NGX_HTTP_SETTER_VERIFY_H_INCLUDED_ */
