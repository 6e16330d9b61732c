/*
 * queue.h on a private Redis: a turn from claim to complete.  What the
 * functions do is tested in t/305-lanes.t and beside it.
 */

#include "queue_server.h"


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
        cmocka_unit_test_setup(test_turn_from_claim_to_complete, setup),
        cmocka_unit_test_setup(test_many_leases_are_extended, setup),
        cmocka_unit_test_setup(test_lost_library_is_loaded_again, setup),
        cmocka_unit_test_setup(test_wait_ends_with_an_append_or_its_time,
                               setup),
        cmocka_unit_test_setup(test_error_is_away, setup)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
