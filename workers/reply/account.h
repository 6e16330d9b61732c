/*
 * Accounts: what a reply leaves through.
 */

#ifndef ACCOUNT_H
#define ACCOUNT_H

#include "reply/turn.h"


/*
 * Sets turn->account for turn->reply: the tenant's channel with the provider
 * that has the reply's sender as its address, or any ("*"); where the reply
 * names no sender, the preferred one.  A tenant without a channel of the
 * provider has the account that the environment sets, and so has a channel
 * without a credential, where the sender is no other tenant's.  TURN_GOES_ON,
 * or how the turn ends; *missing tells what a person has to set, or is NULL.
 */
turn_end_e account_find(turn_t *turn, const char **missing);


#endif /* ACCOUNT_H */
