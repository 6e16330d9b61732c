/*
 * Webhooks that bring many things in one body: each becomes a job of its own,
 * with a context of its own, and the request is answered when all of them are
 * through.
 */

#ifndef _NGX_HTTP_SETTER_BATCH_H_INCLUDED_
#define _NGX_HTTP_SETTER_BATCH_H_INCLUDED_


#include "ngx_http_setter_module.h"
#include "ngx_http_setter_lookup.h"


struct ngx_http_setter_batch_s {
    ngx_http_setter_ctx_t      *owner;      /* the request's */
    setter_events_t             events;
    ngx_http_setter_lookup_t   *channels;   /* of the addresses, or NULL */
    ngx_uint_t                 *places;     /* of the events in it */
    ngx_array_t                 items;      /* of ngx_http_setter_ctx_t */
    ngx_uint_t                  left;       /* that are under way */
    ngx_http_setter_outcome_e   outcome;    /* the gravest so far */
};


/*
 * Takes the body apart and appends what there is, in the order of the
 * provider's times.  "undecided": the request waits.  All of it is "accepted",
 * or what the provider has to repeat: with the ids being the same, what is
 * there already is dropped then.
 */
ngx_http_setter_outcome_e ngx_http_setter_batch(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, setter_str_t *body);

/* One of its jobs, which waited, is through. */
void ngx_http_setter_batch_end(ngx_http_setter_ctx_t *item,
    ngx_http_setter_outcome_e outcome);

/* The request ends: nobody waits for its jobs any more. */
void ngx_http_setter_batch_forget(ngx_http_setter_batch_t *batch);


#endif /* _NGX_HTTP_SETTER_BATCH_H_INCLUDED_ */
