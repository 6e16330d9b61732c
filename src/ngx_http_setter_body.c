#include "ngx_http_setter_body.h"


static off_t ngx_http_setter_body_length(ngx_chain_t *in,
    ngx_uint_t *buffers);
static ngx_int_t ngx_http_setter_body_copy(ngx_chain_t *in, u_char *p);


ngx_http_setter_outcome_e
ngx_http_setter_body(ngx_http_request_t *r, size_t max, setter_str_t *body)
{
    off_t         len;
    u_char       *p;
    ngx_uint_t    buffers;
    ngx_chain_t  *in;

    body->len = 0;
    body->data = "";

    in = r->request_body ? r->request_body->bufs : NULL;

    len = ngx_http_setter_body_length(in, &buffers);

    ngx_log_debug2(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "setter body, length:%O buffers:%ui", len, buffers);

    if (len > (off_t) max) {
        return ngx_http_setter_too_large;
    }

    if (len == 0) {
        return ngx_http_setter_undecided;
    }

    body->len = (size_t) len;

    if (buffers == 1 && ngx_buf_in_memory(in->buf)) {
        body->data = (char *) in->buf->pos;
        return ngx_http_setter_undecided;
    }

    p = ngx_pnalloc(r->pool, body->len);
    if (p == NULL) {
        return ngx_http_setter_failed;
    }

    body->data = (char *) p;

    return (ngx_http_setter_body_copy(in, p) == NGX_OK)
           ? ngx_http_setter_undecided : ngx_http_setter_failed;
}


static off_t
ngx_http_setter_body_length(ngx_chain_t *in, ngx_uint_t *buffers)
{
    off_t  len;

    len = 0;
    *buffers = 0;

    for ( /* void */ ; in; in = in->next) {
        len += ngx_buf_size(in->buf);
        (*buffers)++;
    }

    return len;
}


static ngx_int_t
ngx_http_setter_body_copy(ngx_chain_t *in, u_char *p)
{
    size_t      size;
    ssize_t     n;
    ngx_buf_t  *b;

    for ( /* void */ ; in; in = in->next) {
        b = in->buf;
        size = (size_t) ngx_buf_size(b);

        if (ngx_buf_in_memory(b)) {
            p = ngx_cpymem(p, b->pos, size);
            continue;
        }

        if (size == 0) {
            continue;
        }

        n = ngx_read_file(b->file, p, size, b->file_pos);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        if ((size_t) n != size) {
            ngx_log_error(NGX_LOG_ALERT, b->file->log, 0,
                          ngx_read_file_n " read only %z of %uz bytes from "
                          "\"%V\"", n, size, &b->file->name);
            return NGX_ERROR;
        }

        p += n;
    }

    return NGX_OK;
}
