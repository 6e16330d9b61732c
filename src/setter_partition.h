/*
 * Partitions: which hash tag a tenant's keys carry (lanes: every key of one
 * tenant lives in one partition, so that one function call sees them all).
 */

#ifndef SETTER_PARTITION_H
#define SETTER_PARTITION_H

#include "setter_buf.h"


#define SETTER_MAX_PARTITIONS  64
#define SETTER_LAYOUT          "1"  /* version of the keys and their values */


/* Redis Cluster's CRC16 (XMODEM) of the tenant's slug, modulo partitions. */
unsigned setter_partition(setter_str_t tenant, unsigned partitions);

/*
 * Writes "setter:{tag}:<name>", NUL-terminated, into key and returns its
 * length.  The tags are spaced evenly over the 16,384 slots; partition 0 has
 * the same tag whatever "partitions" is.
 */
#define SETTER_KEY_MAX  64

size_t setter_partition_key(char key[SETTER_KEY_MAX], unsigned partition,
    unsigned partitions, const char *name);


#endif /* SETTER_PARTITION_H */
