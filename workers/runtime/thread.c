#include "runtime/loop.h"
#include "runtime/task.h"
#include "runtime/thread.h"


/* Lives in the frame of the task, which waits for it. */
typedef struct {
    uv_work_t   request;
    task_t     *task;
    void      (*work)(void *data);
    void       *data;
    int         done;
} thread_t;


static void thread_work(uv_work_t *request);
static void thread_done(uv_work_t *request, int status);


void
thread_run(void (*work)(void *data), void *data)
{
    thread_t  thread;

    thread.request.data = &thread;
    thread.task = task_self();
    thread.work = work;
    thread.data = data;
    thread.done = 0;

    if (uv_queue_work(loop_uv(), &thread.request, thread_work, thread_done)
        != 0)
    {
        work(data);
        return;
    }

    task_shield();

    while (!thread.done) {
        task_suspend(TASK_FOREVER);
    }

    task_unshield();
}


static void
thread_work(uv_work_t *request)
{
    thread_t  *thread = request->data;

    thread->work(thread->data);
}


static void
thread_done(uv_work_t *request, int status)
{
    thread_t  *thread = request->data;

    (void) status;

    thread->done = 1;
    task_wake(thread->task);
}
