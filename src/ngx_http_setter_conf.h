/*
 * The configuration: what directives leave unset, what is inherited, and
 * what does not go together.
 */

#ifndef _NGX_HTTP_SETTER_CONF_H_INCLUDED_
#define _NGX_HTTP_SETTER_CONF_H_INCLUDED_


#include "ngx_http_setter_module.h"


/* For the module's context; a contradiction is logged. */
void *ngx_http_setter_create_main_conf(ngx_conf_t *cf);
char *ngx_http_setter_init_main_conf(ngx_conf_t *cf, void *conf);
void *ngx_http_setter_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_setter_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);


#endif /* _NGX_HTTP_SETTER_CONF_H_INCLUDED_ */
