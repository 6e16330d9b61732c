/*
 * The replayer: the one process that brings what the spool holds to Redis,
 * when that is there again.
 *
 * It works in rounds.  At the beginning of one it notes up to where each file
 * was committed, then looks into the folder, then notes it again.  What the
 * second notes found is merged by the time the jobs came, and sent as long as
 * it lies within the first: whatever was answered for before such a job came
 * is in the second notes, whichever process it went to.
 */

#include "ngx_http_setter_module.h"

#include <sys/file.h>


/* bytes that are left when the others are asked to hold, and for how long */
#define NGX_HTTP_SETTER_REPLAY_TAIL    (256 * 1024)
#define NGX_HTTP_SETTER_REPLAY_HOLD    50

/* ms between looks for more, and until what was refused is tried again */
#define NGX_HTTP_SETTER_REPLAY_POLL    2
#define NGX_HTTP_SETTER_REPLAY_REST    20
#define NGX_HTTP_SETTER_REPLAY_PAUSE   500

/* ms in which a process that is alive notices that Redis is another one */
#define NGX_HTTP_SETTER_REPLAY_FOREIGN  3000


static ngx_int_t ngx_http_setter_replay_lock(
    ngx_http_setter_replay_t *replay);
static void ngx_http_setter_replay_limit(ngx_http_setter_replay_t *replay);
static off_t ngx_http_setter_replay_look(ngx_http_setter_replay_t *replay,
    ngx_uint_t *busy);
static void ngx_http_setter_replay_step(ngx_event_t *ev);
static void ngx_http_setter_replay_refused(ngx_http_setter_replay_t *replay);
static void ngx_http_setter_replay_round(ngx_http_setter_replay_t *replay);
static void ngx_http_setter_replay_hold(ngx_http_setter_replay_t *replay);
static void ngx_http_setter_replay_drained(ngx_http_setter_replay_t *replay);
static void ngx_http_setter_replay_failed(ngx_http_setter_replay_t *replay);
static void ngx_http_setter_replay_pause(ngx_event_t *ev);


ngx_int_t
ngx_http_setter_replay_init(ngx_cycle_t *cycle,
    ngx_http_setter_spool_t *spool)
{
    ngx_http_setter_replay_t  *replay;

    replay = ngx_pcalloc(cycle->pool, sizeof(ngx_http_setter_replay_t));
    if (replay == NULL) {
        return NGX_ERROR;
    }

    replay->spool = spool;
    replay->lock = NGX_INVALID_FILE;

    ngx_queue_init(&replay->readers);

    replay->step.handler = ngx_http_setter_replay_step;
    replay->step.data = spool;
    replay->step.log = spool->log;

    replay->pause.handler = ngx_http_setter_replay_pause;
    replay->pause.data = spool;
    replay->pause.log = spool->log;
    replay->pause.cancelable = 1;

    spool->replay = replay;

    return NGX_OK;
}


void
ngx_http_setter_replay_start(ngx_http_setter_spool_t *spool, ngx_uint_t look)
{
    ngx_uint_t                 busy, foreign;
    ngx_http_setter_replay_t  *replay;

    replay = spool->replay;

    if (replay->lock != NGX_INVALID_FILE
        || spool->conf->redis->state != ngx_http_setter_redis_ready
        || ngx_exiting
        || ngx_http_setter_replay_lock(replay) != NGX_OK)
    {
        return;
    }

    replay->total = 0;
    replay->begun = ngx_current_msec;
    replay->held = 0;
    replay->foreign = 0;
    replay->hold = ngx_min(NGX_HTTP_SETTER_REPLAY_HOLD,
                           spool->conf->redis->timeout / 2);

    if (ngx_http_setter_spool_scan(spool, &replay->readers, &foreign)
        != NGX_OK)
    {
        ngx_http_setter_replay_failed(replay);
        return;
    }

    if (spool->shared->undrained == 0) {

        if (ngx_http_setter_replay_look(replay, &busy) == 0) {
            ngx_http_setter_replay_stop(spool);
            return;
        }

        /* a process has left it behind, perhaps of another nginx */

        (void) ngx_atomic_fetch_add(&spool->shared->undrained, 1);
    }

    ngx_post_event(&replay->step, &ngx_posted_events);
}


void
ngx_http_setter_replay_stop(ngx_http_setter_spool_t *spool)
{
    ngx_http_setter_replay_t        *replay;
    ngx_http_setter_spool_reader_t  *reader;

    replay = spool->replay;

    if (replay->lock == NGX_INVALID_FILE) {
        return;
    }

    ngx_http_setter_batch_drop(replay);

    while (!ngx_queue_empty(&replay->readers)) {
        reader = ngx_queue_data(ngx_queue_head(&replay->readers),
                                ngx_http_setter_spool_reader_t, queue);

        ngx_http_setter_reader_save(reader);
        ngx_http_setter_reader_close(reader);
    }

    if (replay->pause.timer_set) {
        ngx_del_timer(&replay->pause);
    }

    if (replay->step.posted) {
        ngx_delete_posted_event(&replay->step);
    }

    spool->shared->hold = 0;

    (void) ngx_close_file(replay->lock);
    replay->lock = NGX_INVALID_FILE;
}


static ngx_int_t
ngx_http_setter_replay_lock(ngx_http_setter_replay_t *replay)
{
    ngx_fd_t  fd;

    fd = open((char *) ngx_http_setter_spool_name(replay->spool, "lock"),
              O_RDWR|O_CREAT|O_CLOEXEC, NGX_FILE_OWNER_ACCESS);

    if (fd == NGX_INVALID_FILE) {

        if (!replay->complained) {
            replay->complained = 1;

            ngx_log_error(NGX_LOG_CRIT, replay->spool->log, ngx_errno,
                          ngx_open_file_n " \"%V/lock\" failed",
                          &replay->spool->path);
        }

        return NGX_ERROR;
    }

    if (flock(fd, LOCK_EX|LOCK_NB) == -1) {
        (void) ngx_close_file(fd);
        return NGX_DECLINED;
    }

    replay->lock = fd;

    return NGX_OK;
}


static void
ngx_http_setter_replay_step(ngx_event_t *ev)
{
    ngx_int_t                  rc;
    ngx_http_setter_redis_t   *redis;
    ngx_http_setter_spool_t   *spool;
    ngx_http_setter_replay_t  *replay;

    spool = ev->data;
    replay = spool->replay;
    redis = spool->conf->redis;

    if (ngx_exiting || redis->state != ngx_http_setter_redis_ready) {
        ngx_http_setter_replay_stop(spool);
        return;
    }

    if (replay->answered < replay->sent) {
        return;
    }

    if (replay->refused) {
        ngx_http_setter_replay_refused(replay);
        return;
    }

    if (replay->sent) {
        ngx_http_setter_batch_done(replay);
    }

    rc = replay->foreign ? NGX_DONE : ngx_http_setter_batch_fill(replay);

    if (replay->count) {

        if (ngx_http_setter_batch_send(replay) != NGX_OK) {
            ngx_http_setter_redis_lost(redis, "too much waits for it");
        }

        return;
    }

    switch (rc) {

    case NGX_DONE:
        ngx_http_setter_replay_round(replay);
        return;

    case NGX_AGAIN:
        ngx_post_event(&replay->step, &ngx_posted_next_events);
        return;

    default: /* an inbox is full, or memory is short */
        ngx_http_setter_replay_refused(replay);
    }
}


/* Redis does not take it: nobody is to wait for us until we try again. */

static void
ngx_http_setter_replay_refused(ngx_http_setter_replay_t *replay)
{
    replay->spool->shared->hold = 0;

    ngx_add_timer(&replay->pause, NGX_HTTP_SETTER_REPLAY_PAUSE);
}


/*
 * A new round; or the end, when nothing is left, nobody is about to commit
 * something, and the count is still what it was before we looked.
 */

static void
ngx_http_setter_replay_round(ngx_http_setter_replay_t *replay)
{
    off_t                     left;
    ngx_uint_t                busy, foreign;
    ngx_atomic_uint_t         undrained;
    ngx_http_setter_spool_t  *spool;

    spool = replay->spool;
    undrained = spool->shared->undrained;

    ngx_http_setter_replay_limit(replay);

    if (ngx_http_setter_spool_scan(spool, &replay->readers, &foreign)
        != NGX_OK)
    {
        ngx_http_setter_replay_failed(replay);
        return;
    }

    left = ngx_http_setter_replay_look(replay, &busy);

    ngx_log_debug4(NGX_LOG_DEBUG_HTTP, spool->log, 0,
                   "setter replay round, undrained:%uA left:%O busy:%ui "
                   "foreign:%ui", undrained, left, busy, foreign);

    if (left == 0
        && !busy
        && !foreign
        && ngx_atomic_cmp_set(&spool->shared->undrained, undrained, 0))
    {
        ngx_http_setter_replay_drained(replay);
        return;
    }

    replay->foreign = (foreign && ngx_current_msec - replay->begun
                                  < NGX_HTTP_SETTER_REPLAY_FOREIGN);

    if (replay->foreign) {

        /* what the other process has comes first, or between */

        ngx_add_timer(&replay->pause, NGX_HTTP_SETTER_REPLAY_REST);
        return;
    }

    if (left < NGX_HTTP_SETTER_REPLAY_TAIL && !foreign) {
        ngx_http_setter_replay_hold(replay);
    }

    if (left) {
        ngx_post_event(&replay->step, &ngx_posted_events);
        return;
    }

    /* others wait, or will have something when they wait no longer */

    ngx_add_timer(&replay->pause,
                  (ngx_msec_int_t) (spool->shared->hold - ngx_current_msec)
                  > 0 ? NGX_HTTP_SETTER_REPLAY_POLL
                      : NGX_HTTP_SETTER_REPLAY_REST);
}


/* The first notes: what may be sent. */

static void
ngx_http_setter_replay_limit(ngx_http_setter_replay_t *replay)
{
    ngx_queue_t                     *q;
    ngx_http_setter_spool_reader_t  *reader;

    for (q = ngx_queue_head(&replay->readers);
         q != ngx_queue_sentinel(&replay->readers);
         q = ngx_queue_next(q))
    {
        reader = ngx_queue_data(q, ngx_http_setter_spool_reader_t, queue);
        reader->limit = ngx_http_setter_reader_look(reader);
    }
}


/* The second notes: what there is to read, and whether more comes soon. */

static off_t
ngx_http_setter_replay_look(ngx_http_setter_replay_t *replay,
    ngx_uint_t *busy)
{
    off_t                            left;
    ngx_queue_t                     *q;
    ngx_http_setter_spool_reader_t  *reader;

    left = 0;
    *busy = 0;

    for (q = ngx_queue_head(&replay->readers);
         q != ngx_queue_sentinel(&replay->readers);
         q = ngx_queue_next(q))
    {
        reader = ngx_queue_data(q, ngx_http_setter_spool_reader_t, queue);

        reader->end = ngx_max(reader->pos,
                              ngx_http_setter_reader_look(reader));

        left += reader->end - reader->pos;
        *busy |= reader->busy;
    }

    return left;
}


/*
 * Requests wait for us, so it has to be short: what does not end in time goes
 * into the spool after all, and it is longer until we ask again.
 */

static void
ngx_http_setter_replay_hold(ngx_http_setter_replay_t *replay)
{
    ngx_msec_t  now;

    now = ngx_current_msec;

    if (replay->held && (ngx_msec_int_t) (now - replay->held) < 0) {
        return;
    }

    replay->spool->shared->hold = now + replay->hold;
    replay->held = now + 4 * replay->hold;

    replay->hold = ngx_min(replay->hold * 2,
                           replay->spool->conf->redis->timeout / 2);
}


static void
ngx_http_setter_replay_drained(ngx_http_setter_replay_t *replay)
{
    ngx_http_setter_spool_t  *spool;

    spool = replay->spool;

    if (ngx_atomic_cmp_set(&spool->shared->begun, 1, 0) || replay->total) {
        ngx_log_error(NGX_LOG_WARN, spool->log, 0,
                      "setter: the spool \"%V\" is drained, %ui jobs were "
                      "sent to Redis", &spool->path, replay->total);
    }

    ngx_http_setter_replay_stop(spool);
    ngx_http_setter_commit_retire(spool);
}


static void
ngx_http_setter_replay_failed(ngx_http_setter_replay_t *replay)
{
    if (!replay->complained) {
        replay->complained = 1;

        ngx_log_error(NGX_LOG_CRIT, replay->spool->log, ngx_errno,
                      "setter: the spool \"%V\" cannot be replayed",
                      &replay->spool->path);
    }

    ngx_add_timer(&replay->pause, NGX_HTTP_SETTER_REPLAY_PAUSE);
}


static void
ngx_http_setter_replay_pause(ngx_event_t *ev)
{
    ngx_http_setter_redis_t   *redis;
    ngx_http_setter_spool_t   *spool;
    ngx_http_setter_replay_t  *replay;

    spool = ev->data;
    replay = spool->replay;
    redis = spool->conf->redis;

    if (replay->refused
        && redis->state == ngx_http_setter_redis_ready
        && ngx_http_setter_batch_send(replay) != NGX_OK)
    {
        ngx_http_setter_redis_lost(redis, "too much waits for it");
        return;
    }

    ngx_http_setter_replay_step(&replay->step);
}
