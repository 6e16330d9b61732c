#include <stdlib.h>
#include <string.h>

#include "reply/again.h"


/* Jobs of one conversation gather before it is handed out, as they had. */
#define AGAIN_DEBOUNCE_MS  300
#define AGAIN_LONGEST_MS   3000


static setter_str_t again_str(const char *text);


setter_str_t
again_name(const char *tenant, const char *id, const char *name)
{
    char          made[SETTER_UUID_LEN];
    setter_str_t  given;

    given = again_str(name);

    if (!setter_uuid_valid(given)
        && setter_uuid_from_key(made, again_str(tenant), given) == SETTER_OK
        && memcmp(made, id, SETTER_UUID_LEN) == 0)
    {
        return given;
    }

    return again_str(id);
}


queue_result_e
again_append(redis_t *redis, const queue_settings_t *settings,
    const char *const values[AGAIN_N])
{
    setter_job_header_t  header;

    memset(&header, 0, sizeof(header));
    header.id = again_name(values[AGAIN_TENANT], values[AGAIN_ID],
                           values[AGAIN_NAME]);
    header.tenant = again_str(values[AGAIN_TENANT]);
    header.kind = again_str(values[AGAIN_KIND]);
    header.lane = again_str(values[AGAIN_LANE]);
    header.received_ms = strtoll(values[AGAIN_RECEIVED], NULL, 10);
    header.debounce_ms = AGAIN_DEBOUNCE_MS;
    header.debounce_max_ms = AGAIN_LONGEST_MS;
    header.flags = again_str("again");

    return queue_append(redis, settings, &header,
                        again_str(values[AGAIN_PAYLOAD]));
}


static setter_str_t
again_str(const char *text)
{
    setter_str_t  str;

    str.data = text;
    str.len = strlen(text);
    return str;
}
