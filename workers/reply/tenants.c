#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reply/settings.h"
#include "reply/tenants.h"
#include "setter_job.h"
#include "setter_partition.h"


#define TENANTS_TIMEOUT_MS  5000


const tenants_field_t  tenants_fields[TENANTS_NFIELDS] = {
    { "weight", "1", 1, 1000, { NULL }, 0, 0, 1 },
    { "cap", "200", 1, 100000, { NULL }, 0, 0, 1 },
    { "quota_minute", "0", 0, 999999999, { NULL }, 0, 0, 1 },
    { "quota_day", "0", 0, 999999999, { NULL }, 0, 0, 1 },
    { "worker", "own", 0, 0, { "own", "outside", NULL }, 0, 0, 0 },
    { "mid_turn", "queue", 0, 0, { "queue", "merge", NULL }, 0, 0, 0 },
    { "name", "", -1, 200, { NULL }, 0, 0, 0 },
    { "prompt", "", -1, 20000, { NULL }, 1, 0, 0 },
    { "model", "", -1, 200, { NULL }, 0, 1, 0 },
    { "time_zone", "", -1, 64, { NULL }, 0, 0, 0 },
    { "retention_days", "", 1, 36500, { NULL }, 0, 0, 0 },
    { "opt_out", "", -1, 2000, { NULL }, 0, 0, 0 },
    { "guard", "60", 0, 100000, { NULL }, 0, 0, 0 },
    { "echo", "takeover", 0, 0, { "takeover", "ignore", NULL }, 0, 0, 0 },
    { "typing", "on", 0, 0, { "on", "off", NULL }, 0, 0, 0 },
    { "window_policy", "fail", 0, 0, { "fail", "hold", "template", NULL }, 0,
      0, 0 },
    { "window_template", "", -1, 529, { NULL }, 0, 1, 0 },
};

const char  tenants_update[] =
    "UPDATE tenants SET weight = coalesce($2::integer, weight),"
    " cap = coalesce($3::integer, cap),"
    " quota_minute = coalesce($4::integer, quota_minute),"
    " quota_day = coalesce($5::integer, quota_day),"
    " worker = coalesce($6, worker), mid_turn = coalesce($7, mid_turn),"
    " name = nullif(coalesce($8, name), ''),"
    " prompt = nullif(coalesce($9, prompt), ''),"
    " model = nullif(coalesce($10, model), ''),"
    " time_zone = nullif(coalesce($11, time_zone), ''),"
    " retention_days = "
    "  nullif(coalesce($12, retention_days::text), '')::integer,"
    " opt_out = nullif(coalesce($13, opt_out), ''),"
    " guard = coalesce($14::integer, guard), echo = coalesce($15, echo),"
    " typing = coalesce($16, typing),"
    " window_policy = coalesce($17, window_policy),"
    " window_template = nullif(coalesce($18, window_template), ''),"
    " status = coalesce($19, status), held = coalesce($20::boolean, held),"
    " call = $22::uuid"
    " WHERE slug = $1"
    "  AND (CASE $21 WHEN '" TENANTS_NEW "' THEN updated_at = now()"
    "   ELSE coalesce($21 = " TENANTS_VERSION ", true) END"
    "   OR call = $22::uuid)"
    /* which says so where it knows no such zone */
    "  AND coalesce(now() AT TIME ZONE nullif($11, ''), now()) IS NOT NULL"
    " RETURNING " SETTINGS_COLUMNS;


static const char *tenants_check_text(const tenants_field_t *field,
    const char *value, char *error, size_t size);


int
tenants_reserved(setter_str_t slug)
{
    return setter_str_is(slug, SETTER_CALLS);
}


int
tenants_field(setter_str_t name)
{
    int  i;

    for (i = 0; i < TENANTS_NFIELDS; i++) {
        if (setter_str_is(name, tenants_fields[i].name)) {
            return i;
        }
    }

    return -1;
}


const char *
tenants_check(const tenants_field_t *field, const char *value, char *error,
    size_t size)
{
    int    i;
    char  *end;
    long   number;

    for (i = 0; field->words[i] != NULL; i++) {
        if (strcmp(field->words[i], value) == 0) {
            return NULL;
        }
    }

    if (i > 0) {
        snprintf(error, size, i == 3 ? "%s is %s, %s or %s" : "%s is %s or %s",
                 field->name, field->words[0], field->words[1],
                 field->words[2]);
        return error;
    }

    if (field->min == -1) {
        return tenants_check_text(field, value, error, size);
    }

    if (strcmp(value, field->initial) == 0) {
        return NULL;
    }

    errno = 0;
    number = strtol(value, &end, 10);

    if (errno == 0 && end > value && *end == '\0' && number >= field->min
        && number <= field->max)
    {
        return NULL;
    }

    snprintf(error, size, "%s is a number from %ld to %ld", field->name,
             field->min, field->max);

    return error;
}


/* Characters count, not bytes. */
static const char *
tenants_check_text(const tenants_field_t *field, const char *value,
    char *error, size_t size)
{
    long  n;

    for (n = 0; *value != '\0'; value++) {
        n += ((unsigned char) *value & 0xc0) != 0x80;

        if (field->word && (*value <= ' ' || *value > '~')) {
            snprintf(error, size, "%s is one word of visible ASCII",
                     field->name);
            return error;
        }
    }

    if (n <= field->max) {
        return NULL;
    }

    snprintf(error, size, "%s has more than %ld characters", field->name,
             field->max);

    return error;
}


const char *
tenants_member(redis_t *redis, const queue_settings_t *settings,
    const char *command, const char *slug, const char *set,
    const char *member, char error[TENANTS_ERROR])
{
    char         key[SETTER_KEY_MAX];
    unsigned     partition;
    redisReply  *reply;
    const char  *argv[3] = { command, key, member };

    partition = setter_partition((setter_str_t) { strlen(slug), slug },
                                 settings->partitions);
    setter_partition_key(key, partition, settings->partitions, set);

    if (redis_command(redis, 3, argv, NULL, TENANTS_TIMEOUT_MS, &reply)
        != REDIS_REPLIED)
    {
        return "Redis does not answer";
    }

    *error = '\0';

    if (reply->type == REDIS_REPLY_ERROR) {
        snprintf(error, TENANTS_ERROR, "Redis refused: %s", reply->str);
    }

    freeReplyObject(reply);

    return *error == '\0' ? NULL : error;
}
