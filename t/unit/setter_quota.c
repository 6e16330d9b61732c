/*
 * setter_quota.h
 */

#include "setter_unit.h"

#include <pthread.h>

#include "setter_quota.h"


#define NOW  INT64_C(5000000000)    /* 58 days after the clock began */


static void
test_facts(void **state)
{
    uint64_t  facts;

    (void) state;

    facts = setter_facts(NOW, 1, 600);
    assert_true(setter_facts_known(facts));
    assert_int_equal(setter_facts_minute(facts), 600);
    assert_int_equal(setter_facts_age(facts, NOW), 0);
    assert_int_equal(setter_facts_age(facts, NOW + 2000), 2000);

    facts = setter_facts(NOW, 0, 0);
    assert_false(setter_facts_known(facts));
    assert_int_equal(setter_facts_minute(facts), 0);

    assert_int_equal(setter_facts_minute(setter_facts(NOW, 1, -5)), 0);
    assert_int_equal(setter_facts_minute(setter_facts(NOW, 1, INT64_MAX)),
                     SETTER_QUOTA_MAX);
    assert_int_equal(setter_facts_minute(
                                setter_facts(NOW, 0, SETTER_QUOTA_MAX)),
                     SETTER_QUOTA_MAX);
}


/* What was never loaded is told from whatever was. */
static void
test_no_facts(void **state)
{
    (void) state;

    assert_true(setter_facts(0, 0, 0) != 0);
    assert_int_equal(setter_facts_age(setter_facts(0, 0, 0), 0), 0);
    assert_false(setter_facts_known(0));
    assert_int_equal(setter_facts_minute(0), 0);
}


static void
test_a_clock_that_is_ahead(void **state)
{
    uint64_t  window;

    (void) state;

    assert_int_equal(setter_facts_age(setter_facts(NOW + 5, 1, 0), NOW), 0);

    window = 0;
    assert_true(setter_quota_take(&window, NOW + 5, 2));
    assert_true(setter_quota_take(&window, NOW, 2));
    assert_false(setter_quota_take(&window, NOW, 2));
    assert_int_equal(setter_quota_left(window, NOW), SETTER_QUOTA_WINDOW);
}


/* The clock's high bits are cut off: an age has to stand that. */
static void
test_a_clock_that_wraps(void **state)
{
    uint64_t  last, window;

    (void) state;

    last = UINT64_MAX >> 25;
    assert_int_equal(setter_facts_age(setter_facts(last, 1, 0), last + 3), 3);

    last = UINT64_MAX >> 24;
    window = 0;
    assert_true(setter_quota_take(&window, last, 1));
    assert_false(setter_quota_take(&window, last + 59999, 1));
    assert_true(setter_quota_take(&window, last + 60000, 1));
}


static void
test_quota(void **state)
{
    int       i;
    uint64_t  window;

    (void) state;

    window = 0;

    for (i = 0; i < 3; i++) {
        assert_true(setter_quota_take(&window, NOW + 1000 * i, 3));
    }

    assert_false(setter_quota_take(&window, NOW + 3000, 3));
    assert_int_equal(setter_quota_left(window, NOW + 3000), 57000);

    /* one that was raised, one that was lowered */
    assert_true(setter_quota_take(&window, NOW + 3000, 4));
    assert_false(setter_quota_take(&window, NOW + 3000, 1));

    /* the minute ends, to the ms, and the next begins with a message */
    assert_false(setter_quota_take(&window, NOW + 59999, 1));
    assert_int_equal(setter_quota_left(window, NOW + 59999), 1);
    assert_int_equal(setter_quota_left(window, NOW + 60000), 0);
    assert_true(setter_quota_take(&window, NOW + 90000, 1));
    assert_false(setter_quota_take(&window, NOW + 149999, 1));
    assert_true(setter_quota_take(&window, NOW + 150000, 1));
}


static void
test_give(void **state)
{
    uint64_t  window, taken, late;

    (void) state;

    window = 0;
    assert_true(setter_quota_take(&window, NOW, 2));
    assert_true(setter_quota_take(&window, NOW, 2));
    taken = window;

    assert_false(setter_quota_take(&window, NOW, 2));
    window = setter_quota_give(window, taken);
    assert_true(setter_quota_take(&window, NOW, 2));
    assert_false(setter_quota_take(&window, NOW, 2));

    /* more than there is cannot be given */
    window = setter_quota_give(window, taken);
    window = setter_quota_give(window, taken);
    assert_int_equal(setter_quota_give(window, taken), window);

    /* where none is left, the next message begins a minute */
    assert_true(setter_quota_take(&window, NOW + 30000, 1));
    assert_false(setter_quota_take(&window, NOW + 61000, 1));

    /* another minute's is not this one's */
    late = window;
    assert_int_equal(setter_quota_give(late, taken), late);
}


static void
test_limits(void **state)
{
    uint64_t  window;

    (void) state;

    /* a full count stays one, whatever the quota */
    window = 0;
    assert_true(setter_quota_take(&window, NOW, SETTER_QUOTA_MAX));
    window |= SETTER_QUOTA_MAX;
    assert_false(setter_quota_take(&window, NOW, UINT32_MAX));

    /* a clock that has only begun */
    window = 0;
    assert_true(setter_quota_take(&window, 0, 1));
    assert_false(setter_quota_take(&window, 1, 1));
}


#define THREADS  4
#define QUOTA    50000

static uint64_t  shared;
static int       taken[THREADS];

static void *
take_many(void *data)
{
    int        i;
    int       *n = data;
    uint64_t   old, window;

    for (i = 0; i < QUOTA; i++) {
        do {
            old = __atomic_load_n(&shared, __ATOMIC_RELAXED);
            window = old;

            if (!setter_quota_take(&window, NOW, QUOTA)) {
                return NULL;
            }
        } while (!__atomic_compare_exchange_n(&shared, &old, window, 0,
                                              __ATOMIC_RELAXED,
                                              __ATOMIC_RELAXED));
        (*n)++;
    }

    return NULL;
}


static void
test_exact_among_several(void **state)
{
    int        i, sum;
    pthread_t  threads[THREADS];

    (void) state;

    for (i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_many,
                                        &taken[i]), 0);
    }

    sum = 0;

    for (i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        sum += taken[i];
    }

    assert_int_equal(sum, QUOTA);
}


static const struct CMUnitTest  tests[] = {
    cmocka_unit_test(test_facts),
    cmocka_unit_test(test_no_facts),
    cmocka_unit_test(test_a_clock_that_is_ahead),
    cmocka_unit_test(test_a_clock_that_wraps),
    cmocka_unit_test(test_quota),
    cmocka_unit_test(test_give),
    cmocka_unit_test(test_limits),
    cmocka_unit_test(test_exact_among_several)
};

unit_main(tests)
