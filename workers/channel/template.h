/*
 * Templates: messages whose text the provider has approved before, and which
 * may therefore be sent at any time.
 */

#ifndef CHANNEL_TEMPLATE_H
#define CHANNEL_TEMPLATE_H

#include "channel/channel.h"
#include "setter_buf.h"


#define TEMPLATE_MAX_NAME        512    /* bytes */
#define TEMPLATE_MAX_LANGUAGE    16
#define TEMPLATE_MAX_PARAMETERS  100

struct channel_template_s {
    setter_str_t  name;             /* with Twilio the content's SID */
    setter_str_t  language;         /* "en_US" */
    setter_str_t  parameters;       /* of its body: JSON array of strings;
                                       len 0: none */
};

/*
 * Reads {"name":…,"language":…,"parameters":[…]} into *template, whose texts
 * are json's or the arena's.  NULL, or what is wrong, by the field's name.
 */
const char *template_read(channel_template_t *template, setter_str_t json,
    arena_t *arena);

/* The next parameter, JSON text of a string: 1, or 0 when there is none. */
int template_next(setter_str_t *parameters, setter_str_t *parameter);


#endif /* CHANNEL_TEMPLATE_H */
