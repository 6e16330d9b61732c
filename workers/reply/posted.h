/*
 * A job that comes as text beside the queue, in SQS_BODY: an envelope, or a
 * body as our webhooks take it.
 */

#ifndef POSTED_H
#define POSTED_H

#include "runtime/arena.h"
#include "setter_job.h"


/* Text is from the arena, or part of the body. */
typedef struct {
    setter_str_t  id;
    setter_str_t  tenant;
    setter_str_t  header;
    setter_str_t  envelope;
} posted_t;

/*
 * Reads a body: an envelope where it has a "kind"; else one of manychat,
 * engine or generic by the members it has, whose tenant is its tenant_id, or
 * the one given.  A body with a message_id always becomes the same job; one
 * without becomes a new one each time.  0; or -1 with what is wrong in error,
 * which names the field ("lane: required") and never holds a text.
 */
int posted_read(posted_t *posted, const char *body, const char *tenant,
    char *error, size_t size, arena_t *arena);


#endif /* POSTED_H */
