#include "ngx_http_setter_api.h"
#include "ngx_http_setter_reply.h"
#include "ngx_http_setter_stat.h"


static void ngx_http_setter_metrics_outcomes(setter_buf_t *buf,
    ngx_http_setter_stat_t *stat);
static void ngx_http_setter_metrics_counter(setter_buf_t *buf,
    ngx_http_setter_stat_t *stat, const char *name, const char *help,
    ngx_atomic_t *first);
static ngx_http_setter_stat_format_t *ngx_http_setter_metrics_end(
    ngx_http_setter_stat_t *stat);
static void ngx_http_setter_metrics_format(setter_buf_t *buf,
    const char *name, ngx_http_setter_stat_format_t *format);
static void ngx_http_setter_metrics_tenants(setter_buf_t *buf,
    ngx_http_setter_stat_t *stat);
static void ngx_http_setter_metrics_redis(setter_buf_t *buf,
    ngx_http_setter_main_conf_t *smcf);
static void ngx_http_setter_metrics_spool(setter_buf_t *buf,
    ngx_http_setter_spool_shared_t *shared);
static void ngx_http_setter_metrics_seconds(setter_buf_t *buf, uint64_t us);
static void ngx_http_setter_metrics_text(setter_buf_t *buf, const char *text);
static void ngx_http_setter_metrics_value(setter_buf_t *buf,
    ngx_atomic_uint_t value);


static struct {
    const char  *name;
    const char  *type;
    const char  *help;
    size_t       offset;
} ngx_http_setter_metrics_of_spool[] = {

    { "setter_spool_records", "gauge",
      "Jobs in the spool that wait for Redis.",
      offsetof(ngx_http_setter_spool_shared_t, undrained) },

    { "setter_spool_bytes", "gauge",
      "Size of the files of such jobs.",
      offsetof(ngx_http_setter_spool_shared_t, bytes) },

    { "setter_spool_written_total", "counter",
      "Jobs that the spool took and made durable.",
      offsetof(ngx_http_setter_spool_shared_t, written) },

    { "setter_spool_replayed_total", "counter",
      "Jobs that Redis acknowledged from the spool.",
      offsetof(ngx_http_setter_spool_shared_t, replayed) },

    { "setter_spool_damaged_total", "counter",
      "Places in the spool's files that held no job.",
      offsetof(ngx_http_setter_spool_shared_t, damaged) },

    { "setter_spool_failures_total", "counter",
      "Times that the spool was full, or could not be written or synced.",
      offsetof(ngx_http_setter_spool_shared_t, failures) }
};


ngx_int_t
ngx_http_setter_metrics(ngx_http_request_t *r)
{
    setter_buf_t                  buf;
    setter_alloc_t                alloc;
    ngx_http_setter_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_setter_module);

    ngx_http_setter_api_buf(r, &alloc, &buf);

    ngx_http_setter_metrics_outcomes(&buf, smcf->stat);
    ngx_http_setter_metrics_tenants(&buf, smcf->stat);
    ngx_http_setter_metrics_redis(&buf, smcf);

    if (smcf->spool) {
        ngx_http_setter_metrics_spool(&buf, smcf->spool->shared);
    }

    return ngx_http_setter_api_send(r, NGX_HTTP_OK,
                                    "text/plain; version=0.0.4", &buf);
}


static void
ngx_http_setter_metrics_outcomes(setter_buf_t *buf,
    ngx_http_setter_stat_t *stat)
{
    ngx_str_t                      *reason;
    ngx_uint_t                      n;
    ngx_http_setter_stat_format_t  *format, *end;

    ngx_http_setter_metrics_counter(buf, stat, "setter_accepted_total",
            "Messages that Redis, or the spool, has stored.",
            &stat->formats[0].outcomes[ngx_http_setter_accepted]);

    ngx_http_setter_metrics_counter(buf, stat, "setter_passed_total",
            "Messages that went on to another handler.",
            &stat->formats[0].outcomes[ngx_http_setter_passed]);

    ngx_http_setter_metrics_counter(buf, stat, "setter_duplicates_total",
            "Accepted messages whose key came shortly before; the queue "
            "drops them.",
            &stat->formats[0].duplicates);

    ngx_http_setter_metrics_counter(buf, stat, "setter_aside_total",
            "Elements of providers' webhooks of which no job was made.",
            &stat->formats[0].aside);

    end = ngx_http_setter_metrics_end(stat);

    setter_buf_text(buf,
            "# HELP setter_refused_total Requests that were refused.\n"
            "# TYPE setter_refused_total counter\n");

    for (format = stat->formats; format < end; format++) {

        for (n = ngx_http_setter_accepted + 1;
             n < ngx_http_setter_outcomes;
             n++)
        {
            reason = ngx_http_setter_reason(n);

            ngx_http_setter_metrics_format(buf, "setter_refused_total",
                                           format);
            setter_buf_text(buf, ",reason=\"");
            setter_buf_append(buf, (char *) reason->data, reason->len);
            setter_buf_text(buf, "\"}");
            ngx_http_setter_metrics_value(buf, format->outcomes[n]);
        }
    }
}


/* first: the counter of the first format, as there is one in each. */

static void
ngx_http_setter_metrics_counter(setter_buf_t *buf,
    ngx_http_setter_stat_t *stat, const char *name, const char *help,
    ngx_atomic_t *first)
{
    ngx_atomic_t                   *value;
    ngx_http_setter_stat_format_t  *format, *end;

    setter_buf_text(buf, "# HELP ");
    ngx_http_setter_metrics_text(buf, name);
    setter_buf_byte(buf, ' ');
    ngx_http_setter_metrics_text(buf, help);
    setter_buf_text(buf, "\n# TYPE ");
    ngx_http_setter_metrics_text(buf, name);
    setter_buf_text(buf, " counter\n");

    end = ngx_http_setter_metrics_end(stat);

    for (format = stat->formats; format < end; format++) {
        value = (ngx_atomic_t *) ((char *) first
                                  + ((char *) format
                                     - (char *) stat->formats));

        ngx_http_setter_metrics_format(buf, name, format);
        setter_buf_byte(buf, '}');
        ngx_http_setter_metrics_value(buf, *value);
    }
}


/* Behind the last format that has a place. */

static ngx_http_setter_stat_format_t *
ngx_http_setter_metrics_end(ngx_http_setter_stat_t *stat)
{
    ngx_http_setter_stat_format_t  *end;

    end = stat->formats;

    while (end < stat->formats + NGX_HTTP_SETTER_STAT_FORMATS
           && end->name[0])
    {
        end++;
    }

    return end;
}


/* For the caller to go on, or to close the labels. */

static void
ngx_http_setter_metrics_format(setter_buf_t *buf, const char *name,
    ngx_http_setter_stat_format_t *format)
{
    ngx_http_setter_metrics_text(buf, name);
    setter_buf_text(buf, "{format=\"");
    ngx_http_setter_metrics_text(buf, (char *) format->name);
    setter_buf_byte(buf, '"');
}


static void
ngx_http_setter_metrics_tenants(setter_buf_t *buf,
    ngx_http_setter_stat_t *stat)
{
    ngx_uint_t                      i;
    ngx_atomic_uint_t               other;
    ngx_http_setter_stat_tenant_t  *tenant;

    other = stat->other;

    setter_buf_text(buf,
            "# HELP setter_tenant_accepted_total Messages accepted by tenant; "
            "other: of those with no place in the zone.\n"
            "# TYPE setter_tenant_accepted_total counter\n");

    for (i = 0; i < stat->ntenants; i++) {
        tenant = &stat->tenants[i];

        if (tenant->accepted == 0) {
            continue;
        }

        /* a tenant of that name shares the series */

        if (ngx_strcmp(tenant->slug, "other") == 0) {
            other += tenant->accepted;
            continue;
        }

        setter_buf_text(buf, "setter_tenant_accepted_total{tenant=\"");
        ngx_http_setter_metrics_text(buf, (char *) tenant->slug);
        setter_buf_text(buf, "\"}");
        ngx_http_setter_metrics_value(buf, tenant->accepted);
    }

    if (other) {
        setter_buf_text(buf, "setter_tenant_accepted_total{tenant=\"other\"}");
        ngx_http_setter_metrics_value(buf, other);
    }
}


static void
ngx_http_setter_metrics_redis(setter_buf_t *buf,
    ngx_http_setter_main_conf_t *smcf)
{
    ngx_uint_t               i;
    ngx_atomic_uint_t        count;
    ngx_http_setter_stat_t  *stat;

    stat = smcf->stat;

    setter_buf_text(buf,
            "# HELP setter_redis_round_trip_seconds From an append's writing "
            "to its acknowledgement.\n"
            "# TYPE setter_redis_round_trip_seconds histogram\n");

    count = 0;

    for (i = 0; i < NGX_HTTP_SETTER_STAT_BUCKETS; i++) {
        count += stat->round_trips[i];

        setter_buf_text(buf, "setter_redis_round_trip_seconds_bucket{le=\"");

        if (i < NGX_HTTP_SETTER_STAT_BUCKETS - 1) {
            ngx_http_setter_metrics_seconds(buf,
                                            ngx_http_setter_stat_bounds[i]);

        } else {
            setter_buf_text(buf, "+Inf");
        }

        setter_buf_text(buf, "\"}");
        ngx_http_setter_metrics_value(buf, count);
    }

    setter_buf_text(buf, "setter_redis_round_trip_seconds_sum ");
    ngx_http_setter_metrics_seconds(buf, stat->round_trip_us);
    setter_buf_text(buf, "\nsetter_redis_round_trip_seconds_count");
    ngx_http_setter_metrics_value(buf, count);

    setter_buf_text(buf,
            "# HELP setter_redis_connections_total Connections to Redis that "
            "became ready.\n"
            "# TYPE setter_redis_connections_total counter\n"
            "setter_redis_connections_total");
    ngx_http_setter_metrics_value(buf, stat->connected);

    setter_buf_text(buf,
            "# HELP setter_redis_failures_total Connections to Redis that "
            "failed or were lost.\n"
            "# TYPE setter_redis_failures_total counter\n"
            "setter_redis_failures_total");
    ngx_http_setter_metrics_value(buf, stat->disconnected);

    setter_buf_text(buf,
            "# HELP setter_redis_up Whether the nginx worker that answers "
            "this has a ready connection.\n"
            "# TYPE setter_redis_up gauge\n"
            "setter_redis_up");
    ngx_http_setter_metrics_value(buf,
                          smcf->redis->state == ngx_http_setter_redis_ready);
}


static void
ngx_http_setter_metrics_spool(setter_buf_t *buf,
    ngx_http_setter_spool_shared_t *shared)
{
    size_t             offset;
    const char        *name;
    ngx_uint_t         i;
    ngx_atomic_int_t   value;

    for (i = 0; i < sizeof(ngx_http_setter_metrics_of_spool)
                    / sizeof(ngx_http_setter_metrics_of_spool[0]);
         i++)
    {
        name = ngx_http_setter_metrics_of_spool[i].name;
        offset = ngx_http_setter_metrics_of_spool[i].offset;
        value = *(ngx_atomic_t *) ((u_char *) shared + offset);

        setter_buf_text(buf, "# HELP ");
        ngx_http_setter_metrics_text(buf, name);
        setter_buf_byte(buf, ' ');
        ngx_http_setter_metrics_text(buf,
                                   ngx_http_setter_metrics_of_spool[i].help);
        setter_buf_text(buf, "\n# TYPE ");
        ngx_http_setter_metrics_text(buf, name);
        setter_buf_byte(buf, ' ');
        ngx_http_setter_metrics_text(buf,
                                   ngx_http_setter_metrics_of_spool[i].type);
        setter_buf_byte(buf, '\n');
        ngx_http_setter_metrics_text(buf, name);
        ngx_http_setter_metrics_value(buf, ngx_max(value, 0));
    }
}


static void
ngx_http_setter_metrics_seconds(setter_buf_t *buf, uint64_t us)
{
    u_char  *last, text[NGX_INT64_LEN + sizeof(".000000")];

    last = ngx_sprintf(text, "%uL.%06uL", us / 1000000, us % 1000000);

    while (*(last - 1) == '0' && *(last - 2) != '.') {
        last--;
    }

    setter_buf_append(buf, (char *) text, last - text);
}


static void
ngx_http_setter_metrics_text(setter_buf_t *buf, const char *text)
{
    setter_buf_append(buf, text, ngx_strlen(text));
}


static void
ngx_http_setter_metrics_value(setter_buf_t *buf, ngx_atomic_uint_t value)
{
    setter_buf_byte(buf, ' ');
    setter_buf_number(buf, value);
    setter_buf_byte(buf, '\n');
}
