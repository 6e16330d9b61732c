/*
 * queue.h on a private Redis: jobs, lanes, tenants and workers beside turns.
 * What the functions do is tested in t/306-settings.t and beside it.
 */

#include "queue_server.h"


static setter_str_t
str(const char *text)
{
    setter_str_t  s;

    s.data = text;
    s.len = strlen(text);

    return s;
}


static void
appends(void *arg)
{
    redis_t              *redis;
    queue_turn_t         *turn;
    setter_job_header_t   header;

    (void) arg;

    redis = connect_redis();
    memset(&header, 0, sizeof(header));
    header.id = str("one");
    header.tenant = str("acme");
    header.kind = str("message");
    header.lane = str("acme/conv/x");
    header.received_ms = 1700000000123;
    header.flags = str("again");

    assert_int_equal(queue_append(redis, &settings, &header, str("{}")),
                     QUEUE_OK);
    turn = claim_one(redis);
    assert_non_null(turn);
    assert_int_equal(turn->njobs, 1);
    assert_true(is(turn->jobs[0].header.id, "one"));
    assert_true(setter_job_header_has(&turn->jobs[0].header, "again"));
    assert_true(turn->jobs[0].header.received_ms == 1700000000123);
    assert_true(is(turn->jobs[0].envelope, "{}"));
    arena_destroy(turn->arena);

    ask("SET " INBOX "2 x");
    ask("RENAME " INBOX "2 " INBOX);
    assert_int_equal(queue_append(redis, &settings, &header, str("{}")),
                     QUEUE_AWAY);
    redis_close(redis);
}


static void
test_append(void **state)
{
    (void) state;
    unit_run(appends, NULL);
}


static void
appends_to_partitions(void *arg)
{
    int                   i;
    char                  slug[16], lane[40], key[SETTER_KEY_MAX];
    redis_t              *redis;
    setter_job_header_t   header;

    (void) arg;

    settings.partitions = 4;
    redis = connect_redis();
    memset(&header, 0, sizeof(header));
    header.id = header.kind = str("x");

    for (i = 0; i < 8; i++) {
        snprintf(slug, sizeof(slug), "t%d", i);
        snprintf(lane, sizeof(lane), "t%d/conv/%d", i, i);
        header.tenant = str(slug);
        header.lane = str(lane);
        setter_partition_key(key, setter_partition(header.tenant, 4), 4,
                             "inbox");
        ask("DEL %s", key);
        assert_int_equal(queue_append(redis, &settings, &header, str("{}")),
                         QUEUE_OK);
        assert_string_equal(ask("XLEN %s", key), "1");
    }

    redis_close(redis);
}


static void
test_append_finds_the_partition(void **state)
{
    (void) state;
    unit_run(appends_to_partitions, NULL);
}


static void
takes_in(void *arg)
{
    size_t         added;
    redis_t       *redis;
    queue_turn_t  *turn, gone;

    (void) arg;

    redis = connect_redis();
    append_job("one");
    turn = claim_one(redis);
    assert_int_equal(queue_more(redis, &settings, turn, &added), QUEUE_OK);
    assert_int_equal(added, 0);

    append_job("two");
    append_job("three");
    assert_null(claim_one(redis));
    assert_int_equal(queue_more(redis, &settings, turn, &added), QUEUE_OK);
    assert_int_equal(added, 2);
    assert_int_equal(turn->njobs, 3);
    assert_true(is(turn->jobs[0].header.id, "one"));
    assert_true(is(turn->jobs[2].header.id, "three"));
    assert_true(is(turn->jobs[2].envelope, "three"));

    gone = *turn;
    strcpy(gone.token, "1");
    assert_int_equal(queue_more(redis, &settings, &gone, &added),
                     QUEUE_STALE);
    assert_int_equal(added, 0);
    assert_int_equal(queue_complete(redis, &settings, turn), QUEUE_OK);
    arena_destroy(turn->arena);
    redis_close(redis);
}


static void
test_more(void **state)
{
    (void) state;
    unit_run(takes_in, NULL);
}


/* An answer that was lost: Redis may have handed over what we do not know. */
static void
loses_more(void *arg)
{
    size_t         added;
    redis_t       *redis;
    queue_turn_t  *turn;

    (void) arg;

    redis = connect_redis();
    append_job("one");
    turn = claim_one(redis);
    append_job("two");
    assert_null(claim_one(redis));
    assert_string_equal(ask("FCALL setter_more 1 " INBOX " acme/conv/x %s 20 "
                            "99999", turn->token), "");

    ask("SET " INBOX "2 x");
    ask("RENAME setter:{mm}:lane:acme/conv/x " INBOX "3");
    ask("RENAME " INBOX "2 setter:{mm}:lane:acme/conv/x");
    assert_int_equal(queue_more(redis, &settings, turn, &added), QUEUE_AWAY);
    assert_int_equal(added, 0);
    ask("RENAME " INBOX "3 setter:{mm}:lane:acme/conv/x");

    assert_int_equal(queue_complete(redis, &settings, turn), QUEUE_STALE);
    arena_destroy(turn->arena);

    turn = claim_one(redis);
    assert_non_null(turn);
    assert_int_equal(turn->njobs, 2);
    assert_int_equal(turn->failures, 0);
    assert_true(is(turn->jobs[1].header.id, "two"));
    assert_int_equal(queue_complete(redis, &settings, turn), QUEUE_OK);
    arena_destroy(turn->arena);
    redis_close(redis);
}


static void
test_torn_turn_is_handed_back(void **state)
{
    (void) state;
    unit_run(loses_more, NULL);
}


static void
holds(void *arg)
{
    int            changed;
    redis_t       *redis;
    queue_turn_t  *turn;

    (void) arg;

    redis = connect_redis();
    append_job("one");
    assert_int_equal(queue_hold(redis, &settings, str("acme/conv/x"),
                                &changed), QUEUE_OK);
    assert_int_equal(changed, 1);
    assert_int_equal(queue_hold(redis, &settings, str("acme/conv/x"),
                                &changed), QUEUE_OK);
    assert_int_equal(changed, 0);
    assert_null(claim_one(redis));

    assert_int_equal(queue_release(redis, &settings, str("acme/conv/x"),
                                   &changed), QUEUE_OK);
    assert_int_equal(changed, 1);
    assert_int_equal(queue_release(redis, &settings, str("acme/conv/x"),
                                   &changed), QUEUE_OK);
    assert_int_equal(changed, 0);
    turn = claim_one(redis);
    assert_non_null(turn);
    arena_destroy(turn->arena);

    assert_int_equal(queue_hold(redis, &settings, str("no lane"), &changed),
                     QUEUE_AWAY);
    redis_close(redis);
}


static void
test_hold_and_release(void **state)
{
    (void) state;
    unit_run(holds, NULL);
}


static void
sets(void *arg)
{
    redis_t                *redis;
    const queue_setting_t   set[] = { { "weight", "3" }, { "cap", "17" } };
    const queue_setting_t   unset[] = { { "weight", "" }, { "cap", "200" } };
    const queue_setting_t   wrong[] = { { "weight", "0" } };

    (void) arg;

    redis = connect_redis();
    assert_int_equal(queue_tenant(redis, &settings, str("acme"), set, 2),
                     QUEUE_OK);
    assert_string_equal(ask("HGET setter:{mm}:tenant:acme weight"), "3");
    assert_string_equal(ask("HGET setter:{mm}:tenant:acme cap"), "17");
    assert_int_equal(queue_tenant(redis, &settings, str("acme"), wrong, 1),
                     QUEUE_AWAY);
    assert_string_equal(ask("HGET setter:{mm}:tenant:acme weight"), "3");
    assert_int_equal(queue_tenant(redis, &settings, str("acme"), unset, 2),
                     QUEUE_OK);
    assert_string_equal(ask("EXISTS setter:{mm}:tenant:acme"), "0");
    redis_close(redis);
}


static void
test_settings_of_a_tenant(void **state)
{
    (void) state;
    unit_run(sets, NULL);
}


/* More jobs than one call asks for, over several partitions. */
static void
asks_for_many(void *arg)
{
    int                   i;
    arena_t              *arena;
    redis_t              *redis;
    queue_claim_t         claim;
    setter_job_header_t   header;

    static char           text[1200][24];
    static queue_ref_t    jobs[1200];
    static unsigned char  absent[1200];

    (void) arg;

    settings.partitions = 4;
    redis = connect_redis();
    arena = arena_create();
    memset(&header, 0, sizeof(header));
    header.kind = str("message");

    for (i = 0; i < 1200; i++) {
        snprintf(text[i], sizeof(text[i]), "t%d/conv/%d", i % 12, i);
        jobs[i].lane = str(text[i]);
        jobs[i].id = str(text[i]);

        if (i % 3 == 0) {
            header.id = header.lane = jobs[i].lane;
            header.tenant = jobs[i].lane;
            header.tenant.len = strcspn(text[i], "/");
            assert_int_equal(queue_append(redis, &settings, &header,
                                          str("{}")), QUEUE_OK);
        }
    }

    for (i = 0; i < 40; i++) {
        assert_int_equal(queue_claim(redis, &settings, i % 4, 0, 0, &claim,
                                     arena), QUEUE_OK);
    }

    memset(absent, 2, sizeof(absent));
    assert_int_equal(queue_absent(redis, &settings, jobs, 1200, absent),
                     QUEUE_OK);

    for (i = 0; i < 1200; i++) {
        assert_int_equal(absent[i], i % 3 != 0);
    }

    assert_int_equal(queue_absent(redis, &settings, jobs, 0, absent),
                     QUEUE_OK);
    arena_destroy(arena);
    redis_close(redis);
}


static void
test_absent_jobs(void **state)
{
    (void) state;
    unit_run(asks_for_many, NULL);
}


static void
follows(void *arg)
{
    redis_t       *redis;
    queue_job_e    where;
    queue_turn_t  *turn;

    (void) arg;

    redis = connect_redis();
    append_job("one");
    assert_int_equal(queue_state(redis, &settings, str("acme"), str("one"),
                                 &where), QUEUE_OK);
    assert_int_equal(where, QUEUE_JOB_UNKNOWN);

    turn = claim_one(redis);
    assert_int_equal(queue_state(redis, &settings, str("acme"), str("one"),
                                 &where), QUEUE_OK);
    assert_int_equal(where, QUEUE_JOB_IN_HAND);
    assert_int_equal(queue_state(redis, &settings, str("other"), str("one"),
                                 &where), QUEUE_OK);
    assert_int_equal(where, QUEUE_JOB_UNKNOWN);

    assert_int_equal(queue_complete(redis, &settings, turn), QUEUE_OK);
    arena_destroy(turn->arena);
    assert_int_equal(queue_state(redis, &settings, str("acme"), str("one"),
                                 &where), QUEUE_OK);
    assert_int_equal(where, QUEUE_JOB_SORTED);
    redis_close(redis);
}


static void
test_state_of_a_job(void **state)
{
    (void) state;
    unit_run(follows, NULL);
}


static void
counts_workers(void *arg)
{
    size_t           n;
    arena_t         *arena;
    redis_t         *redis;
    unsigned         partition;
    queue_claim_t    claim;
    queue_worker_t  *workers;

    (void) arg;

    settings.partitions = 2;
    redis = connect_redis();
    arena = arena_create();
    assert_int_equal(queue_workers(redis, &settings, &workers, &n, arena),
                     QUEUE_OK);
    assert_int_equal(n, 0);

    for (partition = 0; partition < 2; partition++) {
        settings.worker = "first";
        assert_int_equal(queue_claim(redis, &settings, partition, 700, 0,
                                     &claim, arena), QUEUE_OK);
        settings.worker = "second";
        assert_int_equal(queue_claim(redis, &settings, partition, 0, 0,
                                     &claim, arena), QUEUE_OK);
    }

    settings.partitions = 1;        /* its only one is the first of two */
    append_job("one");
    assert_int_equal(queue_claim(redis, &settings, 0, 1, 0, &claim, arena),
                     QUEUE_OK);
    assert_int_equal(claim.nturns, 1);
    arena_destroy(claim.turns[0]->arena);
    settings.partitions = 2;

    assert_int_equal(queue_workers(redis, &settings, &workers, &n, arena),
                     QUEUE_OK);
    assert_int_equal(n, 2);
    assert_string_equal(workers[0].name, "first");
    assert_string_equal(workers[0].version, "1.2");
    assert_int_equal(workers[0].slots, 700);
    assert_int_equal(workers[0].turns, 0);
    assert_true(workers[0].age_ms >= 0 && workers[0].age_ms < 60000);
    assert_string_equal(workers[1].name, "second");
    assert_int_equal(workers[1].turns, 1);
    arena_destroy(arena);
    redis_close(redis);
}


static void
test_workers(void **state)
{
    (void) state;
    unit_run(counts_workers, NULL);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_append, setup),
        cmocka_unit_test_setup(test_append_finds_the_partition, setup),
        cmocka_unit_test_setup(test_more, setup),
        cmocka_unit_test_setup(test_torn_turn_is_handed_back, setup),
        cmocka_unit_test_setup(test_hold_and_release, setup),
        cmocka_unit_test_setup(test_settings_of_a_tenant, setup),
        cmocka_unit_test_setup(test_absent_jobs, setup),
        cmocka_unit_test_setup(test_state_of_a_job, setup),
        cmocka_unit_test_setup(test_workers, setup)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
