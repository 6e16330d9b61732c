#include <openssl/rand.h>

#include "setter_apikey.h"


#define SETTER_APIKEY_PREFIX      "stk_"
#define SETTER_APIKEY_PREFIX_LEN  (sizeof(SETTER_APIKEY_PREFIX) - 1)


static int setter_apikey_is_secret(setter_str_t text);


static const char  setter_apikey_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";


int
setter_apikey_read(setter_apikey_t *key, setter_str_t text)
{
    setter_str_t  slug, secret;

    key->tenant.len = 0;
    key->tenant.data = NULL;

    if (text.len <= SETTER_APIKEY_PREFIX_LEN + 1 + SETTER_APIKEY_SECRET
        || text.len > SETTER_APIKEY_MAX
        || memcmp(text.data, SETTER_APIKEY_PREFIX, SETTER_APIKEY_PREFIX_LEN)
           != 0)
    {
        return SETTER_ERROR;
    }

    /* a slug has no "_", so that there is one way to read a key */

    slug.data = text.data + SETTER_APIKEY_PREFIX_LEN;
    slug.len = text.len - SETTER_APIKEY_PREFIX_LEN - 1 - SETTER_APIKEY_SECRET;
    secret.data = slug.data + slug.len + 1;
    secret.len = SETTER_APIKEY_SECRET;

    if (!setter_slug_valid(slug)
        || slug.data[slug.len] != '_'
        || !setter_apikey_is_secret(secret))
    {
        return SETTER_ERROR;
    }

    if (setter_digest(key->digest, &text, 1) != SETTER_OK) {
        return SETTER_NO_MEMORY;
    }

    key->tenant = slug;

    return SETTER_OK;
}


static int
setter_apikey_is_secret(setter_str_t text)
{
    size_t  i;

    for (i = 0; i < text.len; i++) {
        if (memchr(setter_apikey_alphabet, text.data[i],
                   sizeof(setter_apikey_alphabet) - 1)
            == NULL)
        {
            return 0;
        }
    }

    return 1;
}


int
setter_apikey_make(char text[SETTER_APIKEY_MAX + 1], setter_str_t tenant,
    const unsigned char secret[SETTER_APIKEY_BYTES])
{
    int             i, bit;
    char           *p;
    unsigned        two;
    unsigned char   bytes[SETTER_APIKEY_BYTES + 1];

    bytes[SETTER_APIKEY_BYTES] = 0;

    if (secret) {
        memcpy(bytes, secret, SETTER_APIKEY_BYTES);

    } else if (RAND_bytes(bytes, SETTER_APIKEY_BYTES) != 1) {
        return SETTER_ERROR;
    }

    p = text;

    memcpy(p, SETTER_APIKEY_PREFIX, SETTER_APIKEY_PREFIX_LEN);
    p += SETTER_APIKEY_PREFIX_LEN;

    memcpy(p, tenant.data, tenant.len);
    p += tenant.len;

    *p++ = '_';

    /* 42 characters, and four bits of the last one */

    for (i = 0; i < SETTER_APIKEY_SECRET; i++) {
        bit = 6 * i;
        two = (unsigned) bytes[bit / 8] << 8 | bytes[bit / 8 + 1];
        *p++ = setter_apikey_alphabet[two >> (10 - bit % 8) & 0x3f];
    }

    *p = '\0';

    return SETTER_OK;
}


size_t
setter_apikey_member(char member[SETTER_APIKEY_MEMBER_MAX + 1],
    const setter_apikey_t *key)
{
    char  *p;

    memcpy(member, key->tenant.data, key->tenant.len);

    p = member + key->tenant.len;
    *p++ = '/';

    setter_digest_hex(p, key->digest);
    p += SETTER_DIGEST_HEX;

    *p = '\0';

    return p - member;
}
