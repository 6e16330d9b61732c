/*
 * setterctl key signing and key rotate-master: the key that everything is
 * sealed under, and what is derived from it.
 */

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "ctl/channel.h"


static int master_rotate(ctl_t *ctl, PGconn *pg, const master_t *master);
static int master_row(PGconn *pg, const master_t *master,
    const PGresult *rows, int row, arena_t *arena, int *changed);
static int master_again(const master_t *master, int signing,
    const char *const where[3], const char *sealed, const char **again,
    arena_t *arena);


static const char  master_select[] =
    "SELECT tenant, provider, address, credential, signing, id FROM channels"
    " WHERE credential IS NOT NULL OR signing IS NOT NULL"
    " ORDER BY id FOR UPDATE";

static const char  master_update[] =
    "UPDATE channels SET credential = $2, signing = $3 WHERE id = $1";


int
ctl_master(ctl_t *ctl, master_t *master)
{
    char  error[512];

    if (master_read(&ctl->master, master, error, sizeof(error)) != 0) {
        return ctl_fail("%s", error);
    }

    if (master->n == 0) {
        return ctl_fail("SETTER_MASTER_KEY is not set; openssl rand -base64 32 "
                        "makes such a key");
    }

    return CTL_OK;
}


int
ctl_key_signing(ctl_t *ctl, int argc, char **argv)
{
    char               text[SETTER_SEAL_KEY_TEXT];
    master_t           master;
    setter_seal_key_t  key;

    (void) argv;

    if (argc > 0) {
        return CTL_USAGE;
    }

    if (ctl_master(ctl, &master) != CTL_OK) {
        return CTL_FAILED;
    }

    if (setter_seal_key_derive(&key, &master.keys[0], CHANNELS_KEY)
        != SETTER_OK)
    {
        return ctl_fail("no memory");
    }

    setter_seal_key_text(text, &key);
    printf(ctl->json ? "{\"key\":\"%.*s\"}\n" : "%.*s\n", (int) sizeof(text),
           text);
    OPENSSL_cleanse(text, sizeof(text));

    return CTL_OK;
}


int
ctl_key_rotate_master(ctl_t *ctl, int argc, char **argv)
{
    int       rc;
    PGconn   *pg;
    master_t  master;

    (void) argv;

    if (argc > 0) {
        return CTL_USAGE;
    }

    if (ctl_master(ctl, &master) != CTL_OK || ctl_redis(ctl) == NULL) {
        return CTL_FAILED;
    }

    if (master.n < 2) {
        return ctl_fail("SETTER_MASTER_KEY_OLD is not set: it is the key "
                        "until now, SETTER_MASTER_KEY the new one");
    }

    pg = ctl_record(ctl);
    if (pg == NULL) {
        return CTL_FAILED;
    }

    rc = master_rotate(ctl, pg, &master);
    PQfinish(pg);

    return rc;
}


/* All of it or nothing. */
static int
master_rotate(ctl_t *ctl, PGconn *pg, const master_t *master)
{
    int          i, rc, row, changed;
    arena_t     *arena;
    PGresult    *rows;
    const char  *where[3];

    if (ctl_run(pg, "BEGIN") != CTL_OK) {
        return CTL_FAILED;
    }

    rows = PQexec(pg, master_select);
    rc = PQresultStatus(rows) == PGRES_TUPLES_OK
         ? CTL_OK : ctl_fail("%s", PQerrorMessage(pg));
    changed = 0;

    for (row = 0; rc == CTL_OK && row < PQntuples(rows); row++) {
        arena = arena_create();
        rc = arena == NULL ? ctl_fail("no memory")
             : master_row(pg, master, rows, row, arena, &changed);
        arena_destroy(arena);
    }

    if (rc == CTL_OK) {
        rc = ctl_run(pg, "COMMIT");
    }

    for (row = 0; rc == CTL_OK && row < PQntuples(rows); row++) {
        if (!PQgetisnull(rows, row, 4)) {
            for (i = 0; i < 3; i++) {
                where[i] = PQgetvalue(rows, row, i);
            }

            rc = ctl_channel_publish(ctl, pg, where);
        }
    }

    PQclear(rows);

    if (rc == CTL_OK) {
        printf(ctl->json ? "{\"sealed\":%d}\n" : "sealed %d channels anew\n",
               changed);
    }

    return rc;
}


static int
master_row(PGconn *pg, const master_t *master, const PGresult *rows, int row,
    arena_t *arena, int *changed)
{
    int          i, rc;
    PGresult    *result;
    const char  *where[3], *params[3];

    for (i = 0; i < 3; i++) {
        where[i] = PQgetvalue(rows, row, i);
    }

    params[0] = PQgetvalue(rows, row, 5);

    for (i = 0; i < 2; i++) {
        params[1 + i] = PQgetisnull(rows, row, 3 + i)
                        ? NULL : PQgetvalue(rows, row, 3 + i);

        if (master_again(master, i == 1, where, params[1 + i], &params[1 + i],
                         arena)
            != CTL_OK)
        {
            return CTL_FAILED;
        }
    }

    result = PQexecParams(pg, master_update, 3, NULL, params, NULL, NULL, 0);
    rc = PQresultStatus(result) == PGRES_COMMAND_OK
         ? CTL_OK : ctl_fail("%s", PQerrorMessage(pg));
    PQclear(result);
    *changed += rc == CTL_OK;

    return rc;
}


/* Under the new key what was sealed under either. */
static int
master_again(const master_t *master, int signing, const char *const where[3],
    const char *sealed, const char **again, arena_t *arena)
{
    size_t             i;
    const char        *context;
    setter_buf_t       buf;
    setter_str_t       text, from, place;
    setter_seal_key_t  keys[MASTER_KEYS];

    if (sealed == NULL) {
        return CTL_OK;
    }

    for (i = 0; i < master->n; i++) {
        keys[i] = master->keys[i];

        if (signing
            && setter_seal_key_derive(&keys[i], &master->keys[i],
                                      CHANNELS_KEY)
               != SETTER_OK)
        {
            return ctl_fail("no memory");
        }
    }

    from.data = sealed;
    from.len = strlen(sealed);
    context = channels_context(signing, where, arena);

    if (context == NULL) {
        return ctl_fail("no memory");
    }

    place.data = context;
    place.len = strlen(context);

    if (setter_unseal(&text, keys, master->n, place, from, arena_alloc(arena))
        != SETTER_OK)
    {
        return ctl_fail("%s %s of %s is sealed under neither key, or damaged; "
                        "nothing was changed", where[1], where[2], where[0]);
    }

    setter_buf_init(&buf, arena_alloc(arena), 0);

    if (channels_seal(&buf, &master->keys[0], signing, where, text, arena)
        != SETTER_OK)
    {
        return ctl_fail("no memory");
    }

    *again = arena_copy(arena, buf.data, buf.len);

    return *again != NULL ? CTL_OK : ctl_fail("no memory");
}
