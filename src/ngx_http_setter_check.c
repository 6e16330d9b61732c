#include "ngx_http_setter_check.h"
#include "ngx_http_setter_reply.h"
#include "ngx_http_setter_tenant.h"
#include "ngx_http_setter_verify.h"


static ngx_http_setter_outcome_e ngx_http_setter_check_tenant(
    ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_loc_conf_t *slcf);
static void ngx_http_setter_unlock_handler(ngx_http_setter_key_t *key);


ngx_http_setter_outcome_e
ngx_http_setter_check(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx)
{
    ngx_int_t                    rc;
    ngx_http_setter_outcome_e    outcome;
    ngx_http_setter_loc_conf_t  *slcf;

    if (ctx->outcome != ngx_http_setter_undecided) {
        return ctx->outcome;
    }

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    if (ctx->checked == slcf) {
        return ngx_http_setter_undecided;
    }

    if (r->method != NGX_HTTP_POST) {
        return ngx_http_setter_method;
    }

    /* a key counts in locations that ask for one */

    if (ctx->bearer) {
        ngx_http_setter_op_finish(&ctx->bearer->op);
        ctx->bearer = NULL;
    }

    if (slcf->verify) {
        rc = ngx_http_setter_verify(r, ctx, slcf->verify);

        if (rc != NGX_OK) {
            return (rc == NGX_DECLINED) ? ngx_http_setter_unauthorized
                                        : ngx_http_setter_failed;
        }
    }

    outcome = ngx_http_setter_check_tenant(r, ctx, slcf);

    if (outcome != ngx_http_setter_undecided) {
        return outcome;
    }

    if (!slcf->compat
        && !slcf->format->hook
        && !ngx_http_setter_check_json(r))
    {
        return ngx_http_setter_media_type;
    }

    if (slcf->format->events == NULL
        && r->headers_in.content_length_n > (off_t) slcf->max_job)
    {
        return ngx_http_setter_too_large;
    }

    ctx->checked = slcf;

    return ngx_http_setter_undecided;
}


/* Whose it is, or that the body may still tell. */

static ngx_http_setter_outcome_e
ngx_http_setter_check_tenant(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, ngx_http_setter_loc_conf_t *slcf)
{
    if (ngx_http_setter_tenant(r, ctx, NULL) != NGX_OK) {
        return ngx_http_setter_failed;
    }

    if (ctx->tenant.len == 0
        && !ngx_http_setter_tenant_in_body(slcf->tenants)
        && !ngx_http_setter_tenant_by_channel(slcf->tenants, slcf->format))
    {
        return ngx_http_setter_unknown_tenant;
    }

    return ngx_http_setter_undecided;
}


ngx_uint_t
ngx_http_setter_check_json(ngx_http_request_t *r)
{
    size_t      len;
    ngx_str_t  *type;

    if (r->headers_in.content_type == NULL) {
        return 1;
    }

    type = &r->headers_in.content_type->value;

    for (len = 0; len < type->len; len++) {
        if (type->data[len] == ';' || type->data[len] == ' ') {
            break;
        }
    }

    if (len < sizeof("application/json") - 1
        || ngx_strncasecmp(type->data, (u_char *) "application/", 12) != 0
        || ngx_strncasecmp(type->data + len - 4, (u_char *) "json", 4) != 0)
    {
        return 0;
    }

    return len == sizeof("application/json") - 1
           || type->data[len - 5] == '+';
}


ngx_http_setter_outcome_e
ngx_http_setter_unlock(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_go_on_pt go_on)
{
    ngx_http_setter_key_t        *key;
    ngx_http_setter_main_conf_t  *smcf;

    key = ctx->bearer;

    if (key == NULL) {
        return go_on(r, ctx);
    }

    if (key->state == ngx_http_setter_key_unsure) {
        smcf = ngx_http_get_module_main_conf(r, ngx_http_setter_module);

        ctx->go_on = go_on;
        key->handler = ngx_http_setter_unlock_handler;
        key->data = ctx;

        if (ngx_http_setter_key_ask(smcf->redis, key) == NGX_AGAIN) {
            return ngx_http_setter_undecided;
        }
    }

    switch (key->state) {

    case ngx_http_setter_key_wrong:
        return ngx_http_setter_unauthorized;

    case ngx_http_setter_key_unavailable:
        return ngx_http_setter_unavailable;

    default:
        return go_on(r, ctx);
    }
}


static void
ngx_http_setter_unlock_handler(ngx_http_setter_key_t *key)
{
    ngx_http_request_t         *r;
    ngx_http_setter_ctx_t      *ctx;
    ngx_http_setter_outcome_e   outcome;

    ctx = key->data;
    r = ctx->request;

    ngx_http_set_log_request(r->connection->log, r);

    outcome = ngx_http_setter_unlock(r, ctx, ctx->go_on);

    if (outcome != ngx_http_setter_undecided) {
        ngx_http_setter_reply_later(r, ctx, outcome);
    }
}
