/*
 * "setter_api next_job": a request that waits for a turn of its tenant.
 */

#ifndef _NGX_HTTP_SETTER_POLL_H_INCLUDED_
#define _NGX_HTTP_SETTER_POLL_H_INCLUDED_


#include "ngx_http_setter_outside.h"


typedef struct ngx_http_setter_taker_s  ngx_http_setter_taker_t;


/* A lane in an outside worker's hands. */

typedef struct {
    ngx_uint_t                   partition;
    ngx_str_t                    lane;
    ngx_str_t                    token;
    redisReply                 **jobs;      /* while it is being handed over */
    size_t                       njobs;
} ngx_http_setter_turn_t;


typedef struct {
    ngx_http_request_t          *request;
    ngx_http_setter_ctx_t       *ctx;
    ngx_http_setter_outside_t   *conf;
    ngx_msec_t                   wait;
    ngx_event_t                  timer;

    ngx_http_setter_taker_t     *taker;     /* NULL: waits no more */
    ngx_queue_t                  queue;     /* in taker->polls */
    ngx_queue_t                  all;       /* in polls->all */
    ngx_http_setter_turn_t       turn;      /* handed over, if it has a lane */
    unsigned                     early:1;   /* the call under way was sent
                                               before it came */
} ngx_http_setter_poll_t;


/*
 * Answers the request, which may be gone afterwards.  NGX_DECLINED: the
 * caller has left, the turn is not the poll's.
 */
ngx_int_t ngx_http_setter_poll_turn(ngx_http_setter_poll_t *poll,
    ngx_http_setter_turn_t *turn);

/* The same without a turn: 204 when "undecided". */
void ngx_http_setter_poll_end(ngx_http_setter_poll_t *poll,
    ngx_http_setter_outcome_e outcome);


#endif /* _NGX_HTTP_SETTER_POLL_H_INCLUDED_ */
