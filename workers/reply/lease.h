/*
 * Leases: the turns in hand stay ours while their leases are prolonged.
 */

#ifndef LEASE_H
#define LEASE_H

#include "reply/turn.h"


/*
 * Prolongs all leases but those of turns that send.  A turn whose lane is
 * another's by now is marked lost and its task cancelled.
 */
void lease_extend(worker_t *worker);

/* The task that does so every third of a lease; data: worker_t *. */
void lease_run(void *data);


#endif /* LEASE_H */
