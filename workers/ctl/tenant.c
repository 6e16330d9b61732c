/*
 * setterctl tenant add, suspend, list, set, show, hold and release.
 *
 * The registry is PostgreSQL's; Redis has a set of the active tenants for
 * "setter_tenants known", and the queue goes by settings and holds.  Should
 * Redis lose them, the next worker that connects writes them anew.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ctl.h"
#include "reply/settings.h"
#include "reply/tenants.h"


#define TENANT_TEXT_MAX  (64 * 1024)    /* bytes of a file */


static int tenant_status(ctl_t *ctl, const char *slug, const char *status);
static int tenant_assign(const char *word, const char *params[]);
static int tenant_file(const tenants_field_t *field, const char *path,
    const char **text);
static int tenant_check(const tenants_field_t *field, const char *value);
static int tenant_hold(ctl_t *ctl, const char *slug, const char *held);
static int tenant_change(ctl_t *ctl, const char *sql, const char *params[],
    int nparams);
static int tenant_publish(ctl_t *ctl, const char *slug,
    const PGresult *result);


static const char  tenant_list[] =
    "SELECT slug, status, held, worker, created_at, updated_at"
    " FROM tenants WHERE $1::text IS NULL ORDER BY slug";

static const char  tenant_show[] =
    "SELECT slug, status, weight, cap, quota_minute, quota_day, worker,"
    " mid_turn, held, name, model, time_zone, retention_days, opt_out, guard,"
    " echo, typing, window_policy, window_template,"
    " prompt,"
    " created_at, updated_at FROM tenants WHERE slug = $1";

static const char  tenant_held[] =
    "UPDATE tenants SET held = $2::boolean"
    " WHERE slug = $1 RETURNING " SETTINGS_COLUMNS;


int
ctl_tenant_add(ctl_t *ctl, int argc, char **argv)
{
    return argc == 1 ? tenant_status(ctl, argv[0], "active") : CTL_USAGE;
}


int
ctl_tenant_suspend(ctl_t *ctl, int argc, char **argv)
{
    return argc == 1 ? tenant_status(ctl, argv[0], "suspended") : CTL_USAGE;
}


int
ctl_tenant_list(ctl_t *ctl, int argc, char **argv)
{
    (void) argv;

    return argc == 0 ? ctl_list(ctl, tenant_list, NULL, NULL) : CTL_USAGE;
}


int
ctl_tenant_show(ctl_t *ctl, int argc, char **argv)
{
    int  rc, rows;

    if (argc != 1) {
        return CTL_USAGE;
    }

    rc = ctl_list(ctl, tenant_show, argv[0], &rows);

    return rc == CTL_OK && rows == 0
           ? ctl_fail("there is no tenant \"%s\"", argv[0]) : rc;
}


int
ctl_tenant_hold(ctl_t *ctl, int argc, char **argv)
{
    return argc == 1 ? tenant_hold(ctl, argv[0], "true") : CTL_USAGE;
}


int
ctl_tenant_release(ctl_t *ctl, int argc, char **argv)
{
    return argc == 1 ? tenant_hold(ctl, argv[0], "false") : CTL_USAGE;
}


int
ctl_tenant_set(ctl_t *ctl, int argc, char **argv)
{
    int          i;
    const char  *params[TENANTS_NPARAMS] = { NULL };

    if (argc < 2) {
        return CTL_USAGE;
    }

    params[0] = argv[0];

    for (i = 1; i < argc; i++) {
        if (tenant_assign(argv[i], params) != CTL_OK) {
            return CTL_FAILED;
        }
    }

    return tenant_change(ctl, tenants_update, params, TENANTS_NPARAMS);
}


static int
tenant_status(ctl_t *ctl, const char *slug, const char *status)
{
    int           rc;
    PGconn       *pg;
    PGresult     *result;
    const char   *params[2] = { slug, status };
    setter_str_t  text;

    text.data = slug;
    text.len = strlen(slug);

    if (!setter_slug_valid(text)) {
        return ctl_fail("\"%s\" is not a slug: a lower-case letter, then up "
                        "to 62 letters, digits and hyphens", slug);
    }

    if (tenants_reserved(text)) {
        return ctl_fail("\"%s\" is Setter's own", slug);
    }

    if (ctl_redis(ctl) == NULL) {
        return CTL_FAILED;
    }

    pg = ctl_record(ctl);
    if (pg == NULL) {
        return CTL_FAILED;
    }

    result = PQexecParams(pg, "INSERT INTO tenants (slug, status) "
                          "VALUES ($1, $2) ON CONFLICT (slug) "
                          "DO UPDATE SET status = EXCLUDED.status", 2, NULL,
                          params, NULL, NULL, 0);
    rc = PQresultStatus(result) == PGRES_COMMAND_OK
         ? CTL_OK : ctl_fail("%s", PQerrorMessage(pg));
    PQclear(result);
    PQfinish(pg);

    if (rc != CTL_OK) {
        return rc;
    }

    rc = ctl_member(ctl, strcmp(status, "active") == 0 ? "SADD" : "SREM", slug,
                    "known", slug);

    return rc == CTL_OK
           ? rc : ctl_fail("recorded, but not published: run it again");
}


int
ctl_tenant_see(PGconn *pg, const char *slug)
{
    int          rc;
    PGresult    *result;
    const char  *params[1] = { slug };

    result = PQexecParams(pg, "INSERT INTO tenants (slug) VALUES ($1) "
                          "ON CONFLICT DO NOTHING", 1, NULL, params, NULL,
                          NULL, 0);
    rc = PQresultStatus(result) == PGRES_COMMAND_OK
         ? CTL_OK : ctl_fail("%s", PQerrorMessage(pg));
    PQclear(result);

    return rc;
}


void
ctl_tenant_warn(PGconn *pg, const char *slug)
{
    int          active;
    PGresult    *result;
    const char  *params[1] = { slug };

    result = PQexecParams(pg, "SELECT FROM tenants WHERE slug = $1 "
                          "AND status = 'active'", 1, NULL, params, NULL,
                          NULL, 0);
    active = PQntuples(result);
    PQclear(result);

    if (!active) {
        fprintf(stderr, "%s is not an active tenant: where nginx has "
                "\"setter_tenants known\", run setterctl tenant add %s.\n",
                slug, slug);
    }
}


/* "cap=100", into the parameter of the field; "cap=" is the default. */
static int
tenant_assign(const char *word, const char *params[])
{
    int                     i;
    size_t                  len;
    const char             *value;
    const tenants_field_t  *field;

    len = strcspn(word, "=");

    if (word[len] == '\0') {
        return ctl_fail("\"%s\" is not FIELD=VALUE", word);
    }

    i = tenants_field((setter_str_t) { len, word });
    if (i == -1) {
        return ctl_fail("there is no field \"%.*s\": " TENANTS_NAMES
                        " may be set", (int) len, word);
    }

    value = word + len + 1;
    field = &tenants_fields[i];
    params[1 + i] = *value == '\0' ? field->initial : value;

    if (*value != '\0' && field->file
        && tenant_file(field, value, &params[1 + i]) != CTL_OK)
    {
        return CTL_FAILED;
    }

    return tenant_check(field, params[1 + i]);
}


/* Its text is the process's, which ends soon. */
static int
tenant_file(const tenants_field_t *field, const char *path, const char **text)
{
    FILE        *file;
    size_t       len;
    static char  read[TENANT_TEXT_MAX + 1];

    file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (file == NULL) {
        return ctl_fail("%s: %s: %s", field->name, path, strerror(errno));
    }

    len = fread(read, 1, TENANT_TEXT_MAX, file);

    if (file != stdin) {
        fclose(file);
    }

    while (len > 0 && read[len - 1] == '\n') {
        len--;
    }

    read[len] = '\0';

    if (len == 0 || len == TENANT_TEXT_MAX || strlen(read) < len) {
        return ctl_fail("%s: %s is empty, too long or no text", field->name,
                        path);
    }

    *text = read;

    return CTL_OK;
}


static int
tenant_check(const tenants_field_t *field, const char *value)
{
    char  error[256];

    if (tenants_check(field, value, error, sizeof(error)) == NULL) {
        return CTL_OK;
    }

    return field->file ? ctl_fail("%s", error)
                       : ctl_fail("%s, not \"%s\"", error, value);
}


static int
tenant_hold(ctl_t *ctl, const char *slug, const char *held)
{
    const char  *params[2] = { slug, held };

    return tenant_change(ctl, tenant_held, params, 2);
}


/* On record first, then told to the queue. */
static int
tenant_change(ctl_t *ctl, const char *sql, const char *params[], int nparams)
{
    int        rc;
    PGconn    *pg;
    PGresult  *result;

    if (ctl_redis(ctl) == NULL) {
        return CTL_FAILED;
    }

    pg = ctl_record(ctl);
    if (pg == NULL) {
        return CTL_FAILED;
    }

    result = PQexecParams(pg, sql, nparams, NULL, params, NULL, NULL, 0);

    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        rc = ctl_fail("%s", PQerrorMessage(pg));

    } else if (PQntuples(result) == 0) {
        rc = ctl_fail("there is no tenant \"%s\": setterctl tenant add "
                      "makes it", params[0]);

    } else {
        rc = tenant_publish(ctl, params[0], result);
    }

    PQclear(result);
    PQfinish(pg);

    return rc;
}


static int
tenant_publish(ctl_t *ctl, const char *slug, const PGresult *result)
{
    int          i;
    const char  *values[SETTINGS_N];

    for (i = 0; i < SETTINGS_N; i++) {
        values[i] = PQgetvalue(result, 0, i);
    }

    return settings_publish(ctl->redis, &ctl->queue, slug, values) == QUEUE_OK
           ? CTL_OK
           : ctl_fail("recorded, but not in effect: Redis does not take it. "
                      "Run it again");
}
