/*
 * What the fuzzers share.  Each defines LLVMFuzzerTestOneInput(); linked with
 * libFuzzer it is given inputs that reach new code, linked with replay.c
 * those of its corpus.  A property that does not hold ends the process.
 *
 * An input is text that one can read and write.  What else a fuzzer varies
 * stands in its last byte, 0 where that is the newline at a text's end.
 */

#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "setter_buf.h"


#define FUZZ_PIECES  4096


/* Memory of one run, of which so many allocations succeed. */
typedef struct {
    setter_alloc_t   alloc;
    void            *pieces[FUZZ_PIECES];
    size_t           n;
    size_t           most;
} fuzz_memory_t;


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* Only a macro can tell which line it was. */
#define fuzz_holds(condition)                                                 \
    ((condition) ? (void) 0                                                   \
     : fuzz_broken(__FILE__, __LINE__, #condition))


static inline void
fuzz_broken(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}


static inline void *
fuzz_get(void *owner, size_t size)
{
    void           *piece;
    fuzz_memory_t  *memory = owner;

    if (memory->n == memory->most) {
        return NULL;
    }

    /* of its true size, so that a byte too far is found */
    piece = malloc(size);
    if (piece != NULL) {
        memory->pieces[memory->n++] = piece;
    }

    return piece;
}


/* most: allocations that succeed; 0 or more than there are: all. */
static inline setter_alloc_t *
fuzz_memory(fuzz_memory_t *memory, size_t most)
{
    memory->alloc.get = fuzz_get;
    memory->alloc.owner = memory;
    memory->n = 0;
    memory->most = most == 0 || most > FUZZ_PIECES ? FUZZ_PIECES : most;

    return &memory->alloc;
}


static inline void
fuzz_forget(fuzz_memory_t *memory)
{
    while (memory->n > 0) {
        free(memory->pieces[--memory->n]);
    }
}


/* Splits the control byte off: 0 for a newline. */
static inline unsigned
fuzz_control(const uint8_t *data, size_t *size)
{
    if (*size == 0) {
        return 0;
    }

    --*size;

    return data[*size] ^ '\n';
}


/* The input as text of its own memory, so that its ends are guarded. */
static inline setter_str_t
fuzz_text(setter_alloc_t *alloc, const uint8_t *data, size_t size)
{
    char          *copy;
    setter_str_t   text;

    copy = alloc->get(alloc->owner, size + 1);
    fuzz_holds(copy != NULL);

    if (size > 0) {
        memcpy(copy, data, size);
    }

    copy[size] = '\0';
    text.data = copy;
    text.len = size;

    return text;
}


/* Takes a line off the text; the last one needs no newline. */
static inline setter_str_t
fuzz_line(setter_str_t *text)
{
    const char    *end;
    setter_str_t   line;

    end = text->len > 0 ? memchr(text->data, '\n', text->len) : NULL;
    line.data = text->data;
    line.len = end != NULL ? (size_t) (end - text->data) : text->len;

    text->data += line.len + (end != NULL);
    text->len -= line.len + (end != NULL);

    return line;
}


static inline int
fuzz_same(setter_str_t a, setter_str_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}


/* Bytes that a header or a log line may hold as they are. */
static inline int
fuzz_visible(setter_str_t text)
{
    size_t  i;

    for (i = 0; i < text.len; i++) {
        if (text.data[i] <= 0x20 || text.data[i] >= 0x7f) {
            return 0;
        }
    }

    return 1;
}


#endif /* FUZZ_H */
