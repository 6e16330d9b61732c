/*
 * Channels: what nginx has to know of those that PostgreSQL has on record.
 *
 *   setter:{tag}:channels  hash: provider/address -> tenant; of the partition
 *                          of that name, for the tenant is not known before
 *   setter:{tag}:signing   hash: tenant/provider -> the secrets that webhooks
 *                          are signed with, sealed, a space between them; of
 *                          the tenant's partition
 */

#ifndef CHANNELS_H
#define CHANNELS_H

#include "queue/queue.h"


/* tenant NULL: the address is nobody's any more. */
queue_result_e channels_publish(redis_t *redis,
    const queue_settings_t *settings, const char *provider,
    const char *address, const char *tenant);

/* sealed NULL: there are none. */
queue_result_e channels_publish_signing(redis_t *redis,
    const queue_settings_t *settings, const char *tenant,
    const char *provider, const char *sealed);


#endif /* CHANNELS_H */
