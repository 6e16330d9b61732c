#include "ngx_http_setter_module.h"
#include "ngx_http_setter_stat.h"

#include <time.h>


#define NGX_HTTP_SETTER_MAX_OUT   (64 * 1024 * 1024)
#define NGX_HTTP_SETTER_OWN       16    /* commands beside the requests' */


static ngx_int_t ngx_http_setter_redis_init(ngx_http_setter_redis_t *redis);
static void ngx_http_setter_redis_report(ngx_http_setter_redis_t *redis,
    const char *reason);
static ngx_msec_t ngx_http_setter_redis_delay(
    ngx_http_setter_redis_t *redis);
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
    ngx_http_setter_redis_hang_up(redis);

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

    own = NGX_HTTP_SETTER_OWN + 2 * redis->conf->partitions
          + (redis->spool ? NGX_HTTP_SETTER_BATCH + 2 : 0);

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


/* From inside the reader: a failure is acted on when it has returned. */

void
ngx_http_setter_redis_handshaken(ngx_http_setter_redis_t *redis)
{
    if (redis->failure[0]) {
        return;
    }

    redis->state = ngx_http_setter_redis_ready;
    redis->reported[0] = '\0';

    redis->connection->log = redis->log;

    if (redis->connection->write->timer_set) {
        ngx_del_timer(redis->connection->write);
    }

    ngx_log_error(NGX_LOG_NOTICE, redis->log, 0,
                  "setter: Redis \"%V\"%s is ready", &redis->name,
                  redis->note);

    ngx_http_setter_stat_connected(redis->conf);

    ngx_http_setter_redis_watch(redis);

    if (redis->spool) {
        ngx_http_setter_spool_connected(redis->spool);
    }

    ngx_http_setter_op_send_all(redis);

    if (redis->ready) {
        redis->ready(redis);
    }
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
    ngx_msec_t  delay;

    if (reason) {
        ngx_http_setter_redis_report(redis, reason);
    }

    ngx_http_setter_redis_hang_up(redis);

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

    if (redis->spool) {
        ngx_http_setter_spool_disconnected(redis->spool);
    }
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
                  "setter: Redis \"%V\"%s is away: %s", &redis->name,
                  redis->note, text);

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
