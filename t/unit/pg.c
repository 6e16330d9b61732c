/*
 * pg.h, on a private PostgreSQL.
 */

#include "pg_server.h"

#include "runtime/log.h"
#include "runtime/pg.h"


static int
group_setup(void **state)
{
    assert_int_equal(unit_loop(state), 0);
    log_set_level("error");
    create_server();

    return pg_init(url, 2);
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


static pg_error_e
run1(const char *tenant, const char *sql, int64_t ms, pg_answer_t *answer)
{
    pg_query_t  query = { .sql = sql };

    return pg_run(tenant, &query, 1, ms, answer);
}


static void
answers_come_back(void *arg)
{
    pg_answer_t  answer;
    pg_query_t   queries[2] = {
        { .sql = "SELECT $1::int + 1, NULL", .nparams = 1,
          .params = { "41" } },
        { .sql = "SELECT current_setting('setter.tenant', true)" }
    };

    (void) arg;

    assert_int_equal(pg_run("acme", queries, 2, 30000, &answer), PG_OK);
    assert_string_equal(pg_text(&answer, 0, 0, 0), "42");
    assert_null(pg_text(&answer, 0, 0, 1));
    assert_null(pg_text(&answer, 0, 1, 0));
    assert_null(pg_text(&answer, 2, 0, 0));
    assert_string_equal(pg_text(&answer, 1, 0, 0), "acme");
    pg_clear(&answer);

    /* nothing is left for the next one on the connection */
    assert_int_equal(pg_run(NULL, queries + 1, 1, 30000, &answer), PG_OK);
    assert_true(pg_text(&answer, 0, 0, 0) == NULL
                || pg_text(&answer, 0, 0, 0)[0] == '\0');
    pg_clear(&answer);
}


static void
test_answers(void **state)
{
    (void) state;
    unit_run(answers_come_back, NULL);
}


static void
all_or_nothing(void *arg)
{
    pg_answer_t  answer;
    pg_query_t   queries[3] = {
        { .sql = "INSERT INTO things VALUES (1)" },
        { .sql = "SELECT 1 / $1::int", .nparams = 1, .params = { "0" } },
        { .sql = "INSERT INTO things VALUES (2)" }
    };

    (void) arg;

    assert_int_equal(run1(NULL, "CREATE TABLE things (n int)", 30000,
                          &answer), PG_OK);
    pg_clear(&answer);

    assert_int_equal(pg_run("acme", queries, 3, 30000, &answer), PG_FAILED);
    assert_int_equal(answer.failed, 1);
    assert_string_equal(answer.sqlstate, "22012");
    assert_string_equal(answer.message, "division by zero");
    pg_clear(&answer);

    assert_int_equal(run1(NULL, "SELECT count(*) FROM things", 30000,
                          &answer), PG_OK);
    assert_string_equal(pg_text(&answer, 0, 0, 0), "0");
    pg_clear(&answer);

    /* the third statement was not prepared: it is next time */
    assert_int_equal(pg_run("acme", queries + 2, 1, 30000, &answer), PG_OK);
    pg_clear(&answer);
}


static void
test_all_or_nothing(void **state)
{
    (void) state;
    unit_run(all_or_nothing, NULL);
}


/*
 * A unit relies on a statement that the one before it was to prepare, and
 * did not, since it failed; each is right or wrong by itself all the same.
 */
static const char  *fresh;
static int          right, wrong;

static void
divide_first(void *arg)
{
    pg_answer_t  answer;
    pg_query_t   queries[2] = {
        { .sql = "SELECT 1 / $1::int", .nparams = 1, .params = { arg } },
        { .sql = fresh }
    };

    if (pg_run("acme", queries, 2, 30000, &answer) == PG_OK) {
        assert_string_equal(pg_text(&answer, 1, 0, 0), "5");
        right++;

    } else {
        assert_int_equal(answer.error, PG_FAILED);
        assert_string_equal(answer.sqlstate, "22012");
        wrong++;
    }

    pg_clear(&answer);
}


static void
syntax_error(void *arg)
{
    pg_answer_t  answer;

    (void) arg;
    assert_int_equal(run1("acme", "SELECT FROM WHERE", 30000, &answer),
                     PG_FAILED);
    assert_string_equal(answer.sqlstate, "42601");
    pg_clear(&answer);
    wrong++;
}


static void
test_failed_preparation(void **state)
{
    int          i;
    char         text[64];
    static char  zero[] = "0", one[] = "1";

    (void) state;

    right = 0;
    wrong = 0;

    for (i = 0; i < 20; i++) {
        snprintf(text, sizeof(text), "SELECT 5 AS fresh%d", i);
        fresh = text;
        task_start("wrong", divide_first, zero);
        task_start("wrong", divide_first, zero);
        task_start("right", divide_first, one);
        task_start("right", divide_first, one);
        task_start("syntax", syntax_error, NULL);
        task_start("syntax", syntax_error, NULL);
        task_start("syntax", syntax_error, NULL);
        task_start("right", divide_first, one);
        loop_run();
    }

    assert_int_equal(right, 3 * 20);
    assert_int_equal(wrong, 5 * 20);
    unit_run(answers_come_back, NULL);
}


/* A prepared statement's columns may change under way: a migration. */
static void
columns_change(void *arg)
{
    int          i;
    pg_answer_t  answer;
    pg_query_t   queries[2] = {
        { .sql = "SELECT 1" },
        { .sql = "SELECT * FROM wide" }
    };

    (void) arg;

    assert_int_equal(run1(NULL, "CREATE TABLE wide (a int)", 30000, &answer),
                     PG_OK);
    pg_clear(&answer);

    for (i = 1; i <= 4; i++) {
        assert_int_equal(pg_run("acme", queries, 2, 30000, &answer), PG_OK);
        assert_int_equal(PQnfields(answer.results[1]), i);
        pg_clear(&answer);

        fresh = i == 1 ? "ALTER TABLE wide ADD b int"
                : i == 2 ? "ALTER TABLE wide ADD c int"
                : "ALTER TABLE wide ADD d int";
        if (i < 4) {
            assert_int_equal(run1(NULL, fresh, 30000, &answer), PG_OK);
            pg_clear(&answer);
        }
    }

    /* what is refused for good is refused, not tried for ever */
    assert_int_equal(run1(NULL, "EXECUTE nothing", 30000, &answer),
                     PG_FAILED);
    assert_string_equal(answer.sqlstate, "26000");
    pg_clear(&answer);
}


static void
test_columns_change(void **state)
{
    (void) state;
    unit_run(columns_change, NULL);
}


#define MANY  500

static int  sum;


static void
one_of_many(void *arg)
{
    int          i;
    char         number[16];
    pg_answer_t  answer;
    pg_query_t   query = { .sql = "SELECT $1, current_setting("
                                  "'setter.tenant', true)",
                           .nparams = 1, .params = { number } };

    snprintf(number, sizeof(number), "%d", (int) (intptr_t) arg);

    for (i = 0; i < 4; i++) {
        assert_int_equal(pg_run(number, &query, 1, 60000, &answer), PG_OK);
        assert_string_equal(pg_text(&answer, 0, 0, 0), number);
        assert_string_equal(pg_text(&answer, 0, 0, 1), number);
        pg_clear(&answer);
        sum++;
    }
}


static void
test_many_tasks_share_connections(void **state)
{
    intptr_t  i;

    (void) state;

    sum = 0;
    for (i = 0; i < MANY; i++) {
        assert_non_null(task_start("one", one_of_many, (void *) i));
    }
    loop_run();
    assert_int_equal(sum, 4 * MANY);
}


/* More texts than a connection keeps prepared. */
static void
many_texts(void *arg)
{
    int          i;
    char         sql[32];
    pg_answer_t  answer;

    (void) arg;

    for (i = 0; i < 300; i++) {
        snprintf(sql, sizeof(sql), "SELECT %d", i % 150);
        assert_int_equal(run1(NULL, sql, 30000, &answer), PG_OK);
        assert_string_equal(pg_text(&answer, 0, 0, 0), sql + 7);
        pg_clear(&answer);
    }
}


static void
test_many_texts(void **state)
{
    (void) state;
    unit_run(many_texts, NULL);
}


static void
late_answer(void *arg)
{
    pg_answer_t  answer;

    (void) arg;

    assert_int_equal(run1(NULL, "SELECT pg_sleep(1)", 100, &answer),
                     PG_TIMEOUT);
    pg_clear(&answer);

    /* the pool goes on */
    assert_int_equal(run1(NULL, "SELECT 7", 30000, &answer), PG_OK);
    assert_string_equal(pg_text(&answer, 0, 0, 0), "7");
    pg_clear(&answer);
}


static void
test_late_answer(void **state)
{
    (void) state;
    unit_run(late_answer, NULL);
}


static pg_error_e  cancelled;


static void
sleeper(void *arg)
{
    pg_answer_t  answer;

    (void) arg;
    cancelled = run1(NULL, "SELECT pg_sleep(1)", 30000, &answer);
    pg_clear(&answer);
}


static void
canceller(void *arg)
{
    task_sleep(50);
    task_cancel(arg);
}


static void
test_cancel(void **state)
{
    (void) state;

    cancelled = PG_OK;
    task_start("canceller", canceller, task_start("sleeper", sleeper, NULL));
    loop_run();
    assert_int_equal(cancelled, PG_CANCELLED);
    unit_run(answers_come_back, NULL);
}


static void
server_goes_and_comes(void *arg)
{
    pg_answer_t  answer;

    (void) arg;

    stop_server(SIGINT);
    while (pg_ready()) {
        task_sleep(10);
    }

    assert_int_equal(run1(NULL, "SELECT 1", 100, &answer), PG_DOWN);

    start_server();
    assert_int_equal(run1(NULL, "SELECT 1", 60000, &answer), PG_OK);
    pg_clear(&answer);
}


static void
test_server_goes_and_comes(void **state)
{
    (void) state;
    unit_run(server_goes_and_comes, NULL);
}


static pg_error_e  lost;


static void
cut_in_the_middle(void *arg)
{
    pg_answer_t  answer;

    (void) arg;
    lost = run1(NULL, "SELECT pg_sleep(60)", 60000, &answer);
    pg_clear(&answer);
}


static void
kill_backends(void *arg)
{
    pg_answer_t  answer;

    (void) arg;

    task_sleep(200);
    run1(NULL, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
         " WHERE query LIKE 'SELECT pg_sleep(60)%'", 30000, &answer);
    pg_clear(&answer);
}


static void
test_lost_connection_leaves_it_unknown(void **state)
{
    (void) state;

    lost = PG_OK;
    task_start("cut", cut_in_the_middle, NULL);
    task_start("kill", kill_backends, NULL);
    loop_run();
    assert_int_equal(lost, PG_UNKNOWN);
    unit_run(answers_come_back, NULL);
}


/* What only the commit finds is a failure too. */
static void
fails_at_commit(void *arg)
{
    pg_answer_t  answer;
    pg_query_t   queries[2] = {
        { .sql = "CREATE TABLE once (n int UNIQUE DEFERRABLE"
                 " INITIALLY DEFERRED)" },
        { .sql = "INSERT INTO once VALUES (1), (1)" }
    };

    (void) arg;

    assert_int_equal(pg_run(NULL, queries, 1, 30000, &answer), PG_OK);
    pg_clear(&answer);
    assert_int_equal(pg_run("acme", queries + 1, 1, 30000, &answer),
                     PG_FAILED);
    assert_string_equal(answer.sqlstate, "23505");
    pg_clear(&answer);
    assert_int_equal(run1(NULL, "SELECT count(*) FROM once", 30000, &answer),
                     PG_OK);
    assert_string_equal(pg_text(&answer, 0, 0, 0), "0");
    pg_clear(&answer);
}


static void
test_commit_fails(void **state)
{
    (void) state;
    unit_run(fails_at_commit, NULL);
}


/* A connection that fell silent is left, and another one serves. */
static void
falls_silent(void *arg)
{
    pid_t        backend;
    pg_answer_t  answer;

    (void) arg;

    assert_int_equal(run1(NULL, "SELECT pg_backend_pid()", 30000, &answer),
                     PG_OK);
    backend = (pid_t) atoi(pg_text(&answer, 0, 0, 0));
    pg_clear(&answer);

    kill(backend, SIGSTOP);
    while (run1(NULL, "SELECT 1", 200, &answer) == PG_OK) {
        pg_clear(&answer);
    }
    assert_int_equal(answer.error, PG_TIMEOUT);
    pg_clear(&answer);

    assert_int_equal(run1(NULL, "SELECT 2", 30000, &answer), PG_OK);
    pg_clear(&answer);
    kill(backend, SIGCONT);
}


static void
test_silence(void **state)
{
    (void) state;
    unit_run(falls_silent, NULL);
}


static void
over_tcp(void *arg)
{
    pg_answer_t  answer;

    (void) arg;

    pg_free();
    task_sleep(1);
    snprintf(url, sizeof(url), "postgresql://postgres@db.test:%s/postgres",
             port);
    assert_int_equal(pg_init(url, 1), 0);

    assert_int_equal(run1(NULL, "SELECT inet_server_addr()", 60000, &answer),
                     PG_OK);
    assert_string_equal(pg_text(&answer, 0, 0, 0), "127.0.0.1");
    pg_clear(&answer);
}


/* All addresses of a name are tried. */
static void
test_host_name(void **state)
{
    (void) state;
    unit_run(over_tcp, NULL);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_all_or_nothing),
        cmocka_unit_test(test_commit_fails),
        cmocka_unit_test(test_failed_preparation),
        cmocka_unit_test(test_columns_change),
        cmocka_unit_test(test_many_tasks_share_connections),
        cmocka_unit_test(test_many_texts),
        cmocka_unit_test(test_late_answer),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_server_goes_and_comes),
        cmocka_unit_test(test_lost_connection_leaves_it_unknown),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_host_name)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("pg", tests, group_setup,
                                       group_teardown);
}
