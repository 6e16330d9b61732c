/*
 * A turn's units of work in PostgreSQL.
 */

#ifndef UNIT_H
#define UNIT_H

#include "reply/turn.h"
#include "runtime/pg.h"


/*
 * Runs a unit for the turn's tenant, again and again until PostgreSQL answers
 * or the turn does not hold its lane any more: it must bear repetition.
 * After RECORD_OK the answer is the caller's to clear.
 */
record_e unit_run(turn_t *turn, const pg_query_t *queries, int n,
    pg_answer_t *answer);

/* The same, tried once. */
record_e unit_once(turn_t *turn, const pg_query_t *queries, int n,
    pg_answer_t *answer);

/* For how long unit_once() waits for an answer. */
int64_t unit_timeout_ms(const turn_t *turn);

/* What a unit's result means to the turn: it goes on, or ends with why. */
turn_end_e unit_ends(turn_t *turn, record_e rc);

/* A parameter in the turn's arena, or NULL: memory is short. */
const char *unit_number(turn_t *turn, long long number);

/* 1 when the field is true. */
int unit_true(const pg_answer_t *answer, int query, int row, int column);


#endif /* UNIT_H */
