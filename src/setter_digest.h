/*
 * SHA-256 (FIPS 180-4).
 */

#ifndef SETTER_DIGEST_H
#define SETTER_DIGEST_H

#include "setter_buf.h"


#define SETTER_DIGEST  32
#define SETTER_DIGEST_HEX  (2 * SETTER_DIGEST)


/*
 * Of n texts, one behind the other.  SETTER_ERROR: OpenSSL has no memory, and
 * digest is nothing to go by.
 */
int setter_digest(unsigned char digest[SETTER_DIGEST],
    const setter_str_t *texts, size_t n);

/* Writes it in lower-case hexadecimal, not NUL-terminated. */
void setter_digest_hex(char out[SETTER_DIGEST_HEX],
    const unsigned char digest[SETTER_DIGEST]);


#endif /* SETTER_DIGEST_H */
