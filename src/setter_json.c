#include <stdio.h>
#include <string.h>

#include "setter_json_parts.h"


/* A container that is open. */
typedef struct {
    uint64_t       live;        /* paths that lead through it */
    uint64_t       wanted;      /* paths that want its JSON text */
    uint64_t       number;      /* of the object, or of the next element */
    size_t         start;       /* where its text begins */
    setter_buf_t  *outer;       /* what "out" was before it */
    unsigned       array:1;
} setter_json_level_t;

typedef struct {
    setter_str_t               json;
    const setter_json_path_t  *paths;
    setter_json_value_t       *values;
    setter_buf_t              *rest;
    setter_alloc_t            *alloc;
    setter_json_error_e        error;

    setter_buf_t               text;    /* wanted JSON text */
    setter_buf_t              *out;     /* rest, text, or NULL */

    uint64_t                   all;     /* every path */
    uint64_t                   here;    /* paths that end at the value */
    uint64_t                   below;   /* paths that go on inside it */
    uint64_t                   objects;
    unsigned                   depth;
    setter_json_keys_t         keys;
    setter_json_level_t        levels[SETTER_JSON_MAX_DEPTH];
} setter_json_walker_t;


static int setter_json_null(void *ctx);
static int setter_json_boolean(void *ctx, int value);
static int setter_json_number(void *ctx, const char *data, size_t len);
static int setter_json_text(void *ctx, const unsigned char *data, size_t len);
static int setter_json_key(void *ctx, const unsigned char *data, size_t len);
static int setter_json_map_start(void *ctx);
static int setter_json_array_start(void *ctx);
static int setter_json_map_end(void *ctx);
static int setter_json_array_end(void *ctx);
static int setter_json_scalar(setter_json_walker_t *w,
    setter_json_type_e type, const char *data, size_t len);
static int setter_json_open(setter_json_walker_t *w, int array);
static int setter_json_close(setter_json_walker_t *w, char bracket);
static void setter_json_element(setter_json_walker_t *w);
static void setter_json_match(setter_json_walker_t *w, const char *name,
    size_t len);
static const char *setter_json_segment(const char *path, unsigned n);
static unsigned setter_json_taken(setter_json_walker_t *w);
static void setter_json_set(setter_json_walker_t *w, uint64_t paths,
    setter_json_type_e type, const char *text, size_t len);
static const char *setter_json_copy(setter_json_walker_t *w,
    const char *data, size_t len);
static void setter_json_quote(setter_json_walker_t *w, const char *data,
    size_t len);
static int setter_json_inside(setter_json_walker_t *w, const char *data);
static int setter_json_fail(setter_json_walker_t *w,
    setter_json_error_e error);


static const yajl_callbacks  setter_json_callbacks = {
    setter_json_null,
    setter_json_boolean,
    NULL,                       /* integer: numbers come as text */
    NULL,                       /* double */
    setter_json_number,
    setter_json_text,
    setter_json_map_start,
    setter_json_key,
    setter_json_map_end,
    setter_json_array_start,
    setter_json_array_end
};


setter_json_error_e
setter_json_read(const char *json, size_t len, unsigned flags,
    const setter_json_path_t *paths, size_t npaths,
    setter_json_value_t *values, setter_buf_t *rest, setter_alloc_t *alloc)
{
    setter_json_error_e   error;
    setter_json_walker_t  w;

    if (npaths > 0) {
        memset(values, 0, npaths * sizeof(setter_json_value_t));
    }

    if (len == 0) {
        return SETTER_JSON_SYNTAX;
    }

    w.json.data = json;
    w.json.len = len;
    w.error = SETTER_JSON_OK;

    error = setter_json_scan(&w.json, flags & SETTER_JSON_REPAIR, alloc);

    if (error != SETTER_JSON_OK) {
        return error;
    }

    w.paths = paths;
    w.values = values;
    w.rest = rest;
    w.alloc = alloc;
    w.out = NULL;
    w.all = npaths > 0 ? ~(uint64_t) 0 >> (SETTER_JSON_MAX_PATHS - npaths) : 0;
    w.objects = 0;
    w.depth = 0;

    setter_buf_init(&w.text, alloc, 0);

    if (setter_json_keys_init(&w.keys) != SETTER_OK) {
        return SETTER_JSON_NO_MEMORY;
    }

    error = setter_json_parse(w.json, &setter_json_callbacks, &w);

    setter_json_keys_free(&w.keys);

    if (w.text.failed || (rest != NULL && rest->failed)) {
        return SETTER_JSON_NO_MEMORY;
    }

    return w.error != SETTER_JSON_OK ? w.error : error;
}


const char *
setter_json_strerror(setter_json_error_e error)
{
    switch (error) {

    case SETTER_JSON_OK:
        return "no error";

    case SETTER_JSON_SYNTAX:
        return "not valid JSON";

    case SETTER_JSON_NOT_OBJECT:
        return "not a JSON object";

    case SETTER_JSON_DUPLICATE_KEY:
        return "duplicate key";

    case SETTER_JSON_TOO_DEEP:
        return "nested too deeply";

    case SETTER_JSON_ENCODING:
        return "bad encoding";

    case SETTER_JSON_NO_MEMORY:
        return "out of memory";
    }

    return "unknown error";
}


static int
setter_json_null(void *ctx)
{
    return setter_json_scalar(ctx, SETTER_JSON_NULL, NULL, 0);
}


static int
setter_json_boolean(void *ctx, int value)
{
    return setter_json_scalar(ctx, value ? SETTER_JSON_TRUE
                                         : SETTER_JSON_FALSE, NULL, 0);
}


static int
setter_json_number(void *ctx, const char *data, size_t len)
{
    return setter_json_scalar(ctx, SETTER_JSON_NUMBER, data, len);
}


static int
setter_json_text(void *ctx, const unsigned char *data, size_t len)
{
    return setter_json_scalar(ctx, SETTER_JSON_STRING, (const char *) data,
                              len);
}


static int
setter_json_key(void *ctx, const unsigned char *data, size_t len)
{
    const char            *name;
    setter_json_error_e    error;
    setter_json_walker_t  *w;

    w = ctx;
    name = (const char *) data;

    error = setter_json_keys_add(&w->keys, w->levels[w->depth - 1].number,
                                 name, len);
    if (error != SETTER_JSON_OK) {
        return setter_json_fail(w, error);
    }

    setter_json_match(w, name, len);

    if (w->depth == 1) {
        w->out = setter_json_taken(w) ? NULL : w->rest;
    }

    if (w->out != NULL) {
        setter_json_comma(w->out);
        setter_json_quote(w, name, len);
        setter_buf_byte(w->out, ':');
    }

    return 1;
}


static int
setter_json_map_start(void *ctx)
{
    return setter_json_open(ctx, 0);
}


static int
setter_json_array_start(void *ctx)
{
    return setter_json_open(ctx, 1);
}


static int
setter_json_map_end(void *ctx)
{
    return setter_json_close(ctx, '}');
}


static int
setter_json_array_end(void *ctx)
{
    return setter_json_close(ctx, ']');
}


static int
setter_json_scalar(setter_json_walker_t *w, setter_json_type_e type,
    const char *data, size_t len)
{
    const char           *text;
    setter_json_value_t   value;

    if (w->depth == 0) {
        return setter_json_fail(w, SETTER_JSON_NOT_OBJECT);
    }

    setter_json_element(w);

    if (w->here != 0) {
        text = data;

        if (len > 0 && !setter_json_inside(w, data)) {
            text = setter_json_copy(w, data, len);
            if (text == NULL) {
                return setter_json_fail(w, SETTER_JSON_NO_MEMORY);
            }
        }

        setter_json_set(w, w->here, type, text, len);
    }

    if (w->out != NULL) {
        if (type == SETTER_JSON_STRING) {
            setter_json_quote(w, data, len);

        } else {
            value.type = type;
            value.text.data = data;
            value.text.len = len;
            setter_json_value(w->out, &value);
        }
    }

    return 1;
}


static int
setter_json_open(setter_json_walker_t *w, int array)
{
    uint64_t              bits;
    setter_json_level_t  *level;

    if (w->depth == 0) {
        if (array) {
            return setter_json_fail(w, SETTER_JSON_NOT_OBJECT);
        }

        w->here = 0;
        w->below = w->all;

    } else {
        setter_json_element(w);
    }

    if (w->depth == SETTER_JSON_MAX_DEPTH) {
        return setter_json_fail(w, SETTER_JSON_TOO_DEEP);
    }

    level = &w->levels[w->depth++];
    level->live = w->below;
    level->wanted = 0;
    level->number = array ? 0 : ++w->objects;
    level->outer = w->out;
    level->array = array;

    for (bits = w->here; bits != 0; bits &= bits - 1) {
        if (w->paths[__builtin_ctzll(bits)].flags & SETTER_JSON_TEXT) {
            level->wanted |= bits & -bits;
        }
    }

    setter_json_set(w, w->here, array ? SETTER_JSON_ARRAY
                                      : SETTER_JSON_OBJECT, NULL, 0);

    if (level->wanted != 0 && w->out == NULL) {
        w->out = &w->text;
    }

    if (w->out != NULL) {
        level->start = w->out->len;
        setter_buf_byte(w->out, array ? '[' : '{');
    }

    return 1;
}


static int
setter_json_close(setter_json_walker_t *w, char bracket)
{
    size_t                len;
    const char           *text;
    setter_json_level_t  *level;

    level = &w->levels[--w->depth];

    if (w->depth == 0 || w->out == NULL) {
        return 1;
    }

    setter_buf_byte(w->out, bracket);

    if (level->wanted != 0 && !w->out->failed) {
        text = w->out->data + level->start;
        len = w->out->len - level->start;

        /* rest is the caller's to change */

        if (w->out == w->rest) {
            text = setter_json_copy(w, text, len);
            if (text == NULL) {
                return setter_json_fail(w, SETTER_JSON_NO_MEMORY);
            }
        }

        setter_json_set(w, level->wanted,
                        level->array ? SETTER_JSON_ARRAY : SETTER_JSON_OBJECT,
                        text, len);
    }

    w->out = level->outer;

    return 1;
}


/* A value begins: of an array's element nobody has said yet what it is. */
static void
setter_json_element(setter_json_walker_t *w)
{
    int                   len;
    char                  index[24];
    setter_json_level_t  *level;

    level = &w->levels[w->depth - 1];

    if (!level->array) {
        return;
    }

    w->here = 0;
    w->below = 0;

    if (level->live != 0) {
        len = snprintf(index, sizeof(index), "%llu",
                       (unsigned long long) level->number);
        setter_json_match(w, index, len);
    }

    level->number++;

    if (w->out != NULL) {
        setter_json_comma(w->out);
    }
}


/* Which of the paths that lead here go on with this name or index? */
static void
setter_json_match(setter_json_walker_t *w, const char *name, size_t len)
{
    size_t       n;
    uint64_t     bits;
    const char  *segment;

    w->here = 0;
    w->below = 0;

    for (bits = w->levels[w->depth - 1].live; bits != 0; bits &= bits - 1) {

        segment = setter_json_segment(w->paths[__builtin_ctzll(bits)].path,
                                      w->depth - 1);

        for (n = 0; n < len; n++) {
            if (segment[n] != name[n] || name[n] == '.') {
                break;
            }
        }

        if (n < len) {
            continue;
        }

        if (segment[n] == '\0') {
            w->here |= bits & -bits;

        } else if (segment[n] == '.') {
            w->below |= bits & -bits;
        }
    }
}


/* The n-th part of a path that has it. */
static const char *
setter_json_segment(const char *path, unsigned n)
{
    while (n > 0) {
        if (*path++ == '.') {
            n--;
        }
    }

    return path;
}


/* Is there a path that takes the member itself out of rest? */
static unsigned
setter_json_taken(setter_json_walker_t *w)
{
    uint64_t  bits;

    for (bits = w->here; bits != 0; bits &= bits - 1) {
        if (!(w->paths[__builtin_ctzll(bits)].flags & SETTER_JSON_KEEP)) {
            return 1;
        }
    }

    return 0;
}


static void
setter_json_set(setter_json_walker_t *w, uint64_t paths,
    setter_json_type_e type, const char *text, size_t len)
{
    setter_json_value_t  *value;

    for ( /* void */ ; paths != 0; paths &= paths - 1) {
        value = &w->values[__builtin_ctzll(paths)];
        value->type = type;
        value->text.data = text;
        value->text.len = len;
    }
}


static const char *
setter_json_copy(setter_json_walker_t *w, const char *data, size_t len)
{
    char  *copy;

    copy = w->alloc->get(w->alloc->owner, len);

    if (copy != NULL) {
        memcpy(copy, data, len);
    }

    return copy;
}


/* A string that stands in the document needs no other escapes than there. */
static void
setter_json_quote(setter_json_walker_t *w, const char *data, size_t len)
{
    if (setter_json_inside(w, data)) {
        setter_buf_append(w->out, data - 1, len + 2);

    } else {
        setter_json_string(w->out, data, len);
    }
}


static int
setter_json_inside(setter_json_walker_t *w, const char *data)
{
    return (uintptr_t) data - (uintptr_t) w->json.data < w->json.len;
}


static int
setter_json_fail(setter_json_walker_t *w, setter_json_error_e error)
{
    w->error = error;

    return 0;
}
