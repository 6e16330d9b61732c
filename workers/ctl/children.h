/*
 * Worker processes on this machine, that setterctl scale starts and stops.
 */

#ifndef CHILDREN_H
#define CHILDREN_H

#include <sys/queue.h>
#include <uv.h>

#include "runtime/task.h"


typedef struct child_s  child_t;

typedef enum {
    CHILD_STARTED = 0,
    CHILD_STOPPING,         /* it was told to end its turns and leave */
    CHILD_LEFT,             /* as it was told, or by itself with status 0 */
    CHILD_CRASHED,
    CHILD_UNSTARTED         /* the program cannot be run */
} child_event_e;

/* Zeroed but for the settings. */
typedef struct {
    /* settings */
    const char     *program;        /* path */
    char          **argv;           /* its words, the first its name, ending
                                       with NULL */
    task_sem_t     *wake;           /* given when a child has ended */

    /* tells of each change; pid 0: none.  why is for a person. */
    void          (*changed)(void *data, child_event_e event, int pid,
                             const char *why);
    void           *data;

    LIST_HEAD(, child_s) list;      /* youngest first */
    long            running;        /* not told to leave */
    long            stopping;
    unsigned        failures;       /* in a row */
    int64_t         not_before_ms;  /* the next start, after failures */
} children_t;


/*
 * Starts or stops children until so many run, youngest first; none is started
 * before not_before_ms.  A child is only ever told: it ends its turns first.
 */
void children_keep(children_t *children, long wanted);


#endif /* CHILDREN_H */
