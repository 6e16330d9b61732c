/*
 * The folder as the replayer sees it: files of jobs, those of processes that
 * are there up to what was committed, others to their end; and of the recent
 * copies those that another Redis acknowledged.
 */

#include "ngx_http_setter_module.h"

#include <sys/file.h>


/*
 * Seconds after which a copy is of no use to a Redis that is still the same,
 * or a file that got no name to anybody; and after which a copy is not even
 * sent to another Redis: nobody knows then any more that it was done.
 */
#define NGX_HTTP_SETTER_SCAN_OLD   30
#define NGX_HTTP_SETTER_SCAN_LOST  (24 * 60 * 60)


static ngx_int_t ngx_http_setter_scan_file(ngx_http_setter_spool_t *spool,
    ngx_queue_t *readers, u_char *name, ngx_uint_t *foreign);
static void ngx_http_setter_scan_unnamed(ngx_http_setter_spool_t *spool,
    u_char *name);
static void ngx_http_setter_scan_end(ngx_queue_t *readers);
static ngx_http_setter_spool_reader_t *ngx_http_setter_reader_find(
    ngx_queue_t *readers, u_char *name);
static ngx_http_setter_spool_reader_t *ngx_http_setter_reader_open(
    ngx_http_setter_spool_t *spool, u_char *name);
static ngx_uint_t ngx_http_setter_reader_wanted(
    ngx_http_setter_spool_reader_t *reader, ngx_uint_t *foreign);
static void ngx_http_setter_reader_delete(
    ngx_http_setter_spool_reader_t *reader);


ngx_int_t
ngx_http_setter_spool_scan(ngx_http_setter_spool_t *spool,
    ngx_queue_t *readers, ngx_uint_t *foreign)
{
    u_char     *name;
    ngx_int_t   rc;
    ngx_dir_t   dir;

    *foreign = 0;

    spool->looked = ngx_current_msec;

    if (ngx_open_dir(&spool->path, &dir) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = NGX_OK;

    while (rc == NGX_OK && ngx_read_dir(&dir) == NGX_OK) {
        name = ngx_de_name(&dir);

        if (name[0] == '.' && ngx_http_setter_spool_kind(name + 1)) {
            ngx_http_setter_scan_unnamed(spool, name);

        } else if (ngx_http_setter_spool_kind(name)) {
            rc = ngx_http_setter_scan_file(spool, readers, name, foreign);
        }
    }

    (void) ngx_close_dir(&dir);

    if (rc == NGX_OK) {
        ngx_http_setter_scan_end(readers);
    }

    return rc;
}


static ngx_int_t
ngx_http_setter_scan_file(ngx_http_setter_spool_t *spool,
    ngx_queue_t *readers, u_char *name, ngx_uint_t *foreign)
{
    ngx_http_setter_spool_reader_t  *reader;

    reader = ngx_http_setter_reader_find(readers, name);

    if (reader != NULL) {

        if (reader->live && flock(reader->fd, LOCK_EX|LOCK_NB) == 0) {
            reader->live = 0;
        }

        reader->seen = 1;
        return NGX_OK;
    }

    reader = ngx_http_setter_reader_open(spool, name);

    if (reader == NULL) {

        /* or else it went while we looked */

        return (ngx_errno == NGX_ENOENT) ? NGX_OK : NGX_ERROR;
    }

    ngx_queue_insert_tail(readers, &reader->queue);

    if (!ngx_http_setter_reader_wanted(reader, foreign)) {
        ngx_http_setter_reader_close(reader);
        return NGX_OK;
    }

    reader->seen = 1;

    return NGX_OK;
}


/* Of a process that was killed before it could give the file its name. */

static void
ngx_http_setter_scan_unnamed(ngx_http_setter_spool_t *spool, u_char *name)
{
    u_char           *path;
    ngx_file_info_t   fi;

    path = ngx_http_setter_spool_name(spool, name);

    if (ngx_file_info(path, &fi) != NGX_FILE_ERROR
        && ngx_time() - ngx_file_mtime(&fi) > NGX_HTTP_SETTER_SCAN_OLD)
    {
        (void) ngx_delete_file(path);
    }
}


/* Drops the readers of files that are gone, and what was read to its end. */

static void
ngx_http_setter_scan_end(ngx_queue_t *readers)
{
    ngx_uint_t                       seen;
    ngx_queue_t                     *q, *next;
    ngx_http_setter_spool_reader_t  *reader;

    for (q = ngx_queue_head(readers);
         q != ngx_queue_sentinel(readers);
         q = next)
    {
        next = ngx_queue_next(q);
        reader = ngx_queue_data(q, ngx_http_setter_spool_reader_t, queue);

        seen = reader->seen;
        reader->seen = 0;

        if (reader->sent || reader->loaded) {
            continue;
        }

        if (seen) {

            if (reader->live
                || reader->pos < ngx_http_setter_reader_look(reader))
            {
                continue;
            }

            ngx_http_setter_reader_delete(reader);
        }

        ngx_http_setter_reader_close(reader);
    }
}


static ngx_http_setter_spool_reader_t *
ngx_http_setter_reader_find(ngx_queue_t *readers, u_char *name)
{
    ngx_queue_t                     *q;
    ngx_http_setter_spool_reader_t  *reader;

    for (q = ngx_queue_head(readers);
         q != ngx_queue_sentinel(readers);
         q = ngx_queue_next(q))
    {
        reader = ngx_queue_data(q, ngx_http_setter_spool_reader_t, queue);

        if (ngx_strcmp(reader->name, name) == 0) {
            return reader;
        }
    }

    return NULL;
}


static ngx_http_setter_spool_reader_t *
ngx_http_setter_reader_open(ngx_http_setter_spool_t *spool, u_char *name)
{
    char                             head[SETTER_SPOOL_HEAD];
    ngx_fd_t                         fd;
    ngx_http_setter_spool_reader_t  *reader;

    fd = open((char *) ngx_http_setter_spool_name(spool, name),
              O_RDWR|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {
        return NULL;
    }

    reader = ngx_calloc(sizeof(ngx_http_setter_spool_reader_t), spool->log);
    if (reader == NULL) {
        (void) ngx_close_file(fd);
        ngx_set_errno(NGX_ENOMEM);
        return NULL;
    }

    reader->spool = spool;
    reader->fd = fd;
    reader->torn = -1;
    reader->recent = (ngx_http_setter_spool_kind(name) == 'r');
    reader->live = (flock(fd, LOCK_EX|LOCK_NB) == -1);

    (void) ngx_cpystrn(reader->name, name, NGX_HTTP_SETTER_SPOOL_NAME);

    /* with a head that cannot be read, or is damaged, all of it is read */

    ngx_memzero(head, SETTER_SPOOL_HEAD);

    if (pread(fd, head, SETTER_SPOOL_HEAD, 0) == -1) {
        ngx_log_error(NGX_LOG_CRIT, spool->log, ngx_errno,
                      "pread() \"%s\" failed", name);
    }

    reader->run = setter_spool_cell_read(head, SETTER_SPOOL_RUN, 0);

    reader->pos = setter_spool_start(head,
                                     ngx_http_setter_reader_look(reader));
    reader->limit = reader->pos;
    reader->end = reader->pos;
    reader->replayed = reader->pos;
    reader->saved = reader->pos;

    return reader;
}


off_t
ngx_http_setter_reader_look(ngx_http_setter_spool_reader_t *reader)
{
    char             head[SETTER_SPOOL_HEAD];
    off_t            absent, committed;
    ngx_file_info_t  fi;

    ngx_memzero(head, SETTER_SPOOL_HEAD);

    if (ngx_fd_info(reader->fd, &fi) == NGX_FILE_ERROR
        || pread(reader->fd, head, SETTER_SPOOL_HEAD, 0) == -1)
    {
        return reader->end;
    }

    /* where it is not known what was answered for, all may have been */

    absent = reader->live ? SETTER_SPOOL_HEAD : NGX_MAX_OFF_T_VALUE;

    committed = setter_spool_cell_read(head, SETTER_SPOOL_COMMITTED, absent);

    reader->committed = ngx_max(reader->committed, committed);
    reader->size = ngx_file_size(&fi);
    reader->modified = ngx_file_mtime(&fi);
    reader->busy = 0;

    if (!reader->live || reader->recent) {
        return ngx_file_size(&fi);
    }

    reader->busy = ((off_t) setter_spool_cell_read(head, SETTER_SPOOL_CLAIMED,
                                                   0)
                    != committed);

    return ngx_min(reader->committed, ngx_file_size(&fi));
}


/* Whether there is, or will be, something to replay in it. */

static ngx_uint_t
ngx_http_setter_reader_wanted(ngx_http_setter_spool_reader_t *reader,
    ngx_uint_t *foreign)
{
    time_t    old;
    uint64_t  run;

    run = reader->spool->conf->redis->run;
    old = (run == reader->run) ? NGX_HTTP_SETTER_SCAN_OLD
                               : NGX_HTTP_SETTER_SCAN_LOST;

    if (reader->recent
        && !reader->live
        && ngx_time() - reader->modified > old)
    {
        ngx_http_setter_reader_delete(reader);
        return 0;
    }

    if (reader->recent && (run == 0 || run == reader->run)) {
        return 0;
    }

    if (reader->recent && reader->live) {
        *foreign = 1;
        return 0;
    }

    if (!reader->live && reader->pos >= reader->size) {
        ngx_http_setter_reader_delete(reader);
        return 0;
    }

    return 1;
}


static void
ngx_http_setter_reader_delete(ngx_http_setter_spool_reader_t *reader)
{
    ngx_http_setter_spool_t  *spool;

    spool = reader->spool;

    if (ngx_delete_file(ngx_http_setter_spool_name(spool, reader->name))
        != NGX_FILE_ERROR
        && !reader->recent)
    {
        (void) ngx_atomic_fetch_add(&spool->shared->bytes, -reader->size);
    }
}


void
ngx_http_setter_reader_save(ngx_http_setter_spool_reader_t *reader)
{
    if (reader->saved != reader->replayed) {
        reader->saved = reader->replayed;

        /* or else they are sent once more, which does no harm */

        (void) ngx_http_setter_spool_set(reader->fd, SETTER_SPOOL_REPLAYED,
                                         reader->replayed);
    }
}


/* The lock on a file whose writer is gone ends with it. */

void
ngx_http_setter_reader_close(ngx_http_setter_spool_reader_t *reader)
{
    ngx_queue_remove(&reader->queue);

    (void) ngx_close_file(reader->fd);

    if (reader->buf) {
        ngx_free(reader->buf);
    }

    ngx_free(reader);
}
