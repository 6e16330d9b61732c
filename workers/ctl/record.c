/*
 * setterctl job show, setterctl dead list: what PostgreSQL has on record.
 */

#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "setter_uuid.h"


static const char  job_sql[] =
    "SELECT id, tenant, lane, kind, status, reason, attempts, received_at,"
    " updated_at FROM jobs WHERE id = $1::uuid";

/* What was said in its turn, from the message itself to the reply. */
static const char  messages_sql[] =
    "SELECT m.direction, m.state, m.text, m.error, m.provider_id, m.model,"
    " m.created_at, m.sent_at FROM messages m JOIN jobs j USING (tenant)"
    " WHERE j.id = $1::uuid AND (m.id = j.id OR (m.direction = 'out'"
    " AND m.turn = j.turn)) ORDER BY m.seq";

static const char  dead_sql[] =
    "SELECT id, tenant, kind, lane, reason, attempts, updated_at FROM jobs"
    " WHERE status = 'dead' AND ($1::text IS NULL OR tenant = $1)"
    " ORDER BY updated_at DESC LIMIT 1000";


int
ctl_job_show(ctl_t *ctl, int argc, char **argv)
{
    int           rc, rows, messages;
    PGconn       *pg;
    setter_str_t  id;

    if (argc != 1) {
        return CTL_USAGE;
    }

    id.data = argv[0];
    id.len = strlen(argv[0]);

    if (!setter_uuid_valid(id)) {
        return ctl_fail("\"%s\" is not a job's id", argv[0]);
    }

    pg = ctl_record(ctl);
    if (pg == NULL) {
        return CTL_FAILED;
    }

    if (ctl->json) {
        printf("{\"job\":");
    }

    rc = ctl_print(ctl, pg, job_sql, argv[0], &rows);

    if (rc == CTL_OK) {
        printf(ctl->json ? ",\"messages\":" : "\n");
        rc = ctl_print(ctl, pg, messages_sql, argv[0], &messages);
    }

    if (ctl->json) {
        printf("}\n");
    }

    if (rc == CTL_OK && rows == 0) {
        rc = ctl_fail("no worker has taken a job %s yet", argv[0]);
    }

    PQfinish(pg);

    return rc;
}


int
ctl_dead_list(ctl_t *ctl, int argc, char **argv)
{
    int      rc, rows;
    PGconn  *pg;

    if (argc > 1) {
        return CTL_USAGE;
    }

    pg = ctl_record(ctl);
    if (pg == NULL) {
        return CTL_FAILED;
    }

    rc = ctl_print(ctl, pg, dead_sql, argc == 1 ? argv[0] : NULL, &rows);

    if (ctl->json) {
        putchar('\n');
    }

    PQfinish(pg);

    return rc;
}
