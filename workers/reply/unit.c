/*
 * Units of work: running them, and what goes into their parameters.
 */

#include <string.h>

#include "reply/unit.h"
#include "runtime/log.h"


#define UNIT_TIMEOUT_MS  5000
#define UNIT_LAST_MS     1000   /* of a process that leaves */
#define UNIT_PAUSE_MS    500


static int unit_refused(const pg_answer_t *answer);


record_e
unit_run(turn_t *turn, const pg_query_t *queries, int n, pg_answer_t *answer)
{
    record_e  rc;

    for ( ;; ) {
        rc = unit_once(turn, queries, n, answer);
        if (rc != RECORD_AWAY) {
            return rc;
        }

        if (!turn_holds(turn) || task_sleep(UNIT_PAUSE_MS) != TASK_OK) {
            return RECORD_AWAY;
        }
    }
}


record_e
unit_once(turn_t *turn, const pg_query_t *queries, int n, pg_answer_t *answer)
{
    record_e  rc;

    if (pg_run(turn->tenant, queries, n, unit_timeout_ms(turn), answer)
        == PG_OK)
    {
        return RECORD_OK;
    }

    rc = RECORD_AWAY;

    if (answer->error == PG_FAILED) {
        log_warn("a statement failed", "sqlstate", answer->sqlstate,
                 "error", answer->message);
        if (unit_refused(answer)) {
            rc = RECORD_REFUSED;
        }
    }

    pg_clear(answer);
    return rc;
}


int64_t
unit_timeout_ms(const turn_t *turn)
{
    return turn->worker->leaving ? UNIT_LAST_MS : UNIT_TIMEOUT_MS;
}


/*
 * Errors of the data itself: bad values, constraints, limits.  All others
 * pass by themselves or with an operator's help.
 */
static int
unit_refused(const pg_answer_t *answer)
{
    return strncmp(answer->sqlstate, "22", 2) == 0
           || strncmp(answer->sqlstate, "23", 2) == 0
           || strncmp(answer->sqlstate, "54", 2) == 0;
}


turn_end_e
unit_ends(turn_t *turn, record_e rc)
{
    switch (rc) {

    case RECORD_OK:
        return TURN_GOES_ON;

    case RECORD_HELD:
        return turn_ends(turn, TURN_BACK, -1, "a later turn has begun");

    case RECORD_REFUSED:
        return turn_ends(turn, TURN_AGAIN, -1, "the record refuses the data");

    default:
        return turn_ends(turn, TURN_BACK, -1, "the record was away");
    }
}


const char *
unit_number(turn_t *turn, long long number)
{
    return arena_printf(turn->claim->arena, "%lld", number);
}


int
unit_true(const pg_answer_t *answer, int query, int row, int column)
{
    const char  *text;

    text = pg_text(answer, query, row, column);
    return text != NULL && text[0] == 't';
}
