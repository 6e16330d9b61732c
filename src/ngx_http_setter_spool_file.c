/*
 * Files that this process writes into the spool.
 */

#include "ngx_http_setter_module.h"

#include <sys/file.h>


static void ngx_http_setter_spool_head(char *head, uint64_t run);


u_char *
ngx_http_setter_spool_name(ngx_http_setter_spool_t *spool, const void *name)
{
    static u_char  path[NGX_HTTP_SETTER_SPOOL_PATH];

    (void) ngx_snprintf(path, sizeof(path), "%V/%s%Z", &spool->path, name);

    path[sizeof(path) - 1] = '\0';

    return path;
}


ngx_uint_t
ngx_http_setter_spool_kind(const void *name)
{
    if (ngx_strlen(name) >= NGX_HTTP_SETTER_SPOOL_NAME) {
        return 0;
    }

    if (ngx_strncmp(name, "jobs-", 5) == 0) {
        return 'j';
    }

    return (ngx_strncmp(name, "recent-", 7) == 0) ? 'r' : 0;
}


/*
 * The file gets its name when it is locked and has its head: nobody takes it
 * for one that was left behind.
 */

ngx_int_t
ngx_http_setter_spool_begin(ngx_http_setter_spool_t *spool,
    ngx_http_setter_spool_file_t *file, const char *kind, uint64_t run)
{
    char           head[SETTER_SPOOL_HEAD];
    u_char        *p, path[NGX_HTTP_SETTER_SPOOL_PATH];
    ngx_err_t      err;
    struct iovec   iov;

    p = ngx_snprintf(file->name, sizeof(file->name) - 1, "%s-%uL-%P", kind,
                     ngx_http_setter_spool_order(spool), ngx_pid);
    *p = '\0';

    p = ngx_snprintf(path, sizeof(path) - 1, "%V/.%s", &spool->path,
                     file->name);
    *p = '\0';

    file->fd = open((char *) path, O_RDWR|O_CREAT|O_EXCL|O_CLOEXEC,
                    NGX_FILE_OWNER_ACCESS);

    if (file->fd == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }

    ngx_http_setter_spool_head(head, run);

    file->written = 0;
    file->begun = ngx_current_msec;
    file->touched = ngx_current_msec;

    iov.iov_base = head;
    iov.iov_len = SETTER_SPOOL_HEAD;

    if (flock(file->fd, LOCK_EX|LOCK_NB) == 0
        && ngx_http_setter_spool_write(file, &iov, 1, SETTER_SPOOL_HEAD)
           == NGX_OK
        && ngx_rename_file(path, ngx_http_setter_spool_name(spool,
                                                            file->name))
           != NGX_FILE_ERROR)
    {
        return NGX_OK;
    }

    err = ngx_errno;

    (void) ngx_delete_file(path);
    (void) ngx_close_file(file->fd);
    file->fd = NGX_INVALID_FILE;

    ngx_set_errno(err);

    return NGX_ERROR;
}


static void
ngx_http_setter_spool_head(char *head, uint64_t run)
{
    size_t  at;
    char    cell[SETTER_SPOOL_CELL];

    setter_spool_head(head);

    at = setter_spool_cell(cell, SETTER_SPOOL_RUN, run);
    ngx_memcpy(head + at, cell, SETTER_SPOOL_CELL);

    at = setter_spool_cell(cell, SETTER_SPOOL_CLAIMED, SETTER_SPOOL_HEAD);
    ngx_memcpy(head + at, cell, SETTER_SPOOL_CELL);

    at = setter_spool_cell(cell, SETTER_SPOOL_COMMITTED, SETTER_SPOOL_HEAD);
    ngx_memcpy(head + at, cell, SETTER_SPOOL_CELL);
}


void
ngx_http_setter_spool_iov(struct iovec iov[3], char *head,
    setter_spool_record_t *record)
{
    iov[0].iov_base = head;
    iov[0].iov_len = SETTER_SPOOL_RECORD_HEAD;
    iov[1].iov_base = (void *) record->header.data;
    iov[1].iov_len = record->header.len;
    iov[2].iov_base = (void *) record->envelope.data;
    iov[2].iov_len = record->envelope.len;
}


ngx_int_t
ngx_http_setter_spool_write(ngx_http_setter_spool_file_t *file,
    struct iovec *iov, int n, size_t size)
{
    ssize_t    written;
    ngx_err_t  err;

    do {
        written = pwritev(file->fd, iov, n, file->written);
    } while (written == -1 && ngx_errno == NGX_EINTR);

    if (written == (ssize_t) size) {
        file->written += size;
        file->touched = ngx_current_msec;
        return NGX_OK;
    }

    /* a disk that is nearly full takes a part */

    err = (written == -1) ? ngx_errno : NGX_ENOSPC;

    if (written != -1 && ftruncate(file->fd, file->written) == -1) {
        err = ngx_errno;
    }

    ngx_set_errno(err);

    return NGX_ERROR;
}


ngx_int_t
ngx_http_setter_spool_set(ngx_fd_t fd, setter_spool_cell_e cell,
    uint64_t value)
{
    char    bytes[SETTER_SPOOL_CELL];
    size_t  at;

    at = setter_spool_cell(bytes, cell, value);

    if (pwrite(fd, bytes, SETTER_SPOOL_CELL, at) != SETTER_SPOOL_CELL) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_http_setter_spool_close(ngx_http_setter_spool_t *spool,
    ngx_http_setter_spool_file_t *file, ngx_uint_t delete)
{
    if (file->fd == NGX_INVALID_FILE) {
        return;
    }

    if (delete) {
        (void) ngx_delete_file(ngx_http_setter_spool_name(spool, file->name));
    }

    (void) ngx_close_file(file->fd);

    file->fd = NGX_INVALID_FILE;
}
