/*
 * Records as the replayer reads them, one file after another's.
 */

#include "ngx_http_setter_module.h"


#define NGX_HTTP_SETTER_READER_CHUNK  (64 * 1024)
#define NGX_HTTP_SETTER_READER_PAGE   4096

/* bytes that one turn of the event loop looks through in vain */
#define NGX_HTTP_SETTER_READER_TURN   (1024 * 1024)


static ngx_int_t ngx_http_setter_reader_fill(
    ngx_http_setter_spool_reader_t *reader, size_t need);
static ngx_int_t ngx_http_setter_reader_room(
    ngx_http_setter_spool_reader_t *reader, size_t need);
static void ngx_http_setter_reader_skip(
    ngx_http_setter_spool_reader_t *reader, size_t n);
static ngx_int_t ngx_http_setter_reader_job(
    ngx_http_setter_spool_reader_t *reader);
static void ngx_http_setter_reader_end(
    ngx_http_setter_spool_reader_t *reader);
static void ngx_http_setter_reader_damaged(
    ngx_http_setter_spool_reader_t *reader);
static ngx_int_t ngx_http_setter_reader_copy(
    ngx_http_setter_spool_reader_t *reader, off_t from, off_t to);


ngx_int_t
ngx_http_setter_reader_load(ngx_http_setter_spool_reader_t *reader)
{
    off_t                turn;
    size_t               n;
    setter_spool_read_e  rc;

    turn = reader->pos + NGX_HTTP_SETTER_READER_TURN;

    while (!reader->loaded) {

        if (reader->pos >= reader->end) {
            ngx_http_setter_reader_end(reader);
            return NGX_DONE;
        }

        if (reader->pos >= turn) {
            return NGX_AGAIN;
        }

        if (reader->len == 0) {
            if (ngx_http_setter_reader_fill(reader, 1) != NGX_OK) {
                return NGX_ERROR;
            }

            continue;
        }

        rc = setter_spool_read((char *) reader->buf + reader->start,
                               reader->len,
                               reader->pos + (off_t) reader->len
                               >= reader->end,
                               &reader->record, &n);

        if (rc == SETTER_SPOOL_MORE) {
            if (ngx_http_setter_reader_fill(reader, n) != NGX_OK) {
                return NGX_ERROR;
            }

        } else if (rc == SETTER_SPOOL_DAMAGED
                   || ngx_http_setter_reader_job(reader) != NGX_OK)
        {
            ngx_http_setter_reader_skip(reader, n);

        } else {
            reader->loaded = 1;
            reader->record_size = n;
        }
    }

    if (reader->torn != -1) {
        ngx_http_setter_reader_damaged(reader);
    }

    return NGX_OK;
}


void
ngx_http_setter_reader_next(ngx_http_setter_spool_reader_t *reader)
{
    reader->loaded = 0;
    reader->pos += reader->record_size;
    reader->start += reader->record_size;
    reader->len -= reader->record_size;
}


/* There shall be "need" bytes in the buffer, unless the file ends before. */

static ngx_int_t
ngx_http_setter_reader_fill(ngx_http_setter_spool_reader_t *reader,
    size_t need)
{
    off_t    at, left;
    size_t   room;
    ssize_t  n;

    if (ngx_http_setter_reader_room(reader, need) != NGX_OK) {
        return NGX_ERROR;
    }

    at = reader->pos + reader->len;
    left = reader->end - at;
    room = reader->room - reader->start - reader->len;

    n = pread(reader->fd, reader->buf + reader->start + reader->len,
              ngx_min((off_t) room, left), at);

    if (n > 0) {
        reader->len += n;
        return NGX_OK;
    }

    if (n == 0) {
        reader->end = at;
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_CRIT, reader->spool->log, ngx_errno,
                  "setter: the spool's \"%s\" cannot be read at %O",
                  reader->name, at);

    /* the disk has lost a page: it goes on behind that */

    reader->len = 0;
    ngx_http_setter_reader_skip(reader,
                                ngx_min(NGX_HTTP_SETTER_READER_PAGE
                                        - at % NGX_HTTP_SETTER_READER_PAGE,
                                        left)
                                + at - reader->pos);

    return NGX_OK;
}


static ngx_int_t
ngx_http_setter_reader_room(ngx_http_setter_spool_reader_t *reader,
    size_t need)
{
    u_char  *buf;
    size_t   size;

    if (need <= reader->room - reader->start && reader->room) {
        return NGX_OK;
    }

    buf = reader->buf;
    size = reader->room;

    if (need > size) {
        size = ngx_max(need, NGX_HTTP_SETTER_READER_CHUNK);

        buf = ngx_alloc(size, reader->spool->log);
        if (buf == NULL) {
            return NGX_ERROR;
        }
    }

    if (reader->len) {
        ngx_memmove(buf, reader->buf + reader->start, reader->len);
    }

    if (buf != reader->buf && reader->buf) {
        ngx_free(reader->buf);
    }

    reader->buf = buf;
    reader->room = size;
    reader->start = 0;

    return NGX_OK;
}


static void
ngx_http_setter_reader_skip(ngx_http_setter_spool_reader_t *reader, size_t n)
{
    if (reader->torn == -1) {
        reader->torn = reader->pos;
    }

    reader->pos += n;

    n = ngx_min(n, reader->len);

    reader->start += n;
    reader->len -= n;
}


/* What is whole and yet no job is damaged, too. */

static ngx_int_t
ngx_http_setter_reader_job(ngx_http_setter_spool_reader_t *reader)
{
    setter_job_header_t  header;

    if (setter_job_header_read(&header, reader->record.header) != SETTER_OK) {
        return NGX_ERROR;
    }

    reader->tenant = header.tenant;

    return NGX_OK;
}


/*
 * What a process that was killed had not written to its end was answered for
 * to nobody.
 */

static void
ngx_http_setter_reader_end(ngx_http_setter_spool_reader_t *reader)
{
    if (reader->torn != -1 && reader->torn < reader->committed) {
        ngx_http_setter_reader_damaged(reader);
    }

    reader->torn = -1;

    if (reader->sent == 0) {
        reader->replayed = reader->pos;
        ngx_http_setter_reader_save(reader);
    }
}


/* The bytes from "torn" on are none of ours. */

static void
ngx_http_setter_reader_damaged(ngx_http_setter_spool_reader_t *reader)
{
    off_t                     from;
    ngx_err_t                 err;
    ngx_uint_t                kept;
    ngx_http_setter_spool_t  *spool;

    spool = reader->spool;
    from = reader->torn;

    reader->torn = -1;

    kept = (ngx_http_setter_reader_copy(reader, from, reader->pos) == NGX_OK);
    err = kept ? 0 : ngx_errno;

    (void) ngx_atomic_fetch_add(&spool->shared->damaged, 1);

    ngx_log_error(NGX_LOG_ERR, spool->log, err,
                  "setter: the spool's \"%s\" is damaged: %O bytes at %O are "
                  "no job, and %s \"%V/damaged\"", reader->name,
                  reader->pos - from, from,
                  kept ? "were put aside into" : "could not be copied to",
                  &spool->path);
}


static ngx_int_t
ngx_http_setter_reader_copy(ngx_http_setter_spool_reader_t *reader,
    off_t from, off_t to)
{
    u_char    buf[NGX_HTTP_SETTER_READER_PAGE];
    ssize_t   n;
    ngx_fd_t  fd;

    fd = open((char *) ngx_http_setter_spool_name(reader->spool, "damaged"),
              O_WRONLY|O_CREAT|O_APPEND|O_CLOEXEC, NGX_FILE_OWNER_ACCESS);

    if (fd == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    while (from < to) {
        n = pread(reader->fd, buf, ngx_min(to - from, (off_t) sizeof(buf)),
                  from);

        if (n <= 0 || write(fd, buf, n) != n) {
            break;
        }

        from += n;
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR || from < to) {
        return NGX_ERROR;
    }

    return NGX_OK;
}
