/*
 * Kind "call": a question that nginx holds a request for.  The job's data:
 *   {"tenant":"<slug>","call":"<name>","reply":"<stream>",
 *    "deadline":<Unix ms>,"args":{…}}
 * The tenant is who asks, or is asked about: in the queue the calls of all are
 * one tenant's, so that they are answered whatever is held.  Where it is
 * absent it is the job's.
 * The answer goes to the stream, which is one nginx process's own; nothing of
 * a call is recorded.
 */

#include <string.h>

#include "reply/call.h"
#include "reply/channels.h"
#include "reply/inbound.h"
#include "reply/kind.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "setter_json.h"


#define CALL_REDIS_MS   5000
#define CALL_KEEP       "1000"      /* answers a stream has at most, about */
#define CALL_KEEP_MS    "60000"     /* after the last one */
#define CALL_NADD       20          /* words of the command, at most */


enum {
    CALL_TENANT = 0, CALL_NAME, CALL_REPLY, CALL_DEADLINE, CALL_ARGS,
    CALL_NPATHS
};

static const setter_json_path_t  call_paths[CALL_NPATHS] = {
    { "data.tenant", 0 },
    { "data.call", 0 },
    { "data.reply", 0 },
    { "data.deadline", 0 },
    { "data.args", SETTER_JSON_TEXT },
};

static const call_t *const  calls[] = {
    &call_channels,
    &call_conversations,
    &call_job,
    &call_tenants
};


static turn_end_e call_run(turn_t *turn);
static turn_end_e call_one(turn_t *turn, const turn_job_t *job);
static int call_whose(turn_t *turn, setter_str_t tenant);
static int call_is_stream(const turn_t *turn, setter_str_t key);
static int call_is_late(setter_str_t deadline);
static int call_find(turn_t *turn, const setter_json_value_t *values,
    call_answer_t *answer);
static int call_problem_end(call_answer_t *answer, int status,
    setter_buf_t *buf);
static setter_str_t call_text(const char *text);
static turn_end_e call_reply(turn_t *turn, const turn_job_t *job,
    setter_str_t stream, call_answer_t *answer);
static int call_fields(const char *fields[][2], size_t n, const char *argv[],
    size_t argvlen[]);
static int call_seal(turn_t *turn, const turn_job_t *job,
    setter_str_t *body);
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
    answer.call = job->id;

    if (call_whose(turn, values[CALL_TENANT].text) != 0
        || call_find(turn, values, &answer) != 0)
    {
        return turn_ends(turn, TURN_BACK, -1, "it cannot be answered now");
    }

    return call_reply(turn, job, values[CALL_REPLY].text, &answer);
}


/* 0, or -1: no memory. */
static int
call_whose(turn_t *turn, setter_str_t tenant)
{
    if (!setter_slug_valid(tenant)) {
        return 0;
    }

    turn->tenant = arena_copy(turn->claim->arena, tenant.data, tenant.len);

    return turn->tenant != NULL ? 0 : -1;
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

    return call_problem(turn, answer, 501, "Not Implemented",
                        "this version of the workers knows no such call");
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
    setter_buf_t  buf;

    setter_buf_init(&buf, arena_alloc(turn->claim->arena), 128);

    setter_buf_text(&buf, "{\"type\":\"about:blank\"");
    setter_json_member(&buf, "title", call_text(title));
    setter_json_name(&buf, "status");
    setter_buf_number(&buf, status);
    setter_json_member(&buf, "detail", call_text(detail));

    return call_problem_end(answer, status, &buf);
}


int
call_invalid(turn_t *turn, call_answer_t *answer, const char *field,
    const char *detail)
{
    setter_buf_t  buf;

    setter_buf_init(&buf, arena_alloc(turn->claim->arena), 256);

    setter_buf_text(&buf, "{\"type\":\"about:blank\","
                    "\"title\":\"Unprocessable Content\",\"status\":422");
    setter_json_member(&buf, "detail", call_text(detail));
    setter_buf_text(&buf, ",\"errors\":[{");
    setter_json_member(&buf, "field", call_text(field));
    setter_json_member(&buf, "detail", call_text(detail));
    setter_buf_text(&buf, "}]");

    return call_problem_end(answer, 422, &buf);
}


static int
call_problem_end(call_answer_t *answer, int status, setter_buf_t *buf)
{
    setter_buf_byte(buf, '}');

    answer->status = status;
    answer->type = CALL_PROBLEM;
    answer->body.data = buf->data;
    answer->body.len = buf->len;

    return buf->failed ? -1 : 0;
}


static setter_str_t
call_text(const char *text)
{
    return (setter_str_t) { text != NULL ? strlen(text) : 0, text };
}


int
call_not_found(call_answer_t *answer)
{
    answer->type = CALL_PROBLEM;

    return call_error(answer, 404, "{\"type\":\"about:blank\","
                      "\"title\":\"Not Found\",\"status\":404}");
}


int
call_not_allowed(call_answer_t *answer, const char *allow)
{
    answer->type = CALL_PROBLEM;
    answer->allow = allow;

    return call_error(answer, 405, "{\"type\":\"about:blank\","
                      "\"title\":\"Method Not Allowed\",\"status\":405}");
}


int
call_body(turn_t *turn, call_answer_t *answer, int status, const char *text,
    const char *etag)
{
    answer->status = status;
    answer->body.len = strlen(text);
    answer->body.data = arena_copy(turn->claim->arena, text,
                                   answer->body.len);

    if (etag != NULL) {
        answer->etag = arena_printf(turn->claim->arena, "\"%s\"", etag);

        if (answer->etag == NULL) {
            return -1;
        }
    }

    return answer->body.data != NULL ? 0 : -1;
}


/* A stream that nobody reads any more is soon gone. */
static turn_end_e
call_reply(turn_t *turn, const turn_job_t *job, setter_str_t stream,
    call_answer_t *answer)
{
    int          argc;
    size_t       argvlen[CALL_NADD];
    const char  *key, *status, *argv[CALL_NADD];

    key = arena_copy(turn->claim->arena, stream.data, stream.len);
    status = arena_printf(turn->claim->arena, "%d", answer->status);

    if (key == NULL || status == NULL
        || (answer->secret && call_seal(turn, job, &answer->body) != 0))
    {
        return turn_ends(turn, TURN_BACK, -1, "no memory");
    }

    const char  *fields[][2] = {
        { "XADD", key }, { "MAXLEN", "~" }, { CALL_KEEP, "*" },
        { "id", job->id }, { "status", status },
        { "type", answer->type != NULL ? answer->type : "application/json" },
        { "etag", answer->etag }, { "location", answer->location },
        { "allow", answer->allow }
    };
    const char  *keep[3] = { "PEXPIRE", key, CALL_KEEP_MS };

    argc = call_fields(fields, sizeof(fields) / sizeof(fields[0]), argv,
                       argvlen);
    argv[argc] = answer->secret ? "sealed" : "body";
    argvlen[argc] = strlen(argv[argc]);
    argv[argc + 1] = answer->body.data;
    argvlen[argc + 1] = answer->body.len;
    argc += 2;

    if (call_command(turn, argc, argv, argvlen) != 0
        || call_command(turn, 3, keep, NULL) != 0)
    {
        return turn_ends(turn, TURN_BACK, -1, "Redis was away");
    }

    return TURN_DONE;
}


/* Those that are there. */
static int
call_fields(const char *fields[][2], size_t n, const char *argv[],
    size_t argvlen[])
{
    int     argc, k;
    size_t  i;

    for (i = 0, argc = 0; i < n; i++) {
        for (k = 0; k < 2 && fields[i][1] != NULL; k++, argc++) {
            argv[argc] = fields[i][k];
            argvlen[argc] = strlen(argv[argc]);
        }
    }

    return argc;
}


/* For nginx, which has the key that is derived for it. */
static int
call_seal(turn_t *turn, const turn_job_t *job, setter_str_t *body)
{
    const char         *context;
    setter_buf_t        buf;
    setter_seal_key_t   key;

    context = arena_printf(turn->claim->arena, "answer/%s", job->id);
    setter_buf_init(&buf, arena_alloc(turn->claim->arena), 0);

    if (context == NULL
        || setter_seal_key_derive(&key, &turn->worker->master->keys[0],
                                  CHANNELS_KEY) != SETTER_OK
        || setter_seal(&buf, &key, call_text(context), *body) != SETTER_OK)
    {
        return -1;
    }

    body->data = buf.data;
    body->len = buf.len;

    return buf.failed ? -1 : 0;
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
