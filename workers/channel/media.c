#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "channel/media.h"
#include "runtime/http.h"
#include "runtime/loop.h"
#include "setter_json.h"


#define MEDIA_INFO_MAX  (64 * 1024)     /* bytes of what tells a file's URL */
#define MEDIA_URL_MAX   4096


enum {
    MEDIA_ID,
    MEDIA_URL,
    MEDIA_PAYLOAD_URL,
    MEDIA_MIME_TYPE,
    MEDIA_TYPE,
    MEDIA_NPATHS
};

static const setter_json_path_t  media_paths[MEDIA_NPATHS] = {
    { "id", 0 },
    { "url", 0 },
    { "payload.url", 0 },
    { "mime_type", 0 },
    { "type", 0 },
};

/* Whose word a URL is, and so where it may lead and what is shown there. */
typedef enum {
    MEDIA_ASKS = 0,                 /* the account's API */
    MEDIA_NAMED,                    /* the message's, or the provider's */
    MEDIA_STORED                    /* a redirect's */
} media_get_e;

/* One fetch: its requests share the time. */
typedef struct {
    const channel_media_way_t  *way;
    const channel_account_t    *account;
    size_t                      max;
    int64_t                     deadline;   /* loop_now_ms() scale */
    channel_file_t             *file;
    arena_t                    *arena;
} media_fetch_t;


static int media_read_one(setter_str_t json, channel_media_t *media,
    arena_t *arena);
static const char *media_url(media_fetch_t *fetch,
    const channel_media_t *media);
static const char *media_url_of(media_fetch_t *fetch, setter_str_t id);
static const char *media_keep(media_fetch_t *fetch, setter_str_t url);
static int media_get(media_fetch_t *fetch, const char *url,
    media_get_e what, size_t max, http_response_t *response);
static int media_judge(media_fetch_t *fetch,
    const http_response_t *response);
static channel_media_e media_judge_transport(http_error_e error);
static void media_take(media_fetch_t *fetch, const channel_media_t *media,
    const http_response_t *response);
static setter_str_t media_type(setter_str_t type, arena_t *arena);
static setter_str_t media_host(const char *url);
static int media_ends(setter_str_t host, const char *end, size_t len);
static const char *media_stop(media_fetch_t *fetch, channel_media_e result,
    const char *reason);


int
channel_media_read(setter_str_t json, channel_media_t *media, arena_t *arena)
{
    int           n, rc;
    setter_str_t  rest, one;

    if (json.len == 0 || json.data[0] != '[') {
        return media_read_one(json, media, arena);
    }

    rest = json;
    n = 0;

    while (n < CHANNEL_MEDIA_FILES && setter_json_next(&rest, &one)) {
        rc = media_read_one(one, &media[n], arena);
        if (rc == -1) {
            return -1;
        }

        n += rc;
    }

    return n;
}


/* 1; 0: it tells of no file; -1: no memory. */
static int
media_read_one(setter_str_t json, channel_media_t *media, arena_t *arena)
{
    size_t               i;
    setter_json_error_e  error;
    setter_json_value_t  values[MEDIA_NPATHS], *mime;

    error = setter_json_read(json.data, json.len, SETTER_JSON_REPAIR,
                             media_paths, MEDIA_NPATHS, values, NULL,
                             arena_alloc(arena));

    if (error != SETTER_JSON_OK) {
        return error == SETTER_JSON_NO_MEMORY ? -1 : 0;
    }

    for (i = 0; i < MEDIA_NPATHS; i++) {
        if (values[i].type != SETTER_JSON_STRING) {
            values[i].text.len = 0;
        }
    }

    mime = &values[values[MEDIA_MIME_TYPE].text.len > 0 ? MEDIA_MIME_TYPE
                                                        : MEDIA_TYPE];

    media->id = values[MEDIA_ID].text;
    media->url = values[MEDIA_URL].text.len > 0
                 ? values[MEDIA_URL].text : values[MEDIA_PAYLOAD_URL].text;
    memset(&media->type, 0, sizeof(media->type));

    /* else it is the provider's word: "VOICE" */
    if (mime->text.len > 0
        && memchr(mime->text.data, '/', mime->text.len) != NULL)
    {
        media->type = media_type(mime->text, arena);
    }

    return media->id.len > 0 || media->url.len > 0;
}


channel_media_e
channel_media_fetch(const channel_t *channel,
    const channel_account_t *account, const channel_media_t *media,
    size_t max, int64_t timeout_ms, channel_file_t *file, arena_t *arena)
{
    const char       *url;
    media_fetch_t     fetch = { channel->media, account, max, 0, file, arena };
    http_response_t   response;

    memset(file, 0, sizeof(channel_file_t));
    fetch.deadline = loop_now_ms() + timeout_ms;
    url = media_url(&fetch, media);

    if (url == NULL
        || media_get(&fetch, url, MEDIA_NAMED, max, &response) != 0)
    {
        return file->result;
    }

    if (fetch.way != NULL && fetch.way->redirects
        && response.status / 100 == 3 && response.location != NULL
        && media_get(&fetch, response.location, MEDIA_STORED, max,
                     &response) != 0)
    {
        return file->result;
    }

    if (media_judge(&fetch, &response) == 0) {
        media_take(&fetch, media, &response);
    }

    return file->result;
}


/* NULL: the file says why there is none. */
static const char *
media_url(media_fetch_t *fetch, const channel_media_t *media)
{
    if (fetch->way != NULL && fetch->way->by_id && media->id.len > 0) {
        return media_url_of(fetch, media->id);
    }

    if (media->url.len == 0) {
        return media_stop(fetch, CHANNEL_MEDIA_NEVER, "it has no URL");
    }

    return media_keep(fetch, media->url);
}


/* What the provider tells of the file of that id. */
static const char *
media_url_of(media_fetch_t *fetch, setter_str_t id)
{
    size_t               i;
    const char          *url;
    http_response_t      response;
    setter_json_value_t  value;

    static const setter_json_path_t  path = { "url", 0 };

    for (i = 0; i < id.len && isdigit((unsigned char) id.data[i]); i++) {
        /* void */
    }

    if (i < id.len || fetch->account->base_url == NULL) {
        return media_stop(fetch, CHANNEL_MEDIA_NEVER, "it has no such id");
    }

    url = arena_printf(fetch->arena, "%s/%.*s", fetch->account->base_url,
                       (int) id.len, id.data);

    if (url == NULL) {
        return media_stop(fetch, CHANNEL_MEDIA_AGAIN, "no memory");
    }

    if (media_get(fetch, url, MEDIA_ASKS, MEDIA_INFO_MAX, &response) != 0
        || media_judge(fetch, &response) != 0)
    {
        return NULL;
    }

    if (setter_json_read(response.body, response.body_len,
                         SETTER_JSON_REPAIR, &path, 1, &value, NULL,
                         arena_alloc(fetch->arena))
        != SETTER_JSON_OK
        || value.text.len == 0)
    {
        return media_stop(fetch, CHANNEL_MEDIA_AGAIN,
                          "the provider told no URL");
    }

    return media_keep(fetch, value.text);
}


static const char *
media_keep(media_fetch_t *fetch, setter_str_t url)
{
    const char  *kept;

    if (url.len > MEDIA_URL_MAX) {
        return media_stop(fetch, CHANNEL_MEDIA_NEVER, "its URL is too long");
    }

    kept = arena_copy(fetch->arena, url.data, url.len);

    return kept != NULL ? kept
           : media_stop(fetch, CHANNEL_MEDIA_AGAIN, "no memory");
}


/* 0, or -1: the file says why. */
static int
media_get(media_fetch_t *fetch, const char *url, media_get_e what,
    size_t max, http_response_t *response)
{
    const char      *headers[2] = { NULL };
    http_request_t   request;

    memset(&request, 0, sizeof(request));

    if (what != MEDIA_STORED && fetch->way != NULL
        && channel_media_trusted(fetch->way, fetch->account, url))
    {
        headers[0] = fetch->way->credential(fetch->account, fetch->arena);

        if (headers[0] == NULL) {
            media_stop(fetch, CHANNEL_MEDIA_AGAIN, "no memory");
            return -1;
        }
    }

    request.method = "GET";
    request.url = url;
    request.headers = headers;
    request.max_body = max;
    request.timeout_ms = fetch->deadline - loop_now_ms();
    request.egress = what != MEDIA_ASKS || fetch->account->egress;

    if (http_call(&request, response, fetch->arena) == HTTP_OK) {
        return 0;
    }

    media_stop(fetch, media_judge_transport(response->error),
               response->reason);

    return -1;
}


static channel_media_e
media_judge_transport(http_error_e error)
{
    switch (error) {

    case HTTP_CANCELLED:
        return CHANNEL_MEDIA_CANCELLED;

    case HTTP_TOO_LARGE:
    case HTTP_FORBIDDEN:
        return CHANNEL_MEDIA_NEVER;

    default:
        return CHANNEL_MEDIA_AGAIN;
    }
}


/* 0, or -1: the file says why. */
static int
media_judge(media_fetch_t *fetch, const http_response_t *response)
{
    char  reason[64];

    if (response->status == 200 && response->body_len > 0) {
        return 0;
    }

    snprintf(reason, sizeof(reason), "the provider answered %ld",
             response->status);
    media_stop(fetch, response->status / 100 == 5 || response->status == 429
                      || response->status == 408
                      ? CHANNEL_MEDIA_AGAIN : CHANNEL_MEDIA_NEVER, reason);

    return -1;
}


/* What the server says of the type counts, where it says more than nothing. */
static void
media_take(media_fetch_t *fetch, const channel_media_t *media,
    const http_response_t *response)
{
    setter_str_t     type = { 0, NULL };
    channel_file_t  *file;

    file = fetch->file;
    file->result = CHANNEL_MEDIA_OK;
    file->data.data = response->body;
    file->data.len = response->body_len;

    if (response->type != NULL) {
        type.data = response->type;
        type.len = strlen(type.data);
        type = media_type(type, fetch->arena);
    }

    file->type = type.len == 0
                 || setter_str_is(type, "application/octet-stream")
                 || setter_str_is(type, "binary/octet-stream")
                 ? media->type : type;
}


/* "audio/ogg; codecs=opus" is "audio/ogg". */
static setter_str_t
media_type(setter_str_t type, arena_t *arena)
{
    char          *copy;
    size_t         i;
    setter_str_t   none = { 0, NULL };

    copy = arena_copy(arena, type.data, type.len);
    if (copy == NULL) {
        return none;
    }

    for (i = 0; i < type.len && copy[i] != ';' && copy[i] > ' '
                && copy[i] <= '~'; i++)
    {
        copy[i] = (char) tolower((unsigned char) copy[i]);
    }

    copy[i] = '\0';

    return (setter_str_t) { i, copy };
}


int
channel_media_trusted(const channel_media_way_t *way,
    const channel_account_t *account, const char *url)
{
    size_t        len;
    const char   *end;
    setter_str_t  host, own;

    host = media_host(url);
    own = media_host(account->base_url != NULL ? account->base_url : "");

    if (host.len == 0) {
        return 0;
    }

    /* the same scheme, host and port */
    if (host.len == own.len && host.data - url == own.data - account->base_url
        && strncasecmp(url, account->base_url,
                       (size_t) (own.data - account->base_url) + own.len)
           == 0)
    {
        return 1;
    }

    /* not in the clear, but to who is named by the configuration */
    if (strncasecmp(url, "https://", 8) != 0) {
        return 0;
    }

    for (end = way->hosts; *end != '\0'; end += len + (end[len] == ' ')) {
        len = strcspn(end, " ");

        if (media_ends(host, end, len)) {
            return 1;
        }
    }

    return 0;
}


/* With its port; empty: the URL has a user, or no host. */
static setter_str_t
media_host(const char *url)
{
    setter_str_t  host = { 0, NULL };

    url = strstr(url, "://");
    if (url == NULL) {
        return host;
    }

    host.data = url + 3;
    host.len = strcspn(host.data, "/?#\\");

    if (memchr(host.data, '@', host.len) != NULL) {
        host.len = 0;
    }

    return host;
}


static int
media_ends(setter_str_t host, const char *end, size_t len)
{
    return host.len > len
           && strncasecmp(host.data + host.len - len, end, len) == 0;
}


static const char *
media_stop(media_fetch_t *fetch, channel_media_e result, const char *reason)
{
    fetch->file->result = result;
    snprintf(fetch->file->reason, sizeof(fetch->file->reason), "%s", reason);

    return NULL;
}
