/*
 * Calls: what a request asks that nginx holds until a worker has answered.
 * One interface, a file a name, a line in call.c's table.
 */

#ifndef CALL_H
#define CALL_H

#include "reply/turn.h"


/* HTTP status and JSON text; the texts' memory is the turn's. */
typedef struct {
    const char   *call;             /* the call's id, for what it writes */
    int           status;
    setter_str_t  body;
    const char   *type;             /* NULL: application/json */
    const char   *etag;             /* header lines, or NULL */
    const char   *location;
    const char   *allow;
    unsigned      secret:1;         /* nobody but nginx is to read the body */
} call_answer_t;

typedef struct {
    const char  *name;              /* "job" */

    /*
     * args: text of a JSON object.  0, or -1: not now, memory is short or
     * something is away.  It may be run again, then or because its worker
     * died, and has to give the same answer.
     */
    int        (*run)(turn_t *turn, setter_str_t args,
        call_answer_t *answer);
} call_t;


/* An answer that is an error, in the envelope that all errors have; 0. */
int call_error(call_answer_t *answer, int status, const char *body);

#define CALL_ERROR(message)                                                   \
    "{\"id\":null,\"status\":\"ERROR\",\"message\":\"" message "\"}"


/* What an error is that has a problem's body (RFC 9457). */
#define CALL_PROBLEM  "application/problem+json"

/* An answer that is one; detail may be NULL.  0, or -1: no memory. */
int call_problem(turn_t *turn, call_answer_t *answer, int status,
    const char *title, const char *detail);


/* 404; 405, with the methods that there are; both 0. */
int call_not_found(call_answer_t *answer);
int call_not_allowed(call_answer_t *answer, const char *allow);

/* 422, of that field.  0, or -1: no memory. */
int call_invalid(turn_t *turn, call_answer_t *answer, const char *field,
    const char *detail);

/* A body, and its version where etag is not NULL.  0, or -1: no memory. */
int call_body(turn_t *turn, call_answer_t *answer, int status,
    const char *text, const char *etag);


extern const call_t  call_channels;
extern const call_t  call_conversations;
extern const call_t  call_job;
extern const call_t  call_tenants;


#endif /* CALL_H */
