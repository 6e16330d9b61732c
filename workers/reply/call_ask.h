/*
 * What nginx's "setter_call" says of a request: the arguments of a call.
 *
 *   {"method":…,"path":…,"query":…,"principal":"admin"|"key",
 *    "if_match":…, and of a body "body":{…} or "sealed":"…"}
 *
 * path and query are as they stood in the URL, the path without its %XX.  A
 * body is sealed where nginx has a key, so that no secret in it gets into
 * Redis.
 */

#ifndef CALL_ASK_H
#define CALL_ASK_H

#include "reply/call.h"
#include "setter_json.h"


#define CALL_SEGMENTS  3

typedef struct {
    setter_str_t  method;
    setter_str_t  path[CALL_SEGMENTS];      /* between slashes; len 0: none */
    setter_str_t  query;
    const char   *version;                  /* of If-Match, or NULL: any */
    setter_str_t  body;                     /* JSON object, or len 0 */
    unsigned      admin:1;                  /* who may do everything */
    unsigned      sealed:1;                 /* the body was */
    unsigned      deep:1;                   /* the path has more segments */
} call_ask_t;

/* What answers a method on a path, "*" being any one segment. */
typedef struct {
    const char  *method;                    /* "DELETE" */
    const char  *path;                      /* "*" "/keys/" "*", or "" */
    int        (*run)(turn_t *turn, const call_ask_t *ask,
        call_answer_t *answer);
} call_route_t;

/* A parameter of a query. */
typedef struct {
    const char  *name;
    /* NULL, or what is wrong: "limit: a number from 1 to 200" */
    const char *(*check)(setter_str_t value);
} call_option_t;


/*
 * Reads the arguments of the call of that name; their memory is the turn's.
 * 1; 0: they are no such arguments, and the answer says so; -1: no memory.
 */
int call_ask(turn_t *turn, const char *name, setter_str_t args,
    call_ask_t *ask, call_answer_t *answer);

/*
 * Has the request answered by its route, of a table that has those of a path
 * together; 404 where none has its path, 405 where none has its method too.
 * As call_t's run().
 */
int call_route(turn_t *turn, const call_ask_t *ask,
    const call_route_t *routes, size_t n, call_answer_t *answer);

/* A segment of the path, in the turn's arena, or NULL: no memory. */
const char *call_segment(turn_t *turn, const call_ask_t *ask, int i);

/*
 * The query by the options, whose values are NULL where nothing is said.
 * "tenant", which nginx goes by, may be said as well, but no other than the
 * turn's.  1; 0: the answer says what is wrong; -1: no memory.
 */
int call_query(turn_t *turn, const call_ask_t *ask,
    const call_option_t *options, size_t n, const char **values,
    call_answer_t *answer);

/* For options: a number from 1 to 200, and an id. */
#define CALL_LIMIT_MAX  200

const char *call_limit(setter_str_t value);
const char *call_after(setter_str_t value);

/*
 * What is wrong with If-Match, when no row was changed: 412 where there is
 * one (found), else 404.  0, or -1: no memory.
 */
int call_unchanged(turn_t *turn, const call_ask_t *ask, int found,
    call_answer_t *answer);


#endif /* CALL_ASK_H */
