#include "ngx_http_setter_stat.h"


/* to be changed whenever struct ngx_http_setter_stat_s changes */
#define NGX_HTTP_SETTER_STAT_LAYOUT  6

#define NGX_HTTP_SETTER_STAT_PROBES  32

#define NGX_HTTP_SETTER_STAT_SIGNING  1024      /* bytes of sealed secrets */


static ngx_int_t ngx_http_setter_stat_init_zone(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_http_setter_stat_ready(ngx_shm_zone_t *shm_zone,
    ngx_http_setter_main_conf_t *smcf, ngx_uint_t fresh);
static ngx_int_t ngx_http_setter_stat_slots(ngx_shm_zone_t *shm_zone,
    ngx_http_setter_main_conf_t *smcf);
static ngx_int_t ngx_http_setter_stat_directory(ngx_slab_pool_t *shpool,
    ngx_http_setter_directory_t *directory, size_t pages, size_t max);
static ngx_int_t ngx_http_setter_stat_tenants(ngx_slab_pool_t *shpool,
    ngx_http_setter_stat_t *stat);
static ngx_uint_t ngx_http_setter_stat_is(
    ngx_http_setter_stat_tenant_t *tenant, ngx_str_t *slug);
static ngx_atomic_uint_t ngx_http_setter_stat_hash(const void *data,
    size_t len);


const uint32_t
    ngx_http_setter_stat_bounds[NGX_HTTP_SETTER_STAT_BUCKETS - 1] = {
    100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000,
    500000, 1000000
};


void
ngx_http_setter_stat_outcome(ngx_http_setter_main_conf_t *smcf,
    ngx_uint_t format, ngx_http_setter_outcome_e outcome)
{
    ngx_http_setter_stat_format_t  *slot;

    slot = &smcf->stat->formats[smcf->slots[format]];

    (void) ngx_atomic_fetch_add(&slot->outcomes[outcome], 1);
}


void
ngx_http_setter_stat_aside(ngx_http_setter_main_conf_t *smcf,
    ngx_uint_t format)
{
    ngx_http_setter_stat_format_t  *slot;

    slot = &smcf->stat->formats[smcf->slots[format]];
    (void) ngx_atomic_fetch_add(&slot->aside, 1);
}


void
ngx_http_setter_stat_id(ngx_http_setter_main_conf_t *smcf, ngx_uint_t format,
    const char *id)
{
    ngx_atomic_t                   *place;
    ngx_atomic_uint_t               hash;
    ngx_http_setter_stat_format_t  *slot;

    hash = ngx_http_setter_stat_hash(id, SETTER_UUID_LEN);
    place = &smcf->stat->ids[(hash >> 1) % NGX_HTTP_SETTER_STAT_IDS];

    if (*place == hash) {
        slot = &smcf->stat->formats[smcf->slots[format]];
        (void) ngx_atomic_fetch_add(&slot->duplicates, 1);
        return;
    }

    *place = hash;
}


void
ngx_http_setter_stat_tenant(ngx_http_setter_main_conf_t *smcf,
    ngx_http_setter_stat_tenant_t *tenant)
{
    (void) ngx_atomic_fetch_add(tenant ? &tenant->accepted
                                       : &smcf->stat->other, 1);
}


ngx_http_setter_stat_tenant_t *
ngx_http_setter_stat_find(ngx_http_setter_main_conf_t *smcf, ngx_str_t *slug,
    ngx_uint_t create)
{
    ngx_uint_t                      i, n;
    ngx_atomic_uint_t               hash;
    ngx_http_setter_stat_tenant_t  *tenant;

    hash = ngx_http_setter_stat_hash(slug->data, slug->len);
    n = (hash >> 1) % smcf->stat->ntenants;

    for (i = 0; i < NGX_HTTP_SETTER_STAT_PROBES; i++) {
        tenant = &smcf->stat->tenants[n];

        if (tenant->hash == 0) {

            if (!create) {
                return NULL;
            }

            (void) ngx_atomic_cmp_set(&tenant->hash, 0, hash);
        }

        if (tenant->hash == hash && ngx_http_setter_stat_is(tenant, slug)) {
            return tenant;
        }

        n = (n + 1) % smcf->stat->ntenants;
    }

    return NULL;
}


/* Whoever took the place may have been killed before he wrote the name. */

static ngx_uint_t
ngx_http_setter_stat_is(ngx_http_setter_stat_tenant_t *tenant,
    ngx_str_t *slug)
{
    if (!tenant->named) {
        ngx_memcpy(tenant->slug, slug->data, slug->len);
        ngx_memory_barrier();
        tenant->named = 1;
    }

    return ngx_strncmp(tenant->slug, slug->data, slug->len) == 0
           && tenant->slug[slug->len] == '\0';
}


/* FNV-1a; 0 is for an empty place */

static ngx_atomic_uint_t
ngx_http_setter_stat_hash(const void *data, size_t len)
{
    size_t         i;
    uint64_t       hash;
    const u_char  *p;

    p = data;
    hash = 0xcbf29ce484222325;

    for (i = 0; i < len; i++) {
        hash = (hash ^ p[i]) * 0x100000001b3;
    }

    return (ngx_atomic_uint_t) hash | 1;
}


void
ngx_http_setter_stat_round_trip(ngx_http_setter_main_conf_t *smcf,
    uint64_t us)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_HTTP_SETTER_STAT_BUCKETS - 1; i++) {
        if (us <= ngx_http_setter_stat_bounds[i]) {
            break;
        }
    }

    (void) ngx_atomic_fetch_add(&smcf->stat->round_trips[i], 1);
    (void) ngx_atomic_fetch_add(&smcf->stat->round_trip_us, us);
}


void
ngx_http_setter_stat_connected(ngx_http_setter_main_conf_t *smcf)
{
    (void) ngx_atomic_fetch_add(&smcf->stat->connected, 1);
}


void
ngx_http_setter_stat_disconnected(ngx_http_setter_main_conf_t *smcf)
{
    (void) ngx_atomic_fetch_add(&smcf->stat->disconnected, 1);
}


char *
ngx_http_setter_stat_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_setter_main_conf_t *smcf = conf;

    ssize_t     size;
    ngx_str_t  *value;

    if (smcf->zone_size != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    value = cf->args->elts;

    size = ngx_parse_size(&value[1]);

    if (size == NGX_ERROR) {
        return "invalid value";
    }

    if (size < (ssize_t) (sizeof(ngx_http_setter_stat_t)
                          + 8 * ngx_pagesize))
    {
        return "is too small";
    }

    smcf->zone_size = size;

    return NGX_CONF_OK;
}


char *
ngx_http_setter_stat_add_zone(ngx_conf_t *cf,
    ngx_http_setter_main_conf_t *smcf)
{
    ngx_shm_zone_t  *shm_zone;

    static ngx_str_t  name = ngx_string("setter");

    shm_zone = ngx_shared_memory_add(cf, &name, smcf->zone_size,
                                     &ngx_http_setter_module);
    if (shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    shm_zone->init = ngx_http_setter_stat_init_zone;
    shm_zone->data = smcf;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_setter_stat_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    size_t                        pages;
    ngx_slab_pool_t              *shpool;
    ngx_http_setter_main_conf_t  *smcf;

    smcf = shm_zone->data;
    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (data || shm_zone->shm.exists) {
        smcf->stat = shpool->data;

        if (smcf->stat->layout != NGX_HTTP_SETTER_STAT_LAYOUT) {
            ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                          "setter_zone has layout %ui, this module has %d: "
                          "change its size, or restart nginx",
                          smcf->stat->layout, NGX_HTTP_SETTER_STAT_LAYOUT);
            return NGX_ERROR;
        }

        return ngx_http_setter_stat_ready(shm_zone, smcf, 0);
    }

    smcf->stat = ngx_slab_calloc(shpool, sizeof(ngx_http_setter_stat_t));

    pages = shpool->pfree;

    if (smcf->stat == NULL
        || ngx_http_setter_stat_directory(shpool, &smcf->stat->channels,
                                          pages / 4, SETTER_SLUG_MAX)
           != NGX_OK
        || ngx_http_setter_stat_directory(shpool, &smcf->stat->signing,
                                          pages / 8,
                                          NGX_HTTP_SETTER_STAT_SIGNING)
           != NGX_OK
        || ngx_http_setter_stat_tenants(shpool, smcf->stat) != NGX_OK)
    {
        return NGX_ERROR;
    }

    smcf->stat->layout = NGX_HTTP_SETTER_STAT_LAYOUT;
    shpool->data = smcf->stat;

    return ngx_http_setter_stat_ready(shm_zone, smcf, 1);
}


static ngx_int_t
ngx_http_setter_stat_ready(ngx_shm_zone_t *shm_zone,
    ngx_http_setter_main_conf_t *smcf, ngx_uint_t fresh)
{
    if (ngx_http_setter_spool_init_zone(smcf, &smcf->stat->spool, fresh,
                                        shm_zone->shm.log)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_setter_stat_slots(shm_zone, smcf);
}


static ngx_int_t
ngx_http_setter_stat_directory(ngx_slab_pool_t *shpool,
    ngx_http_setter_directory_t *directory, size_t pages, size_t max)
{
    u_char  *memory;

    memory = ngx_slab_calloc(shpool, pages * ngx_pagesize);

    if (memory == NULL) {
        return NGX_ERROR;
    }

    ngx_http_setter_directory_init(directory, memory, pages * ngx_pagesize,
                                   max);
    return NGX_OK;
}


/* As many places as the zone has room for. */

static ngx_int_t
ngx_http_setter_stat_tenants(ngx_slab_pool_t *shpool,
    ngx_http_setter_stat_t *stat)
{
    size_t  size;

    size = shpool->pfree * ngx_pagesize;

    stat->tenants = ngx_slab_calloc(shpool, size);
    stat->ntenants = size / sizeof(ngx_http_setter_stat_tenant_t);

    return stat->tenants ? NGX_OK : NGX_ERROR;
}


/* Each format in use has its place, and keeps it over reloads. */

static ngx_int_t
ngx_http_setter_stat_slots(ngx_shm_zone_t *shm_zone,
    ngx_http_setter_main_conf_t *smcf)
{
    u_char                  *name;
    ngx_uint_t               i, n;
    const setter_format_t  **format;

    format = smcf->formats.elts;

    for (i = 0; i < smcf->formats.nelts; i++) {

        for (n = 0; n < NGX_HTTP_SETTER_STAT_FORMATS; n++) {
            name = smcf->stat->formats[n].name;

            if (name[0] == '\0') {
                (void) ngx_cpystrn(name, (u_char *) format[i]->name,
                                   sizeof(smcf->stat->formats[n].name));
            }

            if (ngx_strcmp(name, format[i]->name) == 0) {
                break;
            }
        }

        if (n == NGX_HTTP_SETTER_STAT_FORMATS) {
            ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                          "setter_zone has no place for \"%s\"",
                          format[i]->name);
            return NGX_ERROR;
        }

        smcf->slots[i] = n;
    }

    return NGX_OK;
}
