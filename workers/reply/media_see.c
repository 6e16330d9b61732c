/*
 * Images, as the model is given them.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "reply/media.h"
#include "reply/media_store.h"
#include "runtime/log.h"


static int media_url(turn_t *turn, const turn_image_t *image,
    setter_str_t *url, arena_t *arena);


const setter_str_t *
media_see(turn_t *turn, const turn_job_t *job, arena_t *arena, size_t *n)
{
    size_t         i;
    setter_str_t  *urls;

    *n = 0;
    urls = arena_get(arena, job->nimages * sizeof(setter_str_t) + 1);

    for (i = 0; urls != NULL && i < job->nimages; i++) {
        if (media_url(turn, &job->images[i], &urls[*n], arena) == 0) {
            (*n)++;

        } else {
            log_warn("an image cannot be read", "tenant", turn->tenant,
                     "job", job->id, "path", job->images[i].path);
        }
    }

    return urls;
}


/* "data:image/png;base64,…".  0, or -1. */
static int
media_url(turn_t *turn, const turn_image_t *image, setter_str_t *url,
    arena_t *arena)
{
    char                    *text, *data;
    size_t                   head, len;
    const media_settings_t  *settings;

    settings = &turn->worker->media;

    data = media_load(settings->dir, image->path,
                      (size_t) settings->image_bytes, &len);
    if (data == NULL) {
        return -1;
    }

    head = sizeof("data:;base64,") - 1 + strlen(image->type);
    text = arena_get(arena, head + 4 * ((len + 2) / 3) + 1);

    if (text != NULL) {
        snprintf(text, head + 1, "data:%s;base64,", image->type);
        url->data = text;
        url->len = head
                   + (size_t) EVP_EncodeBlock((unsigned char *) text + head,
                                              (const unsigned char *) data,
                                              (int) len);
    }

    free(data);

    return text != NULL ? 0 : -1;
}
