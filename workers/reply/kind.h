/*
 * Kinds of jobs: one interface, a file a kind, a line in kind.c's table.  A
 * turn is of one kind.
 */

#ifndef KIND_H
#define KIND_H

#include "reply/turn.h"


typedef turn_end_e (*kind_step_pt)(turn_t *turn);

struct kind_s {
    const char          *name;      /* "message" */

    /* Why a job whose envelope can be read is none to be handled, or NULL. */
    const char        *(*unfit)(const turn_job_t *job,
        const setter_job_header_t *header);

    /*
     * From the jobs as they were read to the turn's end, one after the other
     * until one ends it.  The first records the jobs; the last is followed
     * by NULL.
     */
    const kind_step_pt  *steps;
};

/* Takes steps, of which NULL is the end, until one ends the turn. */
turn_end_e turn_steps(turn_t *turn, const kind_step_pt *step);

/* Never NULL: jobs of a kind that is not known are recorded as dead. */
const kind_t *kind_find(setter_str_t name);

/*
 * The first step of kinds without a conversation: records the jobs.  Those
 * that are given up, or were finished before, end here.
 */
turn_end_e kind_record_jobs(turn_t *turn);

/* Says that the jobs are given up; why, or NULL: no memory. */
const char *kind_given_up(turn_t *turn);


/* For kinds with a conversation: the job lacks what a message has. */
const char *kind_message_unfit(const turn_job_t *job,
    const setter_job_header_t *header);


extern const kind_t  kind_call;
extern const kind_t  kind_event;
extern const kind_t  kind_message;
extern const kind_t  kind_send;
extern const kind_t  kind_record;
extern const kind_t  kind_status;


#endif /* KIND_H */
