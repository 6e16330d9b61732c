/*
 * This process's jobs on their way to the disk.  They are written as they
 * come; one fdatasync() at a time, in a thread of nginx's pool, makes durable
 * what was written before it began.
 */

#include "ngx_http_setter_module.h"

#if (NGX_THREADS)
#include <ngx_thread_pool.h>
#endif


/* ms after which the disk is taken for stuck: requests do not wait for it */
#define NGX_HTTP_SETTER_COMMIT_PATIENCE  10000


/* For the thread, which sees nothing else. */

typedef struct {
    ngx_fd_t      fd;
    ngx_fd_t      dir;          /* the file's name is new; or -1 */
    ngx_err_t     err;
    off_t         end;
    ngx_uint_t    jobs;
} ngx_http_setter_commit_t;


static ngx_int_t ngx_http_setter_commit_open(ngx_http_setter_spool_t *spool);
static ngx_int_t ngx_http_setter_commit_full(ngx_http_setter_spool_t *spool,
    size_t size);
static ngx_int_t ngx_http_setter_commit_failed(
    ngx_http_setter_spool_t *spool, ngx_err_t err, const char *what);
static void ngx_http_setter_commit_begin(ngx_event_t *ev);
static ngx_int_t ngx_http_setter_commit_post(ngx_http_setter_spool_t *spool);
static void ngx_http_setter_commit_sync(void *data, ngx_log_t *log);
static void ngx_http_setter_commit_end(ngx_event_t *ev);
static ngx_int_t ngx_http_setter_commit_publish(
    ngx_http_setter_spool_t *spool, ngx_http_setter_commit_t *commit);
static void ngx_http_setter_commit_abandon(ngx_http_setter_spool_t *spool);
static void ngx_http_setter_commit_answer(ngx_http_setter_spool_t *spool,
    ngx_queue_t *queue, ngx_http_setter_spool_result_e result);
static void ngx_http_setter_commit_patience(ngx_event_t *ev);


ngx_int_t
ngx_http_setter_commit_init(ngx_cycle_t *cycle,
    ngx_http_setter_spool_t *spool)
{
    spool->jobs.fd = NGX_INVALID_FILE;

    ngx_queue_init(&spool->waiting);
    ngx_queue_init(&spool->committing);

    spool->commit.handler = ngx_http_setter_commit_begin;
    spool->commit.data = spool;
    spool->commit.log = spool->log;

    /* not cancelable: nginx does not quit while requests wait here */

    spool->patience.handler = ngx_http_setter_commit_patience;
    spool->patience.data = spool;
    spool->patience.log = spool->log;

#if (NGX_THREADS)
    {
    ngx_thread_task_t  *task;

    task = ngx_thread_task_alloc(cycle->pool,
                                 sizeof(ngx_http_setter_commit_t));
    if (task == NULL) {
        return NGX_ERROR;
    }

    task->handler = ngx_http_setter_commit_sync;
    task->event.handler = ngx_http_setter_commit_end;
    task->event.data = spool;

    spool->task = task;
    }
#endif

    return NGX_OK;
}


ngx_int_t
ngx_http_setter_spool_put(ngx_http_setter_spool_t *spool,
    ngx_http_setter_spool_wait_t *wait, setter_spool_record_t *record)
{
    char          head[SETTER_SPOOL_RECORD_HEAD];
    size_t        size;
    struct iovec  iov[3];

    size = setter_spool_record(head, record);

    if (size == 0 || spool->stuck) {
        return ngx_http_setter_commit_failed(spool, 0, NULL);
    }

    if (ngx_http_setter_commit_full(spool, size) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (ngx_http_setter_commit_open(spool) != NGX_OK) {
        return ngx_http_setter_commit_failed(spool, ngx_errno, "begin a file");
    }

    ngx_http_setter_spool_iov(iov, head, record);

    if (ngx_http_setter_spool_write(&spool->jobs, iov, 3, size) != NGX_OK) {
        return ngx_http_setter_commit_failed(spool, ngx_errno, "write");
    }

    (void) ngx_atomic_fetch_add(&spool->shared->bytes, size);

    spool->uncommitted++;

    wait->spool = spool;
    ngx_queue_insert_tail(&spool->waiting, &wait->queue);

    if (!spool->patience.timer_set) {
        ngx_add_timer(&spool->patience, NGX_HTTP_SETTER_COMMIT_PATIENCE);
    }

    if (!spool->running) {
        ngx_post_event(&spool->commit, &ngx_posted_events);
    }

    return NGX_OK;
}


void
ngx_http_setter_spool_forget(ngx_http_setter_spool_wait_t *wait)
{
    ngx_http_setter_spool_t  *spool;

    spool = wait->spool;

    if (spool == NULL) {
        return;
    }

    wait->spool = NULL;
    ngx_queue_remove(&wait->queue);

    if (ngx_queue_empty(&spool->waiting)
        && ngx_queue_empty(&spool->committing)
        && spool->patience.timer_set)
    {
        ngx_del_timer(&spool->patience);
    }
}


static ngx_int_t
ngx_http_setter_commit_full(ngx_http_setter_spool_t *spool, size_t size)
{
    off_t  bytes;

    bytes = (off_t) spool->shared->bytes;

    if (bytes + (off_t) size <= spool->max) {
        return NGX_OK;
    }

    (void) ngx_http_setter_commit_failed(spool, 0, "go beyond its \"max\"");

    return NGX_DECLINED;
}


/* One line in the log until it works again. */

static ngx_int_t
ngx_http_setter_commit_failed(ngx_http_setter_spool_t *spool, ngx_err_t err,
    const char *what)
{
    (void) ngx_atomic_fetch_add(&spool->shared->failures, 1);

    spool->shared->failed = ngx_current_msec ? ngx_current_msec : 1;

    if (what && !spool->complained) {
        spool->complained = 1;

        ngx_log_error(NGX_LOG_CRIT, spool->log, err,
                      "setter: the spool \"%V\" cannot %s", &spool->path,
                      what);
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_setter_commit_open(ngx_http_setter_spool_t *spool)
{
    if (spool->jobs.fd != NGX_INVALID_FILE) {
        return NGX_OK;
    }

    if (ngx_http_setter_spool_begin(spool, &spool->jobs, "jobs", 0)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* its name becomes durable together with its first jobs */

    spool->dir = open((char *) spool->path.data,
                      O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (spool->dir == NGX_INVALID_FILE) {
        ngx_http_setter_spool_close(spool, &spool->jobs, 1);
        return NGX_ERROR;
    }

    spool->committed = spool->jobs.written;

    (void) ngx_atomic_fetch_add(&spool->shared->bytes, spool->jobs.written);

    return NGX_OK;
}


/* At the end of a turn of the event loop, when no commit runs. */

static void
ngx_http_setter_commit_begin(ngx_event_t *ev)
{
    ngx_http_setter_spool_t  *spool;

    spool = ev->data;

    if (spool->running || spool->uncommitted == 0) {
        return;
    }

    ngx_queue_add(&spool->committing, &spool->waiting);
    ngx_queue_init(&spool->waiting);

    if (ngx_http_setter_spool_set(spool->jobs.fd, SETTER_SPOOL_CLAIMED,
                                  spool->jobs.written)
        == NGX_OK
        && ngx_http_setter_commit_post(spool) == NGX_OK)
    {
        spool->running = 1;
        return;
    }

    (void) ngx_http_setter_commit_failed(spool, ngx_errno, "begin a commit");

    ngx_http_setter_commit_abandon(spool);
}


static ngx_int_t
ngx_http_setter_commit_post(ngx_http_setter_spool_t *spool)
{
#if (NGX_THREADS)
    ngx_thread_task_t         *task;
    ngx_http_setter_commit_t  *commit;

    task = spool->task;
    commit = task->ctx;

    commit->fd = spool->jobs.fd;
    commit->dir = spool->dir;
    commit->end = spool->jobs.written;
    commit->jobs = spool->uncommitted;

    return ngx_thread_task_post(spool->threads, task);
#else
    return NGX_ERROR;
#endif
}


static void
ngx_http_setter_commit_sync(void *data, ngx_log_t *log)
{
    ngx_http_setter_commit_t *commit = data;

    commit->err = 0;

    if (fdatasync(commit->fd) == -1
        || (commit->dir != NGX_INVALID_FILE && fsync(commit->dir) == -1))
    {
        commit->err = ngx_errno;
    }
}


static void
ngx_http_setter_commit_end(ngx_event_t *ev)
{
#if (NGX_THREADS)
    ngx_thread_task_t         *task;
    ngx_http_setter_spool_t   *spool;
    ngx_http_setter_commit_t  *commit;

    spool = ev->data;
    task = spool->task;
    commit = task->ctx;

    spool->running = 0;
    spool->stuck = 0;

    if (commit->err
        || ngx_http_setter_commit_publish(spool, commit) != NGX_OK)
    {
        (void) ngx_http_setter_commit_failed(spool, commit->err, "sync");
        ngx_http_setter_commit_abandon(spool);
        return;
    }

    if (spool->uncommitted) {
        ngx_post_event(&spool->commit, &ngx_posted_events);
    }

    ngx_http_setter_commit_answer(spool, &spool->committing,
                                  ngx_http_setter_spool_stored);
#endif
}


/* Counted, then shown, then answered: see "Order". */

static ngx_int_t
ngx_http_setter_commit_publish(ngx_http_setter_spool_t *spool,
    ngx_http_setter_commit_t *commit)
{
    ngx_http_setter_spool_shared_t  *shared;

    shared = spool->shared;

    (void) ngx_atomic_fetch_add(&shared->undrained, commit->jobs);

    if (ngx_http_setter_spool_set(commit->fd, SETTER_SPOOL_COMMITTED,
                                  commit->end)
        != NGX_OK)
    {
        commit->err = ngx_errno;
        return NGX_ERROR;
    }

    if (commit->dir != NGX_INVALID_FILE) {
        (void) ngx_close_file(commit->dir);
        spool->dir = NGX_INVALID_FILE;
    }

    spool->committed = commit->end;
    spool->uncommitted -= commit->jobs;
    spool->complained = 0;

    shared->failed = 0;

    (void) ngx_atomic_fetch_add(&shared->written, commit->jobs);

    if (ngx_atomic_cmp_set(&shared->begun, 0, 1)) {
        ngx_log_error(NGX_LOG_WARN, spool->log, 0,
                      "setter: jobs go into the spool \"%V\"", &spool->path);
    }

    return NGX_OK;
}


/*
 * What the kernel has made of the pages is not known: the file ends behind
 * the last commit, and what came behind is taken back.
 */

static void
ngx_http_setter_commit_abandon(ngx_http_setter_spool_t *spool)
{
    if (ftruncate(spool->jobs.fd, spool->committed) == -1
        || ngx_http_setter_spool_set(spool->jobs.fd, SETTER_SPOOL_CLAIMED,
                                     spool->committed)
           != NGX_OK)
    {
        ngx_log_error(NGX_LOG_CRIT, spool->log, ngx_errno,
                      "setter: jobs that were refused may stay in the "
                      "spool's \"%s\"", spool->jobs.name);
    }

    (void) ngx_atomic_fetch_add(&spool->shared->bytes,
                                spool->committed - spool->jobs.written);

    if (spool->dir != NGX_INVALID_FILE) {
        (void) ngx_close_file(spool->dir);
        spool->dir = NGX_INVALID_FILE;
    }

    ngx_http_setter_spool_close(spool, &spool->jobs, 0);

    spool->uncommitted = 0;

    ngx_http_setter_commit_answer(spool, &spool->committing,
                                  ngx_http_setter_spool_failed);
    ngx_http_setter_commit_answer(spool, &spool->waiting,
                                  ngx_http_setter_spool_failed);
}


static void
ngx_http_setter_commit_answer(ngx_http_setter_spool_t *spool,
    ngx_queue_t *queue, ngx_http_setter_spool_result_e result)
{
    ngx_queue_t                    all;
    ngx_http_setter_spool_wait_t  *wait;

    /* who is put into the queue meanwhile waits for something else */

    if (ngx_queue_empty(queue)) {
        return;
    }

    ngx_queue_init(&all);
    ngx_queue_add(&all, queue);
    ngx_queue_init(queue);

    while (!ngx_queue_empty(&all)) {
        wait = ngx_queue_data(ngx_queue_head(&all),
                              ngx_http_setter_spool_wait_t, queue);

        ngx_http_setter_spool_forget(wait);

        wait->done(wait, result);
    }
}


/*
 * A disk that does not answer: the jobs may become durable, and will be
 * replayed then.  Until the commit has ended the spool takes no more.
 */

static void
ngx_http_setter_commit_patience(ngx_event_t *ev)
{
    ngx_http_setter_spool_t  *spool;

    spool = ev->data;

    spool->stuck = spool->running;

    (void) ngx_http_setter_commit_failed(spool, 0, "sync in time");

    ngx_http_setter_commit_answer(spool, &spool->committing,
                                  ngx_http_setter_spool_late);
    ngx_http_setter_commit_answer(spool, &spool->waiting,
                                  ngx_http_setter_spool_late);
}


void
ngx_http_setter_commit_retire(ngx_http_setter_spool_t *spool)
{
    char  head[SETTER_SPOOL_HEAD];

    if (spool->jobs.fd == NGX_INVALID_FILE
        || spool->uncommitted
        || pread(spool->jobs.fd, head, SETTER_SPOOL_HEAD, 0)
           != SETTER_SPOOL_HEAD
        || (off_t) setter_spool_cell_read(head, SETTER_SPOOL_REPLAYED,
                                          SETTER_SPOOL_HEAD)
           != spool->jobs.written)
    {
        return;
    }

    (void) ngx_atomic_fetch_add(&spool->shared->bytes, -spool->jobs.written);

    ngx_http_setter_spool_close(spool, &spool->jobs, 1);
}
