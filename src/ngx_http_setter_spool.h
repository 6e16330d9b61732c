/*
 * The spool ("setter_spool"): a folder of files that hold accepted jobs while
 * Redis is away, full or refusing, and what it acknowledged a moment ago.
 *
 * Files, see setter_spool.h for what is in them; each is written by one nginx
 * worker process, which holds an flock() on it for as long as it writes:
 *
 *   jobs-<when>-<pid>     jobs that were answered for and wait for Redis
 *   recent-<when>-<pid>   copies of what Redis acknowledged, not fsynced
 *   damaged               bytes that were found and are no record
 *   lock                  held by the process that replays
 *
 * Order.  A job that came after another one was answered for must not reach
 * Redis before it.  shared->undrained is what all processes look at:
 *
 *  - A process that made n jobs durable adds n, then publishes them in the
 *    file ("committed"), then answers for them.  So whoever comes later sees
 *    that it is not 0, and goes into the spool as well.
 *  - The replayer merges the files by the time the jobs came.  It sends what
 *    was committed before it looked for the last time whether others had
 *    something older, all of it or nothing at a time.
 *  - It is set to 0 only by the replayer, and only from the value that it had
 *    before all files were found drained with nobody about to commit: who
 *    commits meanwhile has added to it.  So what processes that were killed
 *    have left in it does no harm.
 *  - Under load there may always be a job more.  When little is left the
 *    replayer asks the others to hold back new requests ("hold") for the
 *    moment that it takes, instead of putting them into the spool.
 *
 * A process that puts its first job into the spool puts those before it that
 * wait for Redis there, too.  What was sent and not answered is among them,
 * and may be in Redis already: the same job twice is one job, by its id.
 */

#ifndef _NGX_HTTP_SETTER_SPOOL_H_INCLUDED_
#define _NGX_HTTP_SETTER_SPOOL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "setter_spool.h"

#include "ngx_http_setter_redis.h"


#define NGX_HTTP_SETTER_SPOOL_NAME    64      /* of a file in the folder */
#define NGX_HTTP_SETTER_SPOOL_PATH    1024
#define NGX_HTTP_SETTER_BATCH         1024    /* jobs sent at once */
#define NGX_HTTP_SETTER_BATCH_SIZE    (1024 * 1024)


typedef struct ngx_http_setter_spool_wait_s    ngx_http_setter_spool_wait_t;
typedef struct ngx_http_setter_spool_reader_s  ngx_http_setter_spool_reader_t;
typedef struct ngx_http_setter_replay_s        ngx_http_setter_replay_t;


/* What all processes share, in the zone. */

typedef struct {
    ngx_atomic_t   undrained;   /* 0: jobs go to Redis.  Jobs, or more */
    ngx_atomic_t   hold;        /* ms; until then nothing goes anywhere */
    ngx_atomic_t   order;       /* the last one given, us */
    ngx_atomic_t   run;         /* of the Redis that was connected to last */
    ngx_atomic_t   bytes;       /* of the files of jobs */
    ngx_atomic_t   failed;      /* ms; when a job could not be taken, or 0 */
    ngx_atomic_t   begun;       /* the log says that there are jobs */

    ngx_atomic_t   written;     /* counters of jobs */
    ngx_atomic_t   replayed;
    ngx_atomic_t   damaged;     /* places in files */
    ngx_atomic_t   failures;

    u_char         path[NGX_HTTP_SETTER_SPOOL_PATH];
} ngx_http_setter_spool_shared_t;


typedef enum {
    ngx_http_setter_spool_direct = 0,   /* jobs go to Redis */
    ngx_http_setter_spool_hold,         /* they wait for what comes next */
    ngx_http_setter_spool_divert        /* they go into the spool */
} ngx_http_setter_spool_mode_e;


typedef enum {
    ngx_http_setter_spool_stored = 0,
    ngx_http_setter_spool_failed,       /* and it is not there */
    ngx_http_setter_spool_late          /* and it may be there */
} ngx_http_setter_spool_result_e;


typedef void (*ngx_http_setter_spool_done_pt)(
    ngx_http_setter_spool_wait_t *wait,
    ngx_http_setter_spool_result_e result);


/*
 * Who waits for a job to be durable.  It belongs to the request, whose pool
 * cleanup calls ngx_http_setter_spool_forget(); the job stays where it is.
 */

struct ngx_http_setter_spool_wait_s {
    ngx_queue_t                      queue;
    ngx_http_setter_spool_t         *spool;     /* NULL: does not wait */
    ngx_http_setter_spool_done_pt    done;
    void                            *data;
};


/* A file that this process writes. */

typedef struct {
    ngx_fd_t                         fd;        /* -1: there is none */
    off_t                            written;
    ngx_msec_t                       begun;
    ngx_msec_t                       touched;
    u_char                           name[NGX_HTTP_SETTER_SPOOL_NAME];
} ngx_http_setter_spool_file_t;


/* Copies of what Redis acknowledged: two files, replaced in turn. */

typedef struct {
    ngx_http_setter_spool_file_t     file;
    ngx_http_setter_spool_file_t     former;
    u_char                          *buf;       /* not yet in the file */
    size_t                           len;
    ngx_event_t                      flush;
    unsigned                         complained:1;
} ngx_http_setter_keep_t;


struct ngx_http_setter_spool_s {
    ngx_http_setter_main_conf_t     *conf;
    ngx_http_setter_spool_shared_t  *shared;
    ngx_log_t                       *log;

    /* event ident must be after 3 pointers as in ngx_connection_t */
    ngx_int_t                        ident;

    /* settings */

    ngx_str_t                        path;
    off_t                            max;
    void                            *threads;   /* ngx_thread_pool_t */

    /* state of this process */

    ngx_fd_t                         dir;

    ngx_http_setter_spool_file_t     jobs;
    off_t                            committed;
    ngx_uint_t                       uncommitted;   /* jobs written since */
    ngx_queue_t                      waiting;       /* for the next commit */
    ngx_queue_t                      committing;    /* for the one that runs */
    ngx_event_t                      commit;
    ngx_event_t                      patience;
    void                            *task;          /* ngx_thread_task_t */

    ngx_http_setter_keep_t           keep;
    ngx_http_setter_replay_t        *replay;

    ngx_event_t                      watch;
    ngx_event_t                      kick;
    ngx_msec_t                       looked;        /* into the folder */

    unsigned                         running:1;     /* a commit */
    unsigned                         stuck:1;       /* it takes too long */
    unsigned                         complained:1;
};


/* "setter_spool" */
char *ngx_http_setter_spool_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/*
 * When the zone is there, in the master; fresh: it is new, and knows nothing
 * of what the folder holds.
 */
ngx_int_t ngx_http_setter_spool_init_zone(ngx_http_setter_main_conf_t *smcf,
    ngx_http_setter_spool_shared_t *shared, ngx_uint_t fresh, ngx_log_t *log);

ngx_int_t ngx_http_setter_spool_init(ngx_cycle_t *cycle,
    ngx_http_setter_spool_t *spool);
void ngx_http_setter_spool_exit(ngx_http_setter_spool_t *spool);

/* When a job came: later than each before, in whichever process that was. */
uint64_t ngx_http_setter_spool_order(ngx_http_setter_spool_t *spool);

ngx_http_setter_spool_mode_e ngx_http_setter_spool_mode(
    ngx_http_setter_spool_t *spool);

/* An operation waits although Redis is there: it is looked after. */
void ngx_http_setter_spool_held(ngx_http_setter_spool_t *spool);

/* No job could be taken in the last seconds. */
ngx_uint_t ngx_http_setter_spool_out(ngx_http_setter_spool_t *spool);

/* The connection to Redis is ready; the run id is redis->run.  It is gone. */
void ngx_http_setter_spool_connected(ngx_http_setter_spool_t *spool);
void ngx_http_setter_spool_disconnected(ngx_http_setter_spool_t *spool);

/*
 * Writes the job.  NGX_OK: wait->done() will be called when it is durable, or
 * cannot be made so.  NGX_DECLINED: the spool is full.  NGX_ERROR: the disk is
 * full or fails; it was logged.
 */
ngx_int_t ngx_http_setter_spool_put(ngx_http_setter_spool_t *spool,
    ngx_http_setter_spool_wait_t *wait, setter_spool_record_t *record);
void ngx_http_setter_spool_forget(ngx_http_setter_spool_wait_t *wait);

/* Redis has acknowledged this job. */
void ngx_http_setter_spool_keep(ngx_http_setter_spool_t *spool,
    setter_spool_record_t *record);


/* Between the files of the spool. */

/* The path of a file in the folder, NUL-terminated, until the next call. */
u_char *ngx_http_setter_spool_name(ngx_http_setter_spool_t *spool,
    const void *name);

/* 'j' a file of jobs, 'r' one of recent ones, 0 neither */
ngx_uint_t ngx_http_setter_spool_kind(const void *name);

/* A new file "<kind>-…", locked; run 0: none.  NGX_ERROR is logged. */
ngx_int_t ngx_http_setter_spool_begin(ngx_http_setter_spool_t *spool,
    ngx_http_setter_spool_file_t *file, const char *kind, uint64_t run);

/* A record, whose head setter_spool_record() has made, as it is written. */
void ngx_http_setter_spool_iov(struct iovec iov[3], char *head,
    setter_spool_record_t *record);

/* All of it or nothing; NGX_ERROR leaves the reason in errno. */
ngx_int_t ngx_http_setter_spool_write(ngx_http_setter_spool_file_t *file,
    struct iovec *iov, int n, size_t size);
ngx_int_t ngx_http_setter_spool_set(ngx_fd_t fd, setter_spool_cell_e cell,
    uint64_t value);

/* Writes no more to it; the lock ends. */
void ngx_http_setter_spool_close(ngx_http_setter_spool_t *spool,
    ngx_http_setter_spool_file_t *file, ngx_uint_t delete);

ngx_int_t ngx_http_setter_commit_init(ngx_cycle_t *cycle,
    ngx_http_setter_spool_t *spool);

/* Deletes this process's file of jobs if all of them were replayed. */
void ngx_http_setter_commit_retire(ngx_http_setter_spool_t *spool);

void ngx_http_setter_keep_init(ngx_http_setter_spool_t *spool);
void ngx_http_setter_keep_flush(ngx_http_setter_spool_t *spool);

/* What is old enough goes.  Nothing more of this Redis process will come. */
void ngx_http_setter_keep_tick(ngx_http_setter_spool_t *spool);
void ngx_http_setter_keep_end(ngx_http_setter_spool_t *spool);


/* A file that the replayer reads. */

struct ngx_http_setter_spool_reader_s {
    ngx_queue_t                      queue;
    ngx_http_setter_spool_t         *spool;
    ngx_fd_t                         fd;
    off_t                            pos;       /* of the next record */
    off_t                            limit;     /* what may be sent ends */
    off_t                            end;       /* what is known of ends */
    off_t                            size;
    off_t                            committed;
    off_t                            replayed;
    off_t                            saved;     /* of it, in the file */
    off_t                            torn;      /* no record since, or -1 */
    time_t                           modified;
    uint64_t                         run;

    u_char                          *buf;       /* the bytes from pos on */
    size_t                           start;
    size_t                           len;
    size_t                           room;

    setter_spool_record_t            record;    /* when it is loaded */
    setter_str_t                     tenant;
    size_t                           record_size;
    ngx_uint_t                       sent;      /* not yet acknowledged */

    unsigned                         recent:1;
    unsigned                         live:1;    /* its writer is there */
    unsigned                         busy:1;    /* it is about to commit */
    unsigned                         seen:1;
    unsigned                         loaded:1;

    u_char                           name[NGX_HTTP_SETTER_SPOOL_NAME];
};


/*
 * Brings the list of readers up to date with the folder; what nobody needs
 * any more is deleted.  *foreign: a process has not noticed yet that Redis
 * is another one.
 */
ngx_int_t ngx_http_setter_spool_scan(ngx_http_setter_spool_t *spool,
    ngx_queue_t *readers, ngx_uint_t *foreign);

/* Up to where it can be read by now. */
off_t ngx_http_setter_reader_look(ngx_http_setter_spool_reader_t *reader);

/*
 * NGX_OK: there is a record; NGX_DONE: there is none before reader->end;
 * NGX_AGAIN: much was read in vain, come again.
 */
ngx_int_t ngx_http_setter_reader_load(ngx_http_setter_spool_reader_t *reader);

/* The record was taken. */
void ngx_http_setter_reader_next(ngx_http_setter_spool_reader_t *reader);

void ngx_http_setter_reader_save(ngx_http_setter_spool_reader_t *reader);
void ngx_http_setter_reader_close(ngx_http_setter_spool_reader_t *reader);


/* A job on its way to Redis. */

typedef struct {
    ngx_http_setter_spool_reader_t  *reader;
    off_t                            end;       /* of it in the file */
    ngx_uint_t                       partition;
    setter_spool_record_t            record;    /* in replay->text */
} ngx_http_setter_job_t;


/* The replayer, if this process is it. */

struct ngx_http_setter_replay_s {
    ngx_http_setter_spool_t         *spool;
    ngx_fd_t                         lock;      /* -1: it does not run */
    ngx_queue_t                      readers;

    /* a batch: MULTI, one command a job, EXEC */

    ngx_http_setter_job_t            jobs[NGX_HTTP_SETTER_BATCH];
    ngx_uint_t                       count;
    u_char                          *text;
    size_t                           len;
    size_t                           room;

    setter_resp_entry_t             *entries[NGX_HTTP_SETTER_BATCH + 2];
    ngx_uint_t                       sent;
    ngx_uint_t                       answered;

    ngx_uint_t                       total;     /* jobs, for the log */
    ngx_msec_t                       begun;
    ngx_msec_t                       hold;
    ngx_msec_t                       held;

    ngx_event_t                      step;
    ngx_event_t                      pause;

    unsigned                         refused:1;
    unsigned                         foreign:1; /* waits for a process */
    unsigned                         complained:1;
};


ngx_int_t ngx_http_setter_replay_init(ngx_cycle_t *cycle,
    ngx_http_setter_spool_t *spool);

/*
 * Replays, if there is anything to and no other process does; "look": finds
 * out by looking into the folder.
 */
void ngx_http_setter_replay_start(ngx_http_setter_spool_t *spool,
    ngx_uint_t look);
void ngx_http_setter_replay_stop(ngx_http_setter_spool_t *spool);

/*
 * Takes what comes next.  NGX_OK: there may be more; NGX_DONE: there is not
 * in this round; NGX_AGAIN: perhaps, but it was enough for this turn of the
 * event loop; NGX_BUSY: there is, but it does not fit, or an inbox is full.
 */
ngx_int_t ngx_http_setter_batch_fill(ngx_http_setter_replay_t *replay);

/* NGX_ERROR: a part of it was sent, and the connection has to be closed. */
ngx_int_t ngx_http_setter_batch_send(ngx_http_setter_replay_t *replay);

void ngx_http_setter_batch_done(ngx_http_setter_replay_t *replay);
void ngx_http_setter_batch_drop(ngx_http_setter_replay_t *replay);


#endif /* _NGX_HTTP_SETTER_SPOOL_H_INCLUDED_ */
