#include "ngx_http_setter_verify.h"


#define NGX_HTTP_SETTER_SECRET_SIZE  4096


static ngx_int_t ngx_http_setter_verify_key(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, ngx_http_setter_verify_t *verify);
static char *ngx_http_setter_verify_key_conf(ngx_conf_t *cf,
    ngx_http_setter_verify_t *verify);
static char *ngx_http_setter_verify_token_conf(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_http_setter_verify_t *verify);
static ngx_int_t ngx_http_setter_verify_secret(ngx_conf_t *cf,
    ngx_http_setter_verify_t *verify, ngx_str_t *value);
static ngx_uint_t ngx_http_setter_verify_equal(ngx_str_t *given,
    ngx_str_t *secret);


ngx_int_t
ngx_http_setter_verify(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_verify_t *verify)
{
    ngx_str_t   given;
    ngx_uint_t  i, equal;

    if (verify->keys) {
        return ngx_http_setter_verify_key(r, ctx, verify);
    }

    if (ngx_http_complex_value(r, &verify->value, &given) != NGX_OK) {
        return NGX_ERROR;
    }

    equal = 0;

    for (i = 0; i < verify->nsecrets; i++) {
        equal |= ngx_http_setter_verify_equal(&given, &verify->secrets[i]);
    }

    return equal ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_http_setter_verify_key(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_verify_t *verify)
{
    ctx->bearer = ngx_pcalloc(r->pool, sizeof(ngx_http_setter_key_t));
    if (ctx->bearer == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_setter_key_find(r, ctx->bearer) != NGX_OK) {
        return NGX_ERROR;
    }

    switch (ctx->bearer->state) {

    case ngx_http_setter_key_good:
    case ngx_http_setter_key_unsure:
        return NGX_OK;

    case ngx_http_setter_key_absent:
        return verify->optional ? NGX_OK : NGX_DECLINED;

    default:
        return NGX_DECLINED;
    }
}


/* The time this takes tells the length of what was given and nothing else. */

static ngx_uint_t
ngx_http_setter_verify_equal(ngx_str_t *given, ngx_str_t *secret)
{
    size_t             i;
    volatile size_t    differ;

    differ = given->len ^ secret->len;

    for (i = 0; i < given->len; i++) {
        differ |= given->data[i] ^ secret->data[i % secret->len];
    }

    return differ == 0;
}


char *
ngx_http_setter_verify_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_setter_loc_conf_t *slcf = conf;

    ngx_str_t                 *value;
    ngx_http_setter_verify_t  *verify;

    if (slcf->verify != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0 && cf->args->nelts == 2) {
        slcf->verify = NULL;
        return NGX_CONF_OK;
    }

    verify = ngx_pcalloc(cf->pool, sizeof(ngx_http_setter_verify_t));
    if (verify == NULL) {
        return NGX_CONF_ERROR;
    }

    slcf->verify = verify;

    if (ngx_strcmp(value[1].data, "key") == 0) {
        return ngx_http_setter_verify_key_conf(cf, verify);
    }

    if (ngx_strcmp(value[1].data, "token") == 0) {
        return ngx_http_setter_verify_token_conf(cf, cmd, verify);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown scheme \"%V\" in \"%V\"", &value[1],
                       &cmd->name);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_setter_verify_key_conf(ngx_conf_t *cf,
    ngx_http_setter_verify_t *verify)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    verify->keys = 1;

    if (cf->args->nelts == 2) {
        return NGX_CONF_OK;
    }

    if (cf->args->nelts == 3
        && ngx_strcmp(value[2].data, "optional") == 0)
    {
        verify->optional = 1;
        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                       &value[cf->args->nelts - 1]);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_setter_verify_token_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_setter_verify_t *verify)
{
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    if (cf->args->nelts < 4) {
        return "has no secret";
    }

    if (ngx_http_setter_complex_value(cf, &value[2], &verify->value) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (verify->value.lengths == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" in \"%V\" is not a variable", &value[2],
                           &cmd->name);
        return NGX_CONF_ERROR;
    }

    for (i = 3; i < cf->args->nelts; i++) {
        if (ngx_http_setter_verify_secret(cf, verify, &value[i]) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_setter_verify_secret(ngx_conf_t *cf,
    ngx_http_setter_verify_t *verify, ngx_str_t *value)
{
    ngx_str_t  path, *secret;

    secret = &verify->secrets[verify->nsecrets++];

    if (ngx_strncmp(value->data, "file=", 5) == 0) {
        path.data = value->data + 5;
        path.len = value->len - 5;

        return ngx_http_setter_read_secret(cf, &path, secret);
    }

    if (value->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "empty secret in \"setter_verify\"");
        return NGX_ERROR;
    }

    *secret = *value;

    return NGX_OK;
}


ngx_int_t
ngx_http_setter_read_secret(ngx_conf_t *cf, ngx_str_t *path,
    ngx_str_t *secret)
{
    u_char     *last;
    ssize_t     n;
    ngx_fd_t    fd;
    ngx_str_t   name;

    name = *path;

    if (ngx_conf_full_name(cf->cycle, &name, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    secret->data = ngx_pnalloc(cf->pool, NGX_HTTP_SETTER_SECRET_SIZE);
    if (secret->data == NULL) {
        return NGX_ERROR;
    }

    fd = ngx_open_file(name.data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", &name);
        return NGX_ERROR;
    }

    n = ngx_read_fd(fd, secret->data, NGX_HTTP_SETTER_SECRET_SIZE);

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_read_fd_n " \"%V\" failed", &name);
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", &name);
    }

    if (n == -1) {
        return NGX_ERROR;
    }

    last = secret->data + n;

    while (last > secret->data && *(last - 1) <= ' ') {
        last--;
    }

    secret->len = last - secret->data;

    if (secret->len == 0 || n == NGX_HTTP_SETTER_SECRET_SIZE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is empty or too long for a secret", &name);
        return NGX_ERROR;
    }

    *last = '\0';

    return NGX_OK;
}
