/*
 * Files that messages bring, fetched from the provider.  Their URLs are in
 * the message, so each request goes by egress.h; no credential goes to a host
 * that is not the provider's.
 */

#ifndef CHANNEL_MEDIA_H
#define CHANNEL_MEDIA_H

#include "channel/channel.h"


#define CHANNEL_MEDIA_FILES  10     /* of a message, at most */

/* A file, as a message tells of it. */
typedef struct {
    setter_str_t  id;               /* with the provider, or empty */
    setter_str_t  url;              /* or empty */
    setter_str_t  type;             /* MIME, or empty */
} channel_media_t;

struct channel_media_way_s {
    /*
     * Ends of the hosts' names that get the credential, ".twilio.com", a blank
     * between them; beside these the account's base_url has the right to it.
     */
    const char   *hosts;

    /* "Authorization: …", or NULL: no memory. */
    const char *(*credential)(const channel_account_t *account,
        arena_t *arena);

    /* Files are asked for by id: /ID tells the "url" (Meta). */
    unsigned      by_id:1;

    /* The answer may be the URL of a storage, which gets no credential. */
    unsigned      redirects:1;
};

typedef enum {
    CHANNEL_MEDIA_OK = 0,
    CHANNEL_MEDIA_AGAIN,            /* transient */
    CHANNEL_MEDIA_NEVER,            /* gone, too large, forbidden, … */
    CHANNEL_MEDIA_CANCELLED
} channel_media_e;

typedef struct {
    channel_media_e  result;
    setter_str_t     data;          /* in the arena */
    setter_str_t     type;          /* MIME without parameters, in lower case;
                                       empty: nobody said */
    char             reason[160];
} channel_file_t;


/*
 * The files of what an envelope has as "media", an object or an array of them:
 * members id, url or payload.url, and mime_type or type, a MIME type.  How
 * many, at most CHANNEL_MEDIA_FILES, or -1: no memory.
 */
int channel_media_read(setter_str_t json, channel_media_t *media,
    arena_t *arena);

/* Fetches one of up to max bytes.  Returns file->result. */
channel_media_e channel_media_fetch(const channel_t *channel,
    const channel_account_t *account, const channel_media_t *media,
    size_t max, int64_t timeout_ms, channel_file_t *file, arena_t *arena);

/*
 * 1 where the URL's host may see the account's credential: for
 * channel_media_fetch(), and its test.
 */
int channel_media_trusted(const channel_media_way_t *way,
    const channel_account_t *account, const char *url);


#endif /* CHANNEL_MEDIA_H */
