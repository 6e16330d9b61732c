/*
 * "setter_call": requests that workers answer, by the name of a call.
 */

#include "ngx_http_setter_api.h"
#include "ngx_http_setter_ask.h"
#include "ngx_http_setter_body.h"
#include "ngx_http_setter_call.h"
#include "ngx_http_setter_check.h"
#include "ngx_http_setter_option.h"
#include "ngx_http_setter_outside.h"
#include "ngx_http_setter_reply.h"
#include "ngx_http_setter_signing.h"


#define NGX_HTTP_SETTER_ASK_NAME     32     /* bytes of a call's name */
#define NGX_HTTP_SETTER_ASK_PATH     512    /* of a path */
#define NGX_HTTP_SETTER_ASK_QUERY    2048
#define NGX_HTTP_SETTER_ASK_MATCH    256    /* of If-Match */
#define NGX_HTTP_SETTER_ASK_TIMEOUT  30000
#define NGX_HTTP_SETTER_ASK_SECRETS  2      /* fields of a body */


typedef struct {
    ngx_http_setter_api_t        api;       /* its name is the call's */
    const char                  *name;
    ngx_http_complex_value_t    *path;      /* NULL: none */
    ngx_msec_t                   timeout;
    ngx_int_t                    max;
} ngx_http_setter_ask_t;


static ngx_int_t ngx_http_setter_ask_name(ngx_str_t *name);
static ngx_int_t ngx_http_setter_ask_handler(ngx_http_request_t *r);
static ngx_http_setter_outcome_e ngx_http_setter_ask_worker(
    ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx);
static void ngx_http_setter_ask_header(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, ngx_str_t *path, ngx_str_t *match,
    setter_buf_t *buf);
static ngx_http_setter_outcome_e ngx_http_setter_ask_body(
    ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx, setter_buf_t *buf);
static ngx_int_t ngx_http_setter_ask_seal(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, setter_str_t body, setter_buf_t *buf);


static ngx_http_setter_option_t  ngx_http_setter_ask_options[] = {

    { ngx_string("path="),
      offsetof(ngx_http_setter_ask_t, path),
      ngx_http_setter_option_value },

    { ngx_string("timeout="),
      offsetof(ngx_http_setter_ask_t, timeout),
      ngx_http_setter_option_msec },

    { ngx_string("max="),
      offsetof(ngx_http_setter_ask_t, max),
      ngx_http_setter_option_count },

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
    ask->max = NGX_HTTP_SETTER_CALL_MAX;

    if (ngx_http_setter_options(cf, ngx_http_setter_ask_options, ask)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ask->name = (char *) value[1].data;
    ask->api.name = value[1];
    ask->api.directive = "setter_call";
    ask->api.methods = NGX_HTTP_GET|NGX_HTTP_POST|NGX_HTTP_PATCH
                       |NGX_HTTP_DELETE;
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
    ngx_str_t                    path, *match;
    setter_buf_t                 buf;
    ngx_http_setter_ask_t       *ask;
    ngx_http_setter_outcome_e    outcome;
    ngx_http_setter_loc_conf_t  *slcf;

    static ngx_str_t  if_match = ngx_string("if-match");

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);
    ask = slcf->api_conf;

    ngx_str_null(&path);

    if (ask->path && ngx_http_complex_value(r, ask->path, &path) != NGX_OK) {
        return ngx_http_setter_failed;
    }

    match = ngx_http_setter_header(r, &if_match);

    /* which version is meant is for the worker to judge */

    r->disable_not_modified = 1;

    if (path.len > NGX_HTTP_SETTER_ASK_PATH
        || r->args.len > NGX_HTTP_SETTER_ASK_QUERY
        || (match && match->len > NGX_HTTP_SETTER_ASK_MATCH))
    {
        return ngx_http_setter_too_large;
    }

    setter_buf_init(&buf, &ctx->alloc, 128 + path.len + r->args.len);
    setter_buf_byte(&buf, '{');
    ngx_http_setter_ask_header(r, ctx, &path, match, &buf);

    if (r->method & (NGX_HTTP_POST|NGX_HTTP_PATCH)) {
        outcome = ngx_http_setter_ask_body(r, ctx, &buf);

        if (outcome != ngx_http_setter_undecided) {
            return outcome;
        }
    }

    setter_buf_byte(&buf, '}');

    if (buf.failed) {
        return ngx_http_setter_failed;
    }

    return ngx_http_setter_call(r, ctx, ask->name,
                                (setter_str_t) { buf.len, buf.data },
                                ask->timeout, ask->max);
}


static void
ngx_http_setter_ask_header(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    ngx_str_t *path, ngx_str_t *match, setter_buf_t *buf)
{
    setter_json_member(buf, "method", ngx_http_setter_text(&r->method_name));
    setter_json_member(buf, "path", ngx_http_setter_text(path));
    setter_json_member(buf, "query", ngx_http_setter_text(&r->args));
    setter_json_member(buf, "principal",
                       ngx_http_setter_constant(ctx->admin ? "admin"
                                                           : "key"));
    if (match) {
        setter_json_member(buf, "if_match", ngx_http_setter_text(match));
    }
}


/* A JSON object, or nothing. */

static ngx_http_setter_outcome_e
ngx_http_setter_ask_body(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    setter_buf_t *buf)
{
    ngx_uint_t                    i;
    setter_str_t                  body;
    setter_json_error_e           error;
    setter_json_value_t           secrets[NGX_HTTP_SETTER_ASK_SECRETS];
    ngx_http_setter_outcome_e     outcome;
    ngx_http_setter_loc_conf_t   *slcf;
    ngx_http_setter_main_conf_t  *smcf;

    static const setter_json_path_t  paths[NGX_HTTP_SETTER_ASK_SECRETS] = {
        { "credential", 0 },
        { "signing", 0 }
    };

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);
    smcf = ngx_http_get_module_main_conf(r, ngx_http_setter_module);

    outcome = ngx_http_setter_body(r, slcf->max_job, &body);

    if (outcome != ngx_http_setter_undecided || body.len == 0) {
        return outcome;
    }

    if (!ngx_http_setter_check_json(r)) {
        return ngx_http_setter_media_type;
    }

    error = setter_json_read(body.data, body.len, 0, paths,
                             NGX_HTTP_SETTER_ASK_SECRETS, secrets, NULL,
                             &ctx->alloc);
    if (error != SETTER_JSON_OK) {
        return ngx_http_setter_bad_json(ctx, error);
    }

    if (smcf->signing) {
        return (ngx_http_setter_ask_seal(r, ctx, body, buf) == NGX_OK)
                   ? ngx_http_setter_undecided : ngx_http_setter_failed;
    }

    /* nor is it to get there where it cannot be sealed */

    for (i = 0; i < NGX_HTTP_SETTER_ASK_SECRETS; i++) {
        if (secrets[i].type == SETTER_JSON_STRING) {
            ctx->detail = "a secret is taken where setter_signing_key is set";
            return ngx_http_setter_unsupported;
        }
    }

    setter_json_name(buf, "body");
    setter_buf_append(buf, body.data, body.len);

    return ngx_http_setter_undecided;
}


/* There may be secrets in it, which Redis and its files are not to have. */

static ngx_int_t
ngx_http_setter_ask_seal(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    setter_str_t body, setter_buf_t *buf)
{
    setter_buf_t                  context;
    ngx_http_setter_ask_t        *ask;
    ngx_http_setter_loc_conf_t   *slcf;
    ngx_http_setter_main_conf_t  *smcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);
    smcf = ngx_http_get_module_main_conf(r, ngx_http_setter_module);
    ask = slcf->api_conf;

    setter_buf_init(&context, &ctx->alloc, 128);
    setter_buf_text(&context, "call/");
    setter_buf_append(&context, (char *) ctx->tenant.data, ctx->tenant.len);
    setter_buf_byte(&context, '/');
    setter_buf_append(&context, (char *) ask->api.name.data,
                      ask->api.name.len);

    if (context.failed) {
        return NGX_ERROR;
    }

    setter_json_name(buf, "sealed");
    setter_buf_byte(buf, '"');

    if (setter_seal(buf, &smcf->signing->keys[0],
                    (setter_str_t) { context.len, context.data }, body)
        != SETTER_OK)
    {
        return NGX_ERROR;
    }

    setter_buf_byte(buf, '"');

    return NGX_OK;
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
    setter_json_member(&buf, "detail", ngx_http_setter_constant(ctx->detail));
    setter_buf_byte(&buf, '}');

    text->data = (u_char *) buf.data;
    text->len = buf.len;

    return buf.failed ? NGX_ERROR : NGX_OK;
}
