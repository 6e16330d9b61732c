#include "ngx_http_setter_admit.h"
#include "ngx_http_setter_recent.h"
#include "ngx_http_setter_stat.h"
#include "setter_digest.h"
#include "setter_quota.h"


/* ms for which Redis's answer counts */
#define NGX_HTTP_SETTER_ADMIT_FACTS    2000
#define NGX_HTTP_SETTER_ADMIT_UNKNOWN  1000


static ngx_uint_t ngx_http_setter_admit_unknown(
    ngx_http_setter_main_conf_t *smcf, ngx_str_t *slug);
static ngx_int_t ngx_http_setter_admit_digest(ngx_str_t *slug,
    u_char *digest);
static ngx_http_setter_outcome_e ngx_http_setter_admit_facts(
    ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx, uint64_t facts);
static ngx_int_t ngx_http_setter_admit_take(ngx_http_setter_ctx_t *ctx,
    uint32_t quota);
static uint64_t ngx_http_setter_admit_learn(ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_main_conf_t *smcf, redisReply *reply);


ngx_http_setter_outcome_e
ngx_http_setter_admit(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx)
{
    uint64_t                      facts;
    ngx_http_setter_loc_conf_t   *slcf;
    ngx_http_setter_main_conf_t  *smcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);
    smcf = ngx_http_get_module_main_conf(r, ngx_http_setter_module);

    /* its queue is that of all the others' calls */

    if (ctx->call == NULL
        && setter_str_is(ngx_http_setter_text(&ctx->tenant), SETTER_CALLS))
    {
        return ngx_http_setter_unknown_tenant;
    }

    /* who is unknown gets no place by asking for it */

    ctx->place = ngx_http_setter_stat_find(smcf, &ctx->tenant, !slcf->known);

    if (ctx->place) {
        facts = ctx->place->facts;

        if (facts
            && (setter_facts_age(facts, ngx_current_msec)
                < NGX_HTTP_SETTER_ADMIT_FACTS
                || ngx_http_setter_redis_away(smcf->redis)))
        {
            return ngx_http_setter_admit_facts(r, ctx, facts);
        }

    } else if (slcf->known
               && ngx_http_setter_admit_unknown(smcf, &ctx->tenant))
    {
        return ngx_http_setter_unknown_tenant;
    }

    return ngx_http_setter_undecided;
}


static ngx_uint_t
ngx_http_setter_admit_unknown(ngx_http_setter_main_conf_t *smcf,
    ngx_str_t *slug)
{
    u_char      digest[NGX_HTTP_SETTER_RECENT_DIGEST];
    ngx_msec_t  age;

    return ngx_http_setter_admit_digest(slug, digest) == NGX_OK
           && ngx_http_setter_recent_get(smcf->recent, digest, &age)
              == NGX_DECLINED
           && age < NGX_HTTP_SETTER_ADMIT_UNKNOWN;
}


/* NGX_ERROR: memory is short, and nothing can be remembered of the tenant. */

static ngx_int_t
ngx_http_setter_admit_digest(ngx_str_t *slug, u_char *digest)
{
    setter_str_t  text;

    text = ngx_http_setter_text(slug);

    return (setter_digest(digest, &text, 1) == SETTER_OK) ? NGX_OK : NGX_ERROR;
}


static ngx_http_setter_outcome_e
ngx_http_setter_admit_facts(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, uint64_t facts)
{
    uint32_t                     quota;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    if (slcf->known && !setter_facts_known(facts)) {
        return ngx_http_setter_unknown_tenant;
    }

    quota = setter_facts_minute(facts);

    if (quota == 0) {
        quota = slcf->quota;
    }

    /* a call is no message */

    if (quota && ctx->place && ctx->call == NULL
        && ngx_http_setter_admit_take(ctx, quota) != NGX_OK)
    {
        return ngx_http_setter_quota;
    }

    ctx->admitted = 1;

    return ngx_http_setter_undecided;
}


static ngx_int_t
ngx_http_setter_admit_take(ngx_http_setter_ctx_t *ctx, uint32_t quota)
{
    uint64_t  old, window;

    do {
        old = ctx->place->window;
        window = old;

        if (!setter_quota_take(&window, ngx_current_msec, quota)) {
            return NGX_DECLINED;
        }

    } while (!ngx_atomic_cmp_set(&ctx->place->window, old, window));

    ctx->taken = window;

    return NGX_OK;
}


void
ngx_http_setter_admit_undo(ngx_http_setter_ctx_t *ctx)
{
    uint64_t  old;

    if (ctx->taken == 0) {
        return;
    }

    do {
        old = ctx->place->window;

    } while (!ngx_atomic_cmp_set(&ctx->place->window, old,
                                 setter_quota_give(old, ctx->taken)));

    ctx->taken = 0;
}


ngx_uint_t
ngx_http_setter_admit_retry_after(ngx_http_setter_ctx_t *ctx)
{
    uint32_t  left;

    /* without a place it is no quota that was used up, see call.c */

    left = ctx->place ? setter_quota_left(ctx->place->window,
                                          ngx_current_msec)
                      : 0;

    return (left > 1000) ? (left + 999) / 1000 : 1;
}


ngx_int_t
ngx_http_setter_admit_ask(ngx_http_setter_op_t *op)
{
    char                          key[SETTER_KEY_MAX + SETTER_SLUG_MAX];
    size_t                        argvlen[3], prefix;
    const char                   *argv[3];
    ngx_http_setter_ctx_t        *ctx;
    ngx_http_setter_main_conf_t  *smcf;

    ctx = op->data;
    smcf = op->redis->conf;

    ctx->answered = 0;

    argv[0] = "SISMEMBER";
    argvlen[0] = 9;
    argv[1] = key;
    argvlen[1] = setter_partition_key(key, ctx->partition, smcf->partitions,
                                      "known");
    argv[2] = (char *) ctx->tenant.data;
    argvlen[2] = ctx->tenant.len;

    if (ngx_http_setter_op_command(op, 3, argv, argvlen) != NGX_OK) {
        return NGX_ERROR;
    }

    prefix = setter_partition_key(key, ctx->partition, smcf->partitions,
                                  "tenant:");
    ngx_memcpy(key + prefix, ctx->tenant.data, ctx->tenant.len);

    argv[0] = "HGET";
    argvlen[0] = 4;
    argvlen[1] = prefix + ctx->tenant.len;
    argv[2] = "minute";
    argvlen[2] = 6;

    return ngx_http_setter_op_command(op, 3, argv, argvlen);
}


ngx_http_setter_outcome_e
ngx_http_setter_admit_reply(ngx_http_setter_op_t *op, redisReply *reply)
{
    uint64_t                facts;
    ngx_http_setter_ctx_t  *ctx;

    ctx = op->data;

    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_http_setter_redis_refused(op->redis, reply);
        return ngx_http_setter_unavailable;
    }

    if (!ctx->answered) {

        if (reply->type != REDIS_REPLY_INTEGER) {
            return ngx_http_setter_unavailable;
        }

        ctx->answered = 1;
        ctx->known = (reply->integer == 1);

        return ngx_http_setter_undecided;
    }

    if (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_NIL) {
        return ngx_http_setter_unavailable;
    }

    facts = ngx_http_setter_admit_learn(ctx, op->redis->conf, reply);

    return ngx_http_setter_admit_facts(ctx->request, ctx, facts);
}


static uint64_t
ngx_http_setter_admit_learn(ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_main_conf_t *smcf, redisReply *reply)
{
    u_char      digest[NGX_HTTP_SETTER_RECENT_DIGEST];
    uint64_t    facts;
    ngx_int_t   minute;

    /* NGX_ERROR is none, too */

    minute = (reply->type == REDIS_REPLY_STRING)
                 ? ngx_atoi((u_char *) reply->str, reply->len) : 0;

    facts = setter_facts(ngx_current_msec, ctx->known, minute);

    if (ctx->place == NULL && ctx->known) {
        ctx->place = ngx_http_setter_stat_find(smcf, &ctx->tenant, 1);
    }

    if (ctx->place) {
        ctx->place->facts = facts;

    } else if (!ctx->known) {
        if (ngx_http_setter_admit_digest(&ctx->tenant, digest) == NGX_OK) {
            ngx_http_setter_recent_put(smcf->recent, digest, 0);
        }

    } else if (!smcf->crowded) {
        smcf->crowded = 1;
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "setter_zone has no place for tenant \"%V\"",
                      &ctx->tenant);
    }

    return facts;
}


ngx_http_setter_outcome_e
ngx_http_setter_admit_stale(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx)
{
    uint64_t                     facts;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    facts = ctx->place ? ctx->place->facts : 0;

    if (facts == 0 && slcf->known) {
        return ngx_http_setter_unavailable;
    }

    return ngx_http_setter_admit_facts(r, ctx, facts);
}


char *
ngx_http_setter_quota_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_setter_loc_conf_t *slcf = conf;

    ngx_int_t   quota;
    ngx_str_t  *value;

    if (slcf->quota != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        slcf->quota = 0;
        return NGX_CONF_OK;
    }

    quota = ngx_atoi(value[1].data, value[1].len);

    if (quota < 1 || quota > SETTER_QUOTA_MAX) {
        return "is no number from 1 to 16777215";
    }

    slcf->quota = quota;

    return NGX_CONF_OK;
}
