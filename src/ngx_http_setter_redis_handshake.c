/*
 * The first commands on a connection to Redis: who we are, which database,
 * and whether the keys and the memory policy there are what we build on.
 */

#include "ngx_http_setter_module.h"


#define NGX_HTTP_SETTER_POLICY  "maxmemory_policy:"
#define NGX_HTTP_SETTER_RUN     "run_id:"

/* digits of a run id, of 40, that tell it from others */
#define NGX_HTTP_SETTER_DIGITS  15


static void ngx_http_setter_handshake_layout_text(
    ngx_http_setter_redis_t *redis, char *text);
static void ngx_http_setter_handshake_done(void *data,
    setter_resp_outcome_e outcome, redisReply *reply);
static void ngx_http_setter_handshake_layout_set(void *data,
    setter_resp_outcome_e outcome, redisReply *reply);
static void ngx_http_setter_handshake_layout(void *data,
    setter_resp_outcome_e outcome, redisReply *reply);
static void ngx_http_setter_handshake_info(void *data,
    setter_resp_outcome_e outcome, redisReply *reply);
static uint64_t ngx_http_setter_handshake_run(redisReply *reply);
static void ngx_http_setter_handshake_fail(ngx_http_setter_redis_t *redis,
    const char *format, ...);


ngx_int_t
ngx_http_setter_handshake(ngx_http_setter_redis_t *redis)
{
    char       key[SETTER_KEY_MAX], layout[SETTER_KEY_MAX];
    ngx_int_t  rc;

    rc = NGX_OK;

    if (redis->user.len) {
        rc |= ngx_http_setter_redis_command(redis,
                                    ngx_http_setter_handshake_done, redis,
                                    3, "AUTH", redis->user.data,
                                    redis->password.data);

    } else if (redis->password.len) {
        rc |= ngx_http_setter_redis_command(redis,
                                    ngx_http_setter_handshake_done, redis,
                                    2, "AUTH", redis->password.data);
    }

    if (redis->db.len) {
        rc |= ngx_http_setter_redis_command(redis,
                                    ngx_http_setter_handshake_done, redis,
                                    2, "SELECT", redis->db.data);
    }

    /* a name is a convenience: an ACL may forbid it */

    rc |= ngx_http_setter_redis_command(redis, NULL, NULL, 3, "CLIENT",
                                        "SETNAME", "setter-nginx");

    ngx_http_setter_handshake_layout_text(redis, layout);
    (void) setter_partition_key(key, 0, redis->conf->partitions, "layout");

    rc |= ngx_http_setter_redis_command(redis,
                                ngx_http_setter_handshake_layout_set, redis,
                                4, "SET", key, layout, "NX");

    rc |= ngx_http_setter_redis_command(redis,
                                ngx_http_setter_handshake_layout, redis,
                                2, "GET", key);

    rc |= ngx_http_setter_redis_command(redis,
                                ngx_http_setter_handshake_info, redis,
                                3, "INFO", "server", "memory");

    return (rc == NGX_OK) ? NGX_OK : NGX_ERROR;
}


/* "<version of the keys> <partitions>" */

static void
ngx_http_setter_handshake_layout_text(ngx_http_setter_redis_t *redis,
    char *text)
{
    (void) ngx_sprintf((u_char *) text, SETTER_LAYOUT " %ui%Z",
                       redis->conf->partitions);
}


static void
ngx_http_setter_handshake_done(void *data, setter_resp_outcome_e outcome,
    redisReply *reply)
{
    if (outcome == SETTER_RESP_REPLIED && reply->type == REDIS_REPLY_ERROR) {
        ngx_http_setter_handshake_fail(data, "%s", reply->str);
    }
}


/*
 * A full Redis refuses the write even where the key is there already; what
 * counts then is what GET says.
 */

static void
ngx_http_setter_handshake_layout_set(void *data,
    setter_resp_outcome_e outcome, redisReply *reply)
{
    if (outcome == SETTER_RESP_REPLIED
        && reply->type == REDIS_REPLY_ERROR
        && ngx_strncmp(reply->str, "OOM ", 4) != 0)
    {
        ngx_http_setter_handshake_fail(data, "%s", reply->str);
    }
}


static void
ngx_http_setter_handshake_layout(void *data, setter_resp_outcome_e outcome,
    redisReply *reply)
{
    char                      layout[SETTER_KEY_MAX];
    ngx_http_setter_redis_t  *redis;

    redis = data;

    if (outcome != SETTER_RESP_REPLIED) {
        return;
    }

    switch (reply->type) {

    case REDIS_REPLY_STRING:
        ngx_http_setter_handshake_layout_text(redis, layout);

        if (ngx_strcmp(reply->str, layout) != 0) {
            ngx_http_setter_handshake_fail(redis,
                  "its keys have layout and partitions \"%s\", ours \"%s\"",
                  reply->str, layout);
        }

        return;

    case REDIS_REPLY_ERROR:
        ngx_http_setter_handshake_fail(redis, "%s", reply->str);
        return;

    default:
        ngx_http_setter_handshake_fail(redis, "it has no room for a key");
    }
}


static void
ngx_http_setter_handshake_info(void *data, setter_resp_outcome_e outcome,
    redisReply *reply)
{
    u_char                   *p, *last;
    ngx_http_setter_redis_t  *redis;

    redis = data;

    if (outcome != SETTER_RESP_REPLIED) {
        return;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        ngx_http_setter_handshake_fail(redis, "%s", reply->str);
        return;
    }

    p = NULL;

    if (reply->type == REDIS_REPLY_STRING) {
        p = ngx_strnstr((u_char *) reply->str, NGX_HTTP_SETTER_POLICY,
                        reply->len);
    }

    if (p == NULL) {
        ngx_http_setter_handshake_fail(redis,
                                       "INFO tells no maxmemory_policy");
        return;
    }

    p += sizeof(NGX_HTTP_SETTER_POLICY) - 1;

    for (last = p; *last > ' '; last++) { /* void */ }

    if (last - p != 10 || ngx_strncmp(p, "noeviction", 10) != 0) {
        ngx_http_setter_handshake_fail(redis,
                       "its maxmemory-policy is \"%*s\", not \"noeviction\"",
                       (size_t) (last - p), p);
        return;
    }

    redis->run = ngx_http_setter_handshake_run(reply);

    ngx_http_setter_redis_handshaken(redis);
}


/* Which process of Redis this is; 0 where it does not say. */

static uint64_t
ngx_http_setter_handshake_run(redisReply *reply)
{
    u_char     *p;
    ngx_int_t   run;

    p = ngx_strnstr((u_char *) reply->str, NGX_HTTP_SETTER_RUN, reply->len);

    if (p == NULL) {
        return 0;
    }

    p += sizeof(NGX_HTTP_SETTER_RUN) - 1;

    if ((u_char *) reply->str + reply->len - p < NGX_HTTP_SETTER_DIGITS) {
        return 0;
    }

    run = ngx_hextoi(p, NGX_HTTP_SETTER_DIGITS);

    return (run == NGX_ERROR) ? 0 : run;
}


/* The first reason counts; the reader acts on it. */

static void
ngx_http_setter_handshake_fail(ngx_http_setter_redis_t *redis,
    const char *format, ...)
{
    u_char   *last;
    va_list   args;

    if (redis->failure[0]) {
        return;
    }

    last = (u_char *) redis->failure + sizeof(redis->failure) - 1;

    va_start(args, format);
    last = ngx_vslprintf((u_char *) redis->failure, last, format, args);
    va_end(args);

    *last = '\0';
}
