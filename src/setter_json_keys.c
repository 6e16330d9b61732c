#include <stdlib.h>
#include <string.h>
#include <openssl/rand.h>

#include "setter_json_parts.h"


#define setter_rotate(x, n)  ((x) << (n) | (x) >> (64 - (n)))


static setter_json_error_e setter_json_keys_grow(setter_json_keys_t *keys);
static uint64_t *setter_json_keys_slot(setter_json_keys_t *keys,
    uint64_t print);
static uint64_t setter_siphash(uint64_t tweak, const char *data, size_t len);
static inline void setter_siphash_round(uint64_t v[4]);


/* Drawn once in each process, or in the one it was forked from. */
static uint64_t  setter_json_seed[2];
static int       setter_json_seeded;


int
setter_json_keys_init(setter_json_keys_t *keys)
{
    if (!setter_json_seeded) {
        if (RAND_bytes((unsigned char *) setter_json_seed,
                       sizeof(setter_json_seed))
            != 1)
        {
            return SETTER_ERROR;
        }

        setter_json_seeded = 1;
    }

    memset(keys->first, 0, sizeof(keys->first));
    keys->slots = keys->first;
    keys->size = SETTER_JSON_KEYS;
    keys->used = 0;

    return SETTER_OK;
}


void
setter_json_keys_free(setter_json_keys_t *keys)
{
    if (keys->slots != keys->first) {
        free(keys->slots);
    }
}


setter_json_error_e
setter_json_keys_add(setter_json_keys_t *keys, uint64_t object,
    const char *name, size_t len)
{
    uint64_t  print, *slot;

    if (2 * keys->used >= keys->size
        && setter_json_keys_grow(keys) != SETTER_JSON_OK)
    {
        return SETTER_JSON_NO_MEMORY;
    }

    print = setter_siphash(object, name, len);

    if (print == 0) {
        print = 1;
    }

    slot = setter_json_keys_slot(keys, print);

    if (*slot == print) {
        return SETTER_JSON_DUPLICATE_KEY;
    }

    *slot = print;
    keys->used++;

    return SETTER_JSON_OK;
}


static setter_json_error_e
setter_json_keys_grow(setter_json_keys_t *keys)
{
    size_t              i;
    setter_json_keys_t  old;

    old.slots = keys->slots;
    old.size = keys->size;

    keys->slots = calloc(4 * old.size, sizeof(uint64_t));

    if (keys->slots == NULL) {
        keys->slots = old.slots;
        return SETTER_JSON_NO_MEMORY;
    }

    keys->size = 4 * old.size;

    for (i = 0; i < old.size; i++) {
        if (old.slots[i] != 0) {
            *setter_json_keys_slot(keys, old.slots[i]) = old.slots[i];
        }
    }

    if (old.slots != keys->first) {
        free(old.slots);
    }

    return SETTER_JSON_OK;
}


/* The slot that holds the fingerprint, or the free one where it belongs. */
static uint64_t *
setter_json_keys_slot(setter_json_keys_t *keys, uint64_t print)
{
    size_t  i;

    i = print & (keys->size - 1);

    while (keys->slots[i] != 0 && keys->slots[i] != print) {
        i = (i + 1) & (keys->size - 1);
    }

    return &keys->slots[i];
}


/* SipHash-1-3, its second key word tweaked by the number of the object. */
static uint64_t
setter_siphash(uint64_t tweak, const char *data, size_t len)
{
    size_t    left;
    uint64_t  word, v[4];

    v[0] = setter_json_seed[0] ^ 0x736f6d6570736575ULL;
    v[1] = setter_json_seed[1] ^ 0x646f72616e646f6dULL ^ tweak;
    v[2] = setter_json_seed[0] ^ 0x6c7967656e657261ULL;
    v[3] = setter_json_seed[1] ^ 0x7465646279746573ULL ^ tweak;

    for (left = len; left >= sizeof(word); left -= sizeof(word)) {
        memcpy(&word, data, sizeof(word));
        data += sizeof(word);

        v[3] ^= word;
        setter_siphash_round(v);
        v[0] ^= word;
    }

    word = 0;
    memcpy(&word, data, left);
    word ^= (uint64_t) len << 56;

    v[3] ^= word;
    setter_siphash_round(v);
    v[0] ^= word;

    v[2] ^= 0xff;
    setter_siphash_round(v);
    setter_siphash_round(v);
    setter_siphash_round(v);

    return v[0] ^ v[1] ^ v[2] ^ v[3];
}


static inline void
setter_siphash_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = setter_rotate(v[1], 13) ^ v[0];
    v[0] = setter_rotate(v[0], 32);
    v[2] += v[3];
    v[3] = setter_rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = setter_rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = setter_rotate(v[1], 17) ^ v[2];
    v[2] = setter_rotate(v[2], 32);
}
