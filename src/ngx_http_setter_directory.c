#include "ngx_http_setter_directory.h"
#include "setter_digest.h"


#define NGX_HTTP_SETTER_DIRECTORY_WAYS    8     /* places for a field */

/* ms until a place that somebody writes is taken to be left */
#define NGX_HTTP_SETTER_DIRECTORY_STUCK   1000


typedef struct {
    ngx_atomic_t   version;     /* odd: is being written */
    ngx_atomic_t   at;          /* ngx_current_msec, never 0; 0: empty */
    uint64_t       digest[2];   /* of the field */
    size_t         len;
    u_char         value[];
} ngx_http_setter_directory_place_t;


static ngx_int_t ngx_http_setter_directory_digest(ngx_str_t *field,
    uint64_t digest[2]);
static ngx_http_setter_directory_place_t *ngx_http_setter_directory_place(
    ngx_http_setter_directory_t *directory, uint64_t digest[2],
    ngx_uint_t way);
static ngx_http_setter_directory_place_t *ngx_http_setter_directory_choose(
    ngx_http_setter_directory_t *directory, uint64_t digest[2]);
static ngx_msec_t ngx_http_setter_directory_age(
    ngx_http_setter_directory_place_t *place);


void
ngx_http_setter_directory_init(ngx_http_setter_directory_t *directory,
    u_char *memory, size_t size, size_t max)
{
    directory->places = memory;
    directory->max = max;
    directory->size = ngx_align(sizeof(ngx_http_setter_directory_place_t)
                                + max, sizeof(ngx_atomic_t));
    directory->nsets = size / (NGX_HTTP_SETTER_DIRECTORY_WAYS
                               * directory->size);
}


ngx_int_t
ngx_http_setter_directory_get(ngx_http_setter_directory_t *directory,
    ngx_str_t *field, ngx_pool_t *pool, ngx_str_t *value, ngx_msec_t *age)
{
    size_t                              len;
    uint64_t                            digest[2];
    ngx_uint_t                          way;
    ngx_atomic_uint_t                   version;
    ngx_http_setter_directory_place_t  *place;

    if (directory->nsets == 0) {
        return NGX_AGAIN;
    }

    if (ngx_http_setter_directory_digest(field, digest) != NGX_OK) {
        return NGX_ERROR;
    }

    for (way = 0; way < NGX_HTTP_SETTER_DIRECTORY_WAYS; way++) {
        place = ngx_http_setter_directory_place(directory, digest, way);

        version = place->version;
        ngx_memory_barrier();

        len = place->len;

        if ((version & 1)
            || place->at == 0
            || place->digest[0] != digest[0]
            || place->digest[1] != digest[1]
            || len > directory->max)
        {
            continue;
        }

        value->data = ngx_pnalloc(pool, len + 1);
        if (value->data == NULL) {
            return NGX_ERROR;
        }

        value->len = len;
        ngx_memcpy(value->data, place->value, len);
        *age = ngx_http_setter_directory_age(place);

        ngx_memory_barrier();

        return (place->version == version) ? NGX_OK : NGX_AGAIN;
    }

    return NGX_AGAIN;
}


void
ngx_http_setter_directory_put(ngx_http_setter_directory_t *directory,
    ngx_str_t *field, ngx_str_t *value)
{
    uint64_t                            digest[2];
    ngx_atomic_uint_t                   version, writing;
    ngx_http_setter_directory_place_t  *place;

    if (directory->nsets == 0
        || value->len > directory->max
        || ngx_http_setter_directory_digest(field, digest) != NGX_OK)
    {
        return;
    }

    place = ngx_http_setter_directory_choose(directory, digest);
    version = place->version;
    writing = (version + 2) | 1;

    if (((version & 1)
         && ngx_http_setter_directory_age(place)
            < NGX_HTTP_SETTER_DIRECTORY_STUCK)
        || !ngx_atomic_cmp_set(&place->version, version, writing))
    {
        /* another writes it, who knows as much */
        return;
    }

    ngx_memory_barrier();

    place->at = ngx_current_msec | 1;
    place->digest[0] = digest[0];
    place->digest[1] = digest[1];
    place->len = value->len;
    ngx_memcpy(place->value, value->data, value->len);

    ngx_memory_barrier();

    place->version = writing + 1;
}


/* Of 128 bits: that others have the same need not be feared. */

static ngx_int_t
ngx_http_setter_directory_digest(ngx_str_t *field, uint64_t digest[2])
{
    setter_str_t   text;
    unsigned char  sha[SETTER_DIGEST];

    text.data = (char *) field->data;
    text.len = field->len;

    if (setter_digest(sha, &text, 1) != SETTER_OK) {
        return NGX_ERROR;
    }

    ngx_memcpy(digest, sha, 2 * sizeof(uint64_t));

    return NGX_OK;
}


static ngx_http_setter_directory_place_t *
ngx_http_setter_directory_place(ngx_http_setter_directory_t *directory,
    uint64_t digest[2], ngx_uint_t way)
{
    ngx_uint_t  n;

    n = (digest[0] % directory->nsets) * NGX_HTTP_SETTER_DIRECTORY_WAYS + way;

    return (ngx_http_setter_directory_place_t *)
               (directory->places + n * directory->size);
}


/* The field's own place, an empty one, or the oldest one's. */

static ngx_http_setter_directory_place_t *
ngx_http_setter_directory_choose(ngx_http_setter_directory_t *directory,
    uint64_t digest[2])
{
    ngx_uint_t                          way;
    ngx_http_setter_directory_place_t  *place, *best;

    best = NULL;

    for (way = 0; way < NGX_HTTP_SETTER_DIRECTORY_WAYS; way++) {
        place = ngx_http_setter_directory_place(directory, digest, way);

        if (place->at == 0) {
            best = (best == NULL || best->at) ? place : best;
            continue;
        }

        if (place->digest[0] == digest[0] && place->digest[1] == digest[1]) {
            return place;
        }

        if (best == NULL
            || (best->at && ngx_http_setter_directory_age(place)
                            > ngx_http_setter_directory_age(best)))
        {
            best = place;
        }
    }

    return best;
}


static ngx_msec_t
ngx_http_setter_directory_age(ngx_http_setter_directory_place_t *place)
{
    ngx_msec_t  at;

    at = place->at;

    /* another process may have looked at its clock later than this one */

    return (ngx_msec_int_t) (ngx_current_msec - at) > 0
           ? ngx_current_msec - at : 0;
}
