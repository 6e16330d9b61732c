/*
 * redis.h, against servers that are not what they should be, and closed at
 * the wrong moment.
 */

#include "fixture.h"

#include <dlfcn.h>
#include <netdb.h>

#include "runtime/log.h"
#include "runtime/redis.h"


static int            released, connections;
static redis_t       *redis;
static redis_error_e  ended;


/* The C library's, but "slow.test" takes until the test lets it go. */
int
getaddrinfo(const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **res)
{
    int   i;
    int (*real)(const char *, const char *, const struct addrinfo *,
                struct addrinfo **);

    if (node != NULL && strcmp(node, "slow.test") == 0) {
        for (i = 0; i < 20000 && fixture_count(&released, 0) == 0; i++) {
            usleep(1000);
        }
        node = "127.0.0.1";
    }

    *(void **) &real = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(node, service, hints, res);
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
        mine = fixture_count(&connections, 1);
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


static redis_error_e
command(const char *first, const char *second, int64_t ms,
    redisReply **reply)
{
    const char  *argv[2] = { first, second };

    return redis_command(redis, second != NULL ? 2 : 1, argv, NULL, ms,
                         reply);
}


/* redis is the connection to the impostor until let_go(). */
static void
meet(impostor_t *impostor)
{
    char              text[64];
    pthread_t         thread;
    redis_settings_t  where = { .url = text };

    connections = 0;
    impostor->listener = fixture_socket(&impostor->port);
    assert_int_equal(listen(impostor->listener, 16), 0);
    pthread_create(&thread, NULL, impersonate, impostor);
    pthread_detach(thread);

    snprintf(text, sizeof(text), "redis://127.0.0.1:%d", impostor->port);
    redis = redis_open(&where, "met", NULL, NULL, text, sizeof(text));
    assert_non_null(redis);
}


static void
let_go(impostor_t *impostor)
{
    redis_close(redis);
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
    assert_in_range(fixture_count(&connections, 0), 1, 30);
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
    assert_int_equal(fixture_count(&connections, 0), 3);
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


/*
 * Half open: nothing comes any more, and nobody says so.  Who has waited in
 * vain leaves a new connection to the next.
 */
static void
falls_silent(void *arg)
{
    redisReply  *reply;

    meet(arg);
    assert_int_equal(command("PING", NULL, 2500, &reply), REDIS_TIMEOUT);
    assert_int_equal(command("PING", NULL, 5000, &reply), REDIS_REPLIED);
    assert_string_equal(reply->str, "OK");
    freeReplyObject(reply);
    assert_int_equal(fixture_count(&connections, 0), 2);
    let_go(arg);
}


static void
test_silence(void **state)
{
    static impostor_t  mute = { .answer = "", .bad = 1, .polite = 1 };

    (void) state;
    unit_run(falls_silent, &mute);
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
    char              text[64];
    redis_settings_t  where = { .url = "redis://slow.test" };

    (void) arg;

    redis = redis_open(&where, "slow", NULL, NULL, text, sizeof(text));
    assert_non_null(redis);
    ended = REDIS_REPLIED;
    task_start("waits", waits_for_it, NULL);
    task_sleep(10);
    redis_close(redis);

    while (ended == REDIS_REPLIED) {
        task_sleep(1);
    }
    assert_int_equal(ended, REDIS_DOWN);

    fixture_count(&released, 1);
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


static int
group_setup(void **state)
{
    log_set_level("error");

    return unit_loop(state);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(test_not_yet),
        cmocka_unit_test(test_surprise),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_close)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("redis_faults", tests, group_setup,
                                       NULL);
}
