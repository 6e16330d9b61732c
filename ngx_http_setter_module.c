#include "ngx_http_setter_module.h"
#include "ngx_http_setter_admit.h"
#include "ngx_http_setter_api.h"
#include "ngx_http_setter_append.h"
#include "ngx_http_setter_ask.h"
#include "ngx_http_setter_batch.h"
#include "ngx_http_setter_body.h"
#include "ngx_http_setter_call.h"
#include "ngx_http_setter_check.h"
#include "ngx_http_setter_conf.h"
#include "ngx_http_setter_enrich.h"
#include "ngx_http_setter_pass.h"
#include "ngx_http_setter_plan.h"
#include "ngx_http_setter_reply.h"
#include "ngx_http_setter_signing.h"
#include "ngx_http_setter_stat.h"
#include "ngx_http_setter_tenant.h"
#include "ngx_http_setter_variables.h"
#include "ngx_http_setter_verify.h"


static ngx_int_t ngx_http_setter_preaccess_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_setter_precontent_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_setter_receive(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx);
static void ngx_http_setter_body_handler(ngx_http_request_t *r);
static ngx_http_setter_outcome_e ngx_http_setter_take(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx);
static ngx_http_setter_outcome_e ngx_http_setter_taken(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx);

static char *ngx_http_setter_webhook(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_setter_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_setter_init_process(ngx_cycle_t *cycle);
static void ngx_http_setter_exit_process(ngx_cycle_t *cycle);


static ngx_conf_enum_t  ngx_http_setter_tenants[] = {
    { ngx_string("any"), 0 },
    { ngx_string("known"), 1 },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_setter_statuses[] = {
    { ngx_string("strict"), 0 },
    { ngx_string("compat"), 1 },
    { ngx_null_string, 0 }
};


static ngx_conf_num_bounds_t  ngx_http_setter_partitions_bounds = {
    ngx_conf_check_num_bounds, 1, SETTER_MAX_PARTITIONS
};


static ngx_command_t  ngx_http_setter_commands[] = {

    { ngx_string("setter_redis"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_setter_redis_conf,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("setter_partitions"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_setter_main_conf_t, partitions),
      &ngx_http_setter_partitions_bounds },

    { ngx_string("setter_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_setter_stat_conf,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("setter_signing_key"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_setter_signing_conf,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("setter_spool"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_setter_spool_conf,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("setter_tenant"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_setter_tenant_conf,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("setter_tenants"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_setter_loc_conf_t, known),
      &ngx_http_setter_tenants },

    { ngx_string("setter_quota"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_setter_quota_conf,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("setter_verify"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_setter_verify_conf,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("setter_webhook"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_setter_webhook,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("setter_validate"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_setter_loc_conf_t, validate),
      NULL },

    { ngx_string("setter_require"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_setter_require_conf,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("setter_default"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE2,
      ngx_http_setter_member_conf,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_setter_loc_conf_t, defaults),
      NULL },

    { ngx_string("setter_set"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE2,
      ngx_http_setter_member_conf,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_setter_loc_conf_t, sets),
      NULL },

    { ngx_string("setter_dedupe"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_setter_dedupe_conf,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("setter_lane"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_setter_loc_conf_t, lane),
      NULL },

    { ngx_string("setter_debounce"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_setter_debounce_conf,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("setter_max_job"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_setter_loc_conf_t, max_job),
      NULL },

    { ngx_string("setter_status"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_setter_loc_conf_t, compat),
      &ngx_http_setter_statuses },

    { ngx_string("setter_api"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_setter_api_conf,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("setter_call"),
      NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_setter_ask_conf,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_setter_module_ctx = {
    ngx_http_setter_add_variables,         /* preconfiguration */
    ngx_http_setter_init,                  /* postconfiguration */

    ngx_http_setter_create_main_conf,      /* create main configuration */
    ngx_http_setter_init_main_conf,        /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_setter_create_loc_conf,       /* create location configuration */
    ngx_http_setter_merge_loc_conf         /* merge location configuration */
};


ngx_module_t  ngx_http_setter_module = {
    NGX_MODULE_V1,
    &ngx_http_setter_module_ctx,           /* module context */
    ngx_http_setter_commands,              /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_setter_init_process,          /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_setter_exit_process,          /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/* What the header alone tells is refused before a body is asked for. */

static ngx_int_t
ngx_http_setter_preaccess_handler(ngx_http_request_t *r)
{
    ngx_http_setter_ctx_t       *ctx;
    ngx_http_setter_outcome_e    outcome;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    if (slcf->format == NULL || r != r->main) {
        return NGX_DECLINED;
    }

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "setter preaccess handler");

    ctx = ngx_http_setter_get_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (slcf->validate && ctx->passed) {
        return NGX_DECLINED;
    }

    if (r->method == NGX_HTTP_GET && slcf->verify
        && slcf->verify->handshake.len)
    {
        ngx_http_finalize_request(r,
                            ngx_http_setter_verify_handshake(r, slcf->verify));
        return NGX_DONE;
    }

    outcome = ngx_http_setter_check(r, ctx);

    if (outcome == ngx_http_setter_undecided) {
        return NGX_DECLINED;
    }

    ngx_http_finalize_request(r, ngx_http_setter_reply(r, ctx, outcome));

    return NGX_DONE;
}


/*
 * With "setter_validate": before mirror and try_files, which are to see the
 * body that the upstream will.
 */

static ngx_int_t
ngx_http_setter_precontent_handler(ngx_http_request_t *r)
{
    ngx_http_setter_ctx_t       *ctx;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    if (slcf->format == NULL || !slcf->validate || r != r->main) {
        return NGX_DECLINED;
    }

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "setter precontent handler");

    ctx = ngx_http_setter_get_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ctx->passed) {
        return NGX_DECLINED;
    }

    /* nothing but us resumes the phases */

    r->write_event_handler = ngx_http_request_empty_handler;

    ngx_http_finalize_request(r, ngx_http_setter_receive(r, ctx));

    return NGX_DONE;
}


ngx_int_t
ngx_http_setter_content_handler(ngx_http_request_t *r)
{
    ngx_http_setter_ctx_t  *ctx;

    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "setter content handler");

    if (r != r->main) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "setter_webhook takes no subrequests");
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_http_setter_get_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_setter_receive(r, ctx);
}


/* What the request is to be finalized with; NGX_DONE: it waits. */

static ngx_int_t
ngx_http_setter_receive(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx)
{
    ngx_int_t                  rc;
    ngx_http_setter_outcome_e  outcome;

    /* another module may have ended the preaccess phase before us */

    outcome = ngx_http_setter_check(r, ctx);

    if (outcome != ngx_http_setter_undecided) {
        return ngx_http_setter_reply(r, ctx, outcome);
    }

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_setter_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static void
ngx_http_setter_body_handler(ngx_http_request_t *r)
{
    ngx_http_setter_ctx_t      *ctx;
    ngx_http_setter_outcome_e   outcome;

    ctx = ngx_http_setter_find_ctx(r);

    outcome = ngx_http_setter_unlock(r, ctx, ngx_http_setter_take);

    if (outcome != ngx_http_setter_undecided) {
        ngx_http_setter_end(r, ctx, outcome);
    }
}


/* Lets in what is signed, where signatures are asked for. */

static ngx_http_setter_outcome_e
ngx_http_setter_take(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx)
{
    ngx_int_t                    rc;
    ngx_uint_t                   waits;
    setter_str_t                 body;
    ngx_http_setter_outcome_e    outcome;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    /* of a batch each job is measured, and nginx limits the body */

    outcome = ngx_http_setter_body(r, slcf->format->events
                                      ? NGX_MAX_SIZE_T_VALUE : slcf->max_job,
                                   &body);

    if (outcome != ngx_http_setter_undecided) {
        return outcome;
    }

    ctx->body = body;

    rc = ngx_http_setter_verify_body(r, slcf->verify, &body);

    if (rc == NGX_ERROR) {
        return ngx_http_setter_failed;
    }

    if (rc == NGX_DECLINED && !slcf->verify->channel) {
        return ngx_http_setter_unauthorized;
    }

    if (rc == NGX_DECLINED) {
        ctx->go_on = ngx_http_setter_taken;
        outcome = ngx_http_setter_signing(r, ctx, &waits);

        if (outcome != ngx_http_setter_undecided || waits) {
            return outcome;
        }
    }

    return ngx_http_setter_taken(r, ctx);
}


/* Makes a job of the body and sends it on its way, or lets it pass. */

static ngx_http_setter_outcome_e
ngx_http_setter_taken(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx)
{
    ngx_http_setter_outcome_e    outcome;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    if (slcf->format->events) {
        return ngx_http_setter_batch(r, ctx, &ctx->body);
    }

    outcome = ngx_http_setter_enrich(r, ctx, &ctx->body);

    if (outcome != ngx_http_setter_undecided) {
        return outcome;
    }

    return slcf->validate ? ngx_http_setter_pass(r, ctx)
                          : ngx_http_setter_append(r, ctx);
}


static char *
ngx_http_setter_webhook(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_setter_loc_conf_t *slcf = conf;

    ngx_str_t              *value;
    const setter_format_t  *format;

    if (slcf->format || slcf->api) {
        return "is duplicate";
    }

    value = cf->args->elts;

    format = setter_format_find(ngx_http_setter_text(&value[1]));

    if (format == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "unknown format \"%V\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    return ngx_http_setter_use_format(cf, slcf, format);
}


static ngx_int_t
ngx_http_setter_init(ngx_conf_t *cf)
{
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PREACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_setter_preaccess_handler;

    h = ngx_array_push(&cmcf->phases[NGX_HTTP_PRECONTENT_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_http_setter_precontent_handler;

    return NGX_OK;
}


static ngx_int_t
ngx_http_setter_init_process(ngx_cycle_t *cycle)
{
    ngx_http_setter_main_conf_t  *smcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    smcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_setter_module);

    if (smcf == NULL || smcf->redis == NULL) {
        return NGX_OK;
    }

    if ((smcf->calls && ngx_http_setter_call_init(smcf) != NGX_OK)
        || (smcf->spool
            && ngx_http_setter_spool_init(cycle, smcf->spool) != NGX_OK))
    {
        return NGX_ERROR;
    }

    /* nginx starts without Redis, too */

    (void) ngx_http_setter_redis_open(smcf->redis, ngx_current_msec);

    return NGX_OK;
}


static void
ngx_http_setter_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_setter_main_conf_t  *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_setter_module);

    if (smcf && smcf->spool) {
        ngx_http_setter_spool_exit(smcf->spool);
    }

    if (smcf && smcf->redis) {
        ngx_http_setter_redis_close(smcf->redis);
    }

    if (smcf && smcf->bell) {
        ngx_http_setter_redis_close(&smcf->bell->redis);
    }
}
