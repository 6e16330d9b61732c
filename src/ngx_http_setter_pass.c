#include "ngx_http_setter_pass.h"
#include "ngx_http_setter_admit.h"
#include "ngx_http_setter_reply.h"
#include "ngx_http_setter_stat.h"


static ngx_http_setter_outcome_e ngx_http_setter_pass_unasked(
    ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx);
static void ngx_http_setter_pass_done(ngx_http_setter_op_t *op,
    ngx_http_setter_op_result_e result, redisReply *reply);
static ngx_int_t ngx_http_setter_pass_body(ngx_http_request_t *r,
    setter_str_t *body);
static ngx_int_t ngx_http_setter_pass_length(ngx_http_request_t *r,
    size_t len);
static void ngx_http_setter_pass_key(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx);
static void ngx_http_setter_pass_header(ngx_table_elt_t *h, ngx_str_t *name,
    ngx_str_t *lowcase);


ngx_http_setter_outcome_e
ngx_http_setter_pass(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx)
{
    ngx_http_setter_op_t         *op;
    ngx_http_setter_outcome_e     outcome;
    ngx_http_setter_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_setter_module);

    ctx->partition = setter_partition(ctx->job.tenant, smcf->partitions);

    outcome = ngx_http_setter_admit(r, ctx);

    if (outcome != ngx_http_setter_undecided) {
        return outcome;
    }

    if (ctx->admitted) {
        return ngx_http_setter_passed;
    }

    op = &ctx->op;

    op->send = ngx_http_setter_admit_ask;
    op->done = ngx_http_setter_pass_done;
    op->data = ctx;

    if (ngx_http_setter_op_start(smcf->redis, op) != NGX_OK) {
        return ngx_http_setter_pass_unasked(r, ctx);
    }

    return ngx_http_setter_undecided;
}


/* Nothing is stored in Redis here: what was known of the tenant has to do. */

static ngx_http_setter_outcome_e
ngx_http_setter_pass_unasked(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx)
{
    ngx_http_setter_outcome_e  outcome;

    outcome = ngx_http_setter_admit_stale(r, ctx);

    return (outcome == ngx_http_setter_undecided) ? ngx_http_setter_passed
                                                  : outcome;
}


static void
ngx_http_setter_pass_done(ngx_http_setter_op_t *op,
    ngx_http_setter_op_result_e result, redisReply *reply)
{
    ngx_http_setter_ctx_t      *ctx;
    ngx_http_setter_outcome_e   outcome;

    ctx = op->data;

    outcome = ngx_http_setter_unavailable;

    if (result == ngx_http_setter_op_replied) {
        outcome = ngx_http_setter_admit_reply(op, reply);

        if (outcome == ngx_http_setter_undecided && !ctx->admitted) {
            return;
        }
    }

    ngx_http_setter_op_finish(op);

    if (ctx->admitted) {
        outcome = ngx_http_setter_passed;

    } else if (outcome == ngx_http_setter_unavailable) {
        outcome = ngx_http_setter_pass_unasked(ctx->request, ctx);
    }

    ngx_http_setter_reply_later(ctx->request, ctx, outcome);
}


void
ngx_http_setter_pass_on(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx)
{
    ngx_http_setter_loc_conf_t   *slcf;
    ngx_http_setter_main_conf_t  *smcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);
    smcf = ngx_http_get_module_main_conf(r, ngx_http_setter_module);

    if (ctx->changed && ngx_http_setter_pass_body(r, &ctx->job.data) != NGX_OK)
    {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    ngx_http_setter_pass_key(r, ctx);

    ngx_http_setter_stat_outcome(smcf, slcf->format_n,
                                 ngx_http_setter_passed);

    ctx->passed = 1;

    /* a location that queues, for when the upstream fails, asks anew */

    ctx->admitted = 0;
    ctx->taken = 0;

    r->preserve_body = 1;

    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}


/* What the client sent is of no use any more, in memory or in a file. */

static ngx_int_t
ngx_http_setter_pass_body(ngx_http_request_t *r, setter_str_t *body)
{
    ngx_buf_t                *b;
    ngx_chain_t              *cl;
    ngx_http_request_body_t  *rb;

    b = ngx_calloc_buf(r->pool);
    cl = ngx_alloc_chain_link(r->pool);

    if (b == NULL
        || cl == NULL
        || ngx_http_setter_pass_length(r, body->len) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* what is sent once more, to another upstream, is sent from b->start */

    b->start = (u_char *) body->data;
    b->pos = b->start;
    b->last = b->pos + body->len;
    b->end = b->last;
    b->temporary = 1;

    cl->buf = b;
    cl->next = NULL;

    rb = r->request_body;

    if (rb->temp_file) {
        ngx_pool_run_cleanup_file(r->pool, rb->temp_file->file.fd);
        rb->temp_file->file.fd = NGX_INVALID_FILE;
        rb->temp_file = NULL;
    }

    rb->bufs = cl;
    rb->buf = b;

    return NGX_OK;
}


/* Of a body in chunks "Transfer-Encoding" becomes the length's header. */

static ngx_int_t
ngx_http_setter_pass_length(ngx_http_request_t *r, size_t len)
{
    u_char           *p;
    ngx_table_elt_t  *h;

    static ngx_str_t  name = ngx_string("Content-Length");
    static ngx_str_t  lowcase = ngx_string("content-length");

    p = ngx_pnalloc(r->pool, NGX_SIZE_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    h = r->headers_in.content_length;

    if (h == NULL) {
        h = r->headers_in.transfer_encoding;
    }

    if (h == NULL) {
        h = ngx_list_push(&r->headers_in.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

#if (nginx_version >= 1023000)
        h->next = NULL;
#endif
    }

    ngx_http_setter_pass_header(h, &name, &lowcase);

    h->value.data = p;
    h->value.len = ngx_sprintf(p, "%uz", len) - p;

    r->headers_in.content_length = h;
    r->headers_in.content_length_n = len;
    r->headers_in.transfer_encoding = NULL;
    r->headers_in.chunked = 0;

    return NGX_OK;
}


/* A key is for us alone: in its place goes whose it is. */

static void
ngx_http_setter_pass_key(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx)
{
    ngx_table_elt_t  *h;

    static ngx_str_t  name = ngx_string("X-Tenant-Slug");
    static ngx_str_t  lowcase = ngx_string("x-tenant-slug");

    h = r->headers_in.authorization;

    if (ctx->bearer == NULL || h == NULL) {
        return;
    }

    ngx_http_setter_pass_header(h, &name, &lowcase);

    h->value = ctx->tenant;

    r->headers_in.authorization = NULL;
}


static void
ngx_http_setter_pass_header(ngx_table_elt_t *h, ngx_str_t *name,
    ngx_str_t *lowcase)
{
    h->key = *name;
    h->lowcase_key = lowcase->data;
    h->hash = ngx_hash_key(lowcase->data, lowcase->len);
}
