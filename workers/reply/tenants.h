/*
 * The tenants' registry: the fields that setterctl and the API set, and what
 * nginx has to know of a tenant.
 */

#ifndef TENANTS_H
#define TENANTS_H

#include "queue/queue.h"


/*
 * A field that may be set.  words: the values it may have; else it is a number
 * from min to max; else a text of up to max characters, where min is -1.
 */
typedef struct {
    const char  *name;
    const char  *initial;           /* what it is when nobody has set it */
    long         min, max;
    const char  *words[4];
    unsigned     file:1;            /* setterctl takes it from a file */
    unsigned     word:1;            /* visible ASCII alone */
    unsigned     operators:1;       /* not for a tenant's own key */
} tenants_field_t;

#define TENANTS_NFIELDS  17
#define TENANTS_NAMES                                                         \
    "weight, cap, quota_minute, quota_day, worker, mid_turn, name, prompt,"   \
    " model, time_zone, retention_days, opt_out, guard, echo, typing,"        \
    " window_policy and window_template"

extern const tenants_field_t  tenants_fields[TENANTS_NFIELDS];

/* 1 for what cannot be a tenant's slug though it is one: its name is that of
 * the calls in the queue. */
int tenants_reserved(setter_str_t slug);

/* The field's number, or -1. */
int tenants_field(setter_str_t name);

/* NULL, or what is wrong with a value, in error. */
const char *tenants_check(const tenants_field_t *field, const char *value,
    char *error, size_t size);


/*
 * Sets the fields of a tenant: slug, then, NULL where one stays, the values in
 * the order of the fields, status, and "held"; the version that the row must
 * have, NULL: any, TENANTS_NEW: that it is of this unit of work; the API's
 * call, which may be run again, or NULL.  Gives SETTINGS_COLUMNS of the row, or
 * no row: it is not there, or has changed.
 */
#define TENANTS_STATUS   (TENANTS_NFIELDS + 1)
#define TENANTS_HELD     (TENANTS_NFIELDS + 2)
#define TENANTS_MATCH    (TENANTS_NFIELDS + 3)
#define TENANTS_CALL     (TENANTS_NFIELDS + 4)
#define TENANTS_NPARAMS  (TENANTS_NFIELDS + 5)
#define TENANTS_NEW      "new"

extern const char  tenants_update[];

/* An SQL expression: the version of the row. */
#define TENANTS_VERSION  "extract(epoch FROM updated_at)::text"


/*
 * "SADD" or "SREM" of a member of one of the sets from which nginx knows
 * tenants: "known", "keys"; of the tenant's partition.  NULL, or why not, in
 * error.
 */
#define TENANTS_ERROR  256          /* bytes of it */

const char *tenants_member(redis_t *redis, const queue_settings_t *settings,
    const char *command, const char *slug, const char *set,
    const char *member, char error[TENANTS_ERROR]);


#endif /* TENANTS_H */
