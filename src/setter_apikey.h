/*
 * Keys that callers of a tenant show: "stk_<slug>_<43 of base64url>".  Only
 * hashes of them are kept, in PostgreSQL and in Redis's sets setter:{tag}:keys
 * of "<slug>/<64 hexadecimal digits>".
 */

#ifndef SETTER_APIKEY_H
#define SETTER_APIKEY_H

#include "setter_digest.h"
#include "setter_job.h"


#define SETTER_APIKEY_SECRET      43
#define SETTER_APIKEY_MAX         (4 + SETTER_SLUG_MAX + 1                    \
                                   + SETTER_APIKEY_SECRET)
#define SETTER_APIKEY_MEMBER_MAX  (SETTER_SLUG_MAX + 1 + SETTER_DIGEST_HEX)


typedef struct {
    setter_str_t   tenant;                  /* in the text read */
    unsigned char  digest[SETTER_DIGEST];   /* SHA-256 of the text */
} setter_apikey_t;


/*
 * SETTER_ERROR when text is no such key, SETTER_NO_MEMORY when that cannot be
 * told; then there is no tenant.
 */
int setter_apikey_read(setter_apikey_t *key, setter_str_t text);

/*
 * Writes the key of the tenant that has that secret, NUL-terminated.  NULL: a
 * new one; SETTER_ERROR when there is no randomness.
 */
#define SETTER_APIKEY_BYTES  32

int setter_apikey_make(char text[SETTER_APIKEY_MAX + 1], setter_str_t tenant,
    const unsigned char secret[SETTER_APIKEY_BYTES]);

/* Writes the member of the set, NUL-terminated, and returns its length. */
size_t setter_apikey_member(char member[SETTER_APIKEY_MEMBER_MAX + 1],
    const setter_apikey_t *key);


#endif /* SETTER_APIKEY_H */
