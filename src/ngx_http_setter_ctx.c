/*
 * A request's context, and small helpers that every room uses.
 */

#include "ngx_http_setter_batch.h"
#include "ngx_http_setter_key.h"


static void ngx_http_setter_cleanup(void *data);


ngx_http_setter_ctx_t *
ngx_http_setter_find_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_setter_ctx_t  *ctx;

    r = r->main;

    ctx = ngx_http_get_module_ctx(r, ngx_http_setter_module);

    if (ctx != NULL) {
        return ctx;
    }

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_setter_cleanup) {
            ngx_http_set_ctx(r, cln->data, ngx_http_setter_module);
            return cln->data;
        }
    }

    return NULL;
}


ngx_http_setter_ctx_t *
ngx_http_setter_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t     *cln;
    ngx_http_setter_ctx_t  *ctx;

    ctx = ngx_http_setter_find_ctx(r);

    if (ctx != NULL) {
        return ctx;
    }

    r = r->main;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_setter_ctx_t));
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_setter_cleanup;

    ctx = cln->data;
    ngx_memzero(ctx, sizeof(ngx_http_setter_ctx_t));

    ctx->request = r;
    ctx->alloc.get = ngx_http_setter_palloc;
    ctx->alloc.owner = r->pool;

    ngx_http_set_ctx(r, ctx, ngx_http_setter_module);

    return ctx;
}


static void
ngx_http_setter_cleanup(void *data)
{
    ngx_http_setter_ctx_t *ctx = data;

    ngx_http_setter_op_finish(&ctx->op);
    ngx_http_setter_spool_forget(&ctx->wait);

    if (ctx->bearer) {
        ngx_http_setter_op_finish(&ctx->bearer->op);
    }

    if (ctx->signing) {
        ngx_http_setter_op_finish(&ctx->signing->op);
    }

    if (ctx->batch) {
        ngx_http_setter_batch_forget(ctx->batch);
    }
}


void *
ngx_http_setter_palloc(void *pool, size_t size)
{
    return ngx_palloc(pool, size);
}


ngx_str_t *
ngx_http_setter_header(ngx_http_request_t *r, ngx_str_t *name)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == name->len
                && ngx_strncmp(h[i].lowcase_key, name->data, name->len) == 0)
            {
                return &h[i].value;
            }
        }
    }

    return NULL;
}


ngx_int_t
ngx_http_setter_complex_value(ngx_conf_t *cf, ngx_str_t *value,
    ngx_http_complex_value_t *cv)
{
    ngx_http_compile_complex_value_t  ccv;

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = cv;

    return ngx_http_compile_complex_value(&ccv);
}


ngx_int_t
ngx_http_setter_utf8(ngx_pool_t *pool, ngx_str_t *text)
{
    u_char    *p, *q, *last, *start;
    uint32_t   u;

    last = text->data + text->len;

    for (p = text->data; p < last && *p < 0x80 && *p; p++) { /* void */ }

    if (p == last) {
        return NGX_OK;
    }

    start = ngx_pnalloc(pool, text->len * 3);
    if (start == NULL) {
        return NGX_ERROR;
    }

    q = ngx_cpymem(start, text->data, p - text->data);

    while (p < last) {
        text->data = p;

        u = (*p < 0x80) ? *p++ : ngx_utf8_decode(&p, last - p);

        if (u && u <= 0x10ffff && (u < 0xd800 || u > 0xdfff)) {
            q = ngx_cpymem(q, text->data, p - text->data);
            continue;
        }

        p = text->data + 1;
        q = ngx_cpymem(q, "\xef\xbf\xbd", 3);
    }

    text->data = start;
    text->len = q - start;

    return NGX_OK;
}
