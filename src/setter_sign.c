#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "setter_sign.h"


#define SETTER_SIGN_TEXT  (2 * EVP_MAX_MD_SIZE + 1)


static size_t setter_sign_write(char *out, setter_sign_encoding_e encoding,
    const unsigned char *digest, unsigned len);
static setter_str_t setter_sign_lower(char *out, size_t size,
    setter_str_t text);


int
setter_sign_check(const setter_sign_t *sign, setter_str_t given,
    setter_str_t secret, setter_str_t text)
{
    char                 wanted[SETTER_SIGN_TEXT], lower[SETTER_SIGN_TEXT];
    unsigned             len;
    setter_str_t         signature;
    unsigned char        digest[EVP_MAX_MD_SIZE];
    const EVP_MD        *md;

    if (given.len <= sign->prefix.len
        || memcmp(given.data, sign->prefix.data, sign->prefix.len) != 0)
    {
        return SETTER_ERROR;
    }

    given.data += sign->prefix.len;
    given.len -= sign->prefix.len;

    md = sign->hash == SETTER_SIGN_SHA1 ? EVP_sha1()
         : sign->hash == SETTER_SIGN_SHA256 ? EVP_sha256() : EVP_sha512();

    if (secret.len > INT_MAX
        || HMAC(md, secret.data, (int) secret.len,
                (const unsigned char *) text.data, text.len, digest, &len)
           == NULL)
    {
        return SETTER_NO_MEMORY;
    }

    signature.data = wanted;
    signature.len = setter_sign_write(wanted, sign->encoding, digest, len);

    if (sign->encoding == SETTER_SIGN_HEX) {
        given = setter_sign_lower(lower, sizeof(lower), given);
    }

    return setter_sign_equal(given, signature) ? SETTER_OK : SETTER_ERROR;
}


static size_t
setter_sign_write(char *out, setter_sign_encoding_e encoding,
    const unsigned char *digest, unsigned len)
{
    unsigned           i;

    static const char  hex[] = "0123456789abcdef";

    if (encoding == SETTER_SIGN_BASE64) {
        return (size_t) EVP_EncodeBlock((unsigned char *) out, digest,
                                        (int) len);
    }

    for (i = 0; i < len; i++) {
        *out++ = hex[digest[i] >> 4];
        *out++ = hex[digest[i] & 0x0f];
    }

    return 2 * len;
}


/* What does not fit is no digest: it stays as it is, and is not equal. */
static setter_str_t
setter_sign_lower(char *out, size_t size, setter_str_t text)
{
    size_t  i;

    if (text.len > size) {
        return text;
    }

    for (i = 0; i < text.len; i++) {
        out[i] = text.data[i] >= 'A' && text.data[i] <= 'F'
                 ? (char) (text.data[i] | 0x20) : text.data[i];
    }

    text.data = out;

    return text;
}


int
setter_sign_equal(setter_str_t given, setter_str_t secret)
{
    size_t           i;
    volatile size_t  differ;

    differ = given.len ^ secret.len;

    for (i = 0; i < given.len; i++) {
        differ |= (unsigned char) (given.data[i] ^ secret.data[i % secret.len]);
    }

    return differ == 0;
}
