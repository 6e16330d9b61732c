/*
 * loop.h
 */

#include "unit.h"

#include <signal.h>
#include <unistd.h>


static int  told;


static void
on_signal(int signal)
{
    assert_int_equal(signal, SIGUSR1);
    assert_null(task_self());
    told++;
}


static void
signal_self(void *arg)
{
    int64_t  deadline;

    (void) arg;

    raise(SIGPIPE);
    raise(SIGUSR1);
    assert_int_equal(told, 0);

    deadline = loop_now_ms() + 30000;
    while (told == 0 && loop_now_ms() < deadline) {
        task_sleep(1);
    }
}


static void
test_signals(void **state)
{
    (void) state;

    assert_int_equal(loop_on_signal(SIGUSR1, on_signal), 0);
    unit_run(signal_self, NULL);
    assert_int_equal(told, 1);
}


static int  hook_calls, tasks_run;

static void
on_end(void *data)
{
    assert_null(task_self());
    assert_int_equal(tasks_run, 2);
    hook_calls++;
    task_wake(data);
}


static void
arm(void *arg)
{
    loop_at_end(arg);
    loop_at_end(arg);
    tasks_run++;
    assert_int_equal(task_suspend(loop_now_ms() + 60000), TASK_OK);
}


static void
count_only(void *arg)
{
    (void) arg;

    tasks_run++;
}


/* Once, behind the tasks of the turn; what it wakes runs without delay. */
static void
test_hook(void **state)
{
    loop_hook_t  hook = { on_end, NULL, NULL, 0 };

    (void) state;

    hook_calls = 0;
    hook.data = task_start("arms", arm, &hook);
    task_start("counts", count_only, NULL);
    loop_run();
    assert_int_equal(hook_calls, 1);
}


static void
disarm(void *arg)
{
    loop_hook_t  *hook;

    hook = arg;
    loop_at_end(hook);
    loop_disarm(hook);
    loop_disarm(hook);
    task_sleep(1);
}


static void
test_disarmed_hook(void **state)
{
    loop_hook_t  hook = { on_end, NULL, NULL, 0 };

    (void) state;

    hook_calls = 0;
    unit_run(disarm, &hook);
    assert_int_equal(hook_calls, 0);
}


static int  turns;

static void
count_turn(uv_check_t *check)
{
    (void) check;

    turns++;
}


static void
sleep_some(void *arg)
{
    task_sleep((intptr_t) arg);
}


/* While all tasks wait, the loop waits too. */
static void
test_no_busy_loop(void **state)
{
    uv_check_t  check;

    (void) state;

    turns = 0;
    uv_check_init(loop_uv(), &check);
    uv_check_start(&check, count_turn);

    task_start("yields", sleep_some, NULL);
    unit_run(sleep_some, (void *) (intptr_t) 300);
    assert_in_range(turns, 1, 30);

    uv_close((uv_handle_t *) &check, NULL);
    unit_run(sleep_some, NULL);
}


static void
stop_loop(void *arg)
{
    int  *resumed;

    resumed = arg;
    loop_stop();
    task_sleep(0);
    *resumed = 1;
}


static void
test_stop(void **state)
{
    int  resumed;

    (void) state;

    resumed = 0;
    task_start("stops", stop_loop, &resumed);
    loop_run();
    assert_int_equal(resumed, 0);
    loop_run();
    assert_int_equal(resumed, 1);
}


static void
test_backoff(void **state)
{
    int      i;
    int64_t  ms;

    (void) state;

    for (i = 0; i < 1000; i++) {
        assert_in_range(loop_backoff(1, 100, 5000), 50, 100);
        assert_in_range(loop_backoff(3, 100, 5000), 200, 400);
        assert_in_range(loop_backoff(1000000, 100, 5000), 2500, 5000);
    }

    ms = loop_backoff(9, 100, 5000);
    for (i = 0; i < 1000 && loop_backoff(9, 100, 5000) == ms; i++) {
        /* void */
    }
    assert_true(i < 1000);
}


static void
test_clocks(void **state)
{
    struct timespec  now;

    (void) state;

    clock_gettime(CLOCK_REALTIME, &now);
    assert_in_range(loop_unix_ms() - (int64_t) now.tv_sec * 1000, 0, 60000);
    clock_gettime(CLOCK_MONOTONIC, &now);
    assert_in_range(loop_now_ms() - (int64_t) now.tv_sec * 1000, 0, 60000);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_hook),
        cmocka_unit_test(test_disarmed_hook),
        cmocka_unit_test(test_no_busy_loop),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_clocks)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, unit_loop, NULL);
}
