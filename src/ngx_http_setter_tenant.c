#include "ngx_http_setter_tenant.h"
#include "ngx_http_setter_key.h"
#include "ngx_http_setter_plan.h"


/* what a pattern may cost: a hostile value must not stop the worker */
#define NGX_HTTP_SETTER_PATTERN_HEAD  "(*LIMIT_MATCH=10000)(?:"
#define NGX_HTTP_SETTER_PATTERN_TAIL  ")\\z"


static ngx_int_t ngx_http_setter_tenant_search(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, setter_json_value_t *values,
    ngx_uint_t header, ngx_str_t *slug);
static ngx_int_t ngx_http_setter_tenant_member(setter_json_value_t *values,
    ngx_uint_t n, ngx_str_t *value);
static ngx_int_t ngx_http_setter_tenant_value(ngx_http_request_t *r,
    ngx_http_setter_source_t *source, ngx_str_t *value);
static ngx_int_t ngx_http_setter_tenant_match(ngx_http_request_t *r,
    ngx_http_setter_source_t *source, ngx_str_t *value);
static ngx_int_t ngx_http_setter_tenant_source(ngx_conf_t *cf,
    ngx_http_setter_source_t *source, ngx_str_t *value);
static ngx_uint_t ngx_http_setter_tenant_is_host(ngx_str_t *value);
static char *ngx_http_setter_tenant_pattern(ngx_conf_t *cf,
    ngx_http_setter_source_t *source, ngx_str_t *value);
#if (NGX_PCRE)
static ngx_uint_t ngx_http_setter_tenant_anchored(ngx_str_t *pattern);
#endif


ngx_int_t
ngx_http_setter_tenant(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    setter_json_value_t *values)
{
    ngx_int_t                    rc;
    ngx_str_t                    slug;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    ctx->tenants = slcf->tenants;
    ctx->claimed = 0;

    if (ctx->bearer == NULL || ctx->bearer->tenant.len == 0) {
        rc = ngx_http_setter_tenant_search(r, ctx, values, 1,
                                           &ctx->tenant);

        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    /* a key's tenant wins, and the body must not name another */

    ctx->tenant = ctx->bearer->tenant;

    rc = ngx_http_setter_tenant_search(r, ctx, values, 0, &slug);

    ctx->claimed = 1;

    if (rc != NGX_OK) {
        return (rc == NGX_DECLINED) ? NGX_OK : rc;
    }

    return (slug.len == ctx->tenant.len
            && ngx_strncmp(slug.data, ctx->tenant.data, slug.len) == 0)
               ? NGX_OK : NGX_DECLINED;
}


/* The slug by the first source that gives one, else NGX_DECLINED. */

static ngx_int_t
ngx_http_setter_tenant_search(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, setter_json_value_t *values,
    ngx_uint_t header, ngx_str_t *slug)
{
    ngx_int_t                    rc;
    ngx_str_t                    value;
    ngx_uint_t                   i;
    ngx_http_setter_source_t    *source;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    slug->len = 0;

    if (slcf->tenants == NULL) {
        return NGX_DECLINED;
    }

    source = slcf->tenants->elts;

    for (i = 0; i < slcf->tenants->nelts; i++) {

        if (source[i].field.len) {
            rc = ngx_http_setter_tenant_member(values,
                                               slcf->plan->tenants[i], &value);

        } else if (header && !source[i].channel) {
            rc = ngx_http_setter_tenant_value(r, &source[i], &value);

        } else {
            continue;
        }

        if (rc == NGX_OK) {
            rc = ngx_http_setter_tenant_match(r, &source[i], &value);
        }

        if (rc == NGX_DECLINED) {
            continue;
        }

        if (rc == NGX_OK) {
            *slug = value;
            ctx->claimed = (source[i].field.len
                            || source[i].value.lengths != NULL);
        }

        return rc;
    }

    return NGX_DECLINED;
}


/* NGX_DECLINED: there is none, or the body has not been read. */

static ngx_int_t
ngx_http_setter_tenant_member(setter_json_value_t *values, ngx_uint_t n,
    ngx_str_t *value)
{
    if (values == NULL || values[n].type != SETTER_JSON_STRING) {
        return NGX_DECLINED;
    }

    value->data = (u_char *) values[n].text.data;
    value->len = values[n].text.len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_setter_tenant_value(ngx_http_request_t *r,
    ngx_http_setter_source_t *source, ngx_str_t *value)
{
    u_char  *p;

    if (ngx_http_complex_value(r, &source->value, value) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!source->host) {
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, value->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_strlow(p, value->data, value->len);
    value->data = p;

    return NGX_OK;
}


/* NGX_OK and the slug in value; NGX_DECLINED when there is none. */

static ngx_int_t
ngx_http_setter_tenant_match(ngx_http_request_t *r,
    ngx_http_setter_source_t *source, ngx_str_t *value)
{
#if (NGX_PCRE)
    int        captures[6];
    ngx_int_t  n;

    if (value->len && source->regex) {
        n = ngx_regex_exec(source->regex, value, captures, 6);

        if (n == NGX_REGEX_NO_MATCHED) {
            return NGX_DECLINED;
        }

        if (n < 0) {
            /* the value may be of any size and has line feeds */

            ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                          ngx_regex_exec_n " failed: %i, "
                          "setter_tenant \"%s%V\"",
                          n, source->field.len ? "body:" : "",
                          source->field.len ? &source->field
                                            : &source->value.value);
            return NGX_ERROR;
        }

        if (captures[2] < 0) {
            return NGX_DECLINED;
        }

        value->data += captures[2];
        value->len = captures[3] - captures[2];
    }
#endif

    return setter_slug_valid(ngx_http_setter_text(value)) ? NGX_OK
                                                          : NGX_DECLINED;
}


ngx_uint_t
ngx_http_setter_tenant_in_body(ngx_array_t *sources)
{
    ngx_uint_t                 i;
    ngx_http_setter_source_t  *source;

    if (sources == NULL) {
        return 0;
    }

    source = sources->elts;

    for (i = 0; i < sources->nelts; i++) {
        if (source[i].field.len) {
            return 1;
        }
    }

    return 0;
}


ngx_uint_t
ngx_http_setter_tenant_by_channel(ngx_array_t *sources,
    const setter_format_t *format)
{
    ngx_uint_t                 i;
    ngx_http_setter_source_t  *source;

    if (sources == NULL || format->events == NULL) {
        return 0;
    }

    source = sources->elts;

    for (i = 0; i < sources->nelts; i++) {
        if (source[i].channel) {
            return 1;
        }
    }

    return 0;
}


char *
ngx_http_setter_tenant_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_setter_loc_conf_t *slcf = conf;

    ngx_str_t                 *value;
    ngx_http_setter_source_t  *source;

    if (slcf->tenants == NGX_CONF_UNSET_PTR) {
        slcf->tenants = ngx_array_create(cf->pool, 2,
                                         sizeof(ngx_http_setter_source_t));
        if (slcf->tenants == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    source = ngx_array_push(slcf->tenants);
    if (source == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(source, sizeof(ngx_http_setter_source_t));

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "channel:to") == 0) {
        source->channel = 1;

        return (cf->args->nelts == 2) ? NGX_CONF_OK : "has a pattern";
    }

    if (ngx_http_setter_tenant_source(cf, source, &value[1]) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 3) {
        return ngx_http_setter_tenant_pattern(cf, source, &value[2]);
    }

    if (source->field.len == 0
        && source->value.lengths == NULL
        && !setter_slug_valid(ngx_http_setter_text(&value[1])))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is not a tenant's slug", &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* "body:FIELD", or text with variables */

static ngx_int_t
ngx_http_setter_tenant_source(ngx_conf_t *cf,
    ngx_http_setter_source_t *source, ngx_str_t *value)
{
    if (ngx_strncmp(value->data, "body:", 5) != 0) {
        source->host = ngx_http_setter_tenant_is_host(value);

        return ngx_http_setter_complex_value(cf, value, &source->value);
    }

    source->field.data = value->data + 5;
    source->field.len = value->len - 5;

    if (source->field.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"setter_tenant\" directive names no member of "
                           "the body");
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* $host is in lower case already */

static ngx_uint_t
ngx_http_setter_tenant_is_host(ngx_str_t *value)
{
    return ngx_strcmp(value->data, "$http_host") == 0
           || ngx_strcmp(value->data, "$ssl_server_name") == 0;
}


static char *
ngx_http_setter_tenant_pattern(ngx_conf_t *cf,
    ngx_http_setter_source_t *source, ngx_str_t *value)
{
#if (NGX_PCRE)
    u_char               *p, errstr[NGX_MAX_CONF_ERRSTR];
    ngx_regex_compile_t   rc;

    if (!ngx_http_setter_tenant_anchored(value)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pattern \"%V\" does not end in \"$\" or \"\\z\"",
                           value);
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&rc, sizeof(ngx_regex_compile_t));

    rc.pattern.len = sizeof(NGX_HTTP_SETTER_PATTERN_HEAD) - 1 + value->len
                     + sizeof(NGX_HTTP_SETTER_PATTERN_TAIL) - 1;

    p = ngx_pnalloc(cf->pool, rc.pattern.len + 1);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    /* "$" alone would let a line feed pass behind the end */

    rc.pattern.data = p;
    ngx_sprintf(p, NGX_HTTP_SETTER_PATTERN_HEAD "%V"
                   NGX_HTTP_SETTER_PATTERN_TAIL "%Z", value);

    rc.pool = cf->pool;
    rc.err.len = NGX_MAX_CONF_ERRSTR;
    rc.err.data = errstr;

    if (ngx_regex_compile(&rc) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%V", &rc.err);
        return NGX_CONF_ERROR;
    }

    if (rc.captures != 1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pattern \"%V\" has %d captures and needs one",
                           value, rc.captures);
        return NGX_CONF_ERROR;
    }

    source->regex = rc.regex;

    return NGX_CONF_OK;
#else
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "using pattern \"%V\" requires PCRE library", value);
    return NGX_CONF_ERROR;
#endif
}


#if (NGX_PCRE)

/* Ends in "\z" or "$", and not in a backslash's "\\z" or "\$". */

static ngx_uint_t
ngx_http_setter_tenant_anchored(ngx_str_t *pattern)
{
    u_char      *p;
    ngx_uint_t   escaped;

    if (pattern->len == 0) {
        return 0;
    }

    p = pattern->data + pattern->len - 1;

    if (*p != '$' && *p != 'z') {
        return 0;
    }

    for (escaped = 0; p > pattern->data && *(p - 1) == '\\'; p--) {
        escaped = !escaped;
    }

    return (pattern->data[pattern->len - 1] == 'z') == escaped;
}

#endif
