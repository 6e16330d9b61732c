/*
 * Looking up fields of the registry's hashes in Redis (workers/reply/
 * channels.h), a request's own.  What is there counts for 2 s, what is not for
 * 1 s; while Redis is away, what was known last goes on counting.
 *
 *     lookup->hash = "channels";
 *     lookup->directory = &smcf->stat->channels;
 *     ngx_http_setter_lookup_add(lookup, &field, &by);
 *     ...
 *     rc = ngx_http_setter_lookup(smcf, lookup);
 *
 *     if (rc == NGX_AGAIN) {
 *         ... lookup->handler is called, the request waits ...
 *     }
 */

#ifndef _NGX_HTTP_SETTER_LOOKUP_H_INCLUDED_
#define _NGX_HTTP_SETTER_LOOKUP_H_INCLUDED_


#include "ngx_http_setter_module.h"
#include "ngx_http_setter_directory.h"


typedef struct {
    ngx_str_t        field;
    ngx_uint_t       partition;
    ngx_str_t        value;     /* len 0: there is none */
    unsigned         known:1;   /* value is something to go by */
    unsigned         fresh:1;   /* Redis need not be asked */
} ngx_http_setter_lookup_field_t;


typedef void (*ngx_http_setter_lookup_pt)(ngx_http_setter_lookup_t *lookup);

/* The owner's cleanup calls ngx_http_setter_op_finish(&lookup->op). */

struct ngx_http_setter_lookup_s {
    char                         *hash;
    ngx_http_setter_directory_t  *directory;
    ngx_pool_t                   *pool;
    ngx_array_t                   fields;

    ngx_http_setter_lookup_pt     handler;
    void                         *data;         /* the owner's */

    ngx_uint_t                    partition;    /* that is being asked */
    ngx_http_setter_op_t          op;
};


/* A zeroed one with room for so many; NULL: memory is short. */
ngx_http_setter_lookup_t *ngx_http_setter_lookup_create(ngx_pool_t *pool,
    ngx_uint_t n);

/*
 * One field more, whose memory has to last; by: what tells its partition.
 * NULL: memory is short.
 */
ngx_http_setter_lookup_field_t *ngx_http_setter_lookup_add(
    ngx_http_setter_main_conf_t *smcf, ngx_http_setter_lookup_t *lookup,
    ngx_str_t *field, ngx_str_t *by);

/*
 * NGX_OK: all there is to know is known; NGX_AGAIN: lookup->handler is called
 * once, from an event of another connection, when it is; NGX_ERROR: memory is
 * short.  A field that is not known then, Redis has not told of.
 */
ngx_int_t ngx_http_setter_lookup(ngx_http_setter_main_conf_t *smcf,
    ngx_http_setter_lookup_t *lookup);


#endif /* _NGX_HTTP_SETTER_LOOKUP_H_INCLUDED_ */
