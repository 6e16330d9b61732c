/*
 * What queue.c (the functions) and queue_handshake.c share.
 */

#ifndef QUEUE_PARTS_H
#define QUEUE_PARTS_H

#include "queue/queue.h"


#define QUEUE_TIMEOUT_MS  5000


/*
 * One command; argvlen as for redis_command().  The reply, to be freed with
 * freeReplyObject(), or NULL after a log line.
 */
redisReply *queue_command(redis_t *redis, int argc, const char **argv,
    const size_t *argvlen, int64_t timeout_ms);

/* Loads the library, unless one of any version is there.  0, or -1. */
int queue_load(redis_t *redis, queue_settings_t *settings);

/* "1.0", of the library that travels with us. */
const char *queue_version(void);


#endif /* QUEUE_PARTS_H */
