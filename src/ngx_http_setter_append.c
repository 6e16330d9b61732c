#include "ngx_http_setter_append.h"
#include "ngx_http_setter_admit.h"
#include "ngx_http_setter_reply.h"
#include "ngx_http_setter_stat.h"


/* what an envelope has besides the text of its members */
#define NGX_HTTP_SETTER_ENVELOPE  768


static ngx_int_t ngx_http_setter_append_lane(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx);
static ngx_int_t ngx_http_setter_append_id(ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_loc_conf_t *slcf);
static ngx_int_t ngx_http_setter_append_key(ngx_http_setter_ctx_t *ctx,
    setter_str_t *key);
static ngx_int_t ngx_http_setter_append_write(ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_loc_conf_t *slcf);
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
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    if (ngx_http_setter_append_id(ctx, slcf) != NGX_OK
        || ngx_http_setter_append_lane(r, ctx) != NGX_OK)
    {
        return ngx_http_setter_failed;
    }

    return ngx_http_setter_append_job(r, ctx);
}


ngx_http_setter_outcome_e
ngx_http_setter_append_job(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx)
{
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    if (ngx_http_setter_append_write(ctx, slcf) != NGX_OK) {
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
ngx_http_setter_append_lane(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx)
{
    ngx_str_t                    value;
    setter_buf_t                 buf;
    setter_job_t                *job;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    job = &ctx->job;
    value.len = 0;

    if (slcf->lane
        && !slcf->format->apart
        && ngx_http_complex_value(r, slcf->lane, &value) != NGX_OK)
    {
        return NGX_ERROR;
    }

    setter_buf_init(&buf, &ctx->alloc, 128);

    if (slcf->format->apart) {
        setter_lane_job(&buf, job->tenant, job->kind, job->id);

    } else if (value.len) {
        setter_lane_custom(&buf, job->tenant, ngx_http_setter_text(&value));

    } else {
        setter_lane_conversation(&buf, job->tenant,
                                 setter_format_channel(job->provider),
                                 job->to, job->from);
    }

    job->lane.data = buf.data;
    job->lane.len = buf.len;

    return buf.failed ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_http_setter_append_id(ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_loc_conf_t *slcf)
{
    int           rc;
    setter_str_t  key;

    if (ctx->key.len) {
        key = ctx->key;

        if (slcf->api
            && ngx_http_setter_append_key(ctx, &key) != NGX_OK)
        {
            return NGX_ERROR;
        }

        rc = setter_uuid_from_key(ctx->id, ctx->job.tenant, key);

    } else {
        rc = setter_uuid_v7(ctx->id, ctx->job.received_ms);
    }

    ctx->job.id.data = ctx->id;
    ctx->job.id.len = SETTER_UUID_LEN;

    return (rc == SETTER_OK) ? NGX_OK : NGX_ERROR;
}


/* A message to be sent is no repeat of one that came with the same key. */

static ngx_int_t
ngx_http_setter_append_key(ngx_http_setter_ctx_t *ctx, setter_str_t *key)
{
    setter_buf_t  buf;

    setter_buf_init(&buf, &ctx->alloc, ctx->job.kind.len + 1 + key->len);

    setter_buf_append(&buf, ctx->job.kind.data, ctx->job.kind.len);
    setter_buf_byte(&buf, '\0');
    setter_buf_append(&buf, key->data, key->len);

    key->data = buf.data;
    key->len = buf.len;

    return buf.failed ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_http_setter_append_write(ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_loc_conf_t *slcf)
{
    setter_job_t         *job;
    setter_job_header_t   header;

    job = &ctx->job;

    ngx_memzero(&header, sizeof(setter_job_header_t));

    header.id = job->id;
    header.tenant = job->tenant;
    header.kind = job->kind;
    header.lane = job->lane;
    header.received_ms = job->received_ms;
    header.send_at_ms = ctx->send_at;

    if (slcf->format && !slcf->format->apart) {
        header.debounce_ms = slcf->debounce;
        header.debounce_max_ms = slcf->debounce_max;
    }

    setter_buf_init(&ctx->header, &ctx->alloc, 128 + job->lane.len);
    setter_job_header_write(&ctx->header, &header);

    setter_buf_init(&ctx->envelope, &ctx->alloc,
                    NGX_HTTP_SETTER_ENVELOPE + job->text.len + job->data.len);
    setter_job_write(&ctx->envelope, job);

    return (ctx->header.failed || ctx->envelope.failed) ? NGX_ERROR : NGX_OK;
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


char *
ngx_http_setter_debounce_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_setter_loc_conf_t *slcf = conf;

    ngx_str_t   *value, s;
    ngx_msec_t   time, max;

    if (slcf->debounce != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0 && cf->args->nelts == 2) {
        slcf->debounce = 0;
        slcf->debounce_max = 0;
        return NGX_CONF_OK;
    }

    time = ngx_parse_time(&value[1], 0);
    max = 4 * time;

    if (time == (ngx_msec_t) NGX_ERROR || time == 0) {
        return "invalid value";
    }

    if (cf->args->nelts == 3) {

        if (ngx_strncmp(value[2].data, "max=", 4) != 0) {
            goto invalid;
        }

        s.data = value[2].data + 4;
        s.len = value[2].len - 4;

        max = ngx_parse_time(&s, 0);

        if (max == (ngx_msec_t) NGX_ERROR || max < time) {
            goto invalid;
        }
    }

    slcf->debounce = time;
    slcf->debounce_max = max;

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                       &value[2]);

    return NGX_CONF_ERROR;
}
