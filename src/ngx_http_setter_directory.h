/*
 * What Redis has said of the registry's hashes, remembered by all nginx
 * workers in shared memory: which tenant a channel is of, and the sealed
 * secrets of a tenant's channels.
 *
 * A cache of fixed size, in which a newer answer takes an older one's place.
 * No lock: each place has a version, which is odd while somebody writes.  Who
 * is killed meanwhile leaves a place that others write again.
 */

#ifndef _NGX_HTTP_SETTER_DIRECTORY_H_INCLUDED_
#define _NGX_HTTP_SETTER_DIRECTORY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    u_char      *places;
    size_t       size;      /* of a place */
    ngx_uint_t   nsets;
    size_t       max;       /* bytes of a value */
} ngx_http_setter_directory_t;


/* In memory that is all zeros: as many places for values of max bytes as fit,
 * which may be none. */
void ngx_http_setter_directory_init(
    ngx_http_setter_directory_t *directory, u_char *memory, size_t size,
    size_t max);

/*
 * NGX_OK: value, from the pool, with len 0 where there is no such field, and
 * how many ms ago that was; NGX_AGAIN: nothing is remembered; NGX_ERROR:
 * memory is short.
 */
ngx_int_t ngx_http_setter_directory_get(
    ngx_http_setter_directory_t *directory, ngx_str_t *field,
    ngx_pool_t *pool, ngx_str_t *value, ngx_msec_t *age);

/* Remembers it, unless the value is too long. */
void ngx_http_setter_directory_put(ngx_http_setter_directory_t *directory,
    ngx_str_t *field, ngx_str_t *value);


#endif /* _NGX_HTTP_SETTER_DIRECTORY_H_INCLUDED_ */
