/*
 * The value of retry-after, and of retry-after-ms.  Whatever a server says,
 * it is a time to wait, or none; a date comes nearer.
 */

#include "fuzz.h"
#include "runtime/http_parts.h"


#define LATER_MS  5
#define YEAR_MS   (INT64_C(365) * 24 * 60 * 60 * 1000)


static void check_ms(const char *value);
static void check(const char *value, int64_t now_ms);
static size_t digits(const char *value);


/* The control byte: so many years after 1970 it is. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned        years;
    setter_str_t    text;
    fuzz_memory_t   memory;

    years = fuzz_control(data, &size);
    text = fuzz_text(fuzz_memory(&memory, 0), data, size);

    check_ms(text.data);
    check(text.data, years * YEAR_MS);
    fuzz_forget(&memory);

    return 0;
}


static void
check_ms(const char *value)
{
    size_t   n;
    int64_t  wait;

    wait = http_read_ms(value);
    fuzz_holds(wait >= -1 && wait < HTTP_MAX_RETRY_AFTER_MS);

    n = digits(value);
    fuzz_holds(n == 0 || n > 13 || wait == atoll(value));

    /* there is no other form */
    fuzz_holds(wait == -1 || strspn(value, "0123456789.") == strlen(value));
}


static void
check(const char *value, int64_t now_ms)
{
    size_t   n;
    int64_t  wait, later;

    wait = http_read_retry_after(value, now_ms);
    fuzz_holds(wait >= -1 && wait < HTTP_MAX_RETRY_AFTER_MS);

    n = digits(value);
    fuzz_holds(n == 0 || n > 10 || wait == atoll(value) * 1000);

    /* a date begins with the name of a day */
    fuzz_holds(wait == -1 || strchr("0123456789.", value[0]) != NULL
               || (value[0] | 0x20) >= 'a');

    later = http_read_retry_after(value, now_ms + LATER_MS);

    if (wait == -1) {
        fuzz_holds(later == -1
                   || later >= HTTP_MAX_RETRY_AFTER_MS - LATER_MS);

    } else {
        fuzz_holds(later == wait || later == wait - LATER_MS
                   || (later == 0 && wait < LATER_MS));
    }
}


/* How many digits the value is; 0 when it is anything else. */
static size_t
digits(const char *value)
{
    size_t  n;

    n = strspn(value, "0123456789");

    return value[n] == '\0' ? n : 0;
}
