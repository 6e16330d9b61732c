/*
 * The forms of SETTER_REDIS_URL.
 */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/redis_parts.h"


static int redis_parse_unix(redis_address_t *address, const char *rest);
static int redis_parse_tcp(redis_address_t *address, const char *rest);
static int redis_parse_user(redis_address_t *address, const char *text,
    const char *end);
static int redis_parse_host(redis_address_t *address, const char *text,
    const char *end);
static char *redis_decode(const char *text, const char *end);
static int redis_is_number(const char *text);


int
redis_parse_url(redis_address_t *address, const char *url, char *error,
    size_t error_size)
{
    int  rc;

    memset(address, 0, sizeof(redis_address_t));

    if (strncmp(url, "unix:", 5) == 0) {
        rc = redis_parse_unix(address, url + 5);

    } else if (strncmp(url, "redis://", 8) == 0) {
        rc = redis_parse_tcp(address, url + 8);

    } else if (strncmp(url, "rediss://", 9) == 0) {
        address->tls = 1;
        rc = redis_parse_tcp(address, url + 9);

    } else {
        rc = -1;
    }

    if (rc == 0 && address->db != NULL && !redis_is_number(address->db)) {
        rc = -1;
    }

    if (rc != 0) {
        redis_free_address(address);
        snprintf(error, error_size, "SETTER_REDIS_URL: needs "
                 "unix:PATH[?db=N] or "
                 "redis[s]://[user:password@]host[:port][/db]");
    }

    return rc;
}


void
redis_free_address(redis_address_t *address)
{
    free(address->path);
    free(address->host);
    free(address->port);
    free(address->user);
    free(address->password);
    free(address->db);
    memset(address, 0, sizeof(redis_address_t));
}


static int
redis_parse_unix(redis_address_t *address, const char *rest)
{
    const char  *query;

    query = strstr(rest, "?db=");

    if (query != NULL) {
        address->db = strdup(query + 4);
    }

    address->path = query != NULL ? strndup(rest, query - rest) : strdup(rest);

    return address->path != NULL && address->path[0] == '/' ? 0 : -1;
}


/* A password may hold an "@" of its own: the last one counts. */
static int
redis_parse_tcp(redis_address_t *address, const char *rest)
{
    const char  *at, *slash;

    at = strrchr(rest, '@');

    if (at != NULL) {
        if (redis_parse_user(address, rest, at) != 0) {
            return -1;
        }
        rest = at + 1;
    }

    slash = strchr(rest, '/');

    if (slash == NULL) {
        return redis_parse_host(address, rest, rest + strlen(rest));
    }

    if (slash[1] != '\0') {
        address->db = strdup(slash + 1);
    }

    return redis_parse_host(address, rest, slash);
}


static int
redis_parse_user(redis_address_t *address, const char *text, const char *end)
{
    const char  *colon;

    colon = memchr(text, ':', end - text);
    if (colon == NULL) {
        return -1;
    }

    if (colon > text) {
        address->user = redis_decode(text, colon);
    }

    address->password = redis_decode(colon + 1, end);

    return address->password != NULL ? 0 : -1;
}


/* host, host:port, or an IPv6 address in brackets */
static int
redis_parse_host(redis_address_t *address, const char *text, const char *end)
{
    const char  *port;

    if (*text == '[') {
        text++;
        port = memchr(text, ']', end - text);
        if (port == NULL) {
            return -1;
        }
        address->host = strndup(text, port - text);
        port++;

    } else {
        port = memchr(text, ':', end - text);
        if (port == NULL) {
            port = end;
        }
        address->host = strndup(text, port - text);
    }

    if (port < end && *port != ':') {
        return -1;
    }

    address->port = port < end ? strndup(port + 1, end - port - 1)
                               : strdup("6379");

    return address->host != NULL && address->host[0] != '\0'
           && address->port != NULL && redis_is_number(address->port)
           ? 0 : -1;
}


/* %40 and the like */
static char *
redis_decode(const char *text, const char *end)
{
    char  *copy, *out, hex[3] = "";

    copy = malloc(end - text + 1);
    if (copy == NULL) {
        return NULL;
    }

    for (out = copy; text < end; text++) {
        if (*text == '%' && end - text > 2 && isxdigit((unsigned char) text[1])
            && isxdigit((unsigned char) text[2]))
        {
            memcpy(hex, text + 1, 2);
            *out++ = (char) strtol(hex, NULL, 16);
            text += 2;
        } else {
            *out++ = *text;
        }
    }

    *out = '\0';

    return copy;
}


static int
redis_is_number(const char *text)
{
    size_t  len;

    len = strspn(text, "0123456789");

    return len > 0 && len < 6 && text[len] == '\0';
}
