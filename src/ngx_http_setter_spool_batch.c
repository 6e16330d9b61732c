/*
 * What the replayer sends: one transaction after another.  Redis takes all of
 * its jobs or none, so that none overtakes one that is refused.
 */

#include "ngx_http_setter_module.h"


static ngx_int_t ngx_http_setter_batch_pick(
    ngx_http_setter_replay_t *replay,
    ngx_http_setter_spool_reader_t **first);
static ngx_int_t ngx_http_setter_batch_add(ngx_http_setter_replay_t *replay,
    ngx_http_setter_spool_reader_t *reader);
static ngx_int_t ngx_http_setter_batch_room(ngx_http_setter_replay_t *replay,
    size_t size);
static ngx_int_t ngx_http_setter_batch_command(
    ngx_http_setter_replay_t *replay, int argc, const char **argv,
    const size_t *argvlen);
static void ngx_http_setter_batch_reply(void *data,
    setter_resp_outcome_e outcome, redisReply *reply);
static ngx_uint_t ngx_http_setter_batch_taken(
    ngx_http_setter_replay_t *replay, redisReply *reply);


ngx_int_t
ngx_http_setter_batch_fill(ngx_http_setter_replay_t *replay)
{
    ngx_int_t                        rc;
    ngx_http_setter_spool_reader_t  *reader;

    do {
        rc = ngx_http_setter_batch_pick(replay, &reader);

        if (rc == NGX_OK) {
            rc = ngx_http_setter_batch_add(replay, reader);
        }

    } while (rc == NGX_OK && replay->count < NGX_HTTP_SETTER_BATCH);

    return rc;
}


/* Of all that are the next in their files, the one that came first. */

static ngx_int_t
ngx_http_setter_batch_pick(ngx_http_setter_replay_t *replay,
    ngx_http_setter_spool_reader_t **first)
{
    ngx_int_t                        rc;
    ngx_queue_t                     *q;
    ngx_http_setter_spool_reader_t  *reader;

    *first = NULL;

    for (q = ngx_queue_head(&replay->readers);
         q != ngx_queue_sentinel(&replay->readers);
         q = ngx_queue_next(q))
    {
        reader = ngx_queue_data(q, ngx_http_setter_spool_reader_t, queue);

        rc = ngx_http_setter_reader_load(reader);

        if (rc == NGX_DONE) {
            continue;
        }

        if (rc != NGX_OK) {
            return rc;
        }

        if (*first == NULL || reader->record.order < (*first)->record.order) {
            *first = reader;
        }
    }

    reader = *first;

    if (reader == NULL
        || reader->pos + (off_t) reader->record_size > reader->limit)
    {
        return NGX_DONE;
    }

    return NGX_OK;
}


/* A copy: the reader's buffer moves on before the job is acknowledged. */

static ngx_int_t
ngx_http_setter_batch_add(ngx_http_setter_replay_t *replay,
    ngx_http_setter_spool_reader_t *reader)
{
    u_char                   *p;
    ngx_uint_t                partition;
    setter_spool_record_t    *record;
    ngx_http_setter_job_t    *job;
    ngx_http_setter_redis_t  *redis;

    redis = replay->spool->conf->redis;
    record = &reader->record;

    partition = setter_partition(reader->tenant, redis->conf->partitions);

    if (redis->inboxes[partition].full
        || ngx_http_setter_batch_room(replay, record->header.len
                                              + record->envelope.len)
           != NGX_OK)
    {
        return NGX_BUSY;
    }

    job = &replay->jobs[replay->count++];

    job->reader = reader;
    job->partition = partition;
    job->record = *record;

    p = replay->text + replay->len;

    job->record.header.data = (char *) p;
    p = ngx_cpymem(p, record->header.data, record->header.len);

    job->record.envelope.data = (char *) p;
    p = ngx_cpymem(p, record->envelope.data, record->envelope.len);

    replay->len = p - replay->text;

    ngx_http_setter_reader_next(reader);

    job->end = reader->pos;
    reader->sent++;

    return NGX_OK;
}


/* A job that is larger than the batch may be is one of its own. */

static ngx_int_t
ngx_http_setter_batch_room(ngx_http_setter_replay_t *replay, size_t size)
{
    if (size <= replay->room - replay->len) {
        return NGX_OK;
    }

    if (replay->count) {
        return NGX_BUSY;
    }

    if (replay->text) {
        ngx_free(replay->text);
    }

    replay->room = 0;
    size = ngx_max(size, NGX_HTTP_SETTER_BATCH_SIZE);

    replay->text = ngx_alloc(size, replay->spool->log);
    if (replay->text == NULL) {
        return NGX_ERROR;
    }

    replay->room = size;

    return NGX_OK;
}


ngx_int_t
ngx_http_setter_batch_send(ngx_http_setter_replay_t *replay)
{
    size_t                    argvlen[NGX_HTTP_SETTER_XADD];
    ngx_int_t                 rc;
    ngx_uint_t                i;
    const char               *argv[NGX_HTTP_SETTER_XADD];
    ngx_http_setter_job_t    *job;
    ngx_http_setter_redis_t  *redis;

    static const char  *multi = "MULTI", *exec = "EXEC";

    redis = replay->spool->conf->redis;

    replay->sent = 0;
    replay->answered = 0;
    replay->refused = 0;

    rc = NGX_OK;

    if (replay->count > 1) {
        rc |= ngx_http_setter_batch_command(replay, 1, &multi, NULL);
    }

    for (i = 0; i < replay->count; i++) {
        job = &replay->jobs[i];

        ngx_http_setter_redis_xadd(&redis->inboxes[job->partition],
                                   job->record.header, job->record.envelope,
                                   argv, argvlen);

        rc |= ngx_http_setter_batch_command(replay, NGX_HTTP_SETTER_XADD,
                                            argv, argvlen);
    }

    if (replay->count > 1) {
        rc |= ngx_http_setter_batch_command(replay, 1, &exec, NULL);
    }

    redis->busy = 1;
    ngx_http_setter_redis_post(redis);

    return (rc == NGX_OK) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_setter_batch_command(ngx_http_setter_replay_t *replay, int argc,
    const char **argv, const size_t *argvlen)
{
    setter_resp_entry_t  *entry;

    entry = setter_resp_command(&replay->spool->conf->redis->resp, argc, argv,
                                argvlen, ngx_http_setter_batch_reply, replay);
    if (entry == NULL) {
        return NGX_ERROR;
    }

    replay->entries[replay->sent++] = entry;

    return NGX_OK;
}


static void
ngx_http_setter_batch_reply(void *data, setter_resp_outcome_e outcome,
    redisReply *reply)
{
    ngx_http_setter_redis_t   *redis;
    ngx_http_setter_replay_t  *replay;

    replay = data;

    if (replay == NULL) {
        return;
    }

    redis = replay->spool->conf->redis;

    replay->answered++;

    if (outcome != SETTER_RESP_REPLIED) {
        replay->refused = 1;

    } else if (reply->type == REDIS_REPLY_ERROR && !replay->refused) {

        /* the first one has the reason */

        replay->refused = 1;
        ngx_http_setter_redis_refused(redis, reply);

    } else if (replay->answered == replay->sent) {

        if (ngx_http_setter_batch_taken(replay, reply)) {
            ngx_http_setter_redis_accepted(redis);

        } else {
            replay->refused = 1;
        }
    }

    if (replay->answered == replay->sent) {
        ngx_post_event(&replay->step, &ngx_posted_events);
    }
}


/* The reply to EXEC, or to the XADD where that was all. */

static ngx_uint_t
ngx_http_setter_batch_taken(ngx_http_setter_replay_t *replay,
    redisReply *reply)
{
    ngx_uint_t  i;

    if (replay->refused) {
        return 0;
    }

    if (replay->count == 1) {
        return reply->type == REDIS_REPLY_STRING;
    }

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != replay->count)
    {
        return 0;
    }

    for (i = 0; i < replay->count; i++) {

        if (reply->element[i]->type == REDIS_REPLY_ERROR) {
            ngx_http_setter_redis_refused(replay->spool->conf->redis,
                                          reply->element[i]);
        }

        if (reply->element[i]->type != REDIS_REPLY_STRING) {
            return 0;
        }
    }

    return 1;
}


/* Redis has it: it will not be sent again. */

void
ngx_http_setter_batch_done(ngx_http_setter_replay_t *replay)
{
    ngx_uint_t                       i, n;
    ngx_atomic_uint_t                undrained, left;
    ngx_http_setter_job_t           *job;
    ngx_http_setter_spool_shared_t  *shared;

    n = 0;
    shared = replay->spool->shared;

    for (i = 0; i < replay->count; i++) {
        job = &replay->jobs[i];

        ngx_http_setter_spool_keep(replay->spool, &job->record);

        job->reader->sent--;
        job->reader->replayed = job->end;

        /* recent ones were not counted */

        n += !job->reader->recent;
    }

    for (i = 0; i < replay->count; i++) {
        ngx_http_setter_reader_save(replay->jobs[i].reader);
    }

    replay->total += replay->count;

    (void) ngx_atomic_fetch_add(&shared->replayed, replay->count);

    /* whether none is left is found out at the end of a round */

    do {
        undrained = shared->undrained;
        left = (undrained > n) ? undrained - n : 1;
    } while (!ngx_atomic_cmp_set(&shared->undrained, undrained, left));

    replay->count = 0;
    replay->len = 0;
    replay->sent = 0;
    replay->answered = 0;
}


void
ngx_http_setter_batch_drop(ngx_http_setter_replay_t *replay)
{
    while (replay->answered < replay->sent) {
        replay->entries[replay->answered++]->data = NULL;
    }

    if (replay->text) {
        ngx_free(replay->text);
    }

    replay->text = NULL;
    replay->room = 0;
    replay->len = 0;
    replay->count = 0;
    replay->sent = 0;
    replay->answered = 0;
    replay->refused = 0;
}
