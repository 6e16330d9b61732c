/*
 * What a response's headers say about trying again.
 */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/http_parts.h"
#include "runtime/loop.h"


static const char *http_header(CURL *easy, const char *name);
static double http_decimal(const char *value);


void
http_take_hints(CURL *easy, http_response_t *response)
{
    const char  *value;

    value = http_header(easy, "x-should-retry");
    response->should_retry = strcasecmp(value, "true") == 0 ? 1
                             : strcasecmp(value, "false") == 0 ? -1 : 0;

    response->retry_after_ms = http_read_ms(http_header(easy,
                                                        "retry-after-ms"));

    if (response->retry_after_ms == -1) {
        response->retry_after_ms
            = http_read_retry_after(http_header(easy, "retry-after"),
                                    loop_unix_ms());
    }
}


/* The value, until the next call; "" where there is none. */
static const char *
http_header(CURL *easy, const char *name)
{
    struct curl_header  *header;

    return curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header)
           == CURLHE_OK
           ? header->value : "";
}


int64_t
http_read_ms(const char *value)
{
    double  ms;

    ms = http_decimal(value);

    return ms < HTTP_MAX_RETRY_AFTER_MS ? (int64_t) ms : -1;
}


int64_t
http_read_retry_after(const char *value, int64_t now_ms)
{
    double   seconds;
    time_t   at;
    int64_t  ms;

    seconds = http_decimal(value);

    if (seconds >= 0) {
        return seconds < HTTP_MAX_RETRY_AFTER_MS / 1000
               ? (int64_t) (seconds * 1000) : -1;
    }

    /* libcurl reads more than dates: of "-20301231", too, it makes one */

    if (!isalpha((unsigned char) value[0])) {
        return -1;
    }

    at = curl_getdate(value, NULL);

    if (at == -1 || at > (now_ms + HTTP_MAX_RETRY_AFTER_MS) / 1000) {
        return -1;
    }

    ms = (int64_t) at * 1000 - now_ms;

    return ms < 0 ? 0 : ms < HTTP_MAX_RETRY_AFTER_MS ? ms : -1;
}


/* strtod() would read more: blanks, signs, hexadecimals, "inf".  Or -1. */
static double
http_decimal(const char *value)
{
    char    *end;
    double   number;

    if (value[0] == '\0' || value[strspn(value, "0123456789.")] != '\0') {
        return -1;
    }

    number = strtod(value, &end);

    return *end == '\0' ? number : -1;
}
