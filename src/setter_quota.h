/*
 * What the module's processes share of a tenant: two 64-bit words, each of
 * which is changed as a whole by compare-and-swap, so that nobody waits for
 * anybody and a process may die at any moment.  Times are ms of a clock that
 * all of them read and that never goes back.
 */

#ifndef SETTER_QUOTA_H
#define SETTER_QUOTA_H

#include <stdint.h>


#define SETTER_QUOTA_MAX     0xffffff       /* messages a minute */
#define SETTER_QUOTA_WINDOW  60000          /* the minute, ms */


/*
 * The facts: when they were loaded, whether the tenant is known, and its own
 * quota (0: it has none; more than SETTER_QUOTA_MAX counts as that).  The
 * word 0 is for facts that never were loaded.
 */
uint64_t setter_facts(uint64_t now_ms, int known, int64_t minute);
int setter_facts_known(uint64_t facts);
uint32_t setter_facts_minute(uint64_t facts);
uint64_t setter_facts_age(uint64_t facts, uint64_t now_ms);


/*
 * The window: when the minute that is being counted began, and how many it
 * had so far.  A minute begins with the first message after the one before.
 *
 * Taking one sets *window to what it becomes and returns 1; where the quota
 * (at least 1) is used up it returns 0.  Giving back what was taken returns
 * the window as it becomes; a new minute has forgotten it already.
 */
int setter_quota_take(uint64_t *window, uint64_t now_ms, uint32_t quota);
uint64_t setter_quota_give(uint64_t window, uint64_t taken);

/* How long until the window's minute ends, ms. */
uint32_t setter_quota_left(uint64_t window, uint64_t now_ms);


#endif /* SETTER_QUOTA_H */
