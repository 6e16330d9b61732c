/*
 * The tables that setter_format_find() knows, and what those share that bring
 * many things in one body (setter_event.c).
 */

#ifndef SETTER_FORMAT_TABLES_H
#define SETTER_FORMAT_TABLES_H

#include "setter_format.h"


extern const setter_format_t  setter_format_manychat;
extern const setter_format_t  setter_format_manychat_contact;
extern const setter_format_t  setter_format_engine;
extern const setter_format_t  setter_format_generic;
extern const setter_format_t  setter_format_infobip;
extern const setter_format_t  setter_format_infobip_status;
extern const setter_format_t  setter_format_instagram;
extern const setter_format_t  setter_format_meta;
extern const setter_format_t  setter_format_send;
extern const setter_format_t  setter_format_twilio;

#define setter_job_member(name)  offsetof(setter_job_t, name)


/* A zeroed event more, or NULL: no memory, or SETTER_FORMAT_MAX_EVENTS. */
setter_event_t *setter_event_add(setter_events_t *events);

/* One of which no job is made, by that word.  SETTER_OK, SETTER_NO_MEMORY. */
int setter_event_aside(setter_events_t *events, const char *word);

/*
 * setter_json_read() of an element, whose broken text is repaired: SETTER_OK,
 * SETTER_NO_MEMORY, or SETTER_ERROR: it is no such object.
 */
int setter_event_read(setter_str_t json, const setter_json_path_t *paths,
    size_t n, setter_json_value_t *values, setter_buf_t *rest,
    setter_alloc_t *alloc);

/*
 * Makes a status job of an element, which the worker reads itself (workers/
 * channel/reports.c) in an array of the member's name.  A repeat is known by
 * the message's id and the state.  What lacks either is set aside.
 * SETTER_OK, SETTER_NO_MEMORY.
 */
int setter_event_status(setter_event_t *event, const char *member,
    setter_str_t element, setter_str_t id, setter_str_t state,
    setter_alloc_t *alloc);

/* 1 when the message's "from", "to" and key are there, and its ids no longer
 * than they may be; else it is set aside. */
int setter_event_addressed(setter_event_t *event);

/* The text, or where it is empty what stands for it; without either (NULL)
 * the event is set aside. */
void setter_event_text(setter_event_t *event, setter_str_t text,
    const char *otherwise);


#endif /* SETTER_FORMAT_TABLES_H */
