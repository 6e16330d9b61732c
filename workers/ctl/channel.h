/*
 * Channels' secrets: what setterctl's commands share.
 */

#ifndef CTL_CHANNEL_H
#define CTL_CHANNEL_H

#include "ctl/ctl.h"


/* What the key of signing secrets, which nginx has, is derived for. */
#define CHANNEL_SIGNING  "setter signing"


/*
 * The text that a channel's secret is sealed for; where: tenant, provider and
 * address.  NULL: no memory.
 */
const char *channel_context(int signing, const char *const where[3],
    arena_t *arena);

/* Seals a channel's credential, or signing secrets.  As setter_seal(). */
int channel_seal(setter_buf_t *sealed, const setter_seal_key_t *master,
    int signing, const char *const where[3], setter_str_t text,
    arena_t *arena);


/* Tells nginx the signing secrets of a tenant's channels with a provider.
 * CTL_OK, or CTL_FAILED after saying why. */
int ctl_channel_publish(ctl_t *ctl, PGconn *pg, const char *tenant,
    const char *provider);


#endif /* CTL_CHANNEL_H */
