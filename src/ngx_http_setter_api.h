/*
 * What the module tells of itself and of the queue: the names of
 * "setter_api".
 */

#ifndef _NGX_HTTP_SETTER_API_H_INCLUDED_
#define _NGX_HTTP_SETTER_API_H_INCLUDED_


#include "ngx_http_setter_module.h"


/*
 * A name of "setter_api".  Requests of other methods never get to the
 * handler.  parameters() reads what stands behind the name, cf->args from the
 * third on, into slcf->api_conf; NULL: there may be nothing.
 */

struct ngx_http_setter_api_s {
    ngx_str_t             name;
    ngx_uint_t            methods;  /* GET and HEAD, or POST */
    ngx_http_handler_pt   handler;
    char               *(*parameters)(ngx_conf_t *cf,
                                      ngx_http_setter_loc_conf_t *slcf);
    unsigned              keyed:1;  /* for who shows a tenant's key */
    const char           *directive;    /* NULL: "setter_api"; else errors
                                           are problems, RFC 9457 */
};


/* "setter_api" */
char *ngx_http_setter_api_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

#define NGX_HTTP_SETTER_PROBLEM  "application/problem+json"


/* Of a location that has "setter_api"; then the handlers of single names. */
ngx_int_t ngx_http_setter_api_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_setter_health(ngx_http_request_t *r);
ngx_int_t ngx_http_setter_metrics(ngx_http_request_t *r);
ngx_int_t ngx_http_setter_scale(ngx_http_request_t *r);

/* "scale [target=N] [min=N] [max=N]" */
char *ngx_http_setter_scale_conf(ngx_conf_t *cf,
    ngx_http_setter_loc_conf_t *slcf);

/*
 * A buffer in the request's pool, through alloc, and an answer that is what
 * was written to it: for a content handler to return.
 */
void ngx_http_setter_api_buf(ngx_http_request_t *r, setter_alloc_t *alloc,
    setter_buf_t *buf);
ngx_int_t ngx_http_setter_api_send(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, setter_buf_t *buf);

/* 503: Redis does not tell. */
ngx_int_t ngx_http_setter_api_unavailable(ngx_http_request_t *r);


#endif /* _NGX_HTTP_SETTER_API_H_INCLUDED_ */
