/*
 * task.h: semaphores.
 */

#include "unit.h"


/* What happened, in order, as text. */
static char  story[4096];


static void
tell(const char *what)
{
    strncat(story, what, sizeof(story) - strlen(story) - 1);
}


static int
forget_story(void **state)
{
    (void) state;

    story[0] = '\0';
    return 0;
}


typedef struct {
    task_t   *task;
    int       result[4];
    int64_t   deadline;
} wait_t;


typedef struct {
    task_sem_t   sem;
    int          holding, most, taken, given_up;
    task_t      *tasks[300];
} room_t;


static void
enter_room(void *arg)
{
    int      rc;
    room_t  *room;

    room = arg;
    task_sleep(random() % 5);

    rc = task_sem_take(&room->sem, loop_now_ms() + random() % 20);
    if (rc != TASK_OK) {
        room->given_up++;
        return;
    }

    room->taken++;
    room->holding++;
    if (room->holding > room->most) {
        room->most = room->holding;
    }

    task_sleep(random() % 3);
    room->holding--;
    task_sem_give(&room->sem);
}


static void
cancel_some(void *arg)
{
    int      i;
    room_t  *room;

    room = arg;
    for (i = 0; i < 300; i += 3) {
        task_cancel(room->tasks[i]);
        if (i % 10 == 0) {
            task_sleep(0);
        }
    }
}


/* Whoever times out or is cancelled, no permit is lost or made. */
static void
test_semaphore_keeps_count(void **state)
{
    int      i, round;
    room_t   room;

    (void) state;

    srandom(7);
    for (round = 0; round < 20; round++) {
        memset(&room, 0, sizeof(room));
        task_sem_init(&room.sem, 3);

        for (i = 0; i < 300; i++) {
            room.tasks[i] = task_start("enters", enter_room, &room);
        }
        task_start("cancels", cancel_some, &room);
        loop_run();

        assert_int_equal(room.taken + room.given_up, 300);
        assert_true(room.taken > 0);
        assert_true(room.most <= 3);
        assert_int_equal(room.sem.free, 3);
        assert_null(room.sem.first);
        assert_true(room.sem.last == &room.sem.first);
    }
}


static task_sem_t  line;

static void
stand_in_line(void *arg)
{
    assert_int_equal(task_sem_take(&line, TASK_FOREVER), TASK_OK);
    tell(arg);
    task_sleep(0);
    task_sem_give(&line);
}


static void
leave_line(void *arg)
{
    (void) arg;

    assert_int_equal(task_sem_take(&line, loop_now_ms() + 10), TASK_TIMEOUT);
    tell("x");
}


static void
hold_line(void *arg)
{
    (void) arg;

    assert_int_equal(task_sem_take(&line, TASK_FOREVER), TASK_OK);
    while (story[0] == '\0') {
        task_sleep(1);
    }
    task_sem_give(&line);

    /* who comes later does not overtake those who wait */
    assert_int_equal(task_sem_take(&line, TASK_FOREVER), TASK_OK);
    tell("h");
    task_sem_give(&line);
}


static void
test_semaphore_is_fair(void **state)
{
    (void) state;

    task_sem_init(&line, 1);
    task_start("holds", hold_line, NULL);
    task_start("1", stand_in_line, (void *) "1");
    task_start("2", stand_in_line, (void *) "2");
    task_start("leaves", leave_line, NULL);
    task_start("3", stand_in_line, (void *) "3");
    loop_run();
    assert_string_equal(story, "x123h");
    assert_int_equal(line.free, 1);
}


/* Given the permit, and cancelled before it ran: it has the permit. */
static void
take_then_wait(void *arg)
{
    wait_t  *wait;

    wait = arg;
    wait->result[0] = task_sem_take(&line, TASK_FOREVER);
    wait->result[1] = task_sleep(1);
}


static void
give_and_cancel(void *arg)
{
    wait_t  *wait;

    wait = arg;
    task_sem_give(&line);
    task_cancel(wait->task);
}


/* Timed out, and given the permit before it ran: it has the permit. */
static void
take_late(void *arg)
{
    wait_t  *wait;

    wait = arg;
    wait->result[0] = task_sem_take(&line, wait->deadline);
}


static void
give_late(void *arg)
{
    wait_t  *wait;

    /* both deadlines pass in one turn, this one's first */
    wait = arg;
    task_suspend(wait->deadline);
    task_sem_give(&line);
}


static void
test_semaphore_races(void **state)
{
    wait_t  wait;

    (void) state;

    task_sem_init(&line, 0);
    wait.task = task_start("takes", take_then_wait, &wait);
    task_start("gives", give_and_cancel, &wait);
    loop_run();
    assert_int_equal(wait.result[0], TASK_OK);
    assert_int_equal(wait.result[1], TASK_CANCELLED);
    assert_int_equal(line.free, 0);

    wait.deadline = loop_now_ms() + 10;
    task_start("gives late", give_late, &wait);
    task_start("takes late", take_late, &wait);
    loop_run();
    assert_int_equal(wait.result[0], TASK_OK);
    assert_int_equal(line.free, 0);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test_setup(test_semaphore_keeps_count, forget_story),
        cmocka_unit_test_setup(test_semaphore_is_fair, forget_story),
        cmocka_unit_test_setup(test_semaphore_races, forget_story)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, unit_loop, NULL);
}
