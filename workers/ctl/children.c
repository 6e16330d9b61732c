/*
 * Child processes: started by libuv, told to leave by TERM.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/children.h"
#include "runtime/loop.h"


#define CHILDREN_PAUSE_MS      1000     /* after a crash, then doubling */
#define CHILDREN_MAX_PAUSE_MS  30000
#define CHILDREN_PROVEN_MS     10000    /* who lived so long started well */


struct child_s {
    uv_process_t         process;       /* first: it is what libuv knows */
    children_t          *children;
    LIST_ENTRY(child_s)  link;
    int64_t              started_ms;
    unsigned             told:1;        /* to leave */
};


static int children_start(children_t *children);
static void children_stop_one(children_t *children);
static void children_ended(uv_process_t *process, int64_t status,
    int signal);
static void children_failed(children_t *children);
static void children_closed(uv_handle_t *handle);


void
children_keep(children_t *children, long wanted)
{
    while (children->running > wanted) {
        children_stop_one(children);
    }

    while (children->running < wanted
           && loop_now_ms() >= children->not_before_ms
           && children_start(children) == 0)
    {
        /* one more */
    }
}


/* It has our standard output and error. */
static int
children_start(children_t *children)
{
    int                   rc;
    child_t              *child;
    uv_stdio_container_t  stdio[3];
    uv_process_options_t  options;

    child = calloc(1, sizeof(child_t));
    if (child == NULL) {
        children_failed(children);
        children->changed(children->data, CHILD_UNSTARTED, 0, "no memory");
        return -1;
    }

    child->children = children;
    child->started_ms = loop_now_ms();

    stdio[0].flags = UV_IGNORE;
    stdio[1].flags = UV_INHERIT_FD;
    stdio[1].data.fd = 1;
    stdio[2].flags = UV_INHERIT_FD;
    stdio[2].data.fd = 2;

    memset(&options, 0, sizeof(options));
    options.file = children->program;
    options.args = children->argv;
    options.exit_cb = children_ended;
    options.stdio = stdio;
    options.stdio_count = 3;

    rc = uv_spawn(loop_uv(), &child->process, &options);

    if (rc != 0) {
        children_failed(children);
        children->changed(children->data, CHILD_UNSTARTED, 0,
                          uv_strerror(rc));
        uv_close((uv_handle_t *) &child->process, children_closed);
        return -1;
    }

    LIST_INSERT_HEAD(&children->list, child, link);
    children->running++;
    children->changed(children->data, CHILD_STARTED, child->process.pid, "");

    return 0;
}


static void
children_stop_one(children_t *children)
{
    child_t  *child;

    LIST_FOREACH(child, &children->list, link) {
        if (!child->told) {
            break;
        }
    }

    child->told = 1;
    children->running--;
    children->stopping++;
    children->changed(children->data, CHILD_STOPPING, child->process.pid, "");

    /* one that is gone already is about to be reported */
    uv_process_kill(&child->process, SIGTERM);
}


static void
children_ended(uv_process_t *process, int64_t status, int signal)
{
    char            why[64];
    child_t        *child;
    children_t     *children;
    child_event_e   event;

    child = (child_t *) process;
    children = child->children;

    LIST_REMOVE(child, link);

    if (child->told) {
        children->stopping--;
    } else {
        children->running--;
    }

    if (loop_now_ms() - child->started_ms >= CHILDREN_PROVEN_MS) {
        children->failures = 0;
    }

    event = CHILD_LEFT;
    snprintf(why, sizeof(why), "exit status %d", (int) status);

    if (signal != 0) {
        snprintf(why, sizeof(why), "signal %d", signal);
    }

    /* TERM may come before a child has made ready for it */

    if (child->told ? signal != 0 && signal != SIGTERM
                    : signal != 0 || status != 0)
    {
        event = CHILD_CRASHED;
        children_failed(children);
    }

    children->changed(children->data, event, process->pid, why);
    uv_close((uv_handle_t *) process, children_closed);
    task_sem_give(children->wake);
}


static void
children_failed(children_t *children)
{
    children->failures++;
    children->not_before_ms = loop_now_ms()
                              + loop_backoff(children->failures,
                                             CHILDREN_PAUSE_MS,
                                             CHILDREN_MAX_PAUSE_MS);
}


static void
children_closed(uv_handle_t *handle)
{
    free(handle);
}
