/*
 * A worker that leaves by itself: when a turn is completed, when a job that
 * it was given is finished, or when there has been nothing to do.
 */

#ifndef ONCE_H
#define ONCE_H

#include "reply/posted.h"
#include "reply/worker.h"


/* The process's exit status. */
#define ONCE_DONE        0      /* done, or there was nothing to do */
#define ONCE_FAILED      1      /* the job failed, or was given up */
#define ONCE_UNFINISHED  3      /* it may be done yet: it is in the queue, or
                                   the queue could not be asked */

typedef struct {
    worker_t        *worker;
    const posted_t  *job;       /* until it is finished; NULL: none */
    int64_t          wait_ms;   /* for a turn, from the queue's first answer;
                                   for that, or for the queue to take the job,
                                   as long, or 5 s; TASK_FOREVER */
    int64_t          idle_ms;   /* without anything to do; TASK_FOREVER */
    void           (*leave)(void);      /* stops the worker, its turns first */
    int              status;

    /* while it waits */
    int64_t          deadline;
    long             nclaimed;      /* turns that were seen */
    unsigned         asked:1;       /* the queue has answered */
} once_t;


/* A task; data: once_t *.  worker->one is set where one turn is wanted. */
void once_run(void *data);

/*
 * The process's exit status, when the last turn has ended: asks the record
 * once more of a job that was not finished.
 */
int once_result(once_t *once);


#endif /* ONCE_H */
