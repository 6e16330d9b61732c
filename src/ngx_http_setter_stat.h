/*
 * What all nginx workers share, in shared memory ("setter_zone"): counters,
 * and the tenants.
 *
 * Words that are changed atomically, no lock and no list: a worker may be
 * killed at any moment.  They outlive a reload, not a change of the zone's
 * size.
 */

#ifndef _NGX_HTTP_SETTER_STAT_H_INCLUDED_
#define _NGX_HTTP_SETTER_STAT_H_INCLUDED_


#include "ngx_http_setter_module.h"
#include "ngx_http_setter_directory.h"


#define NGX_HTTP_SETTER_STAT_FORMATS  16
#define NGX_HTTP_SETTER_STAT_BUCKETS  14
#define NGX_HTTP_SETTER_STAT_IDS      32768


typedef struct {
    u_char         name[32];
    ngx_atomic_t   outcomes[ngx_http_setter_outcomes];
    ngx_atomic_t   duplicates;
    ngx_atomic_t   aside;       /* elements of which no job was made */
} ngx_http_setter_stat_format_t;


#if (NGX_PTR_SIZE != 8)
#error "a tenant's words have 64 bits, and so must ngx_atomic_t"
#endif


/*
 * A tenant's place, for as long as the zone lives.  Taken by whoever sets the
 * hash; the name may be written more than once, always the same.
 */

struct ngx_http_setter_stat_tenant_s {
    ngx_atomic_t   hash;
    ngx_atomic_t   named;
    ngx_atomic_t   accepted;
    ngx_atomic_t   facts;       /* see setter_quota.h */
    ngx_atomic_t   window;      /* of its quota, likewise */
    u_char         slug[SETTER_SLUG_MAX + 1];
};


struct ngx_http_setter_stat_s {
    ngx_uint_t                      layout;
    ngx_http_setter_stat_format_t   formats[NGX_HTTP_SETTER_STAT_FORMATS];

    ngx_atomic_t                    round_trips[NGX_HTTP_SETTER_STAT_BUCKETS];
    ngx_atomic_t                    round_trip_us;
    ngx_atomic_t                    connected;
    ngx_atomic_t                    disconnected;

    ngx_http_setter_spool_shared_t  spool;

    ngx_http_setter_directory_t     channels;   /* a quarter of it */
    ngx_http_setter_directory_t     signing;    /* an eighth */

    ngx_http_setter_stat_tenant_t  *tenants;    /* all that is left of it */
    ngx_uint_t                      ntenants;
    ngx_atomic_t                    other;      /* tenants with no place */

    /* ids made of a key, each at its hash's place until another comes there */
    ngx_atomic_t                    ids[NGX_HTTP_SETTER_STAT_IDS];
};


/* Upper bounds in us; the last bucket has none. */
extern const uint32_t
    ngx_http_setter_stat_bounds[NGX_HTTP_SETTER_STAT_BUCKETS - 1];


/* "setter_zone" */
char *ngx_http_setter_stat_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* When the main configuration is complete. */
char *ngx_http_setter_stat_add_zone(ngx_conf_t *cf,
    ngx_http_setter_main_conf_t *smcf);

/*
 * The place of a tenant; with create it is given one.  NULL when it has none,
 * or there is none left.  slug has to be valid.
 */
ngx_http_setter_stat_tenant_t *ngx_http_setter_stat_find(
    ngx_http_setter_main_conf_t *smcf, ngx_str_t *slug, ngx_uint_t create);

/* Counts what happened; a tenant may have no place (NULL). */
void ngx_http_setter_stat_outcome(ngx_http_setter_main_conf_t *smcf,
    ngx_uint_t format, ngx_http_setter_outcome_e outcome);
void ngx_http_setter_stat_aside(ngx_http_setter_main_conf_t *smcf,
    ngx_uint_t format);
void ngx_http_setter_stat_id(ngx_http_setter_main_conf_t *smcf,
    ngx_uint_t format, const char *id);
void ngx_http_setter_stat_tenant(ngx_http_setter_main_conf_t *smcf,
    ngx_http_setter_stat_tenant_t *tenant);
void ngx_http_setter_stat_round_trip(ngx_http_setter_main_conf_t *smcf,
    uint64_t us);
void ngx_http_setter_stat_connected(ngx_http_setter_main_conf_t *smcf);
void ngx_http_setter_stat_disconnected(ngx_http_setter_main_conf_t *smcf);


#endif /* _NGX_HTTP_SETTER_STAT_H_INCLUDED_ */
