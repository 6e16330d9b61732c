/*
 * The forms of SETTER_REDIS_URL: refused with a reason, or taken apart.
 */

#include "fuzz.h"
#include "runtime/redis_parts.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char              error[128] = "";
    setter_str_t      text;
    fuzz_memory_t     memory;
    redis_address_t   address;

    if (size > 0 && data[size - 1] == '\n') {
        size--;
    }

    text = fuzz_text(fuzz_memory(&memory, 0), data, size);

    if (redis_parse_url(&address, text.data, error, sizeof(error)) == 0) {
        fuzz_holds((address.path != NULL) != (address.host != NULL));
        fuzz_holds(address.path == NULL || address.path[0] == '/');
        fuzz_holds(address.host == NULL || address.port != NULL);
        fuzz_holds(address.user == NULL || address.password != NULL);
        redis_free_address(&address);

    } else {
        fuzz_holds(error[0] != '\0');
        fuzz_holds(address.path == NULL && address.host == NULL
                   && address.password == NULL);
    }

    fuzz_forget(&memory);

    return 0;
}
