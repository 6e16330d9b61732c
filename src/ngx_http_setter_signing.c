#include "ngx_http_setter_signing.h"
#include "ngx_http_setter_reply.h"
#include "ngx_http_setter_stat.h"

#include <openssl/crypto.h>
#include <sys/mman.h>


static ngx_http_setter_signing_t *ngx_http_setter_signing_create(
    ngx_conf_t *cf);
static ngx_int_t ngx_http_setter_signing_name(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, const char *before, ngx_str_t *name);
static void ngx_http_setter_signing_known(ngx_http_setter_lookup_t *lookup);
static ngx_http_setter_outcome_e ngx_http_setter_signing_judge(
    ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx);
static ngx_int_t ngx_http_setter_signing_open(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, setter_str_t sealed);
static ngx_int_t ngx_http_setter_signing_lines(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, setter_str_t secrets);


ngx_http_setter_outcome_e
ngx_http_setter_signing(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    ngx_uint_t *waits)
{
    ngx_str_t                     name;
    ngx_http_setter_lookup_t     *lookup;
    ngx_http_setter_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_setter_module);

    *waits = 0;

    if (ctx->tenant.len == 0) {
        return ngx_http_setter_unauthorized;
    }

    lookup = ngx_http_setter_lookup_create(r->pool, 1);

    if (lookup == NULL
        || ngx_http_setter_signing_name(r, ctx, "", &name) != NGX_OK
        || ngx_http_setter_lookup_add(smcf, lookup, &name, &ctx->tenant)
           == NULL)
    {
        return ngx_http_setter_failed;
    }

    lookup->hash = "signing";
    lookup->directory = &smcf->stat->signing;
    lookup->handler = ngx_http_setter_signing_known;
    lookup->data = ctx;

    ctx->signing = lookup;

    switch (ngx_http_setter_lookup(smcf, lookup)) {

    case NGX_OK:
        return ngx_http_setter_signing_judge(r, ctx);

    case NGX_AGAIN:
        *waits = 1;
        return ngx_http_setter_undecided;

    default:
        return ngx_http_setter_failed;
    }
}


/* "tenant/provider", behind something. */

static ngx_int_t
ngx_http_setter_signing_name(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, const char *before, ngx_str_t *name)
{
    const char                  *provider;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);
    provider = slcf->format->provider;

    name->data = ngx_pnalloc(r->pool, ngx_strlen(before) + ctx->tenant.len + 1
                                      + ngx_strlen(provider));
    if (name->data == NULL) {
        return NGX_ERROR;
    }

    name->len = ngx_sprintf(name->data, "%s%V/%s", before, &ctx->tenant,
                            provider)
                - name->data;

    return NGX_OK;
}


static void
ngx_http_setter_signing_known(ngx_http_setter_lookup_t *lookup)
{
    ngx_http_request_t         *r;
    ngx_http_setter_ctx_t      *ctx;
    ngx_http_setter_outcome_e   outcome;

    ctx = lookup->data;
    r = ctx->request;

    ngx_http_set_log_request(r->connection->log, r);

    outcome = ngx_http_setter_signing_judge(r, ctx);

    if (outcome == ngx_http_setter_undecided) {
        outcome = ctx->go_on(r, ctx);
    }

    if (outcome != ngx_http_setter_undecided) {
        ngx_http_setter_reply_later(r, ctx, outcome);
    }
}


/* The secrets of each channel are sealed apart, a space between them. */

static ngx_http_setter_outcome_e
ngx_http_setter_signing_judge(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx)
{
    size_t                           n;
    ngx_int_t                        rc;
    setter_str_t                     left, sealed;
    ngx_http_setter_lookup_field_t  *field;

    field = ctx->signing->fields.elts;

    if (!field->known) {
        return ngx_http_setter_unavailable;
    }

    left = ngx_http_setter_text(&field->value);

    while (left.len) {
        for (n = 0; n < left.len && left.data[n] != ' '; n++) { /* void */ }

        sealed.data = left.data;
        sealed.len = n;

        rc = ngx_http_setter_signing_open(r, ctx, sealed);

        if (rc != NGX_DECLINED) {
            return (rc == NGX_OK) ? ngx_http_setter_undecided
                                  : ngx_http_setter_failed;
        }

        n = ngx_min(n + 1, left.len);
        left.data += n;
        left.len -= n;
    }

    return ngx_http_setter_unauthorized;
}


static ngx_int_t
ngx_http_setter_signing_open(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, setter_str_t sealed)
{
    int                           rc;
    ngx_int_t                     found;
    ngx_str_t                     context;
    setter_str_t                  secrets;
    ngx_http_setter_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_setter_module);

    if (ngx_http_setter_signing_name(r, ctx, "signing/", &context) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = setter_unseal(&secrets, smcf->signing->keys, smcf->signing->n,
                       ngx_http_setter_text(&context), sealed, &ctx->alloc);

    if (rc == SETTER_NO_MEMORY) {
        return NGX_ERROR;
    }

    if (rc != SETTER_OK) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "setter: the secrets of a channel are sealed under "
                      "another key than that of \"setter_signing_key\"");
        return NGX_DECLINED;
    }

    found = ngx_http_setter_signing_lines(r, ctx, secrets);

    OPENSSL_cleanse((void *) secrets.data, secrets.len);

    return found;
}


static ngx_int_t
ngx_http_setter_signing_lines(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, setter_str_t secrets)
{
    size_t                       n;
    ngx_int_t                    rc;
    setter_str_t                 secret;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    while (secrets.len) {
        for (n = 0; n < secrets.len && secrets.data[n] != '\n'; n++) {
            /* void */
        }

        secret.data = secrets.data;
        secret.len = n;

        rc = n ? ngx_http_setter_verify_signed(r, slcf->verify, secret,
                                               &ctx->body)
               : NGX_DECLINED;

        if (rc != NGX_DECLINED) {
            return rc;
        }

        n = ngx_min(n + 1, secrets.len);
        secrets.data += n;
        secrets.len -= n;
    }

    return NGX_DECLINED;
}


char *
ngx_http_setter_signing_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_setter_main_conf_t *smcf = conf;

    int         rc;
    ngx_str_t  *value, text;
    ngx_uint_t  i;

    if (smcf->signing) {
        return "is duplicate";
    }

    smcf->signing = ngx_http_setter_signing_create(cf);
    if (smcf->signing == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_http_setter_read_secret(cf, &value[i], &text) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        rc = setter_seal_key_read(&smcf->signing->keys[smcf->signing->n++],
                                  ngx_http_setter_text(&text));
        OPENSSL_cleanse(text.data, text.len);

        if (rc != SETTER_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" holds no key: setterctl key signing "
                               "shows it", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_http_setter_signing_t *
ngx_http_setter_signing_create(ngx_conf_t *cf)
{
    ngx_http_setter_signing_t  *signing;

    signing = ngx_pmemalign(cf->pool, ngx_pagesize, ngx_pagesize);
    if (signing == NULL) {
        return NULL;
    }

    ngx_memzero(signing, ngx_pagesize);

#if defined(MADV_DONTDUMP)
    (void) madvise(signing, ngx_pagesize, MADV_DONTDUMP);
#endif

    return signing;
}
