#include "ngx_http_setter_bell.h"


/* entries a read, and how long Redis lets one wait */
#define NGX_HTTP_SETTER_BELL_COUNT   20
#define NGX_HTTP_SETTER_BELL_BLOCK   5000


static void ngx_http_setter_bell_ready(ngx_http_setter_redis_t *redis);
static void ngx_http_setter_bell_listen(ngx_http_setter_bell_t *bell);
static ngx_int_t ngx_http_setter_bell_read(ngx_http_setter_bell_t *bell);
static void ngx_http_setter_bell_heard(void *data,
    setter_resp_outcome_e outcome, redisReply *reply);
static void ngx_http_setter_bell_stream(ngx_http_setter_bell_t *bell,
    redisReply *reply);
static void ngx_http_setter_bell_entry(ngx_http_setter_bell_t *bell,
    ngx_http_setter_stream_t *stream, redisReply *entry);


ngx_int_t
ngx_http_setter_bell(ngx_conf_t *cf, ngx_http_setter_main_conf_t *smcf)
{
    ngx_http_setter_bell_t  *bell;

    if (smcf->bell) {
        return NGX_OK;
    }

    bell = ngx_pcalloc(cf->pool, sizeof(ngx_http_setter_bell_t));
    if (bell == NULL) {
        return NGX_ERROR;
    }

    bell->redis = *smcf->redis;
    bell->redis.note = " (bell)";
    bell->redis.inboxes = NULL;
    bell->redis.spool = NULL;
    bell->redis.block = NGX_HTTP_SETTER_BELL_BLOCK;
    bell->redis.ready = ngx_http_setter_bell_ready;
    bell->redis.data = bell;

    smcf->bell = bell;

    return ngx_array_init(&bell->streams, cf->pool, 4,
                          sizeof(ngx_http_setter_stream_t));
}


ngx_http_setter_stream_t *
ngx_http_setter_bell_add(ngx_conf_t *cf, ngx_http_setter_bell_t *bell,
    ngx_uint_t partition, const char *name, ngx_http_setter_ring_pt ring)
{
    u_char                    *key;
    ngx_http_setter_stream_t  *stream;

    key = ngx_pnalloc(cf->pool, SETTER_KEY_MAX);
    if (key == NULL) {
        return NULL;
    }

    stream = ngx_array_push(&bell->streams);
    if (stream == NULL) {
        return NULL;
    }

    stream->key.data = key;
    stream->key.len = setter_partition_key((char *) key, partition,
                                           bell->redis.conf->partitions,
                                           name);
    stream->partition = partition;
    stream->ring = ring;

    (void) ngx_cpystrn((u_char *) stream->last, (u_char *) "0-0",
                       sizeof(stream->last));

    return stream;
}


void
ngx_http_setter_bell_wait(ngx_http_setter_bell_t *bell)
{
    bell->waiting++;

    ngx_http_setter_bell_listen(bell);
}


void
ngx_http_setter_bell_leave(ngx_http_setter_bell_t *bell)
{
    bell->waiting--;
}


static void
ngx_http_setter_bell_ready(ngx_http_setter_redis_t *redis)
{
    ngx_http_setter_bell_listen(redis->data);
}


static void
ngx_http_setter_bell_listen(ngx_http_setter_bell_t *bell)
{
    ngx_http_setter_redis_t  *redis;

    if (bell->listening || bell->waiting == 0) {
        return;
    }

    redis = &bell->redis;

    /* without a connection, one is on its way: ready() comes back here */

    (void) ngx_http_setter_redis_open(redis, ngx_current_msec);

    if (redis->state != ngx_http_setter_redis_ready) {
        return;
    }

    if (ngx_http_setter_bell_read(bell) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, redis->log, 0,
                      "setter: no memory to wait for Redis");
        return;
    }

    bell->listening = 1;
}


static ngx_int_t
ngx_http_setter_bell_read(ngx_http_setter_bell_t *bell)
{
    int                         argc;
    u_char                      count[NGX_INT_T_LEN], block[NGX_INT_T_LEN];
    ngx_uint_t                  i, n;
    const char                **argv;
    ngx_int_t                   rc;
    ngx_http_setter_stream_t   *stream;

    n = bell->streams.nelts;
    stream = bell->streams.elts;

    argv = ngx_alloc((6 + 2 * n) * sizeof(char *), bell->redis.log);
    if (argv == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_sprintf(count, "%d%Z", NGX_HTTP_SETTER_BELL_COUNT);
    (void) ngx_sprintf(block, "%d%Z", NGX_HTTP_SETTER_BELL_BLOCK);

    argc = 0;
    argv[argc++] = "XREAD";
    argv[argc++] = "COUNT";
    argv[argc++] = (char *) count;
    argv[argc++] = "BLOCK";
    argv[argc++] = (char *) block;
    argv[argc++] = "STREAMS";

    for (i = 0; i < n; i++) {
        argv[argc + i] = (char *) stream[i].key.data;
        argv[argc + n + i] = stream[i].last;
    }

    argc += 2 * n;

    rc = ngx_http_setter_redis_send(&bell->redis, ngx_http_setter_bell_heard,
                                    bell, argc, argv, NULL);
    ngx_free(argv);

    return rc;
}


static void
ngx_http_setter_bell_heard(void *data, setter_resp_outcome_e outcome,
    redisReply *reply)
{
    size_t                   i;
    ngx_http_setter_bell_t  *bell;

    bell = data;

    if (outcome != SETTER_RESP_REPLIED) {

        /* the connection is gone, and a new one is on its way */

        bell->listening = 0;
        return;
    }

    if (reply->type == REDIS_REPLY_ERROR) {

        /* tried again on a new connection, with the pauses of connecting */

        (void) ngx_cpystrn((u_char *) bell->redis.failure,
                           (u_char *) reply->str,
                           sizeof(bell->redis.failure));

        bell->listening = 0;
        return;
    }

    if (reply->type == REDIS_REPLY_ARRAY) {
        for (i = 0; i < reply->elements; i++) {
            ngx_http_setter_bell_stream(bell, reply->element[i]);
        }
    }

    bell->listening = 0;

    ngx_http_setter_bell_listen(bell);
}


/* A key, and the entries that came. */

static void
ngx_http_setter_bell_stream(ngx_http_setter_bell_t *bell, redisReply *reply)
{
    size_t                     n;
    ngx_uint_t                 i;
    redisReply                *key, *entries;
    ngx_http_setter_stream_t  *stream;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) {
        return;
    }

    key = reply->element[0];
    entries = reply->element[1];
    stream = bell->streams.elts;

    for (i = 0; i < bell->streams.nelts; i++) {

        if (stream[i].key.len == (size_t) key->len
            && ngx_strncmp(stream[i].key.data, key->str, key->len) == 0)
        {
            for (n = 0; n < entries->elements; n++) {
                ngx_http_setter_bell_entry(bell, &stream[i],
                                           entries->element[n]);
            }

            return;
        }
    }
}


static void
ngx_http_setter_bell_entry(ngx_http_setter_bell_t *bell,
    ngx_http_setter_stream_t *stream, redisReply *entry)
{
    redisReply  *id;

    if (entry->type != REDIS_REPLY_ARRAY || entry->elements != 2) {
        return;
    }

    id = entry->element[0];

    (void) ngx_cpystrn((u_char *) stream->last, (u_char *) id->str,
                       sizeof(stream->last));

    stream->ring(bell->redis.conf, stream->partition, entry->element[1]);
}
