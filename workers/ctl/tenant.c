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


#define TENANT_NFIELDS   15
#define TENANT_TEXT_MAX  (64 * 1024)    /* bytes of a file */

/*
 * A field that may be set; words: the values it may have, else numbers; where
 * there are none of these either, a text, or the text of a file.
 */
typedef struct {
    const char  *name;
    const char  *initial;
    long         min, max;
    const char  *words[3];
    int          file;
} tenant_field_t;

static const tenant_field_t  tenant_fields[TENANT_NFIELDS] = {
    { "weight", "1", 1, 1000, { NULL }, 0 },
    { "cap", "200", 1, 100000, { NULL }, 0 },
    { "quota_minute", "0", 0, 999999999, { NULL }, 0 },
    { "quota_day", "0", 0, 999999999, { NULL }, 0 },
    { "worker", "own", 0, 0, { "own", "outside", NULL }, 0 },
    { "mid_turn", "queue", 0, 0, { "queue", "merge", NULL }, 0 },
    { "name", "", 0, 0, { NULL }, 0 },
    { "prompt", "", 0, 0, { NULL }, 1 },
    { "model", "", 0, 0, { NULL }, 0 },
    { "time_zone", "", 0, 0, { NULL }, 0 },
    { "retention_days", "", 1, 36500, { NULL }, 0 },
    { "opt_out", "", 0, 0, { NULL }, 0 },
    { "guard", "60", 0, 100000, { NULL }, 0 },
    { "echo", "takeover", 0, 0, { "takeover", "ignore", NULL }, 0 },
    { "typing", "on", 0, 0, { "on", "off", NULL }, 0 },
};


static int tenant_status(ctl_t *ctl, const char *slug, const char *status);
static int tenant_assign(const char *word, const char *params[]);
static int tenant_file(const tenant_field_t *field, const char *path,
    const char **text);
static int tenant_check(const tenant_field_t *field, const char *value);
static int tenant_number(const tenant_field_t *field, const char *value);
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
    " echo, typing,"
    " prompt,"
    " created_at, updated_at FROM tenants WHERE slug = $1";

/* In the order of tenant_fields. */
static const char  tenant_set[] =
    "UPDATE tenants SET weight = coalesce($2::integer, weight),"
    " cap = coalesce($3::integer, cap),"
    " quota_minute = coalesce($4::integer, quota_minute),"
    " quota_day = coalesce($5::integer, quota_day),"
    " worker = coalesce($6, worker), mid_turn = coalesce($7, mid_turn),"
    " name = nullif(coalesce($8, name), ''),"
    " prompt = nullif(coalesce($9, prompt), ''),"
    " model = nullif(coalesce($10, model), ''),"
    " time_zone = nullif(coalesce($11, time_zone), ''),"
    " retention_days = "
    "  nullif(coalesce($12, retention_days::text), '')::integer,"
    " opt_out = nullif(coalesce($13, opt_out), ''),"
    " guard = coalesce($14::integer, guard), echo = coalesce($15, echo),"
    " typing = coalesce($16, typing)"
    " WHERE slug = $1"
    /* which says so where it knows no such zone */
    "  AND coalesce(now() AT TIME ZONE nullif($11, ''), now()) IS NOT NULL"
    " RETURNING " SETTINGS_COLUMNS;

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
    const char  *params[1 + TENANT_NFIELDS] = { NULL };

    if (argc < 2) {
        return CTL_USAGE;
    }

    params[0] = argv[0];

    for (i = 1; i < argc; i++) {
        if (tenant_assign(argv[i], params) != CTL_OK) {
            return CTL_FAILED;
        }
    }

    return tenant_change(ctl, tenant_set, params, 1 + TENANT_NFIELDS);
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


/* "cap=100", into the parameter of the field; "cap=" is the default. */
static int
tenant_assign(const char *word, const char *params[])
{
    size_t                 i, len;
    const char            *value;
    const tenant_field_t  *field;

    len = strcspn(word, "=");

    if (word[len] == '\0') {
        return ctl_fail("\"%s\" is not FIELD=VALUE", word);
    }

    value = word + len + 1;

    for (i = 0; i < TENANT_NFIELDS; i++) {
        field = &tenant_fields[i];

        if (strlen(field->name) == len && memcmp(field->name, word, len) == 0)
        {
            params[1 + i] = *value == '\0' ? field->initial : value;

            return *value != '\0' && field->file
                   ? tenant_file(field, value, &params[1 + i])
                   : tenant_check(field, params[1 + i]);
        }
    }

    return ctl_fail("there is no field \"%.*s\": weight, cap, quota_minute, "
                    "quota_day, worker, mid_turn, name, prompt, model, "
                    "time_zone, retention_days, opt_out, guard, echo and "
                    "typing may be set", (int) len, word);
}


/* Its text is the process's, which ends soon. */
static int
tenant_file(const tenant_field_t *field, const char *path, const char **text)
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
tenant_check(const tenant_field_t *field, const char *value)
{
    int  i;

    if (field->words[0] == NULL) {
        return field->max > 0 && *value != '\0'
               ? tenant_number(field, value) : CTL_OK;
    }

    for (i = 0; field->words[i] != NULL; i++) {
        if (strcmp(field->words[i], value) == 0) {
            return CTL_OK;
        }
    }

    return ctl_fail("%s is %s or %s, not \"%s\"", field->name,
                    field->words[0], field->words[1], value);
}


static int
tenant_number(const tenant_field_t *field, const char *value)
{
    char  *end;
    long   number;

    errno = 0;
    number = strtol(value, &end, 10);

    if (errno != 0 || end == value || *end != '\0' || number < field->min
        || number > field->max)
    {
        return ctl_fail("%s is a number from %ld to %ld, not \"%s\"",
                        field->name, field->min, field->max, value);
    }

    return CTL_OK;
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
