/*
 * What redis.c (commands), redis_connection.c (the connection) and
 * redis_tls.c (what may lie between the two) share.
 */

#ifndef REDIS_PARTS_H
#define REDIS_PARTS_H

#include <netdb.h>
#include <sys/socket.h>
#include <uv.h>

#include "runtime/loop.h"
#include "runtime/redis.h"
#include "runtime/task.h"


/* Where and as whom to connect, from the url. */
typedef struct {
    char      *path;        /* of a Unix socket, or NULL */
    char      *host;
    char      *port;
    char      *user;        /* NULL: none; likewise the rest */
    char      *password;
    char      *db;
    unsigned   tls:1;
} redis_address_t;

typedef struct redis_tls_s  redis_tls_t;

/* A task that waits for the connection; it lives on the task's stack. */
typedef struct redis_waiter_s {
    task_t                  *task;
    struct redis_waiter_s   *next;
    struct redis_waiter_s  **place;
} redis_waiter_t;

/*
 * Freed with its last user: the owner, until redis_close(), and each task
 * that waits for the connection or runs a handshake.
 */
struct redis_s {
    unsigned             users;
    char                *name;          /* of the connection in Redis */
    redis_address_t      address;
    int                (*handshake)(redis_t *redis, void *data);
    void                *data;

    enum {
        REDIS_IDLE = 0,     /* timer: the next attempt */
        REDIS_RESOLVING,    /* timer: the limit of connecting */
        REDIS_CONNECTING,
        REDIS_SECURING,     /* the handshake of TLS */
        REDIS_HANDSHAKE,    /* ours */
        REDIS_READY
    }                    state;
    unsigned             generation;
    unsigned             failures;
    unsigned             away:1;        /* being away has been logged */
    unsigned             doomed:1;      /* to be closed: it is not the one */
    unsigned             closed:1;      /* by the owner */
    unsigned             blocked:1;     /* the socket takes no more now */

    uv_getaddrinfo_t    *resolving;     /* its data is NULL when given up */
    int                  fd;
    uv_poll_t           *poll;
    int                  events;        /* that poll looks for */
    uv_timer_t           timer;
    uv_timer_t           pulse;
    redis_tls_t         *tls;           /* NULL: a plain connection */
    loop_hook_t          flush;
    int64_t              heard_ms;      /* last bytes, or the first command */

    setter_resp_t        resp;
    task_t              *shaker;        /* runs the handshake */
    redis_waiter_t      *waiters;
};


/* redis_url.c: 0, or -1 with the reason in error. */
int redis_parse_url(redis_address_t *address, const char *url, char *error,
    size_t error_size);
void redis_free_address(redis_address_t *address);

/* redis_connection.c */
void redis_connect(redis_t *redis);
void redis_lost(redis_t *redis, const char *reason);
void redis_disconnect(redis_t *redis);
void redis_flush(void *data);
void redis_on_timer(uv_timer_t *timer);
void redis_on_pulse(uv_timer_t *timer);

/*
 * redis_tls.c
 *
 * Where a function gives a reason, it is a constant or tls's own, good until
 * the next call.
 */

/* Sets redis->tls where the address wants it: 0, or -1 as redis_open(). */
int redis_tls_create(redis_t *redis, const redis_settings_t *settings,
    char *error, size_t error_size);
void redis_tls_free(redis_t *redis);

/* For a socket that is connected: 0, or -1. */
int redis_tls_start(redis_t *redis);

/*
 * 1 when it is done, 0 to be called again when the socket can be read (or
 * written, where redis->blocked), -1 with the reason why it failed.
 */
int redis_tls_handshake(redis_t *redis, const char **reason);

/* As redis_recv() and redis_send() in redis_connection.c. */
ssize_t redis_tls_recv(redis_t *redis, char *data, size_t size,
    const char **reason);
ssize_t redis_tls_send(redis_t *redis, const char *data, size_t len,
    const char **reason);

/* Before the socket is closed; takes no time. */
void redis_tls_stop(redis_t *redis);


/* redis.c */

/* The connection stands: introduces us, then the owner's steps. */
void redis_start_handshake(redis_t *redis);


#endif /* REDIS_PARTS_H */
