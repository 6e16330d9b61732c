/*
 * log.h: what a line looks like on standard error.
 */

#include "unit.h"

#include <regex.h>
#include <stdio.h>
#include <unistd.h>

#include "runtime/log.h"


static char  captured[65536];


/* Standard error goes into a pipe until captured_text(). */
static int  pipe_fds[2], saved_stderr;


static void
capture(void)
{
    assert_int_equal(pipe(pipe_fds), 0);
    saved_stderr = dup(STDERR_FILENO);
    dup2(pipe_fds[1], STDERR_FILENO);
}


static const char *
captured_text(void)
{
    ssize_t  n;
    size_t   len;

    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    close(pipe_fds[1]);

    len = 0;
    while ((n = read(pipe_fds[0], captured + len,
                     sizeof(captured) - 1 - len)) > 0)
    {
        len += (size_t) n;
    }

    close(pipe_fds[0]);
    captured[len] = '\0';
    return captured;
}


static void
assert_matches(const char *text, const char *pattern)
{
    int      rc;
    regex_t  regex;

    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED), 0);
    rc = regexec(&regex, text, 0, NULL, 0);
    regfree(&regex);

    if (rc != 0) {
        fail_msg("\"%s\" does not match \"%s\"", text, pattern);
    }
}


static void
test_line(void **state)
{
    (void) state;

    log_set_name("test");
    capture();
    log_info("turn done", "lane", "acme/x", "ms", log_number(-12));
    assert_matches(captured_text(),
                   "^\\{\"time\":\"20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]"
                   ":[0-5][0-9]:[0-6][0-9]\\.[0-9]{3}Z\",\"level\":\"info\","
                   "\"name\":\"test\",\"msg\":\"turn done\","
                   "\"lane\":\"acme/x\",\"ms\":-12\\}\n$");
}


static void
test_levels(void **state)
{
    (void) state;

    assert_int_equal(log_set_level("loud"), -1);
    assert_int_equal(log_set_level("warn"), 0);

    capture();
    log_debug("no");
    log_info("no");
    log_warn("yes");
    log_error("yes");
    assert_matches(captured_text(),
                   "^[^\n]*\"warn\"[^\n]*\n[^\n]*\"error\"[^\n]*\n$");

    assert_int_equal(log_set_level("debug"), 0);
    capture();
    log_debug("yes");
    assert_non_null(strstr(captured_text(), "\"level\":\"debug\""));
    assert_int_equal(log_set_level("info"), 0);
}


static void
test_escapes(void **state)
{
    (void) state;

    capture();
    log_info("m", "a", "q\" b\\ n\n t\t \x01 \x7f", "b", "ä€😀",
             "c", "\xff x \xc3", "d", "\xed\xa0\x80|\xc0\x80|\xf4\x90\x80\x80");
    captured_text();
    assert_non_null(strstr(captured,
                           "\"a\":\"q\\\" b\\\\ n\\u000a t\\u0009 "
                           "\\u0001 \\u007f\""));
    assert_non_null(strstr(captured, "\"b\":\"ä€😀\""));
    assert_non_null(strstr(captured, "\"c\":\"\\ufffd x \\ufffd\""));
    assert_non_null(strstr(captured, "\"d\":\"\\ufffd\\ufffd\\ufffd|"
                                     "\\ufffd\\ufffd|"
                                     "\\ufffd\\ufffd\\ufffd\\ufffd\""));
}


/* However long the values are, a line ends properly. */
static void
test_long_values(void **state)
{
    int          i;
    static char  text[20000];

    (void) state;

    for (i = 8000; i < 8250; i++) {
        memset(text, 'x', (size_t) i);
        text[i] = '\0';
        capture();
        log_info("m", "first", text, "second", "\"\"\"\"\"", "third", "3");
        captured_text();
        assert_in_range(strlen(captured), 7000, 8192);
        assert_matches(captured, "^\\{.*[^,:]\"\\}\n$");
    }

    memset(text, '\1', sizeof(text) - 1);
    capture();
    log_info("m", "first", text);
    assert_matches(captured_text(), "\\\\u0001\"\\}\n$");
}


static void
test_null_value_ends(void **state)
{
    const char  *reason = NULL;

    (void) state;

    capture();
    log_info("m", "reason", reason, "more", "1");
    assert_matches(captured_text(), "\"reason\":null\\}\n$");
}


static void
log_in_task(void *arg)
{
    (void) arg;

    log_info("without");
    task_set_trace("00-abc-def-01", 13);
    task_sleep(0);
    log_info("with");
}


static void
test_trace(void **state)
{
    (void) state;

    capture();
    unit_run(log_in_task, NULL);
    log_info("after");
    captured_text();
    assert_matches(captured, "\"msg\":\"without\"\\}\n");
    assert_matches(captured, "\"msg\":\"with\",\"trace\":\"00-abc-def-01\"");
    assert_matches(captured, "\"msg\":\"after\"\\}\n$");
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_long_values),
        cmocka_unit_test(test_null_value_ends),
        cmocka_unit_test(test_trace)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, unit_loop, NULL);
}
