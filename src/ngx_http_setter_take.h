/*
 * Taking turns from the queue for outside workers: the polls of a tenant that
 * wait in this process, and the one call of "setter_take" that asks for all
 * of them.
 */

#ifndef _NGX_HTTP_SETTER_TAKE_H_INCLUDED_
#define _NGX_HTTP_SETTER_TAKE_H_INCLUDED_


#include "ngx_http_setter_bell.h"
#include "ngx_http_setter_poll.h"


typedef struct {
    ngx_http_setter_main_conf_t  *conf;
    ngx_queue_t                   takers;
    ngx_event_t                   next;     /* when to look whatever comes */
} ngx_http_setter_takers_t;


/* State of this process, but for its place. */

struct ngx_http_setter_polls_s {
    ngx_rbtree_t                  tree;     /* takers by tenant */
    ngx_rbtree_node_t             sentinel;
    ngx_http_setter_takers_t     *takers;   /* one a partition */
    ngx_queue_t                   all;      /* polls */
    ngx_connection_t             *quit;     /* tells that nginx quits */
};


/* When a location has "next_job": makes smcf->polls. */
ngx_int_t ngx_http_setter_take_conf(ngx_conf_t *cf,
    ngx_http_setter_main_conf_t *smcf);

/*
 * The poll waits from here on: for a turn until poll->wait ms have passed, or
 * for the answer to one call where that is 0.  NGX_DECLINED: Redis is away,
 * NGX_ERROR: no memory; the poll does not wait then.
 */
ngx_int_t ngx_http_setter_take_wait(ngx_http_setter_polls_t *polls,
    ngx_http_setter_poll_t *poll, ngx_str_t *tenant);

/* It does not any more. */
void ngx_http_setter_take_leave(ngx_http_setter_poll_t *poll);

/* Gives the poll's turn back at once: nobody has got it. */
void ngx_http_setter_take_back(ngx_http_setter_main_conf_t *smcf,
    ngx_http_setter_turn_t *turn);


#endif /* _NGX_HTTP_SETTER_TAKE_H_INCLUDED_ */
