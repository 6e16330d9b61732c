#include "ngx_http_setter_api.h"
#include "ngx_http_setter_look.h"


static ngx_int_t ngx_http_setter_health_answer(ngx_http_request_t *r,
    setter_depth_t *depth);


ngx_int_t
ngx_http_setter_health(ngx_http_request_t *r)
{
    return ngx_http_setter_look(r, ngx_http_setter_health_answer);
}


static ngx_int_t
ngx_http_setter_health_answer(ngx_http_request_t *r,
    setter_depth_t *depth)
{
    size_t          i;
    setter_buf_t    buf;
    setter_alloc_t  alloc;

    if (depth == NULL) {
        return ngx_http_setter_api_unavailable(r);
    }

    ngx_http_setter_api_buf(r, &alloc, &buf);
    setter_buf_text(&buf, "{\"status\":\"ok\",\"redis\":\"ok\",\"queue\":{");

    for (i = 0; i < depth->ncounts; i++) {
        setter_json_name(&buf, depth->counts[i].name);
        setter_buf_number(&buf, depth->counts[i].value);
    }

    setter_buf_text(&buf, "}}");

    return ngx_http_setter_api_send(r, NGX_HTTP_OK, "application/json", &buf);
}
