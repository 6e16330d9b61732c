/*
 * The bell: a second connection to Redis, opened on first use, that waits in
 * XREAD BLOCK until something is added to the streams it listens to.
 */

#ifndef _NGX_HTTP_SETTER_BELL_H_INCLUDED_
#define _NGX_HTTP_SETTER_BELL_H_INCLUDED_


#include "ngx_http_setter_module.h"


/* An entry has come: fields are its names and values, one after another. */
typedef void (*ngx_http_setter_ring_pt)(ngx_http_setter_main_conf_t *smcf,
    ngx_uint_t partition, redisReply *fields);


typedef struct {
    ngx_str_t                   key;
    char                        last[48];   /* id of the last entry heard */
    ngx_uint_t                  partition;
    ngx_http_setter_ring_pt     ring;
} ngx_http_setter_stream_t;


/*
 * A stream is listened to from its first entry that is still there when the
 * process needs the bell for the first time, and from then on none is missed:
 * whoever asks Redis for something, gets nothing and waits here is told of
 * all that came after it asked, at the price of hearing older news.
 */

struct ngx_http_setter_bell_s {
    ngx_http_setter_redis_t     redis;      /* settings of the other one's */
    ngx_array_t                 streams;    /* ngx_http_setter_stream_t */
    ngx_uint_t                  waiting;    /* who wants to be told */
    unsigned                    listening:1;    /* an XREAD is under way */
};


/* When "setter_redis" is known: makes smcf->bell unless it is there. */
ngx_int_t ngx_http_setter_bell(ngx_conf_t *cf,
    ngx_http_setter_main_conf_t *smcf);

/* Adds a stream, for all processes; "name" as for setter_partition_key(). */
ngx_http_setter_stream_t *ngx_http_setter_bell_add(ngx_conf_t *cf,
    ngx_http_setter_bell_t *bell, ngx_uint_t partition, const char *name,
    ngx_http_setter_ring_pt ring);

/*
 * One more wants to be told, or one less.  Nothing else has to be done when
 * the connection is lost: it is made anew for as long as anybody waits.
 */
void ngx_http_setter_bell_wait(ngx_http_setter_bell_t *bell);
void ngx_http_setter_bell_leave(ngx_http_setter_bell_t *bell);


#endif /* _NGX_HTTP_SETTER_BELL_H_INCLUDED_ */
