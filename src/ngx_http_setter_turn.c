/*
 * "setter_api complete", "fail" and "extend": what an outside worker does
 * with the turn it has.
 */

#include "ngx_http_setter_outside.h"
#include "ngx_http_setter_api.h"
#include "ngx_http_setter_body.h"
#include "ngx_http_setter_reply.h"


/* the longest, in ms, that a caller gets */
#define NGX_HTTP_SETTER_MAX_LEASE  (60 * 60 * 1000)
#define NGX_HTTP_SETTER_MAX_DELAY  (24 * 60 * 60 * 1000)


/* The members of the bodies, as ngx_http_setter_turn_paths has them. */

enum {
    ngx_http_setter_turn_token = 0,
    ngx_http_setter_turn_lease,
    ngx_http_setter_turn_delay,
    ngx_http_setter_turn_reason,
    ngx_http_setter_turn_members
};


/* A request, and the function call that it becomes. */

typedef struct {
    ngx_http_setter_ctx_t       *ctx;
    ngx_http_setter_outside_t   *conf;
    ngx_str_t                    id;
    setter_json_value_t          values[ngx_http_setter_turn_members];

    const char                  *status;    /* of the job then */
    int64_t                      lease;     /* ms; 0: it stays as it is */
    int                          argc;
    const char                  *argv[9];
    size_t                       argvlen[9];
} ngx_http_setter_order_t;


static ngx_http_setter_outcome_e ngx_http_setter_order_complete(
    ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx);
static ngx_http_setter_outcome_e ngx_http_setter_order_fail(
    ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx);
static ngx_http_setter_outcome_e ngx_http_setter_order_extend(
    ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx);
static ngx_http_setter_outcome_e ngx_http_setter_order_read(
    ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_order_t **order);
static ngx_http_setter_outcome_e ngx_http_setter_order_body(
    ngx_http_request_t *r, ngx_http_setter_order_t *order);
static void ngx_http_setter_order_check(ngx_http_setter_order_t *order,
    ngx_uint_t member, setter_field_type_e type, unsigned required);
static int64_t ngx_http_setter_order_time(ngx_http_setter_order_t *order,
    ngx_uint_t member, int64_t initial, int64_t min, int64_t max);
static void ngx_http_setter_order_call(ngx_http_setter_order_t *order,
    const char *function);
static void ngx_http_setter_order_add(ngx_http_setter_order_t *order,
    setter_str_t value);
static void ngx_http_setter_order_number(ngx_http_setter_order_t *order,
    int64_t number);
static void ngx_http_setter_order_turn(ngx_http_setter_order_t *order);
static ngx_http_setter_outcome_e ngx_http_setter_order_start(
    ngx_http_setter_order_t *order);
static ngx_int_t ngx_http_setter_order_send(ngx_http_setter_op_t *op);
static void ngx_http_setter_order_done(ngx_http_setter_op_t *op,
    ngx_http_setter_op_result_e result, redisReply *reply);
static ngx_http_setter_outcome_e ngx_http_setter_order_reply(
    ngx_http_setter_redis_t *redis, redisReply *reply);
static ngx_int_t ngx_http_setter_order_answer(ngx_http_request_t *r,
    ngx_http_setter_order_t *order);


static setter_json_path_t  ngx_http_setter_turn_paths[] = {
    { "token", 0 },
    { "lease_ms", 0 },
    { "delay_ms", 0 },
    { "reason", 0 }
};


ngx_int_t
ngx_http_setter_complete(ngx_http_request_t *r)
{
    return ngx_http_setter_outside(r, ngx_http_setter_order_complete);
}


ngx_int_t
ngx_http_setter_fail(ngx_http_request_t *r)
{
    return ngx_http_setter_outside(r, ngx_http_setter_order_fail);
}


ngx_int_t
ngx_http_setter_extend(ngx_http_request_t *r)
{
    return ngx_http_setter_outside(r, ngx_http_setter_order_extend);
}


static ngx_http_setter_outcome_e
ngx_http_setter_order_complete(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx)
{
    ngx_http_setter_order_t    *order;
    ngx_http_setter_outcome_e   outcome;

    outcome = ngx_http_setter_order_read(r, ctx, &order);

    if (outcome != ngx_http_setter_undecided) {
        return outcome;
    }

    order->status = "done";

    ngx_http_setter_order_call(order, "setter_complete");
    ngx_http_setter_order_turn(order);

    return ngx_http_setter_order_start(order);
}


/* It counts as a failure: the queue gives jobs up after so many. */

static ngx_http_setter_outcome_e
ngx_http_setter_order_fail(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx)
{
    int64_t                     delay;
    setter_str_t                reason;
    ngx_http_setter_order_t    *order;
    ngx_http_setter_outcome_e   outcome;

    outcome = ngx_http_setter_order_read(r, ctx, &order);

    if (outcome != ngx_http_setter_undecided) {
        return outcome;
    }

    delay = ngx_http_setter_order_time(order, ngx_http_setter_turn_delay,
                                       order->conf->delay, 0,
                                       NGX_HTTP_SETTER_MAX_DELAY);

    ngx_http_setter_order_check(order, ngx_http_setter_turn_reason,
                                SETTER_FIELD_TEXT, 0);

    reason = order->values[ngx_http_setter_turn_reason].text;

    if (reason.len == 0) {
        reason = ngx_http_setter_constant("an outside worker failed");
    }

    order->status = "queued";

    ngx_http_setter_order_call(order, "setter_fail");
    ngx_http_setter_order_turn(order);
    ngx_http_setter_order_number(order, delay);
    ngx_http_setter_order_number(order, 1);
    ngx_http_setter_order_add(order, reason);

    return ngx_http_setter_order_start(order);
}


static ngx_http_setter_outcome_e
ngx_http_setter_order_extend(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx)
{
    ngx_http_setter_order_t    *order;
    ngx_http_setter_outcome_e   outcome;

    outcome = ngx_http_setter_order_read(r, ctx, &order);

    if (outcome != ngx_http_setter_undecided) {
        return outcome;
    }

    order->lease = ngx_http_setter_order_time(order,
                                              ngx_http_setter_turn_lease,
                                              order->conf->lease, 1,
                                              NGX_HTTP_SETTER_MAX_LEASE);
    order->status = "processing";

    ngx_http_setter_order_call(order, "setter_extend");
    ngx_http_setter_order_number(order, order->lease);
    ngx_http_setter_order_turn(order);

    return ngx_http_setter_order_start(order);
}


/* What all three have: a job's id in the URI, a token in the body. */

static ngx_http_setter_outcome_e
ngx_http_setter_order_read(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_order_t **order)
{
    ngx_int_t                    rc;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    *order = ngx_pcalloc(r->pool, sizeof(ngx_http_setter_order_t));
    if (*order == NULL) {
        return ngx_http_setter_failed;
    }

    (*order)->ctx = ctx;
    (*order)->conf = slcf->api_conf;

    rc = ngx_http_setter_outside_id(r, &(*order)->id);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? ngx_http_setter_no_job
                                    : ngx_http_setter_failed;
    }

    return ngx_http_setter_order_body(r, *order);
}


static ngx_http_setter_outcome_e
ngx_http_setter_order_body(ngx_http_request_t *r,
    ngx_http_setter_order_t *order)
{
    setter_str_t                 body;
    setter_json_error_e          error;
    ngx_http_setter_outcome_e    outcome;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    outcome = ngx_http_setter_body(r, slcf->max_job, &body);

    if (outcome != ngx_http_setter_undecided) {
        return outcome;
    }

    error = setter_json_read(body.data, body.len, 0,
                             ngx_http_setter_turn_paths,
                             ngx_http_setter_turn_members, order->values,
                             NULL, &order->ctx->alloc);

    if (error != SETTER_JSON_OK) {
        return ngx_http_setter_bad_json(order->ctx, error);
    }

    ngx_http_setter_order_check(order, ngx_http_setter_turn_token,
                                SETTER_FIELD_ID, 1);

    return ngx_http_setter_undecided;
}


static void
ngx_http_setter_order_check(ngx_http_setter_order_t *order,
    ngx_uint_t member, setter_field_type_e type, unsigned required)
{
    setter_field_error_e   error;
    setter_format_field_t  field;

    ngx_memzero(&field, sizeof(setter_format_field_t));

    field.path = ngx_http_setter_turn_paths[member].path;
    field.type = type;
    field.required = required;

    error = setter_field_check(&field, &order->values[member]);

    if (error != SETTER_FIELD_OK) {
        ngx_http_setter_error(order->ctx, field.path, error);
    }
}


/* A whole number of ms; more than max is as much as max. */

static int64_t
ngx_http_setter_order_time(ngx_http_setter_order_t *order,
    ngx_uint_t member, int64_t initial, int64_t min, int64_t max)
{
    ngx_int_t             n;
    setter_json_value_t  *value;

    value = &order->values[member];

    if (value->type == SETTER_JSON_ABSENT || value->type == SETTER_JSON_NULL) {
        return initial;
    }

    n = NGX_ERROR;

    if (value->type == SETTER_JSON_NUMBER) {
        n = ngx_atoi((u_char *) value->text.data, value->text.len);
    }

    if (n == NGX_ERROR || n < min) {
        ngx_http_setter_error(order->ctx,
                              ngx_http_setter_turn_paths[member].path,
                              SETTER_FIELD_BAD_TYPE);
        return initial;
    }

    return ngx_min(n, max);
}


static void
ngx_http_setter_order_call(ngx_http_setter_order_t *order,
    const char *function)
{
    ngx_str_t                    *inbox;
    ngx_uint_t                    partition;
    ngx_http_setter_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(order->ctx->request,
                                         ngx_http_setter_module);

    partition = setter_partition(ngx_http_setter_text(&order->ctx->tenant),
                                 smcf->partitions);
    inbox = &smcf->redis->inboxes[partition].key;

    ngx_http_setter_order_add(order, ngx_http_setter_constant("FCALL"));
    ngx_http_setter_order_add(order, ngx_http_setter_constant(function));
    ngx_http_setter_order_add(order, ngx_http_setter_constant("1"));
    ngx_http_setter_order_add(order, ngx_http_setter_text(inbox));
}


/* data is NULL when memory is short: ngx_http_setter_order_start() looks. */

static void
ngx_http_setter_order_add(ngx_http_setter_order_t *order, setter_str_t value)
{
    order->argv[order->argc] = value.data;
    order->argvlen[order->argc++] = value.len;
}


static void
ngx_http_setter_order_number(ngx_http_setter_order_t *order, int64_t number)
{
    setter_buf_t  buf;
    setter_str_t  text;

    setter_buf_init(&buf, &order->ctx->alloc, NGX_INT64_LEN);
    setter_buf_number(&buf, number);

    text.data = buf.failed ? NULL : buf.data;
    text.len = buf.len;

    ngx_http_setter_order_add(order, text);
}


/* The turn that has the job, of this tenant and no other, and its token. */

static void
ngx_http_setter_order_turn(ngx_http_setter_order_t *order)
{
    setter_buf_t   buf;
    setter_str_t   lane;
    ngx_str_t     *tenant;

    tenant = &order->ctx->tenant;

    setter_buf_init(&buf, &order->ctx->alloc, tenant->len + order->id.len + 2);

    setter_buf_byte(&buf, '#');
    setter_buf_append(&buf, (char *) tenant->data, tenant->len);
    setter_buf_byte(&buf, '/');
    setter_buf_append(&buf, (char *) order->id.data, order->id.len);

    lane.data = buf.failed ? NULL : buf.data;
    lane.len = buf.len;

    ngx_http_setter_order_add(order, lane);
    ngx_http_setter_order_add(order,
                              order->values[ngx_http_setter_turn_token].text);
}


static ngx_http_setter_outcome_e
ngx_http_setter_order_start(ngx_http_setter_order_t *order)
{
    int                           i;
    ngx_http_setter_op_t         *op;
    ngx_http_setter_main_conf_t  *smcf;

    if (order->ctx->errors.len) {
        return ngx_http_setter_fields;
    }

    for (i = 0; i < order->argc; i++) {
        if (order->argv[i] == NULL) {
            return ngx_http_setter_failed;
        }
    }

    smcf = ngx_http_get_module_main_conf(order->ctx->request,
                                         ngx_http_setter_module);

    op = &order->ctx->op;

    op->send = ngx_http_setter_order_send;
    op->done = ngx_http_setter_order_done;
    op->data = order;

    return (ngx_http_setter_op_start(smcf->redis, op) == NGX_OK)
               ? ngx_http_setter_undecided : ngx_http_setter_unavailable;
}


static ngx_int_t
ngx_http_setter_order_send(ngx_http_setter_op_t *op)
{
    ngx_http_setter_order_t  *order;

    order = op->data;

    return ngx_http_setter_op_command(op, order->argc, order->argv,
                                      order->argvlen);
}


static void
ngx_http_setter_order_done(ngx_http_setter_op_t *op,
    ngx_http_setter_op_result_e result, redisReply *reply)
{
    ngx_http_request_t         *r;
    ngx_http_setter_order_t    *order;
    ngx_http_setter_outcome_e   outcome;

    order = op->data;
    r = order->ctx->request;

    switch (result) {

    case ngx_http_setter_op_replied:
        outcome = ngx_http_setter_order_reply(op->redis, reply);
        ngx_http_setter_op_finish(op);
        break;

    case ngx_http_setter_op_unknown:
        outcome = ngx_http_setter_no_reply;
        break;

    default: /* ngx_http_setter_op_unsent */
        outcome = ngx_http_setter_unavailable;
    }

    ngx_http_setter_outside_finalize(r,
                     (outcome == ngx_http_setter_undecided)
                         ? ngx_http_setter_order_answer(r, order)
                         : ngx_http_setter_reply(r, order->ctx, outcome));
}


/* 1 or 0, or a list of one of them. */

static ngx_http_setter_outcome_e
ngx_http_setter_order_reply(ngx_http_setter_redis_t *redis,
    redisReply *reply)
{
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 1) {
        reply = reply->element[0];
    }

    if (reply->type != REDIS_REPLY_INTEGER) {
        return ngx_http_setter_outside_refused(redis, reply);
    }

    return reply->integer ? ngx_http_setter_undecided : ngx_http_setter_stale;
}


static ngx_int_t
ngx_http_setter_order_answer(ngx_http_request_t *r,
    ngx_http_setter_order_t *order)
{
    setter_buf_t  buf;

    ngx_http_setter_api_buf(r, &order->ctx->alloc, &buf);

    setter_buf_byte(&buf, '{');
    setter_json_member(&buf, "job_id", ngx_http_setter_text(&order->id));
    setter_json_member(&buf, "status",
                       ngx_http_setter_constant(order->status));

    if (order->lease) {
        setter_json_name(&buf, "lease_ms");
        setter_buf_number(&buf, order->lease);
    }

    setter_buf_byte(&buf, '}');

    return ngx_http_setter_api_send(r, NGX_HTTP_OK, "application/json", &buf);
}
