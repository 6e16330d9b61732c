#include <stdlib.h>
#include <string.h>

#include "setter_json_parts.h"


/*
 * yajl does not survive a failed allocation, so all it can ask for is taken
 * beforehand.  It makes a few small structures and two buffers, for decoded
 * strings and for a token cut off by the end; a buffer starts at 2048 bytes
 * and is doubled while a string of the text does not fit.
 */
#define SETTER_JSON_BUFFER_SIZE(len)  (2048 + 2 * ((len) + 8))
#define SETTER_JSON_YAJL_SIZE(len)                                            \
    (1024 + 2 * SETTER_JSON_BUFFER_SIZE(len))
#define SETTER_JSON_STACK_SIZE        8192

typedef struct {
    char  *next;
    char  *end;
} setter_json_block_t;

/* Stands before each piece of a block and keeps it aligned. */
typedef union {
    size_t       size;
    long double  align;
} setter_json_piece_t;


static setter_json_error_e setter_json_run(setter_str_t json,
    const yajl_callbacks *callbacks, void *ctx, setter_json_block_t *block);
static void *setter_json_block_get(void *ctx, size_t size);
static void *setter_json_block_grow(void *ctx, void *old, size_t size);
static void setter_json_block_free(void *ctx, void *p);


setter_json_error_e
setter_json_parse(setter_str_t json, const yajl_callbacks *callbacks,
    void *ctx)
{
    char                 *heap;
    setter_json_error_e   error;
    setter_json_block_t   block;
    setter_json_piece_t   stack[SETTER_JSON_STACK_SIZE
                                / sizeof(setter_json_piece_t)];

    if (SETTER_JSON_YAJL_SIZE(json.len) <= sizeof(stack)) {
        block.next = (char *) stack;
        block.end = block.next + sizeof(stack);

        return setter_json_run(json, callbacks, ctx, &block);
    }

    heap = malloc(SETTER_JSON_YAJL_SIZE(json.len));
    if (heap == NULL) {
        return SETTER_JSON_NO_MEMORY;
    }

    block.next = heap;
    block.end = heap + SETTER_JSON_YAJL_SIZE(json.len);

    error = setter_json_run(json, callbacks, ctx, &block);

    free(heap);

    return error;
}


static setter_json_error_e
setter_json_run(setter_str_t json, const yajl_callbacks *callbacks, void *ctx,
    setter_json_block_t *block)
{
    size_t            end;
    yajl_status       status;
    yajl_handle       yajl;
    yajl_alloc_funcs  funcs;

    funcs.malloc = setter_json_block_get;
    funcs.realloc = setter_json_block_grow;
    funcs.free = setter_json_block_free;
    funcs.ctx = block;

    yajl = yajl_alloc(callbacks, &funcs, ctx);
    if (yajl == NULL) {
        return SETTER_JSON_NO_MEMORY;
    }

    /* the scan was stricter */
    yajl_config(yajl, yajl_dont_validate_strings, 1);

    /* yajl's own look at trailing bytes misses a string that does not end */
    yajl_config(yajl, yajl_allow_trailing_garbage, 1);

    status = yajl_parse(yajl, (const unsigned char *) json.data, json.len);
    end = yajl_get_bytes_consumed(yajl);

    if (status == yajl_status_ok) {
        status = yajl_complete_parse(yajl);
    }

    yajl_free(yajl);

    while (end < json.len && memchr(" \t\n\r", json.data[end], 4) != NULL) {
        end++;
    }

    if (status != yajl_status_ok || end < json.len) {
        return SETTER_JSON_SYNTAX;
    }

    return SETTER_JSON_OK;
}


static void *
setter_json_block_get(void *ctx, size_t size)
{
    setter_json_piece_t  *piece;
    setter_json_block_t  *block;

    block = ctx;

    size = (size + sizeof(setter_json_piece_t) - 1)
           / sizeof(setter_json_piece_t) * sizeof(setter_json_piece_t);

    if ((size_t) (block->end - block->next)
        < sizeof(setter_json_piece_t) + size)
    {
        return NULL;
    }

    piece = (setter_json_piece_t *) block->next;
    piece->size = size;
    block->next += sizeof(setter_json_piece_t) + size;

    return piece + 1;
}


/* The newest piece grows where it stands. */
static void *
setter_json_block_grow(void *ctx, void *old, size_t size)
{
    void                 *grown;
    setter_json_piece_t  *piece;
    setter_json_block_t  *block;

    if (old == NULL) {
        return setter_json_block_get(ctx, size);
    }

    block = ctx;
    piece = (setter_json_piece_t *) old - 1;

    if ((char *) old + piece->size == block->next) {
        block->next = (char *) piece;
        return setter_json_block_get(ctx, size);
    }

    grown = setter_json_block_get(ctx, size);

    if (grown != NULL) {
        memcpy(grown, old, piece->size);
    }

    return grown;
}


static void
setter_json_block_free(void *ctx, void *p)
{
    (void) ctx;
    (void) p;
}
