/*
 * Whose message it is: "setter_tenant".
 */

#ifndef _NGX_HTTP_SETTER_TENANT_H_INCLUDED_
#define _NGX_HTTP_SETTER_TENANT_H_INCLUDED_


#include "ngx_http_setter_module.h"


typedef struct {
    ngx_str_t                   field;      /* of the body; or else */
    ngx_http_complex_value_t    value;
#if (NGX_PCRE)
    ngx_regex_t                *regex;      /* NULL: the whole value */
#endif
    unsigned                    host:1;     /* case does not count */
    unsigned                    channel:1;  /* whose the address is that a
                                               message came to */
} ngx_http_setter_source_t;


char *ngx_http_setter_tenant_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * Sets ctx->tenant: whose the key is, where there is one, or else by the
 * sources of the request's location, with len 0 when none matches.  values
 * are those of the plan's paths, or NULL while the body has not been read:
 * its sources are passed over then.  ctx->claimed tells whether the request
 * itself names the tenant.  NGX_DECLINED: the body names another tenant than
 * the key.
 */
ngx_int_t ngx_http_setter_tenant(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, setter_json_value_t *values);

/* Whether a tenant may still come from the body; sources may be NULL. */
ngx_uint_t ngx_http_setter_tenant_in_body(ngx_array_t *sources);

/* Whether it may come from the addresses in it, in a location of the format. */
ngx_uint_t ngx_http_setter_tenant_by_channel(ngx_array_t *sources,
    const setter_format_t *format);


#endif /* _NGX_HTTP_SETTER_TENANT_H_INCLUDED_ */
