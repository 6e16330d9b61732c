/*
 * A turn that was taken for a caller who had left by then, or whom the answer
 * did not reach, on its way back to the queue.
 */

#include "ngx_http_setter_take.h"


typedef struct {
    ngx_http_setter_op_t          op;
    ngx_http_setter_turn_t        turn;
} ngx_http_setter_back_t;


static ngx_int_t ngx_http_setter_back_send(ngx_http_setter_op_t *op);
static void ngx_http_setter_back_done(ngx_http_setter_op_t *op,
    ngx_http_setter_op_result_e result, redisReply *reply);
static void ngx_http_setter_back_end(ngx_http_setter_back_t *back,
    ngx_uint_t failed);


void
ngx_http_setter_take_back(ngx_http_setter_main_conf_t *smcf,
    ngx_http_setter_turn_t *turn)
{
    u_char                  *p;
    ngx_http_setter_back_t  *back;

    back = ngx_calloc(sizeof(ngx_http_setter_back_t) + turn->lane.len
                      + turn->token.len, ngx_cycle->log);
    if (back == NULL) {
        return;
    }

    p = (u_char *) back + sizeof(ngx_http_setter_back_t);

    back->turn.partition = turn->partition;
    back->turn.lane.data = p;
    back->turn.lane.len = turn->lane.len;
    back->turn.token.data = ngx_cpymem(p, turn->lane.data, turn->lane.len);
    back->turn.token.len = turn->token.len;

    ngx_memcpy(back->turn.token.data, turn->token.data, turn->token.len);

    back->op.send = ngx_http_setter_back_send;
    back->op.done = ngx_http_setter_back_done;
    back->op.data = back;

    if (ngx_http_setter_op_start(smcf->redis, &back->op) != NGX_OK) {
        ngx_http_setter_back_end(back, 1);
    }
}


static ngx_int_t
ngx_http_setter_back_send(ngx_http_setter_op_t *op)
{
    ngx_uint_t               i;
    size_t                   argvlen[9];
    const char              *argv[9];
    ngx_http_setter_back_t  *back;

    back = op->data;

    argv[0] = "FCALL";
    argv[1] = "setter_fail";
    argv[2] = "1";
    argv[3] = (char *) op->redis->inboxes[back->turn.partition].key.data;
    argv[4] = (char *) back->turn.lane.data;
    argv[5] = (char *) back->turn.token.data;
    argv[6] = "0";                          /* ms until it may be taken */
    argv[7] = "0";                          /* no failure */
    argv[8] = "the caller had left";

    for (i = 0; i < 9; i++) {
        argvlen[i] = (i == 4) ? back->turn.lane.len
                              : (i == 5) ? back->turn.token.len
                                         : ngx_strlen(argv[i]);
    }

    return ngx_http_setter_op_command(op, 9, argv, argvlen);
}


static void
ngx_http_setter_back_done(ngx_http_setter_op_t *op,
    ngx_http_setter_op_result_e result, redisReply *reply)
{
    ngx_http_setter_op_finish(op);

    ngx_http_setter_back_end(op->data,
                             result != ngx_http_setter_op_replied
                             || reply->type != REDIS_REPLY_INTEGER);
}


static void
ngx_http_setter_back_end(ngx_http_setter_back_t *back, ngx_uint_t failed)
{
    if (failed) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "setter: a turn whose taker had left could not be "
                      "given back: it waits for the end of its lease");
    }

    ngx_free(back);
}
