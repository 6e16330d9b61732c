/*
 * The directive "setter_redis".
 */

#include "ngx_http_setter_module.h"
#include "ngx_http_setter_verify.h"


static char *ngx_http_setter_redis_url(ngx_conf_t *cf,
    ngx_http_setter_redis_t *redis, ngx_str_t *value);
static ngx_int_t ngx_http_setter_redis_userinfo(ngx_conf_t *cf,
    ngx_http_setter_redis_t *redis, ngx_str_t *info);
static ngx_int_t ngx_http_setter_redis_unescape(ngx_conf_t *cf,
    ngx_str_t *to, u_char *p, u_char *last);
static char *ngx_http_setter_redis_option(ngx_conf_t *cf,
    ngx_http_setter_redis_t *redis, ngx_str_t *value);
static ngx_int_t ngx_http_setter_redis_db(ngx_http_setter_redis_t *redis,
    u_char *data, size_t len);
static ngx_int_t ngx_http_setter_redis_msec(ngx_msec_t *msec, u_char *data,
    size_t len);
static ngx_int_t ngx_http_setter_redis_backoff(
    ngx_http_setter_redis_t *redis, u_char *data, size_t len);
static ngx_int_t ngx_http_setter_redis_count(ngx_int_t *count, u_char *data,
    size_t len);


char *
ngx_http_setter_redis_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_setter_main_conf_t *smcf = conf;

    char                     *rv;
    ngx_str_t                *value;
    ngx_uint_t                i;
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
    redis->connect_timeout = 1000;
    redis->timeout = 500;
    redis->backoff_min = 100;
    redis->backoff_max = 5000;
    redis->waiting = 10000;
    redis->max_inbox = 1000000;

    value = cf->args->elts;

    rv = ngx_http_setter_redis_url(cf, redis, &value[1]);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_http_setter_redis_option(cf, redis, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (redis->user.len && redis->password.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"setter_redis\" has a user and no password");
        return NGX_CONF_ERROR;
    }

    smcf->redis = redis;

    return NGX_CONF_OK;
}


static char *
ngx_http_setter_redis_url(ngx_conf_t *cf, ngx_http_setter_redis_t *redis,
    ngx_str_t *value)
{
    u_char     *p, *last;
    ngx_url_t   u;
    ngx_str_t   info;

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = *value;
    u.default_port = 6379;

    if (ngx_strncmp(value->data, "redis://", 8) == 0) {
        u.url.data += 8;
        u.url.len -= 8;

        last = u.url.data + u.url.len;

        /* a password may hold an "@" of its own */

        for (p = last; p > u.url.data && *(p - 1) != '@'; p--) { /* void */ }

        if (p > u.url.data) {
            info.data = u.url.data;
            info.len = p - 1 - u.url.data;

            if (ngx_http_setter_redis_userinfo(cf, redis, &info) != NGX_OK) {
                return NGX_CONF_ERROR;
            }

            u.url.data = p;
            u.url.len = last - p;
        }

        p = ngx_strlchr(u.url.data, last, '/');

        if (p) {
            if (p + 1 < last
                && ngx_http_setter_redis_db(redis, p + 1, last - p - 1)
                   != NGX_OK)
            {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid database in \"setter_redis\"");
                return NGX_CONF_ERROR;
            }

            u.url.len = p - u.url.data;
        }

    } else if (ngx_strncmp(value->data, "unix:", 5) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"setter_redis\" needs \"unix:PATH\" or "
                           "\"redis://[user:password@]host[:port][/db]\"");
        return NGX_CONF_ERROR;
    }

    if (ngx_parse_url(cf->pool, &u) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "%s in \"setter_redis\", address \"%V\"",
                           u.err ? u.err : "invalid address", &u.url);
        return NGX_CONF_ERROR;
    }

    redis->name = u.url;
    redis->addrs = u.addrs;
    redis->naddrs = u.naddrs;

    return NGX_CONF_OK;
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


static char *
ngx_http_setter_redis_option(ngx_conf_t *cf, ngx_http_setter_redis_t *redis,
    ngx_str_t *value)
{
    size_t      len;
    u_char     *p;
    ngx_int_t   rc;
    ngx_str_t   file;

    p = (u_char *) ngx_strchr(value->data, '=');

    if (p == NULL) {
        goto invalid;
    }

    p++;
    len = value->data + value->len - p;

    if (ngx_strncmp(value->data, "user=", 5) == 0) {
        redis->user.data = p;
        redis->user.len = len;
        rc = (len > 0) ? NGX_OK : NGX_ERROR;

    } else if (ngx_strncmp(value->data, "password_file=", 14) == 0) {

        if (redis->password.len) {
            return "has two passwords";
        }

        file.data = p;
        file.len = len;

        if (ngx_http_setter_read_secret(cf, &file, &redis->password)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }

        rc = NGX_OK;

    } else if (ngx_strncmp(value->data, "db=", 3) == 0) {
        rc = ngx_http_setter_redis_db(redis, p, len);

    } else if (ngx_strncmp(value->data, "connect_timeout=", 16) == 0) {
        rc = ngx_http_setter_redis_msec(&redis->connect_timeout, p, len);

    } else if (ngx_strncmp(value->data, "timeout=", 8) == 0) {
        rc = ngx_http_setter_redis_msec(&redis->timeout, p, len);

    } else if (ngx_strncmp(value->data, "backoff=", 8) == 0) {
        rc = ngx_http_setter_redis_backoff(redis, p, len);

    } else if (ngx_strncmp(value->data, "waiting=", 8) == 0) {
        rc = ngx_http_setter_redis_count(&redis->waiting, p, len);

    } else if (ngx_strncmp(value->data, "inbox=", 6) == 0) {
        rc = ngx_http_setter_redis_count(&redis->max_inbox, p, len);

    } else {
        goto invalid;
    }

    if (rc == NGX_OK) {
        return NGX_CONF_OK;
    }

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                       value);

    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_setter_redis_db(ngx_http_setter_redis_t *redis, u_char *data,
    size_t len)
{
    if (ngx_atoi(data, len) == NGX_ERROR) {
        return NGX_ERROR;
    }

    redis->db.data = data;
    redis->db.len = len;

    return NGX_OK;
}


static ngx_int_t
ngx_http_setter_redis_msec(ngx_msec_t *msec, u_char *data, size_t len)
{
    ngx_int_t  n;
    ngx_str_t  s;

    s.data = data;
    s.len = len;

    n = ngx_parse_time(&s, 0);

    if (n == NGX_ERROR || n == 0) {
        return NGX_ERROR;
    }

    *msec = n;

    return NGX_OK;
}


static ngx_int_t
ngx_http_setter_redis_backoff(ngx_http_setter_redis_t *redis, u_char *data,
    size_t len)
{
    u_char  *p;

    p = ngx_strlchr(data, data + len, ',');

    if (p == NULL
        || ngx_http_setter_redis_msec(&redis->backoff_min, data, p - data)
           != NGX_OK
        || ngx_http_setter_redis_msec(&redis->backoff_max, p + 1,
                                      data + len - p - 1)
           != NGX_OK
        || redis->backoff_min > redis->backoff_max)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_setter_redis_count(ngx_int_t *count, u_char *data, size_t len)
{
    ngx_int_t  n;

    n = ngx_atoi(data, len);

    if (n == NGX_ERROR || n == 0) {
        return NGX_ERROR;
    }

    *count = n;

    return NGX_OK;
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
