/*
 * What is looked at while the connection is ready: how long the inboxes are,
 * whether Redis still speaks, and what it refuses.
 */

#include "ngx_http_setter_module.h"


/* ms between looks at the inboxes, and at a connection that is idle */
#define NGX_HTTP_SETTER_LOOK     1000
#define NGX_HTTP_SETTER_PING     15000

/* no reply for so many timeouts: the connection is not worth keeping */
#define NGX_HTTP_SETTER_SILENCE  4


static void ngx_http_setter_redis_look(ngx_http_setter_redis_t *redis);
static void ngx_http_setter_redis_looked(void *data,
    setter_resp_outcome_e outcome, redisReply *reply);
static void ngx_http_setter_redis_ponged(void *data,
    setter_resp_outcome_e outcome, redisReply *reply);


void
ngx_http_setter_redis_watch(ngx_http_setter_redis_t *redis)
{
    ngx_http_setter_redis_look(redis);

    ngx_add_timer(&redis->tick, NGX_HTTP_SETTER_LOOK);
}


/*
 * While there is traffic the inboxes are looked at every second; a silent
 * connection is asked for a sign of life now and then.
 */

void
ngx_http_setter_redis_tick(ngx_event_t *ev)
{
    ngx_msec_t                silence;
    ngx_http_setter_redis_t  *redis;

    redis = ev->data;

    silence = ngx_current_msec - redis->heard;

    if (redis->resp.pending
        && silence > redis->block + NGX_HTTP_SETTER_SILENCE * redis->timeout)
    {
        ngx_http_setter_redis_lost(redis, "no reply");
        return;
    }

    /* it has lasted: the next failure is a new one */

    redis->backoff = 0;

    if (redis->state != ngx_http_setter_redis_ready) {
        /* void */

    } else if (redis->busy || redis->nfull) {
        redis->busy = 0;
        ngx_http_setter_redis_look(redis);

    } else if (silence >= NGX_HTTP_SETTER_PING) {
        (void) ngx_http_setter_redis_command(redis,
                                     ngx_http_setter_redis_ponged,
                                     redis, 1, "PING");
    }

    ngx_add_timer(&redis->tick, NGX_HTTP_SETTER_LOOK);
}


static void
ngx_http_setter_redis_look(ngx_http_setter_redis_t *redis)
{
    ngx_uint_t                n;
    ngx_http_setter_inbox_t  *inbox;

    if (redis->inboxes == NULL) {
        return;
    }

    for (n = 0; n < redis->conf->partitions; n++) {
        inbox = &redis->inboxes[n];

        (void) ngx_http_setter_redis_command(redis,
                                     ngx_http_setter_redis_looked, inbox,
                                     2, "XLEN", inbox->key.data);
    }
}


static void
ngx_http_setter_redis_looked(void *data, setter_resp_outcome_e outcome,
    redisReply *reply)
{
    ngx_uint_t                full, level;
    ngx_http_setter_redis_t  *redis;
    ngx_http_setter_inbox_t  *inbox;

    inbox = data;
    redis = inbox->redis;

    if (outcome != SETTER_RESP_REPLIED || reply->type != REDIS_REPLY_INTEGER)
    {
        return;
    }

    full = (reply->integer > redis->max_inbox);

    if (full == inbox->full) {
        return;
    }

    inbox->full = full;
    redis->nfull += full ? 1 : -1;

    level = full ? NGX_LOG_ERR : NGX_LOG_NOTICE;

    ngx_log_error(level, redis->log, 0,
                  "setter: \"%V\" has %L entries, %s", &inbox->key,
                  (int64_t) reply->integer,
                  full ? "no more are taken" : "more are taken again");
}


static void
ngx_http_setter_redis_ponged(void *data, setter_resp_outcome_e outcome,
    redisReply *reply)
{
    ngx_http_setter_redis_t  *redis;

    redis = data;

    if (outcome == SETTER_RESP_REPLIED && reply->type == REDIS_REPLY_ERROR) {
        ngx_http_setter_redis_refused(redis, reply);
    }
}


void
ngx_http_setter_redis_refused(ngx_http_setter_redis_t *redis,
    redisReply *reply)
{
    ngx_uint_t  i;

    static const char  *lasting[] = {
        "LOADING", "READONLY", "MASTERDOWN", "NOAUTH", "NOPERM"
    };

    for (i = 0; i < sizeof(lasting) / sizeof(lasting[0]); i++) {

        if (ngx_strncmp(reply->str, lasting[i], ngx_strlen(lasting[i])) == 0)
        {
            (void) ngx_cpystrn((u_char *) redis->failure,
                               (u_char *) reply->str,
                               sizeof(redis->failure));
            redis->state = ngx_http_setter_redis_draining;
            return;
        }
    }

    if (!redis->refusing) {
        redis->refusing = 1;
        ngx_log_error(NGX_LOG_ERR, redis->log, 0,
                      "setter: Redis \"%V\" refuses: %s", &redis->name,
                      reply->str);
    }
}


void
ngx_http_setter_redis_accepted(ngx_http_setter_redis_t *redis)
{
    if (redis->refusing) {
        redis->refusing = 0;
        ngx_log_error(NGX_LOG_NOTICE, redis->log, 0,
                      "setter: Redis \"%V\" accepts again", &redis->name);
    }
}
