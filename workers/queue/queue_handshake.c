/*
 * May this Redis be used, and does it know our functions?
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "queue/queue_parts.h"
#include "runtime/embedded.h"
#include "runtime/log.h"
#include "setter_partition.h"


static int queue_check_layout(redis_t *redis, queue_settings_t *settings);
static int queue_check_memory(redis_t *redis, queue_settings_t *settings);
static int queue_refuse(queue_settings_t *settings, const char *reason);
static const embedded_file_t *queue_library(void);


int
queue_handshake(redis_t *redis, void *data)
{
    queue_settings_t  *settings;

    settings = data;

    if (queue_check_layout(redis, settings) != 0
        || queue_check_memory(redis, settings) != 0
        || queue_load(redis, settings) != 0)
    {
        return -1;
    }

    settings->refusal[0] = '\0';

    return 0;
}


/* Whoever comes first says how many partitions there are. */
static int
queue_check_layout(redis_t *redis, queue_settings_t *settings)
{
    int          rc;
    char         key[SETTER_KEY_MAX], layout[32], reason[160];
    redisReply  *reply;
    const char  *set[4] = { "SET", key, layout, "NX" };
    const char  *get[2] = { "GET", key };

    setter_partition_key(key, 0, settings->partitions, "layout");
    snprintf(layout, sizeof(layout), SETTER_LAYOUT " %u",
             settings->partitions);

    reply = queue_command(redis, 4, set, NULL, QUEUE_TIMEOUT_MS);
    if (reply == NULL) {
        return -1;
    }
    freeReplyObject(reply);

    reply = queue_command(redis, 2, get, NULL, QUEUE_TIMEOUT_MS);
    if (reply == NULL) {
        return -1;
    }

    rc = 0;

    if (reply->type != REDIS_REPLY_STRING
        || strcmp(reply->str, layout) != 0)
    {
        snprintf(reason, sizeof(reason), "Redis holds layout and partitions "
                 "\"%.32s\", and SETTER_PARTITIONS says \"%s\"",
                 reply->type == REDIS_REPLY_STRING ? reply->str : "",
                 layout);
        rc = queue_refuse(settings, reason);
    }

    freeReplyObject(reply);

    return rc;
}


/* INFO tells it where CONFIG is forbidden. */
static int
queue_check_memory(redis_t *redis, queue_settings_t *settings)
{
    int          rc;
    char        *policy, reason[160];
    redisReply  *reply;
    const char  *info[2] = { "INFO", "memory" };

    reply = queue_command(redis, 2, info, NULL, QUEUE_TIMEOUT_MS);
    if (reply == NULL) {
        return -1;
    }

    rc = 0;
    policy = reply->str != NULL ? strstr(reply->str, "maxmemory_policy:")
                                : NULL;

    if (policy != NULL) {
        policy += sizeof("maxmemory_policy:") - 1;
        policy[strcspn(policy, "\r\n")] = '\0';

        if (strcmp(policy, "noeviction") != 0) {
            snprintf(reason, sizeof(reason), "Redis has maxmemory-policy "
                     "\"%.64s\", and only noeviction loses nothing", policy);
            rc = queue_refuse(settings, reason);
        }
    }

    freeReplyObject(reply);

    return rc;
}


/* Every library of one major version works with every worker of it. */
int
queue_load(redis_t *redis, queue_settings_t *settings)
{
    int                     there, theirs, ours;
    char                    reason[160];
    redisReply             *reply;
    const char             *ask[3] = { "FCALL_RO", "setter_version", "0" };
    const char             *load[4] = { "FUNCTION", "LOAD", "REPLACE", NULL };
    const embedded_file_t  *library;

    if (redis_command(redis, 3, ask, NULL, QUEUE_TIMEOUT_MS, &reply)
        != REDIS_REPLIED)
    {
        return -1;
    }

    there = reply->type == REDIS_REPLY_STRING;
    theirs = there ? atoi(reply->str) : 0;
    ours = atoi(queue_version());

    if (there && theirs != ours) {
        snprintf(reason, sizeof(reason), "Redis has the functions of version "
                 "%.16s, and this program those of %s", reply->str,
                 queue_version());
        freeReplyObject(reply);
        return queue_refuse(settings, reason);
    }

    if (there && strverscmp(reply->str, queue_version()) >= 0) {
        freeReplyObject(reply);
        return 0;
    }

    freeReplyObject(reply);

    library = queue_library();
    load[3] = library->data;

    reply = queue_command(redis, 4, load, NULL, QUEUE_TIMEOUT_MS);
    if (reply == NULL) {
        return -1;
    }
    freeReplyObject(reply);

    return 0;
}


/* Said once, however often it is tried. */
static int
queue_refuse(queue_settings_t *settings, const char *reason)
{
    if (strcmp(settings->refusal, reason) != 0) {
        snprintf(settings->refusal, sizeof(settings->refusal), "%s", reason);
        log_error("this Redis must not be used", "reason", reason);
    }

    return -1;
}


const char *
queue_version(void)
{
    const char   *text;
    static char   version[16];

    if (version[0] == '\0') {
        text = strstr(queue_library()->data, "VERSION = '");
        if (text == NULL
            || sscanf(text, "VERSION = '%15[0-9.]'", version) != 1)
        {
            abort();    /* the library was not built in */
        }
    }

    return version;
}


static const embedded_file_t *
queue_library(void)
{
    const embedded_file_t  *file;

    for (file = embedded_files; file->name != NULL; file++) {
        if (strcmp(file->name, "lanes.lua") == 0) {
            return file;
        }
    }

    abort();    /* the library was not built in */
}
