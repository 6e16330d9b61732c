#include "ngx_http_setter_api.h"
#include "ngx_http_setter_outside.h"
#include "ngx_http_setter_reply.h"


#define NGX_HTTP_SETTER_API_BUF  1024   /* bytes that an answer has at first */


/* What "setter_api" may name. */

static ngx_http_setter_api_t  ngx_http_setter_apis[] = {

    { ngx_string("health"),
      NGX_HTTP_GET|NGX_HTTP_HEAD,
      ngx_http_setter_health,
      NULL,
      0, NULL },

    { ngx_string("metrics"),
      NGX_HTTP_GET|NGX_HTTP_HEAD,
      ngx_http_setter_metrics,
      NULL,
      0, NULL },

    { ngx_string("scale"),
      NGX_HTTP_GET|NGX_HTTP_HEAD,
      ngx_http_setter_scale,
      ngx_http_setter_scale_conf,
      0, NULL },

    { ngx_string("next_job"),
      NGX_HTTP_GET,
      ngx_http_setter_next_job,
      ngx_http_setter_next_job_conf,
      1, NULL },

    { ngx_string("complete"),
      NGX_HTTP_POST,
      ngx_http_setter_complete,
      ngx_http_setter_complete_conf,
      1, NULL },

    { ngx_string("fail"),
      NGX_HTTP_POST,
      ngx_http_setter_fail,
      ngx_http_setter_fail_conf,
      1, NULL },

    { ngx_string("extend"),
      NGX_HTTP_POST,
      ngx_http_setter_extend,
      ngx_http_setter_extend_conf,
      1, NULL },

    { ngx_string("send"),
      NGX_HTTP_POST,
      ngx_http_setter_content_handler,
      ngx_http_setter_send_conf,
      1, NULL },

    { ngx_string("job"),
      NGX_HTTP_GET,
      ngx_http_setter_job,
      ngx_http_setter_job_conf,
      1, NULL },

    { ngx_null_string, 0, NULL, NULL, 0, NULL }
};


ngx_int_t
ngx_http_setter_api_handler(ngx_http_request_t *r)
{
    ngx_http_setter_ctx_t       *ctx;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    if (!(r->method & slcf->api->methods)) {

        ctx = ngx_http_setter_get_ctx(r);
        if (ctx == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return ngx_http_setter_reply(r, ctx, ngx_http_setter_method);
    }

    return slcf->api->handler(r);
}


void
ngx_http_setter_api_buf(ngx_http_request_t *r, setter_alloc_t *alloc,
    setter_buf_t *buf)
{
    alloc->get = ngx_http_setter_palloc;
    alloc->owner = r->pool;

    setter_buf_init(buf, alloc, NGX_HTTP_SETTER_API_BUF);
}


ngx_int_t
ngx_http_setter_api_send(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, setter_buf_t *buf)
{
    ngx_str_t                 ct;
    ngx_http_complex_value_t  cv;

    if (buf->failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    cv.value.data = (u_char *) buf->data;
    cv.value.len = buf->len;

    ct.data = (u_char *) type;
    ct.len = ngx_strlen(type);

    return ngx_http_send_response(r, status, &ct, &cv);
}


ngx_int_t
ngx_http_setter_api_unavailable(ngx_http_request_t *r)
{
    setter_buf_t    buf;
    setter_alloc_t  alloc;

    ngx_http_setter_api_buf(r, &alloc, &buf);
    setter_buf_text(&buf, "{\"status\":\"unavailable\","
                          "\"redis\":\"unavailable\"}");

    return ngx_http_setter_api_send(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                    "application/json", &buf);
}


char *
ngx_http_setter_api_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_setter_loc_conf_t *slcf = conf;

    ngx_str_t                 *value;
    ngx_http_setter_api_t     *api;
    ngx_http_core_loc_conf_t  *clcf;

    if (slcf->api || slcf->format) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (api = ngx_http_setter_apis; api->name.len; api++) {
        if (ngx_strcmp(value[1].data, api->name.data) == 0) {
            break;
        }
    }

    if (api->name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "unknown name \"%V\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts > 2 && api->parameters == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    slcf->api = api;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_setter_api_handler;

    return api->parameters ? api->parameters(cf, slcf) : NGX_CONF_OK;
}
