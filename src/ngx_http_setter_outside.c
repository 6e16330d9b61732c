#include "ngx_http_setter_outside.h"
#include "ngx_http_setter_check.h"
#include "ngx_http_setter_option.h"
#include "ngx_http_setter_reply.h"
#include "ngx_http_setter_tenant.h"
#include "ngx_http_setter_verify.h"


#define NGX_HTTP_SETTER_ID_MAX  256


#define ngx_http_setter_outside_option(name, member, set)                     \
    { ngx_string(name), offsetof(ngx_http_setter_outside_t, member), set }


static ngx_http_setter_outcome_e ngx_http_setter_outside_check(
    ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx);
static void ngx_http_setter_outside_body(ngx_http_request_t *r);
static char *ngx_http_setter_outside_conf(ngx_conf_t *cf,
    ngx_http_setter_loc_conf_t *slcf, ngx_http_setter_option_t *options);


static ngx_http_setter_option_t  ngx_http_setter_next_job_options[] = {
    ngx_http_setter_outside_option("wait=", wait,
                                   ngx_http_setter_option_msec),
    ngx_http_setter_outside_option("lease=", lease,
                                   ngx_http_setter_option_msec),
    ngx_http_setter_outside_option("jobs=", jobs,
                                   ngx_http_setter_option_count),
    ngx_http_setter_outside_option("failures=", failures,
                                   ngx_http_setter_option_count),
    { ngx_null_string, 0, NULL }
};


static ngx_http_setter_option_t  ngx_http_setter_complete_options[] = {
    ngx_http_setter_outside_option("id=", id, ngx_http_setter_option_value),
    { ngx_null_string, 0, NULL }
};


static ngx_http_setter_option_t  ngx_http_setter_fail_options[] = {
    ngx_http_setter_outside_option("id=", id, ngx_http_setter_option_value),
    ngx_http_setter_outside_option("delay=", delay,
                                   ngx_http_setter_option_msec),
    { ngx_null_string, 0, NULL }
};


static ngx_http_setter_option_t  ngx_http_setter_extend_options[] = {
    ngx_http_setter_outside_option("id=", id, ngx_http_setter_option_value),
    ngx_http_setter_outside_option("lease=", lease,
                                   ngx_http_setter_option_msec),
    { ngx_null_string, 0, NULL }
};


static ngx_http_setter_option_t  ngx_http_setter_send_options[] = {
    { ngx_null_string, 0, NULL }
};


static ngx_http_setter_option_t  ngx_http_setter_job_options[] = {
    ngx_http_setter_outside_option("id=", id, ngx_http_setter_option_value),
    ngx_http_setter_outside_option("timeout=", timeout,
                                   ngx_http_setter_option_msec),
    { ngx_null_string, 0, NULL }
};


char *
ngx_http_setter_next_job_conf(ngx_conf_t *cf,
    ngx_http_setter_loc_conf_t *slcf)
{
    ngx_http_setter_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_setter_module);
    smcf->has_polls = 1;

    return ngx_http_setter_outside_conf(cf, slcf,
                                        ngx_http_setter_next_job_options);
}


char *
ngx_http_setter_complete_conf(ngx_conf_t *cf,
    ngx_http_setter_loc_conf_t *slcf)
{
    return ngx_http_setter_outside_conf(cf, slcf,
                                        ngx_http_setter_complete_options);
}


char *
ngx_http_setter_fail_conf(ngx_conf_t *cf, ngx_http_setter_loc_conf_t *slcf)
{
    return ngx_http_setter_outside_conf(cf, slcf,
                                        ngx_http_setter_fail_options);
}


char *
ngx_http_setter_extend_conf(ngx_conf_t *cf, ngx_http_setter_loc_conf_t *slcf)
{
    return ngx_http_setter_outside_conf(cf, slcf,
                                        ngx_http_setter_extend_options);
}


char *
ngx_http_setter_job_conf(ngx_conf_t *cf, ngx_http_setter_loc_conf_t *slcf)
{
    ngx_http_setter_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_setter_module);
    smcf->has_calls = 1;

    return ngx_http_setter_outside_conf(cf, slcf,
                                        ngx_http_setter_job_options);
}


char *
ngx_http_setter_send_conf(ngx_conf_t *cf, ngx_http_setter_loc_conf_t *slcf)
{
    if (ngx_http_setter_options(cf, ngx_http_setter_send_options, NULL)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_setter_use_format(cf, slcf, setter_format_outgoing());
}


/* All but a poll are about a job, which has to be named. */

static char *
ngx_http_setter_outside_conf(ngx_conf_t *cf, ngx_http_setter_loc_conf_t *slcf,
    ngx_http_setter_option_t *options)
{
    ngx_http_setter_outside_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_setter_outside_t));
    if (conf == NULL) {
        return NGX_CONF_ERROR;
    }

    conf->wait = 30000;
    conf->lease = 30000;
    conf->delay = 1000;
    conf->timeout = 10000;
    conf->jobs = 20;
    conf->failures = 8;

    if (ngx_http_setter_options(cf, options, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (conf->id == NULL && options != ngx_http_setter_next_job_options) {
        return "has no \"id=\"";
    }

    slcf->api_conf = conf;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_setter_outside(ngx_http_request_t *r,
    ngx_http_setter_go_on_pt go_on)
{
    ngx_int_t                   rc;
    ngx_http_setter_ctx_t      *ctx;
    ngx_http_setter_outcome_e   outcome;

    if (r != r->main) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "setter_api takes no subrequests here");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_http_setter_get_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    outcome = ngx_http_setter_outside_check(r, ctx);

    if (outcome != ngx_http_setter_undecided) {
        return ngx_http_setter_reply(r, ctx, outcome);
    }

    ctx->go_on = go_on;

    if (r->method & (NGX_HTTP_POST|NGX_HTTP_PATCH)) {
        r->request_body_in_single_buf = 1;

        rc = ngx_http_read_client_request_body(r,
                                               ngx_http_setter_outside_body);

        return (rc >= NGX_HTTP_SPECIAL_RESPONSE) ? rc : NGX_DONE;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    r->main->count++;

    ngx_http_setter_outside_body(r);

    return NGX_DONE;
}


/* What the header tells, in the preaccess phase of webhooks. */

static ngx_http_setter_outcome_e
ngx_http_setter_outside_check(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx)
{
    ngx_int_t                    rc;
    ngx_http_setter_loc_conf_t  *slcf;

    if (ctx->outcome != ngx_http_setter_undecided) {

        /* came here by an internal redirect */

        return ctx->outcome;
    }

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    rc = ngx_http_setter_verify(r, ctx, slcf->verify);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? ngx_http_setter_unauthorized
                                    : ngx_http_setter_failed;
    }

    if (ngx_http_setter_tenant(r, ctx, NULL) == NGX_ERROR) {
        return ngx_http_setter_failed;
    }

    ctx->settled = 1;

    if (ctx->tenant.len == 0) {
        return ngx_http_setter_unknown_tenant;
    }

    if (r->headers_in.content_length_n > (off_t) slcf->max_job) {
        return ngx_http_setter_too_large;
    }

    return ngx_http_setter_undecided;
}


static void
ngx_http_setter_outside_body(ngx_http_request_t *r)
{
    ngx_http_setter_ctx_t      *ctx;
    ngx_http_setter_outcome_e   outcome;

    ctx = ngx_http_setter_find_ctx(r);

    outcome = ngx_http_setter_unlock(r, ctx, ctx->go_on);

    if (outcome != ngx_http_setter_undecided) {
        ngx_http_finalize_request(r, ngx_http_setter_reply(r, ctx, outcome));
    }
}


void
ngx_http_setter_outside_watch(ngx_http_request_t *r)
{
    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    if (r->connection->read->ready) {
        ngx_post_event(r->connection->read, &ngx_posted_events);
    }
}


void
ngx_http_setter_outside_finalize(ngx_http_request_t *r, ngx_int_t rc)
{
    ngx_connection_t  *c;

    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    ngx_http_finalize_request(r, rc);

    ngx_http_run_posted_requests(c);
}


ngx_int_t
ngx_http_setter_outside_id(ngx_http_request_t *r, ngx_str_t *id)
{
    size_t                       i;
    ngx_http_setter_outside_t   *conf;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);
    conf = slcf->api_conf;

    if (ngx_http_complex_value(r, conf->id, id) != NGX_OK) {
        return NGX_ERROR;
    }

    if (id->len == 0 || id->len > NGX_HTTP_SETTER_ID_MAX) {
        return NGX_DECLINED;
    }

    for (i = 0; i < id->len; i++) {
        if (id->data[i] <= ' ' || id->data[i] >= 0x7f) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


ngx_http_setter_outcome_e
ngx_http_setter_outside_refused(ngx_http_setter_redis_t *redis,
    redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ERROR) {
        return ngx_http_setter_unavailable;
    }

    if (ngx_strstr(reply->str, "Function not found")) {
        return ngx_http_setter_unloaded;
    }

    ngx_http_setter_redis_refused(redis, reply);

    return ngx_http_setter_unavailable;
}
