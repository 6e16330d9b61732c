/*
 * setterctl doctor: is everything there that answering needs?  One line a
 * finding; what is wrong says what to do.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "setter_json.h"


#define DOCTOR_CALL_MS  3000


static void doctor_redis(ctl_t *ctl);
static int doctor_info(ctl_t *ctl, const char *section, const char *name,
    char *value, size_t size);
static void doctor_workers(ctl_t *ctl);
static void doctor_database(ctl_t *ctl);
static void doctor_tables(PGconn *pg);
static void doctor_migrations(ctl_t *ctl);
static void doctor_role(PGconn *pg);
static void doctor_master(ctl_t *ctl);
static void doctor_account(ctl_t *ctl, const channel_t *channel);
static void doctor_say(const char *verdict, const char *subject,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
static void doctor_say_json(const char *verdict, const char *subject,
    const char *text);


static int  json, findings, failures;


int
ctl_doctor(ctl_t *ctl, int argc, char **argv)
{
    const char              *missing;
    const channel_t *const  *channel;

    (void) argv;

    if (argc > 0) {
        return CTL_USAGE;
    }

    json = ctl->json;

    if (json) {
        putchar('[');
    }

    doctor_redis(ctl);
    doctor_database(ctl);

    doctor_master(ctl);

    missing = llm_check(&ctl->llm);
    doctor_say(missing != NULL ? "fail" : "ok", "model", "%s",
               missing != NULL ? missing : ctl->llm.base_url);

    for (channel = channel_all(); *channel != NULL; channel++) {
        doctor_account(ctl, *channel);
    }

    if (json) {
        printf("]\n");
    }

    return failures > 0 ? CTL_FAILED : CTL_OK;
}


static void
doctor_redis(ctl_t *ctl)
{
    char  value[64];

    if (ctl_redis(ctl) == NULL) {
        doctor_say("fail", "redis", "cannot be used, see above: "
                   "check SETTER_REDIS_URL and the server");
        return;
    }

    if (doctor_info(ctl, "server", "redis_version:", value, sizeof(value))
        == 0)
    {
        doctor_say("ok", "redis", "version %s, partitions and functions "
                   "match", value);
    }

    if (doctor_info(ctl, "persistence", "aof_enabled:", value, sizeof(value))
        == 0)
    {
        doctor_say(value[0] == '1' ? "ok" : "warn", "redis", "%s",
                   value[0] == '1' ? "the append-only file is on"
                   : "the append-only file is off: a restart loses what "
                     "was accepted (set appendonly yes)");
    }

    doctor_workers(ctl);
}


static void
doctor_workers(ctl_t *ctl)
{
    long long  workers;

    if (ctl_workers(ctl, &workers) != CTL_OK) {
        doctor_say("fail", "workers", "the queue does not answer, see above");

    } else if (workers == 0) {
        doctor_say("warn", "workers", "no worker is alive: start "
                   "setter-worker, and look at its log");

    } else {
        doctor_say("ok", "workers", "%lld claimed in the last 15 s", workers);
    }
}


/* The value behind name in a section of INFO. */
static int
doctor_info(ctl_t *ctl, const char *section, const char *name, char *value,
    size_t size)
{
    int          rc;
    char        *p;
    redisReply  *reply;
    const char  *argv[2] = { "INFO", section };

    if (redis_command(ctl->redis, 2, argv, NULL, DOCTOR_CALL_MS, &reply)
        != REDIS_REPLIED)
    {
        return -1;
    }

    rc = -1;
    p = reply->str != NULL ? strstr(reply->str, name) : NULL;

    if (p != NULL) {
        p += strlen(name);
        snprintf(value, size, "%.*s", (int) strcspn(p, "\r\n"), p);
        rc = 0;
    }

    freeReplyObject(reply);

    return rc;
}


static void
doctor_database(ctl_t *ctl)
{
    PGconn  *pg;

    pg = ctl_database(ctl->database_url, "SETTER_DATABASE_URL");

    if (pg == NULL) {
        doctor_say("fail", "database", "cannot be used, see above: "
                   "check SETTER_DATABASE_URL and the server");
        return;
    }

    doctor_say("ok", "database", "PostgreSQL %s",
               PQparameterStatus(pg, "server_version"));
    doctor_tables(pg);
    doctor_role(pg);
    PQfinish(pg);
    doctor_migrations(ctl);
}


/* What a worker's role may see; which migrations there were is the owner's. */
static void
doctor_tables(PGconn *pg)
{
    PGresult  *result;

    result = PQexec(pg, "SELECT FROM tenants, conversations, jobs, messages "
                        "LIMIT 0");

    if (PQresultStatus(result) == PGRES_TUPLES_OK) {
        doctor_say("ok", "database", "the tables are there");
    } else {
        doctor_say("fail", "database", "the tables are missing, or this role "
                   "is not in setter_worker: run setterctl migrate, then "
                   "GRANT setter_worker TO the role");
    }

    PQclear(result);
}


static void
doctor_migrations(ctl_t *ctl)
{
    PGconn      *pg;
    const char  *missing;

    if (ctl->admin_database_url == NULL) {
        return;
    }

    pg = ctl_database(ctl->admin_database_url, "SETTER_ADMIN_DATABASE_URL");
    if (pg == NULL) {
        doctor_say("fail", "database", "its owner cannot connect, see above: "
                   "check SETTER_ADMIN_DATABASE_URL");
        return;
    }

    missing = ctl_migration_missing(pg);

    if (missing == NULL) {
        doctor_say("ok", "database", "is of this program's version");
    } else {
        doctor_say("fail", "database", "is older than this program, %s is "
                   "missing: run setterctl migrate", missing);
    }

    PQfinish(pg);
}


/* A role that row-level security does not bind would see all tenants. */
static void
doctor_role(PGconn *pg)
{
    int        free_of_it;
    PGresult  *result;

    result = PQexec(pg, "SELECT current_user, rolsuper OR rolbypassrls "
                        "FROM pg_roles WHERE rolname = current_user");
    free_of_it = PQntuples(result) == 1
                 && strcmp(PQgetvalue(result, 0, 1), "t") == 0;

    if (PQntuples(result) == 1) {
        doctor_say(free_of_it ? "fail" : "ok", "database",
                   free_of_it
                   ? "the role %s is not bound by row-level security: give "
                     "workers a role of their own in setter_worker"
                   : "the role %s is bound by row-level security",
                   PQgetvalue(result, 0, 0));
    }

    PQclear(result);
}


/* Only tenants with accounts of their own need it. */
static void
doctor_master(ctl_t *ctl)
{
    char      error[512];
    master_t  master;

    if (master_read(&ctl->master, &master, error, sizeof(error)) != 0) {
        doctor_say("fail", "master key", "%s", error);

    } else if (master.n == 0) {
        doctor_say("warn", "master key", "SETTER_MASTER_KEY is not set: "
                   "channels of tenants cannot be used");

    } else {
        doctor_say("ok", "master key", "can be read");
    }
}


/* Only tenants that use the provider need it. */
static void
doctor_account(ctl_t *ctl, const channel_t *channel)
{
    const char               *missing;
    const channel_account_t  *account;

    account = channel_account(&ctl->accounts, channel->name);
    missing = channel->check(account);

    doctor_say(missing != NULL ? "warn" : "ok", channel->name, "%s",
               missing != NULL ? missing : account->base_url);
}


static void
doctor_say(const char *verdict, const char *subject, const char *format, ...)
{
    char     text[512];
    va_list  args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);

    failures += strcmp(verdict, "fail") == 0;

    if (json) {
        doctor_say_json(verdict, subject, text);
    } else {
        printf("%-5s %-9s %s\n", verdict, subject, text);
    }
}


static void
doctor_say_json(const char *verdict, const char *subject, const char *text)
{
    size_t         i;
    arena_t       *arena;
    setter_buf_t   line;
    const char    *members[3][2] = { { "verdict", verdict },
                                     { "subject", subject },
                                     { "text", text } };

    arena = arena_create();
    if (arena == NULL) {
        return;
    }

    setter_buf_init(&line, arena_alloc(arena), 256);
    setter_buf_byte(&line, '{');

    for (i = 0; i < 3; i++) {
        setter_json_name(&line, members[i][0]);
        setter_json_string(&line, members[i][1], strlen(members[i][1]));
    }

    setter_buf_byte(&line, '}');

    if (!line.failed) {
        printf("%s%.*s", findings++ > 0 ? "," : "", (int) line.len,
               line.data);
    }

    arena_destroy(arena);
}
