/*
 * Stackful coroutines.
 *
 * makecontext() makes a task's stack, and only its first entry goes through
 * it: swapcontext() asks the kernel for the signal mask at every switch, which
 * _setjmp() and _longjmp() do not.  glibc's checked longjmp would take the
 * jump to another stack for a mistake and abort, so fortifying is off in this
 * file.
 *
 * A task, its stack and its timer are one record, kept for the next task when
 * it ends.  The stack's memory is given back to the system then, except for
 * the stacks of the few tasks that ended last.
 */

#undef _FORTIFY_SOURCE

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "runtime/loop.h"
#include "runtime/sanitize.h"
#include "runtime/task.h"

#if SANITIZE_ADDRESS
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>
#define TASK_STACK  (256 * 1024)    /* its frames are several times larger */
#else
#define TASK_STACK  (64 * 1024)
#endif

#define TASK_WARM   64              /* resting tasks that keep their memory */
#define TASK_TRACE  64


struct task_s {
    const char   *name;             /* for who looks with a debugger */
    void        (*fn)(void *arg);
    void         *arg;

    char         *stack;            /* behind its guard page */
    jmp_buf       context;          /* where it goes on */
    uv_timer_t    timer;            /* the deadline of its wait */
    task_t       *next;             /* in the run queue, or at rest */
    int           result;           /* of its wait */
    unsigned      shields;

    unsigned      started:1;
    unsigned      waiting:1;        /* suspended, and not ready yet */
    unsigned      ended:1;
    unsigned      cancelled:1;
    unsigned      background:1;

    char          trace[TASK_TRACE];
#if SANITIZE_ADDRESS
    void         *fake_stack;
#endif
};


/* A task in the queue of a semaphore; lives in its own frame. */
typedef struct task_waiter_s {
    task_t                 *task;
    struct task_waiter_s   *next;
    unsigned                given:1;
} task_waiter_t;


static task_t *task_make(void);
static char *task_make_stack(void);
static void task_rest(task_t *task);
static void task_ready(task_t *task, int result);
static void task_expired(uv_timer_t *timer);
static void task_enter(task_t *task);
static void task_leave(task_t *task);
static void task_first(void);
static void task_sem_drop(task_sem_t *sem, task_waiter_t *waiter);


static task_t     *running;
static jmp_buf     loop_context;

static task_t     *ready_first;
static task_t    **ready_last = &ready_first;

static task_t     *resting;
static size_t      nresting;
static size_t      ntasks;          /* background ones not counted */

#if SANITIZE_ADDRESS
static const void  *loop_stack;
static size_t       loop_stack_size;
#endif


task_t *
task_start(const char *name, void (*fn)(void *arg), void *arg)
{
    task_t  *task;

    task = task_make();
    if (task == NULL) {
        return NULL;
    }

    task->name = name;
    task->fn = fn;
    task->arg = arg;
    task->result = TASK_OK;
    task->shields = 0;
    task->started = 0;
    task->ended = 0;
    task->cancelled = 0;
    task->background = 0;
    task->trace[0] = '\0';

#if SANITIZE_ADDRESS
    __lsan_register_root_region(task->stack, TASK_STACK);
#endif

    ntasks++;
    task->waiting = 1;
    task_ready(task, TASK_OK);
    return task;
}


/* A record at rest, or a new one. */
static task_t *
task_make(void)
{
    task_t  *task;

    task = resting;
    if (task != NULL) {
        resting = task->next;
        nresting--;
        return task;
    }

    task = calloc(1, sizeof(task_t));
    if (task == NULL) {
        return NULL;
    }

    task->stack = task_make_stack();
    if (task->stack == NULL) {
        free(task);
        return NULL;
    }

    uv_timer_init(loop_uv(), &task->timer);
    return task;
}


/* Maps a stack; the page below it faults, so that overflowing it is seen. */
static char *
task_make_stack(void)
{
    char    *memory;
    size_t   page;

    page = (size_t) sysconf(_SC_PAGESIZE);

    memory = mmap(NULL, page + TASK_STACK, PROT_NONE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK,
                  -1, 0);
    if (memory == MAP_FAILED) {
        return NULL;
    }

    if (mprotect(memory + page, TASK_STACK, PROT_READ | PROT_WRITE) == -1) {
        munmap(memory, page + TASK_STACK);
        return NULL;
    }

    return memory + page;
}


/* Keeps the record of a task that ended for the next one. */
static void
task_rest(task_t *task)
{
#if SANITIZE_ADDRESS
    __lsan_unregister_root_region(task->stack, TASK_STACK);
#endif

    if (nresting >= TASK_WARM) {
        madvise(task->stack, TASK_STACK, MADV_DONTNEED);
    }

    if (!task->background) {
        ntasks--;
    }

    task->next = resting;
    resting = task;
    nresting++;
}


task_t *
task_self(void)
{
    return running;
}


size_t
task_count(void)
{
    return ntasks;
}


void
task_background(void)
{
    if (!running->background) {
        running->background = 1;
        ntasks--;
    }
}


/*
 * Runs those that are ready now.  What becomes ready meanwhile waits for the
 * next turn, so that sockets and timers are looked at in between.
 */
void
task_run_ready(void)
{
    task_t  *task, *batch;

    batch = ready_first;
    ready_first = NULL;
    ready_last = &ready_first;

    while (batch != NULL) {
        task = batch;
        batch = task->next;

        running = task;
        task_enter(task);
        running = NULL;

        if (task->ended) {
            task_rest(task);
        }
    }
}


int
task_any_ready(void)
{
    return ready_first != NULL;
}


/* Switches from the loop to a task, and returns when that is suspended. */
static void
task_enter(task_t *task)
{
    ucontext_t  context;

#if SANITIZE_ADDRESS
    void  *fake_stack;

    __sanitizer_start_switch_fiber(&fake_stack, task->stack, TASK_STACK);
#endif

    if (_setjmp(loop_context) == 0) {
        if (task->started) {
            _longjmp(task->context, 1);
        }

        task->started = 1;
        getcontext(&context);
        context.uc_stack.ss_sp = task->stack;
        context.uc_stack.ss_size = TASK_STACK;
        context.uc_link = NULL;
        makecontext(&context, task_first, 0);
        setcontext(&context);
    }

#if SANITIZE_ADDRESS
    __sanitizer_finish_switch_fiber(fake_stack, NULL, NULL);
#endif
}


/* Switches from the running task to the loop, and returns when it is back. */
static void
task_leave(task_t *task)
{
#if SANITIZE_ADDRESS
    __sanitizer_start_switch_fiber(task->ended ? NULL : &task->fake_stack,
                                   loop_stack, loop_stack_size);
#endif

    if (_setjmp(task->context) == 0) {
        _longjmp(loop_context, 1);
    }

#if SANITIZE_ADDRESS
    __sanitizer_finish_switch_fiber(task->fake_stack, NULL, NULL);
#endif
}


/* The bottom frame of every task. */
static void
task_first(void)
{
    task_t  *task;

    task = running;

#if SANITIZE_ADDRESS
    __sanitizer_finish_switch_fiber(NULL, &loop_stack, &loop_stack_size);
#endif

    task->fn(task->arg);

    task->ended = 1;
    task_leave(task);
}


int
task_suspend(int64_t deadline_ms)
{
    int64_t   ms;
    task_t   *task;

    task = running;

    if (task->cancelled && task->shields == 0) {
        return TASK_CANCELLED;
    }

    if (deadline_ms != TASK_FOREVER) {
        ms = deadline_ms - (int64_t) uv_now(loop_uv());
        uv_timer_start(&task->timer, task_expired,
                       ms > 0 ? (uint64_t) ms : 0, 0);
    }

    task->waiting = 1;
    task_leave(task);
    return task->result;
}


/* Puts a suspended task on the run queue; who comes first gives the result. */
static void
task_ready(task_t *task, int result)
{
    if (!task->waiting) {
        return;
    }

    task->waiting = 0;
    task->result = result;
    uv_timer_stop(&task->timer);

    task->next = NULL;
    *ready_last = task;
    ready_last = &task->next;
}


void
task_wake(task_t *task)
{
    task_ready(task, TASK_OK);
}


static void
task_expired(uv_timer_t *timer)
{
    char  *record;

    record = (char *) timer - offsetof(task_t, timer);
    task_ready((task_t *) record, TASK_TIMEOUT);
}


void
task_cancel(task_t *task)
{
    task->cancelled = 1;

    if (task->shields == 0) {
        task_ready(task, TASK_CANCELLED);
    }
}


int
task_cancelled(void)
{
    return running->cancelled;
}


void
task_shield(void)
{
    running->shields++;
}


void
task_unshield(void)
{
    running->shields--;
}


int
task_sleep(int64_t ms)
{
    int      rc;
    int64_t  deadline;

    deadline = loop_now_ms() + ms;

    do {
        rc = task_suspend(deadline);
    } while (rc == TASK_OK);

    return rc == TASK_TIMEOUT ? TASK_OK : rc;
}


void
task_set_trace(const char *data, size_t len)
{
    if (len > TASK_TRACE - 1) {
        len = TASK_TRACE - 1;
    }

    memcpy(running->trace, data, len);
    running->trace[len] = '\0';
}


const char *
task_trace(void)
{
    return running == NULL ? "" : running->trace;
}


void
task_sem_init(task_sem_t *sem, long count)
{
    sem->free = count;
    sem->first = NULL;
    sem->last = &sem->first;
}


int
task_sem_take(task_sem_t *sem, int64_t deadline_ms)
{
    int            rc;
    task_waiter_t  waiter;

    if (sem->free > 0) {
        sem->free--;
        return TASK_OK;
    }

    waiter.task = running;
    waiter.next = NULL;
    waiter.given = 0;
    *sem->last = &waiter;
    sem->last = &waiter.next;

    do {
        rc = task_suspend(deadline_ms);
    } while (rc == TASK_OK && !waiter.given);

    if (waiter.given) {
        return TASK_OK;
    }

    task_sem_drop(sem, &waiter);
    return rc;
}


/* Takes a waiter that gave up out of the queue. */
static void
task_sem_drop(task_sem_t *sem, task_waiter_t *waiter)
{
    task_waiter_t  **p;

    for (p = &sem->first; *p != waiter; p = &(*p)->next) {
        /* void */
    }

    *p = waiter->next;
    if (waiter->next == NULL) {
        sem->last = p;
    }
}


/* Hands the permit to the first who waits: nobody can overtake it. */
void
task_sem_give(task_sem_t *sem)
{
    task_waiter_t  *waiter;

    waiter = sem->first;
    if (waiter == NULL) {
        sem->free++;
        return;
    }

    sem->first = waiter->next;
    if (sem->first == NULL) {
        sem->last = &sem->first;
    }

    waiter->given = 1;
    task_wake(waiter->task);
}
