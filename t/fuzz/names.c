/*
 * Slugs, lanes, partitions and tenants' keys, from four lines of anything:
 * whatever comes in, a lane is one word of bounded length that begins with
 * the tenant.
 */

#include "fuzz.h"
#include "setter_apikey.h"
#include "setter_partition.h"


static void check_lane(const setter_buf_t *lane, setter_str_t tenant);
static void check_key(setter_str_t text);
static void check_partition(setter_str_t slug);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    setter_buf_t    lane;
    setter_str_t    text, tenant, channel, us, them;
    fuzz_memory_t   memory;

    text = fuzz_text(fuzz_memory(&memory, 0), data, size);
    tenant = fuzz_line(&text);
    channel = fuzz_line(&text);
    us = fuzz_line(&text);
    them = text;

    setter_buf_init(&lane, &memory.alloc, 0);
    setter_lane_conversation(&lane, tenant, channel, us, them);

    if (setter_slug_valid(tenant)) {
        check_lane(&lane, tenant);
    }

    if (setter_slug_valid(tenant) && them.len > 0) {
        setter_buf_init(&lane, &memory.alloc, 0);
        setter_lane_custom(&lane, tenant, them);
        check_lane(&lane, tenant);
    }

    check_partition(tenant);
    check_key(tenant);
    fuzz_forget(&memory);

    return 0;
}


static void
check_lane(const setter_buf_t *lane, setter_str_t tenant)
{
    setter_str_t  text;

    text.data = lane->data;
    text.len = lane->len;

    fuzz_holds(!lane->failed);
    fuzz_holds(text.len <= SETTER_LANE_MAX);
    fuzz_holds(fuzz_visible(text));
    fuzz_holds(text.len > tenant.len + 6);
    fuzz_holds(memcmp(text.data, tenant.data, tenant.len) == 0);
    fuzz_holds(memcmp(text.data + tenant.len, "/conv/", 6) == 0);
}


static void
check_partition(setter_str_t slug)
{
    char      key[SETTER_KEY_MAX];
    unsigned  n, partition;

    for (n = 1; n <= SETTER_MAX_PARTITIONS; n++) {
        partition = setter_partition(slug, n);
        fuzz_holds(partition < n);
        fuzz_holds(setter_partition_key(key, partition, n, "inbox")
                   == strlen(key));
    }
}


/* A key's tenant is a slug, and its member of the set begins with it. */
static void
check_key(setter_str_t text)
{
    char             member[SETTER_APIKEY_MEMBER_MAX + 1];
    size_t           len;
    setter_apikey_t  key;

    if (setter_apikey_read(&key, text) != SETTER_OK) {
        return;
    }

    fuzz_holds(setter_slug_valid(key.tenant));
    len = setter_apikey_member(member, &key);
    fuzz_holds(len == strlen(member));
    fuzz_holds(len == key.tenant.len + 1 + SETTER_DIGEST_HEX);
    fuzz_holds(memcmp(member, key.tenant.data, key.tenant.len) == 0);
    fuzz_holds(member[key.tenant.len] == '/');
}
