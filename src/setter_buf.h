/*
 * Memory and text buffers of the code that the module and the workers share.
 *
 * Nothing here frees: memory comes from an allocator that the caller owns and
 * releases as a whole (an nginx pool, a turn's arena).
 */

#ifndef SETTER_BUF_H
#define SETTER_BUF_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>


#define SETTER_OK      0
#define SETTER_ERROR  -1
#define SETTER_NO_MEMORY  -2    /* where it has to be told from an error */


/* A piece of text: not NUL-terminated, owned by whoever made it. */
typedef struct {
    size_t       len;
    const char  *data;
} setter_str_t;

#define setter_str(text)  { sizeof(text) - 1, text }

/* 1 when they are the same; an empty str may have no data */
static inline int
setter_str_is(setter_str_t str, const char *text)
{
    return str.len == strlen(text)
           && (str.len == 0 || memcmp(str.data, text, str.len) == 0);
}


/* Gives size bytes aligned for any type, or NULL; never takes them back. */
typedef struct {
    void  *(*get)(void *owner, size_t size);
    void    *owner;
} setter_alloc_t;


/*
 * Text that grows.  A failed allocation sets "failed" and turns every later
 * append into nothing, so a writer checks once, at the end.
 */
typedef struct {
    char            *data;
    size_t           len;
    size_t           size;
    setter_alloc_t  *alloc;
    unsigned         failed:1;
} setter_buf_t;


/* size: bytes to start with; 0 allocates at the first append */
void setter_buf_init(setter_buf_t *buf, setter_alloc_t *alloc, size_t size);
static inline void setter_buf_append(setter_buf_t *buf, const char *data,
    size_t len);
static inline void setter_buf_byte(setter_buf_t *buf, char byte);
void setter_buf_number(setter_buf_t *buf, int64_t number);

/*
 * Bytes that are not visible ASCII, and the punctuation marks in "also",
 * become %XX.
 */
void setter_buf_encoded(setter_buf_t *buf, setter_str_t text,
    const char *also);

/* Makes room for len more bytes: for setter_buf_append(). */
void setter_buf_grow(setter_buf_t *buf, size_t len);

#define setter_buf_text(buf, text)                                            \
    setter_buf_append(buf, text, sizeof(text) - 1)


static inline void
setter_buf_append(setter_buf_t *buf, const char *data, size_t len)
{
    if (len > buf->size - buf->len) {
        setter_buf_grow(buf, len);
    }

    if (len > 0 && !buf->failed) {
        memcpy(buf->data + buf->len, data, len);
        buf->len += len;
    }
}


static inline void
setter_buf_byte(setter_buf_t *buf, char byte)
{
    setter_buf_append(buf, &byte, 1);
}


#endif /* SETTER_BUF_H */
