/*
 * CRC32C (Castagnoli), as iSCSI has it: RFC 3720, appendix B.4.
 */

#ifndef SETTER_CRC32C_H
#define SETTER_CRC32C_H

#include <stddef.h>
#include <stdint.h>


/* The CRC of bytes that follow those whose CRC is crc; 0 for the first. */
uint32_t setter_crc32c(uint32_t crc, const void *data, size_t len);

/* The same on a CPU that has no instruction for it. */
uint32_t setter_crc32c_portable(uint32_t crc, const void *data, size_t len);


#endif /* SETTER_CRC32C_H */
