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
#include "runtime/arena.h"
#include "setter_seal.h"


/* tenant NULL: the address is nobody's any more. */
queue_result_e channels_publish(redis_t *redis,
    const queue_settings_t *settings, const char *provider,
    const char *address, const char *tenant);

/* The fields of a channel, in the order of the statements' parameters. */
enum {
    CHANNELS_TENANT,
    CHANNELS_PROVIDER,
    CHANNELS_ADDRESS,
    CHANNELS_ACCOUNT,
    CHANNELS_BASE_URL,
    CHANNELS_CREDENTIAL,
    CHANNELS_SIGNING,
    CHANNELS_PREFERRED,
    CHANNELS_RATE,
    CHANNELS_CONFIRMED,
    CHANNELS_NFIELDS
};

extern const char *const  channels_fields[CHANNELS_NFIELDS];

/*
 * Statements.  Each takes the fields, the last of them only as far as the
 * address; then the API's call (NULL: setterctl's), which may be run again;
 * and all but the first the version that the row must have (NULL: any).  They
 * give the id of the row, or no row.
 */
#define CHANNELS_NINSERT  (CHANNELS_NFIELDS + 1)
#define CHANNELS_NPARAMS  (CHANNELS_NFIELDS + 2)
#define CHANNELS_NDELETE  5

extern const char  channels_insert[];
extern const char  channels_update[];
extern const char  channels_delete[];

/*
 * What is published then, of tenant, provider and address: what is sealed of
 * the first two, whose the address is, and whether there is such a tenant.
 */
extern const char  channels_published[];

enum {
    CHANNELS_PUBLISHED_SEALED,
    CHANNELS_PUBLISHED_OWNER,
    CHANNELS_PUBLISHED_TENANT
};

/* An SQL expression: the version of the row. */
#define CHANNELS_VERSION  "extract(epoch FROM updated_at)::text"

/* NULL, or what an address has to be. */
const char *channels_wrong(const char *address);

/* What PostgreSQL's message says of a field, or NULL: nothing of that kind. */
const char *channels_reason(const char *message);


/* What the key of signing secrets, which nginx has, is derived for. */
#define CHANNELS_KEY  "setter signing"

/*
 * The text that a channel's secret is sealed for; where: tenant, provider and
 * address.  NULL: no memory.
 */
const char *channels_context(int signing, const char *const where[3],
    arena_t *arena);

/* Seals a channel's credential, or signing secrets.  As setter_seal(). */
int channels_seal(setter_buf_t *sealed, const setter_seal_key_t *master,
    int signing, const char *const where[3], setter_str_t text,
    arena_t *arena);


/* sealed NULL: there are none. */
queue_result_e channels_publish_signing(redis_t *redis,
    const queue_settings_t *settings, const char *tenant,
    const char *provider, const char *sealed);

/* Both; where: tenant, provider and address, "*" being nobody's. */
queue_result_e channels_publish_both(redis_t *redis,
    const queue_settings_t *settings, const char *const where[3],
    const char *owner, const char *sealed);


#endif /* CHANNELS_H */
