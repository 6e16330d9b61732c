/*
 * pg.h while libpq's memory is short: an answer is the query's own, or none.
 */

#ifdef __SANITIZE_ADDRESS__

#include <stdio.h>

int
main(void)
{
    puts("1..0 # SKIP the sanitizer has an allocator of its own");
    return 0;
}

#else

#include "pg_server.h"

#include "../lib/memory/preload.c"

#include "runtime/log.h"
#include "runtime/pg.h"


#define TASKS  4


typedef struct {
    int                n;           /* of the task: columns it asks for */
    const char        *wrong;
} asker_t;

static memory_control_t  memory;
static asker_t           askers[TASKS];


static int
group_setup(void **state)
{
    assert_int_equal(unit_loop(state), 0);
    log_set_level("off");
    create_server();

    return pg_init(url, 1);
}


static int
group_teardown(void **state)
{
    (void) state;

    pg_free();
    stop_server(SIGINT);
    fixture_remove(dir);

    return 0;
}


/* As many columns as the task's number, and its tenant. */
static void
ask(void *arg)
{
    char         tenant[8];
    asker_t     *asker = arg;
    pg_answer_t  answer;

    static const char *const  texts[TASKS] = {
        "SELECT 'one', current_setting('setter.tenant', true)",
        "SELECT 'two', 2, current_setting('setter.tenant', true)",
        "SELECT 'three', 2, 3, current_setting('setter.tenant', true)",
        "SELECT 'four', 2, 3, 4, current_setting('setter.tenant', true)"
    };
    static const char *const  names[TASKS] = { "one", "two", "three", "four" };

    pg_query_t  queries[2] = {
        { .sql = texts[asker->n] },
        { .sql = "SELECT 'last'" }
    };

    snprintf(tenant, sizeof(tenant), "t%d", asker->n);
    asker->wrong = NULL;

    if (pg_run(tenant, queries, 2, 3000, &answer) == PG_OK) {
        if (pg_text(&answer, 0, 0, 0) == NULL
            || strcmp(pg_text(&answer, 0, 0, 0), names[asker->n]) != 0
            || pg_text(&answer, 0, 0, asker->n + 1) == NULL
            || strcmp(pg_text(&answer, 0, 0, asker->n + 1), tenant) != 0
            || pg_text(&answer, 1, 0, 0) == NULL
            || strcmp(pg_text(&answer, 1, 0, 0), "last") != 0)
        {
            asker->wrong = "the answer is another's";
        }
    }

    pg_clear(&answer);
}


/* All tasks share the connection, while the n-th allocation fails. */
static uint64_t
ask_all(uint64_t n)
{
    int  i;

    for (i = 0; i < TASKS; i++) {
        askers[i].n = i;
        assert_non_null(task_start("ask", ask, &askers[i]));
    }

    memory = (memory_control_t) { .kinds = MEMORY_LIBC, .n = n };
    control = &memory;
    loop_run();
    control = NULL;

    for (i = 0; i < TASKS; i++) {
        assert_null(askers[i].wrong);
    }

    return memory.count;
}


static void
test_each_allocation_fails(void **state)
{
    uint64_t  n, count;

    (void) state;

    /* the first have the statements prepared */
    ask_all(0);
    count = ask_all(0);
    assert_true(count > 20);

    for (n = 1; n <= count; n++) {
        ask_all(n);
        ask_all(0);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_each_allocation_fails)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("pg_memory", tests, group_setup,
                                       group_teardown);
}

#endif
