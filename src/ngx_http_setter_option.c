#include "ngx_http_setter_option.h"


static ngx_int_t ngx_http_setter_option(ngx_conf_t *cf,
    ngx_http_setter_option_t *option, void *to, ngx_str_t *value);


ngx_int_t
ngx_http_setter_options(ngx_conf_t *cf, ngx_http_setter_option_t *options,
    void *to)
{
    ngx_str_t   *value;
    ngx_uint_t   i;

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_http_setter_option(cf, options, to, &value[i]) != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[i]);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_setter_option(ngx_conf_t *cf, ngx_http_setter_option_t *option,
    void *to, ngx_str_t *value)
{
    ngx_str_t  s;

    for ( /* void */ ; option->name.len; option++) {

        if (ngx_strncmp(value->data, option->name.data, option->name.len)
            == 0)
        {
            s.data = value->data + option->name.len;
            s.len = value->len - option->name.len;

            return option->set(cf, (char *) to + option->offset, &s);
        }
    }

    return NGX_ERROR;
}


ngx_int_t
ngx_http_setter_option_text(ngx_conf_t *cf, void *field, ngx_str_t *value)
{
    *(ngx_str_t *) field = *value;

    return value->len ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_setter_option_msec(ngx_conf_t *cf, void *field, ngx_str_t *value)
{
    ngx_int_t  n;

    n = ngx_parse_time(value, 0);

    if (n == NGX_ERROR || n == 0) {
        return NGX_ERROR;
    }

    *(ngx_msec_t *) field = n;

    return NGX_OK;
}


ngx_int_t
ngx_http_setter_option_count(ngx_conf_t *cf, void *field, ngx_str_t *value)
{
    ngx_int_t  n;

    n = ngx_atoi(value->data, value->len);

    if (n == NGX_ERROR || n == 0) {
        return NGX_ERROR;
    }

    *(ngx_int_t *) field = n;

    return NGX_OK;
}


ngx_int_t
ngx_http_setter_option_value(ngx_conf_t *cf, void *field, ngx_str_t *value)
{
    ngx_http_complex_value_t **cv = field;

    *cv = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (*cv == NULL) {
        return NGX_ERROR;
    }

    return value->len ? ngx_http_setter_complex_value(cf, value, *cv)
                      : NGX_ERROR;
}
