/*
 * What the calls about the registry share: tenants, their keys and channels.
 */

#ifndef CALL_REGISTRY_H
#define CALL_REGISTRY_H

#include "reply/call_ask.h"
#include "runtime/pg.h"


/*
 * Reads a body by the paths, which name all that it may have.  1; 0: the
 * answer says what is wrong; -1: no memory.
 */
int call_registry_read(turn_t *turn, const call_ask_t *ask,
    const setter_json_path_t *paths, size_t n, setter_json_value_t *values,
    call_answer_t *answer);

/*
 * A value as the text of a parameter: of a string, or where it has to be a
 * number, of that; null is the initial one.  NULL: it is of another type, has
 * a NUL in it, or memory is short.
 */
const char *call_registry_text(turn_t *turn, const setter_json_value_t *value,
    int number, const char *initial);

/*
 * Runs a query as the turn's tenant; its first column is the answer's body.
 * 0, or -1: no memory, which an id is NULL for.  The second has the id as its
 * parameter, and its second column is the version; without a row it is 404.
 */
int call_registry_list(turn_t *turn, const pg_query_t *select,
    call_answer_t *answer);
int call_registry_show(turn_t *turn, const char *sql, const char *id,
    int status, call_answer_t *answer);

/* 503: the record refused or was away; and what it says, in the log. */
int call_registry_away(turn_t *turn, const pg_answer_t *rows,
    call_answer_t *answer);

/* -1: it is on record, but Redis does not take it, which is why the call is run
 * again. */
int call_unpublished(turn_t *turn, const char *why);

/* "…/keys": see call_keys.c. */
int call_keys_list(turn_t *turn, const call_ask_t *ask,
    call_answer_t *answer);
int call_keys_add(turn_t *turn, const call_ask_t *ask, call_answer_t *answer);
int call_keys_revoke(turn_t *turn, const call_ask_t *ask,
    call_answer_t *answer);


#endif /* CALL_REGISTRY_H */
