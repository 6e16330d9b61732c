/*
 * What the tests of src/setter_* share: cmocka's headers in its order, texts,
 * and an allocator whose memory is freed as a whole and which can be told
 * when to fail.
 */

#ifndef SETTER_UNIT_H
#define SETTER_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "setter_buf.h"


typedef struct unit_piece_s  unit_piece_t;

struct unit_piece_s {
    unit_piece_t  *next;
    max_align_t    data[];
};

typedef struct {
    setter_alloc_t   alloc;
    unit_piece_t    *pieces;
    int              left;      /* allocations that still succeed; -1: all */
    int              made;
} unit_memory_t;


static void *
unit_memory_get(void *owner, size_t size)
{
    unit_piece_t   *piece;
    unit_memory_t  *memory;

    memory = owner;

    if (memory->left == 0) {
        return NULL;
    }

    if (memory->left > 0) {
        memory->left--;
    }

    piece = malloc(sizeof(unit_piece_t) + size);
    assert_non_null(piece);
    memset(piece->data, 0xa5, size);

    piece->next = memory->pieces;
    memory->pieces = piece;
    memory->made++;

    return piece->data;
}


static inline setter_alloc_t *
unit_memory_init(unit_memory_t *memory, int left)
{
    memory->alloc.get = unit_memory_get;
    memory->alloc.owner = memory;
    memory->pieces = NULL;
    memory->left = left;
    memory->made = 0;

    return &memory->alloc;
}


static inline void
unit_memory_free(unit_memory_t *memory)
{
    unit_piece_t  *piece;

    while (memory->pieces != NULL) {
        piece = memory->pieces;
        memory->pieces = piece->next;
        free(piece);
    }
}


static inline setter_str_t
unit_str(const char *text)
{
    setter_str_t  str;

    str.data = text;
    str.len = text != NULL ? strlen(text) : 0;

    return str;
}


#define assert_text(str, text)                                                \
    do {                                                                      \
        assert_int_equal((str).len, strlen(text));                            \
        assert_memory_equal((str).data, text, strlen(text));                  \
    } while (0)


#define unit_main(tests)                                                      \
    int                                                                       \
    main(void)                                                                \
    {                                                                         \
        cmocka_set_message_output(CM_OUTPUT_TAP);                             \
        return cmocka_run_group_tests(tests, NULL, NULL);                     \
    }


#endif /* SETTER_UNIT_H */
