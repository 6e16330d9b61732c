#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "setter_digest.h"
#include "setter_seal.h"


#define SETTER_SEAL_VERSION  1
#define SETTER_SEAL_NONCE    12
#define SETTER_SEAL_TAG      16
#define SETTER_SEAL_HEAD     (1 + SETTER_SEAL_ID + SETTER_SEAL_NONCE)
#define SETTER_SEAL_MAX      65536      /* bytes of what is sealed */


static int setter_seal_identify(setter_seal_key_t *key);
static int setter_seal_encrypt(unsigned char *out,
    const setter_seal_key_t *key, setter_str_t context, setter_str_t text);
static int setter_seal_decrypt(unsigned char *out, const unsigned char *raw,
    size_t len, const setter_seal_key_t *key, setter_str_t context);
static size_t setter_seal_decode(unsigned char *out, setter_str_t text);


int
setter_seal_key_read(setter_seal_key_t *key, setter_str_t text)
{
    unsigned char  raw[SETTER_SEAL_KEY_TEXT];

    if (text.len != SETTER_SEAL_KEY_TEXT
        || setter_seal_decode(raw, text) != SETTER_SEAL_KEY)
    {
        return SETTER_ERROR;
    }

    memcpy(key->key, raw, SETTER_SEAL_KEY);
    OPENSSL_cleanse(raw, sizeof(raw));

    return setter_seal_identify(key);
}


/* HKDF without a salt, for one block: extract, then expand. */
int
setter_seal_key_derive(setter_seal_key_t *key,
    const setter_seal_key_t *master, const char *use)
{
    int            rc;
    size_t         len;
    unsigned       n;
    unsigned char  prk[EVP_MAX_MD_SIZE], info[SETTER_SEAL_USE_MAX + 1];

    static const unsigned char  salt[SETTER_SEAL_KEY];

    len = strlen(use);

    if (len > SETTER_SEAL_USE_MAX) {
        return SETTER_ERROR;
    }

    memcpy(info, use, len);
    info[len] = 1;

    rc = HMAC(EVP_sha256(), salt, sizeof(salt), master->key, SETTER_SEAL_KEY,
              prk, &n) != NULL
         && HMAC(EVP_sha256(), prk, (int) n, info, len + 1, key->key, &n)
            != NULL
         ? setter_seal_identify(key) : SETTER_NO_MEMORY;

    OPENSSL_cleanse(prk, sizeof(prk));

    return rc;
}


static int
setter_seal_identify(setter_seal_key_t *key)
{
    setter_str_t   text = { SETTER_SEAL_KEY, (const char *) key->key };
    unsigned char  digest[SETTER_DIGEST];

    if (setter_digest(digest, &text, 1) != SETTER_OK) {
        return SETTER_NO_MEMORY;
    }

    memcpy(key->id, digest, SETTER_SEAL_ID);

    return SETTER_OK;
}


void
setter_seal_key_text(char out[SETTER_SEAL_KEY_TEXT],
    const setter_seal_key_t *key)
{
    unsigned char  text[SETTER_SEAL_KEY_TEXT + 1];

    EVP_EncodeBlock(text, key->key, SETTER_SEAL_KEY);
    memcpy(out, text, SETTER_SEAL_KEY_TEXT);
    OPENSSL_cleanse(text, sizeof(text));
}


int
setter_seal(setter_buf_t *buf, const setter_seal_key_t *key,
    setter_str_t context, setter_str_t text)
{
    int             rc;
    size_t          len;
    unsigned char  *raw;

    len = SETTER_SEAL_HEAD + text.len + SETTER_SEAL_TAG;

    if (text.len > SETTER_SEAL_MAX) {
        return SETTER_ERROR;
    }

    raw = buf->alloc->get(buf->alloc->owner, len);
    if (raw == NULL) {
        return SETTER_NO_MEMORY;
    }

    raw[0] = SETTER_SEAL_VERSION;
    memcpy(raw + 1, key->id, SETTER_SEAL_ID);

    if (RAND_bytes(raw + 1 + SETTER_SEAL_ID, SETTER_SEAL_NONCE) != 1
        || setter_seal_encrypt(raw, key, context, text) != SETTER_OK)
    {
        return SETTER_NO_MEMORY;
    }

    /* and a NUL, which is not kept */
    setter_buf_grow(buf, 4 * ((len + 2) / 3) + 1);

    if (buf->failed) {
        return SETTER_NO_MEMORY;
    }

    rc = EVP_EncodeBlock((unsigned char *) buf->data + buf->len, raw,
                         (int) len);
    buf->len += (size_t) rc;

    return SETTER_OK;
}


/* Behind the head, which holds the nonce, and with the tag at the end. */
static int
setter_seal_encrypt(unsigned char *out, const setter_seal_key_t *key,
    setter_str_t context, setter_str_t text)
{
    int              n, ok;
    unsigned char   *p;
    EVP_CIPHER_CTX  *cipher;

    cipher = EVP_CIPHER_CTX_new();
    if (cipher == NULL) {
        return SETTER_NO_MEMORY;
    }

    p = out + SETTER_SEAL_HEAD;

    ok = EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key->key,
                            out + 1 + SETTER_SEAL_ID)
         && EVP_EncryptUpdate(cipher, NULL, &n,
                              (const unsigned char *) context.data,
                              (int) context.len)
         && EVP_EncryptUpdate(cipher, p, &n,
                              (const unsigned char *) text.data,
                              (int) text.len)
         && EVP_EncryptFinal_ex(cipher, p + text.len, &n)
         && EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG,
                                SETTER_SEAL_TAG, p + text.len);

    EVP_CIPHER_CTX_free(cipher);

    return ok ? SETTER_OK : SETTER_NO_MEMORY;
}


int
setter_unseal(setter_str_t *text, const setter_seal_key_t *keys,
    size_t nkeys, setter_str_t context, setter_str_t sealed,
    setter_alloc_t *alloc)
{
    int             rc;
    size_t          i, len;
    unsigned char  *raw;

    if (sealed.len > 4 * SETTER_SEAL_MAX) {
        return SETTER_ERROR;
    }

    raw = alloc->get(alloc->owner, 2 * sealed.len + 1);
    if (raw == NULL) {
        return SETTER_NO_MEMORY;
    }

    len = setter_seal_decode(raw, sealed);

    for (i = 0; i < nkeys; i++) {

        if (!setter_seal_is_of(sealed, &keys[i])
            || len < SETTER_SEAL_HEAD + SETTER_SEAL_TAG)
        {
            continue;
        }

        rc = setter_seal_decrypt(raw + sealed.len, raw, len, &keys[i],
                                 context);

        if (rc == SETTER_OK) {
            text->data = (const char *) raw + sealed.len;
            text->len = len - SETTER_SEAL_HEAD - SETTER_SEAL_TAG;
        }

        if (rc != SETTER_ERROR) {
            return rc;
        }
    }

    return SETTER_ERROR;
}


static int
setter_seal_decrypt(unsigned char *out, const unsigned char *raw, size_t len,
    const setter_seal_key_t *key, setter_str_t context)
{
    int                   n, rc, size;
    EVP_CIPHER_CTX       *cipher;
    const unsigned char  *p;

    cipher = EVP_CIPHER_CTX_new();
    if (cipher == NULL) {
        return SETTER_NO_MEMORY;
    }

    p = raw + SETTER_SEAL_HEAD;
    size = (int) (len - SETTER_SEAL_HEAD - SETTER_SEAL_TAG);
    rc = SETTER_NO_MEMORY;

    if (EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key->key,
                           raw + 1 + SETTER_SEAL_ID)
        && EVP_DecryptUpdate(cipher, NULL, &n,
                             (const unsigned char *) context.data,
                             (int) context.len)
        && EVP_DecryptUpdate(cipher, out, &n, p, size)
        && EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, SETTER_SEAL_TAG,
                               (void *) (p + size)))
    {
        rc = EVP_DecryptFinal_ex(cipher, out + size, &n) == 1 ? SETTER_OK
                                                              : SETTER_ERROR;
    }

    EVP_CIPHER_CTX_free(cipher);

    return rc;
}


int
setter_seal_is_of(setter_str_t sealed, const setter_seal_key_t *key)
{
    unsigned char  head[6];

    /* eight characters are six bytes, the version and the id among them */
    if (sealed.len < 8
        || EVP_DecodeBlock(head, (const unsigned char *) sealed.data, 8) != 6)
    {
        return 0;
    }

    return head[0] == SETTER_SEAL_VERSION
           && memcmp(head + 1, key->id, SETTER_SEAL_ID) == 0;
}


/* How many bytes; 0 when it is no base64.  out takes as many as text has. */
static size_t
setter_seal_decode(unsigned char *out, setter_str_t text)
{
    int     n;
    size_t  len;

    if (text.len == 0 || text.len % 4 != 0
        || text.data[0] == '\n' || text.data[0] == ' ')
    {
        return 0;
    }

    n = EVP_DecodeBlock(out, (const unsigned char *) text.data,
                        (int) text.len);
    if (n < 0) {
        return 0;
    }

    len = (size_t) n;

    if (text.data[text.len - 1] == '=') {
        len -= text.data[text.len - 2] == '=' ? 2 : 1;
    }

    return len;
}
