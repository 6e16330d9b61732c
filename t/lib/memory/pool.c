/*
 * What the module asks of nginx's allocators, led past memory_fails(): linked
 * into a module of the tests' own, with --wrap for each of these.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "memory.h"


int memory_fails(uint64_t kind) __attribute__ ((weak));


#define MEMORY_WRAP(type, name, parameters, arguments)                        \
                                                                              \
type *__real_##name parameters;                                               \
type *__wrap_##name parameters;                                               \
                                                                              \
type *                                                                        \
__wrap_##name parameters                                                      \
{                                                                             \
    return memory_fails != NULL && memory_fails(MEMORY_POOL)                  \
           ? NULL : __real_##name arguments;                                  \
}


MEMORY_WRAP(void, ngx_alloc, (size_t size, ngx_log_t *log), (size, log))
MEMORY_WRAP(void, ngx_calloc, (size_t size, ngx_log_t *log), (size, log))
MEMORY_WRAP(void, ngx_palloc, (ngx_pool_t *pool, size_t size), (pool, size))
MEMORY_WRAP(void, ngx_pnalloc, (ngx_pool_t *pool, size_t size), (pool, size))
MEMORY_WRAP(void, ngx_pcalloc, (ngx_pool_t *pool, size_t size), (pool, size))
MEMORY_WRAP(void, ngx_array_push, (ngx_array_t *array), (array))
MEMORY_WRAP(void, ngx_list_push, (ngx_list_t *list), (list))
MEMORY_WRAP(ngx_array_t, ngx_array_create,
            (ngx_pool_t *pool, ngx_uint_t n, size_t size), (pool, n, size))
MEMORY_WRAP(ngx_chain_t, ngx_alloc_chain_link, (ngx_pool_t *pool), (pool))
MEMORY_WRAP(ngx_pool_t, ngx_create_pool, (size_t size, ngx_log_t *log),
            (size, log))
MEMORY_WRAP(ngx_pool_cleanup_t, ngx_pool_cleanup_add,
            (ngx_pool_t *pool, size_t size), (pool, size))
MEMORY_WRAP(ngx_http_cleanup_t, ngx_http_cleanup_add,
            (ngx_http_request_t *r, size_t size), (r, size))
