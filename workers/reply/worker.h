/*
 * What all turns of a worker process share.
 */

#ifndef WORKER_H
#define WORKER_H

#include <sys/queue.h>

#include "channel/accounts.h"
#include "llm/llm.h"
#include "queue/queue.h"
#include "runtime/master.h"
#include "runtime/redis.h"
#include "runtime/task.h"
#include "setter_partition.h"


typedef struct turn_s  turn_t;

/* Files that messages bring: media.h. */
typedef struct {
    const char         *dir;            /* NULL: none is fetched */
    const char         *types;          /* MIME types: those alone */
    long                max_bytes;      /* of a file */
    long                timeout_ms;     /* of a message's files, in all */
    long                days;           /* after which it is deleted */
    long                fetches;        /* at once */
    const char         *transcribe_model;   /* NULL: nobody listens */
    long                images;         /* that a model is given, at most */
    long                image_bytes;    /* of one */
    long                seeing;         /* turns at once whose model sees */
} media_settings_t;

typedef struct {
    /* settings */
    queue_settings_t    queue;
    llm_settings_t      llm;
    const channel_accounts_t  *accounts;
    const master_t     *master;
    const char         *system_prompt;
    const char         *public_url;     /* of nginx, or NULL */
    long                memory_exchanges;
    long                llm_timeout_ms;
    long                send_timeout_ms;
    long                concurrency;
    long                reconcile_ms;
    long                forget_ms;
    media_settings_t    media;

    redis_t            *redis;
    redis_t            *bell;           /* waits for the inboxes to grow */
    char                last_ids[SETTER_MAX_PARTITIONS][48];

    /* turns in hand */
    LIST_HEAD(, turn_s) turns;
    long                nturns;
    long                nsuspects;      /* of which crashed a worker twice */

    /* for who ends the process by itself */
    long                nclaimed;       /* turns, so far */
    long                ncompleted;     /* of which were completed */
    int64_t             idle_since_ms;  /* asked, the queue had nothing, and
                                           nothing was in hand; -1: not so */

    task_sem_t          wake;           /* the claiming task waits here */
    task_sem_t          fetches;        /* of media, at once */
    task_sem_t          hearing;        /* transcriptions, as many */
    task_sem_t          seeing;         /* questions with images, at once */
    task_sem_t          arm;            /* the task that waits at the bell */
    unsigned            first;          /* partition to ask first */
    unsigned            published;      /* redis_generation() of the tenants */
    unsigned            woken:1;        /* a permit is in wake */
    unsigned            armed:1;        /* one is in arm, or at the bell */
    unsigned            claiming:1;     /* turns may still come */
    unsigned            one:1;          /* claims until one is completed */
    unsigned            stopping:1;     /* takes no turns any more */
    unsigned            leaving:1;      /* hands back those it holds */
} worker_t;


#endif /* WORKER_H */
