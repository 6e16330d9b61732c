/*
 * What is appended of a job: its id, its lane, the header line and the
 * envelope.
 */

#include "ngx_http_setter_append.h"
#include "ngx_http_setter_option.h"


/* what an envelope has besides the text of its members */
#define NGX_HTTP_SETTER_ENVELOPE  768


static ngx_int_t ngx_http_setter_append_id(ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_loc_conf_t *slcf);
static ngx_int_t ngx_http_setter_append_key(ngx_http_setter_ctx_t *ctx,
    setter_str_t *key);
static ngx_int_t ngx_http_setter_append_lane(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx);
static ngx_uint_t ngx_http_setter_append_apart(
    ngx_http_setter_loc_conf_t *slcf, setter_job_t *job);


static ngx_http_setter_option_t  ngx_http_setter_debounce_options[] = {

    { ngx_string("max="),
      offsetof(ngx_http_setter_loc_conf_t, debounce_max),
      ngx_http_setter_option_msec },

    { ngx_null_string, 0, NULL }
};


char *
ngx_http_setter_debounce_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_setter_loc_conf_t *slcf = conf;

    ngx_str_t   *value;
    ngx_msec_t   time;

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

    if (time == (ngx_msec_t) NGX_ERROR || time == 0) {
        return "invalid value";
    }

    slcf->debounce = time;
    slcf->debounce_max = 4 * time;

    if (ngx_http_setter_options(cf, ngx_http_setter_debounce_options, slcf)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (slcf->debounce_max < time) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_setter_append_name(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx)
{
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    if (ngx_http_setter_append_id(ctx, slcf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_setter_append_lane(r, ctx);
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
ngx_http_setter_append_lane(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx)
{
    ngx_str_t                    value;
    setter_buf_t                 buf;
    setter_job_t                *job;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    job = &ctx->job;
    value.len = 0;

    if (slcf->lane
        && slcf->format->events == NULL
        && !ngx_http_setter_append_apart(slcf, job)
        && ngx_http_complex_value(r, slcf->lane, &value) != NGX_OK)
    {
        return NGX_ERROR;
    }

    setter_buf_init(&buf, &ctx->alloc, 128);

    if (ngx_http_setter_append_apart(slcf, job)) {
        setter_lane_job(&buf, job->tenant, job->kind,
                        job->provider_id.len ? job->provider_id : job->id);

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


/* Whether the job belongs to no conversation. */

static ngx_uint_t
ngx_http_setter_append_apart(ngx_http_setter_loc_conf_t *slcf,
    setter_job_t *job)
{
    return slcf->format->apart
           || setter_str_is(job->kind, "status")
           || setter_str_is(job->kind, "event");
}


ngx_int_t
ngx_http_setter_append_write(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx)
{
    setter_job_t                *job;
    setter_job_header_t          header;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    job = &ctx->job;

    ngx_memzero(&header, sizeof(setter_job_header_t));

    header.id = job->id;
    header.tenant = job->tenant;
    header.kind = job->kind;
    header.lane = job->lane;
    header.received_ms = job->received_ms;
    header.send_at_ms = ctx->send_at;

    if (slcf->format && !ngx_http_setter_append_apart(slcf, job)) {
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
