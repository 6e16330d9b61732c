#include "ngx_http_setter_api.h"
#include "ngx_http_setter_look.h"


static ngx_int_t ngx_http_setter_health_answer(ngx_http_request_t *r,
    setter_depth_t *depth);
static void ngx_http_setter_health_spool(setter_buf_t *buf,
    ngx_http_setter_spool_t *spool, ngx_uint_t takes);
static void ngx_http_setter_health_queue(setter_buf_t *buf,
    setter_depth_t *depth);


ngx_int_t
ngx_http_setter_health(ngx_http_request_t *r)
{
    return ngx_http_setter_look(r, ngx_http_setter_health_answer);
}


/* Without Redis (depth NULL) all is well as long as the spool takes jobs. */

static ngx_int_t
ngx_http_setter_health_answer(ngx_http_request_t *r,
    setter_depth_t *depth)
{
    ngx_uint_t                    takes;
    setter_buf_t                  buf;
    const char                   *status;
    setter_alloc_t                alloc;
    ngx_http_setter_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_setter_module);

    takes = smcf->spool && !ngx_http_setter_spool_out(smcf->spool);
    status = depth ? "ok" : takes ? "spooling" : "unavailable";

    ngx_http_setter_api_buf(r, &alloc, &buf);

    setter_buf_byte(&buf, '{');
    setter_json_member(&buf, "status", ngx_http_setter_constant(status));
    setter_json_member(&buf, "redis",
                       ngx_http_setter_constant(depth ? "ok"
                                                      : "unavailable"));

    if (smcf->spool) {
        ngx_http_setter_health_spool(&buf, smcf->spool, takes);
    }

    if (depth) {
        ngx_http_setter_health_queue(&buf, depth);
    }

    setter_buf_byte(&buf, '}');

    return ngx_http_setter_api_send(r, (depth || takes)
                                       ? NGX_HTTP_OK
                                       : NGX_HTTP_SERVICE_UNAVAILABLE,
                                    "application/json", &buf);
}


static void
ngx_http_setter_health_spool(setter_buf_t *buf,
    ngx_http_setter_spool_t *spool, ngx_uint_t takes)
{
    ngx_atomic_int_t  bytes;

    bytes = spool->shared->bytes;

    setter_json_name(buf, "spool");
    setter_buf_byte(buf, '{');
    setter_json_member(buf, "status",
                       ngx_http_setter_constant(takes ? "ok"
                                                      : "unavailable"));
    setter_json_name(buf, "records");
    setter_buf_number(buf, spool->shared->undrained);
    setter_json_name(buf, "bytes");
    setter_buf_number(buf, ngx_max(bytes, 0));
    setter_buf_byte(buf, '}');
}


static void
ngx_http_setter_health_queue(setter_buf_t *buf, setter_depth_t *depth)
{
    size_t  i;

    setter_json_name(buf, "queue");
    setter_buf_byte(buf, '{');

    for (i = 0; i < depth->ncounts; i++) {
        setter_json_name(buf, depth->counts[i].name);
        setter_buf_number(buf, depth->counts[i].value);
    }

    setter_buf_byte(buf, '}');
}
