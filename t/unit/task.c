/*
 * task.h and thread.h
 */

#include "unit.h"
#include "runtime/thread.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>


/* What happened, in order, as text. */
static char  story[4096];


static void
tell(const char *what)
{
    strncat(story, what, sizeof(story) - strlen(story) - 1);
}


static int
forget_story(void **state)
{
    (void) state;

    story[0] = '\0';
    return 0;
}


static void
tell_twice(void *arg)
{
    tell(arg);
    assert_int_equal(task_sleep(0), TASK_OK);
    tell(arg);
}


static void
test_order(void **state)
{
    (void) state;

    task_start("a", tell_twice, (void *) "a");
    task_start("b", tell_twice, (void *) "b");
    task_start("c", tell_twice, (void *) "c");
    assert_int_equal(task_count(), 3);
    assert_null(task_self());
    assert_string_equal(story, "");
    loop_run();
    assert_string_equal(story, "abcabc");
    assert_int_equal(task_count(), 0);
}


static void
sleep_long(void *arg)
{
    task_sleep((intptr_t) arg);
    tell((intptr_t) arg < 30 ? "s" : (intptr_t) arg < 100 ? "m" : "l");
}


static void
test_sleep(void **state)
{
    int64_t  start;

    (void) state;

    start = loop_now_ms();
    task_start("l", sleep_long, (void *) (intptr_t) 200);
    task_start("m", sleep_long, (void *) (intptr_t) 60);
    task_start("s", sleep_long, (void *) (intptr_t) 1);
    loop_run();
    assert_true(loop_now_ms() - start >= 200);
    assert_string_equal(story, "sml");
}


typedef struct {
    task_t   *task;
    int       result[4];
    int64_t   deadline;
} wait_t;


static void
wait_three_times(void *arg)
{
    int      i;
    wait_t  *wait;

    wait = arg;
    for (i = 0; i < 3; i++) {
        wait->result[i] = task_suspend(wait->deadline);
    }
}


static void
wake_from_task(void *arg)
{
    wait_t  *wait;

    wait = arg;

    /* it is suspended: the first wake counts, the second finds it ready */
    task_wake(wait->task);
    task_wake(wait->task);
    task_sleep(5);

    /* woken first, cancelled before it ran */
    task_wake(wait->task);
    task_cancel(wait->task);
}


static void
test_wake(void **state)
{
    wait_t  wait;

    (void) state;

    wait.deadline = TASK_FOREVER;
    wait.task = task_start("waits", wait_three_times, &wait);
    task_start("wakes", wake_from_task, &wait);
    loop_run();
    assert_int_equal(wait.result[0], TASK_OK);
    assert_int_equal(wait.result[1], TASK_OK);
    assert_int_equal(wait.result[2], TASK_CANCELLED);
}


static void
wake_self(void *arg)
{
    wait_t  *wait;

    wait = arg;
    task_wake(task_self());
    wait->result[0] = task_suspend(loop_now_ms() + 1);
    wait->result[1] = task_suspend(loop_now_ms() - 1000);
}


static void
test_deadlines(void **state)
{
    wait_t  wait;

    (void) state;

    unit_run(wake_self, &wait);
    assert_int_equal(wait.result[0], TASK_TIMEOUT);
    assert_int_equal(wait.result[1], TASK_TIMEOUT);
}


static void
test_cancel_before_start(void **state)
{
    wait_t  wait;

    (void) state;

    wait.deadline = TASK_FOREVER;
    wait.task = task_start("waits", wait_three_times, &wait);
    task_cancel(wait.task);
    loop_run();
    assert_int_equal(wait.result[0], TASK_CANCELLED);
    assert_int_equal(wait.result[1], TASK_CANCELLED);
    assert_int_equal(wait.result[2], TASK_CANCELLED);
}


static void
shielded(void *arg)
{
    wait_t  *wait;

    wait = arg;

    task_shield();
    task_shield();
    wait->result[0] = task_sleep(20);
    task_unshield();
    wait->result[1] = task_sleep(1);
    assert_int_equal(task_cancelled(), 1);
    task_unshield();
    wait->result[2] = task_sleep(1);
}


static void
cancel_other(void *arg)
{
    wait_t  *wait;

    wait = arg;
    assert_int_equal(task_cancelled(), 0);
    task_cancel(wait->task);
}


static void
test_shield(void **state)
{
    wait_t  wait;

    (void) state;

    wait.task = task_start("shielded", shielded, &wait);
    task_start("cancels", cancel_other, &wait);
    loop_run();
    assert_int_equal(wait.result[0], TASK_OK);
    assert_int_equal(wait.result[1], TASK_OK);
    assert_int_equal(wait.result[2], TASK_CANCELLED);
}


static void
told_by_timer(uv_timer_t *timer)
{
    task_wake(timer->data);
    assert_null(task_self());
    tell("t");
}


static void
wait_for_timer(void *arg)
{
    uv_timer_t  *timer;

    timer = arg;
    timer->data = task_self();
    uv_timer_init(loop_uv(), timer);
    uv_timer_start(timer, told_by_timer, 1, 0);
    assert_int_equal(task_suspend(TASK_FOREVER), TASK_OK);
    tell("w");
    uv_close((uv_handle_t *) timer, NULL);
    task_sleep(1);
}


/* A callback only makes the task ready: it runs after the callback ended. */
static void
test_callbacks_do_not_run_tasks(void **state)
{
    uv_timer_t  timer;

    (void) state;

    unit_run(wait_for_timer, &timer);
    assert_string_equal(story, "tw");
}


/* Uses about bytes of stack, and finds what it left there unchanged. */
static long
use_stack(long bytes)
{
    long           sum;
    volatile char  room[1024];

    memset((char *) room, (int) (bytes % 128), sizeof(room));
    if (bytes <= 1024) {
        task_sleep(1);
        return room[0];
    }

    sum = use_stack(bytes - 1024);
    return sum + room[1023] - room[0];
}


static int  many_done;

static void
one_of_many(void *arg)
{
    double  x;

    x = (double) (intptr_t) arg / 3;
    assert_int_equal(use_stack(1024 + (intptr_t) arg % 20 * 1024), 0);
    assert_true(x * 3 > (double) (intptr_t) arg - 0.5);
    assert_true(x * 3 < (double) (intptr_t) arg + 0.5);
    many_done++;
}


static void
test_many(void **state)
{
    int  i, round;

    (void) state;

    for (round = 1; round <= 2; round++) {
        many_done = 0;
        for (i = 0; i < 5000; i++) {
            assert_non_null(task_start("one", one_of_many,
                                       (void *) (intptr_t) i));
        }
        assert_int_equal(task_count(), 5000);
        loop_run();
        assert_int_equal(many_done, 5000);
    }
}


static void
overflow(void *arg)
{
    (void) arg;

    use_stack(16 * 1024 * 1024);
}


static void
test_overflow_is_caught(void **state)
{
    int    status;
    pid_t  pid;

    (void) state;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL) {
            _exit(1);
        }
        task_start("overflows", overflow, NULL);
        loop_run();
        _exit(0);
    }

    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
}


static void
serve(void *arg)
{
    (void) arg;

    task_background();
    task_background();
    while (task_sleep(3600 * 1000) == TASK_OK) {
        /* void */
    }
    tell("ended");
}


static void
test_background(void **state)
{
    task_t  *server;

    (void) state;

    server = task_start("serves", serve, NULL);
    task_start("s", sleep_long, (void *) (intptr_t) 1);
    loop_run();
    assert_string_equal(story, "s");

    task_cancel(server);
    loop_run();
    assert_string_equal(story, "sended");
    assert_int_equal(task_count(), 0);
}


static void
trace(void *arg)
{
    char  text[100];

    assert_string_equal(task_trace(), "");
    task_set_trace(arg, strlen(arg));
    task_sleep(0);
    assert_string_equal(task_trace(), arg);

    memset(text, 'x', sizeof(text));
    task_set_trace(text, sizeof(text));
    assert_int_equal(strlen(task_trace()), 63);
}


static void
test_trace(void **state)
{
    (void) state;

    assert_string_equal(task_trace(), "");
    task_start("1", trace, (void *) "one");
    task_start("2", trace, (void *) "two");
    loop_run();
}


/* Blocks until the other task has run: on the same thread it could not. */
static void
await_byte(void *data)
{
    char  byte;
    int  *ends = data;

    assert_int_equal(read(ends[0], &byte, 1), 1);
    tell("read ");
}


static void
wait_elsewhere(void *data)
{
    thread_run(await_byte, data);
    tell("waited ");
    assert_int_equal(task_sleep(0), TASK_CANCELLED);
}


static void
write_byte(void *data)
{
    int     *ends = data;
    task_t  *waits;

    waits = task_start("waits", wait_elsewhere, data);
    assert_int_equal(task_sleep(1), TASK_OK);
    task_cancel(waits);
    assert_int_equal(task_sleep(1), TASK_OK);
    tell("cancelled ");
    assert_int_equal(write(ends[1], "x", 1), 1);
}


static void
test_other_thread(void **state)
{
    int  ends[2];

    (void) state;

    assert_int_equal(pipe(ends), 0);
    task_start("writes", write_byte, ends);
    loop_run();
    assert_string_equal(story, "cancelled read waited ");

    close(ends[0]);
    close(ends[1]);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_order, forget_story),
        cmocka_unit_test_setup(test_sleep, forget_story),
        cmocka_unit_test_setup(test_wake, forget_story),
        cmocka_unit_test_setup(test_deadlines, forget_story),
        cmocka_unit_test_setup(test_cancel_before_start, forget_story),
        cmocka_unit_test_setup(test_shield, forget_story),
        cmocka_unit_test_setup(test_callbacks_do_not_run_tasks, forget_story),
        cmocka_unit_test_setup(test_many, forget_story),
        cmocka_unit_test_setup(test_overflow_is_caught, forget_story),
        cmocka_unit_test_setup(test_background, forget_story),
        cmocka_unit_test_setup(test_trace, forget_story),
        cmocka_unit_test_setup(test_other_thread, forget_story)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, unit_loop, NULL);
}
