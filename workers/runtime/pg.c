/*
 * Units of work: who waits for one, which connection it goes to, and how it
 * ends.  pg_pipeline.c sends it and takes its results, pg_connection.c makes
 * and keeps the connections.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/loop.h"
#include "runtime/pg_parts.h"


static pg_unit_t *pg_unit_create(const char *tenant,
    const pg_query_t *queries, int n);
static void pg_unit_free(pg_unit_t *unit);
static void pg_unit_end(pg_unit_t *unit, pg_error_e error);
static void pg_give_up(pg_unit_t *unit, int64_t timeout_ms);
static void pg_unit_again(pg_unit_t *unit);
static pg_conn_t *pg_conn_of(const pg_unit_t *unit);


pg_pool_t  pg_pool;


int
pg_init(const char *url, int pool)
{
    int  i;

    memset(&pg_pool, 0, sizeof(pg_pool));
    pg_list_init(&pg_pool.waiting);

    if (pool < 1 || pool > PG_MAX_POOL) {
        return -1;
    }

    pg_pool.url = strdup(url);
    if (pg_pool.url == NULL) {
        return -1;
    }

    for (i = 0; i < pool; i++) {
        if (pg_conn_init(&pg_pool.conns[i]) != 0) {
            return -1;
        }
        pg_pool.n++;
    }

    for (i = 0; i < pool; i++) {
        pg_conn_start(&pg_pool.conns[i]);
    }

    return 0;
}


void
pg_free(void)
{
    int  i;

    for (i = 0; i < pg_pool.n; i++) {
        pg_conn_free(&pg_pool.conns[i]);
    }

    pg_pool.n = 0;
    free(pg_pool.url);
    pg_pool.url = NULL;
}


int
pg_ready(void)
{
    return pg_pool.ready > 0;
}


pg_error_e
pg_run(const char *tenant, const pg_query_t *queries, int n,
    int64_t timeout_ms, pg_answer_t *answer)
{
    int         rc;
    int64_t     deadline;
    pg_unit_t  *unit;

    memset(answer, 0, sizeof(pg_answer_t));
    answer->failed = -1;
    answer->error = PG_DOWN;

    unit = pg_unit_create(tenant, queries, n);
    if (unit == NULL) {
        return answer->error;
    }

    deadline = loop_now_ms() + timeout_ms;
    pg_list_push(&pg_pool.waiting, unit);
    pg_dispatch();

    rc = TASK_OK;
    while (rc == TASK_OK && unit->state != PG_UNIT_DONE) {
        rc = task_suspend(deadline);
    }

    if (unit->state != PG_UNIT_DONE) {
        answer->error = rc == TASK_CANCELLED ? PG_CANCELLED
                        : unit->state == PG_UNIT_SENT ? PG_TIMEOUT : PG_DOWN;
        pg_give_up(unit, timeout_ms);
        return answer->error;
    }

    answer->error = unit->error;
    answer->failed = unit->failed;
    answer->n = n;
    answer->results = unit->results;
    memcpy(answer->sqlstate, unit->sqlstate, sizeof(answer->sqlstate));
    memcpy(answer->message, unit->message, sizeof(answer->message));

    unit->results = NULL;
    pg_unit_free(unit);

    return answer->error;
}


void
pg_clear(pg_answer_t *answer)
{
    int  i;

    for (i = 0; answer->results != NULL && i < answer->n; i++) {
        PQclear(answer->results[i]);
    }

    free(answer->results);
    answer->results = NULL;
    answer->n = 0;
}


const char *
pg_text(const pg_answer_t *answer, int query, int row, int column)
{
    const PGresult  *result;

    if (row >= pg_rows(answer, query)) {
        return NULL;
    }

    result = answer->results[query];

    if (column >= PQnfields(result) || PQgetisnull(result, row, column)) {
        return NULL;
    }

    return PQgetvalue(result, row, column);
}


int
pg_rows(const pg_answer_t *answer, int query)
{
    if (query >= answer->n || answer->results[query] == NULL) {
        return 0;
    }

    return PQntuples(answer->results[query]);
}


int
pg_columns(const pg_answer_t *answer, int query)
{
    return pg_rows(answer, query) > 0 ? PQnfields(answer->results[query]) : 0;
}


/* The unit has room for its steps: a preparation before each query. */
static pg_unit_t *
pg_unit_create(const char *tenant, const pg_query_t *queries, int n)
{
    pg_unit_t  *unit;

    unit = calloc(1, sizeof(pg_unit_t));
    if (unit == NULL) {
        return NULL;
    }

    unit->task = task_self();
    unit->tenant = tenant;
    unit->queries = queries;
    unit->n = n;
    unit->failed = -1;
    unit->results = calloc(n + 1, sizeof(PGresult *));
    unit->steps = calloc(2 * (n + 1), sizeof(pg_step_t));

    if (unit->results == NULL || unit->steps == NULL) {
        pg_unit_free(unit);
        return NULL;
    }

    return unit;
}


static void
pg_unit_free(pg_unit_t *unit)
{
    int  i;

    for (i = 0; unit->results != NULL && i < unit->n; i++) {
        PQclear(unit->results[i]);
    }

    free(unit->results);
    free(unit->steps);
    free(unit);
}


/* The unit has left all lists: its task takes it, if it still waits. */
static void
pg_unit_end(pg_unit_t *unit, pg_error_e error)
{
    unit->state = PG_UNIT_DONE;
    unit->error = error;

    if (unit->task == NULL) {
        pg_unit_free(unit);
        return;
    }

    task_wake(unit->task);
}


/*
 * The task no longer waits.  What was sent stays in its place, so that the
 * results behind it find theirs; a connection that has said nothing for as
 * long as the task would wait is taken for dead.
 */
static void
pg_give_up(pg_unit_t *unit, int64_t timeout_ms)
{
    pg_conn_t  *conn;

    if (unit->state == PG_UNIT_WAITING) {
        pg_list_remove(&pg_pool.waiting, unit);
        pg_unit_free(unit);
        return;
    }

    unit->task = NULL;
    unit->queries = NULL;

    conn = pg_conn_of(unit);
    if (conn != NULL && loop_now_ms() - conn->heard_ms >= timeout_ms) {
        pg_conn_lost(conn, "no answer in time");
    }
}


static pg_conn_t *
pg_conn_of(const pg_unit_t *unit)
{
    int               i;
    const pg_unit_t  *u;

    for (i = 0; i < pg_pool.n; i++) {
        for (u = pg_pool.conns[i].sent.first; u != NULL; u = u->next) {
            if (u == unit) {
                return &pg_pool.conns[i];
            }
        }
    }

    return NULL;
}


/* The least busy of the ready connections is taken first. */
void
pg_dispatch(void)
{
    int         i;
    pg_conn_t  *conn, *best;

    while (pg_pool.waiting.first != NULL) {
        best = NULL;

        for (i = 0; i < pg_pool.n; i++) {
            conn = &pg_pool.conns[i];

            if (conn->state == PG_CONN_READY
                && conn->sent.length < PG_MAX_DEPTH
                && (best == NULL || conn->sent.length < best->sent.length))
            {
                best = conn;
            }
        }

        if (best == NULL) {
            return;
        }

        pg_send_unit(best, pg_list_shift(&pg_pool.waiting));
    }
}


/*
 * All of the unit's results are there.  When it failed only for a prepared
 * statement's sake, nothing was done, and it is sent again.
 */
void
pg_unit_synced(pg_conn_t *conn, pg_unit_t *unit)
{
    pg_list_shift(&conn->sent);

    if (unit->sqlstate[0] == '\0') {
        pg_unit_end(unit, PG_OK);

    } else if (unit->stale && unit->task != NULL
               && unit->resends < PG_MAX_RESENDS)
    {
        pg_unit_again(unit);

    } else {
        pg_unit_end(unit, PG_FAILED);
    }

    pg_dispatch();
}


static void
pg_unit_again(pg_unit_t *unit)
{
    int  i;

    for (i = 0; i < unit->n; i++) {
        PQclear(unit->results[i]);
        unit->results[i] = NULL;
    }

    unit->state = PG_UNIT_WAITING;
    unit->resends++;
    unit->stale = 0;
    unit->failed = -1;
    unit->sqlstate[0] = '\0';
    unit->message[0] = '\0';
    pg_list_unshift(&pg_pool.waiting, unit);
}


void
pg_units_lost(pg_conn_t *conn, const char *reason)
{
    pg_unit_t  *unit;

    while ((unit = pg_list_shift(&conn->sent)) != NULL) {
        snprintf(unit->message, sizeof(unit->message), "%s", reason);
        pg_unit_end(unit, PG_UNKNOWN);
    }
}


void
pg_list_init(pg_list_t *list)
{
    list->first = NULL;
    list->last = &list->first;
    list->length = 0;
}


void
pg_list_push(pg_list_t *list, pg_unit_t *unit)
{
    unit->next = NULL;
    *list->last = unit;
    list->last = &unit->next;
    list->length++;
}


void
pg_list_unshift(pg_list_t *list, pg_unit_t *unit)
{
    unit->next = list->first;
    list->first = unit;
    list->length++;

    if (unit->next == NULL) {
        list->last = &unit->next;
    }
}


pg_unit_t *
pg_list_shift(pg_list_t *list)
{
    pg_unit_t  *unit;

    unit = list->first;

    if (unit != NULL) {
        pg_list_remove(list, unit);
    }

    return unit;
}


void
pg_list_remove(pg_list_t *list, pg_unit_t *unit)
{
    pg_unit_t  **place;

    for (place = &list->first; *place != unit; place = &(*place)->next) {
        /* void */
    }

    *place = unit->next;
    list->length--;

    if (unit->next == NULL) {
        list->last = place;
    }
}
