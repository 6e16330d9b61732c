/*
 * An arena is a list of blocks; only the newest one is dealt out from.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/arena.h"
#include "runtime/sanitize.h"


/* Under AddressSanitizer each piece is a block of its own, so that it sees
 * who writes past the end of one. */
#if SANITIZE_ADDRESS
#define ARENA_FIRST  0
#define ARENA_MOST   1
#else
#define ARENA_FIRST  2048       /* bytes to deal out in the first block */
#define ARENA_MOST   65536      /* and in the largest; each doubles */
#endif

#define ARENA_ALIGN  _Alignof(max_align_t)


typedef struct arena_block_s {
    struct arena_block_s  *next;        /* older */
    size_t                 size;        /* bytes in data */
    size_t                 used;
    _Alignas(max_align_t)
    char                   data[];
} arena_block_t;


struct arena_s {
    arena_block_t   *newest;
    size_t           grow;              /* size of the next block */
    setter_alloc_t   alloc;
};


static arena_block_t *arena_add_block(arena_t *arena, size_t size);
static void *arena_alloc_get(void *owner, size_t size);


arena_t *
arena_create(void)
{
    arena_t  *arena;

    arena = malloc(sizeof(arena_t));
    if (arena == NULL) {
        return NULL;
    }

    arena->newest = NULL;
    arena->grow = ARENA_FIRST;
    arena->alloc.get = arena_alloc_get;
    arena->alloc.owner = arena;
    return arena;
}


void
arena_destroy(arena_t *arena)
{
    arena_block_t  *block;

    if (arena == NULL) {
        return;
    }

    while (arena->newest != NULL) {
        block = arena->newest;
        arena->newest = block->next;
        free(block);
    }

    free(arena);
}


void *
arena_get(arena_t *arena, size_t size)
{
    void           *piece;
    arena_block_t  *block;

    if (size > SIZE_MAX / 2) {
        return NULL;
    }

    size = (size + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
    if (size == 0) {
        size = ARENA_ALIGN;
    }

    block = arena->newest;
    if (block == NULL || block->size - block->used < size) {
        block = arena_add_block(arena, size);
        if (block == NULL) {
            return NULL;
        }
    }

    piece = block->data + block->used;
    block->used += size;
    return piece;
}


/*
 * Returns a block with room for size bytes.  A piece too large to share gets
 * a block of its own, put behind the newest, which stays in use.
 */
static arena_block_t *
arena_add_block(arena_t *arena, size_t size)
{
    size_t          room;
    arena_block_t  *block;

    room = size > arena->grow / 2 ? size : arena->grow;

    block = malloc(sizeof(arena_block_t) + room);
    if (block == NULL) {
        return NULL;
    }

    block->size = room;
    block->used = 0;

    if (room == size && arena->newest != NULL) {
        block->next = arena->newest->next;
        arena->newest->next = block;
        return block;
    }

    block->next = arena->newest;
    arena->newest = block;

    if (room == arena->grow && arena->grow < ARENA_MOST) {
        arena->grow *= 2;
    }

    return block;
}


char *
arena_copy(arena_t *arena, const char *data, size_t len)
{
    char  *copy;

    copy = len < SIZE_MAX ? arena_get(arena, len + 1) : NULL;
    if (copy == NULL) {
        return NULL;
    }

    if (len != 0) {
        memcpy(copy, data, len);
    }

    copy[len] = '\0';
    return copy;
}


char *
arena_printf(arena_t *arena, const char *format, ...)
{
    int       len;
    char     *text;
    va_list   args;

    va_start(args, format);
    len = vsnprintf(NULL, 0, format, args);
    va_end(args);

    text = len < 0 ? NULL : arena_get(arena, (size_t) len + 1);
    if (text == NULL) {
        return NULL;
    }

    va_start(args, format);
    vsnprintf(text, (size_t) len + 1, format, args);
    va_end(args);
    return text;
}


setter_alloc_t *
arena_alloc(arena_t *arena)
{
    return &arena->alloc;
}


static void *
arena_alloc_get(void *owner, size_t size)
{
    return arena_get(owner, size);
}
