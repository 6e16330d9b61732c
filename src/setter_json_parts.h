/*
 * What the files of setter_json share among themselves.
 */

#ifndef SETTER_JSON_PARTS_H
#define SETTER_JSON_PARTS_H

#include <yajl/yajl_parse.h>

#include "setter_json.h"


#define SETTER_WORD_ONES   0x0101010101010101ULL
#define SETTER_WORD_HIGHS  0x8080808080808080ULL

/*
 * Eight bytes at once: not 0 when one of them is below n (at most 128), or
 * equals c.
 */
#define setter_word_below(word, n)                                            \
    (((word) - SETTER_WORD_ONES * (n)) & ~(word) & SETTER_WORD_HIGHS)
#define setter_word_has(word, c)                                              \
    setter_word_below((word) ^ (SETTER_WORD_ONES * (c)), 1)


/*
 * Looks the whole text over for what yajl would let pass: U+0000, lone
 * surrogates and broken UTF-8 (ENCODING), control characters as white space
 * (SYNTAX).  With repair, text becomes a copy free of the former.
 */
setter_json_error_e setter_json_scan(setter_str_t *text, int repair,
    setter_alloc_t *alloc);


/*
 * The member names of one document, as keyed fingerprints over (object,
 * name): 64 bits of SipHash, so that no sender can make two of them meet.
 */
#define SETTER_JSON_KEYS  64

typedef struct {
    uint64_t  *slots;       /* open addressing; 0 is a free one */
    size_t     size;
    size_t     used;
    uint64_t   first[SETTER_JSON_KEYS];
} setter_json_keys_t;

/* SETTER_ERROR when the system gives no random seed. */
int setter_json_keys_init(setter_json_keys_t *keys);
void setter_json_keys_free(setter_json_keys_t *keys);

/* OK, DUPLICATE_KEY or NO_MEMORY; object is a number of the caller's. */
setter_json_error_e setter_json_keys_add(setter_json_keys_t *keys,
    uint64_t object, const char *name, size_t len);


/* Runs yajl over the whole text: OK, SYNTAX or NO_MEMORY. */
setter_json_error_e setter_json_parse(setter_str_t json,
    const yajl_callbacks *callbacks, void *ctx);


/* A comma, unless buf is empty or ends in '{', '[' or ':'. */
void setter_json_comma(setter_buf_t *buf);


#endif /* SETTER_JSON_PARTS_H */
