/*
 * The event loop of a worker process: libuv, and the run queue of tasks.
 */

#ifndef LOOP_H
#define LOOP_H

#include <stdint.h>
#include <uv.h>


/* Once, at start: makes the loop, ignores SIGPIPE.  0, or -1. */
int loop_init(void);

/* Runs until loop_stop() or until no task is left. */
void loop_run(void);
void loop_stop(void);

uv_loop_t *loop_uv(void);

/* CLOCK_MONOTONIC and Unix time, in ms. */
int64_t loop_now_ms(void);
int64_t loop_unix_ms(void);

/* Calls fn(signal) in the loop, never in the signal's own context. */
int loop_on_signal(int signal, void (*fn)(int signal));


#endif /* LOOP_H */
