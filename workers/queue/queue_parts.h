/*
 * What the files of the queue's C face share: queue_call.c calls a function,
 * queue.c has the turns, queue_lanes.c what is told and asked beside them,
 * queue_handshake.c says which Redis may be used.
 */

#ifndef QUEUE_PARTS_H
#define QUEUE_PARTS_H

#include "queue/queue.h"
#include "setter_partition.h"


#define QUEUE_TIMEOUT_MS  5000
#define QUEUE_PAIRS_MAX   498       /* leases, or jobs, in one call */
#define QUEUE_MAX_ARGS    (8 + 2 * QUEUE_PAIRS_MAX)


/* A call being put together: numbers find their text in here. */
typedef struct {
    int          argc;
    const char  *argv[QUEUE_MAX_ARGS];
    size_t       argvlen[QUEUE_MAX_ARGS];
    char         key[SETTER_KEY_MAX];
    char         numbers[8][24];
    int          nnumbers;
} queue_call_t;


/* "FCALL function 1 <inbox>"; what is added must outlive the call. */
void queue_begin(queue_call_t *call, const char *function,
    const queue_settings_t *settings, unsigned partition);
void queue_add(queue_call_t *call, setter_str_t text);
void queue_add_text(queue_call_t *call, const char *text);
void queue_add_number(queue_call_t *call, int64_t number);

/*
 * Makes the call.  The reply, which is no error, to be freed with
 * freeReplyObject(), or NULL after a log line.
 */
redisReply *queue_finish(redis_t *redis, queue_call_t *call);

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
