/*
 * redis.h, on a private Redis that is frozen, killed and started again.
 */

#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "runtime/log.h"
#include "runtime/redis.h"


static char      url[128];
static int       port;
static pid_t     server;
static redis_t  *redis;
static int       handshakes;


/* It is not waited for: the client has to cope. */
static void
start_server(void)
{
    int   fd;
    char  number[16];

    server = fork();
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        fd = open("/dev/null", O_RDWR);
        dup2(fd, 0);
        dup2(fd, 1);
        snprintf(number, sizeof(number), "%d", port);
        if (chdir("/tmp") == 0) {
            execlp("redis-server", "redis-server", "--bind", "127.0.0.1",
                   "--port", number, "--save", "", "--requirepass", "a@b:c",
                   NULL);
        }
        _exit(127);
    }
}


static void
stop_server(void)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}


static redis_error_e
command(const char *first, const char *second, int64_t ms,
    redisReply **reply)
{
    const char  *argv[2] = { first, second };

    return redis_command(redis, second != NULL ? 2 : 1, argv, NULL, ms,
                         reply);
}


static int
shake(redis_t *r, void *data)
{
    const char  *argv[2] = { "INCR", "handshakes" };
    redisReply  *reply;

    assert_ptr_equal(data, &handshakes);
    assert_false(redis_ready(r));

    if (redis_command(r, 2, argv, NULL, 5000, &reply) != REDIS_REPLIED) {
        return -1;
    }

    handshakes = (int) reply->integer;
    freeReplyObject(reply);

    return 0;
}


static int
group_setup(void **state)
{
    char              error[128];
    redis_settings_t  where = { .url = url };

    assert_int_equal(unit_loop(state), 0);
    log_set_level("error");

    port = fixture_port();
    start_server();

    snprintf(url, sizeof(url), "redis://:a%%40b%%3ac@127.0.0.1:%d/3", port);
    redis = redis_open(&where, "test", shake, &handshakes, error,
                       sizeof(error));
    assert_non_null(redis);

    return 0;
}


static int
group_teardown(void **state)
{
    (void) state;

    redis_close(redis);
    stop_server();

    return 0;
}


static void
introduced(void *arg)
{
    redisReply  *reply;

    (void) arg;

    assert_int_equal(command("CLIENT", "INFO", 30000, &reply),
                     REDIS_REPLIED);
    assert_non_null(strstr(reply->str, " db=3 "));
    assert_non_null(strstr(reply->str, " name=test "));
    freeReplyObject(reply);
    assert_int_equal(handshakes, 1);

    assert_int_equal(command("NONSENSE", NULL, 30000, &reply),
                     REDIS_REPLIED);
    assert_int_equal(reply->type, REDIS_REPLY_ERROR);
    freeReplyObject(reply);
}


static void
test_commands_wait_for_the_handshake(void **state)
{
    (void) state;
    unit_run(introduced, NULL);
}


static int  answered;

static void
one_of_many(void *arg)
{
    char         text[16];
    redisReply  *reply;

    snprintf(text, sizeof(text), "%d", (int) (intptr_t) arg);
    assert_int_equal(command("ECHO", text, 30000, &reply), REDIS_REPLIED);
    assert_string_equal(reply->str, text);
    freeReplyObject(reply);
    answered++;
}


static void
test_replies_find_their_tasks(void **state)
{
    intptr_t  i;

    (void) state;

    for (i = 0; i < 1000; i++) {
        task_start("one", one_of_many, (void *) i);
    }
    loop_run();
    assert_int_equal(answered, 1000);
}


/* More than a socket takes at once, both ways. */
static void
large(void *arg)
{
    size_t       len;
    char        *text;
    redisReply  *reply;

    (void) arg;

    len = 8 * 1024 * 1024;
    text = malloc(len + 1);
    memset(text, 'x', len);
    text[len] = '\0';
    assert_int_equal(command("ECHO", text, 30000, &reply), REDIS_REPLIED);
    assert_int_equal(reply->len, len);
    freeReplyObject(reply);
    free(text);
}


static void
test_large_ones_pass(void **state)
{
    (void) state;
    unit_run(large, NULL);
}


static void
frozen(void *arg)
{
    redisReply  *reply;

    (void) arg;

    kill(server, SIGSTOP);
    assert_int_equal(command("ECHO", "late", 200, &reply), REDIS_TIMEOUT);
    assert_null(reply);
    kill(server, SIGCONT);

    /* the late reply is nobody's */
    assert_int_equal(command("ECHO", "next", 30000, &reply), REDIS_REPLIED);
    assert_string_equal(reply->str, "next");
    freeReplyObject(reply);
}


static void
test_late_reply_is_dropped(void **state)
{
    (void) state;
    unit_run(frozen, NULL);
}


static redis_error_e  ended;

static void
blocks(void *arg)
{
    redisReply  *reply;
    const char  *argv[3] = { "BLPOP", "nothing", "0" };

    (void) arg;
    ended = redis_command(redis, 3, argv, NULL, 60000, &reply);
}


static void
kills(void *arg)
{
    unsigned     before;
    redisReply  *reply;

    (void) arg;

    before = redis_generation(redis);
    task_sleep(100);
    stop_server();
    while (redis_ready(redis)) {
        task_sleep(10);
    }

    assert_int_equal(command("PING", NULL, 100, &reply), REDIS_DOWN);

    start_server();
    assert_int_equal(command("PING", NULL, 60000, &reply), REDIS_REPLIED);
    freeReplyObject(reply);
    assert_int_equal(redis_generation(redis), before + 1);
    assert_int_equal(handshakes, 1);    /* of a new, empty server */
}


static void
test_lost_connection_comes_back(void **state)
{
    (void) state;

    ended = REDIS_REPLIED;
    task_start("blocks", blocks, NULL);
    unit_run(kills, NULL);
    assert_int_equal(ended, REDIS_UNKNOWN);
}


static void
cancels(void *arg)
{
    task_sleep(100);
    task_cancel(arg);
}


static void
test_cancel(void **state)
{
    (void) state;

    ended = REDIS_REPLIED;
    task_start("cancels", cancels, task_start("blocks", blocks, NULL));
    loop_run();
    assert_int_equal(ended, REDIS_CANCELLED);
}


static void
test_bad_urls_are_named(void **state)
{
    size_t              i;
    char                error[128];
    redis_settings_t    where = { .url = NULL };
    static const char  *urls[] = {
        NULL, "", "localhost", "http://x", "unix:relative", "unix:",
        "redis://", "redis://host:port", "redis://host/x",
        "redis://user@host", "redis://[::1", "redis://[::1]6379",
        "redis://host:123456", "rediss://", "rediss://host/x"
    };

    (void) state;

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        error[0] = '\0';
        where.url = urls[i];
        assert_null(redis_open(&where, "x", NULL, NULL, error,
                               sizeof(error)));
        assert_non_null(strstr(error, "SETTER_REDIS_URL"));
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_commands_wait_for_the_handshake),
        cmocka_unit_test(test_replies_find_their_tasks),
        cmocka_unit_test(test_large_ones_pass),
        cmocka_unit_test(test_late_reply_is_dropped),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_lost_connection_comes_back),
        cmocka_unit_test(test_bad_urls_are_named)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("redis", tests, group_setup,
                                       group_teardown);
}
