#include <openssl/evp.h>

#include "setter_digest.h"


static EVP_MD_CTX *setter_digest_context(void);


int
setter_digest(unsigned char digest[SETTER_DIGEST], const setter_str_t *texts,
    size_t n)
{
    size_t       i;
    EVP_MD_CTX  *sha;

    sha = setter_digest_context();

    if (sha == NULL || EVP_DigestInit_ex(sha, NULL, NULL) != 1) {
        return SETTER_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (EVP_DigestUpdate(sha, texts[i].data, texts[i].len) != 1) {
            return SETTER_ERROR;
        }
    }

    return EVP_DigestFinal_ex(sha, digest, NULL) == 1 ? SETTER_OK
                                                      : SETTER_ERROR;
}


/* One context a process: looking the digest up costs more than using it. */
static EVP_MD_CTX *
setter_digest_context(void)
{
    EVP_MD_CTX         *made;

    static EVP_MD_CTX  *sha;

    if (sha == NULL) {
        made = EVP_MD_CTX_new();

        if (made != NULL
            && EVP_DigestInit_ex(made, EVP_sha256(), NULL) != 1)
        {
            EVP_MD_CTX_free(made);
            made = NULL;
        }

        sha = made;
    }

    return sha;
}


void
setter_digest_hex(char out[SETTER_DIGEST_HEX],
    const unsigned char digest[SETTER_DIGEST])
{
    int                i;

    static const char  hex[] = "0123456789abcdef";

    for (i = 0; i < SETTER_DIGEST; i++) {
        *out++ = hex[digest[i] >> 4];
        *out++ = hex[digest[i] & 0x0f];
    }
}
