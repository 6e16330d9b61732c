/*
 * Times and ids: what is read is what was meant, and what is made is valid.
 */

#include "fuzz.h"
#include "setter_time.h"
#include "setter_uuid.h"


static void check_time(setter_str_t text, setter_alloc_t *alloc);
static void check_id(setter_str_t text);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    setter_str_t    text;
    fuzz_memory_t   memory;

    text = fuzz_text(fuzz_memory(&memory, 0), data, size);

    if (text.len > 0 && text.data[text.len - 1] == '\n') {
        text.len--;
    }

    check_time(text, &memory.alloc);
    check_id(text);
    fuzz_forget(&memory);

    return 0;
}


static void
check_time(setter_str_t text, setter_alloc_t *alloc)
{
    int64_t        ms;
    setter_buf_t   buf;
    setter_str_t   again;

    ms = setter_time_read(text);

    if (ms < 0) {
        return;
    }

    setter_buf_init(&buf, alloc, 0);
    setter_time_write(&buf, ms);
    again.data = buf.data;
    again.len = buf.len;

    fuzz_holds(!buf.failed && setter_time_read(again) == ms);

    /*
     * but for the fraction, which may be longer or absent, it is the same
     * where the zone is
     */
    fuzz_holds(text.data[text.len - 1] != 'Z'
               || memcmp(text.data, again.data, 19) == 0);
}


static void
check_id(setter_str_t text)
{
    size_t        half;
    char          id[SETTER_UUID_LEN], again[SETTER_UUID_LEN];
    setter_str_t  tenant, key, made;

    setter_uuid_valid(text);

    half = text.len / 2;
    tenant.data = text.data;
    tenant.len = half;
    key.data = text.data + half;
    key.len = text.len - half;
    made.data = id;
    made.len = sizeof(id);

    fuzz_holds(setter_uuid_from_key(id, tenant, key) == SETTER_OK);
    fuzz_holds(setter_uuid_from_key(again, tenant, key) == SETTER_OK);
    fuzz_holds(memcmp(id, again, sizeof(id)) == 0);
    fuzz_holds(setter_uuid_valid(made));
}
