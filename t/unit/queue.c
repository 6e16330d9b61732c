/*
 * queue.h on a private Redis: who may use it, and which library stays.
 */

#include "queue_server.h"


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


static void
first_handshake(void *arg)
{
    redis_t  *redis;

    (void) arg;

    redis = connect_redis();
    assert_string_equal(settings.refusal, "");
    assert_string_equal(ask("GET " LAYOUT), SETTER_LAYOUT " 1");
    assert_string_equal(ask("FCALL_RO setter_version 0"), "1.2");
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
    unit_run(accepted, (void *) "1.2");
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

    /* TIME stands still while a function of Redis 7.2 or later runs */
    load_fake("1", "local t = os.clock() repeat until os.clock() - t > 0.3");
    assert_non_null(task_start("newer", newer_comes, NULL));
    unit_run(accepted, (void *) "1.9");
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
        cmocka_unit_test_setup(test_newer_library_stays_in_a_race, setup)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
