/*
 * "setter_api job": what has become of a job, as PostgreSQL has it on record,
 * or the queue.
 */

#include "ngx_http_setter_call.h"
#include "ngx_http_setter_outside.h"


static ngx_http_setter_outcome_e ngx_http_setter_job_ask(
    ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx);


ngx_int_t
ngx_http_setter_job(ngx_http_request_t *r)
{
    return ngx_http_setter_outside(r, ngx_http_setter_job_ask);
}


static ngx_http_setter_outcome_e
ngx_http_setter_job_ask(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx)
{
    ngx_int_t                    rc;
    ngx_str_t                    id;
    setter_buf_t                 buf;
    setter_str_t                 args;
    ngx_http_setter_outside_t   *conf;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);
    conf = slcf->api_conf;

    rc = ngx_http_setter_outside_id(r, &id);

    if (rc == NGX_ERROR) {
        return ngx_http_setter_failed;
    }

    if (rc != NGX_OK || !setter_uuid_valid(ngx_http_setter_text(&id))) {
        return ngx_http_setter_no_job;
    }

    setter_buf_init(&buf, &ctx->alloc, 64);

    setter_buf_byte(&buf, '{');
    setter_json_member(&buf, "id", ngx_http_setter_text(&id));
    setter_buf_byte(&buf, '}');

    if (buf.failed) {
        return ngx_http_setter_failed;
    }

    args.data = buf.data;
    args.len = buf.len;

    return ngx_http_setter_call(r, ctx, "job", args, conf->timeout,
                                NGX_HTTP_SETTER_CALL_MAX);
}
