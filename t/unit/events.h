/*
 * What the tests of formats share that bring many things in one body.
 */

#ifndef EVENTS_H
#define EVENTS_H

#include "sample.h"

#include "setter_format.h"


/* What the format of that name reads from the text. */
static inline setter_events_t
events_read(const char *format_name, arena_t *arena, const char *text,
    size_t len, int *rc)
{
    setter_str_t            body, name;
    setter_events_t         events;
    const setter_format_t  *format;

    name.data = format_name;
    name.len = strlen(format_name);
    format = setter_format_find(name);
    assert_non_null(format);

    memset(&events, 0, sizeof(events));
    events.alloc = arena_alloc(arena);
    body.data = text;
    body.len = len;
    *rc = format->events(body, &events);

    return events;
}


/* "kind type from > to: text", or "! aside" */
static inline const char *
events_tell(arena_t *arena, const setter_event_t *event)
{
    const setter_job_t  *job = &event->job;

    if (event->aside != NULL) {
        return arena_printf(arena, "! %s", event->aside);
    }

    return arena_printf(arena, "%.*s %.*s%s%.*s > %.*s: %.*s",
                        (int) job->kind.len, job->kind.data,
                        (int) job->type.len,
                        job->type.len > 0 ? job->type.data : "",
                        job->type.len > 0 ? " " : "",
                        (int) job->from.len,
                        job->from.len > 0 ? job->from.data : "",
                        (int) job->to.len, job->to.len > 0 ? job->to.data : "",
                        (int) job->text.len,
                        job->text.len > 0 ? job->text.data : "");
}


/* A sample of a provider, and what its events begin with. */
typedef struct {
    const char  *name;
    size_t       n;
    const char  *events[4];
} events_sample_t;


/* Each tells so many events, with a time and a key, or is set aside. */
static inline void
events_samples(const char *format, const char *provider,
    const events_sample_t *samples, size_t n)
{
    int               rc;
    char             *text;
    size_t            i, j, len = 0;
    arena_t          *arena;
    const char       *found;
    setter_events_t   events;

    arena = arena_create();

    for (i = 0; i < n; i++) {
        print_message("# %s\n", samples[i].name);
        text = sample_read(arena, arena_printf(arena, "t/data/%s/%s.json",
                                               provider, samples[i].name),
                           &len);
        assert_non_null(text);
        events = events_read(format, arena, text, len, &rc);
        assert_int_equal(rc, SETTER_OK);
        assert_int_equal(events.n, samples[i].n);

        for (j = 0; j < events.n; j++) {
            found = events_tell(arena, &events.list[j]);
            print_message("#   %s\n", found);
            assert_memory_equal(found, samples[i].events[j],
                                strlen(samples[i].events[j]));
            assert_true(events.list[j].aside != NULL
                        || (events.list[j].time_ms > 1700000000000
                            && events.list[j].key.len > 10));
        }
    }

    arena_destroy(arena);
}


/* A body, and the events that it has. */
typedef struct {
    const char  *body;
    const char  *events[4];
} events_body_t;


static inline void
events_bodies(const char *format, const events_body_t *bodies, size_t n)
{
    int               rc;
    size_t            i, j;
    arena_t          *arena;
    const char       *text;
    setter_events_t   events;

    arena = arena_create();

    for (i = 0; i < n; i++) {
        print_message("# %s\n", bodies[i].body);
        events = events_read(format, arena, bodies[i].body,
                             strlen(bodies[i].body), &rc);
        assert_int_equal(rc, SETTER_OK);

        for (j = 0; j < events.n; j++) {
            text = events_tell(arena, &events.list[j]);
            print_message("#   %s\n", text);
            assert_non_null(bodies[i].events[j]);
            assert_memory_equal(text, bodies[i].events[j],
                                strlen(bodies[i].events[j]));
        }

        assert_null(bodies[i].events[j]);
    }

    arena_destroy(arena);
}


/* None of the bodies is of the format. */
static inline void
events_none(const char *format, const char *const *bodies, size_t n)
{
    int       rc;
    size_t    i;
    arena_t  *arena;

    arena = arena_create();

    for (i = 0; i < n; i++) {
        print_message("# %s\n", bodies[i]);
        events_read(format, arena, bodies[i], strlen(bodies[i]), &rc);
        assert_int_equal(rc, SETTER_ERROR);
    }

    arena_destroy(arena);
}


static size_t  events_left;     /* allocations that still succeed */

static inline void *
events_scarce(void *owner, size_t size)
{
    return events_left-- == 0 ? NULL : arena_get(owner, size);
}


/* Each allocation fails in turn: that is said, and nothing else. */
static inline void
events_no_memory(const char *format, const char *path, size_t n)
{
    int              rc;
    size_t           made, len = 0;
    arena_t         *arena;
    setter_str_t     body, name;
    setter_alloc_t   alloc;
    setter_events_t  events;

    arena = arena_create();
    body.data = sample_read(arena, path, &len);
    body.len = len;
    name.data = format;
    name.len = strlen(format);
    alloc.get = events_scarce;
    alloc.owner = arena;

    for (made = 0; /* void */; made++) {
        memset(&events, 0, sizeof(events));
        events.alloc = &alloc;
        events_left = made;
        rc = setter_format_find(name)->events(body, &events);

        if (rc == SETTER_OK) {
            break;
        }

        assert_int_equal(rc, SETTER_NO_MEMORY);
    }

    assert_true(made > n);
    assert_int_equal(events.n, n);
    arena_destroy(arena);
}


#endif /* EVENTS_H */
