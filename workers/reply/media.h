/*
 * Files that messages bring: fetched early, for the provider's URLs expire,
 * stored, and made known to the model: what is said in a recording as text,
 * images as they are.
 */

#ifndef MEDIA_H
#define MEDIA_H

#include "reply/turn.h"


/*
 * Fetches and stores what the live jobs bring, and hears recordings, with
 * turn->account.  A file that cannot be had keeps no message from its answer:
 * the record says why.
 */
turn_end_e media_take(turn_t *turn);

/* 1 when a live job has files that were not seen to. */
int media_there(const turn_t *turn);

/*
 * For media_take(): what is said in a stored recording takes the place of
 * "[audio]" in the job's text, or goes behind it.  TASK_OK, though nothing can
 * be made out, or TASK_CANCELLED: it was not heard to the end.
 */
int media_hear(turn_t *turn, turn_job_t *job, const char *path,
    const char *type);

/*
 * The images of a job as data: URLs, in arena, *n of them; NULL: none.  One
 * that is not there is left out.
 */
const setter_str_t *media_see(turn_t *turn, const turn_job_t *job,
    arena_t *arena, size_t *n);

/* 1 when a type is one of "audio/ogg image/...": words with blanks or commas
 * between them; a star is any of its kind. */
int media_wanted(const char *types, setter_str_t type);

/* Deletes the files of a message, a JSON array as on record, or NULL. */
void media_drop(turn_t *turn, const char *listed);

/* A task of the worker's: deletes files that are too old. */
void media_forget(void *worker);


#endif /* MEDIA_H */
