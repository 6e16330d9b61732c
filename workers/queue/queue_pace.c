/*
 * How many messages an account may send, over all workers: lanes/pace.lua.
 */

#include "queue/queue_parts.h"


#define PACE_ARGS  3


static void pace_add(queue_call_t *call, const queue_pace_t *pace);
static void pace_begin(queue_call_t *call, const char *function,
    const queue_settings_t *settings, const queue_pace_t *pace);


queue_result_e
queue_pace(redis_t *redis, const queue_settings_t *settings,
    const queue_pace_t *paces, size_t n, int64_t limit_ms, int64_t *wait_ms)
{
    size_t        i;
    redisReply   *reply;
    queue_call_t  call;

    pace_begin(&call, "setter_pace", settings, &paces[0]);
    queue_add_number(&call, limit_ms);

    for (i = 0; i < n; i++) {
        pace_add(&call, &paces[i]);
    }

    reply = queue_finish(redis, &call);
    if (reply == NULL) {
        return QUEUE_AWAY;
    }

    *wait_ms = reply->integer;
    freeReplyObject(reply);

    return QUEUE_OK;
}


queue_result_e
queue_pace_stop(redis_t *redis, const queue_settings_t *settings,
    const queue_pace_t *pace, int64_t ms)
{
    redisReply   *reply;
    queue_call_t  call;

    pace_begin(&call, "setter_pace_stop", settings, pace);
    pace_add(&call, pace);
    queue_add_number(&call, ms);

    reply = queue_finish(redis, &call);
    if (reply == NULL) {
        return QUEUE_AWAY;
    }

    freeReplyObject(reply);

    return QUEUE_OK;
}


/* An account's paces are where its first one belongs. */
static void
pace_begin(queue_call_t *call, const char *function,
    const queue_settings_t *settings, const queue_pace_t *pace)
{
    queue_begin(call, function, settings,
                setter_partition(pace->account, settings->partitions));
}


static void
pace_add(queue_call_t *call, const queue_pace_t *pace)
{
    queue_add(call, pace->name);
    queue_add_number(call, pace->interval_us);
    queue_add_number(call, pace->burst);
}
