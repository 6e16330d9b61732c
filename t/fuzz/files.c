/*
 * What messages have beside their text: the files that one brings, and the
 * file or buttons of one that somebody has us send.
 */

#include "channel/attached.h"
#include "channel/media.h"
#include "channel/provider.h"
#include "fuzz.h"


static void check_media(setter_str_t json, arena_t *arena);
static void check_attached(setter_str_t json, arena_t *arena);
static void check_url(setter_str_t url, arena_t *arena);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena_t        *arena;
    setter_str_t    json;
    fuzz_memory_t   memory;

    json = fuzz_text(fuzz_memory(&memory, 0), data, size);
    arena = arena_create();
    fuzz_holds(arena != NULL);

    check_media(json, arena);
    check_attached(json, arena);
    check_url(json, arena);

    arena_destroy(arena);
    fuzz_forget(&memory);

    return 0;
}


static void
check_media(setter_str_t json, arena_t *arena)
{
    int              i, n;
    size_t           j;
    channel_media_t  media[CHANNEL_MEDIA_FILES];

    n = channel_media_read(json, media, arena);
    fuzz_holds(n >= 0 && n <= CHANNEL_MEDIA_FILES);

    for (i = 0; i < n; i++) {
        fuzz_holds(media[i].id.len + media[i].url.len > 0);

        /* it becomes part of a path, a header and a record */
        for (j = 0; j < media[i].type.len; j++) {
            fuzz_holds(media[i].type.data[j] > ' '
                       && media[i].type.data[j] <= '~'
                       && media[i].type.data[j] != ';');
        }

        check_url(media[i].url, arena);
    }
}


static void
check_attached(setter_str_t json, arena_t *arena)
{
    size_t              i;
    channel_attached_t  attached;

    if (attached_read(&attached, json, arena) != NULL) {
        return;
    }

    fuzz_holds(attached.nbuttons <= ATTACHED_BUTTONS);
    fuzz_holds((attached.nbuttons > 0) == (attached.url.len == 0));

    for (i = 0; i < attached.nbuttons; i++) {
        fuzz_holds(attached.buttons[i].id.len > 0
                   && attached.buttons[i].title.len > 0);
    }
}


/* A credential goes to no host that merely looks like the provider's. */
static void
check_url(setter_str_t url, arena_t *arena)
{
    size_t             len, host;
    const char        *text, *from;
    channel_account_t  account = { .base_url = "https://api.twilio.com" };

    text = arena_copy(arena, url.data, url.len);
    fuzz_holds(text != NULL);

    if (!channel_media_trusted(channel_twilio.media, &account, text)) {
        return;
    }

    fuzz_holds(strncasecmp(text, "https://", 8) == 0);
    from = text + 8;
    len = strcspn(from, "/?#\\");
    host = strlen("twilio.com");
    fuzz_holds(memchr(from, '@', len) == NULL);
    fuzz_holds(len > host
               && strncasecmp(from + len - host, "twilio.com", host) == 0
               && from[len - host - 1] == '.');
}
