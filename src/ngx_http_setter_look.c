#include "ngx_http_setter_look.h"


typedef struct {
    ngx_http_request_t       *request;
    ngx_http_setter_look_pt   answer;
    ngx_http_setter_op_t      op;
    ngx_uint_t                partition;
    setter_depth_t            depth;
    unsigned                  plain:1;  /* no functions: the inbox alone */
} ngx_http_setter_look_t;


static void ngx_http_setter_look_cleanup(void *data);
static ngx_int_t ngx_http_setter_look_ask(ngx_http_setter_op_t *op);
static void ngx_http_setter_look_done(ngx_http_setter_op_t *op,
    ngx_http_setter_op_result_e result, redisReply *reply);
static ngx_int_t ngx_http_setter_look_reply(ngx_http_setter_look_t *look,
    redisReply *reply);


ngx_int_t
ngx_http_setter_look(ngx_http_request_t *r, ngx_http_setter_look_pt answer)
{
    ngx_int_t                     rc;
    ngx_pool_cleanup_t           *cln;
    ngx_http_setter_look_t       *look;
    ngx_http_setter_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_setter_module);

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_setter_look_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    look = cln->data;
    ngx_memzero(look, sizeof(ngx_http_setter_look_t));

    cln->handler = ngx_http_setter_look_cleanup;

    look->request = r;
    look->answer = answer;
    look->op.send = ngx_http_setter_look_ask;
    look->op.done = ngx_http_setter_look_done;
    look->op.data = look;

    r->main->count++;

    if (ngx_http_setter_op_start(smcf->redis, &look->op) == NGX_OK) {
        return NGX_DONE;
    }

    r->main->count--;

    return answer(r, NULL);
}


static void
ngx_http_setter_look_cleanup(void *data)
{
    ngx_http_setter_look_t *look = data;

    ngx_http_setter_op_finish(&look->op);
}


/* The counts of the workers' functions, where a worker has loaded them. */

static ngx_int_t
ngx_http_setter_look_ask(ngx_http_setter_op_t *op)
{
    const char               *argv[4];
    ngx_http_setter_look_t   *look;
    ngx_http_setter_inbox_t  *inbox;

    look = op->data;
    inbox = &op->redis->inboxes[look->partition];

    if (look->plain) {
        argv[0] = "XLEN";
        argv[1] = (char *) inbox->key.data;

        return ngx_http_setter_op_command(op, 2, argv, NULL);
    }

    argv[0] = "FCALL_RO";
    argv[1] = "setter_depth";
    argv[2] = "1";
    argv[3] = (char *) inbox->key.data;

    return ngx_http_setter_op_command(op, 4, argv, NULL);
}


static void
ngx_http_setter_look_done(ngx_http_setter_op_t *op,
    ngx_http_setter_op_result_e result, redisReply *reply)
{
    ngx_int_t                rc;
    ngx_connection_t        *c;
    ngx_http_request_t      *r;
    ngx_http_setter_look_t  *look;

    look = op->data;
    r = look->request;
    c = r->connection;

    rc = NGX_ERROR;

    if (result == ngx_http_setter_op_replied) {
        rc = ngx_http_setter_look_reply(look, reply);

        if (rc == NGX_AGAIN && op->send(op) == NGX_OK) {
            return;
        }

        ngx_http_setter_op_finish(op);
    }

    ngx_http_set_log_request(c->log, r);

    rc = look->answer(r, (rc == NGX_OK) ? &look->depth : NULL);

    ngx_http_finalize_request(r, rc);

    ngx_http_run_posted_requests(c);
}


/* NGX_AGAIN: there is more to ask. */

static ngx_int_t
ngx_http_setter_look_reply(ngx_http_setter_look_t *look, redisReply *reply)
{
    switch (reply->type) {

    case REDIS_REPLY_INTEGER:
    case REDIS_REPLY_ARRAY:
        (void) setter_depth_add(&look->depth, reply);
        break;

    default:

        if (!look->plain) {
            look->plain = 1;
            return NGX_AGAIN;
        }

        return NGX_ERROR;
    }

    look->partition++;

    return (look->partition < look->op.redis->conf->partitions)
               ? NGX_AGAIN : NGX_OK;
}
