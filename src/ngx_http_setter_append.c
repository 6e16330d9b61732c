#include "ngx_http_setter_append.h"
#include "ngx_http_setter_admit.h"
#include "ngx_http_setter_batch.h"
#include "ngx_http_setter_reply.h"
#include "ngx_http_setter_stat.h"


static ngx_http_setter_outcome_e ngx_http_setter_append_start(
    ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx);
static ngx_uint_t ngx_http_setter_append_diverts(ngx_http_setter_ctx_t *ctx);
static ngx_int_t ngx_http_setter_append_send(ngx_http_setter_op_t *op);
static void ngx_http_setter_append_done(ngx_http_setter_op_t *op,
    ngx_http_setter_op_result_e result, redisReply *reply);
static ngx_http_setter_outcome_e ngx_http_setter_append_admit(
    ngx_http_setter_op_t *op, redisReply *reply);
static ngx_http_setter_outcome_e ngx_http_setter_append_reply(
    ngx_http_setter_op_t *op, redisReply *reply);
static ngx_http_setter_outcome_e ngx_http_setter_append_refused(
    ngx_http_setter_op_t *op, redisReply *reply);
static ngx_http_setter_outcome_e ngx_http_setter_append_spool(
    ngx_http_setter_ctx_t *ctx, ngx_http_setter_outcome_e otherwise);
static void ngx_http_setter_append_record(ngx_http_setter_ctx_t *ctx,
    setter_spool_record_t *record);
static void ngx_http_setter_append_spooled(ngx_http_setter_spool_wait_t *wait,
    ngx_http_setter_spool_result_e result);
static void ngx_http_setter_append_end(ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_outcome_e outcome);


ngx_http_setter_outcome_e
ngx_http_setter_append(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx)
{
    if (ngx_http_setter_append_name(r, ctx) != NGX_OK) {
        return ngx_http_setter_failed;
    }

    return ngx_http_setter_append_job(r, ctx);
}


ngx_http_setter_outcome_e
ngx_http_setter_append_job(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx)
{
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    if (ngx_http_setter_append_write(r, ctx) != NGX_OK) {
        return ngx_http_setter_failed;
    }

    ngx_log_debug3(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "setter append, envelope:%uz \"%*s\"", ctx->envelope.len,
                   ctx->header.len, ctx->header.data);

    if (ctx->envelope.len > slcf->max_job) {
        return ngx_http_setter_too_large;
    }

    return ngx_http_setter_append_start(r, ctx);
}


static ngx_http_setter_outcome_e
ngx_http_setter_append_start(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx)
{
    ngx_http_setter_op_t         *op;
    ngx_http_setter_spool_t      *spool;
    ngx_http_setter_outcome_e     outcome;
    ngx_http_setter_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_setter_module);

    /* who waits for a call's answer does not wait for Redis to come back */

    spool = ctx->call ? NULL : smcf->spool;

    ctx->partition = setter_partition(ctx->job.tenant, smcf->partitions);

    if (spool == NULL && smcf->redis->inboxes[ctx->partition].full) {
        return ngx_http_setter_full;
    }

    outcome = ctx->admitted ? ngx_http_setter_undecided
                            : ngx_http_setter_admit(r, ctx);

    if (outcome != ngx_http_setter_undecided) {
        return outcome;
    }

    ctx->started = ngx_http_setter_redis_now();

    op = &ctx->op;

    op->send = ngx_http_setter_append_send;
    op->done = ngx_http_setter_append_done;
    op->data = ctx;
    op->spools = (spool != NULL);
    op->asks = !ctx->admitted;

    if (spool) {
        ctx->order = ngx_http_setter_spool_order(spool);

        if (ngx_http_setter_append_diverts(ctx)) {

            /* in order: those before it go there, too, and first */

            ngx_http_setter_op_divert(smcf->redis);

            return ngx_http_setter_append_spool(ctx,
                                                ngx_http_setter_unavailable);
        }
    }

    if (ngx_http_setter_op_start(smcf->redis, op) != NGX_OK) {
        return ngx_http_setter_append_spool(ctx, ngx_http_setter_unavailable);
    }

    return ngx_http_setter_undecided;
}


/* Whether the job is not even to wait for Redis: there is the spool. */

static ngx_uint_t
ngx_http_setter_append_diverts(ngx_http_setter_ctx_t *ctx)
{
    ngx_http_setter_redis_t      *redis;
    ngx_http_setter_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(ctx->request, ngx_http_setter_module);
    redis = smcf->redis;

    if (ngx_http_setter_redis_away(redis)) {
        return 1;
    }

    /* a Redis that is there is asked about the tenant all the same */

    if (!ctx->admitted && redis->state == ngx_http_setter_redis_ready) {
        return 0;
    }

    return redis->inboxes[ctx->partition].full
           || ngx_http_setter_spool_mode(smcf->spool)
              == ngx_http_setter_spool_divert;
}


static ngx_int_t
ngx_http_setter_append_send(ngx_http_setter_op_t *op)
{
    size_t                    argvlen[NGX_HTTP_SETTER_XADD];
    const char               *argv[NGX_HTTP_SETTER_XADD];
    setter_spool_record_t     record;
    ngx_http_setter_ctx_t    *ctx;
    ngx_http_setter_spool_t  *spool;

    ctx = op->data;

    if (!ctx->admitted) {
        return ngx_http_setter_admit_ask(op);
    }

    spool = op->redis->spool;

    if (spool) {

        if (ngx_http_setter_append_diverts(ctx)) {
            return NGX_ERROR;
        }

        if (ngx_http_setter_spool_mode(spool) == ngx_http_setter_spool_hold) {

            /* it waits, and is sent when Redis may be written to again */

            ngx_http_setter_spool_held(spool);
            return NGX_OK;
        }
    }

    ngx_http_setter_append_record(ctx, &record);

    ngx_http_setter_redis_xadd(&op->redis->inboxes[ctx->partition],
                               record.header, record.envelope, argv, argvlen);

    return ngx_http_setter_op_command(op, NGX_HTTP_SETTER_XADD, argv, argvlen);
}


static void
ngx_http_setter_append_done(ngx_http_setter_op_t *op,
    ngx_http_setter_op_result_e result, redisReply *reply)
{
    ngx_http_setter_ctx_t      *ctx;
    ngx_http_setter_outcome_e   outcome;

    ctx = op->data;

    switch (result) {

    case ngx_http_setter_op_replied:
        outcome = ctx->admitted ? ngx_http_setter_append_reply(op, reply)
                                : ngx_http_setter_append_admit(op, reply);
        break;

    case ngx_http_setter_op_unknown:
        outcome = ctx->admitted ? ngx_http_setter_timeout
                                : ngx_http_setter_unavailable;
        break;

    default: /* ngx_http_setter_op_unsent */
        outcome = ngx_http_setter_unavailable;
    }

    if (outcome == ngx_http_setter_undecided) {
        return;
    }

    ngx_http_setter_op_finish(op);

    if (outcome == ngx_http_setter_full
        || outcome == ngx_http_setter_unavailable
        || outcome == ngx_http_setter_timeout)
    {
        outcome = ngx_http_setter_append_spool(ctx, outcome);
    }

    if (outcome != ngx_http_setter_undecided) {
        ngx_http_setter_append_end(ctx, outcome);
    }
}


/*
 * Redis has not taken the job, or has not said so: the spool does, where
 * there is one.  A job that Redis has after all is the same job when it is
 * replayed, by its id, and is dropped there; so "accepted" is true of it.
 * Without a spool, or when that fails, it is "otherwise".
 */

static ngx_http_setter_outcome_e
ngx_http_setter_append_spool(ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_outcome_e otherwise)
{
    ngx_int_t                     rc;
    setter_spool_record_t         record;
    ngx_http_setter_outcome_e     outcome;
    ngx_http_setter_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(ctx->request, ngx_http_setter_module);

    if (smcf->spool == NULL || ctx->call) {
        return otherwise;
    }

    if (!ctx->admitted) {
        outcome = ngx_http_setter_admit_stale(ctx->request, ctx);

        if (outcome != ngx_http_setter_undecided) {
            return outcome;
        }
    }

    ngx_http_setter_append_record(ctx, &record);

    ctx->wait.done = ngx_http_setter_append_spooled;
    ctx->wait.data = ctx;

    rc = ngx_http_setter_spool_put(smcf->spool, &ctx->wait, &record);

    if (rc == NGX_OK) {
        return ngx_http_setter_undecided;
    }

    if (rc == NGX_DECLINED && otherwise == ngx_http_setter_unavailable) {
        return ngx_http_setter_full;
    }

    return otherwise;
}


static void
ngx_http_setter_append_record(ngx_http_setter_ctx_t *ctx,
    setter_spool_record_t *record)
{
    record->order = ctx->order;
    record->header.data = ctx->header.data;
    record->header.len = ctx->header.len;
    record->envelope.data = ctx->envelope.data;
    record->envelope.len = ctx->envelope.len;
}


static void
ngx_http_setter_append_spooled(ngx_http_setter_spool_wait_t *wait,
    ngx_http_setter_spool_result_e result)
{
    ngx_http_setter_outcome_e  outcome;

    switch (result) {

    case ngx_http_setter_spool_stored:
        outcome = ngx_http_setter_accepted;
        break;

    case ngx_http_setter_spool_late:
        outcome = ngx_http_setter_timeout;
        break;

    default: /* ngx_http_setter_spool_failed */
        outcome = ngx_http_setter_unavailable;
    }

    ngx_http_setter_append_end(wait->data, outcome);
}


static void
ngx_http_setter_append_end(ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_outcome_e outcome)
{
    ctx->enqueued = ngx_http_setter_redis_now() - ctx->started;

    if (ctx->call) {

        if (outcome == ngx_http_setter_accepted) {
            return;
        }

        if (outcome == ngx_http_setter_timeout) {
            outcome = ngx_http_setter_no_answer;
        }
    }

    if (ctx->part) {
        ngx_http_setter_batch_end(ctx, outcome);
        return;
    }

    ngx_http_setter_reply_later(ctx->request, ctx, outcome);
}


/* Of a tenant who is admitted now, the job is what comes next. */

static ngx_http_setter_outcome_e
ngx_http_setter_append_admit(ngx_http_setter_op_t *op, redisReply *reply)
{
    ngx_http_setter_ctx_t      *ctx;
    ngx_http_setter_outcome_e   outcome;

    ctx = op->data;

    outcome = ngx_http_setter_admit_reply(op, reply);

    if (outcome != ngx_http_setter_undecided || !ctx->admitted) {
        return outcome;
    }

    op->asks = 0;

    return (op->send(op) == NGX_OK) ? ngx_http_setter_undecided
                                    : ngx_http_setter_unavailable;
}


static ngx_http_setter_outcome_e
ngx_http_setter_append_reply(ngx_http_setter_op_t *op, redisReply *reply)
{
    setter_spool_record_t     record;
    ngx_http_setter_redis_t  *redis;

    redis = op->redis;

    if (reply->type != REDIS_REPLY_STRING) {
        return ngx_http_setter_append_refused(op, reply);
    }

    ngx_http_setter_redis_accepted(redis);
    ngx_http_setter_stat_round_trip(redis->conf, redis->now - op->sent);

    if (redis->spool) {
        ngx_http_setter_append_record(op->data, &record);
        ngx_http_setter_spool_keep(redis->spool, &record);
    }

    return ngx_http_setter_accepted;
}


static ngx_http_setter_outcome_e
ngx_http_setter_append_refused(ngx_http_setter_op_t *op, redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ERROR) {
        return ngx_http_setter_unavailable;
    }

    ngx_http_setter_redis_refused(op->redis, reply);

    if (ngx_strncmp(reply->str, "OOM ", 4) == 0) {
        return ngx_http_setter_full;
    }

    return ngx_http_setter_unavailable;
}
