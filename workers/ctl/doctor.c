/*
 * setterctl doctor: is everything there that answering needs?  One line a
 * finding; what is wrong says what to do.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "runtime/embedded.h"


#define DOCTOR_CALL_MS  3000


static void doctor_redis(ctl_t *ctl);
static int doctor_info(ctl_t *ctl, const char *section, const char *name,
    char *value, size_t size);
static void doctor_database(ctl_t *ctl);
static void doctor_migrations(PGconn *pg);
static void doctor_role(PGconn *pg);
static void doctor_account(const char *provider,
    const channel_account_t *account);
static void doctor_say(const char *verdict, const char *subject,
    const char *format, ...) __attribute__((format(printf, 3, 4)));


static int  json, findings, failures;


int
ctl_doctor(ctl_t *ctl, int argc, char **argv)
{
    const char  *missing;

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

    missing = llm_check(&ctl->llm);
    doctor_say(missing != NULL ? "fail" : "ok", "model", "%s",
               missing != NULL ? missing : ctl->llm.base_url);

    doctor_account("manychat", &ctl->manychat);
    doctor_account("infobip", &ctl->infobip);

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
    doctor_migrations(pg);
    doctor_role(pg);
    PQfinish(pg);
}


/* The last table that the newest migration made, as a worker sees it. */
static void
doctor_migrations(PGconn *pg)
{
    PGresult  *result;

    result = PQexec(pg, "SELECT FROM tenants, conversations, jobs, messages "
                        "LIMIT 0");
    doctor_say(PQresultStatus(result) == PGRES_TUPLES_OK ? "ok" : "fail",
               "database", "%s",
               PQresultStatus(result) == PGRES_TUPLES_OK
               ? "the tables are there"
               : "the tables are missing or not granted to this role: run "
                 "setterctl migrate");
    PQclear(result);
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


/* Only tenants that use the provider need it. */
static void
doctor_account(const char *provider, const channel_account_t *account)
{
    const char     *missing;
    setter_str_t    name;

    name.data = provider;
    name.len = strlen(provider);
    missing = channel_find(name)->check(account);

    doctor_say(missing != NULL ? "warn" : "ok", provider, "%s",
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
        printf("%s{\"verdict\":\"%s\",\"subject\":\"%s\",\"text\":\"%s\"}",
               findings++ > 0 ? "," : "", verdict, subject, text);
        return;
    }

    printf("%-5s %-9s %s\n", verdict, subject, text);
}
