/*
 * One unit of work's way through libpq's pipeline: its statements, prepared
 * where there is place, up to its Sync, and their results.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/loop.h"
#include "runtime/pg_parts.h"


static int pg_send_query(pg_conn_t *conn, pg_unit_t *unit, int query,
    const pg_query_t *q);
static unsigned pg_prepare(pg_conn_t *conn, pg_unit_t *unit, const char *sql);
static void pg_add_step(pg_unit_t *unit, unsigned statement, int query,
    int makes);
static int pg_out_of_step(const pg_step_t *step, const PGresult *result);
static void pg_step_failed(pg_conn_t *conn, pg_unit_t *unit,
    const pg_step_t *step, const PGresult *result);


/*
 * A unit that cannot be sent whole would leave the pipeline without its
 * Sync: the connection is closed then.
 */
void
pg_send_unit(pg_conn_t *conn, pg_unit_t *unit)
{
    int         i, rc;
    pg_query_t  tenant;

    if (conn->sent.length == 0) {
        conn->heard_ms = loop_now_ms();
    }

    unit->state = PG_UNIT_SENT;
    unit->nsteps = 0;
    unit->at = 0;
    pg_list_push(&conn->sent, unit);

    rc = 0;

    if (unit->tenant != NULL) {
        tenant.sql = "SELECT set_config('setter.tenant', $1, true)";
        tenant.nparams = 1;
        tenant.params[0] = unit->tenant;
        rc = pg_send_query(conn, unit, -1, &tenant);
    }

    for (i = 0; rc == 0 && i < unit->n; i++) {
        rc = pg_send_query(conn, unit, i, &unit->queries[i]);
    }

    if (rc != 0 || PQpipelineSync(conn->pg) == 0) {
        pg_conn_lost(conn, PQerrorMessage(conn->pg));
        return;
    }

    pg_conn_flush(conn);
}


static int
pg_send_query(pg_conn_t *conn, pg_unit_t *unit, int query,
    const pg_query_t *q)
{
    int        sent;
    char       name[16];
    unsigned   statement;

    statement = pg_prepare(conn, unit, q->sql);

    if (statement == 0) {
        sent = PQsendQueryParams(conn->pg, q->sql, q->nparams, NULL,
                                 q->params, NULL, NULL, 0);
    } else {
        snprintf(name, sizeof(name), "s%u", statement);
        sent = PQsendQueryPrepared(conn->pg, name, q->nparams, q->params,
                                   NULL, NULL, 0);
    }

    if (sent == 0) {
        return -1;
    }

    pg_add_step(unit, statement, query, 0);

    return 0;
}


/*
 * The number of the connection's prepared statement with this text.  One
 * that is not there yet is prepared on the way, in the same segment; 0 when
 * all places are taken.
 */
static unsigned
pg_prepare(pg_conn_t *conn, pg_unit_t *unit, const char *sql)
{
    int              i;
    char             name[16];
    pg_statement_t  *statement, *place;

    place = NULL;

    for (i = 0; i < PG_MAX_STATEMENTS; i++) {
        statement = &conn->statements[i];

        if (statement->number == 0) {
            place = place != NULL ? place : statement;

        } else if (strcmp(statement->sql, sql) == 0) {
            return statement->number;
        }
    }

    if (place == NULL || (place->sql = strdup(sql)) == NULL) {
        return 0;
    }

    place->number = ++conn->prepared;
    snprintf(name, sizeof(name), "s%u", place->number);

    if (PQsendPrepare(conn->pg, name, sql, 0, NULL) == 0) {
        pg_forget(place);
        return 0;
    }

    pg_add_step(unit, place->number, -1, 1);

    return place->number;
}


void
pg_forget(pg_statement_t *statement)
{
    free(statement->sql);
    statement->sql = NULL;
    statement->number = 0;
}


static void
pg_add_step(pg_unit_t *unit, unsigned statement, int query, int makes)
{
    pg_step_t  *step;

    step = &unit->steps[unit->nsteps++];
    step->statement = statement;
    step->query = query;
    step->makes = makes;
}


/*
 * Results come in the order of the steps, then the Sync's.  An error behind
 * the last step is the commit's, or the server's goodbye, with which the
 * connection ends.
 */
void
pg_take_result(pg_conn_t *conn, PGresult *result)
{
    pg_unit_t  *unit;
    pg_step_t  *step;

    unit = conn->sent.first;
    step = unit->at < unit->nsteps ? &unit->steps[unit->at] : NULL;

    if (pg_out_of_step(step, result)) {
        pg_conn_lost(conn, PQresultErrorMessage(result)[0] != '\0'
                           ? PQresultErrorMessage(result)
                           : "results came out of step");
        PQclear(result);
        return;
    }

    switch (PQresultStatus(result)) {

    case PGRES_PIPELINE_SYNC:
        PQclear(result);
        pg_unit_synced(conn, unit);
        return;

    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
        if (step != NULL && step->query >= 0) {
            unit->results[step->query] = result;
            result = NULL;
        }
        break;

    default:    /* an error, or what comes behind one */
        pg_step_failed(conn, unit, step, result);
    }

    unit->at++;
    PQclear(result);
}


/*
 * Where libpq has no memory it makes an error of its own, without a SQLSTATE,
 * and may leave out a result, the Sync's even: those that follow would be
 * taken for other queries'.
 */
static int
pg_out_of_step(const pg_step_t *step, const PGresult *result)
{
    switch (PQresultStatus(result)) {

    case PGRES_PIPELINE_SYNC:
        return step != NULL;

    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
        return step == NULL;

    case PGRES_PIPELINE_ABORTED:
        return 0;

    default:
        return PQresultErrorField(result, PG_DIAG_SQLSTATE) == NULL;
    }
}


/*
 * The first failure is the unit's.  A statement that was not prepared, or
 * that the server no longer accepts, is forgotten: 26000 says that it is not
 * there, since the unit that should have made it failed; 0A000 that the
 * columns it gives have changed meanwhile.
 */
static void
pg_step_failed(pg_conn_t *conn, pg_unit_t *unit, const pg_step_t *step,
    const PGresult *result)
{
    int          i, stale;
    const char  *text;

    stale = 0;

    if (unit->sqlstate[0] == '\0') {
        text = PQresultErrorField(result, PG_DIAG_SQLSTATE);
        snprintf(unit->sqlstate, sizeof(unit->sqlstate), "%s",
                 text != NULL ? text : "XX000");

        text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
        snprintf(unit->message, sizeof(unit->message), "%s",
                 text != NULL ? text : PQerrorMessage(conn->pg));

        unit->failed = step != NULL ? step->query : -1;
        stale = step != NULL && step->statement != 0 && !step->makes
                && (strcmp(unit->sqlstate, "26000") == 0
                    || strcmp(unit->sqlstate, "0A000") == 0);
        unit->stale = stale;
    }

    if (step == NULL || !(step->makes || stale)) {
        return;
    }

    for (i = 0; i < PG_MAX_STATEMENTS; i++) {
        if (conn->statements[i].number == step->statement) {
            pg_forget(&conn->statements[i]);
        }
    }
}
