#include "ngx_http_setter_batch.h"
#include "ngx_http_setter_append.h"
#include "ngx_http_setter_enrich.h"
#include "ngx_http_setter_reply.h"
#include "ngx_http_setter_stat.h"


static ngx_http_setter_outcome_e ngx_http_setter_batch_start(
    ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    setter_events_t *events);
static ngx_int_t ngx_http_setter_batch_sort(ngx_http_request_t *r,
    setter_events_t *events, ngx_array_t *jobs);
static ngx_int_t ngx_http_setter_batch_cmp(const void *one, const void *two);
static ngx_http_setter_ctx_t *ngx_http_setter_batch_item(
    ngx_http_setter_batch_t *batch, setter_event_t *event);
static void ngx_http_setter_batch_count(ngx_http_setter_ctx_t *item,
    ngx_http_setter_outcome_e outcome);
static ngx_http_setter_outcome_e ngx_http_setter_batch_close(
    ngx_http_setter_batch_t *batch);


ngx_http_setter_outcome_e
ngx_http_setter_batch(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    setter_str_t *body)
{
    int                          rc;
    setter_events_t              events;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    ctx->settled = 1;

    if (ctx->tenant.len == 0) {
        return ngx_http_setter_unknown_tenant;
    }

    ngx_memzero(&events, sizeof(setter_events_t));
    events.alloc = &ctx->alloc;

    rc = slcf->format->events(*body, &events);

    if (rc == SETTER_ERROR) {
        ctx->detail = "nothing of the format";
        return ngx_http_setter_json;
    }

    if (rc == SETTER_NO_MEMORY) {
        return (events.n == SETTER_FORMAT_MAX_EVENTS)
               ? ngx_http_setter_too_large : ngx_http_setter_failed;
    }

    if (ngx_http_setter_trace(r, ctx) != NGX_OK) {
        return ngx_http_setter_failed;
    }

    return ngx_http_setter_batch_start(r, ctx, &events);
}


static ngx_http_setter_outcome_e
ngx_http_setter_batch_start(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx, setter_events_t *events)
{
    ngx_uint_t                   i;
    ngx_array_t                  jobs;
    setter_event_t             **event;
    ngx_http_setter_ctx_t       *item;
    ngx_http_setter_batch_t     *batch;
    ngx_http_setter_outcome_e    outcome;

    batch = ngx_pcalloc(r->pool, sizeof(ngx_http_setter_batch_t));

    if (batch == NULL
        || ngx_http_setter_batch_sort(r, events, &jobs) != NGX_OK
        || ngx_array_init(&batch->items, r->pool, jobs.nelts + 1,
                          sizeof(ngx_http_setter_ctx_t))
           != NGX_OK)
    {
        return ngx_http_setter_failed;
    }

    batch->owner = ctx;
    batch->outcome = ngx_http_setter_accepted;
    batch->left = 1;            /* what is being started here */
    ctx->batch = batch;

    event = jobs.elts;

    for (i = 0; i < jobs.nelts; i++) {
        item = ngx_http_setter_batch_item(batch, event[i]);

        if (item == NULL) {
            batch->outcome = ngx_http_setter_failed;
            break;
        }

        batch->left++;

        outcome = ngx_http_setter_enrich_event(r, item);

        if (outcome == ngx_http_setter_undecided) {
            outcome = ngx_http_setter_append(r, item);
        }

        if (outcome != ngx_http_setter_undecided) {
            ngx_http_setter_batch_count(item, outcome);
        }
    }

    return ngx_http_setter_batch_close(batch);
}


/* Those that become jobs, by the provider's time. */

static ngx_int_t
ngx_http_setter_batch_sort(ngx_http_request_t *r, setter_events_t *events,
    ngx_array_t *jobs)
{
    size_t                         i;
    setter_event_t                *event, **job;
    ngx_http_setter_loc_conf_t    *slcf;
    ngx_http_setter_main_conf_t   *smcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);
    smcf = ngx_http_get_module_main_conf(r, ngx_http_setter_module);

    if (ngx_array_init(jobs, r->pool, events->n + 1, sizeof(setter_event_t *))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < events->n; i++) {
        event = &events->list[i];

        if (event->aside) {
            ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                          "setter: set aside, %s", event->aside);
            ngx_http_setter_stat_aside(smcf, slcf->format_n);
            continue;
        }

        job = ngx_array_push(jobs);
        if (job == NULL) {
            return NGX_ERROR;
        }

        *job = event;
    }

    ngx_sort(jobs->elts, jobs->nelts, sizeof(setter_event_t *),
             ngx_http_setter_batch_cmp);

    return NGX_OK;
}


static ngx_int_t
ngx_http_setter_batch_cmp(const void *one, const void *two)
{
    setter_event_t  *first, *second;

    first = *(setter_event_t **) one;
    second = *(setter_event_t **) two;

    return (first->time_ms > second->time_ms)
           - (first->time_ms < second->time_ms);
}


/* There is a place for each: none of them moves. */

static ngx_http_setter_ctx_t *
ngx_http_setter_batch_item(ngx_http_setter_batch_t *batch,
    setter_event_t *event)
{
    ngx_time_t             *tp;
    ngx_http_setter_ctx_t  *item, *owner;

    owner = batch->owner;
    item = ngx_array_push(&batch->items);
    if (item == NULL) {
        return NULL;
    }

    ngx_memzero(item, sizeof(ngx_http_setter_ctx_t));

    item->request = owner->request;
    item->alloc = owner->alloc;
    item->batch = batch;
    item->part = 1;
    item->tenants = owner->tenants;
    item->tenant = owner->tenant;
    item->settled = 1;
    item->key = event->key;
    item->job = event->job;

    tp = ngx_timeofday();

    item->job.received_ms = (int64_t) tp->sec * 1000 + tp->msec;
    item->job.tenant = ngx_http_setter_text(&item->tenant);
    item->job.trace.data = owner->trace;
    item->job.trace.len = NGX_HTTP_SETTER_TRACE_LEN;

    return item;
}


static void
ngx_http_setter_batch_count(ngx_http_setter_ctx_t *item,
    ngx_http_setter_outcome_e outcome)
{
    ngx_http_setter_batch_t  *batch;

    batch = item->batch;

    ngx_http_setter_decide(item->request, item, outcome);

    /* what would be refused again is not to be repeated for the others' sake */

    switch (outcome) {

    case ngx_http_setter_quota:
    case ngx_http_setter_full:
    case ngx_http_setter_unavailable:
    case ngx_http_setter_timeout:
    case ngx_http_setter_failed:

        if (batch->outcome < outcome) {
            batch->outcome = outcome;

            /* tells when the quota's minute ends */
            batch->owner->place = item->place;
        }

        break;

    default:
        break;
    }

    batch->left--;
}


/* What the request is answered with once nothing is under way. */

static ngx_http_setter_outcome_e
ngx_http_setter_batch_close(ngx_http_setter_batch_t *batch)
{
    batch->left--;

    if (batch->left) {
        return ngx_http_setter_undecided;
    }

    /* each of its jobs has been counted */

    batch->owner->outcome = batch->outcome;

    return batch->outcome;
}


void
ngx_http_setter_batch_end(ngx_http_setter_ctx_t *item,
    ngx_http_setter_outcome_e outcome)
{
    ngx_http_setter_ctx_t    *owner;
    ngx_http_setter_batch_t  *batch;

    batch = item->batch;
    owner = batch->owner;

    ngx_http_setter_batch_count(item, outcome);

    if (batch->left == 0) {
        owner->outcome = batch->outcome;
        ngx_http_setter_reply_later(owner->request, owner, batch->outcome);
    }
}


void
ngx_http_setter_batch_forget(ngx_http_setter_batch_t *batch)
{
    ngx_uint_t              i;
    ngx_http_setter_ctx_t  *item;

    item = batch->items.elts;

    for (i = 0; i < batch->items.nelts; i++) {
        ngx_http_setter_op_finish(&item[i].op);
        ngx_http_setter_spool_forget(&item[i].wait);
    }
}
