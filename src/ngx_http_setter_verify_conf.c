/*
 * "setter_verify": its schemes and their parameters.
 */

#include "ngx_http_setter_verify.h"


#define NGX_HTTP_SETTER_SECRET_SIZE  4096


static char *ngx_http_setter_verify_scheme_conf(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_http_setter_verify_t *verify);
static char *ngx_http_setter_verify_key_conf(ngx_conf_t *cf,
    ngx_http_setter_verify_t *verify);
static char *ngx_http_setter_verify_value_conf(ngx_conf_t *cf,
    ngx_command_t *cmd, ngx_http_setter_verify_t *verify);
static char *ngx_http_setter_verify_meta_conf(ngx_conf_t *cf,
    ngx_http_setter_verify_t *verify);
static char *ngx_http_setter_verify_twilio_conf(ngx_conf_t *cf,
    ngx_http_setter_verify_t *verify);
static char *ngx_http_setter_verify_users_conf(ngx_conf_t *cf,
    ngx_http_setter_verify_t *verify);
static char *ngx_http_setter_verify_rest(ngx_conf_t *cf,
    ngx_http_setter_verify_t *verify, ngx_uint_t from);
static ngx_int_t ngx_http_setter_verify_option(ngx_conf_t *cf,
    ngx_http_setter_verify_t *verify, ngx_str_t *value);
static ngx_int_t ngx_http_setter_verify_token(ngx_conf_t *cf,
    ngx_http_setter_verify_t *verify, ngx_str_t *value);
static ngx_int_t ngx_http_setter_verify_channel(ngx_conf_t *cf,
    ngx_http_setter_verify_t *verify);
static ngx_int_t ngx_http_setter_verify_secret(ngx_conf_t *cf,
    ngx_str_t *value, ngx_str_t *secret);
static ngx_uint_t ngx_http_setter_begins(ngx_str_t *value, char *name);


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

    return ngx_http_setter_verify_scheme_conf(cf, cmd, verify);
}


static char *
ngx_http_setter_verify_scheme_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_setter_verify_t *verify)
{
    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "key") == 0) {
        return ngx_http_setter_verify_key_conf(cf, verify);
    }

    if (ngx_strcmp(value[1].data, "token") == 0) {
        verify->scheme = ngx_http_setter_verify_tokens;
        return ngx_http_setter_verify_value_conf(cf, cmd, verify);
    }

    if (ngx_strcmp(value[1].data, "hmac") == 0) {
        verify->scheme = ngx_http_setter_verify_signatures;
        verify->sign.hash = SETTER_SIGN_SHA256;
        return ngx_http_setter_verify_value_conf(cf, cmd, verify);
    }

    if (ngx_strcmp(value[1].data, "meta") == 0) {
        return ngx_http_setter_verify_meta_conf(cf, verify);
    }

    if (ngx_strcmp(value[1].data, "twilio") == 0) {
        return ngx_http_setter_verify_twilio_conf(cf, verify);
    }

    if (ngx_strcmp(value[1].data, "basic") == 0) {
        return ngx_http_setter_verify_users_conf(cf, verify);
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "unknown scheme \"%V\" in \"%V\"", &value[1],
                       &cmd->name);

    return NGX_CONF_ERROR;
}


/* "key [optional] [admin=SECRET] [admin=SECRET]" */

static char *
ngx_http_setter_verify_key_conf(ngx_conf_t *cf,
    ngx_http_setter_verify_t *verify)
{
    ngx_str_t   *value, admin;
    ngx_uint_t   i;

    value = cf->args->elts;

    verify->scheme = ngx_http_setter_verify_keys;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "optional") == 0) {
            verify->optional = 1;
            continue;
        }

        if (!ngx_http_setter_begins(&value[i], "admin=")
            || verify->nsecrets == NGX_HTTP_SETTER_MAX_SECRETS)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        admin.data = value[i].data + sizeof("admin=") - 1;
        admin.len = value[i].len - (sizeof("admin=") - 1);

        if (ngx_http_setter_verify_secret(cf, &admin,
                                     &verify->secrets[verify->nsecrets++])
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* "token VALUE SECRET [SECRET]", "hmac VALUE SECRET [SECRET] [parameters]" */

static char *
ngx_http_setter_verify_value_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    ngx_http_setter_verify_t *verify)
{
    ngx_str_t  *value;

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

    return ngx_http_setter_verify_rest(cf, verify, 3);
}


/* "meta SECRET [SECRET] [channel] [handshake=TOKEN]" */

static char *
ngx_http_setter_verify_meta_conf(ngx_conf_t *cf,
    ngx_http_setter_verify_t *verify)
{
    ngx_str_t                  header;
    static const setter_sign_t  sign = {
        SETTER_SIGN_SHA256, SETTER_SIGN_HEX, setter_str("sha256=")
    };

    ngx_str_set(&header, "$http_x_hub_signature_256");

    if (ngx_http_setter_complex_value(cf, &header, &verify->value) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    verify->scheme = ngx_http_setter_verify_signatures;
    verify->meta = 1;
    verify->sign = sign;

    return ngx_http_setter_verify_rest(cf, verify, 2);
}


/* "twilio URL SECRET [SECRET] [channel]" */

static char *
ngx_http_setter_verify_twilio_conf(ngx_conf_t *cf,
    ngx_http_setter_verify_t *verify)
{
    ngx_str_t  *value, header;

    value = cf->args->elts;

    if (cf->args->nelts < 4
        || (!ngx_http_setter_begins(&value[2], "http://")
            && !ngx_http_setter_begins(&value[2], "https://")))
    {
        return "needs the URL that Twilio was given, and a secret";
    }

    verify->url = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (verify->url == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_str_set(&header, "$http_x_twilio_signature");

    if (ngx_http_setter_complex_value(cf, &value[2], verify->url) != NGX_OK
        || ngx_http_setter_complex_value(cf, &header, &verify->value)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    verify->scheme = ngx_http_setter_verify_signatures;

    return ngx_http_setter_verify_rest(cf, verify, 3);
}


/* "basic USER:PASSWORD [USER:PASSWORD]" */

static char *
ngx_http_setter_verify_users_conf(ngx_conf_t *cf,
    ngx_http_setter_verify_t *verify)
{
    char        *rc;
    ngx_uint_t   i;

    verify->scheme = ngx_http_setter_verify_users;

    rc = ngx_http_setter_verify_rest(cf, verify, 2);

    if (rc != NGX_CONF_OK) {
        return rc;
    }

    for (i = 0; i < verify->nsecrets; i++) {
        if (ngx_strlchr(verify->secrets[i].data,
                        verify->secrets[i].data + verify->secrets[i].len, ':')
            == NULL)
        {
            return "has a secret that is no \"user:password\"";
        }
    }

    return NGX_CONF_OK;
}


/* Secrets and parameters, in any order. */

static char *
ngx_http_setter_verify_rest(ngx_conf_t *cf, ngx_http_setter_verify_t *verify,
    ngx_uint_t from)
{
    ngx_int_t    rc;
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = from; i < cf->args->nelts; i++) {
        rc = ngx_http_setter_verify_option(cf, verify, &value[i]);

        if (rc == NGX_OK) {
            continue;
        }

        if (rc == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        if (verify->nsecrets == NGX_HTTP_SETTER_MAX_SECRETS) {
            return "has more than two secrets";
        }

        if (ngx_http_setter_verify_secret(cf, &value[i],
                                     &verify->secrets[verify->nsecrets++])
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return (verify->nsecrets || verify->channel) ? NGX_CONF_OK
                                                 : "has no secret";
}


/* NGX_DECLINED: it is none, but a secret. */

static ngx_int_t
ngx_http_setter_verify_option(ngx_conf_t *cf,
    ngx_http_setter_verify_t *verify, ngx_str_t *value)
{
    ngx_uint_t  i;

    static const struct {
        char                    *text;
        setter_sign_hash_e       hash;
    } hashes[] = {
        { "algorithm=sha1", SETTER_SIGN_SHA1 },
        { "algorithm=sha256", SETTER_SIGN_SHA256 },
        { "algorithm=sha512", SETTER_SIGN_SHA512 }
    };

    if (verify->scheme != ngx_http_setter_verify_signatures) {
        return NGX_DECLINED;
    }

    if (ngx_strcmp(value->data, "channel") == 0) {
        return ngx_http_setter_verify_channel(cf, verify);
    }

    if (verify->meta) {
        return ngx_http_setter_verify_token(cf, verify, value);
    }

    if (verify->url) {
        return NGX_DECLINED;
    }

    if (ngx_http_setter_begins(value, "prefix=")) {
        verify->sign.prefix.data = (char *) value->data + sizeof("prefix=") - 1;
        verify->sign.prefix.len = value->len - (sizeof("prefix=") - 1);
        return NGX_OK;
    }

    if (ngx_http_setter_begins(value, "encoding=")) {
        verify->sign.encoding = (ngx_strcmp(value->data, "encoding=base64")
                                 == 0) ? SETTER_SIGN_BASE64 : SETTER_SIGN_HEX;

        return (verify->sign.encoding == SETTER_SIGN_BASE64
                || ngx_strcmp(value->data, "encoding=hex") == 0)
               ? NGX_OK : NGX_ERROR;
    }

    if (!ngx_http_setter_begins(value, "algorithm=")) {
        return NGX_DECLINED;
    }

    for (i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
        if (ngx_strcmp(value->data, hashes[i].text) == 0) {
            verify->sign.hash = hashes[i].hash;
            return NGX_OK;
        }
    }

    return NGX_ERROR;
}


/* "handshake=TOKEN" */

static ngx_int_t
ngx_http_setter_verify_token(ngx_conf_t *cf,
    ngx_http_setter_verify_t *verify, ngx_str_t *value)
{
    ngx_str_t  token;

    if (!ngx_http_setter_begins(value, "handshake=")) {
        return NGX_DECLINED;
    }

    token.data = value->data + sizeof("handshake=") - 1;
    token.len = value->len - (sizeof("handshake=") - 1);

    return (verify->handshake.len == 0)
               ? ngx_http_setter_verify_secret(cf, &token, &verify->handshake)
               : NGX_ERROR;
}


/* Secrets of tenants' channels need a key to open them with. */

static ngx_int_t
ngx_http_setter_verify_channel(ngx_conf_t *cf,
    ngx_http_setter_verify_t *verify)
{
    ngx_http_setter_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_setter_module);

    if (smcf->signing == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no \"setter_signing_key\" before \"channel\"");
        return NGX_ERROR;
    }

    verify->channel = 1;

    return NGX_OK;
}


static ngx_uint_t
ngx_http_setter_begins(ngx_str_t *value, char *name)
{
    return ngx_strncmp(value->data, name, ngx_strlen(name)) == 0;
}


static ngx_int_t
ngx_http_setter_verify_secret(ngx_conf_t *cf, ngx_str_t *value,
    ngx_str_t *secret)
{
    ngx_str_t  path;

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
