#include "ngx_http_setter_conf.h"
#include "ngx_http_setter_api.h"
#include "ngx_http_setter_call.h"
#include "ngx_http_setter_plan.h"
#include "ngx_http_setter_recent.h"
#include "ngx_http_setter_stat.h"
#include "ngx_http_setter_take.h"
#include "ngx_http_setter_tenant.h"
#include "ngx_http_setter_verify.h"


static char *ngx_http_setter_merge_handler(ngx_conf_t *cf,
    ngx_http_setter_loc_conf_t *conf, ngx_http_core_loc_conf_t *clcf);
static void ngx_http_setter_merge_nameless(ngx_http_setter_loc_conf_t *prev,
    ngx_http_setter_loc_conf_t *conf, ngx_http_core_loc_conf_t *clcf);
static char *ngx_http_setter_set_handler(ngx_conf_t *cf,
    ngx_http_setter_loc_conf_t *conf, ngx_http_core_loc_conf_t *clcf);
static char *ngx_http_setter_conf_refuse(ngx_conf_t *cf, const char *why);
static ngx_int_t ngx_http_setter_init_bell(ngx_conf_t *cf,
    ngx_http_setter_main_conf_t *smcf);
static ngx_int_t ngx_http_setter_merge_api(ngx_conf_t *cf,
    ngx_http_setter_loc_conf_t *conf);


void *
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
     *     smcf->recent = NULL;
     */

    smcf->spool = NGX_CONF_UNSET_PTR;
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


char *
ngx_http_setter_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_setter_main_conf_t *smcf = conf;

    ngx_conf_init_ptr_value(smcf->spool, NULL);
    ngx_conf_init_uint_value(smcf->partitions, 1);
    ngx_conf_init_size_value(smcf->zone_size, 8 * 1024 * 1024);

    if (smcf->redis == NULL) {

        if (smcf->spool) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "no \"setter_redis\" for \"setter_spool\"");
            return NGX_CONF_ERROR;
        }

        return NGX_CONF_OK;
    }

    smcf->redis->spool = smcf->spool;

    smcf->slots = ngx_pcalloc(cf->pool,
                              smcf->formats.nelts * sizeof(ngx_uint_t));
    smcf->recent = ngx_http_setter_recent_create(cf->pool);

    if (smcf->slots == NULL
        || smcf->recent == NULL
        || ngx_http_setter_redis_inboxes(cf, smcf->redis) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_setter_init_bell(cf, smcf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_http_setter_stat_add_zone(cf, smcf);
}


/* What waits for Redis, where there is anything. */

static ngx_int_t
ngx_http_setter_init_bell(ngx_conf_t *cf, ngx_http_setter_main_conf_t *smcf)
{
    if (!smcf->has_polls && !smcf->has_calls) {
        return NGX_OK;
    }

    if (ngx_http_setter_bell(cf, smcf) != NGX_OK
        || (smcf->has_polls && ngx_http_setter_take_conf(cf, smcf) != NGX_OK)
        || (smcf->has_calls && ngx_http_setter_call_conf(cf, smcf) != NGX_OK))
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


void *
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
     *     slcf->api = NULL;
     *     slcf->api_conf = NULL;
     */

    slcf->tenants = NGX_CONF_UNSET_PTR;
    slcf->known = NGX_CONF_UNSET_UINT;
    slcf->validate = NGX_CONF_UNSET;
    slcf->quota = NGX_CONF_UNSET_UINT;
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


char *
ngx_http_setter_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_setter_loc_conf_t *prev = parent;
    ngx_http_setter_loc_conf_t *conf = child;

    ngx_flag_t                 own;
    ngx_http_core_loc_conf_t  *clcf;

    own = (conf->validate == 1);

    ngx_conf_merge_value(conf->validate, prev->validate, 0);
    ngx_conf_merge_ptr_value(conf->tenants, prev->tenants, NULL);
    ngx_conf_merge_uint_value(conf->known, prev->known, 1);
    ngx_conf_merge_uint_value(conf->quota, prev->quota, 0);
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

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (conf->format || conf->api) {
        return ngx_http_setter_merge_handler(cf, conf, clcf);
    }

    if (clcf->noname) {
        ngx_http_setter_merge_nameless(prev, conf, clcf);

    } else if (own && clcf->name.len) {
        return ngx_http_setter_conf_refuse(cf, "\"setter_validate\" needs a "
                                           "\"setter_webhook\"");
    }

    return NGX_CONF_OK;
}


/* Of a location that has something to do. */

static char *
ngx_http_setter_merge_handler(ngx_conf_t *cf,
    ngx_http_setter_loc_conf_t *conf, ngx_http_core_loc_conf_t *clcf)
{
    ngx_http_setter_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_setter_module);

    if (smcf->redis == NULL) {
        return ngx_http_setter_conf_refuse(cf, "no \"setter_redis\" for "
                                   "\"setter_webhook\" or \"setter_api\"");
    }

    if (conf->api && ngx_http_setter_merge_api(cf, conf) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (conf->format == NULL) {
        return NGX_CONF_OK;
    }

    if (conf->tenants == NULL && !ngx_http_setter_verify_names(conf->verify)) {
        return ngx_http_setter_conf_refuse(cf,
                             "no \"setter_tenant\" for \"setter_webhook\"");
    }

    if (conf->verify && conf->verify->channel
        && conf->format->provider == NULL)
    {
        return ngx_http_setter_conf_refuse(cf, "\"channel\" of "
                                   "\"setter_verify\" does not go with a "
                                   "format of no provider");
    }

    if (conf->format->events
        && (conf->validate || ngx_http_setter_tenant_in_body(conf->tenants)))
    {
        return ngx_http_setter_conf_refuse(cf, "\"setter_validate\" and "
                                   "\"setter_tenant body:\" do not go with a "
                                   "format that brings many messages");
    }

    if (conf->api == NULL
        && ngx_http_setter_set_handler(cf, conf, clcf) != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    return ngx_http_setter_plan(cf, conf);
}


/* "if" and "limit_except" do what their location does. */

static void
ngx_http_setter_merge_nameless(ngx_http_setter_loc_conf_t *prev,
    ngx_http_setter_loc_conf_t *conf, ngx_http_core_loc_conf_t *clcf)
{
    conf->format = prev->format;
    conf->format_n = prev->format_n;
    conf->plan = prev->plan;
    conf->api = prev->api;
    conf->api_conf = prev->api_conf;

    if (clcf->handler) {
        return;
    }

    if (conf->api) {
        conf->validate = 0;
        clcf->handler = ngx_http_setter_api_handler;

    } else if (conf->format && !conf->validate) {
        clcf->handler = ngx_http_setter_content_handler;
    }
}


/* Which of the location's directives came first does not matter here. */

static char *
ngx_http_setter_set_handler(ngx_conf_t *cf, ngx_http_setter_loc_conf_t *conf,
    ngx_http_core_loc_conf_t *clcf)
{
    if (conf->validate) {
        return clcf->handler
               ? NGX_CONF_OK
               : ngx_http_setter_conf_refuse(cf, "\"setter_validate\" needs a "
                                             "handler to pass requests to, "
                                             "such as \"proxy_pass\"");
    }

    if (clcf->handler) {
        return ngx_http_setter_conf_refuse(cf, "\"setter_webhook\" beside "
                                           "another handler needs "
                                           "\"setter_validate on\"");
    }

    clcf->handler = ngx_http_setter_content_handler;

    return NGX_CONF_OK;
}


static char *
ngx_http_setter_conf_refuse(ngx_conf_t *cf, const char *why)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", why);

    return NGX_CONF_ERROR;
}


/* What is for webhooks is not for the API. */

static ngx_int_t
ngx_http_setter_merge_api(ngx_conf_t *cf, ngx_http_setter_loc_conf_t *conf)
{
    const char  *directive;

    directive = conf->api->directive ? conf->api->directive : "setter_api";

    conf->validate = 0;
    conf->compat = 0;
    conf->debounce = 0;
    conf->debounce_max = 0;

    if (!conf->api->keyed || ngx_http_setter_verify_names(conf->verify)) {
        return NGX_OK;
    }

    if (conf->verify == NULL
        || conf->verify->scheme != ngx_http_setter_verify_keys)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%s %V\" needs \"setter_verify key\"",
                           directive, &conf->api->name);
        return NGX_ERROR;
    }

    if (conf->tenants) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "no \"setter_tenant\" for \"%s %V\"", directive,
                       &conf->api->name);

    return NGX_ERROR;
}


char *
ngx_http_setter_use_format(ngx_conf_t *cf, ngx_http_setter_loc_conf_t *slcf,
    const setter_format_t *format)
{
    const setter_format_t        **f;
    ngx_http_setter_main_conf_t   *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_setter_module);

    slcf->format = format;
    slcf->format_n = smcf->formats.nelts;

    f = ngx_array_push(&smcf->formats);
    if (f == NULL) {
        return NGX_CONF_ERROR;
    }

    *f = format;

    return NGX_CONF_OK;
}
