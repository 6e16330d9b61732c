/*
 * The loop.  One prepare handle runs the ready tasks, then the hooks, and
 * then libuv waits.  Callbacks that make a task ready run before that point
 * of the same turn (timers) or of the next one (everything else), and libuv
 * does not wait in between; only what the tasks themselves make ready needs
 * an idle handle, which keeps libuv from waiting.
 */

#include <signal.h>
#include <stdlib.h>

#include "runtime/loop.h"
#include "runtime/task.h"


typedef struct {
    uv_signal_t   handle;
    void        (*fn)(int signal);
} loop_signal_t;


static void loop_turn(uv_prepare_t *prepare);
static void loop_run_hooks(void);
static void loop_idle(uv_idle_t *idle);
static void loop_signal(uv_signal_t *handle, int signal);


static uv_loop_t      loop;
static uv_prepare_t   loop_prepare;
static uv_idle_t      loop_more;

static loop_hook_t   *loop_hooks;


int
loop_init(void)
{
    signal(SIGPIPE, SIG_IGN);

    if (uv_loop_init(&loop) != 0) {
        return -1;
    }

    uv_prepare_init(&loop, &loop_prepare);
    uv_idle_init(&loop, &loop_more);
    return 0;
}


void
loop_run(void)
{
    uv_prepare_start(&loop_prepare, loop_turn);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_prepare_stop(&loop_prepare);
    uv_idle_stop(&loop_more);
}


void
loop_stop(void)
{
    uv_stop(&loop);
}


uv_loop_t *
loop_uv(void)
{
    return &loop;
}


/* The one place where tasks run. */
static void
loop_turn(uv_prepare_t *prepare)
{
    (void) prepare;

    task_run_ready();
    loop_run_hooks();

    if (task_any_ready()) {
        uv_idle_start(&loop_more, loop_idle);
        return;
    }

    uv_idle_stop(&loop_more);

    if (task_count() == 0) {
        uv_stop(&loop);
    }
}


static void
loop_idle(uv_idle_t *idle)
{
    (void) idle;
}


void
loop_at_end(loop_hook_t *hook)
{
    if (hook->armed) {
        return;
    }

    hook->armed = 1;
    hook->next = loop_hooks;
    loop_hooks = hook;
}


void
loop_disarm(loop_hook_t *hook)
{
    loop_hook_t  **p;

    hook->armed = 0;

    for (p = &loop_hooks; *p != NULL; p = &(*p)->next) {
        if (*p == hook) {
            *p = hook->next;
            return;
        }
    }
}


static void
loop_run_hooks(void)
{
    loop_hook_t  *hook;

    while (loop_hooks != NULL) {
        hook = loop_hooks;
        loop_hooks = hook->next;
        hook->armed = 0;
        hook->fn(hook->data);
    }
}


int64_t
loop_now_ms(void)
{
    return (int64_t) (uv_hrtime() / 1000000);
}


int64_t
loop_unix_ms(void)
{
    struct timespec  now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}


int64_t
loop_backoff(unsigned failures, int64_t min_ms, int64_t max_ms)
{
    int64_t   ms;
    uint32_t  random;

    for (ms = min_ms; failures > 1 && ms < max_ms; failures--) {
        ms *= 2;
    }

    if (ms > max_ms) {
        ms = max_ms;
    }

    random = 0;
    uv_random(NULL, NULL, &random, sizeof(random), 0, NULL);

    return ms - (int64_t) (random % (uint64_t) (ms / 2 + 1));
}


int
loop_on_signal(int signal, void (*fn)(int signal))
{
    loop_signal_t  *watcher;

    watcher = malloc(sizeof(loop_signal_t));
    if (watcher == NULL) {
        return -1;
    }

    watcher->fn = fn;
    uv_signal_init(&loop, &watcher->handle);
    return uv_signal_start(&watcher->handle, loop_signal, signal) == 0 ? 0 : -1;
}


static void
loop_signal(uv_signal_t *handle, int signal)
{
    loop_signal_t  *watcher;

    watcher = (loop_signal_t *) handle;
    watcher->fn(signal);
}
