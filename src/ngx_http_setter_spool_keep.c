/*
 * Copies of what Redis acknowledged in the last seconds, for when it turns
 * out to have forgotten them.  They outlive this process, not the machine:
 * nothing is fsynced.  Two files replace each other, so that at any time the
 * last NGX_HTTP_SETTER_KEEP_TIME are there.
 */

#include "ngx_http_setter_module.h"


#define NGX_HTTP_SETTER_KEEP_TIME    10000        /* ms */
#define NGX_HTTP_SETTER_KEEP_BUFFER  (64 * 1024)

/* a file has at most so small a part of "max": then it is replaced earlier */
#define NGX_HTTP_SETTER_KEEP_PART    8


static ngx_int_t ngx_http_setter_keep_write(ngx_http_setter_spool_t *spool,
    struct iovec *iov, int n, size_t size);
static void ngx_http_setter_keep_rotate(ngx_http_setter_spool_t *spool);
static void ngx_http_setter_keep_flush_handler(ngx_event_t *ev);


void
ngx_http_setter_keep_init(ngx_http_setter_spool_t *spool)
{
    ngx_http_setter_keep_t  *keep;

    keep = &spool->keep;

    keep->file.fd = NGX_INVALID_FILE;
    keep->former.fd = NGX_INVALID_FILE;

    keep->flush.handler = ngx_http_setter_keep_flush_handler;
    keep->flush.data = spool;
    keep->flush.log = spool->log;
}


/* What comes in one turn of the event loop is written at once. */

void
ngx_http_setter_spool_keep(ngx_http_setter_spool_t *spool,
    setter_spool_record_t *record)
{
    char                     head[SETTER_SPOOL_RECORD_HEAD];
    u_char                  *p;
    size_t                   size;
    struct iovec             iov[3];
    ngx_http_setter_keep_t  *keep;

    keep = &spool->keep;

    size = setter_spool_record(head, record);

    if (size == 0 || spool->conf->redis->run == 0) {
        return;
    }

    if (keep->buf == NULL) {
        keep->buf = ngx_alloc(NGX_HTTP_SETTER_KEEP_BUFFER, spool->log);
        if (keep->buf == NULL) {
            return;
        }
    }

    if (size > NGX_HTTP_SETTER_KEEP_BUFFER - keep->len) {
        ngx_http_setter_keep_flush(spool);
    }

    if (size > NGX_HTTP_SETTER_KEEP_BUFFER) {
        ngx_http_setter_spool_iov(iov, head, record);

        (void) ngx_http_setter_keep_write(spool, iov, 3, size);
        return;
    }

    p = keep->buf + keep->len;
    p = ngx_cpymem(p, head, SETTER_SPOOL_RECORD_HEAD);
    p = ngx_cpymem(p, record->header.data, record->header.len);
    p = ngx_cpymem(p, record->envelope.data, record->envelope.len);

    keep->len = p - keep->buf;

    ngx_post_event(&keep->flush, &ngx_posted_events);
}


static void
ngx_http_setter_keep_flush_handler(ngx_event_t *ev)
{
    ngx_http_setter_keep_flush(ev->data);
}


void
ngx_http_setter_keep_flush(ngx_http_setter_spool_t *spool)
{
    struct iovec             iov;
    ngx_http_setter_keep_t  *keep;

    keep = &spool->keep;

    if (keep->len == 0) {
        return;
    }

    iov.iov_base = keep->buf;
    iov.iov_len = keep->len;

    keep->len = 0;

    (void) ngx_http_setter_keep_write(spool, &iov, 1, iov.iov_len);
}


/* That there is no copy is no reason to refuse a job. */

static ngx_int_t
ngx_http_setter_keep_write(ngx_http_setter_spool_t *spool,
    struct iovec *iov, int n, size_t size)
{
    ngx_http_setter_keep_t  *keep;

    keep = &spool->keep;

    ngx_http_setter_keep_rotate(spool);

    if ((keep->file.fd == NGX_INVALID_FILE
         && ngx_http_setter_spool_begin(spool, &keep->file, "recent",
                                        spool->conf->redis->run)
            != NGX_OK)
        || ngx_http_setter_spool_write(&keep->file, iov, n, size) != NGX_OK)
    {
        if (!keep->complained) {
            keep->complained = 1;

            ngx_log_error(NGX_LOG_ERR, spool->log, ngx_errno,
                          "setter: the spool \"%V\" has no room for copies "
                          "of what Redis acknowledged", &spool->path);
        }

        return NGX_ERROR;
    }

    keep->complained = 0;

    return NGX_OK;
}


/* The older of the files ended when the younger one began. */

static void
ngx_http_setter_keep_rotate(ngx_http_setter_spool_t *spool)
{
    ngx_http_setter_keep_t  *keep;

    keep = &spool->keep;

    if (keep->file.fd == NGX_INVALID_FILE
        || (ngx_current_msec - keep->file.begun
            < NGX_HTTP_SETTER_KEEP_TIME
            && keep->file.written
               < spool->max / NGX_HTTP_SETTER_KEEP_PART))
    {
        return;
    }

    ngx_http_setter_spool_close(spool, &keep->former, 1);

    keep->former = keep->file;
    keep->file.fd = NGX_INVALID_FILE;
}


/* What a Redis that still answers has had for so long is not forgotten. */

void
ngx_http_setter_keep_tick(ngx_http_setter_spool_t *spool)
{
    ngx_msec_t               heard;
    ngx_http_setter_keep_t  *keep;

    keep = &spool->keep;
    heard = spool->conf->redis->now / 1000;

    if ((ngx_msec_int_t) (heard - keep->former.touched)
        > NGX_HTTP_SETTER_KEEP_TIME)
    {
        ngx_http_setter_spool_close(spool, &keep->former, 1);
    }

    if ((ngx_msec_int_t) (heard - keep->file.touched)
        > NGX_HTTP_SETTER_KEEP_TIME)
    {
        ngx_http_setter_spool_close(spool, &keep->file, 1);
    }
}


/* From now on the files belong to whoever finds them. */

void
ngx_http_setter_keep_end(ngx_http_setter_spool_t *spool)
{
    ngx_http_setter_keep_t  *keep;

    keep = &spool->keep;

    ngx_http_setter_keep_flush(spool);

    ngx_http_setter_spool_close(spool, &keep->former, 0);
    ngx_http_setter_spool_close(spool, &keep->file, 0);
}
