/*
 * setterctl's commands: one interface, a file a subject.
 */

#ifndef CTL_H
#define CTL_H

#include <libpq-fe.h>

#include "channel/accounts.h"
#include "llm/llm.h"
#include "queue/queue.h"
#include "runtime/master.h"


#define CTL_OK      0
#define CTL_FAILED  1       /* said why on standard error */
#define CTL_USAGE   2       /* main tells the command's usage */

/* What the commands share; they run as a task. */
typedef struct {
    redis_settings_t   redis_settings;
    const char        *database_url;
    const char        *admin_database_url;
    llm_settings_t     llm;
    channel_accounts_t  accounts;
    master_settings_t  master;
    const char        *egress_allow;
    long               partitions;
    int                json;        /* for programs, else for people */

    queue_settings_t   queue;
    redis_t           *redis;       /* by ctl_redis() */
} ctl_t;

typedef struct {
    const char  *words;             /* "dead list" */
    const char  *arguments;         /* "[--tenant SLUG]" */
    const char  *help;              /* one line */
    int        (*run)(ctl_t *ctl, int argc, char **argv);
} ctl_command_t;

/* The Redis of SETTER_REDIS_URL, ready; NULL after saying why not. */
redis_t *ctl_redis(ctl_t *ctl);

/*
 * A connection to PostgreSQL that waits (a command has nothing else to do),
 * to be ended with PQfinish(); NULL after saying why not.  what names the
 * variable that holds url.
 */
PGconn *ctl_database(const char *url, const char *what);

/* The record, as the system role, which sees every tenant's rows. */
PGconn *ctl_record(ctl_t *ctl);

/*
 * Runs a query with one parameter and prints its rows: a table, or as JSON an
 * array of objects, without a newline.  *rows tells how many.  CTL_OK, or
 * CTL_FAILED.
 */
int ctl_print(ctl_t *ctl, PGconn *pg, const char *sql, const char *param,
    int *rows);

/*
 * The same over a connection of its own, with a newline, for commands that
 * list what is on record; rows may be NULL.
 */
int ctl_list(ctl_t *ctl, const char *sql, const char *param, int *rows);

/* The first migration that the database has not seen, or NULL. */
const char *ctl_migration_missing(PGconn *pg);

/*
 * "SADD" or "SREM" of a member of one of the sets from which nginx knows
 * tenants: "known", "keys"; of the tenant's partition.  After ctl_redis().
 * CTL_OK, or CTL_FAILED after saying why.
 */
int ctl_member(ctl_t *ctl, const char *command, const char *slug,
    const char *set, const char *member);

/* Runs a command without a result.  CTL_OK, or CTL_FAILED after saying why. */
int ctl_run(PGconn *pg, const char *command);

/* Puts a tenant on record, as seen, who is not there.  CTL_OK, or CTL_FAILED
 * after saying why. */
int ctl_tenant_see(PGconn *pg, const char *slug);

/* Tells the person that a tenant is not active, should that be so. */
void ctl_tenant_warn(PGconn *pg, const char *slug);

/* The master key.  CTL_OK, or CTL_FAILED after saying why. */
int ctl_master(ctl_t *ctl, master_t *master);

/* How many workers are alive.  CTL_OK, or CTL_FAILED after saying why. */
int ctl_workers(ctl_t *ctl, long long *workers);

/* "setterctl: …" on standard error; returns CTL_FAILED. */
int ctl_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

int ctl_migrate(ctl_t *ctl, int argc, char **argv);
int ctl_doctor(ctl_t *ctl, int argc, char **argv);
int ctl_depth(ctl_t *ctl, int argc, char **argv);
int ctl_tail(ctl_t *ctl, int argc, char **argv);
int ctl_job_show(ctl_t *ctl, int argc, char **argv);
int ctl_job_unknown(ctl_t *ctl, int argc, char **argv);
int ctl_job_settle(ctl_t *ctl, int argc, char **argv);
int ctl_dead_list(ctl_t *ctl, int argc, char **argv);
int ctl_dead_requeue(ctl_t *ctl, int argc, char **argv);
int ctl_tenant_add(ctl_t *ctl, int argc, char **argv);
int ctl_tenant_suspend(ctl_t *ctl, int argc, char **argv);
int ctl_tenant_list(ctl_t *ctl, int argc, char **argv);
int ctl_tenant_show(ctl_t *ctl, int argc, char **argv);
int ctl_tenant_set(ctl_t *ctl, int argc, char **argv);
int ctl_tenant_hold(ctl_t *ctl, int argc, char **argv);
int ctl_tenant_release(ctl_t *ctl, int argc, char **argv);
int ctl_lane_hold(ctl_t *ctl, int argc, char **argv);
int ctl_lane_release(ctl_t *ctl, int argc, char **argv);
int ctl_lane_takeover(ctl_t *ctl, int argc, char **argv);
int ctl_lane_handback(ctl_t *ctl, int argc, char **argv);
int ctl_lane_list(ctl_t *ctl, int argc, char **argv);
int ctl_worker_list(ctl_t *ctl, int argc, char **argv);
int ctl_key_add(ctl_t *ctl, int argc, char **argv);
int ctl_key_list(ctl_t *ctl, int argc, char **argv);
int ctl_key_revoke(ctl_t *ctl, int argc, char **argv);
int ctl_key_signing(ctl_t *ctl, int argc, char **argv);
int ctl_key_rotate_master(ctl_t *ctl, int argc, char **argv);
int ctl_channel_add(ctl_t *ctl, int argc, char **argv);
int ctl_channel_set(ctl_t *ctl, int argc, char **argv);
int ctl_channel_list(ctl_t *ctl, int argc, char **argv);
int ctl_channel_remove(ctl_t *ctl, int argc, char **argv);
int ctl_channel_send(ctl_t *ctl, int argc, char **argv);
int ctl_scale(ctl_t *ctl, int argc, char **argv);


#endif /* CTL_H */
