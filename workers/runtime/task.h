/*
 * Tasks: straight-line code on one event loop.
 *
 * A task is a stackful coroutine.  A call that waits (HTTP, SQL, Redis, a
 * timer) suspends the task, never the process.  Callbacks of libuv, curl and
 * libpq only put tasks on the run queue; tasks run from one place in the
 * loop.  Every wait has a deadline and may return TASK_CANCELLED.
 */

#ifndef TASK_H
#define TASK_H

#include <stddef.h>
#include <stdint.h>


#define TASK_OK          0
#define TASK_TIMEOUT    -2
#define TASK_CANCELLED  -3

#define TASK_FOREVER    INT64_MAX   /* for waits that others always end */

typedef struct task_s  task_t;

/*
 * Puts a new task on the run queue: fn(arg) on a stack of its own.  It frees
 * itself when fn returns.  NULL when memory is short.
 */
task_t *task_start(const char *name, void (*fn)(void *arg), void *arg);

/* The running task, or NULL in the loop's own code. */
task_t *task_self(void);

/* How many tasks exist, those in the background not counted. */
size_t task_count(void);

/*
 * Says that the running task serves others for as long as the process lives
 * (it keeps a connection): loop_run() does not wait for its end.
 */
void task_background(void);

/*
 * For the parts of the runtime: suspends the running task until task_wake(),
 * the deadline (loop_now_ms() scale) or task_cancel(), and returns which it
 * was.  A wake-up of a task that is not suspended is lost: who waits for
 * something checks it before each task_suspend() and after it, whatever that
 * returned.
 */
int task_suspend(int64_t deadline_ms);
void task_wake(task_t *task);

/* For the loop: runs the tasks that are ready now; whether any is ready. */
void task_run_ready(void);
int task_any_ready(void);

/*
 * Makes this and every later wait of the task return TASK_CANCELLED.
 * task_cancelled() is 1 when the running task was, shielded or not.
 */
void task_cancel(task_t *task);
int task_cancelled(void);

/*
 * Between shield and unshield a cancel has no effect on the running task's
 * waits: for the few statements that must be written down whatever comes.
 * They nest.
 */
void task_shield(void);
void task_unshield(void);

/* TASK_OK after ms, or TASK_CANCELLED.  0 lets the other tasks run once. */
int task_sleep(int64_t ms);

/*
 * A value the task carries, for log lines: the trace id ("" for none), at
 * most 63 bytes of it.
 */
void task_set_trace(const char *data, size_t len);
const char *task_trace(void);


/*
 * A counting semaphore: first come, first served.  A take that times out or
 * is cancelled holds nothing; one that was given a permit returns TASK_OK,
 * even when its deadline passed or it was cancelled meanwhile.
 */
typedef struct {
    long                    free;
    struct task_waiter_s   *first;
    struct task_waiter_s  **last;
} task_sem_t;

void task_sem_init(task_sem_t *sem, long count);
int task_sem_take(task_sem_t *sem, int64_t deadline_ms);
void task_sem_give(task_sem_t *sem);


#endif /* TASK_H */
