#include "ngx_http_setter_module.h"
#include "ngx_http_setter_stat.h"

#include <time.h>


#define NGX_HTTP_SETTER_MAX_OUT   (64 * 1024 * 1024)
#define NGX_HTTP_SETTER_READ      16384
#define NGX_HTTP_SETTER_MAX_ARGS  5
#define NGX_HTTP_SETTER_OWN       16    /* commands beside the requests' */


static ngx_int_t ngx_http_setter_redis_init(ngx_http_setter_redis_t *redis);
static void ngx_http_setter_redis_connect(ngx_http_setter_redis_t *redis);
static void ngx_http_setter_redis_unconnected(ngx_http_setter_redis_t *redis,
    ngx_err_t err);
static void ngx_http_setter_redis_connected(ngx_http_setter_redis_t *redis);
static void ngx_http_setter_redis_report(ngx_http_setter_redis_t *redis,
    const char *reason);
static ngx_msec_t ngx_http_setter_redis_delay(
    ngx_http_setter_redis_t *redis);
static void ngx_http_setter_redis_write(ngx_event_t *wev);
static void ngx_http_setter_redis_read(ngx_event_t *rev);
static ngx_int_t ngx_http_setter_redis_connect_done(
    ngx_http_setter_redis_t *redis);
static ngx_err_t ngx_http_setter_redis_test_connect(ngx_connection_t *c);
static void ngx_http_setter_redis_rest(ngx_http_setter_redis_t *redis);
static void ngx_http_setter_redis_reconnect(ngx_event_t *ev);


ngx_int_t
ngx_http_setter_redis_open(ngx_http_setter_redis_t *redis,
    ngx_msec_t deadline)
{
    ngx_msec_int_t  left;

    if (ngx_http_setter_redis_init(redis) != NGX_OK) {
        return NGX_ERROR;
    }

    if (redis->state == ngx_http_setter_redis_idle
        && !redis->reconnect.timer_set)
    {
        ngx_http_setter_redis_connect(redis);
    }

    if (redis->state == ngx_http_setter_redis_idle) {
        left = (ngx_msec_int_t) (deadline - redis->reconnect.timer.key);
        return (left > 0) ? NGX_OK : NGX_DECLINED;
    }

    return NGX_OK;
}


/* The worker process exits: nothing runs any more. */

void
ngx_http_setter_redis_close(ngx_http_setter_redis_t *redis)
{
    if (redis->connection) {
        ngx_close_connection(redis->connection);
        redis->connection = NULL;
    }

    if (redis->initialized) {
        setter_resp_free(&redis->resp);
        redis->initialized = 0;
    }
}


/* At the first use in a process, since what is here is not for its parent. */

static ngx_int_t
ngx_http_setter_redis_init(ngx_http_setter_redis_t *redis)
{
    size_t  own;

    if (redis->initialized) {
        return NGX_OK;
    }

    own = NGX_HTTP_SETTER_OWN + 2 * redis->conf->partitions;

    if (setter_resp_init(&redis->resp,
                         redis->waiting * NGX_HTTP_SETTER_OP_COMMANDS + own,
                         NGX_HTTP_SETTER_MAX_OUT)
        != SETTER_OK)
    {
        return NGX_ERROR;
    }

    redis->initialized = 1;

    redis->log = ngx_cycle->log;

    /* what fails is logged by us, and not at each attempt */

    redis->quiet = *ngx_cycle->log;
    redis->quiet.log_level = NGX_LOG_ALERT;

    ngx_queue_init(&redis->ops);

    redis->deadline.handler = ngx_http_setter_op_deadline;
    redis->deadline.data = redis;
    redis->deadline.log = redis->log;

    redis->reconnect.handler = ngx_http_setter_redis_reconnect;
    redis->reconnect.data = redis;
    redis->reconnect.log = redis->log;
    redis->reconnect.cancelable = 1;

    redis->tick.handler = ngx_http_setter_redis_tick;
    redis->tick.data = redis;
    redis->tick.log = redis->log;
    redis->tick.cancelable = 1;

    return NGX_OK;
}


static void
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

    redis->state = ngx_http_setter_redis_handshake;
    redis->failure[0] = '\0';

    if (ngx_http_setter_handshake(redis) != NGX_OK) {
        ngx_http_setter_redis_lost(redis, "no memory for the handshake");
    }
}


/* From inside the reader: a failure is acted on when it has returned. */

void
ngx_http_setter_redis_handshaken(ngx_http_setter_redis_t *redis)
{
    if (redis->failure[0]) {
        return;
    }

    redis->state = ngx_http_setter_redis_ready;
    redis->reported[0] = '\0';

    if (redis->connection->write->timer_set) {
        ngx_del_timer(redis->connection->write);
    }

    ngx_log_error(NGX_LOG_NOTICE, redis->log, 0,
                  "setter: Redis \"%V\" is ready", &redis->name);

    ngx_http_setter_stat_connected(redis->conf);

    ngx_http_setter_redis_watch(redis);

    ngx_http_setter_op_send_all(redis);
}


/*
 * The connection is gone, or of no use: what was sent fails, what was not
 * waits for the next one as long as it can.  Without a reason it is us who
 * close it, because nginx quits.
 */

void
ngx_http_setter_redis_lost(ngx_http_setter_redis_t *redis,
    const char *reason)
{
    ngx_msec_t         delay;
    ngx_connection_t  *c;

    if (reason) {
        ngx_http_setter_redis_report(redis, reason);
    }

    c = redis->connection;

    if (c != NULL) {
        redis->connection = NULL;
        ngx_close_connection(c);
    }

    if (redis->tick.timer_set) {
        ngx_del_timer(&redis->tick);
    }

    redis->state = ngx_http_setter_redis_idle;
    redis->failure[0] = '\0';
    redis->refusing = 0;

    delay = ngx_http_setter_redis_delay(redis);

    if (reason || redis->nops) {
        ngx_add_timer(&redis->reconnect, delay);
    }

    setter_resp_closed(&redis->resp);

    ngx_http_setter_op_expire(redis, ngx_current_msec + delay);
}


/* One line a change, not one an attempt. */

static void
ngx_http_setter_redis_report(ngx_http_setter_redis_t *redis,
    const char *reason)
{
    u_char  *p, text[sizeof(redis->reported)];

    ngx_http_setter_stat_disconnected(redis->conf);

    (void) ngx_cpystrn(text, (u_char *) reason, sizeof(text));

    for (p = text; *p; p++) {
        if (*p < ' ' || *p >= 0x7f) {
            *p = '?';
        }
    }

    if (ngx_strcmp(redis->reported, text) == 0) {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, redis->log, 0,
                  "setter: Redis \"%V\" is away: %s", &redis->name, text);

    ngx_memcpy(redis->reported, text, sizeof(text));
}


static ngx_msec_t
ngx_http_setter_redis_delay(ngx_http_setter_redis_t *redis)
{
    ngx_msec_t  backoff;

    backoff = redis->backoff ? redis->backoff : redis->backoff_range[0];

    redis->backoff = ngx_min(backoff * 2, redis->backoff_range[1]);

    return backoff / 2 + ngx_random() % (backoff / 2 + 1);
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

    if (redis->state == ngx_http_setter_redis_connecting
        && ngx_http_setter_redis_connect_done(redis) != NGX_OK)
    {
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
            ngx_http_setter_redis_lost(redis, "send() failed");
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

    if (redis->state == ngx_http_setter_redis_connecting
        && ngx_http_setter_redis_connect_done(redis) != NGX_OK)
    {
        return;
    }

    for ( ;; ) {
        n = c->recv(c, (u_char *) buf, sizeof(buf));

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == 0) {
            ngx_http_setter_redis_lost(redis, "connection closed by Redis");
            return;
        }

        if (n == NGX_ERROR) {
            ngx_http_setter_redis_lost(redis, "recv() failed");
            return;
        }

        redis->now = ngx_http_setter_redis_now();
        redis->heard = ngx_current_msec;

        if (setter_resp_feed(&redis->resp, buf, n) != SETTER_OK) {
            ngx_http_setter_redis_lost(redis, redis->resp.error);
            return;
        }

        if (redis->failure[0]
            && (redis->state != ngx_http_setter_redis_draining
                || redis->resp.pending == 0))
        {
            ngx_http_setter_redis_lost(redis, redis->failure);
            return;
        }
    }

    if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_http_setter_redis_lost(redis, "events failed");
        return;
    }

    ngx_http_setter_redis_rest(redis);
}


/* NGX_ERROR: the connection is gone. */

static ngx_int_t
ngx_http_setter_redis_connect_done(ngx_http_setter_redis_t *redis)
{
    ngx_err_t  err;

    err = ngx_http_setter_redis_test_connect(redis->connection);

    if (err) {
        ngx_http_setter_redis_unconnected(redis, err);
        return NGX_ERROR;
    }

    ngx_http_setter_redis_connected(redis);

    return redis->connection ? NGX_OK : NGX_ERROR;
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


/* All that is appended in this turn of the event loop leaves in one write. */

void
ngx_http_setter_redis_post(ngx_http_setter_redis_t *redis)
{
    ngx_connection_t  *c;

    c = redis->connection;

    if (redis->resp.pending == 1) {
        redis->heard = ngx_current_msec;
        c->idle = 0;
    }

    ngx_post_event(c->write, &ngx_posted_events);
}


ngx_int_t
ngx_http_setter_redis_command(ngx_http_setter_redis_t *redis,
    setter_resp_handler_pt handler, void *data, int argc, ...)
{
    int          i;
    va_list      args;
    const char  *argv[NGX_HTTP_SETTER_MAX_ARGS];

    va_start(args, argc);

    for (i = 0; i < argc; i++) {
        argv[i] = va_arg(args, const char *);
    }

    va_end(args);

    if (setter_resp_command(&redis->resp, argc, argv, NULL, handler, data)
        == NULL)
    {
        return NGX_ERROR;
    }

    ngx_http_setter_redis_post(redis);

    return NGX_OK;
}


static void
ngx_http_setter_redis_reconnect(ngx_event_t *ev)
{
    ngx_http_setter_redis_connect(ev->data);
}


ngx_uint_t
ngx_http_setter_redis_retry_after(ngx_http_setter_redis_t *redis)
{
    ngx_msec_int_t  left;

    if (!redis->reconnect.timer_set) {
        return 1;
    }

    left = (ngx_msec_int_t) (redis->reconnect.timer.key - ngx_current_msec);

    return (left > 1000) ? (left + 999) / 1000 : 1;
}


uint64_t
ngx_http_setter_redis_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}
