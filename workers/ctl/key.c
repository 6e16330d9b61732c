/*
 * setterctl key add, list and revoke.
 *
 * PostgreSQL has a key's hash, and so has Redis, where nginx looks it up.
 * Should Redis lose it, the next worker that connects writes it anew.
 */

#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "setter_apikey.h"


#define KEY_ENDING  4


static int key_insert(ctl_t *ctl, PGconn *pg, const char *text,
    const char *slug, const char *name);
static void key_tell(ctl_t *ctl, const char *text, const char *slug,
    const char *id);
static int key_revoke(ctl_t *ctl, PGconn *pg, const char *which, int *n);


static const char  list_sql[] =
    "SELECT id, tenant, name, '...' || ending AS key, created_at, revoked_at"
    " FROM keys WHERE $1::text IS NULL OR tenant = $1 ORDER BY tenant, id";

/* By its number, which no slug can be, or all of a tenant. */
static const char  revoke_sql[] =
    "UPDATE keys SET revoked_at = coalesce(revoked_at, now())"
    " WHERE id::text = $1 OR tenant = $1"
    " RETURNING tenant, tenant || '/' || hash";


int
ctl_key_add(ctl_t *ctl, int argc, char **argv)
{
    int           rc;
    char          text[SETTER_APIKEY_MAX + 1];
    PGconn       *pg;
    setter_str_t  slug;

    if (argc < 1 || argc > 2) {
        return CTL_USAGE;
    }

    slug.data = argv[0];
    slug.len = strlen(argv[0]);

    if (!setter_slug_valid(slug)) {
        return ctl_fail("\"%s\" is not a tenant's slug", argv[0]);
    }

    if (setter_apikey_make(text, slug, NULL) != SETTER_OK) {
        return ctl_fail("the system gives no random bytes");
    }

    if (ctl_redis(ctl) == NULL) {
        return CTL_FAILED;
    }

    pg = ctl_record(ctl);
    if (pg == NULL) {
        return CTL_FAILED;
    }

    rc = key_insert(ctl, pg, text, argv[0], argc == 2 ? argv[1] : NULL);
    PQfinish(pg);

    return rc;
}


int
ctl_key_list(ctl_t *ctl, int argc, char **argv)
{
    return argc > 1 ? CTL_USAGE
           : ctl_list(ctl, list_sql, argc == 1 ? argv[0] : NULL, NULL);
}


int
ctl_key_revoke(ctl_t *ctl, int argc, char **argv)
{
    int      i, rc, n;
    PGconn  *pg;

    if (argc == 0) {
        return CTL_USAGE;
    }

    if (ctl_redis(ctl) == NULL) {
        return CTL_FAILED;
    }

    pg = ctl_record(ctl);
    if (pg == NULL) {
        return CTL_FAILED;
    }

    n = 0;
    rc = CTL_OK;

    for (i = 0; i < argc; i++) {
        if (key_revoke(ctl, pg, argv[i], &n) != CTL_OK) {
            rc = CTL_FAILED;
        }
    }

    PQfinish(pg);
    printf(ctl->json ? "{\"revoked\":%d}\n" : "revoked %d\n", n);

    return rc;
}


/* What cannot be published is not recorded, and its key never shown. */
static int
key_insert(ctl_t *ctl, PGconn *pg, const char *text, const char *slug,
    const char *name)
{
    int              rc;
    char             member[SETTER_APIKEY_MEMBER_MAX + 1];
    PGresult        *result;
    const char      *params[4];
    setter_apikey_t  key;

    if (setter_apikey_read(&key, (setter_str_t) { strlen(text), text })
        != SETTER_OK)
    {
        return ctl_fail("no memory");
    }

    setter_apikey_member(member, &key);

    params[0] = slug;
    params[1] = strchr(member, '/') + 1;
    params[2] = name;
    params[3] = text + strlen(text) - KEY_ENDING;

    if (ctl_run(pg, "BEGIN") != CTL_OK
        || ctl_tenant_see(pg, slug) != CTL_OK)
    {
        return CTL_FAILED;
    }

    result = PQexecParams(pg, "INSERT INTO keys (tenant, hash, name, ending) "
                          "VALUES ($1, $2, $3, $4) RETURNING id", 4, NULL,
                          params, NULL, NULL, 0);
    rc = CTL_OK;

    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        rc = ctl_fail("%s", PQerrorMessage(pg));

    } else if (ctl_member(ctl, "SADD", slug, "keys", member) != CTL_OK) {
        rc = ctl_fail("no key was made");

    } else if (ctl_run(pg, "COMMIT") != CTL_OK) {
        rc = CTL_FAILED;

    } else {
        key_tell(ctl, text, slug, PQgetvalue(result, 0, 0));
        ctl_tenant_warn(pg, slug);
    }

    PQclear(result);

    return rc;
}


/* The key alone is the output, for a script to take. */
static void
key_tell(ctl_t *ctl, const char *text, const char *slug, const char *id)
{
    if (ctl->json) {
        printf("{\"id\":%s,\"tenant\":\"%s\",\"key\":\"%s\"}\n", id, slug,
               text);
    } else {
        printf("%s\n", text);
        fprintf(stderr, "This is key %s of %s. It is not shown again: only "
                "its hash is kept.\n", id, slug);
    }
}


static int
key_revoke(ctl_t *ctl, PGconn *pg, const char *which, int *n)
{
    int          rc, row;
    PGresult    *result;
    const char  *params[1] = { which };

    result = PQexecParams(pg, revoke_sql, 1, NULL, params, NULL, NULL, 0);
    rc = CTL_OK;

    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        rc = ctl_fail("%s", PQerrorMessage(pg));

    } else if (PQntuples(result) == 0) {
        rc = ctl_fail("there is no key or tenant with keys \"%s\"", which);
    }

    for (row = 0; rc == CTL_OK && row < PQntuples(result); row++) {
        rc = ctl_member(ctl, "SREM", PQgetvalue(result, row, 0), "keys",
                        PQgetvalue(result, row, 1));
        if (rc != CTL_OK) {
            ctl_fail("recorded, but not published: run it again");
        }

        *n += rc == CTL_OK;
    }

    PQclear(result);

    return rc;
}
