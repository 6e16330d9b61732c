/*
 * An arena: memory of one turn or one call, freed as a whole.
 */

#ifndef ARENA_H
#define ARENA_H

#include "setter_buf.h"


typedef struct arena_s  arena_t;

/* NULL when memory is short. */
arena_t *arena_create(void);
void arena_destroy(arena_t *arena);

/* size bytes aligned for any type, or NULL. */
void *arena_get(arena_t *arena, size_t size);

/* A copy with a NUL behind it. */
char *arena_copy(arena_t *arena, const char *data, size_t len);
char *arena_printf(arena_t *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The same arena for the code that takes a setter_alloc_t. */
setter_alloc_t *arena_alloc(arena_t *arena);


#endif /* ARENA_H */
