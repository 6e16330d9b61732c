#include <string.h>

#include "reply/settings.h"


/* What the queue calls the columns. */
static const char *const  settings_names[SETTINGS_N] = {
    "weight", "cap", "day", "minute", "outside", "held"
};


queue_result_e
settings_publish(redis_t *redis, const queue_settings_t *settings,
    const char *slug, const char *const values[SETTINGS_N])
{
    size_t           i;
    setter_str_t     tenant;
    queue_setting_t  set[SETTINGS_N];

    for (i = 0; i < SETTINGS_N; i++) {
        set[i].name = settings_names[i];
        set[i].value = values[i];
    }

    tenant.data = slug;
    tenant.len = strlen(slug);

    return queue_tenant(redis, settings, tenant, set, SETTINGS_N);
}
