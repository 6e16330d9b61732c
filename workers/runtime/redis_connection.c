/*
 * The connection to Redis: resolving, connecting, moving bytes (through TLS
 * where there is any), coming back.  Nothing here blocks.
 */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/log.h"
#include "runtime/redis_parts.h"


#define REDIS_CONNECT_MS      3000        /* the handshake included */
#define REDIS_BACKOFF_MIN_MS  100
#define REDIS_BACKOFF_MAX_MS  2000
#define REDIS_SILENCE_MS      15000     /* longer than any blocking read */


static int redis_resolve(redis_t *redis);
static void redis_resolved(uv_getaddrinfo_t *request, int status,
    struct addrinfo *addresses);
static void redis_connect_unix(redis_t *redis);
static void redis_connect_to(redis_t *redis, const struct sockaddr *address,
    socklen_t len);
static int redis_watch(redis_t *redis);
static int redis_want(redis_t *redis, int events);
static void redis_free_handle(uv_handle_t *handle);
static void redis_on_socket(uv_poll_t *poll, int status, int events);
static void redis_connected(redis_t *redis);
static void redis_secure(redis_t *redis);
static void redis_read(redis_t *redis);
static ssize_t redis_recv(redis_t *redis, char *data, size_t size,
    const char **reason);
static ssize_t redis_send(redis_t *redis, const char *data, size_t len,
    const char **reason);


void
redis_connect(redis_t *redis)
{
    uv_timer_start(&redis->timer, redis_on_timer, REDIS_CONNECT_MS, 0);

    if (redis->address.path != NULL) {
        redis_connect_unix(redis);
        return;
    }

    if (redis_resolve(redis) != 0) {
        redis_lost(redis, "cannot start to resolve the host");
    }
}


static int
redis_resolve(redis_t *redis)
{
    struct addrinfo    hints;
    uv_getaddrinfo_t  *request;

    request = malloc(sizeof(uv_getaddrinfo_t));
    if (request == NULL) {
        return -1;
    }

    memset(&hints, 0, sizeof(hints));
    hints.ai_socktype = SOCK_STREAM;
    request->data = redis;

    if (uv_getaddrinfo(loop_uv(), request, redis_resolved,
                       redis->address.host, redis->address.port, &hints)
        != 0)
    {
        free(request);
        return -1;
    }

    redis->resolving = request;
    redis->state = REDIS_RESOLVING;

    return 0;
}


/* With each failed attempt the next of the addresses is tried. */
static void
redis_resolved(uv_getaddrinfo_t *request, int status,
    struct addrinfo *addresses)
{
    redis_t          *redis;
    unsigned          i, n;
    struct addrinfo  *a;

    redis = request->data;
    free(request);

    if (redis == NULL) {
        uv_freeaddrinfo(addresses);
        return;
    }

    redis->resolving = NULL;

    if (status != 0) {
        redis_lost(redis, uv_strerror(status));
        return;
    }

    n = 0;
    for (a = addresses; a != NULL; a = a->ai_next) {
        n++;
    }

    a = addresses;
    for (i = redis->failures % n; i > 0; i--) {
        a = a->ai_next;
    }

    redis_connect_to(redis, a->ai_addr, a->ai_addrlen);
    uv_freeaddrinfo(addresses);
}


static void
redis_connect_unix(redis_t *redis)
{
    struct sockaddr_un  sun;

    memset(&sun, 0, sizeof(sun));
    sun.sun_family = AF_UNIX;

    if (strlen(redis->address.path) >= sizeof(sun.sun_path)) {
        redis_lost(redis, "the socket's path is too long");
        return;
    }

    strcpy(sun.sun_path, redis->address.path);
    redis_connect_to(redis, (struct sockaddr *) &sun, sizeof(sun));
}


static void
redis_connect_to(redis_t *redis, const struct sockaddr *address,
    socklen_t len)
{
    int  on;

    redis->state = REDIS_CONNECTING;
    redis->fd = socket(address->sa_family,
                       SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (redis->fd == -1) {
        redis_lost(redis, strerror(errno));
        return;
    }

    if (address->sa_family != AF_UNIX) {
        on = 1;
        setsockopt(redis->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        setsockopt(redis->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    }

    if (connect(redis->fd, address, len) == -1 && errno != EINPROGRESS) {
        redis_lost(redis, strerror(errno));
        return;
    }

    if (redis_watch(redis) != 0 || redis_want(redis, UV_WRITABLE) != 0) {
        redis_lost(redis, "cannot watch the socket");
    }
}


static int
redis_watch(redis_t *redis)
{
    redis->poll = malloc(sizeof(uv_poll_t));
    if (redis->poll == NULL) {
        return -1;
    }

    if (uv_poll_init(loop_uv(), redis->poll, redis->fd) != 0) {
        free(redis->poll);
        redis->poll = NULL;
        return -1;
    }

    redis->poll->data = redis;
    redis->events = 0;

    return 0;
}


/* Only a change is told to libuv, which takes two system calls for it. */
static int
redis_want(redis_t *redis, int events)
{
    if (redis->events == events) {
        return 0;
    }

    redis->events = events;

    return uv_poll_start(redis->poll, events, redis_on_socket);
}


static void
redis_free_handle(uv_handle_t *handle)
{
    free(handle);
}


/*
 * TLS may have to read before it can write, and the other way round.  Of an
 * error libuv says only that there is one, and reading says which.
 */
static void
redis_on_socket(uv_poll_t *poll, int status, int events)
{
    redis_t  *redis;

    redis = poll->data;

    if (redis->state == REDIS_CONNECTING) {
        redis_connected(redis);
        return;
    }

    if (redis->state == REDIS_SECURING) {
        redis_secure(redis);

    } else {
        if ((events & UV_READABLE) || status < 0 || redis->tls != NULL) {
            redis_read(redis);
        }

        if ((events & UV_WRITABLE) || redis->tls != NULL) {
            redis_flush(redis);
        }
    }

    if (status < 0 && redis->poll == poll) {
        redis_lost(redis, uv_strerror(status));
    }
}


static void
redis_connected(redis_t *redis)
{
    int        error;
    socklen_t  len;

    len = sizeof(error);

    if (getsockopt(redis->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1) {
        error = errno;
    }

    if (error != 0) {
        redis_lost(redis, strerror(error));
        return;
    }

    if (redis->tls != NULL && redis_tls_start(redis) != 0) {
        redis_lost(redis, "cannot start TLS");
        return;
    }

    redis->state = REDIS_SECURING;
    redis_secure(redis);
}


/* Goes on with the handshake of TLS, where there is one. */
static void
redis_secure(redis_t *redis)
{
    int          rc;
    const char  *reason;

    rc = redis->tls != NULL ? redis_tls_handshake(redis, &reason) : 1;

    if (rc < 0) {
        redis_lost(redis, reason);
        return;
    }

    if (redis_want(redis, redis->blocked ? UV_WRITABLE : UV_READABLE) != 0) {
        redis_lost(redis, "cannot watch the socket");
        return;
    }

    if (rc > 0) {
        redis->heard_ms = loop_now_ms();
        redis_start_handshake(redis);
    }
}


/* The loop's hook: writes what all tasks of this turn have appended. */
void
redis_flush(void *data)
{
    size_t       len;
    ssize_t      n;
    redis_t     *redis;
    const char  *out, *reason;

    redis = data;

    if (redis->state != REDIS_HANDSHAKE && redis->state != REDIS_READY) {
        return;
    }

    while ((len = setter_resp_output(&redis->resp, &out)) > 0) {
        n = redis_send(redis, out, len, &reason);

        if (n < 0) {
            redis_lost(redis, reason);
            return;
        }

        if (n == 0) {
            break;
        }

        setter_resp_written(&redis->resp, n);
    }

    redis_want(redis, redis->blocked ? UV_READABLE | UV_WRITABLE
                                     : UV_READABLE);
}


/* What TLS has read and not given out makes no socket readable again. */
static void
redis_read(redis_t *redis)
{
    ssize_t      n;
    const char  *reason;
    static char  buffer[65536];

    do {
        n = redis_recv(redis, buffer, sizeof(buffer), &reason);

        if (n < 0) {
            redis_lost(redis, reason);
            return;
        }

        if (n == 0) {
            return;
        }

        redis->heard_ms = loop_now_ms();

        if (setter_resp_feed(&redis->resp, buffer, n) != SETTER_OK) {
            redis_lost(redis, redis->resp.error);
            return;
        }

        if (redis->doomed) {
            redis_lost(redis, "it is loading, or became a replica");
            return;
        }
    } while (redis->tls != NULL);
}


/* Bytes received; 0: none for now; -1: no more, with the reason. */
static ssize_t
redis_recv(redis_t *redis, char *data, size_t size, const char **reason)
{
    ssize_t  n;

    if (redis->tls != NULL) {
        return redis_tls_recv(redis, data, size, reason);
    }

    n = recv(redis->fd, data, size, 0);

    if (n == -1 && (errno == EINTR || errno == EAGAIN)) {
        return 0;
    }

    *reason = n == 0 ? "closed by Redis" : strerror(errno);

    return n > 0 ? n : -1;
}


/* Bytes taken; 0: none for now, and perhaps blocked; -1: as above. */
static ssize_t
redis_send(redis_t *redis, const char *data, size_t len, const char **reason)
{
    ssize_t  n;

    if (redis->tls != NULL) {
        return redis_tls_send(redis, data, len, reason);
    }

    do {
        n = send(redis->fd, data, len, MSG_NOSIGNAL);
    } while (n == -1 && errno == EINTR);

    redis->blocked = n == -1 && errno == EAGAIN;
    *reason = n == -1 ? strerror(errno) : NULL;

    return redis->blocked ? 0 : n;
}


void
redis_lost(redis_t *redis, const char *reason)
{
    if (!redis->away) {
        redis->away = 1;
        log_error("Redis is away", "connection", redis->name, "reason",
                  reason);
    }

    redis_disconnect(redis);
    uv_timer_start(&redis->timer, redis_on_timer,
                   loop_backoff(redis->failures++, REDIS_BACKOFF_MIN_MS,
                                REDIS_BACKOFF_MAX_MS), 0);
}


/* Tells every command that was under way. */
void
redis_disconnect(redis_t *redis)
{
    redis->state = REDIS_IDLE;
    redis->doomed = 0;
    redis->blocked = 0;
    redis->shaker = NULL;
    uv_timer_stop(&redis->timer);

    if (redis->resolving != NULL) {
        redis->resolving->data = NULL;
        redis->resolving = NULL;
    }

    if (redis->poll != NULL) {
        uv_poll_stop(redis->poll);
        uv_close((uv_handle_t *) redis->poll, redis_free_handle);
        redis->poll = NULL;
    }

    redis_tls_stop(redis);

    if (redis->fd != -1) {
        close(redis->fd);
        redis->fd = -1;
    }

    setter_resp_closed(&redis->resp);
}


/* Connecting took too long, or it is time to try again. */
void
redis_on_timer(uv_timer_t *timer)
{
    redis_t  *redis;

    redis = timer->data;

    if (redis->state == REDIS_IDLE) {
        redis_connect(redis);
        return;
    }

    redis_lost(redis, redis->state == REDIS_SECURING
                      ? "the handshake of TLS took too long"
                      : "connecting took too long");
}


/*
 * An idle connection is asked for a sign of life, so that one which is dead
 * without having been closed is found before a turn needs it.
 */
void
redis_on_pulse(uv_timer_t *timer)
{
    redis_t     *redis;
    const char  *ping[1] = { "PING" };

    redis = timer->data;

    if (redis->state != REDIS_READY) {
        return;
    }

    if (redis->resp.pending == 0) {
        redis->heard_ms = loop_now_ms();
        setter_resp_command(&redis->resp, 1, ping, NULL, NULL, NULL);
        redis_flush(redis);

    } else if (loop_now_ms() - redis->heard_ms > REDIS_SILENCE_MS) {
        redis_lost(redis, "no sign of life");
    }
}
