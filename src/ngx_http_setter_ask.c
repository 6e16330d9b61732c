/*
 * "setter_call": requests that workers answer, by the name of a call.
 */

#include "ngx_http_setter_api.h"
#include "ngx_http_setter_ask.h"
#include "ngx_http_setter_call.h"
#include "ngx_http_setter_option.h"
#include "ngx_http_setter_outside.h"


#define NGX_HTTP_SETTER_ASK_NAME     32     /* bytes of a call's name */
#define NGX_HTTP_SETTER_ASK_PATH     512    /* of a path */
#define NGX_HTTP_SETTER_ASK_QUERY    2048
#define NGX_HTTP_SETTER_ASK_TIMEOUT  30000


typedef struct {
    ngx_http_setter_api_t        api;       /* its name is the call's */
    const char                  *name;
    ngx_http_complex_value_t    *path;      /* NULL: none */
    ngx_msec_t                   timeout;
} ngx_http_setter_ask_t;


static ngx_int_t ngx_http_setter_ask_name(ngx_str_t *name);
static ngx_int_t ngx_http_setter_ask_handler(ngx_http_request_t *r);
static ngx_http_setter_outcome_e ngx_http_setter_ask_worker(
    ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx);


static ngx_http_setter_option_t  ngx_http_setter_ask_options[] = {

    { ngx_string("path="),
      offsetof(ngx_http_setter_ask_t, path),
      ngx_http_setter_option_value },

    { ngx_string("timeout="),
      offsetof(ngx_http_setter_ask_t, timeout),
      ngx_http_setter_option_msec },

    { ngx_null_string, 0, NULL }
};


char *
ngx_http_setter_ask_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_setter_loc_conf_t *slcf = conf;

    ngx_str_t                    *value;
    ngx_http_setter_ask_t        *ask;
    ngx_http_core_loc_conf_t     *clcf;
    ngx_http_setter_main_conf_t  *smcf;

    if (slcf->api || slcf->format) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_http_setter_ask_name(&value[1]) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid name \"%V\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    ask = ngx_pcalloc(cf->pool, sizeof(ngx_http_setter_ask_t));
    if (ask == NULL) {
        return NGX_CONF_ERROR;
    }

    ask->timeout = NGX_HTTP_SETTER_ASK_TIMEOUT;

    if (ngx_http_setter_options(cf, ngx_http_setter_ask_options, ask)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ask->name = (char *) value[1].data;
    ask->api.name = value[1];
    ask->api.directive = "setter_call";
    ask->api.methods = NGX_HTTP_GET|NGX_HTTP_POST;
    ask->api.handler = ngx_http_setter_ask_handler;
    ask->api.keyed = 1;

    slcf->api = &ask->api;
    slcf->api_conf = ask;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_setter_module);
    smcf->has_calls = 1;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_setter_api_handler;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_setter_ask_name(ngx_str_t *name)
{
    size_t  i;

    for (i = 0; i < name->len; i++) {
        if ((name->data[i] < 'a' || name->data[i] > 'z')
            && name->data[i] != '_')
        {
            return NGX_ERROR;
        }
    }

    return (i && i <= NGX_HTTP_SETTER_ASK_NAME) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_setter_ask_handler(ngx_http_request_t *r)
{
    return ngx_http_setter_outside(r, ngx_http_setter_ask_worker);
}


/* What is asked, as it stands: the worker knows what it means. */

static ngx_http_setter_outcome_e
ngx_http_setter_ask_worker(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx)
{
    ngx_str_t                    path;
    setter_buf_t                 buf;
    setter_str_t                 args;
    ngx_http_setter_ask_t       *ask;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);
    ask = slcf->api_conf;

    ngx_str_null(&path);

    if (ask->path && ngx_http_complex_value(r, ask->path, &path) != NGX_OK) {
        return ngx_http_setter_failed;
    }

    if (path.len > NGX_HTTP_SETTER_ASK_PATH
        || r->args.len > NGX_HTTP_SETTER_ASK_QUERY)
    {
        return ngx_http_setter_too_large;
    }

    setter_buf_init(&buf, &ctx->alloc, 128 + path.len + r->args.len);

    setter_buf_byte(&buf, '{');
    setter_json_member(&buf, "method", ngx_http_setter_text(&r->method_name));
    setter_json_member(&buf, "path", ngx_http_setter_text(&path));
    setter_json_member(&buf, "query", ngx_http_setter_text(&r->args));
    setter_buf_byte(&buf, '}');

    if (buf.failed) {
        return ngx_http_setter_failed;
    }

    args.data = buf.data;
    args.len = buf.len;

    return ngx_http_setter_call(r, ctx, ask->name, args, ask->timeout);
}


ngx_int_t
ngx_http_setter_ask_problem(ngx_http_setter_ctx_t *ctx, ngx_uint_t code,
    ngx_str_t *title, ngx_str_t *text)
{
    setter_buf_t  buf;

    setter_buf_init(&buf, &ctx->alloc, 128);

    setter_buf_text(&buf, "{\"type\":\"about:blank\"");
    setter_json_member(&buf, "title", ngx_http_setter_text(title));
    setter_json_name(&buf, "status");
    setter_buf_number(&buf, code);
    setter_buf_byte(&buf, '}');

    text->data = (u_char *) buf.data;
    text->len = buf.len;

    return buf.failed ? NGX_ERROR : NGX_OK;
}
