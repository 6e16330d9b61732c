/*
 * What the commands share.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "reply/tenants.h"
#include "runtime/loop.h"
#include "runtime/task.h"
#include "setter_partition.h"


#define CTL_REDIS_MS   3000


static void ctl_print_table(const PGresult *result);
static void ctl_print_line(const char *text, int width);


redis_t *
ctl_redis(ctl_t *ctl)
{
    char     error[512];
    int64_t  deadline;

    if (ctl->redis != NULL) {
        return ctl->redis;
    }

    ctl->queue.partitions = ctl->partitions;
    ctl->queue.looks = 1;
    ctl->redis = redis_open(&ctl->redis_settings, "setterctl",
                            queue_handshake, &ctl->queue, error,
                            sizeof(error));

    if (ctl->redis == NULL) {
        ctl_fail("%s", error);
        return NULL;
    }

    deadline = loop_now_ms() + CTL_REDIS_MS;

    while (!redis_ready(ctl->redis) && ctl->queue.refusal[0] == '\0'
           && loop_now_ms() < deadline)
    {
        task_sleep(5);
    }

    if (redis_ready(ctl->redis)) {
        return ctl->redis;
    }

    ctl_fail("%s", ctl->queue.refusal[0] != '\0'
                   ? ctl->queue.refusal : "Redis does not answer");

    return NULL;
}


int
ctl_member(ctl_t *ctl, const char *command, const char *slug,
    const char *set, const char *member)
{
    char         error[TENANTS_ERROR];
    const char  *wrong;

    wrong = tenants_member(ctl->redis, &ctl->queue, command, slug, set,
                           member, error);

    return wrong == NULL ? CTL_OK : ctl_fail("%s", wrong);
}


PGconn *
ctl_database(const char *url, const char *what)
{
    PGconn      *pg;
    const char  *keywords[] = { "dbname", "connect_timeout",
                                "fallback_application_name", NULL };
    const char  *values[] = { url, "10", "setterctl", NULL };

    if (url == NULL) {
        ctl_fail("%s is not set", what);
        return NULL;
    }

    pg = PQconnectdbParams(keywords, values, 1);

    if (PQstatus(pg) != CONNECTION_OK) {
        ctl_fail("%s: %s", what, PQerrorMessage(pg));
        PQfinish(pg);
        return NULL;
    }

    return pg;
}


PGconn *
ctl_record(ctl_t *ctl)
{
    PGconn    *pg;
    PGresult  *result;

    pg = ctl_database(ctl->admin_database_url, "SETTER_ADMIN_DATABASE_URL");
    if (pg == NULL) {
        return NULL;
    }

    result = PQexec(pg, "SET ROLE setter_system");

    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        ctl_fail("%s (has setterctl migrate been run?)", PQerrorMessage(pg));
        PQfinish(pg);
        pg = NULL;
    }

    PQclear(result);

    return pg;
}


int
ctl_run(PGconn *pg, const char *command)
{
    int        rc;
    PGresult  *result;

    result = PQexec(pg, command);
    rc = PQresultStatus(result) == PGRES_COMMAND_OK
         ? CTL_OK : ctl_fail("%s", PQerrorMessage(pg));
    PQclear(result);

    return rc;
}


int
ctl_print(ctl_t *ctl, PGconn *pg, const char *sql, const char *param,
    int *rows)
{
    int          rc;
    char         json[2048];
    PGresult    *result;
    const char  *params[1] = { param };

    if (ctl->json) {
        snprintf(json, sizeof(json), "SELECT count(*), coalesce(json_agg(t), "
                 "'[]') FROM (%s) t", sql);
        sql = json;
    }

    result = PQexecParams(pg, sql, 1, NULL, params, NULL, NULL, 0);
    rc = CTL_OK;
    *rows = 0;

    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        rc = ctl_fail("%s", PQerrorMessage(pg));

    } else if (ctl->json) {
        *rows = atoi(PQgetvalue(result, 0, 0));
        ctl_print_line(PQgetvalue(result, 0, 1), 0);

    } else {
        *rows = PQntuples(result);
        ctl_print_table(result);
    }

    PQclear(result);

    return rc;
}


int
ctl_list(ctl_t *ctl, const char *sql, const char *param, int *rows)
{
    int      rc, n;
    PGconn  *pg;

    pg = ctl_record(ctl);
    if (pg == NULL) {
        return CTL_FAILED;
    }

    rc = ctl_print(ctl, pg, sql, param, rows != NULL ? rows : &n);

    if (ctl->json) {
        putchar('\n');
    }

    PQfinish(pg);

    return rc;
}


static void
ctl_print_table(const PGresult *result)
{
    int  row, column, width[32], len;

    if (PQntuples(result) == 0) {
        printf("none\n");
        return;
    }

    for (column = 0; column < PQnfields(result); column++) {
        width[column] = strlen(PQfname(result, column));

        for (row = 0; row < PQntuples(result); row++) {
            len = PQgetlength(result, row, column);
            if (len > width[column]) {
                width[column] = len;
            }
        }

        printf("%-*s  ", width[column], PQfname(result, column));
    }

    for (row = 0; row < PQntuples(result); row++) {
        putchar('\n');
        for (column = 0; column < PQnfields(result); column++) {
            ctl_print_line(PQgetvalue(result, row, column),
                           width[column] + 2);
        }
    }

    putchar('\n');
}


/* Text in one line, filled up to so many columns. */
static void
ctl_print_line(const char *text, int width)
{
    for ( ; *text != '\0'; text++, width--) {
        putchar((unsigned char) *text < ' ' ? ' ' : *text);
    }

    for ( ; width > 0; width--) {
        putchar(' ');
    }
}


int
ctl_fail(const char *format, ...)
{
    char     line[1024];
    size_t   len;
    va_list  args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);

    len = strlen(line);
    while (len > 0 && line[len - 1] == '\n') {
        line[--len] = '\0';
    }

    fprintf(stderr, "setterctl: %s\n", line);

    return CTL_FAILED;
}
