/*
 * Secrets sealed at rest: AES-256-GCM (NIST SP 800-38D), under keys that are
 * derived from one another by HKDF-SHA256 (RFC 5869).
 *
 * A sealed text is base64 (RFC 4648) of: a byte 1, the key's id (4 bytes), the
 * nonce (12), what is sealed, and the tag (16).  It is good only in its
 * context, a text such as "tenant/provider/address": a seal that is moved to
 * another's row does not open.
 */

#ifndef SETTER_SEAL_H
#define SETTER_SEAL_H

#include "setter_buf.h"


#define SETTER_SEAL_KEY  32         /* bytes */
#define SETTER_SEAL_ID   4
#define SETTER_SEAL_KEY_TEXT  44    /* characters of a key in base64 */
#define SETTER_SEAL_USE_MAX  255    /* bytes that name a key's use */

typedef struct {
    unsigned char  key[SETTER_SEAL_KEY];
    unsigned char  id[SETTER_SEAL_ID];      /* of its SHA-256 */
} setter_seal_key_t;


/*
 * A key from its base64.  SETTER_ERROR: it is not the base64 of 32 bytes;
 * SETTER_NO_MEMORY.
 */
int setter_seal_key_read(setter_seal_key_t *key, setter_str_t text);

/* The key of a use, "signing", from that of all.  SETTER_OK,
 * SETTER_ERROR: use is too long, or SETTER_NO_MEMORY. */
int setter_seal_key_derive(setter_seal_key_t *key,
    const setter_seal_key_t *master, const char *use);

/* Writes it in base64, not NUL-terminated. */
void setter_seal_key_text(char out[SETTER_SEAL_KEY_TEXT],
    const setter_seal_key_t *key);

/* Appends the sealed text.  SETTER_OK, or SETTER_NO_MEMORY: the buffer, or
 * OpenSSL, failed. */
int setter_seal(setter_buf_t *buf, const setter_seal_key_t *key,
    setter_str_t context, setter_str_t text);

/*
 * Opens what was sealed under one of the keys, with memory of alloc, for the
 * caller to cleanse.  SETTER_ERROR: it is damaged, of another context or of
 * another key; SETTER_NO_MEMORY.
 */
int setter_unseal(setter_str_t *text, const setter_seal_key_t *keys,
    size_t nkeys, setter_str_t context, setter_str_t sealed,
    setter_alloc_t *alloc);

/* 1 when it names the key as the one that it was sealed under. */
int setter_seal_is_of(setter_str_t sealed, const setter_seal_key_t *key);


#endif /* SETTER_SEAL_H */
