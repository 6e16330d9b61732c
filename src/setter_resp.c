#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "setter_resp.h"


#define SETTER_RESP_MIN_OUT       4096
#define SETTER_RESP_MAX_ELEMENTS  (1024 * 1024)     /* of one array */
#define SETTER_RESP_MAX_DEPTH     9                 /* arrays in arrays */

/* of createArray() */
#if HIREDIS_MAJOR < 1
typedef int     setter_resp_count_t;
#else
typedef size_t  setter_resp_count_t;
#endif


static redisReader *setter_resp_reader(void);
static void *setter_resp_array(const redisReadTask *task,
    setter_resp_count_t n);
static int setter_resp_reserve(setter_resp_t *resp, size_t len);
static setter_resp_entry_t *setter_resp_entry(setter_resp_t *resp);
static int setter_resp_reply(setter_resp_t *resp, redisReply *reply);
static void setter_resp_finish(setter_resp_t *resp,
    setter_resp_entry_t *entry, setter_resp_outcome_e outcome,
    redisReply *reply);
static void setter_resp_entries_free(setter_resp_entry_t *entry);


static void  *(*setter_resp_hiredis_array)(const redisReadTask *task,
    setter_resp_count_t n);


int
setter_resp_init(setter_resp_t *resp, size_t max_pending, size_t max_out)
{
    memset(resp, 0, sizeof(setter_resp_t));

    resp->last = &resp->first;
    resp->max_pending = max_pending;
    resp->max_out = max_out;
    resp->reader = setter_resp_reader();

    return resp->reader != NULL ? SETTER_OK : SETTER_ERROR;
}


/* hiredis's, but for arrays that would take more memory than they are worth. */
static redisReader *
setter_resp_reader(void)
{
    redisReader                       *reader;
    static redisReplyObjectFunctions   functions;

    reader = redisReaderCreate();

    if (reader != NULL) {
        if (setter_resp_hiredis_array == NULL) {
            setter_resp_hiredis_array = reader->fn->createArray;
            functions = *reader->fn;
            functions.createArray = setter_resp_array;
        }

        reader->fn = &functions;
    }

    return reader;
}


/*
 * The count is the server's word, and memory is taken before any element.
 * How deep arrays may be nested hiredis limits only before its 1.0.
 */
static void *
setter_resp_array(const redisReadTask *task, setter_resp_count_t n)
{
    int                   depth;
    const redisReadTask  *outer;

    depth = 1;

    for (outer = task->parent; outer != NULL; outer = outer->parent) {
        depth++;
    }

    return n <= SETTER_RESP_MAX_ELEMENTS && depth <= SETTER_RESP_MAX_DEPTH
           ? setter_resp_hiredis_array(task, n) : NULL;
}


void
setter_resp_free(setter_resp_t *resp)
{
    if (resp->reader != NULL) {
        redisReaderFree(resp->reader);
    }

    setter_resp_entries_free(resp->first);
    setter_resp_entries_free(resp->free);
    free(resp->out);
}


setter_resp_entry_t *
setter_resp_command(setter_resp_t *resp, int argc, const char **argv,
    const size_t *argvlen, setter_resp_handler_pt handler, void *data)
{
    int                   len;
    char                 *text;
    setter_resp_entry_t  *entry;

    if (resp->pending >= resp->max_pending) {
        return NULL;
    }

    len = redisFormatCommandArgv(&text, argc, argv, argvlen);
    if (len < 0) {
        return NULL;
    }

    entry = NULL;

    if (setter_resp_reserve(resp, len) == SETTER_OK) {
        entry = setter_resp_entry(resp);
    }

    if (entry != NULL) {
        memcpy(resp->out + resp->out_end, text, len);
        resp->out_end += len;
        resp->appended += len;

        entry->handler = handler;
        entry->data = data;
        entry->end = resp->appended;
        entry->next = NULL;

        *resp->last = entry;
        resp->last = &entry->next;
        resp->pending++;
    }

    redisFreeCommand(text);

    return entry;
}


size_t
setter_resp_output(setter_resp_t *resp, const char **data)
{
    *data = resp->out != NULL ? resp->out + resp->out_start : NULL;

    return resp->out_end - resp->out_start;
}


void
setter_resp_written(setter_resp_t *resp, size_t n)
{
    resp->written += n;
    resp->out_start += n;

    if (resp->out_start == resp->out_end) {
        resp->out_start = 0;
        resp->out_end = 0;
    }
}


int
setter_resp_feed(setter_resp_t *resp, const char *data, size_t len)
{
    void  *reply;

    if (resp->reader == NULL) {
        snprintf(resp->error, sizeof(resp->error), "no memory for a reader");
        return SETTER_ERROR;
    }

    if (redisReaderFeed(resp->reader, data, len) != REDIS_OK) {
        goto failed;
    }

    for ( ;; ) {
        if (redisReaderGetReply(resp->reader, &reply) != REDIS_OK) {
            goto failed;
        }

        if (reply == NULL) {
            return SETTER_OK;
        }

        if (setter_resp_reply(resp, reply) != SETTER_OK) {
            return SETTER_ERROR;
        }
    }

failed:

    snprintf(resp->error, sizeof(resp->error), "%s", resp->reader->errstr);

    return SETTER_ERROR;
}


void
setter_resp_closed(setter_resp_t *resp)
{
    uint64_t              start, written;
    setter_resp_entry_t  *entry, *next;

    entry = resp->first;
    start = resp->answered;
    written = resp->written;

    resp->first = NULL;
    resp->last = &resp->first;
    resp->pending = 0;
    resp->out_start = 0;
    resp->out_end = 0;
    resp->appended = 0;
    resp->written = 0;
    resp->answered = 0;

    if (resp->reader != NULL) {
        redisReaderFree(resp->reader);
    }

    resp->reader = setter_resp_reader();

    while (entry != NULL) {
        next = entry->next;

        if (written > start) {
            start = entry->end;
            setter_resp_finish(resp, entry, SETTER_RESP_UNKNOWN, NULL);

        } else {
            setter_resp_finish(resp, entry, SETTER_RESP_UNSENT, NULL);
        }

        entry = next;
    }
}


/*
 * Room for len more bytes behind the output.  The bytes are moved to the
 * front only when they fill at most half of the memory, so that what is
 * moved was paid for by what was written.
 */
static int
setter_resp_reserve(setter_resp_t *resp, size_t len)
{
    char    *out;
    size_t   unwritten, size;

    unwritten = resp->out_end - resp->out_start;

    if (unwritten > resp->max_out || len > resp->max_out - unwritten) {
        return SETTER_ERROR;
    }

    if (len <= resp->out_size - resp->out_end) {
        return SETTER_OK;
    }

    out = resp->out;
    size = resp->out_size;

    if (unwritten + len > size / 2) {
        size = 2 * (unwritten + len);

        if (size < SETTER_RESP_MIN_OUT) {
            size = SETTER_RESP_MIN_OUT;
        }

        out = malloc(size);
        if (out == NULL) {
            return SETTER_ERROR;
        }
    }

    if (unwritten > 0) {
        memmove(out, resp->out + resp->out_start, unwritten);
    }

    if (out != resp->out) {
        free(resp->out);
    }

    resp->out = out;
    resp->out_size = size;
    resp->out_start = 0;
    resp->out_end = unwritten;

    return SETTER_OK;
}


static setter_resp_entry_t *
setter_resp_entry(setter_resp_t *resp)
{
    setter_resp_entry_t  *entry;

    entry = resp->free;

    if (entry == NULL) {
        return malloc(sizeof(setter_resp_entry_t));
    }

    resp->free = entry->next;

    return entry;
}


/*
 * Gives a reply to the oldest entry.  A server that has something to say
 * before it was asked (too many clients, protected mode) says it in an error
 * reply: its text becomes the reason.
 */
static int
setter_resp_reply(setter_resp_t *resp, redisReply *reply)
{
    setter_resp_entry_t  *entry;

    entry = resp->first;

    if (entry == NULL || entry->end > resp->written) {
        snprintf(resp->error, sizeof(resp->error), "unexpected reply%s%s",
                 reply->type == REDIS_REPLY_ERROR ? ": " : "",
                 reply->type == REDIS_REPLY_ERROR ? reply->str : "");
        freeReplyObject(reply);

        return SETTER_ERROR;
    }

    resp->first = entry->next;

    if (resp->first == NULL) {
        resp->last = &resp->first;
    }

    resp->pending--;
    resp->answered = entry->end;

    setter_resp_finish(resp, entry, SETTER_RESP_REPLIED, reply);
    freeReplyObject(reply);

    return SETTER_OK;
}


/* The handler may append, and so be given the very entry it runs for. */
static void
setter_resp_finish(setter_resp_t *resp, setter_resp_entry_t *entry,
    setter_resp_outcome_e outcome, redisReply *reply)
{
    void                    *data;
    setter_resp_handler_pt   handler;

    handler = entry->handler;
    data = entry->data;

    entry->next = resp->free;
    resp->free = entry;

    if (handler != NULL) {
        handler(data, outcome, reply);
    }
}


static void
setter_resp_entries_free(setter_resp_entry_t *entry)
{
    setter_resp_entry_t  *next;

    while (entry != NULL) {
        next = entry->next;
        free(entry);
        entry = next;
    }
}
