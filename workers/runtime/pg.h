/*
 * PostgreSQL by libpq's pipeline mode over a small pool of connections.
 *
 * A unit of work is one pipeline segment up to its Sync, which PostgreSQL
 * runs as one transaction: all of it or nothing.  Its first statement sets
 * the tenant for row-level security.  Segments of many tasks share a
 * connection, in order; no decision can be made inside one.
 */

#ifndef PG_H
#define PG_H

#include <libpq-fe.h>

#include "runtime/arena.h"


#define PG_MAX_PARAMS  32

/*
 * Parameters are text; NULL is SQL's NULL.  Each connection keeps the first
 * 64 texts it meets as prepared statements: values belong in parameters.
 */
typedef struct {
    const char  *sql;
    int          nparams;
    const char  *params[PG_MAX_PARAMS];
} pg_query_t;

typedef enum {
    PG_OK = 0,
    PG_DOWN,        /* no connection with room came; nothing was done */
    PG_UNKNOWN,     /* the connection was lost: done or not */
    PG_FAILED,      /* the server refused: see sqlstate and message */
    PG_TIMEOUT,     /* as PG_UNKNOWN */
    PG_CANCELLED    /* as PG_UNKNOWN */
} pg_error_e;

/* The results belong to the caller: pg_clear() frees them. */
typedef struct {
    pg_error_e   error;
    int          failed;            /* index of the query that failed; -1:
                                       the tenant's or the commit did */
    char         sqlstate[6];
    char         message[256];
    int          n;
    PGresult   **results;           /* one a query */
} pg_answer_t;

/*
 * url: a libpq connection string.  Connects in the background and again
 * whenever a connection is lost (with back-off), never blocking: a host's
 * name is resolved beside the loop (of a list of hosts libpq does it, which
 * blocks: hostaddr avoids that).  pool: 1 to 64 connections.  0, or -1.
 */
int pg_init(const char *url, int pool);
void pg_free(void);

/* 1 while at least one connection is ready. */
int pg_ready(void);

/*
 * Runs the queries as one unit of work, all for one tenant; tenant NULL is
 * for what has none (migrations' version, health).  Waits until the end.
 */
pg_error_e pg_run(const char *tenant, const pg_query_t *queries, int n,
    int64_t timeout_ms, pg_answer_t *answer);

void pg_clear(pg_answer_t *answer);

/* The text of a field, or NULL for SQL's NULL and for what is not there. */
const char *pg_text(const pg_answer_t *answer, int query, int row, int column);
int pg_rows(const pg_answer_t *answer, int query);
int pg_columns(const pg_answer_t *answer, int query);


#endif /* PG_H */
