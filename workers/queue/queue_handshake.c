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


#define QUEUE_UPGRADE_TRIES  5


static int queue_check_layout(redis_t *redis, queue_settings_t *settings);
static int queue_check_memory(redis_t *redis, queue_settings_t *settings);
static void queue_layout(char layout[32], const queue_settings_t *settings);
static int queue_check_library(redis_t *redis, queue_settings_t *settings);
static int queue_loaded_version(redis_t *redis, char version[16]);
static int queue_upgrade(redis_t *redis, queue_settings_t *settings,
    const char *key);
static int queue_refuse(queue_settings_t *settings, const char *reason);
static int queue_failed(const char *command, const char *reason);
static const embedded_file_t *queue_library(void);


int
queue_handshake(redis_t *redis, void *data)
{
    queue_settings_t  *settings;

    settings = data;

    if (queue_check_layout(redis, settings) != 0
        || queue_check_memory(redis, settings) != 0
        || queue_check_library(redis, settings) != 0)
    {
        return -1;
    }

    settings->refusal[0] = '\0';

    return 0;
}


/*
 * Whoever comes first says how many partitions there are.  A full Redis
 * refuses to be told even what it knows; it has to be drained all the same.
 */
static int
queue_check_layout(redis_t *redis, queue_settings_t *settings)
{
    int          rc;
    char         key[SETTER_KEY_MAX], layout[32], reason[160];
    redisReply  *reply;
    const char  *set[4] = { "SET", key, layout, "NX" };
    const char  *get[2] = { "GET", key };

    setter_partition_key(key, 0, settings->partitions, "layout");
    queue_layout(layout, settings);

    reply = queue_command(redis, 2, get, NULL, QUEUE_TIMEOUT_MS);

    if (reply != NULL && reply->type == REDIS_REPLY_NIL && !settings->looks) {
        freeReplyObject(reply);
        reply = queue_command(redis, 4, set, NULL, QUEUE_TIMEOUT_MS);
        if (reply == NULL) {
            return -1;
        }

        freeReplyObject(reply);
        reply = queue_command(redis, 2, get, NULL, QUEUE_TIMEOUT_MS);
    }

    if (reply == NULL) {
        return -1;
    }

    rc = 0;

    if (reply->type == REDIS_REPLY_NIL && settings->looks) {
        /* nobody has said it yet */

    } else if (reply->type != REDIS_REPLY_STRING
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


static void
queue_layout(char layout[32], const queue_settings_t *settings)
{
    snprintf(layout, 32, SETTER_LAYOUT " %u", settings->partitions);
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


/*
 * Every library of one major version works with every worker of it.  Whether
 * a full Redis has one shows when it is called.
 */
int
queue_load(redis_t *redis, queue_settings_t *settings)
{
    int          rc;
    char         reason[160];
    redisReply  *reply;
    const char  *load[3] = { "FUNCTION", "LOAD", queue_library()->data };

    if (redis_command(redis, 3, load, NULL, QUEUE_TIMEOUT_MS, &reply)
        != REDIS_REPLIED)
    {
        return -1;
    }

    rc = 0;

    if (reply->type == REDIS_REPLY_ERROR
        && strstr(reply->str, "already exists") == NULL
        && strncmp(reply->str, "OOM ", 4) != 0)
    {
        snprintf(reason, sizeof(reason), "Redis takes no functions, which it "
                 "does from version 7 on: %.90s", reply->str);
        rc = strstr(reply->str, "unknown command") != NULL
             ? queue_refuse(settings, reason)
             : queue_failed("FUNCTION LOAD", reply->str);
    }

    freeReplyObject(reply);

    return rc;
}


/*
 * Loads the library where there is none, and over an older one.  Whoever
 * does the latter writes the watched key: of several at a time one succeeds,
 * the others look again, and so none replaces a newer library.
 */
static int
queue_check_library(redis_t *redis, queue_settings_t *settings)
{
    int          tries;
    char         key[SETTER_KEY_MAX], version[16], reason[160];
    redisReply  *reply;
    const char  *watch[2] = { "WATCH", key };
    const char  *unwatch[1] = { "UNWATCH" };

    setter_partition_key(key, 0, settings->partitions, "layout");

    if (queue_load(redis, settings) != 0) {
        return -1;
    }

    for (tries = 0; tries < QUEUE_UPGRADE_TRIES; tries++) {
        reply = queue_command(redis, 2, watch, NULL, QUEUE_TIMEOUT_MS);
        if (reply == NULL) {
            return -1;
        }
        freeReplyObject(reply);

        if (queue_loaded_version(redis, version) != 0) {
            return -1;
        }

        if (atoi(version) != atoi(queue_version())) {
            snprintf(reason, sizeof(reason), "Redis has the functions of "
                     "version %s, and this program those of %s", version,
                     queue_version());
            return queue_refuse(settings, reason);
        }

        if (strverscmp(version, queue_version()) >= 0) {
            reply = queue_command(redis, 1, unwatch, NULL, QUEUE_TIMEOUT_MS);
            if (reply == NULL) {
                return -1;
            }
            freeReplyObject(reply);
            return 0;
        }

        if (queue_upgrade(redis, settings, key) != 0) {
            return -1;
        }
    }

    return queue_failed("FUNCTION LOAD", "others load at the same time");
}


static int
queue_loaded_version(redis_t *redis, char version[16])
{
    redisReply  *reply;
    const char  *ask[3] = { "FCALL_RO", "setter_version", "0" };

    reply = queue_command(redis, 3, ask, NULL, QUEUE_TIMEOUT_MS);
    if (reply == NULL) {
        return -1;
    }

    snprintf(version, 16, "%s", reply->str != NULL ? reply->str : "");
    freeReplyObject(reply);

    return 0;
}


/* Does nothing when another did it since WATCH. */
static int
queue_upgrade(redis_t *redis, queue_settings_t *settings, const char *key)
{
    size_t       i;
    char         layout[32];
    redisReply  *reply;
    const char  *multi[1] = { "MULTI" }, *exec[1] = { "EXEC" };
    const char  *touch[3] = { "SET", key, layout };
    const char  *load[4] = { "FUNCTION", "LOAD", "REPLACE",
                             queue_library()->data };

    const struct {
        int           argc;
        const char  **argv;
    } commands[4] = { { 1, multi }, { 3, touch }, { 4, load }, { 1, exec } };

    queue_layout(layout, settings);

    for (i = 0; i < 4; i++) {
        reply = queue_command(redis, commands[i].argc, commands[i].argv, NULL,
                              QUEUE_TIMEOUT_MS);
        if (reply == NULL) {
            return -1;
        }
        freeReplyObject(reply);
    }

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


static int
queue_failed(const char *command, const char *reason)
{
    log_error("Redis refused", "command", command, "reason", reason);

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
