/*
 * The key that a caller shows: "Authorization: Bearer stk_<slug>_<secret>".
 *
 * Redis has the hashes of all keys.  A process remembers what it said of
 * which hash: a good key counts for 2 s without being asked for again, one
 * that is not good is refused for 1 s.  While Redis is away, a key that was
 * good when last asked for goes on counting.
 *
 *     ngx_http_setter_key_find(r, key);
 *
 *     if (key->state == ngx_http_setter_key_unsure) {
 *         key->handler = ...;
 *         rc = ngx_http_setter_key_ask(smcf->redis, key);
 *
 *         if (rc == NGX_AGAIN) {
 *             ... the handler is called, the request waits ...
 *         }
 *     }
 *
 *     ... key->state is one of the others ...
 */

#ifndef _NGX_HTTP_SETTER_KEY_H_INCLUDED_
#define _NGX_HTTP_SETTER_KEY_H_INCLUDED_


#include "ngx_http_setter_module.h"
#include "ngx_http_setter_recent.h"
#include "setter_apikey.h"


typedef enum {
    ngx_http_setter_key_absent = 0,     /* no "Authorization: Bearer" */
    ngx_http_setter_key_wrong,          /* malformed, unknown or revoked */
    ngx_http_setter_key_good,
    ngx_http_setter_key_unsure,         /* Redis has to be asked */
    ngx_http_setter_key_unavailable     /* and could not be */
} ngx_http_setter_key_state_e;


typedef void (*ngx_http_setter_key_handler_pt)(ngx_http_setter_key_t *key);


/*
 * Zeroed by its owner, a request's state, whose pool cleanup calls
 * ngx_http_setter_op_finish(&key->op): the handler is not called any more
 * then.
 */

struct ngx_http_setter_key_s {
    ngx_http_setter_key_state_e      state;

    /* whose, in the header's memory; len 0 while absent or wrong */
    ngx_str_t                        tenant;

    ngx_http_setter_key_handler_pt   handler;
    void                            *data;      /* the owner's */

    setter_apikey_t                  apikey;
    ngx_http_setter_recent_t        *recent;    /* of this process */
    ngx_http_setter_op_t             op;
};


/*
 * What stands behind "Bearer" in the header; NGX_DECLINED when there is no
 * such thing.
 */
ngx_int_t ngx_http_setter_key_text(ngx_http_request_t *r, setter_str_t *text);

/*
 * Sets key->state and key->tenant by the header and what is remembered.
 * NGX_ERROR: memory is short.
 */
ngx_int_t ngx_http_setter_key_find(ngx_http_request_t *r,
    ngx_http_setter_key_t *key);

/*
 * For a key that is unsure.  NGX_AGAIN: Redis is asked; key->handler is
 * called once, from an event of another connection, when the state is good,
 * wrong or unavailable.  NGX_OK: Redis is away and the state is good or
 * unavailable already.
 */
ngx_int_t ngx_http_setter_key_ask(ngx_http_setter_redis_t *redis,
    ngx_http_setter_key_t *key);


#endif /* _NGX_HTTP_SETTER_KEY_H_INCLUDED_ */
