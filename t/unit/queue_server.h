/*
 * A private Redis for the queue's C face: one for all tests of a program,
 * empty before each.
 */

#ifndef QUEUE_SERVER_H
#define QUEUE_SERVER_H

#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "queue/queue.h"
#include "runtime/embedded.h"
#include "runtime/log.h"
#include "setter_partition.h"


#define LAYOUT  "setter:{mm}:layout"
#define INBOX   "setter:{mm}:inbox"

static char              directory[] = "/tmp/setter-queue-XXXXXX";
static char              path[64];
static pid_t             server;
static redisContext     *plain;         /* beside the code under test */
static queue_settings_t  settings;


static inline void
start_server(void)
{
    int  fd;

    server = fork();
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        fd = open("/dev/null", O_RDWR);
        dup2(fd, 0);
        dup2(fd, 1);
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket",
               path, "--save", "", "--dir", directory, NULL);
        _exit(127);
    }
}


static inline void
stop_server(void)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}


static inline int
group_setup(void **state)
{
    int  tries;

    assert_int_equal(unit_loop(state), 0);
    log_set_level("error");

    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/redis.sock", directory);
    start_server();

    for (tries = 0; tries < 3000; tries++) {
        plain = redisConnectUnix(path);
        if (plain != NULL && plain->err == 0) {
            return 0;
        }
        redisFree(plain);
        usleep(10000);
    }

    return -1;
}


static inline int
group_teardown(void **state)
{
    (void) state;

    redisFree(plain);
    stop_server();
    unlink(path);

    return rmdir(directory);
}


/* The reply's text is good until the next call. */
static inline const char *
ask(const char *format, ...)
{
    va_list       args;
    redisReply   *reply;
    static char   text[256];

    va_start(args, format);
    reply = redisvCommand(plain, format, args);
    va_end(args);

    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_INTEGER) {
        snprintf(text, sizeof(text), "%lld", reply->integer);
    } else {
        snprintf(text, sizeof(text), "%s", reply->str ? reply->str : "");
    }
    freeReplyObject(reply);

    return text;
}


static inline int
setup(void **state)
{
    (void) state;

    ask("CONFIG SET maxmemory 0");
    ask("FLUSHALL");
    ask("FUNCTION FLUSH");
    ask("CONFIG SET maxmemory-policy noeviction");

    memset(&settings, 0, sizeof(settings));
    settings.partitions = 1;
    settings.worker = "tester";
    settings.lease_ms = 60000;
    settings.turn_jobs = 20;
    settings.turn_bytes = 262144;
    settings.max_failures = 8;
    settings.max_crashes = 3;

    return 0;
}


/* A connection whose handshake has said yes or no. */
static inline redis_t *
connect_redis(void)
{
    char              url[80], error[128];
    redis_t          *redis;
    redis_settings_t  where = { .url = url };

    snprintf(url, sizeof(url), "unix:%s", path);
    redis = redis_open(&where, "queue", queue_handshake, &settings, error,
                       sizeof(error));
    assert_non_null(redis);

    while (!redis_ready(redis) && settings.refusal[0] == '\0') {
        assert_int_equal(task_sleep(2), TASK_OK);
    }

    return redis;
}


static inline void
append_job(const char *id)
{
    char  header[128];

    snprintf(header, sizeof(header), "1\t%s\tacme\tmessage\tacme/conv/x\t"
             "1700000000123\t0\t0\t0", id);
    ask("XADD " INBOX " * h %s j %s", header, id);
}


static inline queue_turn_t *
claim_one(redis_t *redis)
{
    arena_t        *arena;
    queue_turn_t   *turn;
    queue_claim_t   claim;

    arena = arena_create();
    assert_int_equal(queue_claim(redis, &settings, 0, 10, 1, &claim, arena),
                     QUEUE_OK);
    turn = claim.nturns > 0 ? claim.turns[0] : NULL;
    assert_true(claim.nturns <= 1);
    arena_destroy(arena);

    return turn;
}


static inline int
is(setter_str_t text, const char *expected)
{
    return text.len == strlen(expected)
           && memcmp(text.data, expected, text.len) == 0;
}


#endif /* QUEUE_SERVER_H */
