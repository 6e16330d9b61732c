/*
 * setterctl migrate: brings the database to this program's version.
 *
 * The migrations travel in the program.  Each is applied in a transaction of
 * its own together with the row that says so; a lock lets one setterctl work
 * at a time.
 */

#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "runtime/embedded.h"


#define MIGRATE_LOCK  "7375474573"  /* any number that is ours */


static int migrate_all(PGconn *pg, int *applied);
static int migrate_one(PGconn *pg, const embedded_file_t *file,
    int *applied);
static int migrate_exec(PGconn *pg, const char *sql, const char *what);
static int migrate_is_done(PGconn *pg, const char *name);
static int migrate_is_migration(const char *name);


int
ctl_migrate(ctl_t *ctl, int argc, char **argv)
{
    int      rc, applied;
    PGconn  *pg;

    (void) argv;

    if (argc > 0) {
        return CTL_USAGE;
    }

    pg = ctl_database(ctl->admin_database_url, "SETTER_ADMIN_DATABASE_URL");
    if (pg == NULL) {
        return CTL_FAILED;
    }

    applied = 0;
    rc = migrate_exec(pg, "SET client_min_messages = warning", "settings");

    if (rc == CTL_OK) {
        rc = migrate_exec(pg, "SELECT pg_advisory_lock(" MIGRATE_LOCK ")",
                          "the lock");
    }

    if (rc == CTL_OK) {
        rc = migrate_all(pg, &applied);
    }

    PQfinish(pg);   /* and with it the lock */

    if (rc == CTL_OK && ctl->json) {
        printf("{\"applied\":%d}\n", applied);
    } else if (rc == CTL_OK && applied == 0) {
        printf("nothing to do\n");
    }

    return rc;
}


static int
migrate_all(PGconn *pg, int *applied)
{
    const embedded_file_t  *file;

    if (migrate_exec(pg, "CREATE TABLE IF NOT EXISTS migrations ("
                         "name text PRIMARY KEY, "
                         "applied_at timestamptz NOT NULL DEFAULT now())",
                     "the table of migrations") != CTL_OK)
    {
        return CTL_FAILED;
    }

    for (file = embedded_files; file->name != NULL; file++) {
        if (migrate_is_migration(file->name)
            && migrate_one(pg, file, applied) != CTL_OK)
        {
            return CTL_FAILED;
        }
    }

    return CTL_OK;
}


static int
migrate_one(PGconn *pg, const embedded_file_t *file, int *applied)
{
    int          done;
    PGresult    *result;
    const char  *params[1] = { file->name };

    if (migrate_is_done(pg, file->name)) {
        return CTL_OK;
    }

    if (migrate_exec(pg, "BEGIN", file->name) != CTL_OK
        || migrate_exec(pg, file->data, file->name) != CTL_OK)
    {
        return CTL_FAILED;
    }

    PQclear(PQexecParams(pg, "INSERT INTO migrations (name) VALUES ($1)", 1,
                         NULL, params, NULL, NULL, 0));

    /* a failed insert makes this a rollback, which says so */
    result = PQexec(pg, "COMMIT");
    done = strcmp(PQcmdStatus(result), "COMMIT") == 0;
    PQclear(result);

    if (!done) {
        return ctl_fail("%s: %s", file->name, PQerrorMessage(pg));
    }

    (*applied)++;
    fprintf(stderr, "applied %s\n", file->name);

    return CTL_OK;
}


const char *
ctl_migration_missing(PGconn *pg)
{
    const embedded_file_t  *file;

    for (file = embedded_files; file->name != NULL; file++) {
        if (migrate_is_migration(file->name)
            && !migrate_is_done(pg, file->name))
        {
            return file->name;
        }
    }

    return NULL;
}


static int
migrate_is_done(PGconn *pg, const char *name)
{
    int          done;
    PGresult    *result;
    const char  *params[1] = { name };

    result = PQexecParams(pg, "SELECT FROM migrations WHERE name = $1", 1,
                          NULL, params, NULL, NULL, 0);
    done = PQntuples(result);
    PQclear(result);

    return done;
}


static int
migrate_exec(PGconn *pg, const char *sql, const char *what)
{
    PGresult        *result;
    ExecStatusType   status;

    result = PQexec(pg, sql);
    status = PQresultStatus(result);
    PQclear(result);

    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
        return CTL_OK;
    }

    return ctl_fail("%s: %s", what, PQerrorMessage(pg));
}


static int
migrate_is_migration(const char *name)
{
    size_t  len;

    len = strlen(name);

    return len > 4 && strcmp(name + len - 4, ".sql") == 0;
}
