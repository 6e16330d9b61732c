/*
 * "setter_api scale": how many workers the queue could use now, for whoever
 * starts and stops them.
 */

#include "ngx_http_setter_api.h"
#include "ngx_http_setter_look.h"


static ngx_int_t ngx_http_setter_scale_answer(ngx_http_request_t *r,
    setter_depth_t *depth);
static ngx_int_t ngx_http_setter_scale_parameter(setter_scale_t *scale,
    ngx_str_t *value);


ngx_int_t
ngx_http_setter_scale(ngx_http_request_t *r)
{
    return ngx_http_setter_look(r, ngx_http_setter_scale_answer);
}


static ngx_int_t
ngx_http_setter_scale_answer(ngx_http_request_t *r, setter_depth_t *depth)
{
    setter_buf_t                 buf;
    setter_alloc_t               alloc;
    ngx_http_setter_loc_conf_t  *slcf;

    if (depth == NULL) {
        return ngx_http_setter_api_unavailable(r);
    }

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    ngx_http_setter_api_buf(r, &alloc, &buf);

    setter_buf_text(&buf, "{\"queued\":");
    setter_buf_number(&buf, setter_depth_queued(depth));
    setter_buf_text(&buf, ",\"in_flight\":");
    setter_buf_number(&buf, setter_depth_in_flight(depth));
    setter_buf_text(&buf, ",\"workers\":");
    setter_buf_number(&buf, setter_depth_count(depth, "workers"));
    setter_buf_text(&buf, ",\"desired\":");
    setter_buf_number(&buf, setter_depth_desired(depth, slcf->api_conf));
    setter_buf_byte(&buf, '}');

    return ngx_http_setter_api_send(r, NGX_HTTP_OK, "application/json", &buf);
}


char *
ngx_http_setter_scale_conf(ngx_conf_t *cf, ngx_http_setter_loc_conf_t *slcf)
{
    ngx_str_t       *value;
    ngx_uint_t       i;
    setter_scale_t  *scale;

    scale = ngx_palloc(cf->pool, sizeof(setter_scale_t));
    if (scale == NULL) {
        return NGX_CONF_ERROR;
    }

    scale->target = SETTER_SCALE_TARGET;
    scale->min = SETTER_SCALE_MIN;
    scale->max = SETTER_SCALE_MAX;

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_http_setter_scale_parameter(scale, &value[i]) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_CONF_ERROR;
        }
    }

    if (scale->min > scale->max) {
        return "has a \"min\" above its \"max\"";
    }

    slcf->api_conf = scale;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_setter_scale_parameter(setter_scale_t *scale, ngx_str_t *value)
{
    u_char     *p;
    ngx_int_t   n;

    p = ngx_strlchr(value->data, value->data + value->len, '=');

    if (p == NULL) {
        return NGX_ERROR;
    }

    p++;
    n = ngx_atoi(p, value->data + value->len - p);

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (ngx_strncmp(value->data, "target=", 7) == 0 && n > 0) {
        scale->target = n;

    } else if (ngx_strncmp(value->data, "min=", 4) == 0) {
        scale->min = n;

    } else if (ngx_strncmp(value->data, "max=", 4) == 0 && n > 0) {
        scale->max = n;

    } else {
        return NGX_ERROR;
    }

    return NGX_OK;
}
