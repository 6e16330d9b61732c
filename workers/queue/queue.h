/*
 * The queue's C face: one call a transition of the lanes (lanes/ is the
 * only code that touches the queue's keys).
 */

#ifndef QUEUE_H
#define QUEUE_H

#include "setter_job.h"
#include "runtime/arena.h"
#include "runtime/redis.h"


typedef struct {
    setter_job_header_t  header;
    setter_str_t         envelope;
} queue_job_t;

/* A claimed lane; everything in it lives in its arena. */
typedef struct queue_turn_s {
    arena_t       *arena;
    unsigned       partition;
    setter_str_t   lane;
    setter_str_t   tenant;
    char           token[24];       /* decimal digits */
    int            failures;
    int            crashes;
    int            dead;            /* to be recorded as dead, not run */
    setter_str_t   reason;          /* of the last failure */
    size_t         njobs;
    queue_job_t   *jobs;
    int            torn;            /* by queue_more() */
    int64_t        lease_until;     /* loop_now_ms() scale; queue_extend moves
                                       it, taken before the command was sent */
} queue_turn_t;

typedef struct {
    unsigned     partitions;
    const char  *worker;            /* this process's name in the queue */
    long         lease_ms;
    long         turn_jobs;
    long         turn_bytes;
    long         max_failures;
    long         max_crashes;

    int          looks;         /* leaves it to others to say how many
                                   partitions a new Redis has */
    char         refusal[192];  /* set by the handshake: why this Redis must
                                   not be used; "" when it may */
} queue_settings_t;

typedef enum {
    QUEUE_OK = 0,
    QUEUE_STALE,        /* the token is no longer the lane's: let go */
    QUEUE_AWAY          /* Redis did not answer, or refused: see the log */
} queue_result_e;

/*
 * The handshake of a connection that calls the functions, for redis_open():
 * loads the library unless a newer one of the same major version is there,
 * checks partitions, layout and maxmemory-policy.  data: queue_settings_t *.
 */
int queue_handshake(redis_t *redis, void *data);

typedef struct {
    queue_turn_t  **turns;          /* in the arena given */
    size_t          nturns;
    int64_t         next_ms;        /* until something becomes claimable; 0: at
                                       once, -1: nothing is in sight */
    char            last_id[48];    /* of the inbox, for queue_wait() */
} queue_claim_t;

/*
 * Claims up to "slots" turns of one partition, each with an arena of its own
 * that the caller destroys.  suspect: this process holds no lane that crashed
 * a worker twice, and may be given one.
 */
queue_result_e queue_claim(redis_t *redis, const queue_settings_t *settings,
    unsigned partition, long slots, int suspect, queue_claim_t *claim,
    arena_t *arena);

/* Waits on a connection of its own until an inbox grows or ms have passed. */
queue_result_e queue_wait(redis_t *redis, const queue_settings_t *settings,
    const char (*last_ids)[48], int64_t ms);

/* Prolongs leases that end earlier; sets stale[i] for those that are lost. */
queue_result_e queue_extend(redis_t *redis, const queue_settings_t *settings,
    queue_turn_t **turns, size_t n, unsigned char *stale);

/*
 * Takes in the jobs that came since and fit the turn: *added more are in
 * turn->jobs, which may be another array then.  QUEUE_AWAY leaves the turn
 * torn: it may have been given jobs that nobody here knows.
 */
queue_result_e queue_more(redis_t *redis, const queue_settings_t *settings,
    queue_turn_t *turn, size_t *added);

/* A turn that is torn is handed back instead, and then QUEUE_STALE. */
queue_result_e queue_complete(redis_t *redis,
    const queue_settings_t *settings, queue_turn_t *turn);

/*
 * Puts the lane back: delay_ms from now.  counted 0 hands it back without
 * counting a failure (a stopping worker).
 */
queue_result_e queue_fail(redis_t *redis, const queue_settings_t *settings,
    queue_turn_t *turn, int64_t delay_ms, int counted, const char *reason);

/* Appends a job to the inbox of its tenant's partition. */
queue_result_e queue_append(redis_t *redis, const queue_settings_t *settings,
    const setter_job_header_t *header, setter_str_t envelope);

/*
 * A lane that is held is not handed out until it is released; one that is in
 * a worker's hands is held when its turn ends.  *changed: 0 when it was so
 * before.
 */
queue_result_e queue_hold(redis_t *redis, const queue_settings_t *settings,
    setter_str_t lane, int *changed);
queue_result_e queue_release(redis_t *redis,
    const queue_settings_t *settings, setter_str_t lane, int *changed);

/* A setting of a tenant, see lanes/settings.lua; value "" is the default. */
typedef struct {
    const char  *name;              /* "weight" */
    const char  *value;             /* decimal digits */
} queue_setting_t;

#define QUEUE_SETTINGS_MAX  16

/* From now on; QUEUE_AWAY also when Redis refuses a value. */
queue_result_e queue_tenant(redis_t *redis, const queue_settings_t *settings,
    setter_str_t slug, const queue_setting_t *set, size_t n);

/* A limit: one message in so long, and how many may be ahead of that. */
typedef struct {
    setter_str_t  account;          /* where it belongs */
    setter_str_t  name;
    long          interval_us;      /* 0: any number */
    long          burst;            /* from 1 */
} queue_pace_t;

/*
 * Counts a message by n limits of an account, over all workers.  *wait_ms: in
 * how long it may be sent; where that is more than limit_ms, it was not
 * counted.
 */
queue_result_e queue_pace(redis_t *redis, const queue_settings_t *settings,
    const queue_pace_t *paces, size_t n, int64_t limit_ms, int64_t *wait_ms);

/* No message of that limit for ms. */
queue_result_e queue_pace_stop(redis_t *redis,
    const queue_settings_t *settings, const queue_pace_t *pace, int64_t ms);

typedef struct {
    setter_str_t  lane;
    setter_str_t  id;
} queue_ref_t;

/*
 * Sets absent[i] to 1 where the queue has no such job, neither waiting nor in
 * hand; but it may be in an inbox still, or completed.
 */
queue_result_e queue_absent(redis_t *redis, const queue_settings_t *settings,
    const queue_ref_t *jobs, size_t n, unsigned char *absent);

typedef enum {
    QUEUE_JOB_UNKNOWN = 0,
    QUEUE_JOB_SORTED,       /* within the last hour, or waits for its time */
    QUEUE_JOB_IN_HAND
} queue_job_e;

queue_result_e queue_state(redis_t *redis, const queue_settings_t *settings,
    setter_str_t slug, setter_str_t id, queue_job_e *state);

typedef struct {
    const char  *name;
    const char  *version;
    long         slots;     /* free ones, as it last said */
    int64_t      age_ms;    /* of its last sign of life */
    long         turns;     /* in hand, in all partitions */
} queue_worker_t;

/* The workers of the last minute, in the arena given. */
queue_result_e queue_workers(redis_t *redis,
    const queue_settings_t *settings, queue_worker_t **workers, size_t *n,
    arena_t *arena);


#endif /* QUEUE_H */
