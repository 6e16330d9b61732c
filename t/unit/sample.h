/*
 * The providers' samples in t/data, as responses.
 */

#ifndef SAMPLE_H
#define SAMPLE_H

#include "unit.h"

#include <glob.h>
#include <stdio.h>

#include "runtime/http.h"
#include "setter_json.h"


/* A file's text in the arena; NULL where there is none. */
static inline char *
sample_read(arena_t *arena, const char *path, size_t *len)
{
    char  *text;
    FILE  *file;

    file = fopen(path, "r");
    if (file == NULL) {
        return NULL;
    }

    text = arena_get(arena, 65536);
    *len = fread(text, 1, 65535, file);
    text[*len] = '\0';
    fclose(file);

    return text;
}


/* The number behind a header's name, or -1. */
static inline long
sample_header(const char *headers, const char *name)
{
    const char  *p;

    p = strcasestr(headers, name);

    return p != NULL ? strtol(p + strlen(name), NULL, 10) : -1;
}


/*
 * Reads t/data/<name>.response.json (or .body) and its .headers; without
 * those the status is 200.
 */
static inline void
sample_response(arena_t *arena, const char *name, http_response_t *response)
{
    long         seconds;
    char        *headers;
    size_t       len;
    const char  *base;

    memset(response, 0, sizeof(http_response_t));
    base = arena_printf(arena, "t/data/%s.response", name);

    response->body = sample_read(arena, arena_printf(arena, "%s.json", base),
                                 &response->body_len);
    if (response->body == NULL) {
        response->body = sample_read(arena,
                                     arena_printf(arena, "%s.body", base),
                                     &response->body_len);
    }
    assert_non_null(response->body);

    response->status = 200;
    response->retry_after_ms = -1;
    headers = sample_read(arena, arena_printf(arena, "%s.headers", base),
                          &len);

    if (headers == NULL) {
        return;
    }

    response->status = strtol(headers + strlen("HTTP/1.1 "), NULL, 10);
    response->retry_after_ms = sample_header(headers, "\nretry-after-ms: ");
    seconds = sample_header(headers, "\nretry-after: ");

    if (response->retry_after_ms < 0 && seconds >= 0) {
        response->retry_after_ms = seconds * 1000;
    }
}


/* A response made up on the spot. */
static inline void
sample_make(long status, const char *body, http_response_t *response)
{
    memset(response, 0, sizeof(http_response_t));
    response->status = status;
    response->body = body;
    response->body_len = strlen(body);
    response->retry_after_ms = -1;
}


/*
 * The body has the same members and values as t/data/<name>.request.json, in
 * whatever order; at most 8.
 */
static inline void
sample_request(arena_t *arena, const char *name, const setter_buf_t *body,
    const setter_json_path_t *paths, size_t n)
{
    size_t                i, len = 0;
    char                 *sample;
    setter_json_value_t   wanted[8], values[8];

    assert_false(body->failed);
    assert_true(n <= 8);
    sample = sample_read(arena, arena_printf(arena, "t/data/%s.request.json",
                                             name), &len);
    assert_non_null(sample);

    assert_int_equal(setter_json_read(sample, len, 0, paths, n, wanted, NULL,
                                      arena_alloc(arena)), SETTER_JSON_OK);
    assert_int_equal(setter_json_read(body->data, body->len, 0, paths, n,
                                      values, NULL, arena_alloc(arena)),
                     SETTER_JSON_OK);

    for (i = 0; i < n; i++) {
        print_message("# %s: %s\n", name, paths[i].path);
        assert_int_equal(values[i].type, wanted[i].type);
        assert_int_equal(values[i].text.len, wanted[i].text.len);
        assert_memory_equal(values[i].text.data, wanted[i].text.data,
                            wanted[i].text.len);
    }
}


/* How many responses there are: a test's table has to name them all. */
static inline size_t
sample_count(const char *provider)
{
    size_t  n;
    char    pattern[80];
    glob_t  found;

    snprintf(pattern, sizeof(pattern), "t/data/%s/*.response.[jb]*",
             provider);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    n = found.gl_pathc;
    globfree(&found);

    return n;
}


/* A JSON file without the white space between its tokens: its length. */
static inline size_t
sample_compact(arena_t *arena, const char *path, char **text)
{
    char    *p, *q;
    size_t   len = 0;

    *text = sample_read(arena, path, &len);
    assert_non_null(*text);

    for (p = q = *text; *p != '\0'; p++) {
        if (*p != '\n' && *p != ' ') {
            *q++ = *p;
        }
    }

    return (size_t) (q - *text);
}


#endif /* SAMPLE_H */
