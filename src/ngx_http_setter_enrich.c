#include "ngx_http_setter_enrich.h"
#include "ngx_http_setter_plan.h"
#include "ngx_http_setter_reply.h"
#include "ngx_http_setter_tenant.h"


#define NGX_HTTP_SETTER_DATA  256   /* bytes that "data" has at first */


static ngx_http_setter_outcome_e ngx_http_setter_enrich_tenant(
    ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    setter_json_value_t *values);
static ngx_http_setter_outcome_e ngx_http_setter_enrich_fields(
    ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    setter_json_value_t *values, setter_buf_t *data);
static ngx_http_setter_outcome_e ngx_http_setter_enrich_end(
    ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx, setter_buf_t *data);
static ngx_uint_t ngx_http_setter_enrich_excuses(
    ngx_http_setter_loc_conf_t *slcf, ngx_http_setter_field_t *f,
    setter_json_value_t *values);
static void ngx_http_setter_enrich_report(void *owner, const char *field,
    setter_field_error_e error);
static ngx_int_t ngx_http_setter_enrich_data(ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_plan_t *plan, setter_json_value_t *values,
    setter_buf_t *data);
static void ngx_http_setter_enrich_start(ngx_http_setter_ctx_t *ctx,
    const setter_format_t *format);
static ngx_int_t ngx_http_setter_enrich_field(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, ngx_http_setter_field_t *f,
    setter_json_value_t *value);
static ngx_int_t ngx_http_setter_enrich_value(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, ngx_http_setter_field_t *f,
    ngx_http_complex_value_t *cv, setter_json_value_t *value);
static ngx_int_t ngx_http_setter_enrich_put(ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_field_t *f, setter_json_value_t *value,
    setter_buf_t *data);
static void ngx_http_setter_enrich_pass(ngx_http_setter_field_t *f,
    setter_json_value_t *values, setter_json_value_t *value,
    setter_buf_t *data);
static void ngx_http_setter_enrich_key(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx);


ngx_http_setter_outcome_e
ngx_http_setter_enrich(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    setter_str_t *body)
{
    setter_buf_t                 data;
    setter_json_error_e          error;
    setter_json_value_t          values[SETTER_JSON_MAX_PATHS];
    ngx_http_setter_plan_t      *plan;
    ngx_http_setter_outcome_e    outcome;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);
    plan = slcf->plan;

    setter_buf_init(&data, &ctx->alloc, NGX_HTTP_SETTER_DATA);

    if (plan->whole) {
        setter_buf_byte(&data, '{');
    }

    error = setter_json_read(body->data, body->len,
                             slcf->format->hook ? SETTER_JSON_REPAIR : 0,
                             plan->paths.elts, plan->paths.nelts, values,
                             &data, &ctx->alloc);

    if (error != SETTER_JSON_OK) {
        return ngx_http_setter_bad_json(ctx, error);
    }

    outcome = ngx_http_setter_enrich_tenant(r, ctx, values);

    if (outcome != ngx_http_setter_undecided) {
        return outcome;
    }

    return ngx_http_setter_enrich_fields(r, ctx, values, &data);
}


static ngx_http_setter_outcome_e
ngx_http_setter_enrich_tenant(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, setter_json_value_t *values)
{
    ngx_int_t                    rc;
    setter_json_value_t         *claim;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    rc = NGX_OK;

    /* a subrequest in another location may have found its own meanwhile */

    if (ctx->tenants != slcf->tenants
        || ngx_http_setter_tenant_in_body(slcf->tenants))
    {
        rc = ngx_http_setter_tenant(r, ctx, values);

        if (rc == NGX_ERROR) {
            return ngx_http_setter_failed;
        }
    }

    ctx->settled = 1;

    if (ctx->tenant.len == 0) {
        return ngx_http_setter_unknown_tenant;
    }

    if (rc == NGX_DECLINED) {
        return ngx_http_setter_forbidden;
    }

    if (slcf->plan->claim == -1) {
        return ngx_http_setter_undecided;
    }

    /* who names a tenant in the body has to mean this one */

    claim = &values[slcf->plan->claim];

    if (claim->type == SETTER_JSON_ABSENT
        || claim->type == SETTER_JSON_NULL
        || (claim->type == SETTER_JSON_STRING && claim->text.len == 0))
    {
        return ngx_http_setter_undecided;
    }

    if (claim->type != SETTER_JSON_STRING
        || claim->text.len != ctx->tenant.len
        || ngx_strncmp(claim->text.data, ctx->tenant.data, ctx->tenant.len)
           != 0)
    {
        return ngx_http_setter_forbidden;
    }

    return ngx_http_setter_undecided;
}


static ngx_http_setter_outcome_e
ngx_http_setter_enrich_fields(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, setter_json_value_t *values,
    setter_buf_t *data)
{
    ngx_uint_t                   i;
    setter_json_value_t          value;
    ngx_http_setter_plan_t      *plan;
    ngx_http_setter_field_t     *f, excused;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);
    plan = slcf->plan;

    ngx_http_setter_enrich_start(ctx, slcf->format);

    f = plan->fields.elts;

    for (i = 0; i < plan->fields.nelts; i++) {

        ngx_memzero(&value, sizeof(setter_json_value_t));

        if (f[i].path != -1) {
            value = values[f[i].path];
        }

        excused = f[i];

        if (ngx_http_setter_enrich_excuses(slcf, &f[i], values)) {
            excused.field.required = 0;
        }

        if (ngx_http_setter_enrich_field(r, ctx, &excused, &value) != NGX_OK)
        {
            return ngx_http_setter_failed;
        }

        if (plan->whole) {
            ngx_http_setter_enrich_pass(&f[i], values, &value, data);

        } else if (ngx_http_setter_enrich_put(ctx, &f[i], &value, data)
                   != NGX_OK)
        {
            return ngx_http_setter_failed;
        }

        if ((ngx_int_t) i == plan->key) {
            ctx->key = value.text;
        }
    }

    return ngx_http_setter_enrich_end(r, ctx, data);
}


static ngx_http_setter_outcome_e
ngx_http_setter_enrich_end(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    setter_buf_t *data)
{
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    if (slcf->plan->whole) {
        setter_buf_byte(data, '}');

    } else if (ctx->job.provider.len == 0) {
        ngx_http_setter_error(ctx, "provider", SETTER_FIELD_REQUIRED);
    }

    if (slcf->format->check && !data->failed) {
        ctx->job.data.data = data->data;
        ctx->job.data.len = data->len;

        if (slcf->format->check(&ctx->job, ngx_http_setter_enrich_report, ctx,
                                &ctx->alloc)
            != SETTER_OK)
        {
            return ngx_http_setter_failed;
        }
    }

    if (ctx->errors.len) {
        return ctx->unsupported ? ngx_http_setter_unsupported
                                : ngx_http_setter_fields;
    }

    if (ngx_http_setter_trace(r, ctx) != NGX_OK || data->failed) {
        return ngx_http_setter_failed;
    }

    ngx_http_setter_enrich_key(r, ctx);

    ctx->job.trace.data = ctx->trace;
    ctx->job.trace.len = NGX_HTTP_SETTER_TRACE_LEN;
    ctx->job.data.data = data->data;
    ctx->job.data.len = data->len;

    return ngx_http_setter_undecided;
}


/* Whether a field may be absent, for the format has another in its place. */

static ngx_uint_t
ngx_http_setter_enrich_excuses(ngx_http_setter_loc_conf_t *slcf,
    ngx_http_setter_field_t *f, setter_json_value_t *values)
{
    ngx_uint_t                i;
    const setter_format_t    *format;
    ngx_http_setter_field_t  *other;

    format = slcf->format;

    if (format->excused == NULL || ngx_strcmp(f->name, format->excused) != 0) {
        return 0;
    }

    other = slcf->plan->fields.elts;

    for (i = 0; i < slcf->plan->fields.nelts; i++) {
        if (ngx_strcmp(other[i].name, format->excuse) == 0
            && other[i].path != -1)
        {
            return values[other[i].path].type > SETTER_JSON_NULL;
        }
    }

    return 0;
}


static void
ngx_http_setter_enrich_report(void *owner, const char *field,
    setter_field_error_e error)
{
    ngx_http_setter_error(owner, field, error);
}


/*
 * The directives' fields alone are in the plan of such a format: those that
 * are no members of the job are looked for in its data.
 */

ngx_http_setter_outcome_e
ngx_http_setter_enrich_event(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx)
{
    ngx_uint_t                   i;
    setter_buf_t                 data;
    setter_json_value_t          value, values[SETTER_JSON_MAX_PATHS];
    ngx_http_setter_plan_t      *plan;
    ngx_http_setter_field_t     *f;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);
    plan = slcf->plan;

    if (slcf->no_dedupe) {
        ctx->key.len = 0;
    }

    if (plan->fields.nelts == 0) {
        return ngx_http_setter_undecided;
    }

    if (ngx_http_setter_enrich_data(ctx, plan, values, &data) != NGX_OK) {
        return ngx_http_setter_failed;
    }

    f = plan->fields.elts;

    for (i = 0; i < plan->fields.nelts; i++) {

        ngx_memzero(&value, sizeof(setter_json_value_t));

        if (f[i].field.member != SETTER_FIELD_DATA) {
            value.text = *(setter_str_t *) ((char *) &ctx->job
                                            + f[i].field.member);
            value.type = value.text.len ? SETTER_JSON_STRING
                                        : SETTER_JSON_ABSENT;

        } else if (f[i].path != -1) {
            value = values[f[i].path];
        }

        if (ngx_http_setter_enrich_field(r, ctx, &f[i], &value) != NGX_OK
            || ngx_http_setter_enrich_put(ctx, &f[i], &value, &data)
               != NGX_OK)
        {
            return ngx_http_setter_failed;
        }
    }

    ctx->job.data.data = data.data;
    ctx->job.data.len = data.len;

    return data.failed ? ngx_http_setter_failed : ngx_http_setter_undecided;
}


/* Takes the plan's fields out of the job's data. */

static ngx_int_t
ngx_http_setter_enrich_data(ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_plan_t *plan, setter_json_value_t *values,
    setter_buf_t *data)
{
    setter_buf_t  body;

    setter_buf_init(data, &ctx->alloc, NGX_HTTP_SETTER_DATA);
    setter_buf_init(&body, &ctx->alloc, ctx->job.data.len + 2);
    setter_buf_byte(&body, '{');
    setter_buf_append(&body, ctx->job.data.data, ctx->job.data.len);
    setter_buf_byte(&body, '}');

    return (!body.failed
            && setter_json_read(body.data, body.len, SETTER_JSON_REPAIR,
                                plan->paths.elts, plan->paths.nelts, values,
                                data, &ctx->alloc)
               == SETTER_JSON_OK)
           ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_setter_enrich_start(ngx_http_setter_ctx_t *ctx,
    const setter_format_t *format)
{
    ngx_time_t    *tp;
    setter_job_t  *job;

    job = &ctx->job;
    tp = ngx_timeofday();

    /* it may have been read before, for a handler that failed */

    ngx_memzero(job, sizeof(setter_job_t));
    ctx->key.len = 0;

    job->received_ms = (int64_t) tp->sec * 1000 + tp->msec;
    job->kind = ngx_http_setter_constant(format->kind);
    job->type = ngx_http_setter_constant("text");
    job->provider = ngx_http_setter_constant(format->provider);
    job->tenant = ngx_http_setter_text(&ctx->tenant);
}


/* What the field is in the end; ABSENT when it is refused or not there. */

static ngx_int_t
ngx_http_setter_enrich_field(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, ngx_http_setter_field_t *f,
    setter_json_value_t *value)
{
    setter_field_error_e  error;

    if (f->set) {
        return ngx_http_setter_enrich_value(r, ctx, f, f->set, value);
    }

    error = setter_field_check(&f->field, value);

    if (error == SETTER_FIELD_OK && !setter_field_absent(&f->field, value)) {
        return NGX_OK;
    }

    value->type = SETTER_JSON_ABSENT;
    value->text.len = 0;
    value->text.data = NULL;

    if (f->initial
        && (error == SETTER_FIELD_OK
            || error == SETTER_FIELD_REQUIRED
            || error == SETTER_FIELD_EMPTY))
    {
        return ngx_http_setter_enrich_value(r, ctx, f, f->initial, value);
    }

    if (error != SETTER_FIELD_OK) {
        ngx_http_setter_error(ctx, f->name, error);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_setter_enrich_value(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, ngx_http_setter_field_t *f,
    ngx_http_complex_value_t *cv, setter_json_value_t *value)
{
    ngx_str_t  text;

    if (ngx_http_complex_value(r, cv, &text) != NGX_OK
        || ngx_http_setter_utf8(r->pool, &text) != NGX_OK)
    {
        return NGX_ERROR;
    }

    value->type = text.len ? SETTER_JSON_STRING : SETTER_JSON_ABSENT;
    value->text = ngx_http_setter_text(&text);

    ctx->changed = 1;

    if (text.len == 0 && f->field.required) {
        ngx_http_setter_error(ctx, f->name, SETTER_FIELD_REQUIRED);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_setter_enrich_put(ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_field_t *f, setter_json_value_t *value,
    setter_buf_t *data)
{
    setter_buf_t   json;
    setter_str_t  *member;

    if (value->type == SETTER_JSON_ABSENT
        || f->field.member == SETTER_FIELD_NONE)
    {
        return NGX_OK;
    }

    if (f->field.type == SETTER_FIELD_TIME) {
        ctx->send_at = setter_field_time(value);
    }

    if (f->field.member == SETTER_FIELD_DATA) {

        if (!f->kept) {
            setter_json_name(data, f->name);
            setter_json_value(data, value);
        }

        return NGX_OK;
    }

    member = (setter_str_t *) ((char *) &ctx->job + f->field.member);

    if (f->field.type != SETTER_FIELD_JSON) {
        *member = value->text;
        return NGX_OK;
    }

    setter_buf_init(&json, &ctx->alloc, value->text.len + 8);
    setter_json_value(&json, value);

    member->data = json.data;
    member->len = json.len;

    return json.failed ? NGX_ERROR : NGX_OK;
}


/*
 * The same for a body that is passed on: it keeps its own names, and what a
 * default has no value for.
 */

static void
ngx_http_setter_enrich_pass(ngx_http_setter_field_t *f,
    setter_json_value_t *values, setter_json_value_t *value,
    setter_buf_t *data)
{
    if (f->kept) {
        return;
    }

    if (value->type == SETTER_JSON_ABSENT && !f->set && f->path != -1) {
        value = &values[f->path];
    }

    if (value->type != SETTER_JSON_ABSENT) {
        setter_json_name(data, f->name);
        setter_json_value(data, value);
    }
}


/* The caller may name its repeats in a header instead. */

static void
ngx_http_setter_enrich_key(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx)
{
    ngx_str_t                   *value;
    ngx_http_setter_loc_conf_t  *slcf;

    static ngx_str_t  name = ngx_string("idempotency-key");

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    if (ctx->key.len || slcf->no_dedupe) {
        return;
    }

    value = ngx_http_setter_header(r, &name);

    if (value) {
        ctx->key = ngx_http_setter_text(value);
    }
}
