/*
 * W3C Trace Context: the traceparent that a job travels with.
 */

#include "ngx_http_setter_enrich.h"


static ngx_uint_t ngx_http_setter_trace_valid(ngx_str_t *value);


ngx_int_t
ngx_http_setter_trace(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx)
{
    ngx_str_t   *value;
    ngx_uint_t   i;
    ngx_time_t  *tp;
    char        *p, *q, id[2][SETTER_UUID_LEN];

    static ngx_str_t  name = ngx_string("traceparent");

    if (ctx->traced) {
        return NGX_OK;
    }

    ctx->traced = 1;

    value = ngx_http_setter_header(r, &name);

    if (value && ngx_http_setter_trace_valid(value)) {
        ngx_memcpy(ctx->trace, value->data, NGX_HTTP_SETTER_TRACE_LEN);
        return NGX_OK;
    }

    tp = ngx_timeofday();

    for (i = 0; i < 2; i++) {
        if (setter_uuid_v7(id[i], (int64_t) tp->sec * 1000 + tp->msec)
            != SETTER_OK)
        {
            return NGX_ERROR;
        }
    }

    /* 32 digits of the trace, 16 of the span: those at the end are random */

    p = (char *) ngx_cpymem(ctx->trace, "00-", 3);

    for (q = id[0]; q < id[0] + SETTER_UUID_LEN; q++) {
        if (*q != '-') {
            *p++ = *q;
        }
    }

    *p++ = '-';

    for (q = id[1] + SETTER_UUID_LEN - 17; q < id[1] + SETTER_UUID_LEN; q++) {
        if (*q != '-') {
            *p++ = *q;
        }
    }

    ngx_memcpy(p, "-01", 3);

    return NGX_OK;
}


/* "00-", 32 digits, "-", 16 digits, "-", 2 digits; no id is all zeros */

static ngx_uint_t
ngx_http_setter_trace_valid(ngx_str_t *value)
{
    u_char      ch;
    ngx_uint_t  i, trace, span;

    if (value->len != NGX_HTTP_SETTER_TRACE_LEN
        || ngx_strncmp(value->data, "00-", 3) != 0)
    {
        return 0;
    }

    trace = 0;
    span = 0;

    for (i = 3; i < NGX_HTTP_SETTER_TRACE_LEN; i++) {
        ch = value->data[i];

        if (i == 35 || i == 52) {
            if (ch != '-') {
                return 0;
            }

            continue;
        }

        if ((ch < '0' || ch > '9') && (ch < 'a' || ch > 'f')) {
            return 0;
        }

        if (ch != '0') {
            trace |= (i < 35);
            span |= (i > 35 && i < 52);
        }
    }

    return trace && span;
}
