/*
 * Calling a function of the library in lanes/.
 */

#include <stdio.h>
#include <string.h>

#include "queue/queue_parts.h"
#include "runtime/log.h"


void
queue_begin(queue_call_t *call, const char *function,
    const queue_settings_t *settings, unsigned partition)
{
    call->argc = 0;
    call->nnumbers = 0;
    setter_partition_key(call->key, partition, settings->partitions, "inbox");

    queue_add_text(call, "FCALL");
    queue_add_text(call, function);
    queue_add_text(call, "1");
    queue_add_text(call, call->key);
}


void
queue_add(queue_call_t *call, setter_str_t text)
{
    call->argv[call->argc] = text.data;
    call->argvlen[call->argc++] = text.len;
}


void
queue_add_text(queue_call_t *call, const char *text)
{
    queue_add(call, (setter_str_t) { strlen(text), text });
}


void
queue_add_number(queue_call_t *call, int64_t number)
{
    char  *text;

    text = call->numbers[call->nnumbers++];
    snprintf(text, sizeof(call->numbers[0]), "%lld", (long long) number);
    queue_add_text(call, text);
}


/* A Redis that lost the library, by a failover or a flush, gets it again. */
redisReply *
queue_finish(redis_t *redis, queue_call_t *call)
{
    redisReply        *reply;
    queue_settings_t   settings;

    if (redis_command(redis, call->argc, call->argv, call->argvlen,
                      QUEUE_TIMEOUT_MS, &reply) != REDIS_REPLIED)
    {
        return NULL;
    }

    if (reply->type != REDIS_REPLY_ERROR) {
        return reply;
    }

    if (strstr(reply->str, "Function not found") == NULL) {
        log_error("Redis refused", "command", call->argv[1], "reason",
                  reply->str);
        freeReplyObject(reply);
        return NULL;
    }

    freeReplyObject(reply);
    memset(&settings, 0, sizeof(settings));

    if (queue_load(redis, &settings) != 0) {
        return NULL;
    }

    return queue_command(redis, call->argc, call->argv, call->argvlen,
                         QUEUE_TIMEOUT_MS);
}


redisReply *
queue_command(redis_t *redis, int argc, const char **argv,
    const size_t *argvlen, int64_t timeout_ms)
{
    redisReply  *reply;

    if (redis_command(redis, argc, argv, argvlen, timeout_ms, &reply)
        != REDIS_REPLIED)
    {
        return NULL;
    }

    if (reply->type == REDIS_REPLY_ERROR) {
        log_error("Redis refused", "command", argv[0], "reason", reply->str);
        freeReplyObject(reply);
        return NULL;
    }

    return reply;
}
