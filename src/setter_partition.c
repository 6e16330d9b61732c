#include <stdio.h>

#include "setter_partition.h"


static uint16_t setter_crc16(const char *data, size_t len);


/*
 * The slot of tag i lies near the middle of the i-th 256 of the 16,384, so
 * any even choice among them spreads evenly over a cluster's nodes.
 */
static const char  setter_partition_tags[SETTER_MAX_PARTITIONS][3] = {
    "mm", "ry", "lb", "bu", "aa", "qt", "ap", "ax",
    "tb", "kv", "dn", "df", "wo", "wg", "gc", "xw",
    "cs", "sf", "lc", "sw", "pc", "pk", "on", "pz",
    "ja", "zt", "ul", "jx", "fm", "yy", "va", "iu",
    "si", "sa", "ce", "cm", "pd", "op", "pu", "oa",
    "jf", "ur", "zj", "zb", "ik", "ic", "yg", "fs",
    "bk", "bc", "rg", "ms", "af", "an", "qj", "qb",
    "dx", "dp", "kh", "da", "xi", "xa", "he", "hm"
};


unsigned
setter_partition(setter_str_t tenant, unsigned partitions)
{
    return setter_crc16(tenant.data, tenant.len) % partitions;
}


size_t
setter_partition_key(char key[SETTER_KEY_MAX], unsigned partition,
    unsigned partitions, const char *name)
{
    const char  *tag;

    tag = setter_partition_tags[partition * SETTER_MAX_PARTITIONS
                                / partitions];

    return snprintf(key, SETTER_KEY_MAX, "setter:{%s}:%s", tag, name);
}


/* CRC-16/XMODEM, four bits a step. */
static uint16_t
setter_crc16(const char *data, size_t len)
{
    size_t    i;
    uint8_t   byte;
    uint16_t  crc;

    static const uint16_t  table[16] = {
        0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
        0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef
    };

    crc = 0;

    for (i = 0; i < len; i++) {
        byte = (uint8_t) data[i];

        crc = (uint16_t) (crc << 4) ^ table[(crc >> 12) ^ (byte >> 4)];
        crc = (uint16_t) (crc << 4) ^ table[(crc >> 12) ^ (byte & 0x0f)];
    }

    return crc;
}
