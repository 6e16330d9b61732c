/*
 * Redis for tasks: the shared RESP core on a libuv socket.
 *
 * A redis_t is one connection that comes back by itself (back-off with
 * jitter); commands of all tasks are pipelined on it and written once a loop
 * turn.  One that is silent for 15 s with a command under way is made anew,
 * or since a command was sent whose time is up, where that is 2 s or more,
 * and so is one whose server is loading or became a replica.  A handshake
 * function of the owner runs on every new connection before any other command.
 */

#ifndef REDIS_H
#define REDIS_H

#include "setter_resp.h"
#include "runtime/arena.h"
#include "runtime/config.h"


typedef struct redis_s  redis_t;

typedef enum {
    REDIS_REPLIED = 0,  /* reply is there; it may be an error reply */
    REDIS_DOWN,         /* nothing was sent */
    REDIS_UNKNOWN,      /* sent; the connection was lost before the reply */
    REDIS_TIMEOUT,      /* sent; the reply is late and will be dropped */
    REDIS_CANCELLED     /* as REDIS_TIMEOUT, or not sent */
} redis_error_e;

/*
 * Where Redis is, and for rediss:// whom to believe that it is; NULL where
 * nothing is set.
 */
typedef struct {
    const char  *url;   /* unix:PATH[?db=N] or
                           redis[s]://[user:password@]host[:port][/db] */
    const char  *ca;    /* file of those who may certify it; NULL: the
                           system's */
    const char  *name;  /* that its certificate is for; NULL: url's host */
    const char  *cert;  /* our own certificate's file, and its key's */
    const char  *key;
} redis_settings_t;

/* The rows of config_read() for a program's settings that have one. */
#define REDIS_SETTINGS(type, member)                                          \
    { "SETTER_REDIS_URL", "redis-url", CONFIG_TEXT,                           \
      offsetof(type, member.url), NULL, 0, 0, 1,                              \
      "Redis: unix:PATH, redis://[user:password@]host[:port][/db], or"        \
      " rediss:// for TLS" },                                                 \
    { "SETTER_REDIS_CA", "redis-ca", CONFIG_TEXT,                             \
      offsetof(type, member.ca), NULL, 0, 0, 0,                               \
      "rediss://: file of the authorities that may certify Redis, in place"   \
      " of the system's" },                                                   \
    { "SETTER_REDIS_NAME", "redis-name", CONFIG_TEXT,                         \
      offsetof(type, member.name), NULL, 0, 0, 0,                             \
      "rediss://: the name in Redis's certificate, where it is not the"       \
      " URL's host" },                                                        \
    { "SETTER_REDIS_CERT", "redis-cert", CONFIG_TEXT,                         \
      offsetof(type, member.cert), NULL, 0, 0, 0,                             \
      "rediss://: file of the certificate to show to Redis" },                \
    { "SETTER_REDIS_KEY", "redis-key", CONFIG_TEXT,                           \
      offsetof(type, member.key), NULL, 0, 0, 0,                              \
      "rediss://: file of that certificate's key" }

/*
 * handshake(redis, data) runs as a task on each new connection and calls
 * redis_command() as usual; commands of other tasks wait meanwhile.  It
 * returns 0, or -1 to close and try again later (it logs why).
 * NULL on a wrong setting or short memory, with the reason in error, which
 * names the setting's variable.  settings need not be kept.
 *
 * redis_close() ends what is under way: who waits gets REDIS_DOWN or
 * REDIS_UNKNOWN.  The pointer is of no use afterwards.
 */
redis_t *redis_open(const redis_settings_t *settings, const char *name,
    int (*handshake)(redis_t *redis, void *data), void *data,
    char *error, size_t error_size);
void redis_close(redis_t *redis);

/* 1 after the handshake, until the connection is lost. */
int redis_ready(const redis_t *redis);

/* How often the connection has been made: a change means a new one. */
unsigned redis_generation(const redis_t *redis);

/*
 * Sends a command and waits.  A command that comes while the connection is
 * being made waits for it until the deadline.  *reply is the caller's to
 * free with freeReplyObject(), and NULL unless REDIS_REPLIED.
 */
redis_error_e redis_command(redis_t *redis, int argc, const char **argv,
    const size_t *argvlen, int64_t timeout_ms, redisReply **reply);


#endif /* REDIS_H */
