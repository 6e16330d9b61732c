/*
 * Channels: what setterctl's commands share.
 */

#ifndef CTL_CHANNEL_H
#define CTL_CHANNEL_H

#include "ctl/ctl.h"
#include "reply/channels.h"


/*
 * Tells nginx what is on record of an address, and of the signing secrets of
 * the tenant's channels with the provider.  where: tenant, provider, address.
 * CTL_OK, or CTL_FAILED after saying why.
 */
int ctl_channel_publish(ctl_t *ctl, PGconn *pg, const char *const where[3]);


#endif /* CTL_CHANNEL_H */
