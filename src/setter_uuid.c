#include <pthread.h>
#include <string.h>
#include <openssl/rand.h>

#include "setter_digest.h"
#include "setter_uuid.h"


#define SETTER_UUID_BYTES  16
#define SETTER_UUID_POOL   512


static int setter_uuid_random(unsigned char *out, size_t len);
static void setter_uuid_forked(void);
static void setter_uuid_text(char *out, unsigned char *id, unsigned version);


/* Random bytes not yet given out: one call of OpenSSL serves many ids. */
static struct {
    unsigned char  bytes[SETTER_UUID_POOL];
    size_t         left;
    unsigned       registered:1;
} setter_uuid_pool;


int
setter_uuid_v7(char out[SETTER_UUID_LEN], int64_t now_ms)
{
    int            i;
    unsigned char  id[SETTER_UUID_BYTES];

    for (i = 0; i < 6; i++) {
        id[i] = (unsigned char) (now_ms >> (40 - 8 * i));
    }

    if (setter_uuid_random(id + 6, sizeof(id) - 6) != SETTER_OK) {
        return SETTER_ERROR;
    }

    setter_uuid_text(out, id, 7);

    return SETTER_OK;
}


int
setter_uuid_from_key(char out[SETTER_UUID_LEN], setter_str_t tenant,
    setter_str_t key)
{
    unsigned char        digest[SETTER_DIGEST];
    const setter_str_t   texts[] = { tenant, { 1, "" }, key };

    if (setter_digest(digest, texts, 3) != SETTER_OK) {
        return SETTER_ERROR;
    }

    setter_uuid_text(out, digest, 8);

    return SETTER_OK;
}


int
setter_uuid_valid(setter_str_t text)
{
    size_t  i;

    if (text.len != SETTER_UUID_LEN) {
        return 0;
    }

    for (i = 0; i < SETTER_UUID_LEN; i++) {

        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text.data[i] != '-') {
                return 0;
            }

        } else if (memchr("0123456789abcdef", text.data[i], 16) == NULL) {
            return 0;
        }
    }

    return 1;
}


/* The pool is drained from its end, and forgotten in a forked child. */
static int
setter_uuid_random(unsigned char *out, size_t len)
{
    if (setter_uuid_pool.left < len) {

        if (!setter_uuid_pool.registered) {
            if (pthread_atfork(NULL, NULL, setter_uuid_forked) != 0) {
                return SETTER_ERROR;
            }

            setter_uuid_pool.registered = 1;
        }

        if (RAND_bytes(setter_uuid_pool.bytes, SETTER_UUID_POOL) != 1) {
            return SETTER_ERROR;
        }

        setter_uuid_pool.left = SETTER_UUID_POOL;
    }

    setter_uuid_pool.left -= len;
    memcpy(out, setter_uuid_pool.bytes + setter_uuid_pool.left, len);

    return SETTER_OK;
}


static void
setter_uuid_forked(void)
{
    setter_uuid_pool.left = 0;
}


/* Stamps version and variant on the first 16 bytes of id, writes the text. */
static void
setter_uuid_text(char *out, unsigned char *id, unsigned version)
{
    int                i;

    static const char  hex[] = "0123456789abcdef";

    id[6] = (unsigned char) (version << 4 | (id[6] & 0x0f));
    id[8] = 0x80 | (id[8] & 0x3f);

    for (i = 0; i < SETTER_UUID_BYTES; i++) {

        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *out++ = '-';
        }

        *out++ = hex[id[i] >> 4];
        *out++ = hex[id[i] & 0x0f];
    }
}
