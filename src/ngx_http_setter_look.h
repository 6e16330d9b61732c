/*
 * A look at the queue: the counts of all partitions, for "setter_api" names
 * that tell of it.
 */

#ifndef _NGX_HTTP_SETTER_LOOK_H_INCLUDED_
#define _NGX_HTTP_SETTER_LOOK_H_INCLUDED_


#include "ngx_http_setter_module.h"
#include "setter_depth.h"


/* Answers the request; depth is NULL when Redis did not tell. */
typedef ngx_int_t (*ngx_http_setter_look_pt)(ngx_http_request_t *r,
    setter_depth_t *depth);


/*
 * Asks one partition after the other, then calls answer().  For a content
 * handler to return.
 */
ngx_int_t ngx_http_setter_look(ngx_http_request_t *r,
    ngx_http_setter_look_pt answer);


#endif /* _NGX_HTTP_SETTER_LOOK_H_INCLUDED_ */
