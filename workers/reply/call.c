/*
 * Kind "call": a question that nginx holds a request for.  The job's data:
 *   {"call":"<name>","reply":"<stream>","deadline":<Unix ms>,"args":{…}}
 * The answer goes to the stream, which is one nginx process's own; nothing of
 * a call is recorded.
 */

#include <string.h>

#include "reply/call.h"
#include "reply/inbound.h"
#include "reply/kind.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "setter_json.h"


#define CALL_REDIS_MS   5000
#define CALL_KEEP       "1000"      /* answers a stream has at most, about */
#define CALL_KEEP_MS    "60000"     /* after the last one */


enum {
    CALL_NAME = 0, CALL_REPLY, CALL_DEADLINE, CALL_ARGS, CALL_NPATHS
};

static const setter_json_path_t  call_paths[CALL_NPATHS] = {
    { "data.call", 0 },
    { "data.reply", 0 },
    { "data.deadline", 0 },
    { "data.args", SETTER_JSON_TEXT },
};

static const call_t *const  calls[] = {
    &call_conversations,
    &call_job
};


static turn_end_e call_run(turn_t *turn);
static turn_end_e call_one(turn_t *turn, const turn_job_t *job);
static int call_is_stream(const turn_t *turn, setter_str_t key);
static int call_is_late(setter_str_t deadline);
static int call_find(turn_t *turn, const setter_json_value_t *values,
    call_answer_t *answer);
static turn_end_e call_reply(turn_t *turn, const turn_job_t *job,
    setter_str_t stream, const call_answer_t *answer);
static int call_command(turn_t *turn, int argc, const char **argv,
    const size_t *argvlen);


static const kind_step_pt  call_steps[] = { call_run, NULL };

const kind_t  kind_call = { "call", inbound_disagrees, call_steps };


static turn_end_e
call_run(turn_t *turn)
{
    size_t      i;
    turn_end_e  end;

    for (i = 0, end = TURN_DONE; i < turn->njobs && end == TURN_DONE; i++) {
        if (turn->jobs[i].unfit == NULL && !turn->claim->dead) {
            end = call_one(turn, &turn->jobs[i]);
        }
    }

    return end;
}


static turn_end_e
call_one(turn_t *turn, const turn_job_t *job)
{
    call_answer_t        answer;
    setter_json_value_t  values[CALL_NPATHS];

    if (setter_json_read(job->envelope.data, job->envelope.len,
                         SETTER_JSON_REPAIR, call_paths, CALL_NPATHS, values,
                         NULL, arena_alloc(turn->claim->arena))
        != SETTER_JSON_OK
        || !call_is_stream(turn, values[CALL_REPLY].text))
    {
        log_error("a call cannot be answered", "tenant", turn->tenant, "job",
                  job->id);
        return TURN_DONE;
    }

    /* nobody waits any more */
    if (call_is_late(values[CALL_DEADLINE].text)) {
        return TURN_DONE;
    }

    memset(&answer, 0, sizeof(answer));

    if (call_find(turn, values, &answer) != 0) {
        return turn_ends(turn, TURN_BACK, -1, "no memory");
    }

    return call_reply(turn, job, values[CALL_REPLY].text, &answer);
}


/* Whoever appends jobs may not have us write to any key he likes. */
static int
call_is_stream(const turn_t *turn, setter_str_t key)
{
    char    name[SETTER_KEY_MAX];
    size_t  len;

    len = setter_partition_key(name, 0, turn->worker->queue.partitions,
                               "reply:");

    if (key.len != len + SETTER_UUID_LEN || memcmp(key.data, name, len) != 0)
    {
        return 0;
    }

    key.data += len;
    key.len -= len;

    return setter_uuid_valid(key);
}


static int
call_is_late(setter_str_t deadline)
{
    size_t   i;
    int64_t  ms;

    for (i = 0, ms = 0; i < deadline.len && i < 15; i++) {
        if (deadline.data[i] < '0' || deadline.data[i] > '9') {
            return 0;
        }

        ms = 10 * ms + (deadline.data[i] - '0');
    }

    return ms > 0 && loop_unix_ms() >= ms;
}


static int
call_find(turn_t *turn, const setter_json_value_t *values,
    call_answer_t *answer)
{
    size_t        i;
    setter_str_t  name, args;

    name = values[CALL_NAME].text;
    args = values[CALL_ARGS].text;

    for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (name.len == strlen(calls[i]->name)
            && memcmp(name.data, calls[i]->name, name.len) == 0)
        {
            return calls[i]->run(turn, args, answer);
        }
    }

    return call_error(answer, 501,
                      CALL_ERROR("This version of the workers cannot tell"));
}


int
call_error(call_answer_t *answer, int status, const char *body)
{
    answer->status = status;
    answer->body.data = body;
    answer->body.len = strlen(body);

    return 0;
}


int
call_problem(turn_t *turn, call_answer_t *answer, int status,
    const char *title, const char *detail)
{
    const char  *body;

    /* neither has what JSON would escape */
    body = arena_printf(turn->claim->arena, "{\"type\":\"about:blank\","
                        "\"title\":\"%s\",\"status\":%d%s%s%s}", title, status,
                        detail != NULL ? ",\"detail\":\"" : "",
                        detail != NULL ? detail : "",
                        detail != NULL ? "\"" : "");
    if (body == NULL) {
        return -1;
    }

    answer->type = CALL_PROBLEM;

    return call_error(answer, status, body);
}


/* A stream that nobody reads any more is soon gone. */
static turn_end_e
call_reply(turn_t *turn, const turn_job_t *job, setter_str_t stream,
    const call_answer_t *answer)
{
    size_t       i, argvlen[14];
    const char  *key, *status;

    key = arena_copy(turn->claim->arena, stream.data, stream.len);
    status = arena_printf(turn->claim->arena, "%d", answer->status);

    if (key == NULL || status == NULL) {
        return turn_ends(turn, TURN_BACK, -1, "no memory");
    }

    const char  *add[14] = {
        "XADD", key, "MAXLEN", "~", CALL_KEEP, "*", "id", job->id,
        "status", status,
        "type", answer->type != NULL ? answer->type : "application/json",
        "body", answer->body.data
    };
    const char  *keep[3] = { "PEXPIRE", key, CALL_KEEP_MS };

    for (i = 0; i < 13; i++) {
        argvlen[i] = strlen(add[i]);
    }
    argvlen[13] = answer->body.len;

    if (call_command(turn, 14, add, argvlen) != 0
        || call_command(turn, 3, keep, NULL) != 0)
    {
        return turn_ends(turn, TURN_BACK, -1, "Redis was away");
    }

    return TURN_DONE;
}


static int
call_command(turn_t *turn, int argc, const char **argv, const size_t *argvlen)
{
    int          rc;
    redisReply  *reply;

    if (redis_command(turn->worker->redis, argc, argv, argvlen, CALL_REDIS_MS,
                      &reply)
        != REDIS_REPLIED)
    {
        return -1;
    }

    rc = 0;

    if (reply->type == REDIS_REPLY_ERROR) {
        log_error("Redis refused", "command", argv[0], "reason", reply->str);
        rc = -1;
    }

    freeReplyObject(reply);
    return rc;
}
