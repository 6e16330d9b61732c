/*
 * What the unit tests share: cmocka's headers in its order, and code that
 * runs as a task.
 */

#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "runtime/loop.h"
#include "runtime/task.h"


/*
 * For cmocka_run_group_tests(): the loop is made once a process, which ends
 * if a failed assertion within a task left it waiting.
 */
static inline int
unit_loop(void **state)
{
    (void) state;

    alarm(300);
    return loop_init();
}


/* Runs fn(arg) as a task, and the loop until no task is left. */
static inline void
unit_run(void (*fn)(void *arg), void *arg)
{
    assert_non_null(task_start("test", fn, arg));
    loop_run();
    assert_int_equal(task_count(), 0);
}


#endif /* UNIT_H */
