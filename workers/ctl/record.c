/*
 * setterctl job show, unknown and settle, and dead list: what PostgreSQL has
 * on record.
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
    "SELECT m.id, m.direction, m.state, m.text, m.error, m.provider_id,"
    " m.model, m.created_at, m.sent_at, m.delivered_at, m.read_at"
    " FROM messages m JOIN jobs j USING (tenant)"
    " WHERE j.id = $1::uuid AND (m.id = j.id OR (m.direction = 'out'"
    " AND m.turn IN (j.turn, j.id))) ORDER BY m.seq";

static const char  dead_sql[] =
    "SELECT id, tenant, kind, lane, reason, attempts, updated_at FROM jobs"
    " WHERE status = 'dead' AND ($1::text IS NULL OR tenant = $1)"
    " ORDER BY updated_at DESC LIMIT 1000";

static const char  unknown_sql[] =
    "SELECT id, tenant, lane, turn AS job, text, error, updated_at"
    " FROM messages WHERE state = 'unknown'"
    " AND ($1::text IS NULL OR tenant = $1) ORDER BY updated_at LIMIT 1000";

/* Of one that was not unknown, what it is. */
static const char  settle_sql[] =
    "WITH named AS (SELECT tenant, id, state FROM messages"
    "  WHERE id = $1::uuid AND direction = 'out'),"
    " settled AS (UPDATE messages AS m SET state = $2,"
    "  sent_at = CASE $2 WHEN 'sent' THEN coalesce(m.sent_at, now()) END,"
    "  error = CASE $2 WHEN 'failed' THEN 'a person says so' END"
    "  FROM named AS n WHERE m.tenant = n.tenant AND m.id = n.id"
    "   AND m.state = 'unknown' RETURNING m.id)"
    " SELECT n.state, s.id IS NOT NULL FROM named AS n LEFT JOIN settled AS s"
    "  ON s.id = n.id";


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
ctl_job_unknown(ctl_t *ctl, int argc, char **argv)
{
    return argc > 1 ? CTL_USAGE
           : ctl_list(ctl, unknown_sql, argc == 1 ? argv[0] : NULL, NULL);
}


int
ctl_job_settle(ctl_t *ctl, int argc, char **argv)
{
    int           rc;
    PGconn       *pg;
    PGresult     *result;
    const char   *params[2];
    setter_str_t  id;

    if (argc != 2 || (strcmp(argv[1], "sent") != 0
                      && strcmp(argv[1], "failed") != 0))
    {
        return CTL_USAGE;
    }

    id.data = argv[0];
    id.len = strlen(argv[0]);

    if (!setter_uuid_valid(id)) {
        return ctl_fail("\"%s\" is not a message's id", argv[0]);
    }

    pg = ctl_record(ctl);
    if (pg == NULL) {
        return CTL_FAILED;
    }

    params[0] = argv[0];
    params[1] = argv[1];
    result = PQexecParams(pg, settle_sql, 2, NULL, params, NULL, NULL, 0);

    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        rc = ctl_fail("%s", PQerrorMessage(pg));

    } else if (PQntuples(result) == 0) {
        rc = ctl_fail("there is no reply %s", argv[0]);

    } else {
        rc = PQgetvalue(result, 0, 1)[0] == 't' ? CTL_OK
             : ctl_fail("the reply is %s, not unknown",
                        PQgetvalue(result, 0, 0));
    }

    PQclear(result);
    PQfinish(pg);

    return rc;
}


int
ctl_dead_list(ctl_t *ctl, int argc, char **argv)
{
    return argc > 1 ? CTL_USAGE
           : ctl_list(ctl, dead_sql, argc == 1 ? argv[0] : NULL, NULL);
}
