/*
 * What the units that record jobs share.
 */

#ifndef RECORD_PARTS_H
#define RECORD_PARTS_H

#include "reply/record.h"


/* How an envelope is stored. */
typedef enum {
    RECORD_JSON = 0,
    RECORD_STRING,      /* JSON that jsonb cannot hold, or not JSON */
    RECORD_ASCII        /* not even text: the rest as question marks */
} record_form_e;

/* Runs a unit with one form after the other while PostgreSQL refuses it. */
record_e record_as(turn_t *turn,
    record_e (*unit)(turn_t *turn, record_form_e form));

/* The jobs as one JSON array, which statements unfold; NULL: no memory. */
const char *record_list(turn_t *turn, record_form_e form);

/*
 * "{id,id}", as PostgreSQL writes an array: of the jobs that are live, or may
 * be as far as is known.  NULL: no memory.
 */
const char *record_ids(turn_t *turn);

/*
 * The statements that add the tenant, as seen, and the jobs of a list.  0,
 * or -1: no memory.
 */
int record_list_queries(turn_t *turn, const char *list, pg_query_t *tenant,
    pg_query_t *jobs);


/* A job's payload whose message the person took back. */
#define EVENT_UNSENT  "{\"unsent\": true}"


#endif /* RECORD_PARTS_H */
