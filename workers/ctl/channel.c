/*
 * setterctl channel add, set, list, remove and send.
 *
 * PostgreSQL has the channels, with their credentials sealed; Redis has what
 * nginx goes by.  Should Redis lose it, the next worker that connects writes
 * it anew.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/channel.h"


#define CHANNEL_SECRET_MAX   4096   /* bytes of a credential */


static int channel_check(char **argv);
static int channel_write(ctl_t *ctl, const char *sql, int nparams, int argc,
    char **argv);
static int channel_assign(ctl_t *ctl, const char *word, const char *params[],
    arena_t *arena);
static int channel_secret(ctl_t *ctl, int field, const char *path,
    const char *params[], arena_t *arena);
static int channel_read(char *text, const char *name, const char *path);
static int channel_change(ctl_t *ctl, const char *sql, const char *params[],
    int nparams);
static int channel_refused(PGconn *pg, const PGresult *result,
    const char *params[]);


static const char  channel_list[] =
    "SELECT tenant, provider, address, account, base_url,"
    " credential IS NOT NULL AS credential, signing IS NOT NULL AS signing,"
    " preferred, rate, confirmed, updated_at FROM channels"
    " WHERE NOT removed AND ($1::text IS NULL OR tenant = $1)"
    " ORDER BY tenant, provider, address";


int
ctl_channel_add(ctl_t *ctl, int argc, char **argv)
{
    return channel_write(ctl, channels_insert, CHANNELS_NINSERT, argc, argv);
}


int
ctl_channel_set(ctl_t *ctl, int argc, char **argv)
{
    return argc < 4 ? CTL_USAGE
           : channel_write(ctl, channels_update, CHANNELS_NPARAMS, argc, argv);
}


int
ctl_channel_list(ctl_t *ctl, int argc, char **argv)
{
    return argc > 1 ? CTL_USAGE
           : ctl_list(ctl, channel_list, argc == 1 ? argv[0] : NULL, NULL);
}


int
ctl_channel_remove(ctl_t *ctl, int argc, char **argv)
{
    const char  *params[CHANNELS_NDELETE] = { NULL };

    if (argc != 3) {
        return CTL_USAGE;
    }

    if (channel_check(argv) != CTL_OK) {
        return CTL_FAILED;
    }

    memcpy(params, argv, 3 * sizeof(char *));

    return channel_change(ctl, channels_delete, params, CHANNELS_NDELETE);
}


static int
channel_write(ctl_t *ctl, const char *sql, int nparams, int argc,
    char **argv)
{
    int          i, rc;
    arena_t     *arena;
    const char  *params[CHANNELS_NPARAMS] = { NULL };

    if (argc < 3) {
        return CTL_USAGE;
    }

    if (channel_check(argv) != CTL_OK) {
        return CTL_FAILED;
    }

    arena = arena_create();
    if (arena == NULL) {
        return ctl_fail("no memory");
    }

    memcpy(params, argv, 3 * sizeof(char *));

    for (i = 3, rc = CTL_OK; i < argc && rc == CTL_OK; i++) {
        rc = channel_assign(ctl, argv[i], params, arena);
    }

    if (rc == CTL_OK) {
        rc = channel_change(ctl, sql, params, nparams);
    }

    arena_destroy(arena);

    return rc;
}


/* Tenant, provider and address. */
static int
channel_check(char **argv)
{
    const char    *wrong;
    setter_str_t   slug;

    slug.data = argv[0];
    slug.len = strlen(argv[0]);

    if (!setter_slug_valid(slug)) {
        return ctl_fail("\"%s\" is not a tenant's slug", argv[0]);
    }

    if (channel_find((setter_str_t) { strlen(argv[1]), argv[1] }) == NULL) {
        return ctl_fail("there is no provider \"%s\"", argv[1]);
    }

    wrong = channels_wrong(argv[2]);

    return wrong == NULL ? CTL_OK : ctl_fail("%s, not \"%s\"", wrong, argv[2]);
}


/* "account=AC…", into the parameter of the field. */
static int
channel_assign(ctl_t *ctl, const char *word, const char *params[],
    arena_t *arena)
{
    int          i;
    size_t       len;
    const char  *value;

    len = strcspn(word, "=");

    if (word[len] == '\0') {
        return ctl_fail("\"%s\" is not FIELD=VALUE", word);
    }

    value = word + len + 1;

    for (i = CHANNELS_ACCOUNT; i < CHANNELS_NFIELDS; i++) {

        if (strlen(channels_fields[i]) != len
            || memcmp(channels_fields[i], word, len) != 0)
        {
            continue;
        }

        if (*value != '\0'
            && (i == CHANNELS_CREDENTIAL || i == CHANNELS_SIGNING))
        {
            return channel_secret(ctl, i, value, params, arena);
        }

        if ((i == CHANNELS_PREFERRED || i == CHANNELS_CONFIRMED)
            && strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
        {
            return ctl_fail("%s is on or off, not \"%s\"",
                            channels_fields[i], value);
        }

        params[i] = value;
        return CTL_OK;
    }

    return ctl_fail("there is no field \"%.*s\": account, base_url, "
                    "credential, signing, preferred, rate and confirmed may "
                    "be set",
                    (int) len, word);
}


/* Secrets come from files, which no list of processes shows. */
static int
channel_secret(ctl_t *ctl, int field, const char *path, const char *params[],
    arena_t *arena)
{
    char          text[CHANNEL_SECRET_MAX + 1];
    master_t      master;
    setter_buf_t  sealed;
    setter_str_t  plain;

    if (channel_read(text, channels_fields[field], path) != CTL_OK
        || ctl_master(ctl, &master) != CTL_OK)
    {
        return CTL_FAILED;
    }

    plain.data = text;
    plain.len = strlen(text);

    if (field == CHANNELS_CREDENTIAL && strchr(text, '\n') != NULL) {
        return ctl_fail("credential: %s has more than one line", path);
    }

    setter_buf_init(&sealed, arena_alloc(arena), 0);

    if (channels_seal(&sealed, &master.keys[0],
                     field == CHANNELS_SIGNING, params, plain, arena)
        != SETTER_OK)
    {
        return ctl_fail("no memory");
    }

    params[field] = arena_copy(arena, sealed.data, sealed.len);

    return params[field] != NULL ? CTL_OK : ctl_fail("no memory");
}


/* Without the line feeds at its end; "-" is standard input. */
static int
channel_read(char *text, const char *name, const char *path)
{
    FILE    *file;
    size_t   i, len;

    file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (file == NULL) {
        return ctl_fail("%s: %s: %s", name, path, strerror(errno));
    }

    len = fread(text, 1, CHANNEL_SECRET_MAX, file);

    if (file != stdin) {
        fclose(file);
    }

    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r')) {
        len--;
    }

    text[len] = '\0';

    for (i = 0; i < len; i++) {
        if ((text[i] < ' ' && text[i] != '\n') || text[i] > '~') {
            break;
        }
    }

    if (i < len || len == 0 || len == CHANNEL_SECRET_MAX) {
        return ctl_fail("%s: %s is empty, too long or no text", name, path);
    }

    return CTL_OK;
}


/* On record first, then told to nginx. */
static int
channel_change(ctl_t *ctl, const char *sql, const char *params[], int nparams)
{
    int        rc, add;
    PGconn    *pg;
    PGresult  *result;

    if (ctl_redis(ctl) == NULL) {
        return CTL_FAILED;
    }

    pg = ctl_record(ctl);
    if (pg == NULL) {
        return CTL_FAILED;
    }

    add = sql == channels_insert;

    if (add && ctl_tenant_see(pg, params[0]) != CTL_OK) {
        PQfinish(pg);
        return CTL_FAILED;
    }

    result = PQexecParams(pg, sql, nparams, NULL, params, NULL, NULL, 0);

    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        rc = channel_refused(pg, result, params);

    } else if (PQntuples(result) == 0) {
        rc = ctl_fail("%s %s of %s is %s: see setterctl channel list",
                      params[1], params[2], params[0],
                      add ? "there already" : "not there");

    } else {
        rc = ctl_channel_publish(ctl, pg, params);
    }

    if (rc == CTL_OK && add) {
        ctl_tenant_warn(pg, params[0]);
    }

    PQclear(result);
    PQfinish(pg);

    return rc;
}


/* The constraints say what is wrong with which field. */
static int
channel_refused(PGconn *pg, const PGresult *result, const char *params[])
{
    const char  *reason;

    reason = channels_reason(PQresultErrorMessage(result));

    return reason != NULL ? ctl_fail("%s %s of %s: %s", params[1], params[2],
                                     params[0], reason)
                          : ctl_fail("%s", PQerrorMessage(pg));
}


int
ctl_channel_publish(ctl_t *ctl, PGconn *pg, const char *const where[3])
{
    int              i;
    PGresult        *result;
    const char      *values[2];
    queue_result_e   rc;

    result = PQexecParams(pg, channels_published, 3, NULL, where, NULL, NULL,
                          0);
    rc = QUEUE_AWAY;

    if (PQntuples(result) == 1) {
        for (i = 0; i < 2; i++) {
            values[i] = PQgetisnull(result, 0, i) ? NULL
                        : PQgetvalue(result, 0, i);
        }

        rc = channels_publish_both(ctl->redis, &ctl->queue, where,
                                   values[CHANNELS_PUBLISHED_OWNER],
                                   values[CHANNELS_PUBLISHED_SEALED]);
    }

    PQclear(result);

    return rc == QUEUE_OK ? CTL_OK
           : ctl_fail("recorded, but not published: run it again");
}
