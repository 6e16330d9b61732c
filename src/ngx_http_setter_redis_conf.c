/*
 * The directive "setter_redis".
 */

#include "ngx_http_setter_module.h"
#include "ngx_http_setter_option.h"
#include "ngx_http_setter_verify.h"


static char *ngx_http_setter_redis_url(ngx_conf_t *cf,
    ngx_http_setter_redis_t *redis, ngx_str_t *value);
static ngx_int_t ngx_http_setter_redis_authority(ngx_conf_t *cf,
    ngx_http_setter_redis_t *redis, ngx_str_t *url);
static ngx_int_t ngx_http_setter_redis_userinfo(ngx_conf_t *cf,
    ngx_http_setter_redis_t *redis, ngx_str_t *info);
static ngx_int_t ngx_http_setter_redis_unescape(ngx_conf_t *cf,
    ngx_str_t *to, u_char *p, u_char *last);
static ngx_int_t ngx_http_setter_option_secret(ngx_conf_t *cf, void *field,
    ngx_str_t *value);
static ngx_int_t ngx_http_setter_option_db(ngx_conf_t *cf, void *field,
    ngx_str_t *value);
static ngx_int_t ngx_http_setter_option_backoff(ngx_conf_t *cf, void *field,
    ngx_str_t *value);


static ngx_http_setter_option_t  ngx_http_setter_redis_options[] = {

    { ngx_string("user="),
      offsetof(ngx_http_setter_redis_t, user),
      ngx_http_setter_option_text },

    { ngx_string("password_file="),
      offsetof(ngx_http_setter_redis_t, password),
      ngx_http_setter_option_secret },

    { ngx_string("db="),
      offsetof(ngx_http_setter_redis_t, db),
      ngx_http_setter_option_db },

    { ngx_string("ca="),
      offsetof(ngx_http_setter_redis_t, ca),
      ngx_http_setter_option_text },

    { ngx_string("name="),
      offsetof(ngx_http_setter_redis_t, tls_name),
      ngx_http_setter_option_text },

    { ngx_string("cert="),
      offsetof(ngx_http_setter_redis_t, cert),
      ngx_http_setter_option_text },

    { ngx_string("key="),
      offsetof(ngx_http_setter_redis_t, key),
      ngx_http_setter_option_text },

    { ngx_string("connect_timeout="),
      offsetof(ngx_http_setter_redis_t, connect_timeout),
      ngx_http_setter_option_msec },

    { ngx_string("timeout="),
      offsetof(ngx_http_setter_redis_t, timeout),
      ngx_http_setter_option_msec },

    { ngx_string("backoff="),
      offsetof(ngx_http_setter_redis_t, backoff_range),
      ngx_http_setter_option_backoff },

    { ngx_string("waiting="),
      offsetof(ngx_http_setter_redis_t, waiting),
      ngx_http_setter_option_count },

    { ngx_string("inbox="),
      offsetof(ngx_http_setter_redis_t, max_inbox),
      ngx_http_setter_option_count },

    { ngx_null_string, 0, NULL }
};


char *
ngx_http_setter_redis_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_setter_main_conf_t *smcf = conf;

    char                     *rv;
    ngx_str_t                *value;
    ngx_http_setter_redis_t  *redis;

    if (smcf->redis) {
        return "is duplicate";
    }

    redis = ngx_pcalloc(cf->pool, sizeof(ngx_http_setter_redis_t));
    if (redis == NULL) {
        return NGX_CONF_ERROR;
    }

    redis->conf = smcf;
    redis->ident = -1;
    redis->note = "";
    redis->connect_timeout = 1000;
    redis->timeout = 500;
    redis->backoff_range[0] = 100;
    redis->backoff_range[1] = 5000;
    redis->waiting = 10000;
    redis->max_inbox = 1000000;

    value = cf->args->elts;

    rv = ngx_http_setter_redis_url(cf, redis, &value[1]);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    if (ngx_http_setter_options(cf, ngx_http_setter_redis_options, redis)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (redis->user.len && redis->password.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"setter_redis\" has a user and no password");
        return NGX_CONF_ERROR;
    }

    if (ngx_http_setter_tls_conf(cf, redis) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    smcf->redis = redis;

    return NGX_CONF_OK;
}


static char *
ngx_http_setter_redis_url(ngx_conf_t *cf, ngx_http_setter_redis_t *redis,
    ngx_str_t *value)
{
    size_t     scheme;
    ngx_url_t  u;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *value;
    u.default_port = 6379;

    redis->tls = (ngx_strncmp(value->data, "rediss://", 9) == 0);

    if (redis->tls || ngx_strncmp(value->data, "redis://", 8) == 0) {
        scheme = redis->tls ? 9 : 8;

        u.url.data += scheme;
        u.url.len -= scheme;

        if (ngx_http_setter_redis_authority(cf, redis, &u.url) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

    } else if (ngx_strncmp(value->data, "unix:", 5) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"setter_redis\" needs \"unix:PATH\" or "
                           "\"redis[s]://[user:password@]host[:port][/db]\"");
        return NGX_CONF_ERROR;
    }

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in \"setter_redis\", address \"%V\"",
                           u.err ? u.err : "invalid address", &u.url);
        return NGX_CONF_ERROR;
    }

    redis->name = u.url;
    redis->host = u.host;
    redis->addrs = u.addrs;
    redis->naddrs = u.naddrs;

    return NGX_CONF_OK;
}


/* Leaves the host and port of "user:password@host:port/db" in url. */

static ngx_int_t
ngx_http_setter_redis_authority(ngx_conf_t *cf,
    ngx_http_setter_redis_t *redis, ngx_str_t *url)
{
    u_char     *p, *last;
    ngx_str_t   info, db;

    last = url->data + url->len;

    /* a password may hold an "@" of its own */

    for (p = last; p > url->data && *(p - 1) != '@'; p--) { /* void */ }

    if (p > url->data) {
        info.data = url->data;
        info.len = p - 1 - url->data;

        if (ngx_http_setter_redis_userinfo(cf, redis, &info) != NGX_OK) {
            return NGX_ERROR;
        }

        url->data = p;
        url->len = last - p;
    }

    p = ngx_strlchr(url->data, last, '/');

    if (p != NULL) {
        url->len = p++ - url->data;

        db.data = p;
        db.len = last - p;

        if (db.len
            && ngx_http_setter_option_db(cf, &redis->db, &db) != NGX_OK)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid database in \"setter_redis\"");
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_setter_redis_userinfo(ngx_conf_t *cf,
    ngx_http_setter_redis_t *redis, ngx_str_t *info)
{
    u_char  *p, *last;

    last = info->data + info->len;

    p = ngx_strlchr(info->data, last, ':');

    if (p == NULL) {
        return ngx_http_setter_redis_unescape(cf, &redis->user, info->data,
                                              last);
    }

    if (ngx_http_setter_redis_unescape(cf, &redis->user, info->data, p)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_setter_redis_unescape(cf, &redis->password, p + 1, last);
}


static ngx_int_t
ngx_http_setter_redis_unescape(ngx_conf_t *cf, ngx_str_t *to, u_char *p,
    u_char *last)
{
    u_char  *dst;

    dst = ngx_pnalloc(cf->pool, last - p + 1);
    if (dst == NULL) {
        return NGX_ERROR;
    }

    to->data = dst;

    ngx_unescape_uri(&dst, &p, last - p, 0);

    *dst = '\0';
    to->len = dst - to->data;

    return NGX_OK;
}


static ngx_int_t
ngx_http_setter_option_secret(ngx_conf_t *cf, void *field, ngx_str_t *value)
{
    ngx_str_t *secret = field;

    if (secret->len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"setter_redis\" has two passwords");
        return NGX_ERROR;
    }

    return ngx_http_setter_read_secret(cf, value, secret);
}


static ngx_int_t
ngx_http_setter_option_db(ngx_conf_t *cf, void *field, ngx_str_t *value)
{
    *(ngx_str_t *) field = *value;

    return (ngx_atoi(value->data, value->len) != NGX_ERROR) ? NGX_OK
                                                            : NGX_ERROR;
}


static ngx_int_t
ngx_http_setter_option_backoff(ngx_conf_t *cf, void *field, ngx_str_t *value)
{
    ngx_msec_t *range = field;

    u_char     *p, *last;
    ngx_str_t   min, max;

    last = value->data + value->len;

    p = ngx_strlchr(value->data, last, ',');

    if (p == NULL) {
        return NGX_ERROR;
    }

    min.data = value->data;
    min.len = p - value->data;
    max.data = p + 1;
    max.len = last - max.data;

    if (ngx_http_setter_option_msec(cf, &range[0], &min) != NGX_OK
        || ngx_http_setter_option_msec(cf, &range[1], &max) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return (range[0] <= range[1]) ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_setter_redis_inboxes(ngx_conf_t *cf, ngx_http_setter_redis_t *redis)
{
    u_char                   *key;
    ngx_uint_t                i, n;
    ngx_http_setter_inbox_t  *inbox;

    n = redis->conf->partitions;

    inbox = ngx_pcalloc(cf->pool, n * sizeof(ngx_http_setter_inbox_t));
    if (inbox == NULL) {
        return NGX_ERROR;
    }

    redis->inboxes = inbox;

    for (i = 0; i < n; i++) {
        key = ngx_pnalloc(cf->pool, SETTER_KEY_MAX);
        if (key == NULL) {
            return NGX_ERROR;
        }

        inbox[i].redis = redis;
        inbox[i].key.data = key;
        inbox[i].key.len = setter_partition_key((char *) key, i, n, "inbox");
    }

    return NGX_OK;
}
