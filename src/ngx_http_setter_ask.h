/*
 * "setter_call": requests that workers answer, by the name of a call.
 */

#ifndef _NGX_HTTP_SETTER_ASK_H_INCLUDED_
#define _NGX_HTTP_SETTER_ASK_H_INCLUDED_


#include "ngx_http_setter_module.h"


/* "setter_call NAME [path=VALUE] [timeout=TIME] [max=NUMBER]" */
char *ngx_http_setter_ask_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* The text of an error of that status, as RFC 9457 has it. */
ngx_int_t ngx_http_setter_ask_problem(ngx_http_setter_ctx_t *ctx,
    ngx_uint_t code, ngx_str_t *title, ngx_str_t *text);


#endif /* _NGX_HTTP_SETTER_ASK_H_INCLUDED_ */
