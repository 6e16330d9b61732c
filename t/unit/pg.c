/*
 * pg.h, on a private PostgreSQL.
 */

#include "unit.h"

#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "runtime/log.h"
#include "runtime/pg.h"


static char   dir[64], bin[128], url[128];
static pid_t  server;


/* PostgreSQL does not run as root. */
static void
drop_root(void)
{
    struct passwd  *user;

    if (getuid() != 0) {
        return;
    }

    user = getpwnam("postgres");
    if (user == NULL || initgroups(user->pw_name, user->pw_gid) != 0
        || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)
    {
        _exit(126);
    }
}


static pid_t
spawn(const char *program, const char **argv)
{
    int    fd;
    char   path[256];
    pid_t  pid;

    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGINT);
        drop_root();
        fd = open("/dev/null", O_RDWR);
        dup2(fd, 0);
        dup2(fd, 1);
        dup2(fd, 2);
        snprintf(path, sizeof(path), "%s/%s", bin, program);
        if (chdir(dir) == 0) {
            execv(path, (char *const *) argv);
        }
        _exit(127);
    }

    return pid;
}


static void
start_server(void)
{
    int   i;
    const char *argv[] = { "postgres", "-D", "data", "-k", dir, "-c",
                           "listen_addresses=", "-c", "fsync=off", NULL };

    server = spawn("postgres", argv);

    for (i = 0; i < 600 && PQping(url) != PQPING_OK; i++) {
        usleep(50000);
    }
    assert_int_equal(PQping(url), PQPING_OK);
}


static void
stop_server(int sig)
{
    kill(server, sig);
    waitpid(server, NULL, 0);
}


static int
group_setup(void **state)
{
    int            status;
    glob_t         found;
    struct passwd *user;
    const char    *argv[] = { "initdb", "-D", "data", "-U", "postgres", "-A",
                              "trust", "--no-sync", NULL };

    assert_int_equal(unit_loop(state), 0);
    log_set_level("error");

    assert_int_equal(glob("/usr/lib/postgresql/*/bin", 0, NULL, &found), 0);
    snprintf(bin, sizeof(bin), "%s", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);

    snprintf(dir, sizeof(dir), "/tmp/setter-pg-XXXXXX");
    assert_non_null(mkdtemp(dir));
    user = getpwnam("postgres");
    if (getuid() == 0) {
        assert_int_equal(chown(dir, user->pw_uid, user->pw_gid), 0);
    }

    snprintf(url, sizeof(url), "host=%s user=postgres dbname=postgres", dir);
    waitpid(spawn("initdb", argv), &status, 0);
    assert_int_equal(status, 0);

    start_server();
    assert_int_equal(pg_init(url, 2), 0);

    return 0;
}


static int
remove_one(const char *path, const struct stat *st, int flag,
    struct FTW *ftw)
{
    (void) st;
    (void) flag;
    (void) ftw;

    return remove(path);
}


static int
group_teardown(void **state)
{
    (void) state;

    pg_free();
    stop_server(SIGINT);
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);

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


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_all_or_nothing),
        cmocka_unit_test(test_many_tasks_share_connections),
        cmocka_unit_test(test_many_texts),
        cmocka_unit_test(test_late_answer),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_server_goes_and_comes),
        cmocka_unit_test(test_lost_connection_leaves_it_unknown)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("pg", tests, group_setup,
                                       group_teardown);
}
