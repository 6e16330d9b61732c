#include "ngx_http_setter_verify.h"


#define NGX_HTTP_SETTER_CHALLENGE  256      /* bytes of one at most */


static ngx_int_t ngx_http_setter_verify_key(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, ngx_http_setter_verify_t *verify);
static ngx_int_t ngx_http_setter_verify_basic(ngx_http_request_t *r,
    ngx_str_t *given);
static ngx_int_t ngx_http_setter_argument(ngx_http_request_t *r, char *name,
    ngx_str_t *value);
static ngx_uint_t ngx_http_setter_plain(ngx_str_t *text);


ngx_int_t
ngx_http_setter_verify(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_verify_t *verify)
{
    int         equal;
    ngx_int_t   rc;
    ngx_str_t   given;
    ngx_uint_t  i;

    if (verify->scheme == ngx_http_setter_verify_keys) {
        return ngx_http_setter_verify_key(r, ctx, verify);
    }

    if (verify->scheme == ngx_http_setter_verify_users) {
        rc = ngx_http_setter_verify_basic(r, &given);

        if (rc != NGX_OK) {
            return rc;
        }

    } else if (ngx_http_complex_value(r, &verify->value, &given) != NGX_OK) {
        return NGX_ERROR;
    }

    if (verify->scheme == ngx_http_setter_verify_signatures) {
        /* of the body, which is to come */
        return given.len ? NGX_OK : NGX_DECLINED;
    }

    equal = 0;

    for (i = 0; i < verify->nsecrets; i++) {
        equal |= setter_sign_equal(ngx_http_setter_text(&given),
                                   ngx_http_setter_text(&verify->secrets[i]));
    }

    return equal ? NGX_OK : NGX_DECLINED;
}


/* "user:password" of "Authorization: Basic", or NGX_DECLINED. */

static ngx_int_t
ngx_http_setter_verify_basic(ngx_http_request_t *r, ngx_str_t *given)
{
    ngx_str_t  value, encoded;

    if (r->headers_in.authorization == NULL) {
        return NGX_DECLINED;
    }

    value = r->headers_in.authorization->value;

    if (value.len < sizeof("Basic ") - 1
        || ngx_strncasecmp(value.data, (u_char *) "Basic ",
                           sizeof("Basic ") - 1)
           != 0)
    {
        return NGX_DECLINED;
    }

    encoded.data = value.data + sizeof("Basic ") - 1;
    encoded.len = value.len - (sizeof("Basic ") - 1);

    while (encoded.len && *encoded.data == ' ') {
        encoded.data++;
        encoded.len--;
    }

    given->data = ngx_pnalloc(r->pool,
                              ngx_base64_decoded_length(encoded.len) + 1);
    if (given->data == NULL) {
        return NGX_ERROR;
    }

    return (ngx_decode_base64(given, &encoded) == NGX_OK) ? NGX_OK
                                                          : NGX_DECLINED;
}


ngx_int_t
ngx_http_setter_verify_body(ngx_http_request_t *r,
    ngx_http_setter_verify_t *verify, setter_str_t *body)
{
    ngx_int_t   rc, found;
    ngx_uint_t  i;

    if (verify == NULL
        || verify->scheme != ngx_http_setter_verify_signatures)
    {
        return NGX_OK;
    }

    found = NGX_DECLINED;

    for (i = 0; i < verify->nsecrets; i++) {
        rc = ngx_http_setter_verify_signed(r, verify,
                                 ngx_http_setter_text(&verify->secrets[i]),
                                 body);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_OK) {
            found = NGX_OK;
        }
    }

    return found;
}


ngx_int_t
ngx_http_setter_verify_signed(ngx_http_request_t *r,
    ngx_http_setter_verify_t *verify, setter_str_t secret, setter_str_t *body)
{
    int             rc;
    ngx_str_t       given, url;
    setter_alloc_t  alloc;

    if (ngx_http_complex_value(r, &verify->value, &given) != NGX_OK
        || (verify->url
            && ngx_http_complex_value(r, verify->url, &url) != NGX_OK))
    {
        return NGX_ERROR;
    }

    alloc.get = ngx_http_setter_palloc;
    alloc.owner = r->pool;

    rc = verify->url
         ? setter_sign_twilio(ngx_http_setter_text(&given), secret,
                              ngx_http_setter_text(&url), *body, &alloc)
         : setter_sign_check(&verify->sign, ngx_http_setter_text(&given),
                             secret, *body);

    if (rc == SETTER_NO_MEMORY) {
        return NGX_ERROR;
    }

    return (rc == SETTER_OK) ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_http_setter_verify_handshake(ngx_http_request_t *r,
    ngx_http_setter_verify_t *verify)
{
    ngx_int_t                 rc;
    ngx_str_t                 mode, token, type;
    ngx_http_complex_value_t  cv;

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));
    ngx_str_set(&type, "text/plain");

    if (ngx_http_setter_argument(r, "hub.mode", &mode) != NGX_OK
        || ngx_http_setter_argument(r, "hub.verify_token", &token) != NGX_OK
        || ngx_http_setter_argument(r, "hub.challenge", &cv.value) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (mode.len != sizeof("subscribe") - 1
        || ngx_strncmp(mode.data, "subscribe", mode.len) != 0
        || !setter_sign_equal(ngx_http_setter_text(&token),
                              ngx_http_setter_text(&verify->handshake))
        || !ngx_http_setter_plain(&cv.value))
    {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "setter: the handshake of a webhook failed");
        return NGX_HTTP_FORBIDDEN;
    }

    rc = ngx_http_discard_request_body(r);

    return (rc == NGX_OK) ? ngx_http_send_response(r, NGX_HTTP_OK, &type, &cv)
                          : rc;
}


/* Decoded; empty where there is none. */

static ngx_int_t
ngx_http_setter_argument(ngx_http_request_t *r, char *name, ngx_str_t *value)
{
    u_char     *src, *dst;
    ngx_str_t   raw;

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &raw) != NGX_OK) {
        ngx_str_null(value);
        return NGX_OK;
    }

    value->data = ngx_pnalloc(r->pool, raw.len + 1);
    if (value->data == NULL) {
        return NGX_ERROR;
    }

    src = raw.data;
    dst = value->data;

    ngx_unescape_uri(&dst, &src, raw.len, 0);

    value->len = dst - value->data;

    return NGX_OK;
}


/* What is shown again must be nothing but a word. */

static ngx_uint_t
ngx_http_setter_plain(ngx_str_t *text)
{
    u_char  c;
    size_t  i;

    for (i = 0; i < text->len; i++) {
        c = text->data[i];

        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
              || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.'))
        {
            return 0;
        }
    }

    return text->len && text->len <= NGX_HTTP_SETTER_CHALLENGE;
}


static ngx_int_t
ngx_http_setter_verify_key(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    ngx_http_setter_verify_t *verify)
{
    ngx_uint_t    i;
    setter_str_t  text;

    ctx->admin = 0;

    if (verify->nsecrets && ngx_http_setter_key_text(r, &text) == NGX_OK) {

        for (i = 0; i < verify->nsecrets; i++) {
            ctx->admin |= setter_sign_equal(text,
                                    ngx_http_setter_text(&verify->secrets[i]));
        }

        if (ctx->admin) {
            return NGX_OK;
        }
    }

    ctx->bearer = ngx_pcalloc(r->pool, sizeof(ngx_http_setter_key_t));
    if (ctx->bearer == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_setter_key_find(r, ctx->bearer) != NGX_OK) {
        return NGX_ERROR;
    }

    switch (ctx->bearer->state) {

    case ngx_http_setter_key_good:
    case ngx_http_setter_key_unsure:
        return NGX_OK;

    case ngx_http_setter_key_absent:
        return verify->optional ? NGX_OK : NGX_DECLINED;

    default:
        return NGX_DECLINED;
    }
}
