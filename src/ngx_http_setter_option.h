/*
 * Parameters of directives: "name=value", by a table.
 */

#ifndef _NGX_HTTP_SETTER_OPTION_H_INCLUDED_
#define _NGX_HTTP_SETTER_OPTION_H_INCLUDED_


#include "ngx_http_setter_module.h"


/* set() reads the value into the field; NGX_ERROR when it is none. */

typedef struct {
    ngx_str_t    name;      /* with the "=" */
    size_t       offset;
    ngx_int_t  (*set)(ngx_conf_t *cf, void *field, ngx_str_t *value);
} ngx_http_setter_option_t;


/*
 * Reads the directive's parameters, cf->args from the third on, into the
 * structure "to"; the table ends with an empty name.  NGX_ERROR is logged.
 */
ngx_int_t ngx_http_setter_options(ngx_conf_t *cf,
    ngx_http_setter_option_t *options, void *to);

/* ngx_str_t, not empty; ngx_msec_t and ngx_int_t, above 0 */
ngx_int_t ngx_http_setter_option_text(ngx_conf_t *cf, void *field,
    ngx_str_t *value);
ngx_int_t ngx_http_setter_option_msec(ngx_conf_t *cf, void *field,
    ngx_str_t *value);
ngx_int_t ngx_http_setter_option_count(ngx_conf_t *cf, void *field,
    ngx_str_t *value);

/* ngx_http_complex_value_t *, text with variables */
ngx_int_t ngx_http_setter_option_value(ngx_conf_t *cf, void *field,
    ngx_str_t *value);


#endif /* _NGX_HTTP_SETTER_OPTION_H_INCLUDED_ */
