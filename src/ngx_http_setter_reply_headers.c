/*
 * What an answer has beside its status and body.
 */

#include "ngx_http_setter_reply.h"
#include "ngx_http_setter_admit.h"
#include "ngx_http_setter_api.h"
#include "ngx_http_setter_verify.h"


static ngx_int_t ngx_http_setter_retry_after(ngx_http_request_t *r,
    ngx_uint_t seconds);


ngx_int_t
ngx_http_setter_reply_headers(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, ngx_uint_t code)
{
    ngx_str_t                   *allow;
    ngx_http_setter_loc_conf_t  *slcf;

    static ngx_str_t  post = ngx_string("POST");
    static ngx_str_t  get = ngx_string("GET");
    static ngx_str_t  get_head = ngx_string("GET, HEAD");
    static ngx_str_t  calls = ngx_string("GET, POST, PATCH, DELETE");
    static ngx_str_t  schemes[] = {         /* of setter_verify */
        ngx_string("Token"), ngx_string("Signature"),
        ngx_string("Basic realm=\"setter\""), ngx_string("Bearer")
    };

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    switch (code) {

    case NGX_HTTP_NOT_ALLOWED:
        allow = &post;

        if (slcf->api && slcf->api->directive) {
            allow = &calls;

        } else if (slcf->api && (slcf->api->methods & NGX_HTTP_GET)) {
            allow = (slcf->api->methods & NGX_HTTP_HEAD) ? &get_head : &get;
        }

        return ngx_http_setter_add_header(r, "Allow", allow);

    case NGX_HTTP_UNAUTHORIZED:
        return ngx_http_setter_add_header(r, "WWW-Authenticate",
                       &schemes[slcf->verify ? slcf->verify->scheme : 0]);

    case NGX_HTTP_TOO_MANY_REQUESTS:
        return ngx_http_setter_retry_after(r,
                                      ngx_http_setter_admit_retry_after(ctx));

    default:
        return ngx_http_setter_reply_status(r, code);
    }
}


ngx_int_t
ngx_http_setter_reply_status(ngx_http_request_t *r, ngx_uint_t code)
{
    ngx_http_setter_main_conf_t  *smcf;

    static ngx_str_t  unprocessable = ngx_string("422 Unprocessable Content");

    switch (code) {

    case NGX_HTTP_UNPROCESSABLE_ENTITY:

        /* nginx has no words for it */

        r->headers_out.status_line = unprocessable;
        return NGX_OK;

    case NGX_HTTP_SERVICE_UNAVAILABLE:
        smcf = ngx_http_get_module_main_conf(r, ngx_http_setter_module);

        return ngx_http_setter_retry_after(r,
                              ngx_http_setter_redis_retry_after(smcf->redis));

    default:
        return NGX_OK;
    }
}


static ngx_int_t
ngx_http_setter_retry_after(ngx_http_request_t *r, ngx_uint_t seconds)
{
    u_char     *p;
    ngx_str_t   value;

    p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    value.data = p;
    value.len = ngx_sprintf(p, "%ui", seconds) - p;

    return ngx_http_setter_add_header(r, "Retry-After", &value);
}


ngx_int_t
ngx_http_setter_add_header(ngx_http_request_t *r, char *name,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
#if (nginx_version >= 1023000)
    h->next = NULL;
#endif
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value = *value;

    return NGX_OK;
}
