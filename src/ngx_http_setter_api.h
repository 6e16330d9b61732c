/*
 * What the module tells of itself: "setter_api health" and "metrics".
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
};


/* "setter_api" */
char *ngx_http_setter_api_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* Appends the counters in Prometheus's text format. */
void ngx_http_setter_metrics(setter_buf_t *buf,
    ngx_http_setter_main_conf_t *smcf);


#endif /* _NGX_HTTP_SETTER_API_H_INCLUDED_ */
