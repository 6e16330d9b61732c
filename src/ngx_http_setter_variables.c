#include "ngx_http_setter_variables.h"
#include "ngx_http_setter_enrich.h"
#include "ngx_http_setter_reply.h"
#include "ngx_http_setter_tenant.h"


static ngx_int_t ngx_http_setter_tenant_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_setter_id_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_setter_status_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_setter_lane_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_setter_body_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_setter_enqueue_time_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_setter_trace_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_http_setter_ctx_t *ngx_http_setter_stored_ctx(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_setter_variable(ngx_http_variable_value_t *v,
    const void *text, size_t len);


/* None is cacheable: a request has them one after the other. */

static ngx_http_variable_t  ngx_http_setter_vars[] = {

    { ngx_string("setter_tenant"), NULL,
      ngx_http_setter_tenant_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("setter_id"), NULL,
      ngx_http_setter_id_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("setter_status"), NULL,
      ngx_http_setter_status_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("setter_reason"), NULL,
      ngx_http_setter_status_variable, 1, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("setter_lane"), NULL,
      ngx_http_setter_lane_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("setter_body"), NULL,
      ngx_http_setter_body_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("setter_enqueue_time"), NULL,
      ngx_http_setter_enqueue_time_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("setter_trace"), NULL,
      ngx_http_setter_trace_variable, 0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


/* In any location: until the body is read, what the header says. */

static ngx_int_t
ngx_http_setter_tenant_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_setter_ctx_t       *ctx;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    ctx = slcf->tenants ? ngx_http_setter_get_ctx(r)
                        : ngx_http_setter_find_ctx(r);
    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    if (!ctx->settled
        && ctx->tenants != slcf->tenants
        && ngx_http_setter_tenant(r, ctx, NULL) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_setter_variable(v, ctx->tenant.data, ctx->tenant.len);
}


static ngx_int_t
ngx_http_setter_id_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_setter_ctx_t  *ctx;

    ctx = ngx_http_setter_stored_ctx(r);

    return ngx_http_setter_variable(v, ctx ? ctx->id : NULL,
                                    ctx ? SETTER_UUID_LEN : 0);
}


/* data: the reason instead */

static ngx_int_t
ngx_http_setter_status_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t              *status;
    ngx_http_setter_ctx_t  *ctx;

    ctx = ngx_http_setter_find_ctx(r);

    if (ctx == NULL || ctx->outcome == ngx_http_setter_undecided) {
        v->not_found = 1;
        return NGX_OK;
    }

    status = data ? ngx_http_setter_reason(ctx->outcome)
                  : ngx_http_setter_status(ctx->outcome);

    return ngx_http_setter_variable(v, status->data, status->len);
}


static ngx_int_t
ngx_http_setter_lane_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_setter_ctx_t  *ctx;

    ctx = ngx_http_setter_stored_ctx(r);

    return ngx_http_setter_variable(v, ctx ? ctx->job.lane.data : NULL,
                                    ctx ? ctx->job.lane.len : 0);
}


static ngx_int_t
ngx_http_setter_body_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_setter_ctx_t  *ctx;

    ctx = ngx_http_setter_stored_ctx(r);

    return ngx_http_setter_variable(v, ctx ? ctx->envelope.data : NULL,
                                    ctx ? ctx->envelope.len : 0);
}


/* in seconds with a resolution of milliseconds */

static ngx_int_t
ngx_http_setter_enqueue_time_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                 *p;
    ngx_http_setter_ctx_t  *ctx;

    ctx = ngx_http_setter_stored_ctx(r);

    if (ctx == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN + 4);
    if (p == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_setter_variable(v, p,
                     ngx_sprintf(p, "%uL.%03uL", ctx->enqueued / 1000000,
                                 ctx->enqueued / 1000 % 1000)
                     - p);
}


static ngx_int_t
ngx_http_setter_trace_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_setter_ctx_t  *ctx;

    ctx = ngx_http_setter_get_ctx(r);

    if (ctx == NULL || ngx_http_setter_trace(r, ctx) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_setter_variable(v, ctx->trace, NGX_HTTP_SETTER_TRACE_LEN);
}


/* Of a job that is stored, or may be; else NULL. */

static ngx_http_setter_ctx_t *
ngx_http_setter_stored_ctx(ngx_http_request_t *r)
{
    ngx_http_setter_ctx_t  *ctx;

    ctx = ngx_http_setter_find_ctx(r);

    if (ctx == NULL
        || (ctx->outcome != ngx_http_setter_accepted
            && ctx->outcome != ngx_http_setter_timeout))
    {
        return NULL;
    }

    return ctx;
}


static ngx_int_t
ngx_http_setter_variable(ngx_http_variable_value_t *v, const void *text,
    size_t len)
{
    if (len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->len = len;
    v->data = (u_char *) text;

    return NGX_OK;
}


ngx_int_t
ngx_http_setter_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_setter_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}
