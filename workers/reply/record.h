/*
 * The record: what a turn writes into PostgreSQL, a function a unit of work.
 */

#ifndef RECORD_H
#define RECORD_H

#include "reply/unit.h"


/*
 * Takes the turn and records what came in.  Sets live and reply of each job,
 * and the turn's ref, last, taken_over, suspended, merge and memory.
 * RECORD_HELD: a later turn has begun, this one is stale.
 */
record_e record_inbound(turn_t *turn);

/*
 * The same for messages to be sent: each is the reply of its own job, and
 * composed.  Nothing of the conversation is looked up.
 */
record_e record_outgoing(turn_t *turn);

/*
 * For kinds without a conversation: records the jobs.  Sets live of each, and
 * the turn's ref and last.
 */
record_e record_jobs(turn_t *turn);

/* Records messages that were handled elsewhere, as their jobs say. */
record_e record_handled(turn_t *turn);

/*
 * Stores the reply as composed, and with the live jobs that it answers them.
 * RECORD_HELD: the turn is stale.
 */
record_e record_composed(turn_t *turn);

/*
 * A reply that was composed and will never be sent: the turn may have
 * another.  Tried once; RECORD_HELD: it is not composed any more, or the turn
 * is stale.
 */
record_e record_set_aside(turn_t *turn, const char *id, const char *reason);

/*
 * The fence: RECORD_OK lets the reply go.  It is tried once; after
 * RECORD_AWAY the reply may be marked although it was not sent.
 */
record_e record_sending(turn_t *turn);

/*
 * Why the fence held, and what the jobs are then: done where a person
 * answers, else failed.  *reason is NULL when the turn is stale.
 */
record_e record_held(turn_t *turn, const char **status, const char **reason);

/* One of these reasons, by its address. */
extern const char  record_closed[];

/*
 * What the tenant wants when the window has closed: "fail", "hold" or
 * "template" (*template: which, or NULL).
 */
record_e record_window(turn_t *turn, const char **policy,
    const char **template);

/* The template, JSON text, is sent in the place of the reply's text.
 * RECORD_HELD: the reply is not composed any more. */
record_e record_templated(turn_t *turn, const char *template);

/* It was surely not sent: back to composed, with the error if any. */
record_e record_unsent(turn_t *turn, const char *error);

/*
 * What became of the reply (state NULL: nothing) and of the turn's live jobs
 * that are not for later ("done", "failed", "dead", or "queued" for another
 * try), and why.
 */
record_e record_settled(turn_t *turn, const char *state,
    const char *provider_id, const char *status, const char *reason);

/* A person wants no more messages, or does again. */
record_e record_opted(turn_t *turn, const char *provider,
    const char *address, int out);

/* The conversation is held.  RECORD_HELD: the turn is stale. */
record_e record_guarded(turn_t *turn);

/*
 * Moves the message that a report names forward, never back; provider is
 * whose report it is, or empty.  RECORD_HELD: there is no such message.
 */
record_e record_report(turn_t *turn, setter_str_t provider,
    const channel_report_t *report);


#endif /* RECORD_H */
