#include "ngx_http_setter_batch.h"
#include "ngx_http_setter_append.h"
#include "ngx_http_setter_channel.h"
#include "ngx_http_setter_enrich.h"
#include "ngx_http_setter_reply.h"
#include "ngx_http_setter_stat.h"
#include "ngx_http_setter_tenant.h"


/* An event that becomes a job, and whose. */
typedef struct {
    setter_event_t  *event;
    ngx_str_t        tenant;
} ngx_http_setter_batch_job_t;


static ngx_http_setter_outcome_e ngx_http_setter_batch_read(
    ngx_http_setter_batch_t *batch, setter_str_t *body);
static void ngx_http_setter_batch_known(ngx_http_setter_lookup_t *lookup);
static ngx_http_setter_outcome_e ngx_http_setter_batch_start(
    ngx_http_setter_batch_t *batch);
static ngx_http_setter_outcome_e ngx_http_setter_batch_sort(
    ngx_http_setter_batch_t *batch, ngx_array_t *jobs);
static ngx_http_setter_outcome_e ngx_http_setter_batch_append(
    ngx_http_setter_batch_t *batch, ngx_http_setter_batch_job_t *job);
static ngx_int_t ngx_http_setter_batch_cmp(const void *one, const void *two);
static ngx_http_setter_ctx_t *ngx_http_setter_batch_item(
    ngx_http_setter_batch_t *batch, ngx_http_setter_batch_job_t *job);
static void ngx_http_setter_batch_count(ngx_http_setter_ctx_t *item,
    ngx_http_setter_outcome_e outcome);
static ngx_http_setter_outcome_e ngx_http_setter_batch_close(
    ngx_http_setter_batch_t *batch);


ngx_http_setter_outcome_e
ngx_http_setter_batch(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx,
    setter_str_t *body)
{
    ngx_uint_t                   by_channel;
    ngx_http_setter_batch_t     *batch;
    ngx_http_setter_outcome_e    outcome;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);
    by_channel = ngx_http_setter_tenant_by_channel(ctx->tenants,
                                                   slcf->format);
    ctx->settled = 1;

    if (ctx->tenant.len == 0 && !by_channel) {
        return ngx_http_setter_unknown_tenant;
    }

    batch = ngx_pcalloc(r->pool, sizeof(ngx_http_setter_batch_t));
    if (batch == NULL) {
        return ngx_http_setter_failed;
    }

    batch->owner = ctx;
    batch->outcome = ngx_http_setter_accepted;
    ctx->batch = batch;

    outcome = ngx_http_setter_batch_read(batch, body);

    if (outcome != ngx_http_setter_undecided) {
        return outcome;
    }

    if (!by_channel) {
        return ngx_http_setter_batch_start(batch);
    }

    switch (ngx_http_setter_channel_lookup(batch, ngx_http_setter_batch_known))
    {

    case NGX_OK:
        return ngx_http_setter_batch_start(batch);

    case NGX_AGAIN:
        return ngx_http_setter_undecided;

    default:
        return ngx_http_setter_failed;
    }
}


static ngx_http_setter_outcome_e
ngx_http_setter_batch_read(ngx_http_setter_batch_t *batch, setter_str_t *body)
{
    int                          rc;
    ngx_http_request_t          *r;
    ngx_http_setter_loc_conf_t  *slcf;

    r = batch->owner->request;
    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    batch->events.alloc = &batch->owner->alloc;

    rc = slcf->format->events(*body, &batch->events);

    if (rc == SETTER_ERROR) {
        batch->owner->detail = "nothing of the format";
        return ngx_http_setter_json;
    }

    if (rc == SETTER_NO_MEMORY) {
        return (batch->events.n == SETTER_FORMAT_MAX_EVENTS)
               ? ngx_http_setter_too_large : ngx_http_setter_failed;
    }

    return (ngx_http_setter_trace(r, batch->owner) == NGX_OK)
           ? ngx_http_setter_undecided : ngx_http_setter_failed;
}


/* The addresses have been looked up. */

static void
ngx_http_setter_batch_known(ngx_http_setter_lookup_t *lookup)
{
    ngx_http_request_t         *r;
    ngx_http_setter_ctx_t      *owner;
    ngx_http_setter_batch_t    *batch;
    ngx_http_setter_outcome_e   outcome;

    batch = lookup->data;
    owner = batch->owner;
    r = owner->request;

    ngx_http_set_log_request(r->connection->log, r);

    outcome = ngx_http_setter_batch_start(batch);

    if (outcome != ngx_http_setter_undecided) {
        ngx_http_setter_reply_later(r, owner, outcome);
    }
}


static ngx_http_setter_outcome_e
ngx_http_setter_batch_start(ngx_http_setter_batch_t *batch)
{
    ngx_uint_t                    i;
    ngx_array_t                   jobs;
    ngx_http_setter_outcome_e     outcome;
    ngx_http_setter_batch_job_t  *job;

    outcome = ngx_http_setter_batch_sort(batch, &jobs);

    if (outcome != ngx_http_setter_undecided) {
        return outcome;
    }

    batch->left = 1;            /* what is being started here */

    job = jobs.elts;

    for (i = 0; i < jobs.nelts; i++) {
        outcome = ngx_http_setter_batch_append(batch, &job[i]);

        if (outcome != ngx_http_setter_undecided) {
            batch->outcome = outcome;
            break;
        }
    }

    return ngx_http_setter_batch_close(batch);
}


/* "failed": there is no memory for it, nor for those behind it. */

static ngx_http_setter_outcome_e
ngx_http_setter_batch_append(ngx_http_setter_batch_t *batch,
    ngx_http_setter_batch_job_t *job)
{
    ngx_http_request_t         *r;
    ngx_http_setter_ctx_t      *item;
    ngx_http_setter_outcome_e   outcome;

    r = batch->owner->request;

    item = ngx_http_setter_batch_item(batch, job);
    if (item == NULL) {
        return ngx_http_setter_failed;
    }

    batch->left++;

    outcome = ngx_http_setter_enrich_event(r, item);

    if (outcome == ngx_http_setter_undecided) {
        outcome = ngx_http_setter_append(r, item);
    }

    if (outcome != ngx_http_setter_undecided) {
        ngx_http_setter_batch_count(item, outcome);
    }

    return ngx_http_setter_undecided;
}


/* Those that become jobs, by the provider's time, and places for them. */

static ngx_http_setter_outcome_e
ngx_http_setter_batch_sort(ngx_http_setter_batch_t *batch, ngx_array_t *jobs)
{
    size_t                         i;
    ngx_str_t                      tenant;
    setter_event_t                *event;
    ngx_http_request_t            *r;
    ngx_http_setter_loc_conf_t    *slcf;
    ngx_http_setter_main_conf_t   *smcf;
    ngx_http_setter_batch_job_t   *job;

    r = batch->owner->request;
    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);
    smcf = ngx_http_get_module_main_conf(r, ngx_http_setter_module);

    if (ngx_array_init(jobs, r->pool, batch->events.n + 1,
                       sizeof(ngx_http_setter_batch_job_t))
        != NGX_OK)
    {
        return ngx_http_setter_failed;
    }

    for (i = 0; i < batch->events.n; i++) {
        event = &batch->events.list[i];

        if (event->aside == NULL
            && ngx_http_setter_channel_tenant(batch, event, &tenant)
               == NGX_AGAIN)
        {
            return ngx_http_setter_unavailable;
        }

        if (event->aside) {
            ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                          "setter: set aside, %s", event->aside);
            ngx_http_setter_stat_aside(smcf, slcf->format_n);
            continue;
        }

        job = ngx_array_push(jobs);
        if (job == NULL) {
            return ngx_http_setter_failed;
        }

        job->event = event;
        job->tenant = tenant;
    }

    ngx_sort(jobs->elts, jobs->nelts, sizeof(ngx_http_setter_batch_job_t),
             ngx_http_setter_batch_cmp);

    return (ngx_array_init(&batch->items, r->pool, jobs->nelts + 1,
                           sizeof(ngx_http_setter_ctx_t))
            == NGX_OK)
           ? ngx_http_setter_undecided : ngx_http_setter_failed;
}


static ngx_int_t
ngx_http_setter_batch_cmp(const void *one, const void *two)
{
    const ngx_http_setter_batch_job_t *first = one, *second = two;

    return (first->event->time_ms > second->event->time_ms)
           - (first->event->time_ms < second->event->time_ms);
}


/* There is a place for each: none of them moves. */

static ngx_http_setter_ctx_t *
ngx_http_setter_batch_item(ngx_http_setter_batch_t *batch,
    ngx_http_setter_batch_job_t *job)
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
    item->tenant = job->tenant;
    item->settled = 1;
    item->key = job->event->key;
    item->job = job->event->job;

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

    if (batch->channels) {
        ngx_http_setter_op_finish(&batch->channels->op);
    }

    item = batch->items.elts;

    for (i = 0; i < batch->items.nelts; i++) {
        ngx_http_setter_op_finish(&item[i].op);
        ngx_http_setter_spool_forget(&item[i].wait);
    }
}
