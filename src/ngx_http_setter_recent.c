#include "ngx_http_setter_recent.h"


#define NGX_HTTP_SETTER_RECENT_PLACES  1024

/* ms for which a yes does not give way to the no of something else */
#define NGX_HTTP_SETTER_RECENT_KEPT    2000


typedef struct {
    u_char         digest[NGX_HTTP_SETTER_RECENT_DIGEST];
    ngx_msec_t     at;
    unsigned       taken:1;
    unsigned       yes:1;
} ngx_http_setter_recent_place_t;


struct ngx_http_setter_recent_s {
    ngx_http_setter_recent_place_t   places[NGX_HTTP_SETTER_RECENT_PLACES];
};


static ngx_http_setter_recent_place_t *ngx_http_setter_recent_place(
    ngx_http_setter_recent_t *recent, const u_char *digest);
static ngx_uint_t ngx_http_setter_recent_is(
    ngx_http_setter_recent_place_t *place, const u_char *digest);


ngx_http_setter_recent_t *
ngx_http_setter_recent_create(ngx_pool_t *pool)
{
    return ngx_pcalloc(pool, sizeof(ngx_http_setter_recent_t));
}


ngx_int_t
ngx_http_setter_recent_get(ngx_http_setter_recent_t *recent,
    const u_char *digest, ngx_msec_t *age)
{
    ngx_http_setter_recent_place_t  *place;

    place = ngx_http_setter_recent_place(recent, digest);

    if (!ngx_http_setter_recent_is(place, digest)) {
        return NGX_AGAIN;
    }

    *age = ngx_current_msec - place->at;

    return place->yes ? NGX_OK : NGX_DECLINED;
}


/* Who guesses gets many a no: they do not drive out what is in use. */

void
ngx_http_setter_recent_put(ngx_http_setter_recent_t *recent,
    const u_char *digest, ngx_uint_t yes)
{
    ngx_http_setter_recent_place_t  *place;

    place = ngx_http_setter_recent_place(recent, digest);

    if (!yes
        && place->yes
        && ngx_current_msec - place->at < NGX_HTTP_SETTER_RECENT_KEPT
        && !ngx_http_setter_recent_is(place, digest))
    {
        return;
    }

    ngx_memcpy(place->digest, digest, NGX_HTTP_SETTER_RECENT_DIGEST);
    place->at = ngx_current_msec;
    place->taken = 1;
    place->yes = yes;
}


static ngx_http_setter_recent_place_t *
ngx_http_setter_recent_place(ngx_http_setter_recent_t *recent,
    const u_char *digest)
{
    return &recent->places[(digest[0] << 8 | digest[1])
                           % NGX_HTTP_SETTER_RECENT_PLACES];
}


static ngx_uint_t
ngx_http_setter_recent_is(ngx_http_setter_recent_place_t *place,
    const u_char *digest)
{
    return place->taken
           && ngx_memcmp(place->digest, digest, NGX_HTTP_SETTER_RECENT_DIGEST)
              == 0;
}
