/*
 * An allocator that fails when it is told to, for LD_PRELOAD.  It is told, and
 * tells, through a file of memory_control_t that SETTER_MEMORY names and that
 * all processes share (Setter::Memory writes it); without one nothing fails.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory.h"


void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);


static memory_control_t  *control;


static void __attribute__ ((constructor))
memory_open(void)
{
    int          fd;
    void        *map;
    const char  *path;

    path = getenv("SETTER_MEMORY");
    fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;

    if (fd == -1) {
        return;
    }

    map = mmap(NULL, sizeof(memory_control_t), PROT_READ | PROT_WRITE,
               MAP_SHARED, fd, 0);

    if (map != MAP_FAILED) {
        control = map;
    }

    close(fd);
}


/* splitmix64: what one in n is, of which the order alone decides. */
static uint64_t
memory_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;

    return x ^ (x >> 31);
}


int
memory_fails(uint64_t kind)
{
    int       fails;
    uint64_t  count;

    if (control == NULL || (control->kinds & kind) == 0) {
        return 0;
    }

    count = __atomic_add_fetch(&control->count, 1, __ATOMIC_RELAXED);

    if (control->seed != 0) {
        fails = memory_mix(control->seed + count) % control->n == 0;

    } else {
        fails = count == control->n;
    }

    if (fails) {
        __atomic_add_fetch(&control->failed, 1, __ATOMIC_RELAXED);
        errno = ENOMEM;
    }

    return fails;
}


void *
malloc(size_t size)
{
    return memory_fails(MEMORY_LIBC) ? NULL : __libc_malloc(size);
}


void *
calloc(size_t n, size_t size)
{
    return memory_fails(MEMORY_LIBC) ? NULL : __libc_calloc(n, size);
}


void *
realloc(void *old, size_t size)
{
    return memory_fails(MEMORY_LIBC) ? NULL : __libc_realloc(old, size);
}


int
posix_memalign(void **result, size_t alignment, size_t size)
{
    void  *p;

    p = memory_fails(MEMORY_LIBC) ? NULL : __libc_memalign(alignment, size);

    if (p == NULL) {
        return ENOMEM;
    }

    *result = p;

    return 0;
}
