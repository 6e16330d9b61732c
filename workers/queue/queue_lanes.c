/*
 * What the queue is told and asked beside turns: jobs, lanes, tenants and
 * workers.
 */

#include <string.h>

#include "queue/queue_parts.h"
#include "runtime/log.h"


static unsigned queue_partition(const queue_settings_t *settings,
    setter_str_t lane);
static queue_result_e queue_switch(redis_t *redis,
    const queue_settings_t *settings, const char *function,
    setter_str_t lane, int *changed);
static queue_result_e queue_number(redisReply *reply, int *number);
static queue_result_e queue_absent_in(redis_t *redis,
    const queue_settings_t *settings, unsigned partition,
    const queue_ref_t *jobs, size_t n, unsigned char *absent);
static int queue_add_workers(queue_worker_t **workers, size_t *n,
    const redisReply *reply, arena_t *arena);
static queue_worker_t *queue_worker(queue_worker_t *workers, size_t *n,
    const redisReply *name, arena_t *arena);


queue_result_e
queue_append(redis_t *redis, const queue_settings_t *settings,
    const setter_job_header_t *header, setter_str_t envelope)
{
    char           key[SETTER_KEY_MAX];
    size_t         argvlen[7];
    arena_t       *arena;
    redisReply    *reply;
    setter_buf_t   line;
    const char    *argv[7] = { "XADD", key, "*", "h", NULL, "j",
                               envelope.data };

    arena = arena_create();
    if (arena == NULL) {
        return QUEUE_AWAY;
    }

    setter_buf_init(&line, arena_alloc(arena), 128 + header->lane.len);
    setter_job_header_write(&line, header);
    reply = NULL;

    if (!line.failed) {
        argv[4] = line.data;
        argvlen[0] = 4;
        argvlen[1] = setter_partition_key(key,
                         queue_partition(settings, header->tenant),
                         settings->partitions, "inbox");
        argvlen[2] = argvlen[3] = argvlen[5] = 1;
        argvlen[4] = line.len;
        argvlen[6] = envelope.len;

        reply = queue_command(redis, 7, argv, argvlen, QUEUE_TIMEOUT_MS);
    }

    arena_destroy(arena);

    if (reply == NULL) {
        return QUEUE_AWAY;
    }

    freeReplyObject(reply);

    return QUEUE_OK;
}


/* Of a lane, or of a tenant's slug alone. */
static unsigned
queue_partition(const queue_settings_t *settings, setter_str_t lane)
{
    const char  *slash;

    slash = memchr(lane.data, '/', lane.len);
    if (slash != NULL) {
        lane.len = slash - lane.data;
    }

    return setter_partition(lane, settings->partitions);
}


queue_result_e
queue_hold(redis_t *redis, const queue_settings_t *settings,
    setter_str_t lane, int *changed)
{
    return queue_switch(redis, settings, "setter_hold", lane, changed);
}


queue_result_e
queue_release(redis_t *redis, const queue_settings_t *settings,
    setter_str_t lane, int *changed)
{
    return queue_switch(redis, settings, "setter_release", lane, changed);
}


static queue_result_e
queue_switch(redis_t *redis, const queue_settings_t *settings,
    const char *function, setter_str_t lane, int *changed)
{
    queue_call_t  call;

    queue_begin(&call, function, settings, queue_partition(settings, lane));
    queue_add(&call, lane);

    return queue_number(queue_finish(redis, &call), changed);
}


static queue_result_e
queue_number(redisReply *reply, int *number)
{
    if (reply == NULL) {
        return QUEUE_AWAY;
    }

    *number = (int) reply->integer;
    freeReplyObject(reply);

    return QUEUE_OK;
}


queue_result_e
queue_tenant(redis_t *redis, const queue_settings_t *settings,
    setter_str_t slug, const queue_setting_t *set, size_t n)
{
    int           done;
    size_t        i;
    queue_call_t  call;

    queue_begin(&call, "setter_tenant", settings,
                queue_partition(settings, slug));
    queue_add(&call, slug);

    for (i = 0; i < n && i < QUEUE_SETTINGS_MAX; i++) {
        queue_add_text(&call, set[i].name);
        queue_add_text(&call, set[i].value);
    }

    return queue_number(queue_finish(redis, &call), &done);
}


queue_result_e
queue_state(redis_t *redis, const queue_settings_t *settings,
    setter_str_t slug, setter_str_t id, queue_job_e *state)
{
    int             number;
    queue_call_t    call;
    queue_result_e  rc;

    queue_begin(&call, "setter_state", settings,
                queue_partition(settings, slug));
    queue_add(&call, slug);
    queue_add(&call, id);

    rc = queue_number(queue_finish(redis, &call), &number);
    if (rc == QUEUE_OK) {
        *state = (queue_job_e) number;
    }

    return rc;
}


queue_result_e
queue_absent(redis_t *redis, const queue_settings_t *settings,
    const queue_ref_t *jobs, size_t n, unsigned char *absent)
{
    unsigned        partition;
    queue_result_e  rc;

    rc = QUEUE_OK;

    for (partition = 0;
         rc == QUEUE_OK && partition < settings->partitions;
         partition++)
    {
        rc = queue_absent_in(redis, settings, partition, jobs, n, absent);
    }

    return rc;
}


/* So many a call at most. */
static queue_result_e
queue_absent_in(redis_t *redis, const queue_settings_t *settings,
    unsigned partition, const queue_ref_t *jobs, size_t n,
    unsigned char *absent)
{
    size_t         i, asked, members[QUEUE_PAIRS_MAX];
    redisReply    *reply;
    queue_call_t   call;

    for (i = 0; i < n; /* void */ ) {
        asked = 0;
        queue_begin(&call, "setter_absent", settings, partition);

        for ( ; i < n && asked < QUEUE_PAIRS_MAX; i++) {
            if (queue_partition(settings, jobs[i].lane) == partition) {
                queue_add(&call, jobs[i].lane);
                queue_add(&call, jobs[i].id);
                members[asked++] = i;
            }
        }

        if (asked == 0) {
            break;
        }

        reply = queue_finish(redis, &call);
        if (reply == NULL) {
            return QUEUE_AWAY;
        }

        while (asked-- > 0) {
            absent[members[asked]] = reply->element[asked]->integer == 1;
        }

        freeReplyObject(reply);
    }

    return QUEUE_OK;
}


queue_result_e
queue_workers(redis_t *redis, const queue_settings_t *settings,
    queue_worker_t **workers, size_t *n, arena_t *arena)
{
    int            rc;
    unsigned       partition;
    redisReply    *reply;
    queue_call_t   call;

    *workers = NULL;
    *n = 0;

    for (partition = 0; partition < settings->partitions; partition++) {
        queue_begin(&call, "setter_workers", settings, partition);

        reply = queue_finish(redis, &call);
        if (reply == NULL) {
            return QUEUE_AWAY;
        }

        rc = queue_add_workers(workers, n, reply, arena);
        freeReplyObject(reply);

        if (rc != 0) {
            log_error("no memory for the workers");
            return QUEUE_AWAY;
        }
    }

    return QUEUE_OK;
}


/* Those of one partition: name, slots, version, age, turns. */
static int
queue_add_workers(queue_worker_t **workers, size_t *n,
    const redisReply *reply, arena_t *arena)
{
    size_t           i;
    redisReply     **e;
    queue_worker_t  *all, *worker;

    all = arena_get(arena, (*n + reply->elements + 1)
                           * sizeof(queue_worker_t));
    if (all == NULL) {
        return -1;
    }

    if (*n > 0) {
        memcpy(all, *workers, *n * sizeof(queue_worker_t));
    }

    *workers = all;

    for (i = 0; i < reply->elements; i++) {
        e = reply->element[i]->element;
        worker = queue_worker(all, n, e[0], arena);
        if (worker == NULL) {
            return -1;
        }

        worker->turns += e[4]->integer;

        if (worker->version == NULL || e[3]->integer < worker->age_ms) {
            worker->slots = e[1]->integer;
            worker->version = arena_copy(arena, e[2]->str, e[2]->len);
            worker->age_ms = e[3]->integer;

            if (worker->version == NULL) {
                return -1;
            }
        }
    }

    return 0;
}


/* The one of this name, or a new one behind the others. */
static queue_worker_t *
queue_worker(queue_worker_t *workers, size_t *n, const redisReply *name,
    arena_t *arena)
{
    size_t           i;
    queue_worker_t  *worker;

    for (i = 0; i < *n; i++) {
        if (strcmp(workers[i].name, name->str) == 0) {
            return &workers[i];
        }
    }

    worker = &workers[*n];
    memset(worker, 0, sizeof(queue_worker_t));

    worker->name = arena_copy(arena, name->str, name->len);
    if (worker->name == NULL) {
        return NULL;
    }

    (*n)++;

    return worker;
}
