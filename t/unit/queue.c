/*
 * queue.h on a private Redis: who may use it, which library stays, and each
 * call's C face.  What the functions do is tested in t/305-lanes.t.
 */

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


static void
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


static void
stop_server(void)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}


static int
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


static int
group_teardown(void **state)
{
    (void) state;

    redisFree(plain);
    stop_server();
    unlink(path);

    return rmdir(directory);
}


/* The reply's text is good until the next call. */
static const char *
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


/* A library of another version; "work" is Lua that its function does first. */
static void
load_fake(const char *version, const char *work)
{
    char  lua[512];

    snprintf(lua, sizeof(lua), "#!lua name=setter\nredis.register_function{"
             "function_name='setter_version', flags={'no-writes'}, "
             "callback=function() %s return '%s' end}", work, version);
    assert_string_equal(ask("FUNCTION LOAD REPLACE %s", lua), "setter");
}


static int
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
static redis_t *
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


static void
first_handshake(void *arg)
{
    redis_t  *redis;

    (void) arg;

    redis = connect_redis();
    assert_string_equal(settings.refusal, "");
    assert_string_equal(ask("GET " LAYOUT), SETTER_LAYOUT " 1");
    assert_string_equal(ask("FCALL_RO setter_version 0"), "1.0");
    redis_close(redis);

    /* and the next one finds all in order */
    redis = connect_redis();
    assert_true(redis_ready(redis));
    redis_close(redis);
}


static void
test_handshake_prepares_redis(void **state)
{
    (void) state;
    unit_run(first_handshake, NULL);
}


/* A full Redis is what needs a worker most. */
static void
full_handshake(void *arg)
{
    redis_t  *redis;

    (void) arg;

    redis_close(connect_redis());
    ask("CONFIG SET maxmemory 1");
    redis = connect_redis();
    assert_true(redis_ready(redis));
    redis_close(redis);
}


static void
test_full_redis_can_be_drained(void **state)
{
    (void) state;
    unit_run(full_handshake, NULL);
}


static void
refused(void *arg)
{
    redis_t  *redis;

    redis = connect_redis();
    assert_false(redis_ready(redis));
    assert_non_null(strstr(settings.refusal, arg));
    redis_close(redis);
}


static void
test_other_partitions_are_refused(void **state)
{
    (void) state;

    ask("SET " LAYOUT " %s", SETTER_LAYOUT " 4");
    unit_run(refused, (void *) SETTER_LAYOUT " 4");
    assert_string_equal(ask("GET " LAYOUT), SETTER_LAYOUT " 4");
}


static void
test_other_layout_is_refused(void **state)
{
    (void) state;

    ask("SET " LAYOUT " %s", "999 1");
    unit_run(refused, (void *) "999 1");
}


static void
test_eviction_is_refused(void **state)
{
    (void) state;

    ask("CONFIG SET maxmemory-policy allkeys-lru");
    unit_run(refused, (void *) "allkeys-lru");
}


static void
test_other_major_version_is_refused(void **state)
{
    (void) state;

    load_fake("2.0", "");
    unit_run(refused, (void *) "2.0");
    assert_string_equal(ask("FCALL_RO setter_version 0"), "2.0");
}


static void
accepted(void *arg)
{
    redis_t  *redis;

    redis = connect_redis();
    assert_true(redis_ready(redis));
    assert_string_equal(ask("FCALL_RO setter_version 0"), arg);
    redis_close(redis);
}


static void
test_older_library_is_replaced(void **state)
{
    (void) state;

    load_fake("1", "");
    unit_run(accepted, (void *) "1.0");
}


static void
test_newer_library_stays(void **state)
{
    (void) state;

    load_fake("1.12", "");
    unit_run(accepted, (void *) "1.12");
}


/*
 * While a worker asks an old library, which takes its time to answer, another
 * worker loads one that is newer than both.
 */
static void
newer_comes(void *arg)
{
    int          i;
    char         lua[256];
    redisReply  *reply;

    (void) arg;

    task_sleep(100);
    snprintf(lua, sizeof(lua), "#!lua name=setter\nredis.register_function{"
             "function_name='setter_version', flags={'no-writes'}, "
             "callback=function() return '1.9' end}");

    redisAppendCommand(plain, "MULTI");
    redisAppendCommand(plain, "SET " LAYOUT " %s", SETTER_LAYOUT " 1");
    redisAppendCommand(plain, "FUNCTION LOAD REPLACE %s", lua);
    redisAppendCommand(plain, "EXEC");

    for (i = 0; i < 4; i++) {
        assert_int_equal(redisGetReply(plain, (void **) &reply), REDIS_OK);
        assert_int_not_equal(reply->type, REDIS_REPLY_ERROR);
        freeReplyObject(reply);
    }
}


static void
test_newer_library_stays_in_a_race(void **state)
{
    (void) state;

    load_fake("1", "local t = redis.call('TIME') "
              "repeat local n = redis.call('TIME') "
              "until (n[1] - t[1]) * 1e6 + n[2] - t[2] > 300000");
    assert_non_null(task_start("newer", newer_comes, NULL));
    unit_run(accepted, (void *) "1.9");
}


static void
append_job(const char *id)
{
    char  header[128];

    snprintf(header, sizeof(header), "1\t%s\tacme\tmessage\tacme/conv/x\t"
             "1700000000123\t0\t0\t0", id);
    ask("XADD " INBOX " * h %s j %s", header, id);
}


static queue_turn_t *
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


static int
is(setter_str_t text, const char *expected)
{
    return text.len == strlen(expected)
           && memcmp(text.data, expected, text.len) == 0;
}


static void
whole_turn(void *arg)
{
    int64_t         before;
    redis_t        *redis;
    unsigned char   stale[2];
    queue_turn_t   *turn, *turns[2], gone;

    (void) arg;

    redis = connect_redis();
    assert_null(claim_one(redis));

    append_job("one");
    append_job("two");
    before = loop_now_ms();
    turn = claim_one(redis);
    assert_non_null(turn);
    assert_true(is(turn->lane, "acme/conv/x"));
    assert_true(is(turn->tenant, "acme"));
    assert_int_equal(turn->partition, 0);
    assert_int_equal(strspn(turn->token, "0123456789"), strlen(turn->token));
    assert_true(strlen(turn->token) == 16);
    assert_int_equal(turn->failures + turn->crashes + turn->dead, 0);
    assert_int_equal(turn->reason.len, 0);
    assert_int_equal(turn->njobs, 2);
    assert_true(is(turn->jobs[0].envelope, "one"));
    assert_true(is(turn->jobs[1].header.id, "two"));
    assert_true(is(turn->jobs[1].header.kind, "message"));
    assert_true(turn->jobs[1].header.received_ms == 1700000000123);
    assert_true(is(turn->jobs[1].envelope, "two"));
    assert_true(turn->lease_until >= before + 60000);
    assert_true(turn->lease_until <= loop_now_ms() + 60000);

    append_job("three");
    assert_null(claim_one(redis));

    gone = *turn;
    strcpy(gone.token, "1");
    turns[0] = &gone;
    turns[1] = turn;
    gone.lease_until = turn->lease_until = 0;
    assert_int_equal(queue_extend(redis, &settings, turns, 2, stale),
                     QUEUE_OK);
    assert_int_equal(stale[0], 1);
    assert_int_equal(stale[1], 0);
    assert_true(gone.lease_until == 0);
    assert_true(turn->lease_until > before);

    turn->lease_until = before + 900000;
    assert_int_equal(queue_extend(redis, &settings, turns, 2, stale),
                     QUEUE_OK);
    assert_true(turn->lease_until == before + 900000);

    assert_int_equal(queue_fail(redis, &settings, &gone, 0, 1, "x"),
                     QUEUE_STALE);
    assert_int_equal(queue_complete(redis, &settings, &gone), QUEUE_STALE);

    assert_int_equal(queue_fail(redis, &settings, turn, 0, 1, "it broke"),
                     QUEUE_OK);
    arena_destroy(turn->arena);

    turn = claim_one(redis);
    assert_int_equal(turn->failures, 1);
    assert_int_equal(turn->njobs, 2);
    assert_true(is(turn->reason, "it broke"));
    assert_int_equal(queue_complete(redis, &settings, turn), QUEUE_OK);
    assert_int_equal(queue_complete(redis, &settings, turn), QUEUE_STALE);
    arena_destroy(turn->arena);

    redis_close(redis);
}


static void
test_turn_from_claim_to_complete(void **state)
{
    (void) state;
    unit_run(whole_turn, NULL);
}


/* More leases than one call prolongs, over several partitions. */
static void
many_leases(void *arg)
{
    int              i;
    size_t           n;
    unsigned         partition;
    char             id[16], tenant[16], header[128], key[SETTER_KEY_MAX];
    arena_t         *arena;
    redis_t         *redis;
    setter_str_t     slug;
    queue_turn_t   **turns;
    queue_claim_t    claim;
    unsigned char    stale[1500];

    (void) arg;

    settings.partitions = 4;
    redis = connect_redis();

    for (i = 0; i < 1200; i++) {
        slug.len = snprintf(tenant, sizeof(tenant), "t%d", i % 12);
        slug.data = tenant;
        snprintf(id, sizeof(id), "j%d", i);
        snprintf(header, sizeof(header), "1\t%s\t%s\tmessage\t%s/conv/%d\t"
                 "1\t0\t0\t0", id, tenant, tenant, i);
        setter_partition_key(key, setter_partition(slug, 4), 4, "inbox");
        ask("XADD %s * h %s j %s", key, header, id);
    }

    arena = arena_create();
    turns = arena_get(arena, 1200 * sizeof(queue_turn_t *));
    n = 0;

    for (partition = 0; partition < 4; partition++) {
        do {
            assert_int_equal(queue_claim(redis, &settings, partition, 1000,
                                         1, &claim, arena), QUEUE_OK);
            assert_true(n + claim.nturns <= 1200);
            memcpy(turns + n, claim.turns,
                   claim.nturns * sizeof(queue_turn_t *));
            n += claim.nturns;
        } while (claim.next_ms == 0);
    }

    assert_int_equal(n, 1200);
    memset(stale, 2, sizeof(stale));
    strcpy(turns[700]->token, "1");
    assert_int_equal(queue_extend(redis, &settings, turns, n, stale),
                     QUEUE_OK);

    for (i = 0; i < 1200; i++) {
        assert_int_equal(stale[i], i == 700);
        arena_destroy(turns[i]->arena);
    }

    arena_destroy(arena);
    redis_close(redis);
}


static void
test_many_leases_are_extended(void **state)
{
    (void) state;
    unit_run(many_leases, NULL);
}


static void
library_lost(void *arg)
{
    redis_t       *redis;
    queue_turn_t  *turn;

    (void) arg;

    redis = connect_redis();
    append_job("one");
    ask("FUNCTION FLUSH");
    turn = claim_one(redis);
    assert_non_null(turn);

    ask("FUNCTION FLUSH");
    assert_int_equal(queue_complete(redis, &settings, turn), QUEUE_OK);
    arena_destroy(turn->arena);
    redis_close(redis);
}


static void
test_lost_library_is_loaded_again(void **state)
{
    (void) state;
    unit_run(library_lost, NULL);
}


static void
rings(void *arg)
{
    (void) arg;

    task_sleep(50);
    append_job("one");
}


static void
waits(void *arg)
{
    int64_t   before;
    redis_t  *redis;
    char      ids[1][48] = { "0-0" };

    (void) arg;

    redis = connect_redis();

    before = loop_now_ms();
    assert_int_equal(queue_wait(redis, &settings, (const char (*)[48]) ids,
                                30), QUEUE_OK);
    assert_true(loop_now_ms() - before >= 29);

    assert_non_null(task_start("rings", rings, NULL));
    before = loop_now_ms();
    assert_int_equal(queue_wait(redis, &settings, (const char (*)[48]) ids,
                                60000), QUEUE_OK);
    assert_true(loop_now_ms() - before < 30000);
    redis_close(redis);
}


static void
test_wait_ends_with_an_append_or_its_time(void **state)
{
    (void) state;
    unit_run(waits, NULL);
}


static void
refuses_calls(void *arg)
{
    arena_t        *arena;
    redis_t        *redis;
    queue_claim_t   claim;

    (void) arg;

    redis = connect_redis();
    arena = arena_create();
    ask("SET " INBOX " nonsense");
    assert_int_equal(queue_claim(redis, &settings, 0, 10, 1, &claim, arena),
                     QUEUE_AWAY);
    ask("DEL " INBOX);
    assert_int_equal(queue_claim(redis, &settings, 0, 10, 1, &claim, arena),
                     QUEUE_OK);
    arena_destroy(arena);
    redis_close(redis);
}


static void
test_error_is_away(void **state)
{
    (void) state;
    unit_run(refuses_calls, NULL);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_handshake_prepares_redis, setup),
        cmocka_unit_test_setup(test_full_redis_can_be_drained, setup),
        cmocka_unit_test_setup(test_other_partitions_are_refused, setup),
        cmocka_unit_test_setup(test_other_layout_is_refused, setup),
        cmocka_unit_test_setup(test_eviction_is_refused, setup),
        cmocka_unit_test_setup(test_other_major_version_is_refused, setup),
        cmocka_unit_test_setup(test_older_library_is_replaced, setup),
        cmocka_unit_test_setup(test_newer_library_stays, setup),
        cmocka_unit_test_setup(test_newer_library_stays_in_a_race, setup),
        cmocka_unit_test_setup(test_turn_from_claim_to_complete, setup),
        cmocka_unit_test_setup(test_many_leases_are_extended, setup),
        cmocka_unit_test_setup(test_lost_library_is_loaded_again, setup),
        cmocka_unit_test_setup(test_wait_ends_with_an_append_or_its_time,
                               setup),
        cmocka_unit_test_setup(test_error_is_away, setup),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
