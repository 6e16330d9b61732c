/*
 * The event loop of a worker process: libuv, and the run queue of tasks.
 */

#ifndef LOOP_H
#define LOOP_H

#include <stdint.h>
#include <uv.h>


/* Once, at start: makes the loop, ignores SIGPIPE.  0, or -1. */
int loop_init(void);

/*
 * Runs until loop_stop() or until no task is left, those in the background
 * (task.h) not counted.
 */
void loop_run(void);
void loop_stop(void);

uv_loop_t *loop_uv(void);

/*
 * Calls fn(data) once, after the tasks of this loop turn ran and before the
 * loop waits: where output is written that many tasks gathered.  The memory
 * is the caller's; arming it twice is harmless.
 */
typedef struct loop_hook_s  loop_hook_t;

struct loop_hook_s {
    void          (*fn)(void *data);
    void           *data;
    loop_hook_t    *next;
    unsigned        armed:1;
};

void loop_at_end(loop_hook_t *hook);
void loop_disarm(loop_hook_t *hook);

/* CLOCK_MONOTONIC and Unix time, in ms. */
int64_t loop_now_ms(void);
int64_t loop_unix_ms(void);

/*
 * How long to wait after this many failures in a row: doubles from min_ms up
 * to max_ms, of which up to half is taken off at random.
 */
int64_t loop_backoff(unsigned failures, int64_t min_ms, int64_t max_ms);

/*
 * Calls fn(signal) in the loop, never in the signal's own context.  For the
 * process's whole life.  0, or -1.
 */
int loop_on_signal(int signal, void (*fn)(int signal));


#endif /* LOOP_H */
