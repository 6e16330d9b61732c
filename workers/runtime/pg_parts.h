/*
 * What pg.c (units of work), pg_pipeline.c (their way through libpq) and
 * pg_connection.c (connections) share.
 */

#ifndef PG_PARTS_H
#define PG_PARTS_H

#include <stdint.h>
#include <uv.h>

#include "runtime/pg.h"
#include "runtime/task.h"


#define PG_MAX_DEPTH       32   /* units in flight on a connection */
#define PG_MAX_STATEMENTS  64   /* prepared statements of a connection */
#define PG_MAX_POOL        64


#define PG_MAX_RESENDS     3    /* of a unit, for a statement's sake */


/* One message sent to the server whose result will come back, in order. */
typedef struct {
    unsigned        statement;  /* the prepared one it makes or runs; 0: none */
    int             query;      /* index in the unit, or -1: not asked for */
    unsigned        makes:1;
} pg_step_t;

/* A prepared statement; its name on the server is never used again. */
typedef struct {
    unsigned        number;     /* s1, s2, ...; 0: the place is free */
    char           *sql;
} pg_statement_t;

/*
 * A unit of work.  Its task waits for it in pg_run() and owns it, until it
 * gives up: from then on (task NULL) the connection does, and drops it with
 * its last result.  The queries are the task's.
 */
typedef struct pg_unit_s {
    enum {
        PG_UNIT_WAITING = 0,    /* in pg_pool.waiting */
        PG_UNIT_SENT,           /* in a connection's list */
        PG_UNIT_DONE            /* in none */
    }                   state;
    pg_error_e          error;
    task_t             *task;
    const char         *tenant;
    const pg_query_t   *queries;
    int                 n;
    PGresult          **results;

    pg_step_t          *steps;
    int                 nsteps;
    int                 at;         /* the step whose result comes next */

    int                 resends;
    unsigned            stale:1;    /* a prepared statement was no good */
    int                 failed;
    char                sqlstate[6];
    char                message[256];
    struct pg_unit_s   *next;
} pg_unit_t;

typedef struct {
    pg_unit_t   *first;
    pg_unit_t  **last;
    int          length;
} pg_list_t;

/* A connection of the pool; it lives as long as the pool. */
typedef struct {
    enum {
        PG_CONN_DOWN = 0,       /* retry tells when it is tried again */
        PG_CONN_RESOLVING,
        PG_CONN_CONNECTING,
        PG_CONN_READY
    }                   state;
    PGconn             *pg;
    uv_poll_t          *poll;
    int                 fd;         /* that poll watches */
    int                 events;
    uv_timer_t          retry;      /* also the limit of connecting */
    unsigned            failures;
    int64_t             heard_ms;   /* last bytes, or the first unit sent */
    char                hostaddr[64];
    pg_statement_t      statements[PG_MAX_STATEMENTS];
    unsigned            prepared;   /* ever, on this connection */
    pg_list_t           sent;       /* oldest first */
} pg_conn_t;

typedef struct {
    pg_conn_t           conns[PG_MAX_POOL];
    int                 n;
    char               *url;
    pg_list_t           waiting;
    int                 ready;      /* connections */
    unsigned            reported:1; /* being away has been logged */
} pg_pool_t;

extern pg_pool_t  pg_pool;


void pg_list_init(pg_list_t *list);
void pg_list_push(pg_list_t *list, pg_unit_t *unit);
void pg_list_unshift(pg_list_t *list, pg_unit_t *unit);
pg_unit_t *pg_list_shift(pg_list_t *list);
void pg_list_remove(pg_list_t *list, pg_unit_t *unit);

/* pg.c */

/* Gives what waits to the ready connections. */
void pg_dispatch(void);

/* All results of the connection's oldest unit are there. */
void pg_unit_synced(pg_conn_t *conn, pg_unit_t *unit);

/* Ends every unit that was sent on the connection: done or not, nobody
 * knows. */
void pg_units_lost(pg_conn_t *conn, const char *reason);

/* pg_pipeline.c */

/* Sends a unit that is in no list; the connection is ready. */
void pg_send_unit(pg_conn_t *conn, pg_unit_t *unit);

/* Takes one result of the connection's oldest unit. */
void pg_take_result(pg_conn_t *conn, PGresult *result);

/* Frees a prepared statement's place. */
void pg_forget(pg_statement_t *statement);

/* pg_connection.c */

int pg_conn_init(pg_conn_t *conn);
void pg_conn_start(pg_conn_t *conn);

/* Writes what libpq has gathered; goes on when the socket can take more. */
void pg_conn_flush(pg_conn_t *conn);

/* Closes, ends what was sent, and tries again later; reason is for the log. */
void pg_conn_lost(pg_conn_t *conn, const char *reason);

/* Closes for good. */
void pg_conn_free(pg_conn_t *conn);


#endif /* PG_PARTS_H */
