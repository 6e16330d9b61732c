/*
 * A connection to Redis: everything is pipelined on it, with one write per
 * turn of the event loop.  An nginx worker process has one for the commands
 * of all its requests, and the bell's (ngx_http_setter_bell.h), which waits.
 */

#ifndef _NGX_HTTP_SETTER_REDIS_H_INCLUDED_
#define _NGX_HTTP_SETTER_REDIS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "setter_partition.h"
#include "setter_resp.h"


typedef struct ngx_http_setter_redis_s      ngx_http_setter_redis_t;
typedef struct ngx_http_setter_op_s         ngx_http_setter_op_t;
typedef struct ngx_http_setter_main_conf_s  ngx_http_setter_main_conf_t;
typedef struct ngx_http_setter_spool_s      ngx_http_setter_spool_t;


typedef enum {
    ngx_http_setter_redis_idle = 0,     /* no connection; a timer may be set */
    ngx_http_setter_redis_connecting,
    ngx_http_setter_redis_securing,     /* the handshake of TLS */
    ngx_http_setter_redis_handshake,    /* ours */
    ngx_http_setter_redis_ready,
    ngx_http_setter_redis_draining      /* replies are waited for, no more */
} ngx_http_setter_redis_state_e;


typedef enum {
    ngx_http_setter_op_replied = 0,     /* perhaps with an error reply */
    ngx_http_setter_op_unsent,          /* Redis has not seen the command */
    ngx_http_setter_op_unknown          /* it left, and no reply came in time */
} ngx_http_setter_op_result_e;


typedef ngx_int_t (*ngx_http_setter_op_send_pt)(ngx_http_setter_op_t *op);
typedef void (*ngx_http_setter_op_done_pt)(ngx_http_setter_op_t *op,
    ngx_http_setter_op_result_e result, redisReply *reply);


/*
 * What a request wants of Redis: commands one after another, or two at a
 * time, by one deadline that runs from ngx_http_setter_op_start().
 *
 * It belongs to the request, whose pool cleanup calls
 * ngx_http_setter_op_finish(): a reply still to come is dropped then.  While
 * there is no ready connection the operation waits in redis->ops; send() is
 * called when there is one, again on a new connection if a command had not
 * left the old one.  done() runs on each reply and either sends the next
 * command, waits for the other reply or finishes the operation; on any other
 * result the operation has been finished before.  After done() the operation
 * may be gone.
 */

#define NGX_HTTP_SETTER_OP_COMMANDS  2

struct ngx_http_setter_op_s {
    ngx_queue_t                      queue;
    ngx_msec_t                       deadline;
    uint64_t                         sent;      /* monotonic, us */
    ngx_uint_t                       nentries;  /* commands under way */
    setter_resp_entry_t             *entries[NGX_HTTP_SETTER_OP_COMMANDS];
    ngx_http_setter_op_send_pt       send;
    ngx_http_setter_op_done_pt       done;
    void                            *data;
    ngx_http_setter_redis_t         *redis;     /* NULL: not under way */
    unsigned                         spools:1;  /* has another place to go */
    unsigned                         asks:1;    /* if Redis is not there */
};


/* A partition's stream of jobs. */

typedef struct {
    ngx_http_setter_redis_t         *redis;
    ngx_str_t                        key;
    unsigned                         full:1;    /* longer than "inbox=" */
} ngx_http_setter_inbox_t;


struct ngx_http_setter_redis_s {
    ngx_http_setter_main_conf_t     *conf;
    ngx_connection_t                *connection;
    ngx_log_t                       *log;

    /* event ident must be after 3 pointers as in ngx_connection_t */
    ngx_int_t                        ident;

    /* settings */

    ngx_http_setter_spool_t         *spool;     /* NULL: there is none */
    ngx_addr_t                      *addrs;
    ngx_uint_t                       naddrs;
    ngx_str_t                        name;      /* as configured, no secret */
    const char                      *note;      /* behind that in logs */
    ngx_str_t                        host;
    ngx_str_t                        user;
    ngx_str_t                        password;
    ngx_str_t                        db;
    ngx_msec_t                       connect_timeout;
    ngx_msec_t                       timeout;
    ngx_msec_t                       backoff_range[2];
    ngx_int_t                        waiting;
    ngx_int_t                        max_inbox;
    ngx_http_setter_inbox_t         *inboxes;   /* to watch, one a partition;
                                                   NULL: none */
    ngx_msec_t                       block;     /* how long a reply may be
                                                   waited for by intent */
    void                           (*ready)(ngx_http_setter_redis_t *redis);
    void                            *data;      /* ready()'s */

    ngx_str_t                        ca;        /* files, or len 0 */
    ngx_str_t                        cert;
    ngx_str_t                        key;
    ngx_str_t                        tls_name;  /* the certificate's */
    ngx_ssl_t                       *ssl;       /* NULL: no TLS */
    unsigned                         tls:1;     /* "rediss://" */
    unsigned                         tls_address:1; /* tls_name is an IP's */

    /* state of this process */

    ngx_http_setter_redis_state_e    state;
    setter_resp_t                    resp;
    ngx_peer_connection_t            peer;
    ngx_uint_t                       addr;      /* the one tried next */
    ngx_msec_t                       backoff;

    ngx_queue_t                      ops;       /* by deadline */
    ngx_int_t                        nops;
    ngx_event_t                      deadline;  /* of the oldest operation */
    ngx_event_t                      reconnect;
    ngx_event_t                      tick;

    uint64_t                         run;       /* hash of its run id, or 0 */
    uint64_t                         now;       /* when replies came, us */
    ngx_msec_t                       heard;     /* last sign of life */
    ngx_uint_t                       nfull;     /* full inboxes */

    ngx_log_t                        quiet;     /* for connecting */
    char                             failure[128];   /* to close because of */
    char                             reported[128];  /* last one logged */

    ngx_log_t                        overhear;  /* while TLS is new */
    char                             overheard[128];

    unsigned                         initialized:1;
    unsigned                         busy:1;    /* since the last tick */
    unsigned                         refusing:1;
    unsigned                         diverting:1;
};


/* "setter_redis" */
char *ngx_http_setter_redis_conf(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* When the number of partitions is known. */
ngx_int_t ngx_http_setter_redis_inboxes(ngx_conf_t *cf,
    ngx_http_setter_redis_t *redis);

/*
 * Connects where that is not being done.  NGX_DECLINED when the next attempt
 * lies behind the deadline.
 */
ngx_int_t ngx_http_setter_redis_open(ngx_http_setter_redis_t *redis,
    ngx_msec_t deadline);
void ngx_http_setter_redis_close(ngx_http_setter_redis_t *redis);

/* There is no connection, and the next attempt has its time. */

static ngx_inline ngx_uint_t
ngx_http_setter_redis_away(ngx_http_setter_redis_t *redis)
{
    return redis->state == ngx_http_setter_redis_idle
           && redis->reconnect.timer_set;
}


/* In how many seconds it makes sense to ask again. */
ngx_uint_t ngx_http_setter_redis_retry_after(ngx_http_setter_redis_t *redis);

/* An error reply: logs the change, and reconnects where that helps. */
void ngx_http_setter_redis_refused(ngx_http_setter_redis_t *redis,
    redisReply *reply);
void ngx_http_setter_redis_accepted(ngx_http_setter_redis_t *redis);

/* Monotonic time in us. */
uint64_t ngx_http_setter_redis_now(void);


/*
 * NGX_OK: send() was called or will be, and done() will be.
 * NGX_DECLINED: Redis is away for longer than the operation may wait, or too
 * many are waiting; done() is not called.
 */
ngx_int_t ngx_http_setter_op_start(ngx_http_setter_redis_t *redis,
    ngx_http_setter_op_t *op);

/* For send() and done(): NGX_ERROR when the pipeline is full. */
ngx_int_t ngx_http_setter_op_command(ngx_http_setter_op_t *op, int argc,
    const char **argv, const size_t *argvlen);

/* Does nothing when it is finished already. */
void ngx_http_setter_op_finish(ngx_http_setter_op_t *op);

/* Ends all that may go into the spool, in order: unsent, or unknown. */
void ngx_http_setter_op_divert(ngx_http_setter_redis_t *redis);

/* The command that appends a job. */
#define NGX_HTTP_SETTER_XADD  7

void ngx_http_setter_redis_xadd(ngx_http_setter_inbox_t *inbox,
    setter_str_t header, setter_str_t envelope,
    const char *argv[NGX_HTTP_SETTER_XADD],
    size_t argvlen[NGX_HTTP_SETTER_XADD]);


/*
 * Between the files of the client: redis, connection, tls, handshake, op and
 * watch.
 */

void ngx_http_setter_redis_connect(ngx_http_setter_redis_t *redis);
void ngx_http_setter_redis_hang_up(ngx_http_setter_redis_t *redis);

/* When all parameters are known; NGX_ERROR is logged. */
ngx_int_t ngx_http_setter_tls_conf(ngx_conf_t *cf,
    ngx_http_setter_redis_t *redis);

/* On a connected socket: NGX_AGAIN, or NGX_ERROR with redis->failure. */
ngx_int_t ngx_http_setter_tls_handshake(ngx_http_setter_redis_t *redis);

/* Why the connection failed: what nginx said of TLS, else reason. */
const char *ngx_http_setter_tls_reason(ngx_http_setter_redis_t *redis,
    const char *reason);

/* Before the connection is closed; takes no time. */
void ngx_http_setter_tls_stop(ngx_connection_t *c);

/* The first commands on a connection, then ..._handshaken(). */
ngx_int_t ngx_http_setter_handshake(ngx_http_setter_redis_t *redis);
void ngx_http_setter_redis_handshaken(ngx_http_setter_redis_t *redis);

/* A command of the client's own, of argc strings; at most 5. */
ngx_int_t ngx_http_setter_redis_command(ngx_http_setter_redis_t *redis,
    setter_resp_handler_pt handler, void *data, int argc, ...);

/*
 * The same with an array, argvlen NULL for strings.  For a ready connection;
 * NGX_ERROR when the pipeline is full.
 */
ngx_int_t ngx_http_setter_redis_send(ngx_http_setter_redis_t *redis,
    setter_resp_handler_pt handler, void *data, int argc, const char **argv,
    const size_t *argvlen);

/* Closes the connection; reason NULL: nginx quits. */
void ngx_http_setter_redis_lost(ngx_http_setter_redis_t *redis,
    const char *reason);

/* Starts the ticks of a connection that is ready. */
void ngx_http_setter_redis_watch(ngx_http_setter_redis_t *redis);
void ngx_http_setter_redis_tick(ngx_event_t *ev);

/* Something was appended: it leaves at the end of this turn. */
void ngx_http_setter_redis_post(ngx_http_setter_redis_t *redis);

/* The connection is ready, or Redis may be written to: sends what waits. */
void ngx_http_setter_op_send_all(ngx_http_setter_redis_t *redis);

/* Fails what cannot wait until then. */
void ngx_http_setter_op_expire(ngx_http_setter_redis_t *redis,
    ngx_msec_t until);

void ngx_http_setter_op_deadline(ngx_event_t *ev);


#endif /* _NGX_HTTP_SETTER_REDIS_H_INCLUDED_ */
