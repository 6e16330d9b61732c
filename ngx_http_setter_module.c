#include "ngx_http_setter_module.h"
#include "ngx_http_setter_api.h"
#include "ngx_http_setter_append.h"
#include "ngx_http_setter_body.h"
#include "ngx_http_setter_check.h"
#include "ngx_http_setter_enrich.h"
#include "ngx_http_setter_plan.h"
#include "ngx_http_setter_reply.h"
#include "ngx_http_setter_stat.h"
#include "ngx_http_setter_tenant.h"
#include "ngx_http_setter_variables.h"
#include "ngx_http_setter_verify.h"


static ngx_int_t ngx_http_setter_preaccess_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_setter_content_handler(ngx_http_request_t *r);
static void ngx_http_setter_body_handler(ngx_http_request_t *r);
static ngx_http_setter_outcome_e ngx_http_setter_take(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx);

static void *ngx_http_setter_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_setter_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_setter_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_setter_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
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

    { ngx_string("setter_verify"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1234,
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
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_setter_api_conf,
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

    outcome = ngx_http_setter_check(r, ctx);

    if (outcome == ngx_http_setter_undecided) {
        return NGX_DECLINED;
    }

    ngx_http_finalize_request(r, ngx_http_setter_reply(r, ctx, outcome));

    return NGX_DONE;
}


static ngx_int_t
ngx_http_setter_content_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_setter_ctx_t      *ctx;
    ngx_http_setter_outcome_e   outcome;

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

    outcome = ngx_http_setter_take(r, ctx);

    if (outcome != ngx_http_setter_undecided) {
        ngx_http_finalize_request(r, ngx_http_setter_reply(r, ctx, outcome));
    }
}


/* The body is there: makes a job of it and sends it on its way. */

static ngx_http_setter_outcome_e
ngx_http_setter_take(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx)
{
    ngx_int_t                    rc;
    setter_str_t                 body;
    ngx_http_setter_outcome_e    outcome;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    rc = ngx_http_setter_body(r, slcf->max_job, &body);

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? ngx_http_setter_too_large
                                    : ngx_http_setter_failed;
    }

    outcome = ngx_http_setter_enrich(r, ctx, &body);

    if (outcome != ngx_http_setter_undecided) {
        return outcome;
    }

    return ngx_http_setter_append(r, ctx);
}


static void *
ngx_http_setter_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_setter_main_conf_t  *smcf;

    smcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_setter_main_conf_t));
    if (smcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     smcf->redis = NULL;
     *     smcf->stat = NULL;
     *     smcf->slots = NULL;
     */

    smcf->partitions = NGX_CONF_UNSET_UINT;
    smcf->zone_size = NGX_CONF_UNSET_SIZE;

    if (ngx_array_init(&smcf->formats, cf->pool, 4,
                       sizeof(const setter_format_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return smcf;
}


static char *
ngx_http_setter_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_setter_main_conf_t *smcf = conf;

    ngx_conf_init_uint_value(smcf->partitions, 1);
    ngx_conf_init_size_value(smcf->zone_size, 8 * 1024 * 1024);

    if (smcf->redis == NULL) {
        return NGX_CONF_OK;
    }

    smcf->slots = ngx_pcalloc(cf->pool,
                              smcf->formats.nelts * sizeof(ngx_uint_t));
    if (smcf->slots == NULL
        || ngx_http_setter_redis_inboxes(cf, smcf->redis) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_setter_stat_add_zone(cf, smcf);
}


static void *
ngx_http_setter_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_setter_loc_conf_t));
    if (slcf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     slcf->format = NULL;
     *     slcf->format_n = 0;
     *     slcf->plan = NULL;
     *     slcf->dedupe = { 0, NULL };
     *     slcf->lane = NULL;
     *     slcf->api = 0;
     */

    slcf->tenants = NGX_CONF_UNSET_PTR;
    slcf->known = NGX_CONF_UNSET_UINT;
    slcf->verify = NGX_CONF_UNSET_PTR;
    slcf->required = NGX_CONF_UNSET_PTR;
    slcf->defaults = NGX_CONF_UNSET_PTR;
    slcf->sets = NGX_CONF_UNSET_PTR;
    slcf->no_dedupe = NGX_CONF_UNSET;
    slcf->debounce = NGX_CONF_UNSET_MSEC;
    slcf->debounce_max = NGX_CONF_UNSET_MSEC;
    slcf->max_job = NGX_CONF_UNSET_SIZE;
    slcf->compat = NGX_CONF_UNSET_UINT;

    return slcf;
}


static char *
ngx_http_setter_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_setter_loc_conf_t *prev = parent;
    ngx_http_setter_loc_conf_t *conf = child;

    ngx_http_setter_main_conf_t  *smcf;

    ngx_conf_merge_ptr_value(conf->tenants, prev->tenants, NULL);
    ngx_conf_merge_uint_value(conf->known, prev->known, 1);
    ngx_conf_merge_ptr_value(conf->verify, prev->verify, NULL);
    ngx_conf_merge_ptr_value(conf->required, prev->required, NULL);
    ngx_conf_merge_ptr_value(conf->defaults, prev->defaults, NULL);
    ngx_conf_merge_ptr_value(conf->sets, prev->sets, NULL);

    if (conf->no_dedupe == NGX_CONF_UNSET) {
        conf->dedupe = prev->dedupe;
    }

    ngx_conf_merge_value(conf->no_dedupe, prev->no_dedupe, 0);

    if (conf->lane == NULL) {
        conf->lane = prev->lane;
    }

    ngx_conf_merge_msec_value(conf->debounce, prev->debounce, 0);
    ngx_conf_merge_msec_value(conf->debounce_max, prev->debounce_max, 0);
    ngx_conf_merge_size_value(conf->max_job, prev->max_job, 256 * 1024);
    ngx_conf_merge_uint_value(conf->compat, prev->compat, 0);

    if (conf->format == NULL && conf->api == 0) {
        return NGX_CONF_OK;
    }

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_setter_module);

    if (smcf->redis == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "no \"setter_redis\" for "
                           "\"setter_webhook\" or \"setter_api\"");
        return NGX_CONF_ERROR;
    }

    if (conf->api) {
        return NGX_CONF_OK;
    }

    if (conf->tenants == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no \"setter_tenant\" for \"setter_webhook\"");
        return NGX_CONF_ERROR;
    }

    return ngx_http_setter_plan(cf, conf);
}


static char *
ngx_http_setter_webhook(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_setter_loc_conf_t *slcf = conf;

    ngx_str_t                     *value;
    const setter_format_t        **format;
    ngx_http_core_loc_conf_t      *clcf;
    ngx_http_setter_main_conf_t   *smcf;

    if (slcf->format || slcf->api) {
        return "is duplicate";
    }

    value = cf->args->elts;

    slcf->format = setter_format_find(ngx_http_setter_text(&value[1]));

    if (slcf->format == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "unknown format \"%V\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_setter_module);

    slcf->format_n = smcf->formats.nelts;

    format = ngx_array_push(&smcf->formats);
    if (format == NULL) {
        return NGX_CONF_ERROR;
    }

    *format = slcf->format;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_setter_content_handler;

    return NGX_CONF_OK;
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

    /* nginx starts without Redis, too */

    if (smcf && smcf->redis) {
        (void) ngx_http_setter_redis_open(smcf->redis, ngx_current_msec);
    }

    return NGX_OK;
}


static void
ngx_http_setter_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_setter_main_conf_t  *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_setter_module);

    if (smcf && smcf->redis) {
        ngx_http_setter_redis_close(smcf->redis);
    }
}
