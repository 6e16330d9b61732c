#include "ngx_http_setter_call.h"
#include "ngx_http_setter_api.h"
#include "ngx_http_setter_append.h"
#include "ngx_http_setter_enrich.h"
#include "ngx_http_setter_outside.h"
#include "ngx_http_setter_reply.h"
#include "ngx_http_setter_signing.h"

#include <openssl/crypto.h>


#define NGX_HTTP_SETTER_REPLY_STREAM  "reply:"


/* What a worker's answer has. */

enum {
    ngx_http_setter_answer_id = 0,
    ngx_http_setter_answer_status,
    ngx_http_setter_answer_type,
    ngx_http_setter_answer_body,
    ngx_http_setter_answer_sealed,      /* the body, in its place */
    ngx_http_setter_answer_etag,
    ngx_http_setter_answer_location,
    ngx_http_setter_answer_allow,
    ngx_http_setter_answer_n
};


/* State of this process. */

struct ngx_http_setter_calls_s {
    ngx_rbtree_t                 tree;      /* calls by the ids of their jobs */
    ngx_rbtree_node_t            sentinel;
    ngx_uint_t                   stream;    /* index of ours, in the bell's */
};


/* A request that waits. */

struct ngx_http_setter_call_s {
    ngx_str_node_t               node;
    ngx_http_request_t          *request;
    ngx_http_setter_ctx_t       *ctx;
    ngx_event_t                  timer;
    unsigned                     waiting:1;
};


static ngx_int_t ngx_http_setter_call_waiting(
    ngx_http_setter_calls_t *calls, ngx_str_t *tenant);
static ngx_http_setter_call_t *ngx_http_setter_call_create(
    ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx);
static ngx_int_t ngx_http_setter_call_job(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, const char *name, setter_str_t args,
    ngx_msec_t timeout);
static void ngx_http_setter_call_wait(ngx_http_setter_call_t *call,
    ngx_msec_t timeout);
static void ngx_http_setter_call_leave(void *data);
static void ngx_http_setter_call_timer(ngx_event_t *ev);
static void ngx_http_setter_call_ring(ngx_http_setter_main_conf_t *smcf,
    ngx_uint_t partition, redisReply *fields);
static void ngx_http_setter_call_answer(ngx_http_setter_call_t *call,
    ngx_str_t *values);
static ngx_int_t ngx_http_setter_call_body(ngx_http_setter_call_t *call,
    ngx_str_t *values, setter_buf_t *buf);
static ngx_int_t ngx_http_setter_call_headers(ngx_http_request_t *r,
    ngx_uint_t code, ngx_str_t *values);


ngx_int_t
ngx_http_setter_call_conf(ngx_conf_t *cf, ngx_http_setter_main_conf_t *smcf)
{
    ngx_http_setter_calls_t  *calls;

    calls = ngx_pcalloc(cf->pool, sizeof(ngx_http_setter_calls_t));
    if (calls == NULL) {
        return NGX_ERROR;
    }

    ngx_rbtree_init(&calls->tree, &calls->sentinel,
                    ngx_str_rbtree_insert_value);

    calls->stream = smcf->bell->streams.nelts;
    smcf->calls = calls;

    return (ngx_http_setter_bell_add(cf, smcf->bell, 0,
                                     NGX_HTTP_SETTER_REPLY_STREAM,
                                     ngx_http_setter_call_ring)
            == NULL)
               ? NGX_ERROR : NGX_OK;
}


/* The stream is this process's own: nobody else's name for it is the same. */

ngx_int_t
ngx_http_setter_call_init(ngx_http_setter_main_conf_t *smcf)
{
    char                       name[sizeof(NGX_HTTP_SETTER_REPLY_STREAM)
                                    + SETTER_UUID_LEN];
    char                       id[SETTER_UUID_LEN];
    ngx_time_t                *tp;
    ngx_http_setter_stream_t  *stream;

    tp = ngx_timeofday();

    if (setter_uuid_v7(id, (int64_t) tp->sec * 1000 + tp->msec) != SETTER_OK)
    {
        return NGX_ERROR;
    }

    (void) ngx_sprintf((u_char *) name, NGX_HTTP_SETTER_REPLY_STREAM "%*s%Z",
                       (size_t) SETTER_UUID_LEN, id);

    stream = smcf->bell->streams.elts;
    stream += smcf->calls->stream;

    stream->key.len = setter_partition_key((char *) stream->key.data, 0,
                                           smcf->partitions, name);

    return NGX_OK;
}


ngx_http_setter_outcome_e
ngx_http_setter_call(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    const char *name, setter_str_t args, ngx_msec_t timeout, ngx_int_t max)
{
    ngx_http_setter_call_t       *call;
    ngx_http_setter_outcome_e     outcome;
    ngx_http_setter_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_setter_module);

    if (!ctx->admin
        && ngx_http_setter_call_waiting(smcf->calls, &ctx->tenant) >= max)
    {
        ctx->detail = "as many calls as may wait do so";
        return ngx_http_setter_quota;
    }

    call = ngx_http_setter_call_create(r, ctx);

    if (call == NULL
        || ngx_http_setter_call_job(r, ctx, name, args, timeout) != NGX_OK)
    {
        return ngx_http_setter_failed;
    }

    /* the answer may come before Redis's, on the other connection */

    ngx_http_setter_call_wait(call, timeout);

    /* an administrator asks about those who are suspended, too */

    ctx->admitted = ctx->admin;
    ctx->call = call;
    outcome = ngx_http_setter_append_job(r, ctx);

    if (outcome == ngx_http_setter_undecided) {
        ngx_http_setter_outside_watch(r);
    }

    return outcome;
}


/* Few wait at a time: it takes a worker some ms to answer. */

static ngx_int_t
ngx_http_setter_call_waiting(ngx_http_setter_calls_t *calls,
    ngx_str_t *tenant)
{
    ngx_int_t               n;
    ngx_rbtree_node_t      *node;
    ngx_http_setter_ctx_t  *ctx;

    if (calls->tree.root == &calls->sentinel) {
        return 0;
    }

    n = 0;

    for (node = ngx_rbtree_min(calls->tree.root, &calls->sentinel);
         node;
         node = ngx_rbtree_next(&calls->tree, node))
    {
        ctx = ((ngx_http_setter_call_t *) node)->ctx;

        n += !ctx->admin
             && ctx->tenant.len == tenant->len
             && ngx_memcmp(ctx->tenant.data, tenant->data, tenant->len) == 0;
    }

    return n;
}


static ngx_http_setter_call_t *
ngx_http_setter_call_create(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx)
{
    ngx_http_cleanup_t      *cln;
    ngx_http_setter_call_t  *call;

    cln = ngx_http_cleanup_add(r, sizeof(ngx_http_setter_call_t));
    if (cln == NULL) {
        return NULL;
    }

    call = cln->data;
    ngx_memzero(call, sizeof(ngx_http_setter_call_t));

    cln->handler = ngx_http_setter_call_leave;

    call->request = r;
    call->ctx = ctx;

    return call;
}


static ngx_int_t
ngx_http_setter_call_job(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    const char *name, setter_str_t args, ngx_msec_t timeout)
{
    ngx_time_t                   *tp;
    setter_buf_t                  data, lane;
    setter_job_t                 *job;
    ngx_http_setter_stream_t     *stream;
    ngx_http_setter_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_setter_module);

    stream = smcf->bell->streams.elts;
    stream += smcf->calls->stream;

    job = &ctx->job;
    tp = ngx_timeofday();

    job->received_ms = (int64_t) tp->sec * 1000 + tp->msec;
    job->kind = ngx_http_setter_constant("call");
    job->tenant = ngx_http_setter_constant(SETTER_CALLS);

    setter_buf_init(&data, &ctx->alloc, 256 + args.len);

    setter_json_member(&data, "tenant", ngx_http_setter_text(&ctx->tenant));
    setter_json_member(&data, "call", ngx_http_setter_constant(name));
    setter_json_member(&data, "reply", ngx_http_setter_text(&stream->key));
    setter_json_name(&data, "deadline");
    setter_buf_number(&data, job->received_ms + timeout);
    setter_json_name(&data, "args");
    setter_buf_append(&data, args.data, args.len);

    job->data.data = data.data;
    job->data.len = data.len;

    if (data.failed
        || setter_uuid_v7(ctx->id, job->received_ms) != SETTER_OK
        || ngx_http_setter_trace(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    job->id.data = ctx->id;
    job->id.len = SETTER_UUID_LEN;
    job->trace.data = ctx->trace;
    job->trace.len = NGX_HTTP_SETTER_TRACE_LEN;

    /* a lane of its own: it waits for nothing else */

    setter_buf_init(&lane, &ctx->alloc, 128);
    setter_lane_job(&lane, job->tenant, job->kind, job->id);

    job->lane.data = lane.data;
    job->lane.len = lane.len;

    return lane.failed ? NGX_ERROR : NGX_OK;
}


static void
ngx_http_setter_call_wait(ngx_http_setter_call_t *call, ngx_msec_t timeout)
{
    ngx_http_setter_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(call->request,
                                         ngx_http_setter_module);

    call->node.str.data = (u_char *) call->ctx->id;
    call->node.str.len = SETTER_UUID_LEN;
    call->node.node.key = ngx_crc32_long(call->node.str.data,
                                         call->node.str.len);

    ngx_rbtree_insert(&smcf->calls->tree, &call->node.node);

    call->waiting = 1;

    call->timer.handler = ngx_http_setter_call_timer;
    call->timer.data = call;
    call->timer.log = call->request->connection->log;

    ngx_add_timer(&call->timer, timeout);

    ngx_http_setter_bell_wait(smcf->bell);
}


static void
ngx_http_setter_call_leave(void *data)
{
    ngx_http_setter_call_t *call = data;

    ngx_http_setter_main_conf_t  *smcf;

    if (!call->waiting) {
        return;
    }

    call->waiting = 0;
    call->ctx->call = NULL;

    smcf = ngx_http_get_module_main_conf(call->request,
                                         ngx_http_setter_module);

    ngx_rbtree_delete(&smcf->calls->tree, &call->node.node);

    if (call->timer.timer_set) {
        ngx_del_timer(&call->timer);
    }

    ngx_http_setter_bell_leave(smcf->bell);
}


static void
ngx_http_setter_call_timer(ngx_event_t *ev)
{
    ngx_http_setter_call_t *call = ev->data;

    ngx_http_setter_op_finish(&call->ctx->op);

    ngx_http_setter_reply_later(call->request, call->ctx,
                                ngx_http_setter_no_answer);
}


/* Its fields come in any order, beside what else there may be. */

static void
ngx_http_setter_call_ring(ngx_http_setter_main_conf_t *smcf,
    ngx_uint_t partition, redisReply *fields)
{
    size_t                   i, n;
    ngx_str_t                values[ngx_http_setter_answer_n], *id;
    ngx_http_setter_call_t  *call;

    static const char  *names[] = {
        "id", "status", "type", "body", "sealed", "etag", "location", "allow"
    };

    ngx_memzero(values, sizeof(values));

    for (i = 0; i + 1 < fields->elements; i += 2) {

        for (n = 0; n < ngx_http_setter_answer_n; n++) {
            if (ngx_strcmp(fields->element[i]->str, names[n]) == 0) {
                values[n].data = (u_char *) fields->element[i + 1]->str;
                values[n].len = fields->element[i + 1]->len;
            }
        }
    }

    id = &values[ngx_http_setter_answer_id];

    if (id->len == 0) {
        return;
    }

    call = (ngx_http_setter_call_t *)
               ngx_str_rbtree_lookup(&smcf->calls->tree, id,
                                     ngx_crc32_long(id->data, id->len));

    /* nobody waits any more for an answer that is late */

    if (call != NULL) {
        ngx_http_setter_call_answer(call, values);
    }
}


static void
ngx_http_setter_call_answer(ngx_http_setter_call_t *call, ngx_str_t *values)
{
    ngx_int_t            rc, code;
    ngx_str_t           *type, *status;
    const char          *ct;
    setter_buf_t         buf;
    ngx_http_request_t  *r;

    r = call->request;

    ngx_http_setter_op_finish(&call->ctx->op);

    status = &values[ngx_http_setter_answer_status];
    code = ngx_atoi(status->data, status->len);

    if (code < NGX_HTTP_OK || code > 599) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "setter: a worker answered with status \"%V\"", status);
        ngx_http_setter_reply_later(r, call->ctx, ngx_http_setter_failed);
        return;
    }

    ngx_http_setter_call_leave(call);

    ngx_http_setter_api_buf(r, &call->ctx->alloc, &buf);

    if (ngx_http_setter_call_body(call, values, &buf) != NGX_OK
        || ngx_http_setter_call_headers(r, code, values) != NGX_OK)
    {
        ngx_http_setter_reply_later(r, call->ctx, ngx_http_setter_failed);
        return;
    }

    type = &values[ngx_http_setter_answer_type];

    ct = (type->len == sizeof(NGX_HTTP_SETTER_PROBLEM) - 1
          && ngx_strncmp(type->data, NGX_HTTP_SETTER_PROBLEM, type->len) == 0)
             ? NGX_HTTP_SETTER_PROBLEM : "application/json";

    rc = ngx_http_setter_api_send(r, code, ct, &buf);

    ngx_http_setter_outside_finalize(r, rc);
}


static ngx_int_t
ngx_http_setter_call_body(ngx_http_setter_call_t *call, ngx_str_t *values,
    setter_buf_t *buf)
{
    ngx_str_t                    *sealed, *body;
    setter_str_t                  text;
    setter_buf_t                  context;
    ngx_http_setter_ctx_t        *ctx;
    ngx_http_setter_main_conf_t  *smcf;

    ctx = call->ctx;
    body = &values[ngx_http_setter_answer_body];
    sealed = &values[ngx_http_setter_answer_sealed];

    if (sealed->len == 0) {
        setter_buf_append(buf, (char *) body->data, body->len);
        return NGX_OK;
    }

    smcf = ngx_http_get_module_main_conf(call->request,
                                         ngx_http_setter_module);

    setter_buf_init(&context, &ctx->alloc, 64);
    setter_buf_text(&context, "answer/");
    setter_buf_append(&context, ctx->id, SETTER_UUID_LEN);

    if (context.failed
        || smcf->signing == NULL
        || setter_unseal(&text, smcf->signing->keys, smcf->signing->n,
                         (setter_str_t) { context.len, context.data },
                         ngx_http_setter_text(sealed), &ctx->alloc)
           != SETTER_OK)
    {
        ngx_log_error(NGX_LOG_ERR, call->request->connection->log, 0,
                      "setter: a worker's answer is sealed under another key "
                      "than that of \"setter_signing_key\"");
        return NGX_ERROR;
    }

    setter_buf_append(buf, text.data, text.len);

    OPENSSL_cleanse((void *) text.data, text.len);

    return NGX_OK;
}


/* Of what nobody could have sent by a line of its own. */

static ngx_int_t
ngx_http_setter_call_headers(ngx_http_request_t *r, ngx_uint_t code,
    ngx_str_t *values)
{
    u_char      *p;
    ngx_str_t    value, *from;
    ngx_uint_t   i;

    static const struct {
        ngx_uint_t   n;
        char        *name;
    } headers[] = {
        { ngx_http_setter_answer_etag, "ETag" },
        { ngx_http_setter_answer_location, "Location" },
        { ngx_http_setter_answer_allow, "Allow" }
    };

    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        from = &values[headers[i].n];

        if (from->len == 0) {
            continue;
        }

        /* Redis's memory is gone when nginx sends what waits */

        value.len = from->len;
        value.data = ngx_pstrdup(r->pool, from);

        if (value.data == NULL) {
            return NGX_ERROR;
        }

        for (p = value.data; p < value.data + value.len; p++) {
            if (*p < ' ' || *p > '~') {
                return NGX_ERROR;
            }
        }

        if (ngx_http_setter_add_header(r, headers[i].name, &value) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return ngx_http_setter_reply_status(r, code);
}
