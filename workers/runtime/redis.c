/*
 * Commands of tasks, and the handshake.  redis_connection.c keeps the
 * connection.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/log.h"
#include "runtime/redis_parts.h"


#define REDIS_MAX_PENDING   100000
#define REDIS_MAX_OUT       (64 * 1024 * 1024)
#define REDIS_HANDSHAKE_MS  5000
#define REDIS_PULSE_MS      5000
#define REDIS_DEAF_MS       2000        /* the least that makes it suspect */


/* A command under way; it lives on its task's stack. */
typedef struct {
    redis_t                *redis;
    task_t                 *task;
    redisReply             *reply;
    setter_resp_outcome_e   outcome;
    unsigned                done:1;
} redis_op_t;


static void redis_release(redis_t *redis);
static void redis_timer_closed(uv_handle_t *handle);
static void redis_free(redis_t *redis);
static void redis_doubt(redis_t *redis, int64_t sent_ms);
static redis_error_e redis_wait_ready(redis_t *redis, int64_t deadline);
static void redis_enlist(redis_t *redis, redis_waiter_t *waiter);
static void redis_delist(redis_waiter_t *waiter);
static void redis_on_reply(void *data, setter_resp_outcome_e outcome,
    redisReply *reply);
static void redis_shake(void *arg);
static void redis_enter_service(redis_t *redis);
static void redis_wake_waiters(redis_t *redis);
static int redis_introduce(redis_t *redis);
static int redis_say(redis_t *redis, const char *command, const char *first,
    const char *second);


redis_t *
redis_open(const redis_settings_t *settings, const char *name,
    int (*handshake)(redis_t *redis, void *data), void *data,
    char *error, size_t error_size)
{
    redis_t          *redis;
    redis_address_t   address;

    if (settings->url == NULL) {
        snprintf(error, error_size, "SETTER_REDIS_URL is not set");
        return NULL;
    }

    if (redis_parse_url(&address, settings->url, error, error_size) != 0) {
        return NULL;
    }

    snprintf(error, error_size, "no memory");

    redis = calloc(1, sizeof(redis_t));
    if (redis == NULL) {
        redis_free_address(&address);
        return NULL;
    }

    redis->users = 1;
    redis->address = address;
    redis->handshake = handshake;
    redis->data = data;
    redis->fd = -1;
    redis->name = strdup(name);
    redis->flush.fn = redis_flush;
    redis->flush.data = redis;
    redis->timer.data = redis;
    redis->pulse.data = redis;

    if (redis->name == NULL
        || setter_resp_init(&redis->resp, REDIS_MAX_PENDING, REDIS_MAX_OUT)
           != SETTER_OK
        || redis_tls_create(redis, settings, error, error_size) != 0
        || uv_timer_init(loop_uv(), &redis->timer) != 0
        || uv_timer_init(loop_uv(), &redis->pulse) != 0)
    {
        redis_free(redis);
        return NULL;
    }

    uv_timer_start(&redis->pulse, redis_on_pulse, REDIS_PULSE_MS,
                   REDIS_PULSE_MS);
    redis_connect(redis);

    return redis;
}


void
redis_close(redis_t *redis)
{
    redis->closed = 1;
    loop_disarm(&redis->flush);
    redis_disconnect(redis);
    uv_timer_stop(&redis->pulse);
    redis_wake_waiters(redis);
    redis_release(redis);
}


static void
redis_release(redis_t *redis)
{
    if (--redis->users > 0) {
        return;
    }

    uv_close((uv_handle_t *) &redis->pulse, NULL);
    uv_close((uv_handle_t *) &redis->timer, redis_timer_closed);
}


/* The last of the connection's handles. */
static void
redis_timer_closed(uv_handle_t *handle)
{
    redis_free(handle->data);
}


static void
redis_free(redis_t *redis)
{
    redis_tls_free(redis);
    free(redis->name);
    redis_free_address(&redis->address);
    setter_resp_free(&redis->resp);
    free(redis);
}


int
redis_ready(const redis_t *redis)
{
    return redis->state == REDIS_READY;
}


unsigned
redis_generation(const redis_t *redis)
{
    return redis->generation;
}


redis_error_e
redis_command(redis_t *redis, int argc, const char **argv,
    const size_t *argvlen, int64_t timeout_ms, redisReply **reply)
{
    int                   rc;
    int64_t               deadline, sent_ms;
    redis_op_t            op;
    redis_error_e         error;
    setter_resp_entry_t  *entry;

    *reply = NULL;
    deadline = loop_now_ms() + timeout_ms;

    error = redis_wait_ready(redis, deadline);
    if (error != REDIS_REPLIED) {
        return error;
    }

    memset(&op, 0, sizeof(op));
    op.redis = redis;
    op.task = task_self();

    sent_ms = loop_now_ms();

    if (redis->resp.pending == 0) {
        redis->heard_ms = sent_ms;
    }

    entry = setter_resp_command(&redis->resp, argc, argv, argvlen,
                                redis_on_reply, &op);
    if (entry == NULL) {
        return REDIS_DOWN;
    }

    loop_at_end(&redis->flush);

    rc = TASK_OK;
    while (rc == TASK_OK && !op.done) {
        rc = task_suspend(deadline);
    }

    if (!op.done) {
        entry->data = NULL;

        if (rc == TASK_CANCELLED) {
            return REDIS_CANCELLED;
        }

        redis_doubt(redis, sent_ms);
        return REDIS_TIMEOUT;
    }

    if (op.outcome == SETTER_RESP_REPLIED) {
        *reply = op.reply;
        return op.reply != NULL ? REDIS_REPLIED : REDIS_UNKNOWN;
    }

    return op.outcome == SETTER_RESP_UNSENT ? REDIS_DOWN : REDIS_UNKNOWN;
}


/*
 * Slow, or half open: a connection that has said nothing since the command
 * was sent is taken for dead, or the next ones would wait in vain too.
 */
static void
redis_doubt(redis_t *redis, int64_t sent_ms)
{
    if (redis->heard_ms <= sent_ms
        && loop_now_ms() - sent_ms >= REDIS_DEAF_MS)
    {
        redis_lost(redis, "no answer in time");
    }
}


/* The handshake's own commands go ahead of everybody's. */
static redis_error_e
redis_wait_ready(redis_t *redis, int64_t deadline)
{
    int             rc;
    redis_error_e   error;
    redis_waiter_t  waiter;

    if (redis->state == REDIS_READY
        || (redis->shaker != NULL && redis->shaker == task_self()))
    {
        return REDIS_REPLIED;
    }

    redis->users++;
    redis_enlist(redis, &waiter);

    rc = TASK_OK;
    while (rc == TASK_OK && !redis->closed && redis->state != REDIS_READY) {
        rc = task_suspend(deadline);
    }

    redis_delist(&waiter);

    if (redis->state == REDIS_READY) {
        error = REDIS_REPLIED;
    } else {
        error = rc == TASK_CANCELLED ? REDIS_CANCELLED : REDIS_DOWN;
    }

    redis_release(redis);

    return error;
}


static void
redis_enlist(redis_t *redis, redis_waiter_t *waiter)
{
    waiter->task = task_self();
    waiter->next = redis->waiters;
    waiter->place = &redis->waiters;

    if (waiter->next != NULL) {
        waiter->next->place = &waiter->next;
    }

    redis->waiters = waiter;
}


static void
redis_delist(redis_waiter_t *waiter)
{
    *waiter->place = waiter->next;

    if (waiter->next != NULL) {
        waiter->next->place = waiter->place;
    }
}


/*
 * The reply's memory is the core's until we return: its contents move to a
 * reply of our own, and an empty shell is left for the core to free.
 */
static void
redis_on_reply(void *data, setter_resp_outcome_e outcome, redisReply *reply)
{
    redis_op_t  *op;

    op = data;

    if (op == NULL) {
        return;
    }

    op->done = 1;
    op->outcome = outcome;

    if (reply != NULL) {
        if (reply->type == REDIS_REPLY_ERROR
            && (strncmp(reply->str, "LOADING", 7) == 0
                || strncmp(reply->str, "READONLY", 8) == 0))
        {
            op->redis->doomed = 1;
        }

        op->reply = malloc(sizeof(redisReply));
        if (op->reply != NULL) {
            *op->reply = *reply;
            reply->type = REDIS_REPLY_INTEGER;
        }
    }

    task_wake(op->task);
}


void
redis_start_handshake(redis_t *redis)
{
    redis->state = REDIS_HANDSHAKE;
    redis->shaker = task_start("redis handshake", redis_shake, redis);

    if (redis->shaker == NULL) {
        redis_lost(redis, "no memory");
        return;
    }

    redis->users++;
}


/*
 * A connection lost meanwhile has a new shaker, or none: what this one found
 * is of no interest then.
 */
static void
redis_shake(void *arg)
{
    int       rc;
    redis_t  *redis;

    redis = arg;
    task_background();

    rc = redis_introduce(redis);
    if (rc == 0 && redis->handshake != NULL) {
        rc = redis->handshake(redis, redis->data);
    }

    if (redis->shaker == task_self()) {
        redis->shaker = NULL;

        if (rc == 0) {
            redis_enter_service(redis);
        } else {
            redis_lost(redis, "the handshake failed");
        }
    }

    redis_release(redis);
}


static void
redis_enter_service(redis_t *redis)
{
    uv_timer_stop(&redis->timer);
    redis->state = REDIS_READY;
    redis->failures = 0;
    redis->generation++;

    if (redis->away) {
        redis->away = 0;
        log_info("Redis is back", "connection", redis->name);
    }

    redis_wake_waiters(redis);
}


static void
redis_wake_waiters(redis_t *redis)
{
    redis_waiter_t  *waiter;

    for (waiter = redis->waiters; waiter != NULL; waiter = waiter->next) {
        task_wake(waiter->task);
    }
}


static int
redis_introduce(redis_t *redis)
{
    redis_address_t  *a;

    a = &redis->address;

    if (a->password != NULL
        && redis_say(redis, "AUTH", a->user != NULL ? a->user : a->password,
                     a->user != NULL ? a->password : NULL) != 0)
    {
        return -1;
    }

    if (a->db != NULL && redis_say(redis, "SELECT", a->db, NULL) != 0) {
        return -1;
    }

    return redis_say(redis, "CLIENT", "SETNAME", redis->name);
}


/* A command that must be answered OK; the log never shows its arguments. */
static int
redis_say(redis_t *redis, const char *command, const char *first,
    const char *second)
{
    int          rc;
    const char  *argv[3];
    redisReply  *reply;

    argv[0] = command;
    argv[1] = first;
    argv[2] = second;

    if (redis_command(redis, second != NULL ? 3 : 2, argv, NULL,
                      REDIS_HANDSHAKE_MS, &reply) != REDIS_REPLIED)
    {
        return -1;
    }

    rc = reply->type == REDIS_REPLY_ERROR ? -1 : 0;

    if (rc != 0 && !redis->away) {
        log_error("Redis refused", "command", command, "reason", reply->str);
    }

    freeReplyObject(reply);

    return rc;
}
