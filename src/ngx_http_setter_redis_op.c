/*
 * Operations: what requests want of Redis, each by its deadline; and the
 * client's own commands.
 */

#include "ngx_http_setter_module.h"


#define NGX_HTTP_SETTER_MAX_ARGS  5


static void ngx_http_setter_op_reply(void *data,
    setter_resp_outcome_e outcome, redisReply *reply);
static void ngx_http_setter_op_fail(ngx_http_setter_op_t *op,
    ngx_http_setter_op_result_e result);


ngx_int_t
ngx_http_setter_op_start(ngx_http_setter_redis_t *redis,
    ngx_http_setter_op_t *op)
{
    op->deadline = ngx_current_msec + redis->timeout;

    if (redis->nops >= redis->waiting
        || ngx_http_setter_redis_open(redis, op->deadline) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    op->nentries = 0;
    op->redis = redis;

    ngx_queue_insert_tail(&redis->ops, &op->queue);
    redis->nops++;

    if (redis->connection) {
        redis->connection->idle = 0;
    }

    /* an event of our own, not cancelable: nginx does not quit before it */

    if (!redis->deadline.timer_set) {
        ngx_add_timer(&redis->deadline, redis->timeout);
    }

    if (redis->state == ngx_http_setter_redis_ready
        && op->send(op) != NGX_OK)
    {
        ngx_http_setter_op_finish(op);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_setter_op_command(ngx_http_setter_op_t *op, int argc,
    const char **argv, const size_t *argvlen)
{
    setter_resp_entry_t      *entry;
    ngx_http_setter_redis_t  *redis;

    redis = op->redis;

    if (op->nentries == NGX_HTTP_SETTER_OP_COMMANDS) {
        return NGX_ERROR;
    }

    entry = setter_resp_command(&redis->resp, argc, argv, argvlen,
                                ngx_http_setter_op_reply, op);
    if (entry == NULL) {
        return NGX_ERROR;
    }

    op->entries[op->nentries++] = entry;
    op->sent = ngx_http_setter_redis_now();
    redis->busy = 1;

    ngx_http_setter_redis_post(redis);

    return NGX_OK;
}


static void
ngx_http_setter_op_reply(void *data, setter_resp_outcome_e outcome,
    redisReply *reply)
{
    ngx_http_setter_op_t  *op;

    op = data;

    if (op == NULL) {
        return;
    }

    /* replies come in the order of the commands */

    op->nentries--;
    ngx_memmove(op->entries, op->entries + 1,
                op->nentries * sizeof(setter_resp_entry_t *));

    switch (outcome) {

    case SETTER_RESP_REPLIED:
        op->done(op, ngx_http_setter_op_replied, reply);
        break;

    case SETTER_RESP_UNKNOWN:
        ngx_http_setter_op_fail(op, ngx_http_setter_op_unknown);
        break;

    case SETTER_RESP_UNSENT:
        /* it waits for the next connection */
        break;
    }
}


static void
ngx_http_setter_op_fail(ngx_http_setter_op_t *op,
    ngx_http_setter_op_result_e result)
{
    ngx_http_setter_op_finish(op);

    op->done(op, result, NULL);
}


void
ngx_http_setter_op_finish(ngx_http_setter_op_t *op)
{
    ngx_http_setter_redis_t  *redis;

    redis = op->redis;

    if (redis == NULL) {
        return;
    }

    op->redis = NULL;

    ngx_queue_remove(&op->queue);
    redis->nops--;

    while (op->nentries) {
        op->entries[--op->nentries]->data = NULL;
    }

    if (redis->nops == 0 && redis->deadline.timer_set) {
        ngx_del_timer(&redis->deadline);
    }
}


void
ngx_http_setter_op_send_all(ngx_http_setter_redis_t *redis)
{
    ngx_queue_t           *q, *next;
    ngx_http_setter_op_t  *op;

    for (q = ngx_queue_head(&redis->ops);
         q != ngx_queue_sentinel(&redis->ops);
         q = next)
    {
        next = ngx_queue_next(q);
        op = ngx_queue_data(q, ngx_http_setter_op_t, queue);

        if (op->nentries == 0 && op->send(op) != NGX_OK) {
            ngx_http_setter_op_fail(op, ngx_http_setter_op_unsent);
        }
    }
}


void
ngx_http_setter_op_expire(ngx_http_setter_redis_t *redis, ngx_msec_t until)
{
    ngx_msec_int_t         left;
    ngx_http_setter_op_t  *op;

    while (!ngx_queue_empty(&redis->ops)) {

        op = ngx_queue_data(ngx_queue_head(&redis->ops),
                            ngx_http_setter_op_t, queue);

        left = (ngx_msec_int_t) (op->deadline - until);

        if (left > 0) {
            break;
        }

        ngx_http_setter_op_fail(op, op->nentries
                                        ? ngx_http_setter_op_unknown
                                        : ngx_http_setter_op_unsent);
    }
}


void
ngx_http_setter_op_divert(ngx_http_setter_redis_t *redis)
{
    ngx_queue_t           *q;
    ngx_http_setter_op_t  *op;

    if (!redis->initialized || redis->diverting) {
        return;
    }

    redis->diverting = 1;

    q = ngx_queue_head(&redis->ops);

    while (q != ngx_queue_sentinel(&redis->ops)) {

        op = ngx_queue_data(q, ngx_http_setter_op_t, queue);

        if (!op->spools
            || (op->asks && redis->state == ngx_http_setter_redis_ready))
        {
            q = ngx_queue_next(q);
            continue;
        }

        ngx_http_setter_op_fail(op, op->nentries
                                        ? ngx_http_setter_op_unknown
                                        : ngx_http_setter_op_unsent);

        /* whatever else it has changed */

        q = ngx_queue_head(&redis->ops);
    }

    redis->diverting = 0;
}


void
ngx_http_setter_redis_xadd(ngx_http_setter_inbox_t *inbox,
    setter_str_t header, setter_str_t envelope,
    const char *argv[NGX_HTTP_SETTER_XADD],
    size_t argvlen[NGX_HTTP_SETTER_XADD])
{
    argv[0] = "XADD";
    argvlen[0] = 4;
    argv[1] = (char *) inbox->key.data;
    argvlen[1] = inbox->key.len;
    argv[2] = "*";
    argvlen[2] = 1;
    argv[3] = "h";
    argvlen[3] = 1;
    argv[4] = header.data;
    argvlen[4] = header.len;
    argv[5] = "j";
    argvlen[5] = 1;
    argv[6] = envelope.data;
    argvlen[6] = envelope.len;
}


void
ngx_http_setter_op_deadline(ngx_event_t *ev)
{
    ngx_http_setter_op_t     *op;
    ngx_http_setter_redis_t  *redis;

    redis = ev->data;

    ngx_http_setter_op_expire(redis, ngx_current_msec);

    if (!ngx_queue_empty(&redis->ops)) {
        op = ngx_queue_data(ngx_queue_head(&redis->ops),
                            ngx_http_setter_op_t, queue);

        ngx_add_timer(ev, op->deadline - ngx_current_msec);
    }
}


ngx_int_t
ngx_http_setter_redis_command(ngx_http_setter_redis_t *redis,
    setter_resp_handler_pt handler, void *data, int argc, ...)
{
    int          i;
    va_list      args;
    const char  *argv[NGX_HTTP_SETTER_MAX_ARGS];

    va_start(args, argc);

    for (i = 0; i < argc; i++) {
        argv[i] = va_arg(args, const char *);
    }

    va_end(args);

    return ngx_http_setter_redis_send(redis, handler, data, argc, argv, NULL);
}


ngx_int_t
ngx_http_setter_redis_send(ngx_http_setter_redis_t *redis,
    setter_resp_handler_pt handler, void *data, int argc, const char **argv,
    const size_t *argvlen)
{
    if (setter_resp_command(&redis->resp, argc, argv, argvlen, handler, data)
        == NULL)
    {
        return NGX_ERROR;
    }

    ngx_http_setter_redis_post(redis);

    return NGX_OK;
}
