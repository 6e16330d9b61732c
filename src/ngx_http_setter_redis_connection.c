/*
 * The socket to Redis: connecting, TLS where it is wanted, moving bytes.
 */

#include "ngx_http_setter_module.h"


#define NGX_HTTP_SETTER_READ  16384


static void ngx_http_setter_redis_unconnected(ngx_http_setter_redis_t *redis,
    ngx_err_t err);
static void ngx_http_setter_redis_connected(ngx_http_setter_redis_t *redis);
static void ngx_http_setter_redis_secure(ngx_http_setter_redis_t *redis);
static void ngx_http_setter_redis_write(ngx_event_t *wev);
static void ngx_http_setter_redis_read(ngx_event_t *rev);
static const char *ngx_http_setter_redis_take(ngx_http_setter_redis_t *redis,
    char *buf, ssize_t n);
static ngx_int_t ngx_http_setter_redis_advance(
    ngx_http_setter_redis_t *redis);
static ngx_err_t ngx_http_setter_redis_test_connect(ngx_connection_t *c);
static void ngx_http_setter_redis_rest(ngx_http_setter_redis_t *redis);


void
ngx_http_setter_redis_connect(ngx_http_setter_redis_t *redis)
{
    ngx_int_t               rc;
    ngx_err_t               err;
    ngx_addr_t             *addr;
    ngx_connection_t       *c;
    ngx_peer_connection_t  *pc;

    addr = &redis->addrs[redis->addr];
    redis->addr = (redis->addr + 1) % redis->naddrs;

    pc = &redis->peer;

    ngx_memzero(pc, sizeof(ngx_peer_connection_t));

    pc->sockaddr = addr->sockaddr;
    pc->socklen = addr->socklen;
    pc->name = &redis->name;
    pc->get = ngx_event_get_peer;
    pc->log = &redis->quiet;
    pc->log_error = NGX_ERROR_IGNORE_ECONNRESET;
    pc->so_keepalive = 1;

    redis->state = ngx_http_setter_redis_connecting;

    rc = ngx_event_connect_peer(pc);
    err = ngx_socket_errno;

    c = pc->connection;
    redis->connection = c;

    if (rc == NGX_ERROR) {
        ngx_http_setter_redis_lost(redis, "no socket or connection is free");
        return;
    }

    if (rc == NGX_DECLINED) {
        ngx_http_setter_redis_unconnected(redis, err);
        return;
    }

    c->data = redis;
    c->log = redis->log;
    c->read->log = redis->log;
    c->write->log = redis->log;
    c->read->handler = ngx_http_setter_redis_read;
    c->write->handler = ngx_http_setter_redis_write;
    c->write->cancelable = 1;
    c->idle = (redis->nops == 0);

    ngx_add_timer(c->write, redis->connect_timeout);

    if (rc == NGX_OK) {
        ngx_http_setter_redis_connected(redis);
    }
}


static void
ngx_http_setter_redis_unconnected(ngx_http_setter_redis_t *redis,
    ngx_err_t err)
{
    u_char  *p, reason[sizeof(redis->reported)];

    p = ngx_cpymem(reason, "connect(): ", 11);
    p = ngx_strerror(err, p, sizeof(reason) - 12);
    *p = '\0';

    ngx_http_setter_redis_lost(redis, (char *) reason);
}


static void
ngx_http_setter_redis_connected(ngx_http_setter_redis_t *redis)
{
    ngx_connection_t  *c;

    c = redis->connection;

    if (c->tcp_nodelay == NGX_TCP_NODELAY_UNSET
        && ngx_tcp_nodelay(c) != NGX_OK)
    {
        ngx_http_setter_redis_lost(redis, "setsockopt() failed");
        return;
    }

    redis->state = ngx_http_setter_redis_securing;

    ngx_http_setter_redis_secure(redis);
}


/* Without TLS there is nothing to wait for. */

static void
ngx_http_setter_redis_secure(ngx_http_setter_redis_t *redis)
{
    ngx_int_t  rc;

    rc = redis->tls ? ngx_http_setter_tls_handshake(redis) : NGX_OK;

    if (rc == NGX_AGAIN) {
        return;
    }

    if (rc == NGX_ERROR) {
        ngx_http_setter_redis_lost(redis, redis->failure);
        return;
    }

    redis->state = ngx_http_setter_redis_handshake;
    redis->failure[0] = '\0';

    if (ngx_http_setter_handshake(redis) != NGX_OK) {
        ngx_http_setter_redis_lost(redis, "no memory for the handshake");
    }
}


void
ngx_http_setter_redis_hang_up(ngx_http_setter_redis_t *redis)
{
    ngx_pool_t        *pool;
    ngx_connection_t  *c;

    c = redis->connection;

    if (c == NULL) {
        return;
    }

    redis->connection = NULL;

    ngx_http_setter_tls_stop(c);

    pool = c->pool;

    ngx_close_connection(c);

    if (pool) {
        ngx_destroy_pool(pool);
    }
}


static void
ngx_http_setter_redis_write(ngx_event_t *wev)
{
    size_t                    size;
    ssize_t                   n;
    const char               *data;
    ngx_connection_t         *c;
    ngx_http_setter_redis_t  *redis;

    c = wev->data;
    redis = c->data;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, wev->log, 0,
                   "setter redis write, state:%d", redis->state);

    if (wev->timedout) {
        ngx_http_setter_redis_lost(redis, "timed out while connecting");
        return;
    }

    if (ngx_http_setter_redis_advance(redis) != NGX_OK) {
        return;
    }

    for ( ;; ) {
        size = setter_resp_output(&redis->resp, &data);

        if (size == 0) {
            break;
        }

        n = c->send(c, (u_char *) data, size);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR) {
            ngx_http_setter_redis_lost(redis,
                    ngx_http_setter_tls_reason(redis, "send() failed"));
            return;
        }

        setter_resp_written(&redis->resp, n);
    }

    if (ngx_handle_write_event(wev, 0) != NGX_OK) {
        ngx_http_setter_redis_lost(redis, "events failed");
    }
}


static void
ngx_http_setter_redis_read(ngx_event_t *rev)
{
    char                      buf[NGX_HTTP_SETTER_READ];
    ssize_t                   n;
    const char               *reason;
    ngx_connection_t         *c;
    ngx_http_setter_redis_t  *redis;

    c = rev->data;
    redis = c->data;

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, rev->log, 0,
                   "setter redis read, state:%d", redis->state);

    if (c->close) {

        /* nginx quits and this is idle, or worker_shutdown_timeout passed */

        ngx_http_setter_redis_lost(redis, NULL);
        return;
    }

    /* of a refused connection this event is the first */

    if (ngx_http_setter_redis_advance(redis) != NGX_OK) {
        return;
    }

    for ( ;; ) {
        n = c->recv(c, (u_char *) buf, sizeof(buf));

        if (n == NGX_AGAIN) {
            break;
        }

        reason = ngx_http_setter_redis_take(redis, buf, n);

        if (reason) {
            ngx_http_setter_redis_lost(redis, reason);
            return;
        }
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_http_setter_redis_lost(redis, "events failed");
        return;
    }

    ngx_http_setter_redis_rest(redis);
}


/* What recv() gave; the reason to close the connection, or NULL. */

static const char *
ngx_http_setter_redis_take(ngx_http_setter_redis_t *redis, char *buf,
    ssize_t n)
{
    if (n == 0) {
        return "connection closed by Redis";
    }

    if (n == NGX_ERROR) {
        return ngx_http_setter_tls_reason(redis, "recv() failed");
    }

    redis->now = ngx_http_setter_redis_now();
    redis->heard = ngx_current_msec;

    if (setter_resp_feed(&redis->resp, buf, n) != SETTER_OK) {
        return redis->resp.error;
    }

    if (redis->failure[0]
        && (redis->state != ngx_http_setter_redis_draining
            || redis->resp.pending == 0))
    {
        return redis->failure;
    }

    return NULL;
}


/* NGX_DECLINED: commands cannot pass yet, or the connection is gone. */

static ngx_int_t
ngx_http_setter_redis_advance(ngx_http_setter_redis_t *redis)
{
    ngx_err_t  err;

    if (redis->state == ngx_http_setter_redis_connecting) {
        err = ngx_http_setter_redis_test_connect(redis->connection);

        if (err) {
            ngx_http_setter_redis_unconnected(redis, err);

        } else {
            ngx_http_setter_redis_connected(redis);
        }

    } else if (redis->state == ngx_http_setter_redis_securing) {
        ngx_http_setter_redis_secure(redis);
    }

    return (redis->state >= ngx_http_setter_redis_handshake) ? NGX_OK
                                                             : NGX_DECLINED;
}


static ngx_err_t
ngx_http_setter_redis_test_connect(ngx_connection_t *c)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    return err;
}


/* A connection with nothing to do may be closed when nginx quits. */

static void
ngx_http_setter_redis_rest(ngx_http_setter_redis_t *redis)
{
    ngx_uint_t  idle;

    idle = (redis->resp.pending == 0 && redis->nops == 0);

    redis->connection->idle = idle;

    if (idle && ngx_exiting) {
        ngx_http_setter_redis_lost(redis, NULL);
    }
}
