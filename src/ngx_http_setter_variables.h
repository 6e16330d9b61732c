/*
 * $setter_tenant, $setter_id, $setter_status, $setter_reason, $setter_lane,
 * $setter_body, $setter_enqueue_time and $setter_trace.
 */

#ifndef _NGX_HTTP_SETTER_VARIABLES_H_INCLUDED_
#define _NGX_HTTP_SETTER_VARIABLES_H_INCLUDED_


#include "ngx_http_setter_module.h"


ngx_int_t ngx_http_setter_add_variables(ngx_conf_t *cf);


#endif /* _NGX_HTTP_SETTER_VARIABLES_H_INCLUDED_ */
