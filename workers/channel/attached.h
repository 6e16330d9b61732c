/*
 * What a message has beside its text: a file, which the provider fetches by
 * its URL, or buttons, of which the person may press one.
 */

#ifndef CHANNEL_ATTACHED_H
#define CHANNEL_ATTACHED_H

#include "channel/channel.h"


#define ATTACHED_BUTTONS  3         /* at most */

typedef enum {
    ATTACHED_IMAGE = 0,
    ATTACHED_VIDEO,
    ATTACHED_AUDIO,
    ATTACHED_DOCUMENT
} attached_type_e;

struct channel_attached_s {
    attached_type_e  type;          /* of a file */
    setter_str_t     type_name;     /* "image" */
    setter_str_t     url;           /* len 0: there is none */
    setter_str_t     filename;      /* of a document; len 0: none */

    size_t           nbuttons;
    struct {
        setter_str_t  id, title;
    }                buttons[ATTACHED_BUTTONS];
};

/*
 * Reads {"media":{"type":…,"url":…,"filename":…}} or
 * {"buttons":[{"id":…,"title":…}]}, whose texts are json's or the arena's.
 * NULL, or what is wrong, by the field's name.
 */
const char *attached_read(channel_attached_t *attached, setter_str_t json,
    arena_t *arena);


#endif /* CHANNEL_ATTACHED_H */
