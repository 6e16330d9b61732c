#include "ngx_http_setter_channel.h"
#include "ngx_http_setter_stat.h"


static ngx_int_t ngx_http_setter_channel_add(ngx_http_setter_batch_t *batch,
    setter_event_t *event, ngx_uint_t *place);


ngx_int_t
ngx_http_setter_channel_lookup(ngx_http_setter_batch_t *batch,
    ngx_http_setter_lookup_pt handler)
{
    size_t                        i;
    ngx_http_request_t           *r;
    ngx_http_setter_lookup_t     *lookup;
    ngx_http_setter_main_conf_t  *smcf;

    r = batch->owner->request;
    smcf = ngx_http_get_module_main_conf(r, ngx_http_setter_module);

    lookup = ngx_http_setter_lookup_create(r->pool, 1);
    batch->places = ngx_palloc(r->pool, (batch->events.n + 1)
                                        * sizeof(ngx_uint_t));

    if (lookup == NULL || batch->places == NULL) {
        return NGX_ERROR;
    }

    lookup->hash = "channels";
    lookup->directory = &smcf->stat->channels;
    lookup->handler = handler;
    lookup->data = batch;
    batch->channels = lookup;

    for (i = 0; i < batch->events.n; i++) {
        if (ngx_http_setter_channel_add(batch, &batch->events.list[i],
                                        &batch->places[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_setter_lookup(smcf, lookup);
}


/* Each address once; most bodies have one. */

static ngx_int_t
ngx_http_setter_channel_add(ngx_http_setter_batch_t *batch,
    setter_event_t *event, ngx_uint_t *place)
{
    u_char                          *p;
    ngx_str_t                        name;
    ngx_uint_t                       i;
    ngx_http_request_t              *r;
    ngx_http_setter_lookup_field_t  *field;

    *place = NGX_MAX_INT_T_VALUE;

    if (event->aside || event->job.to.len == 0) {
        return NGX_OK;
    }

    r = batch->owner->request;

    name.len = event->job.provider.len + 1 + event->job.to.len;
    name.data = ngx_pnalloc(r->pool, name.len);
    if (name.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(name.data, event->job.provider.data,
                   event->job.provider.len);
    *p++ = '/';
    ngx_memcpy(p, event->job.to.data, event->job.to.len);

    field = batch->channels->fields.elts;

    for (i = 0; i < batch->channels->fields.nelts; i++) {
        if (field[i].field.len == name.len
            && ngx_memcmp(field[i].field.data, name.data, name.len) == 0)
        {
            *place = i;
            return NGX_OK;
        }
    }

    *place = i;

    return ngx_http_setter_lookup_add(
               ngx_http_get_module_main_conf(r, ngx_http_setter_module),
               batch->channels, &name, &name)
           ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_http_setter_channel_tenant(ngx_http_setter_batch_t *batch,
    setter_event_t *event, ngx_str_t *tenant)
{
    ngx_uint_t                       place;
    ngx_http_setter_ctx_t           *owner;
    ngx_http_setter_lookup_field_t  *field;

    owner = batch->owner;
    *tenant = owner->tenant;

    if (batch->channels == NULL) {
        return NGX_OK;
    }

    place = batch->places[event - batch->events.list];

    if (place < batch->channels->fields.nelts) {
        field = batch->channels->fields.elts;
        field += place;

        if (!field->known) {
            return NGX_AGAIN;
        }

        if (owner->claimed
            && field->value.len
            && (field->value.len != tenant->len
                || ngx_memcmp(field->value.data, tenant->data, tenant->len)
                   != 0))
        {
            event->aside = "another tenant's address";
            return NGX_DECLINED;
        }

        if (field->value.len) {
            *tenant = field->value;
        }
    }

    if (tenant->len == 0) {
        event->aside = "nobody's address";
        return NGX_DECLINED;
    }

    return NGX_OK;
}
