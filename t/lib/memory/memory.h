/* What the allocators that fail share. */

#ifndef MEMORY_H
#define MEMORY_H

#include <stdint.h>


#define MEMORY_LIBC  1      /* malloc() and its kin, the libraries' too */
#define MEMORY_POOL  2      /* what the module asks of nginx */


/* Setter::Memory packs it, in this order. */
typedef struct {
    uint64_t  kinds;        /* that are counted and may fail */
    uint64_t  n;            /* the n-th fails, or one in n */
    uint64_t  seed;         /* of the latter; 0: the former */
    uint64_t  count;        /* so far */
    uint64_t  failed;       /* of which */
} memory_control_t;


/* Counts one more; whether it fails.  In the preloaded library. */
int memory_fails(uint64_t kind);


#endif /* MEMORY_H */
