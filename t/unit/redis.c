/*
 * redis.h, on a private Redis that is frozen, killed and started again.
 */

#include "unit.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "runtime/log.h"
#include "runtime/redis.h"


static char      url[128];
static int       port;
static pid_t     server;
static redis_t  *redis;
static int       handshakes;


static pthread_mutex_t  lock = PTHREAD_MUTEX_INITIALIZER;
static int              released, connections;


static int
count(int *counter, int by)
{
    int  value;

    pthread_mutex_lock(&lock);
    value = *counter += by;
    pthread_mutex_unlock(&lock);

    return value;
}


/* The C library's, but "slow.test" takes until the test lets it go. */
int
getaddrinfo(const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **res)
{
    int   i;
    int (*real)(const char *, const char *, const struct addrinfo *,
                struct addrinfo **);

    if (node != NULL && strcmp(node, "slow.test") == 0) {
        for (i = 0; i < 20000 && count(&released, 0) == 0; i++) {
            usleep(1000);
        }
        node = "127.0.0.1";
    }

    *(void **) &real = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(node, service, hints, res);
}


static int
bound_socket(int *port_of)
{
    int                 fd;
    socklen_t           len;
    struct sockaddr_in  sin;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    len = sizeof(sin);

    fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *) &sin, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *) &sin, &len), 0);
    *port_of = ntohs(sin.sin_port);

    return fd;
}


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
    char  error[128];

    assert_int_equal(unit_loop(state), 0);
    log_set_level("error");

    close(bound_socket(&port));
    start_server();

    snprintf(url, sizeof(url), "redis://:a%%40b%%3ac@127.0.0.1:%d/3", port);
    redis = redis_open(url, "test", shake, &handshakes, error,
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


/*
 * A server that is not what it should be, for some connections: it answers
 * each command with the text given, or not at all.  Later connections get
 * "+OK", and SURPRISE on the first one a reply that nobody asked for.
 */
typedef struct {
    const char  *answer;
    int          bad;       /* how many connections get it; -1: all */
    int          polite;    /* the handshake is answered well */
    int          listener;
    int          port;
} impostor_t;


static void *
impersonate(void *arg)
{
    int          fd, mine;
    char         text[4096], *p;
    ssize_t      n;
    impostor_t  *impostor;
    const char  *answer;

    impostor = arg;

    while ((fd = accept(impostor->listener, NULL, NULL)) != -1) {
        mine = count(&connections, 1);
        answer = impostor->bad == -1 || mine <= impostor->bad
                 ? impostor->answer : "+OK\r\n";

        while ((n = recv(fd, text, sizeof(text) - 1, 0)) > 0) {
            text[n] = '\0';
            for (p = strchr(text, '*'); p != NULL; p = strchr(p + 1, '*')) {
                if (impostor->polite && strstr(text, "CLIENT") != NULL) {
                    send(fd, "+OK\r\n", 5, MSG_NOSIGNAL);
                } else {
                    send(fd, answer, strlen(answer), MSG_NOSIGNAL);
                }
            }
            if (strstr(text, "SURPRISE") != NULL && mine == 1) {
                send(fd, "+what\r\n", 7, MSG_NOSIGNAL);
            }
        }

        close(fd);
    }

    return NULL;
}


/* redis is the connection to the impostor until let_go(). */
static redis_t  *real_redis;

static void
meet(impostor_t *impostor)
{
    char       text[64];
    pthread_t  thread;

    connections = 0;
    impostor->listener = bound_socket(&impostor->port);
    assert_int_equal(listen(impostor->listener, 16), 0);
    pthread_create(&thread, NULL, impersonate, impostor);
    pthread_detach(thread);

    snprintf(text, sizeof(text), "redis://127.0.0.1:%d", impostor->port);
    real_redis = redis;
    redis = redis_open(text, "met", NULL, NULL, text, sizeof(text));
    assert_non_null(redis);
}


static void
let_go(impostor_t *impostor)
{
    redis_close(redis);
    redis = real_redis;
    shutdown(impostor->listener, SHUT_RDWR);
    task_sleep(1);
}


static void
garbage(void *arg)
{
    impostor_t  *impostor;
    redisReply  *reply;

    impostor = arg;
    meet(impostor);
    assert_int_equal(command("PING", NULL, 1000, &reply), REDIS_DOWN);
    assert_false(redis_ready(redis));
    assert_in_range(count(&connections, 0), 1, 30);
    let_go(impostor);
}


static void
test_garbage(void **state)
{
    static impostor_t  http = { .answer = "HTTP/1.1 400\r\n", .bad = -1 };
    static impostor_t  mute = { .answer = "", .bad = -1 };
    static impostor_t  auth = { .answer = "-NOAUTH no\r\n", .bad = -1 };

    (void) state;

    unit_run(garbage, &http);
    unit_run(garbage, &mute);
    unit_run(garbage, &auth);
}


/* It comes back until the server has loaded, or is the primary again. */
static void
not_yet(void *arg)
{
    int          refused;
    impostor_t  *impostor;
    redisReply  *reply;

    impostor = arg;
    meet(impostor);

    for (refused = 0; /* void */ ; refused++) {
        assert_int_equal(command("SET", "x", 60000, &reply), REDIS_REPLIED);
        if (reply->type == REDIS_REPLY_STATUS) {
            break;
        }
        freeReplyObject(reply);
    }

    freeReplyObject(reply);
    assert_int_equal(refused, impostor->polite ? 2 : 0);
    assert_int_equal(count(&connections, 0), 3);
    let_go(impostor);
}


static void
test_not_yet(void **state)
{
    static impostor_t  loading = { .answer = "-LOADING it\r\n", .bad = 2 };
    static impostor_t  replica = { .answer = "-READONLY it\r\n", .bad = 2,
                                   .polite = 1 };

    (void) state;
    unit_run(not_yet, &loading);
    unit_run(not_yet, &replica);
}


/* Replies would find the wrong tasks: the connection is made anew. */
static void
surprised(void *arg)
{
    redisReply  *reply;

    meet(arg);
    assert_int_equal(command("SURPRISE", NULL, 60000, &reply), REDIS_REPLIED);
    freeReplyObject(reply);

    while (redis_generation(redis) < 2) {
        task_sleep(10);
    }

    assert_int_equal(command("PING", NULL, 60000, &reply), REDIS_REPLIED);
    assert_string_equal(reply->str, "OK");
    freeReplyObject(reply);
    let_go(arg);
}


static void
test_surprise(void **state)
{
    static impostor_t  impostor = { .bad = 0 };

    (void) state;
    unit_run(surprised, &impostor);
}


/* Whatever it is at, it can be closed: who waits is told. */
static void
waits_for_it(void *arg)
{
    redisReply  *reply;

    (void) arg;
    ended = command("PING", NULL, 60000, &reply);
}


static void
closes_early(void *arg)
{
    impostor_t  *impostor;

    impostor = arg;
    ended = REDIS_REPLIED;
    meet(impostor);

    /* it resolved or connects; then it waits in the handshake */
    task_start("waits", waits_for_it, NULL);
    task_sleep(impostor->bad == 0 ? 0 : 100);
    let_go(impostor);
    while (ended == REDIS_REPLIED) {
        task_sleep(1);
    }
    assert_int_equal(ended, REDIS_DOWN);
}


static void
resolves(void *arg)
{
    char  text[64];

    (void) arg;

    redis = redis_open("redis://slow.test", "slow", NULL, NULL, text,
                       sizeof(text));
    assert_non_null(redis);
    ended = REDIS_REPLIED;
    task_start("waits", waits_for_it, NULL);
    task_sleep(10);
    redis_close(redis);
    redis = real_redis;

    while (ended == REDIS_REPLIED) {
        task_sleep(1);
    }
    assert_int_equal(ended, REDIS_DOWN);

    count(&released, 1);
    task_sleep(100);
}


static void
test_close(void **state)
{
    static impostor_t  now = { .answer = "", .bad = 0 };
    static impostor_t  mute = { .answer = "", .bad = -1 };

    (void) state;

    unit_run(closes_early, &now);
    unit_run(closes_early, &mute);
    unit_run(resolves, NULL);
}


static void
test_bad_urls_are_named(void **state)
{
    size_t              i;
    char                error[128];
    static const char  *urls[] = {
        "", "localhost", "http://x", "unix:relative", "unix:",
        "redis://", "redis://host:port", "redis://host/x",
        "redis://user@host", "redis://[::1", "redis://[::1]6379",
        "redis://host:123456", "rediss://host"
    };

    (void) state;

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        error[0] = '\0';
        assert_null(redis_open(urls[i], "x", NULL, NULL, error,
                               sizeof(error)));
        assert_true(error[0] != '\0');
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
        cmocka_unit_test(test_bad_urls_are_named),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_not_yet),
        cmocka_unit_test(test_surprise),
        cmocka_unit_test(test_close)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("redis", tests, group_setup,
                                       group_teardown);
}
