/*
 * Connections to PostgreSQL: resolving, connecting, reading, writing, and
 * coming back.  Nothing here blocks: a host's name is resolved by libuv and
 * its address given to libpq beside the name.
 */

#include <stdlib.h>
#include <string.h>

#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/pg_parts.h"


#define PG_CONNECT_MS      10000
#define PG_BACKOFF_MIN_MS  100
#define PG_BACKOFF_MAX_MS  2000
#define PG_MAX_KEYWORDS    64


static char *pg_host_name(void);
static int pg_resolve(pg_conn_t *conn, const char *host);
static void pg_resolved(uv_getaddrinfo_t *request, int status,
    struct addrinfo *addresses);
static void pg_connect(pg_conn_t *conn);
static PGconn *pg_connect_start(const pg_conn_t *conn);
static void pg_connect_step(pg_conn_t *conn);
static void pg_connected(pg_conn_t *conn);
static void pg_ignore_notice(void *arg, const char *message);
static int pg_watch(pg_conn_t *conn, int events);
static void pg_unwatch(pg_conn_t *conn);
static void pg_free_handle(uv_handle_t *handle);
static void pg_on_socket(uv_poll_t *poll, int status, int events);
static void pg_read(pg_conn_t *conn);
static void pg_on_timer(uv_timer_t *timer);
static void pg_close(pg_conn_t *conn);


int
pg_conn_init(pg_conn_t *conn)
{
    pg_list_init(&conn->sent);
    conn->retry.data = conn;

    return uv_timer_init(loop_uv(), &conn->retry);
}


void
pg_conn_start(pg_conn_t *conn)
{
    char  *host;

    uv_timer_start(&conn->retry, pg_on_timer, PG_CONNECT_MS, 0);

    host = pg_host_name();
    if (host == NULL) {
        pg_connect(conn);
        return;
    }

    if (pg_resolve(conn, host) != 0) {
        pg_conn_lost(conn, "cannot start to resolve the host");
    }

    free(host);
}


/* The name that has to be resolved, to be freed; NULL: there is none. */
static char *
pg_host_name(void)
{
    char              *host;
    PQconninfoOption  *options, *o;

    host = NULL;
    options = PQconninfoParse(pg_pool.url, NULL);

    for (o = options; o != NULL && o->keyword != NULL; o++) {
        if (o->val == NULL || o->val[0] == '\0') {
            continue;
        }

        if (strcmp(o->keyword, "hostaddr") == 0) {
            free(host);
            host = NULL;
            break;
        }

        if (strcmp(o->keyword, "host") == 0 && o->val[0] != '/'
            && o->val[0] != '@' && strchr(o->val, ',') == NULL)
        {
            host = strdup(o->val);
        }
    }

    PQconninfoFree(options);

    return host;
}


static int
pg_resolve(pg_conn_t *conn, const char *host)
{
    uv_getaddrinfo_t  *request;
    struct addrinfo    hints;

    request = malloc(sizeof(uv_getaddrinfo_t));
    if (request == NULL) {
        return -1;
    }

    memset(&hints, 0, sizeof(hints));
    hints.ai_socktype = SOCK_STREAM;
    request->data = conn;
    conn->state = PG_CONN_RESOLVING;

    if (uv_getaddrinfo(loop_uv(), request, pg_resolved, host, NULL, &hints)
        != 0)
    {
        free(request);
        return -1;
    }

    return 0;
}


/* With each failed attempt the next of the addresses is tried. */
static void
pg_resolved(uv_getaddrinfo_t *request, int status,
    struct addrinfo *addresses)
{
    unsigned          i;
    pg_conn_t        *conn;
    struct addrinfo  *a;

    conn = request->data;
    free(request);

    if (conn->state != PG_CONN_RESOLVING) {
        uv_freeaddrinfo(addresses);
        return;
    }

    if (status != 0) {
        pg_conn_lost(conn, uv_strerror(status));
        return;
    }

    a = addresses;
    for (i = 0; i < conn->failures; i++) {
        a = a->ai_next != NULL ? a->ai_next : addresses;
    }

    uv_ip_name(a->ai_addr, conn->hostaddr, sizeof(conn->hostaddr));
    uv_freeaddrinfo(addresses);
    pg_connect(conn);
}


static void
pg_connect(pg_conn_t *conn)
{
    conn->state = PG_CONN_CONNECTING;
    conn->pg = pg_connect_start(conn);

    if (conn->pg == NULL || PQstatus(conn->pg) == CONNECTION_BAD) {
        pg_conn_lost(conn, PQerrorMessage(conn->pg));
        return;
    }

    if (pg_watch(conn, UV_WRITABLE) != 0) {
        pg_conn_lost(conn, "cannot watch the socket");
    }
}


/* The url's parameters, and what we know better. */
static PGconn *
pg_connect_start(const pg_conn_t *conn)
{
    int                n;
    PGconn            *pg;
    const char        *keywords[PG_MAX_KEYWORDS], *values[PG_MAX_KEYWORDS];
    PQconninfoOption  *options, *o;

    n = 0;
    options = PQconninfoParse(pg_pool.url, NULL);

    for (o = options;
         o != NULL && o->keyword != NULL && n < PG_MAX_KEYWORDS - 3;
         o++)
    {
        if (o->val != NULL) {
            keywords[n] = o->keyword;
            values[n++] = o->val;
        }
    }

    if (conn->hostaddr[0] != '\0') {
        keywords[n] = "hostaddr";
        values[n++] = conn->hostaddr;
    }

    keywords[n] = "fallback_application_name";
    values[n++] = "setter";
    keywords[n] = NULL;
    values[n] = NULL;

    pg = PQconnectStartParams(keywords, values, 0);
    PQconninfoFree(options);

    return pg;
}


/* libpq may change the socket from one step to the next. */
static void
pg_connect_step(pg_conn_t *conn)
{
    int  rc;

    switch (PQconnectPoll(conn->pg)) {

    case PGRES_POLLING_READING:
        rc = pg_watch(conn, UV_READABLE);
        break;

    case PGRES_POLLING_WRITING:
        rc = pg_watch(conn, UV_WRITABLE);
        break;

    case PGRES_POLLING_OK:
        pg_connected(conn);
        return;

    default:
        rc = -1;
    }

    if (rc != 0) {
        pg_conn_lost(conn, PQerrorMessage(conn->pg));
    }
}


static void
pg_connected(pg_conn_t *conn)
{
    if (PQsetnonblocking(conn->pg, 1) != 0
        || PQenterPipelineMode(conn->pg) == 0
        || pg_watch(conn, UV_READABLE) != 0)
    {
        pg_conn_lost(conn, PQerrorMessage(conn->pg));
        return;
    }

    PQsetNoticeProcessor(conn->pg, pg_ignore_notice, NULL);
    uv_timer_stop(&conn->retry);
    conn->state = PG_CONN_READY;
    conn->failures = 0;
    pg_pool.ready++;

    if (pg_pool.reported) {
        pg_pool.reported = 0;
        log_info("PostgreSQL is back");
    }

    pg_dispatch();
}


/* libpq's own would write to standard error, where our log is. */
static void
pg_ignore_notice(void *arg, const char *message)
{
    (void) arg;
    (void) message;
}


static int
pg_watch(pg_conn_t *conn, int events)
{
    int  fd;

    fd = PQsocket(conn->pg);

    if (conn->poll != NULL && conn->fd != fd) {
        pg_unwatch(conn);
    }

    if (conn->poll == NULL) {
        conn->poll = malloc(sizeof(uv_poll_t));
        if (conn->poll == NULL) {
            return -1;
        }

        if (uv_poll_init(loop_uv(), conn->poll, fd) != 0) {
            free(conn->poll);
            conn->poll = NULL;
            return -1;
        }

        conn->poll->data = conn;
        conn->fd = fd;
        conn->events = 0;
    }

    if (conn->events == events) {
        return 0;
    }

    conn->events = events;

    return uv_poll_start(conn->poll, events, pg_on_socket);
}


/* Before libpq closes the socket. */
static void
pg_unwatch(pg_conn_t *conn)
{
    if (conn->poll == NULL) {
        return;
    }

    uv_poll_stop(conn->poll);
    uv_close((uv_handle_t *) conn->poll, pg_free_handle);
    conn->poll = NULL;
}


static void
pg_free_handle(uv_handle_t *handle)
{
    free(handle);
}


static void
pg_on_socket(uv_poll_t *poll, int status, int events)
{
    pg_conn_t  *conn;

    conn = poll->data;

    if (conn->state == PG_CONN_CONNECTING) {
        pg_connect_step(conn);
        return;
    }

    if (status < 0) {
        pg_conn_lost(conn, uv_strerror(status));
        return;
    }

    if (events & UV_WRITABLE) {
        pg_conn_flush(conn);
    }

    if ((events & UV_READABLE) && conn->poll == poll) {
        pg_read(conn);
    }
}


/*
 * Takes all results that are there.  NULL stands between two queries'
 * results; two in a row, or one with nothing asked, say that there is
 * nothing more.
 */
static void
pg_read(pg_conn_t *conn)
{
    int        nulls;
    PGresult  *result;

    conn->heard_ms = loop_now_ms();

    if (PQconsumeInput(conn->pg) == 0) {
        pg_conn_lost(conn, PQerrorMessage(conn->pg));
        return;
    }

    nulls = 0;

    while (conn->sent.first != NULL && nulls < 2 && !PQisBusy(conn->pg)) {
        result = PQgetResult(conn->pg);

        if (result == NULL) {
            nulls++;
            continue;
        }

        nulls = 0;
        pg_take_result(conn, result);

        if (conn->state != PG_CONN_READY) {
            return;
        }
    }

    if (PQstatus(conn->pg) == CONNECTION_BAD) {
        pg_conn_lost(conn, PQerrorMessage(conn->pg));
    }
}


void
pg_conn_flush(pg_conn_t *conn)
{
    int  rc;

    rc = PQflush(conn->pg);

    if (rc < 0) {
        pg_conn_lost(conn, PQerrorMessage(conn->pg));
        return;
    }

    if (pg_watch(conn, rc ? UV_READABLE | UV_WRITABLE : UV_READABLE) != 0) {
        pg_conn_lost(conn, "cannot watch the socket");
    }
}


void
pg_conn_lost(pg_conn_t *conn, const char *reason)
{
    char    line[160];
    size_t  len;

    len = strcspn(reason, "\n");
    if (len >= sizeof(line)) {
        len = sizeof(line) - 1;
    }
    memcpy(line, reason, len);
    line[len] = '\0';

    if (!pg_pool.reported
        && pg_pool.ready == (conn->state == PG_CONN_READY ? 1 : 0))
    {
        pg_pool.reported = 1;
        log_error("PostgreSQL is away", "reason", line);
    }

    pg_close(conn);
    uv_timer_start(&conn->retry, pg_on_timer,
                   loop_backoff(conn->failures++, PG_BACKOFF_MIN_MS,
                                PG_BACKOFF_MAX_MS), 0);
    pg_units_lost(conn, line);
}


/* Connecting took too long, or it is time to try again. */
static void
pg_on_timer(uv_timer_t *timer)
{
    pg_conn_t  *conn;

    conn = timer->data;

    if (conn->state == PG_CONN_DOWN) {
        pg_conn_start(conn);
        return;
    }

    pg_conn_lost(conn, "connecting took too long");
}


static void
pg_close(pg_conn_t *conn)
{
    int  i;

    if (conn->state == PG_CONN_READY) {
        pg_pool.ready--;
    }

    conn->state = PG_CONN_DOWN;
    conn->hostaddr[0] = '\0';
    pg_unwatch(conn);
    PQfinish(conn->pg);
    conn->pg = NULL;

    for (i = 0; i < PG_MAX_STATEMENTS; i++) {
        pg_forget(&conn->statements[i]);
    }
}


void
pg_conn_free(pg_conn_t *conn)
{
    uv_close((uv_handle_t *) &conn->retry, NULL);
    pg_close(conn);
    pg_units_lost(conn, "the pool is closed");
}
