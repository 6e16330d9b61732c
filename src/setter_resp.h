/*
 * The core of a pipelined Redis client: a FIFO of commands sent and not yet
 * answered, over hiredis's formatter and reader.  It has no socket, clock or
 * event loop: the module and the workers bring those and move the bytes.
 *
 * Ownership: a pending entry belongs to the core from setter_resp_command()
 * until its handler has run, which happens exactly once.  An entry cannot be
 * taken out of the middle; who loses interest clears entry->data instead.
 */

#ifndef SETTER_RESP_H
#define SETTER_RESP_H

#include <hiredis/hiredis.h>

#include "setter_buf.h"


typedef enum {
    SETTER_RESP_REPLIED,    /* reply is the server's, perhaps an error reply */
    SETTER_RESP_UNSENT,     /* closed; no byte of the command had left */
    SETTER_RESP_UNKNOWN     /* closed; bytes had left and no reply came */
} setter_resp_outcome_e;

typedef struct setter_resp_entry_s  setter_resp_entry_t;

/*
 * reply is freed after the handler returns and is NULL unless REPLIED.  A
 * handler may append commands, but must not feed, close or free the client.
 */
typedef void (*setter_resp_handler_pt)(void *data,
    setter_resp_outcome_e outcome, redisReply *reply);

struct setter_resp_entry_s {
    setter_resp_handler_pt   handler;   /* NULL: the reply is dropped */
    void                    *data;
    uint64_t                 end;       /* position behind its last byte */
    setter_resp_entry_t     *next;
};

typedef struct {
    redisReader          *reader;
    setter_resp_entry_t  *first;        /* oldest unanswered */
    setter_resp_entry_t **last;
    setter_resp_entry_t  *free;         /* recycled entries */
    size_t                pending;
    size_t                max_pending;

    char                 *out;          /* bytes not yet written */
    size_t                out_start;
    size_t                out_end;
    size_t                out_size;
    size_t                max_out;
    uint64_t              appended;     /* bytes ever appended and written */
    uint64_t              written;
    uint64_t              answered;     /* end of the last answered command */

    char                  error[128];   /* reason why a feed failed */
} setter_resp_t;


/* max_pending: commands; max_out: bytes not yet written. */
int setter_resp_init(setter_resp_t *resp, size_t max_pending, size_t max_out);

/* Runs no handler: call setter_resp_closed() before. */
void setter_resp_free(setter_resp_t *resp);

/* Appends a command; NULL when a limit is reached or memory is short. */
setter_resp_entry_t *setter_resp_command(setter_resp_t *resp, int argc,
    const char **argv, const size_t *argvlen, setter_resp_handler_pt handler,
    void *data);

/*
 * The bytes to write next, valid until the next command is appended, and
 * what to call when n of them were written, before any reply is fed.
 */
size_t setter_resp_output(setter_resp_t *resp, const char **data);
void setter_resp_written(setter_resp_t *resp, size_t n);

/*
 * Takes len bytes received and runs the handlers of the replies they
 * complete, in order.  SETTER_ERROR on a protocol error or a reply to what
 * was not yet sent: close the connection then; resp->error says why.
 */
int setter_resp_feed(setter_resp_t *resp, const char *data, size_t len);

/*
 * The connection is gone: detaches what was pending, makes the core ready
 * for a new connection, then runs every handler as UNSENT or UNKNOWN.
 */
void setter_resp_closed(setter_resp_t *resp);


#endif /* SETTER_RESP_H */
