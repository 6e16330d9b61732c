/*
 * Whose the addresses are that messages came to: "setter_tenant channel:to".
 */

#ifndef _NGX_HTTP_SETTER_CHANNEL_H_INCLUDED_
#define _NGX_HTTP_SETTER_CHANNEL_H_INCLUDED_


#include "ngx_http_setter_batch.h"


/*
 * Looks up the addresses of the batch's events.  NGX_OK: done, NGX_AGAIN:
 * handler is called when it is, NGX_ERROR: memory is short.
 */
ngx_int_t ngx_http_setter_channel_lookup(ngx_http_setter_batch_t *batch,
    ngx_http_setter_lookup_pt handler);

/*
 * The tenant of an event that is not set aside: whose channel it came to, or
 * else the request's.  NGX_DECLINED: it has none, or the request names
 * another, and event->aside says so; NGX_AGAIN: Redis has not told.
 */
ngx_int_t ngx_http_setter_channel_tenant(ngx_http_setter_batch_t *batch,
    setter_event_t *event, ngx_str_t *tenant);


#endif /* _NGX_HTTP_SETTER_CHANNEL_H_INCLUDED_ */
