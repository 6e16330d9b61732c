/*
 * Signatures of webhooks: HMAC (RFC 2104) over the bytes of a body, and
 * secrets compared without telling where they differ.
 */

#ifndef SETTER_SIGN_H
#define SETTER_SIGN_H

#include "setter_buf.h"


typedef enum {
    SETTER_SIGN_SHA1,
    SETTER_SIGN_SHA256,
    SETTER_SIGN_SHA512
} setter_sign_hash_e;

typedef enum {
    SETTER_SIGN_HEX,        /* in lower or upper case */
    SETTER_SIGN_BASE64
} setter_sign_encoding_e;

/* How a sender signs. */
typedef struct {
    setter_sign_hash_e      hash;
    setter_sign_encoding_e  encoding;
    setter_str_t            prefix;     /* before the digest: "sha256=" */
} setter_sign_t;


/*
 * Whether given is the text's signature under the secret: SETTER_OK, or
 * SETTER_ERROR; SETTER_NO_MEMORY, which says nothing about it.
 */
int setter_sign_check(const setter_sign_t *sign, setter_str_t given,
    setter_str_t secret, setter_str_t text);

/*
 * The same for Twilio's: the text is the URL as it was configured, without a
 * fragment, and the body's fields, or the body's digest.  Memory is from
 * alloc.
 */
int setter_sign_twilio(setter_str_t given, setter_str_t secret,
    setter_str_t url, setter_str_t body, setter_alloc_t *alloc);

/*
 * 1 when the texts are equal.  The time it takes tells the length of what was
 * given, and nothing else.  The secret is not empty.
 */
int setter_sign_equal(setter_str_t given, setter_str_t secret);


#endif /* SETTER_SIGN_H */
