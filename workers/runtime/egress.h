/*
 * Egress: where requests may go whose URL a tenant or a message names.  To
 * the public internet, and to what SETTER_EGRESS_ALLOW lists: no such URL
 * reaches the machines around us.
 *
 * Judged is the address that is connected to, not the name: a name may
 * resolve to one address when it is looked at and to another one later.
 */

#ifndef EGRESS_H
#define EGRESS_H

#include <stddef.h>
#include <sys/socket.h>


/* For config_read(): the setting, a text, in that member of the type. */
#define EGRESS_SETTING(type, member)                                          \
    { "SETTER_EGRESS_ALLOW", "egress-allow", CONFIG_TEXT,                     \
      offsetof(type, member), NULL, 0, 0, 0,                                  \
      "host:port list: not on the public internet, and allowed all the same"  \
      " to URLs that tenants name" }

/*
 * What is allowed beside the public internet: "host:port" or "[IPv6]:port",
 * with commas or blanks between them; NULL or "": nothing.  The list lives as
 * long as it is used.  0, or -1: error says which entry is none.
 */
int egress_allow(const char *list, char *error, size_t size);

/*
 * 1 where that address may be connected to for the URL, else 0.  The list is
 * asked for the URL's host and port, and for the address and its port.
 */
int egress_permits(const char *url, const struct sockaddr *address);

/*
 * 1 where the address belongs to the public internet: by the IANA IPv4 and
 * IPv6 Special-Purpose Address Registries (RFC 6890), and what is multicast
 * or reserved.  Of an IPv4 address within an IPv6 one (mapped, NAT64) that
 * one counts.
 */
int egress_public(const struct sockaddr *address);


#endif /* EGRESS_H */
