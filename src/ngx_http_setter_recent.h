/*
 * What Redis said lately, yes or no, in a process's own memory: a table of
 * fixed size, in which a newer answer takes an older one's place.
 */

#ifndef _NGX_HTTP_SETTER_RECENT_H_INCLUDED_
#define _NGX_HTTP_SETTER_RECENT_H_INCLUDED_


#include "ngx_http_setter_module.h"


#define NGX_HTTP_SETTER_RECENT_DIGEST  32   /* of SHA-256: what was asked */


/* From the pool of a cycle; NULL when memory is short. */
ngx_http_setter_recent_t *ngx_http_setter_recent_create(ngx_pool_t *pool);

/*
 * NGX_OK: yes, NGX_DECLINED: no, and *age tells how many ms ago that was;
 * NGX_AGAIN: nothing is remembered.
 */
ngx_int_t ngx_http_setter_recent_get(ngx_http_setter_recent_t *recent,
    const u_char *digest, ngx_msec_t *age);

void ngx_http_setter_recent_put(ngx_http_setter_recent_t *recent,
    const u_char *digest, ngx_uint_t yes);


#endif /* _NGX_HTTP_SETTER_RECENT_H_INCLUDED_ */
