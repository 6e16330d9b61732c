/*
 * config.h: defaults, environment, options, and how wrong ones are refused.
 */

#include "unit.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/config.h"


typedef struct {
    const char  *name;
    const char  *key;
    long         count;
    int          once;
    long         idle;
} settings_t;

static const config_setting_t  table[] = {
    { "TEST_NAME", "name", CONFIG_TEXT, offsetof(settings_t, name),
      "anybody", 0, 0, 0, "A name." },
    { "TEST_KEY", "key", CONFIG_TEXT, offsetof(settings_t, key),
      NULL, 0, 0, 1, "A secret." },
    { "TEST_COUNT", "count", CONFIG_NUMBER, offsetof(settings_t, count),
      "10", 1, 100, 0, "A number." },
    { NULL, "once", CONFIG_SWITCH, offsetof(settings_t, once),
      "off", 0, 0, 0, "A switch." },
    { "TEST_IDLE", "idle", CONFIG_PERHAPS, offsetof(settings_t, idle),
      "0", 0, 100, 0, "A number, perhaps." }
};

#define ARGS  12

static settings_t  settings;
static char        output[8192];


/* Reads the table with these words behind the program's name. */
static int
read_words(const char *const *words)
{
    int          argc;
    static char  text[ARGS][64];
    static char *argv[ARGS + 1];

    memset(&settings, 0, sizeof(settings));

    strcpy(text[0], "/usr/bin/prog");
    argv[0] = text[0];
    for (argc = 1; words[argc - 1] != NULL; argc++) {
        strcpy(text[argc], words[argc - 1]);
        argv[argc] = text[argc];
    }
    argv[argc] = NULL;

    return config_read(table, sizeof(table) / sizeof(table[0]), &settings,
                       argc, argv, "Usage: prog [OPTION]...");
}

#define READ(...)  read_words((const char *const []) { __VA_ARGS__, NULL })


/* The same in a child: its exit status, and what it printed in output. */
static int
read_in_child(const char *const *words)
{
    int      status, fds[2];
    pid_t    pid;
    size_t   len;
    ssize_t  n;

    assert_int_equal(pipe(fds), 0);
    fflush(NULL);

    pid = fork();
    if (pid == 0) {
        dup2(fds[1], STDOUT_FILENO);
        dup2(fds[1], STDERR_FILENO);
        close(fds[0]);
        close(fds[1]);
        read_words(words);
        _exit(99);
    }

    close(fds[1]);
    for (len = 0; (n = read(fds[0], output + len,
                            sizeof(output) - 1 - len)) > 0; )
    {
        len += (size_t) n;
    }
    close(fds[0]);
    output[len] = '\0';

    waitpid(pid, &status, 0);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

#define CHILD(...)  read_in_child((const char *const []) { __VA_ARGS__, NULL })


static int
clean_environment(void **state)
{
    (void) state;

    unsetenv("TEST_NAME");
    unsetenv("TEST_KEY");
    unsetenv("TEST_COUNT");
    return 0;
}


static void
test_defaults(void **state)
{
    (void) state;

    assert_int_equal(READ(NULL), 1);
    assert_string_equal(settings.name, "anybody");
    assert_null(settings.key);
    assert_int_equal(settings.count, 10);
    assert_int_equal(settings.once, 0);
}


static void
test_environment(void **state)
{
    (void) state;

    setenv("TEST_NAME", "somebody", 1);
    setenv("TEST_COUNT", "100", 1);
    setenv("TEST_KEY", "", 1);
    READ(NULL);
    assert_string_equal(settings.name, "somebody");
    assert_int_equal(settings.count, 100);
    assert_null(settings.key);

    setenv("TEST_NAME", "", 1);
    READ(NULL);
    assert_string_equal(settings.name, "anybody");
}


static void
test_options_win(void **state)
{
    (void) state;

    setenv("TEST_NAME", "somebody", 1);
    setenv("TEST_COUNT", "50", 1);
    assert_int_equal(READ("--name=a=b", "--count", "7", "--once"), 5);
    assert_string_equal(settings.name, "a=b");
    assert_int_equal(settings.count, 7);
    assert_int_equal(settings.once, 1);

    READ("--name=", "--once=no");
    assert_string_equal(settings.name, "somebody");
    assert_int_equal(settings.once, 0);

    READ("--once=YES");
    assert_int_equal(settings.once, 1);
}


/* The word behind it is its number only where it begins with a digit. */
static void
test_number_perhaps(void **state)
{
    (void) state;

    READ(NULL);
    assert_int_equal(settings.idle, 0);
    assert_int_equal(READ("--idle"), 2);
    assert_int_equal(settings.idle, -1);
    assert_int_equal(READ("--idle", "--once"), 3);
    assert_int_equal(settings.idle, -1);
    assert_int_equal(READ("--idle", "word"), 2);
    assert_int_equal(settings.idle, -1);
    assert_int_equal(READ("--idle", "50", "word"), 3);
    assert_int_equal(settings.idle, 50);
    assert_int_equal(READ("--idle=7"), 2);
    assert_int_equal(settings.idle, 7);

    assert_int_equal(CHILD("--idle=-1"), 2);
    assert_int_equal(CHILD("--idle", "101"), 2);
}


static void
test_words(void **state)
{
    (void) state;

    assert_int_equal(READ("--count=2", "migrate", "--name=x"), 2);
    assert_string_equal(settings.name, "anybody");
    assert_int_equal(READ("--once", "--", "--name=x"), 3);
    assert_int_equal(READ("-"), 1);
}


static void
test_refusals(void **state)
{
    (void) state;

    assert_int_equal(CHILD("--count=0"), 2);
    assert_string_equal(output, "prog: --count is \"0\", expected a number "
                                "from 1 to 100\n");
    assert_int_equal(CHILD("--count=101"), 2);
    assert_int_equal(CHILD("--count=7x"), 2);
    assert_int_equal(CHILD("--count=99999999999999999999"), 2);
    assert_int_equal(CHILD("--once=maybe"), 2);
    assert_non_null(strstr(output, "expected on or off"));

    assert_int_equal(CHILD("--count"), 2);
    assert_string_equal(output, "prog: --count needs a value\n");

    assert_int_equal(CHILD("--unknown=secret"), 2);
    assert_string_equal(output, "prog: unknown option \"--unknown\"; "
                                "--help lists them\n");
    assert_int_equal(CHILD("--coun=1"), 2);
    assert_int_equal(CHILD("-x"), 2);
    assert_int_equal(CHILD("-count=3"), 2);

    setenv("TEST_COUNT", "many", 1);
    assert_int_equal(CHILD(NULL), 2);
    assert_string_equal(output, "prog: TEST_COUNT is \"many\", expected a "
                                "number from 1 to 100\n");
}


static void
test_help(void **state)
{
    (void) state;

    setenv("TEST_KEY", "sesame", 1);
    assert_int_equal(CHILD("--help"), 0);
    assert_non_null(strstr(output, "Usage: prog [OPTION]..."));
    assert_non_null(strstr(output, "--count=N\n"));
    assert_non_null(strstr(output, "A number."));
    assert_non_null(strstr(output, "TEST_COUNT"));
    assert_non_null(strstr(output, "default: 10"));
    assert_non_null(strstr(output, "--once\n"));
    assert_non_null(strstr(output, "--idle[=N]\n"));
    assert_null(strstr(output, "sesame"));
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_defaults, clean_environment),
        cmocka_unit_test_setup(test_environment, clean_environment),
        cmocka_unit_test_setup(test_options_win, clean_environment),
        cmocka_unit_test_setup(test_number_perhaps, clean_environment),
        cmocka_unit_test_setup(test_words, clean_environment),
        cmocka_unit_test_setup(test_refusals, clean_environment),
        cmocka_unit_test_setup(test_help, clean_environment)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
