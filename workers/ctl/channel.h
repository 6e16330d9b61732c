/*
 * Channels: what setterctl's commands share.
 */

#ifndef CTL_CHANNEL_H
#define CTL_CHANNEL_H

#include "ctl/ctl.h"
#include "reply/channels.h"


/* Tells nginx the signing secrets of a tenant's channels with a provider.
 * CTL_OK, or CTL_FAILED after saying why. */
int ctl_channel_publish(ctl_t *ctl, PGconn *pg, const char *tenant,
    const char *provider);


#endif /* CTL_CHANNEL_H */
