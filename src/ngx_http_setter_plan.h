/*
 * What a location takes from a body and makes of it: the table of its format
 * with setter_require, setter_default and setter_set worked in.
 */

#ifndef _NGX_HTTP_SETTER_PLAN_H_INCLUDED_
#define _NGX_HTTP_SETTER_PLAN_H_INCLUDED_


#include "ngx_http_setter_module.h"


/* "setter_default" or "setter_set" */

typedef struct {
    ngx_str_t                   name;
    ngx_http_complex_value_t    value;
} ngx_http_setter_member_t;


typedef struct {
    const char                 *name;
    setter_format_field_t       field;
    ngx_http_complex_value_t   *set;        /* whatever the body says */
    ngx_http_complex_value_t   *initial;    /* when it says nothing */
    ngx_int_t                   path;       /* in plan->paths, or -1 */
    unsigned                    kept:1;     /* the reader leaves it in data */
} ngx_http_setter_field_t;


struct ngx_http_setter_plan_s {
    ngx_array_t                 fields;     /* ngx_http_setter_field_t */
    ngx_array_t                 paths;      /* setter_json_path_t */

    ngx_uint_t                  whole;      /* bodies keep all they have */
    ngx_int_t                   key;        /* in fields, or -1: no dedupe */
    ngx_int_t                   claim;      /* in paths, or -1: none */
    ngx_uint_t                 *tenants;    /* in paths, one a setter_tenant */
};


/* "setter_require", "setter_default" and "setter_set", "setter_dedupe" */
char *ngx_http_setter_require_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_setter_member_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_setter_dedupe_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* When all of the location's directives are known: sets slcf->plan. */
char *ngx_http_setter_plan(ngx_conf_t *cf,
    ngx_http_setter_loc_conf_t *slcf);


#endif /* _NGX_HTTP_SETTER_PLAN_H_INCLUDED_ */
