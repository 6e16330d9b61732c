/*
 * A turn: what happens between the claim of a lane and its completion.
 *
 *   claimed    the lane's jobs are ours while the lease holds
 *   recorded   jobs, contact, conversation and messages are in PostgreSQL
 *   asked      the model has what was said before, and the question
 *   merged     more messages came meanwhile, and it is asked again
 *   composed   its answer is stored
 *   sending    the fence let it pass: from here on it may have arrived
 *   sent       the provider took it
 *   completed  the queue has dropped the jobs
 *
 * Each leaves a debug line, "msg":"step" with "step", "tenant", "job" (the id
 * of the turn's first) and "ms" since the claim.  The end leaves one info
 * line, "msg":"turn" with "outcome", "tenant", "job", "jobs" (how many), "ms",
 * "llm_ms", "send_ms" and, where there is one, "reason".  No line names a
 * lane: people's numbers are in there.  Outcomes are the states of a reply
 * (sent, unknown, failed), else done (no reply was needed), failed, dead,
 * retry (a failure), back (handed back) and lost (another worker has the
 * lane).
 */

#ifndef TURN_H
#define TURN_H

#include "reply/worker.h"
#include "setter_job.h"


/* How a step ends. */
typedef enum {
    TURN_GOES_ON = 0,
    TURN_DONE,          /* complete the turn */
    TURN_AGAIN,         /* a failure, counted: try again later */
    TURN_BACK,          /* not the jobs' fault: hand back, not counted */
    TURN_LOST           /* the lane is another's: leave everything alone */
} turn_end_e;

/* The reply; state is NULL while there is none. */
typedef struct {
    const char     *id;             /* our message id */
    const char     *state;          /* as in the messages table */
    const char     *text;
    const char     *provider;
    const char     *address;
    const char     *sender;         /* NULL: none */
    const char     *surface;        /* NULL: none */
    const char     *template;       /* JSON text; NULL: the text is sent */
    const char     *attached;       /* likewise, beside the text */
    const char     *model;
    long            prompt_tokens;
    long            completion_tokens;
} turn_reply_t;

/* An image that was stored, for the model. */
typedef struct {
    const char     *path;           /* below the directory of files */
    const char     *type;           /* "image/png" */
} turn_image_t;

/* A job of the turn; text is from the turn's arena. */
typedef struct {
    const char     *id;             /* as it is recorded */
    turn_reply_t   *reply;          /* that answers it, of an earlier claim;
                                       or NULL */
    setter_job_t    job;
    const setter_job_header_t  *header;
    setter_str_t    surface;
    setter_str_t    template;       /* JSON text of an object, or empty */
    setter_str_t    attached;       /* likewise: {"media":…}, {"buttons":…} */
    turn_image_t   *images;         /* that it brought */
    size_t          nimages;
    setter_str_t    envelope;
    int64_t         received_ms;
    const char     *unfit;          /* why it cannot be handled, or NULL */
    const char     *status;         /* as which it is recorded */
    const char     *reason;         /* of the status, or NULL */
    unsigned        readable:1;     /* the envelope is one */
    unsigned        recorded:1;     /* whether it is live is known */
    unsigned        live:1;         /* still to be answered */
    unsigned        repeated:1;     /* its message is another job's */
    unsigned        later:1;        /* live, and not for this reply */
    unsigned        fetched:1;      /* its media was seen to */
} turn_job_t;

typedef struct kind_s  kind_t;

/* What became of a unit of work in PostgreSQL. */
typedef enum {
    RECORD_OK = 0,
    RECORD_HELD,        /* a condition does not hold: nothing was changed */
    RECORD_AWAY,        /* PostgreSQL did not answer: done or not */
    RECORD_REFUSED      /* PostgreSQL will never take this data */
} record_e;

struct turn_s {
    worker_t       *worker;
    queue_turn_t   *claim;          /* its arena holds all of this */
    const kind_t   *kind;
    const char     *tenant;
    const char     *lane;
    task_t         *task;
    LIST_ENTRY(turn_s)  link;       /* in worker->turns */
    unsigned        pins;           /* who still looks at it */

    turn_job_t     *jobs;           /* unlike claim's: no id twice */
    size_t          njobs;
    size_t          nread;          /* of claim's jobs */
    turn_job_t     *last;           /* the last live one: who is answered */
    const char     *ref;            /* id of the first live one */
    llm_message_t  *memory;         /* newest first */
    size_t          nmemory;
    const char     *prompt;         /* the tenant's own, or NULL */
    const char     *model;          /* likewise */
    const char     *local_time;     /* where it is, or NULL */
    const char     *opt_out;        /* its words for that, or NULL */
    turn_reply_t    reply;
    channel_account_t  account;     /* that it leaves through */

    const char     *outcome;        /* for the log; NULL: as it ended */
    const char     *reason;         /* of its end, or NULL */
    int64_t         delay_ms;       /* before the next try; -1: back off */

    int64_t         started_ms;     /* loop_now_ms() scale */
    int64_t         typing_ms;      /* when that is to be shown, likewise */
    int64_t         llm_ms;
    int64_t         send_ms;

    unsigned        taken_over:1;
    unsigned        suspended:1;
    unsigned        merge:1;        /* takes in what comes meanwhile */
    unsigned        opted_out:1;    /* the person wants no messages */
    unsigned        guarded:1;      /* too many replies in an hour */
    unsigned        shows:1;        /* that an answer is being written */
    unsigned        typing:1;       /* it is */
    unsigned        fetching:1;     /* files, or waits for that */
    unsigned        suspect:1;      /* crashed a worker twice */
    unsigned        sending:1;      /* keeps its lease itself */
    unsigned        lost:1;         /* another worker has the lane */
    unsigned        ended:1;        /* its task is gone */
};


/* Starts a task that runs a claimed turn.  0, or -1: memory is short. */
int turn_start(worker_t *worker, queue_turn_t *claim);

/* 1 while the lane is surely ours and the process is not leaving. */
int turn_holds(const turn_t *turn);

/* Keeps the memory of a turn that may end meanwhile. */
void turn_pin(turn_t *turn);
void turn_unpin(turn_t *turn);

/* Notes why (copied) and for how long a turn stops; returns end. */
turn_end_e turn_ends(turn_t *turn, turn_end_e end, int64_t delay_ms,
    const char *reason);

/* The same for a wait that was cancelled. */
turn_end_e turn_cancelled(turn_t *turn);

/*
 * Records what became of the reply (state NULL: there is none) and of the
 * jobs ("done", "failed", "dead"): TURN_DONE, or TURN_BACK where PostgreSQL
 * did not take it.
 */
turn_end_e turn_settle(turn_t *turn, const char *state,
    const char *provider_id, const char *status, const char *reason);

/*
 * What recording the jobs came to: TURN_GOES_ON, or the turn's end.  Jobs
 * that are given up end here even where PostgreSQL refuses them.
 */
turn_end_e turn_recorded(turn_t *turn, record_e rc);

/* The debug line of a step. */
void turn_step(const turn_t *turn, const char *step);

/* A lane names a person, so the log knows a turn by its first job. */
const char *turn_job(const turn_t *turn);


#endif /* TURN_H */
