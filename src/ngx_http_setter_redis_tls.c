/*
 * TLS to Redis: nginx's own, where nginx has it.
 */

#include "ngx_http_setter_module.h"


static ngx_int_t ngx_http_setter_tls_parameters(ngx_conf_t *cf,
    ngx_http_setter_redis_t *redis);
static ngx_int_t ngx_http_setter_tls_create(ngx_conf_t *cf,
    ngx_http_setter_redis_t *redis);

#if (NGX_HTTP_SSL)

/* holds what nginx allocates of a connection: one structure */
#define NGX_HTTP_SETTER_TLS_POOL   512

/* certificates between Redis's and the authority's: as many as OpenSSL has */
#define NGX_HTTP_SETTER_TLS_DEPTH  100


static ngx_int_t ngx_http_setter_tls_files(ngx_conf_t *cf,
    ngx_http_setter_redis_t *redis);
static ngx_int_t ngx_http_setter_tls_name(ngx_conf_t *cf,
    ngx_http_setter_redis_t *redis);
static ngx_int_t ngx_http_setter_tls_start(ngx_http_setter_redis_t *redis);
static ngx_int_t ngx_http_setter_tls_expect(ngx_http_setter_redis_t *redis,
    ngx_ssl_conn_t *ssl);
static void ngx_http_setter_tls_overhear(ngx_log_t *log, ngx_uint_t level,
    u_char *buf, size_t len);
static void ngx_http_setter_tls_verdict(ngx_http_setter_redis_t *redis);

#endif


ngx_int_t
ngx_http_setter_tls_conf(ngx_conf_t *cf, ngx_http_setter_redis_t *redis)
{
    if (ngx_http_setter_tls_parameters(cf, redis) != NGX_OK) {
        return NGX_ERROR;
    }

    if (redis->tls) {
        return ngx_http_setter_tls_create(cf, redis);
    }

    return NGX_OK;
}


/* Who sets up TLS believes to have it. */

static ngx_int_t
ngx_http_setter_tls_parameters(ngx_conf_t *cf,
    ngx_http_setter_redis_t *redis)
{
    char  *name;

    name = redis->ca.len ? "ca=" : redis->tls_name.len ? "name="
           : redis->cert.len ? "cert=" : redis->key.len ? "key=" : NULL;

    if (name && !redis->tls) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"setter_redis\" takes \"%s\" only with "
                           "\"rediss://\"", name);
        return NGX_ERROR;
    }

    if ((redis->cert.len == 0) != (redis->key.len == 0)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"setter_redis\" takes \"cert=\" and \"key=\" "
                           "only together");
        return NGX_ERROR;
    }

    return NGX_OK;
}


#if (NGX_HTTP_SSL)

static ngx_int_t
ngx_http_setter_tls_create(ngx_conf_t *cf, ngx_http_setter_redis_t *redis)
{
    ngx_pool_cleanup_t  *cln;

    redis->ssl = ngx_pcalloc(cf->pool, sizeof(ngx_ssl_t));
    if (redis->ssl == NULL) {
        return NGX_ERROR;
    }

    redis->ssl->log = cf->log;

    if (ngx_ssl_create(redis->ssl, NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3, NULL)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(redis->ssl);
        return NGX_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = redis->ssl;

    if (ngx_http_setter_tls_files(cf, redis) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_setter_tls_name(cf, redis);
}


static ngx_int_t
ngx_http_setter_tls_files(ngx_conf_t *cf, ngx_http_setter_redis_t *redis)
{
    SSL_CTX  *ctx;

    ctx = redis->ssl->ctx;

    if (redis->ca.len) {
        if (ngx_ssl_trusted_certificate(cf, redis->ssl, &redis->ca,
                                        NGX_HTTP_SETTER_TLS_DEPTH)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

    } else if (SSL_CTX_set_default_verify_paths(ctx) == 0) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "SSL_CTX_set_default_verify_paths() failed");
        return NGX_ERROR;
    }

    /* what is wrong ends the handshake: nothing is said to a stranger */

    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);

#ifdef SSL_OP_NO_RENEGOTIATION
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
#endif

    if (redis->cert.len == 0) {
        return NGX_OK;
    }

    return ngx_ssl_certificate(cf, redis->ssl, &redis->cert, &redis->key,
                               NULL);
}


/* The name to look for in the certificate, NUL-terminated for OpenSSL. */

static ngx_int_t
ngx_http_setter_tls_name(ngx_conf_t *cf, ngx_http_setter_redis_t *redis)
{
    u_char     *p, addr[16];
    ngx_str_t   name;

    name = redis->tls_name.len ? redis->tls_name : redis->host;

    if (name.len && name.data[0] == '[') {
        name.data++;
        name.len -= 2;
    }

    p = ngx_pnalloc(cf->pool, name.len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn(p, name.data, name.len + 1);

    redis->tls_name.data = p;
    redis->tls_name.len = name.len;

    redis->tls_address = (ngx_inet_addr(p, name.len) != INADDR_NONE);

#if (NGX_HAVE_INET6)
    if (ngx_inet6_addr(p, name.len, addr) == NGX_OK) {
        redis->tls_address = 1;
    }
#endif

    return NGX_OK;
}


/*
 * Begins the handshake, or goes on with it.  nginx would have handlers of its
 * own called meanwhile; ours know of a time-out and of nginx quitting.
 */

ngx_int_t
ngx_http_setter_tls_handshake(ngx_http_setter_redis_t *redis)
{
    ngx_int_t              rc;
    ngx_connection_t      *c;
    ngx_event_handler_pt   read, write;

    c = redis->connection;

    if (c->ssl == NULL && ngx_http_setter_tls_start(redis) != NGX_OK) {
        (void) ngx_cpystrn((u_char *) redis->failure,
                           (u_char *) "cannot start TLS",
                           sizeof(redis->failure));
        return NGX_ERROR;
    }

    read = c->read->handler;
    write = c->write->handler;

    rc = ngx_ssl_handshake(c);

    c->read->handler = read;
    c->write->handler = write;

    if (rc == NGX_ERROR) {
        ngx_http_setter_tls_verdict(redis);
    }

    return rc;
}


static ngx_int_t
ngx_http_setter_tls_start(ngx_http_setter_redis_t *redis)
{
    ngx_log_t         *log;
    ngx_connection_t  *c;

    c = redis->connection;

    c->pool = ngx_create_pool(NGX_HTTP_SETTER_TLS_POOL, redis->log);
    if (c->pool == NULL) {
        return NGX_ERROR;
    }

    /* nginx says in the log what fails: it becomes our one line a change */

    log = &redis->overhear;

    ngx_memzero(log, sizeof(ngx_log_t));

    log->log_level = NGX_LOG_INFO;
    log->writer = ngx_http_setter_tls_overhear;
    log->wdata = redis;

    c->log = log;
    redis->overheard[0] = '\0';

    if (ngx_ssl_create_connection(redis->ssl, c, NGX_SSL_CLIENT) != NGX_OK) {
        return NGX_ERROR;
    }

    /* what is left of a write may have more behind it, and have moved */

    SSL_set_mode(c->ssl->connection, SSL_MODE_ENABLE_PARTIAL_WRITE
                                     |SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);

    return ngx_http_setter_tls_expect(redis, c->ssl->connection);
}


/* An address is looked for among the certificate's, and is not announced. */

static ngx_int_t
ngx_http_setter_tls_expect(ngx_http_setter_redis_t *redis,
    ngx_ssl_conn_t *ssl)
{
    char               *name;
    X509_VERIFY_PARAM  *param;

    name = (char *) redis->tls_name.data;
    param = SSL_get0_param(ssl);

    if (redis->tls_address) {
        return X509_VERIFY_PARAM_set1_ip_asc(param, name) ? NGX_OK
                                                          : NGX_ERROR;
    }

    X509_VERIFY_PARAM_set_hostflags(param,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);

    return (X509_VERIFY_PARAM_set1_host(param, name, 0)
            && SSL_set_tlsext_host_name(ssl, name))
           ? NGX_OK : NGX_ERROR;
}


/* "TIME [LEVEL] PROCESS#THREAD: " and what we are after */

static void
ngx_http_setter_tls_overhear(ngx_log_t *log, ngx_uint_t level, u_char *buf,
    size_t len)
{
    size_t                    size;
    u_char                   *p;
    ngx_http_setter_redis_t  *redis;

    redis = log->wdata;

    p = ngx_strnstr(buf, ": ", len);

    if (p == NULL) {
        return;
    }

    p += 2;
    size = ngx_min((size_t) (buf + len - p) + 1, sizeof(redis->overheard));

    (void) ngx_cpystrn((u_char *) redis->overheard, p, size);
}


static void
ngx_http_setter_tls_verdict(ngx_http_setter_redis_t *redis)
{
    long     verdict;
    u_char  *p, *last;

    p = (u_char *) redis->failure;
    last = p + sizeof(redis->failure) - 1;

    verdict = SSL_get_verify_result(redis->connection->ssl->connection);

    switch (verdict) {

    case X509_V_OK:
        p = ngx_slprintf(p, last, "%s", redis->overheard[0]
                                        ? redis->overheard
                                        : "reset in SSL handshake");
        break;

    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        p = ngx_slprintf(p, last, "the certificate is not for host %V",
                         &redis->tls_name);
        break;

    default:
        p = ngx_slprintf(p, last, "certificate verify failed: %s",
                         X509_verify_cert_error_string(verdict));
    }

    *p = '\0';
}


/* A server that refuses us says why, and is gone when we write. */

const char *
ngx_http_setter_tls_reason(ngx_http_setter_redis_t *redis,
    const char *reason)
{
    u_char             byte;
    ngx_connection_t  *c;

    c = redis->connection;

    if (c->log != &redis->overhear) {
        return reason;
    }

    if (!c->read->error) {
        (void) c->recv(c, &byte, 1);
    }

    return redis->overheard[0] ? redis->overheard : reason;
}


void
ngx_http_setter_tls_stop(ngx_connection_t *c)
{
    if (c->ssl == NULL) {
        return;
    }

    c->ssl->no_wait_shutdown = 1;

    if (ngx_ssl_shutdown(c) == NGX_AGAIN) {

        /* there is no room for a good-bye */

        c->error = 1;

        (void) ngx_ssl_shutdown(c);
    }
}

#else

static ngx_int_t
ngx_http_setter_tls_create(ngx_conf_t *cf, ngx_http_setter_redis_t *redis)
{
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"rediss://\" in \"setter_redis\" needs nginx and "
                       "this module built with http_ssl_module");
    return NGX_ERROR;
}


ngx_int_t
ngx_http_setter_tls_handshake(ngx_http_setter_redis_t *redis)
{
    return NGX_OK;
}


const char *
ngx_http_setter_tls_reason(ngx_http_setter_redis_t *redis,
    const char *reason)
{
    return reason;
}


void
ngx_http_setter_tls_stop(ngx_connection_t *c)
{
}

#endif
