#include "setter_quota.h"


/* 24 bits of each word count, those above tell a time; facts have one more */
#define SETTER_QUOTA_BITS  24
#define SETTER_FACTS_BITS  (SETTER_QUOTA_BITS + 1)


static uint64_t setter_quota_since(uint64_t word, unsigned bits,
    uint64_t now_ms);


uint64_t
setter_facts(uint64_t now_ms, int known, int64_t minute)
{
    uint64_t  facts;

    if (minute < 0) {
        minute = 0;
    }

    if (minute > SETTER_QUOTA_MAX) {
        minute = SETTER_QUOTA_MAX;
    }

    facts = now_ms << SETTER_FACTS_BITS | (uint64_t) minute << 1
            | (known ? 1 : 0);

    /* at the clock's very beginning: as if a moment later */

    return facts != 0 ? facts : (uint64_t) 1 << SETTER_FACTS_BITS;
}


int
setter_facts_known(uint64_t facts)
{
    return facts & 1;
}


uint32_t
setter_facts_minute(uint64_t facts)
{
    return facts >> 1 & SETTER_QUOTA_MAX;
}


uint64_t
setter_facts_age(uint64_t facts, uint64_t now_ms)
{
    return setter_quota_since(facts, SETTER_FACTS_BITS, now_ms);
}


int
setter_quota_take(uint64_t *window, uint64_t now_ms, uint32_t quota)
{
    uint32_t  count;

    count = *window & SETTER_QUOTA_MAX;

    if (count == 0 || setter_quota_left(*window, now_ms) == 0) {
        *window = now_ms << SETTER_QUOTA_BITS | 1;
        return 1;
    }

    if (count >= quota || count == SETTER_QUOTA_MAX) {
        return 0;
    }

    (*window)++;

    return 1;
}


uint64_t
setter_quota_give(uint64_t window, uint64_t taken)
{
    if (window >> SETTER_QUOTA_BITS != taken >> SETTER_QUOTA_BITS
        || (window & SETTER_QUOTA_MAX) == 0)
    {
        return window;
    }

    return window - 1;
}


uint32_t
setter_quota_left(uint64_t window, uint64_t now_ms)
{
    uint64_t  since;

    since = setter_quota_since(window, SETTER_QUOTA_BITS, now_ms);

    return since < SETTER_QUOTA_WINDOW ? SETTER_QUOTA_WINDOW - since : 0;
}


/* Another process's clock may be a little ahead: that was just now. */
static uint64_t
setter_quota_since(uint64_t word, unsigned bits, uint64_t now_ms)
{
    uint64_t  mask, since;

    mask = UINT64_MAX >> bits;
    since = (now_ms - (word >> bits)) & mask;

    return since <= mask / 2 ? since : 0;
}
