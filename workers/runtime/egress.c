#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/egress.h"


#define EGRESS_BETWEEN   ", \t\r\n"
#define EGRESS_MAX_HOST  253        /* characters of a name, RFC 1035 */


/* An entry of the list; host without brackets. */
typedef struct {
    const char  *host;
    size_t       len;
    unsigned     port;
} egress_entry_t;


static int egress_next(const char **list, egress_entry_t *entry);
static int egress_entry(const char *text, size_t len, egress_entry_t *entry);
static int egress_listed(const char *host, size_t len, unsigned port);
static int egress_listed_url(const char *url);
static int egress_listed_address(const struct sockaddr *address);
static int egress_same(const egress_entry_t *entry, const char *host,
    size_t len);
static int egress_public_ip4(uint32_t address);
static int egress_public_ip6(const unsigned char *address);


static const char  *egress_list = "";


int
egress_allow(const char *list, char *error, size_t size)
{
    int             rc;
    const char     *p;
    egress_entry_t  entry;

    egress_list = list != NULL ? list : "";
    p = egress_list;

    while ((rc = egress_next(&p, &entry)) > 0) { /* void */ }

    if (rc < 0) {
        snprintf(error, size, "SETTER_EGRESS_ALLOW: \"%.*s\" is not"
                 " host:port", (int) entry.len, entry.host);
        egress_list = "";
        return -1;
    }

    return 0;
}


/* 1: an entry; 0: there is none left; -1: it is none, and all of it host. */
static int
egress_next(const char **list, egress_entry_t *entry)
{
    size_t       len;
    const char  *text;

    text = *list + strspn(*list, EGRESS_BETWEEN);
    len = strcspn(text, EGRESS_BETWEEN);
    *list = text + len;

    if (len == 0) {
        return 0;
    }

    if (!egress_entry(text, len, entry)) {
        entry->host = text;
        entry->len = len;
        return -1;
    }

    return 1;
}


static int
egress_entry(const char *text, size_t len, egress_entry_t *entry)
{
    size_t       i;
    const char  *colon;

    colon = memrchr(text, ':', len);
    if (colon == NULL) {
        return 0;
    }

    entry->host = text;
    entry->len = colon - text;
    entry->port = 0;

    for (i = entry->len + 1; i < len && entry->port <= 65535; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return 0;
        }
        entry->port = 10 * entry->port + (text[i] - '0');
    }

    if (entry->len > 2 && text[0] == '[' && colon[-1] == ']') {
        entry->host++;
        entry->len -= 2;

    } else if (memchr(text, ':', entry->len) != NULL) {
        return 0;
    }

    return entry->len > 0 && entry->len <= EGRESS_MAX_HOST
           && strcspn(entry->host, "/[]") >= entry->len
           && entry->port >= 1 && entry->port <= 65535;
}


int
egress_permits(const char *url, const struct sockaddr *address)
{
    return egress_public(address) || egress_listed_address(address)
           || (egress_list[0] != '\0' && egress_listed_url(url));
}


static int
egress_listed(const char *host, size_t len, unsigned port)
{
    const char      *p;
    egress_entry_t   entry;

    p = egress_list;

    while (egress_next(&p, &entry) > 0) {
        if (entry.port == port && egress_same(&entry, host, len)) {
            return 1;
        }
    }

    return 0;
}


/* As libcurl reads it, which is who connects. */
static int
egress_listed_url(const char *url)
{
    int      listed;
    char    *host, *port;
    CURLU   *parts;
    size_t   len;

    host = NULL;
    port = NULL;
    listed = 0;
    parts = curl_url();

    if (parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK
        && curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK
        && curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT)
           == CURLUE_OK)
    {
        len = strlen(host);
        listed = host[0] == '['
                 ? egress_listed(host + 1, len - 2, atoi(port))
                 : egress_listed(host, len, atoi(port));
    }

    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parts);

    return listed;
}


static int
egress_listed_address(const struct sockaddr *address)
{
    char                        text[INET6_ADDRSTRLEN];
    const struct sockaddr_in   *sin;
    const struct sockaddr_in6  *sin6;

    switch (address->sa_family) {

    case AF_INET:
        sin = (const struct sockaddr_in *) address;
        inet_ntop(AF_INET, &sin->sin_addr, text, sizeof(text));
        return egress_listed(text, strlen(text), ntohs(sin->sin_port));

    case AF_INET6:
        sin6 = (const struct sockaddr_in6 *) address;
        inet_ntop(AF_INET6, &sin6->sin6_addr, text, sizeof(text));
        return egress_listed(text, strlen(text), ntohs(sin6->sin6_port));

    default:
        return 0;
    }
}


/* An IPv6 address may be written in many ways, so those are compared. */
static int
egress_same(const egress_entry_t *entry, const char *host, size_t len)
{
    char             text[2][INET6_ADDRSTRLEN];
    struct in6_addr  address[2];

    if (entry->len == len && strncasecmp(entry->host, host, len) == 0) {
        return 1;
    }

    if (entry->len >= sizeof(text[0]) || len >= sizeof(text[0])) {
        return 0;
    }

    snprintf(text[0], sizeof(text[0]), "%.*s", (int) entry->len, entry->host);
    snprintf(text[1], sizeof(text[1]), "%.*s", (int) len, host);

    return inet_pton(AF_INET6, text[0], &address[0]) == 1
           && inet_pton(AF_INET6, text[1], &address[1]) == 1
           && memcmp(&address[0], &address[1], sizeof(address[0])) == 0;
}


int
egress_public(const struct sockaddr *address)
{
    const struct sockaddr_in   *sin;
    const struct sockaddr_in6  *sin6;

    switch (address->sa_family) {

    case AF_INET:
        sin = (const struct sockaddr_in *) address;
        return egress_public_ip4(ntohl(sin->sin_addr.s_addr));

    case AF_INET6:
        sin6 = (const struct sockaddr_in6 *) address;
        return egress_public_ip6(sin6->sin6_addr.s6_addr);

    default:
        return 0;
    }
}


static int
egress_public_ip4(uint32_t address)
{
    size_t  i;

    static const struct {
        uint32_t  net;
        int       bits;
    } special[] = {
        { 0x00000000,  8 },     /* 0.0.0.0: this network */
        { 0x0a000000,  8 },     /* 10.0.0.0: private */
        { 0x64400000, 10 },     /* 100.64.0.0: shared, behind carriers' NAT */
        { 0x7f000000,  8 },     /* 127.0.0.0: loopback */
        { 0xa9fe0000, 16 },     /* 169.254.0.0: link local, clouds' metadata */
        { 0xac100000, 12 },     /* 172.16.0.0: private */
        { 0xc0000000, 24 },     /* 192.0.0.0: IETF protocols */
        { 0xc0000200, 24 },     /* 192.0.2.0: documentation */
        { 0xc0586300, 24 },     /* 192.88.99.0: 6to4 relays */
        { 0xc0a80000, 16 },     /* 192.168.0.0: private */
        { 0xc6120000, 15 },     /* 198.18.0.0: benchmarks */
        { 0xc6336400, 24 },     /* 198.51.100.0: documentation */
        { 0xcb007100, 24 },     /* 203.0.113.0: documentation */
        { 0xe0000000,  3 },     /* 224.0.0.0: multicast, reserved, broadcast */
    };

    for (i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
        if ((address ^ special[i].net) >> (32 - special[i].bits) == 0) {
            return 0;
        }
    }

    return 1;
}


static int
egress_public_ip6(const unsigned char *address)
{
    uint32_t  first, ip4;

    static const unsigned char  mapped[12] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
    static const unsigned char  nat64[12] = { 0, 0x64, 0xff, 0x9b };

    memcpy(&ip4, address + 12, sizeof(ip4));
    memcpy(&first, address, sizeof(first));
    first = ntohl(first);

    if (memcmp(address, mapped, sizeof(mapped)) == 0
        || memcmp(address, nat64, sizeof(nat64)) == 0)
    {
        return egress_public_ip4(ntohl(ip4));
    }

    return first >> 29 == 1             /* 2000::/3, all that is given out, */
           && first >> 9 != 0x20010000 >> 9     /* but IETF protocols, Teredo */
           && first != 0x20010db8               /* documentation */
           && first >> 12 != 0x3fff0            /* documentation */
           && first >> 16 != 0x2002;            /* 6to4: IPv4 within */
}
