#include <stdio.h>
#include <string.h>

#include "reply/channels.h"
#include "setter_partition.h"


#define CHANNELS_FIELD_MAX   256    /* bytes of a slug or address, and more */
#define CHANNELS_TIMEOUT_MS  5000


static queue_result_e channels_write(redis_t *redis, const char *hash,
    const queue_settings_t *settings, setter_str_t by, const char *field,
    const char *value);


int
channels_seal(setter_buf_t *sealed, const setter_seal_key_t *master,
    int signing, const char *const where[3], setter_str_t text,
    arena_t *arena)
{
    const char         *context;
    setter_str_t        place;
    setter_seal_key_t   key;

    context = channels_context(signing, where, arena);

    if (context == NULL
        || (signing
            && setter_seal_key_derive(&key, master, CHANNELS_KEY)
               != SETTER_OK))
    {
        return SETTER_NO_MEMORY;
    }

    place.data = context;
    place.len = strlen(context);

    return setter_seal(sealed, signing ? &key : master, place, text);
}


const char *
channels_context(int signing, const char *const where[3], arena_t *arena)
{
    return signing ? arena_printf(arena, "signing/%s/%s", where[0], where[1])
           : arena_printf(arena, "credential/%s/%s/%s", where[0], where[1],
                          where[2]);
}


queue_result_e
channels_publish(redis_t *redis, const queue_settings_t *settings,
    const char *provider, const char *address, const char *tenant)
{
    char          field[CHANNELS_FIELD_MAX];
    setter_str_t  by;

    by.len = (size_t) snprintf(field, sizeof(field), "%s/%s", provider,
                               address);
    by.data = field;

    return channels_write(redis, "channels", settings, by, field, tenant);
}


queue_result_e
channels_publish_signing(redis_t *redis, const queue_settings_t *settings,
    const char *tenant, const char *provider, const char *sealed)
{
    char          field[CHANNELS_FIELD_MAX];
    setter_str_t  by;

    snprintf(field, sizeof(field), "%s/%s", tenant, provider);
    by.data = tenant;
    by.len = strlen(tenant);

    return channels_write(redis, "signing", settings, by, field, sealed);
}


queue_result_e
channels_publish_both(redis_t *redis, const queue_settings_t *settings,
    const char *const where[3], const char *owner, const char *sealed)
{
    queue_result_e  rc;

    rc = strcmp(where[2], "*") == 0 ? QUEUE_OK
         : channels_publish(redis, settings, where[1], where[2], owner);

    return rc == QUEUE_OK ? channels_publish_signing(redis, settings, where[0],
                                                     where[1], sealed) : rc;
}


static queue_result_e
channels_write(redis_t *redis, const char *hash,
    const queue_settings_t *settings, setter_str_t by, const char *field,
    const char *value)
{
    int             argc;
    char            key[SETTER_KEY_MAX];
    redisReply     *reply;
    const char     *argv[4];
    queue_result_e  rc;

    setter_partition_key(key, setter_partition(by, settings->partitions),
                         settings->partitions, hash);

    argv[0] = value != NULL ? "HSET" : "HDEL";
    argv[1] = key;
    argv[2] = field;
    argv[3] = value;
    argc = value != NULL ? 4 : 3;

    if (redis_command(redis, argc, argv, NULL, CHANNELS_TIMEOUT_MS, &reply)
        != REDIS_REPLIED)
    {
        return QUEUE_AWAY;
    }

    rc = reply->type == REDIS_REPLY_ERROR ? QUEUE_AWAY : QUEUE_OK;
    freeReplyObject(reply);

    return rc;
}
