#include "ngx_http_setter_take.h"
#include "ngx_http_setter_api.h"
#include "ngx_http_setter_reply.h"


#define NGX_HTTP_SETTER_NO_SOCKET  ((ngx_socket_t) -2)  /* not a free one's */


static ngx_http_setter_outcome_e ngx_http_setter_poll(ngx_http_request_t *r,
    ngx_http_setter_ctx_t *ctx);
static ngx_int_t ngx_http_setter_poll_wait(ngx_http_request_t *r,
    ngx_http_setter_poll_t *poll);
static ngx_http_setter_outcome_e ngx_http_setter_poll_start(
    ngx_http_setter_poll_t *poll);
static void ngx_http_setter_poll_cleanup(void *data);
static void ngx_http_setter_poll_timer(ngx_event_t *ev);
static ngx_int_t ngx_http_setter_poll_keep(ngx_http_setter_poll_t *poll,
    ngx_http_setter_turn_t *turn);
static ngx_int_t ngx_http_setter_poll_write(ngx_http_setter_poll_t *poll,
    ngx_http_setter_turn_t *turn, setter_buf_t *buf);
static ngx_int_t ngx_http_setter_poll_job(ngx_http_setter_poll_t *poll,
    redisReply *element, setter_str_t *id, setter_str_t *payload);
static ngx_int_t ngx_http_setter_poll_send(ngx_http_request_t *r,
    setter_buf_t *buf);
static ngx_int_t ngx_http_setter_poll_watch(ngx_http_setter_polls_t *polls);
static void ngx_http_setter_poll_unwatch(ngx_http_setter_polls_t *polls);
static void ngx_http_setter_poll_quit(ngx_event_t *ev);


ngx_int_t
ngx_http_setter_next_job(ngx_http_request_t *r)
{
    return ngx_http_setter_outside(r, ngx_http_setter_poll);
}


static ngx_http_setter_outcome_e
ngx_http_setter_poll(ngx_http_request_t *r, ngx_http_setter_ctx_t *ctx)
{
    ngx_http_cleanup_t          *cln;
    ngx_http_setter_poll_t      *poll;
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    cln = ngx_http_cleanup_add(r, sizeof(ngx_http_setter_poll_t));
    if (cln == NULL) {
        return ngx_http_setter_failed;
    }

    poll = cln->data;
    ngx_memzero(poll, sizeof(ngx_http_setter_poll_t));

    cln->handler = ngx_http_setter_poll_cleanup;

    poll->request = r;
    poll->ctx = ctx;
    poll->conf = slcf->api_conf;

    if (ngx_http_setter_poll_wait(r, poll) != NGX_OK) {
        ngx_http_setter_error(ctx, "wait", SETTER_FIELD_BAD_TYPE);
        return ngx_http_setter_fields;
    }

    ngx_log_debug1(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "setter poll, wait:%M", poll->wait);

    return ngx_http_setter_poll_start(poll);
}


/* "?wait=", in seconds: as long as that, but not longer than is allowed */

static ngx_int_t
ngx_http_setter_poll_wait(ngx_http_request_t *r,
    ngx_http_setter_poll_t *poll)
{
    ngx_int_t  n;
    ngx_str_t  value;

    if (ngx_http_arg(r, (u_char *) "wait", 4, &value) != NGX_OK) {
        return NGX_OK;
    }

    n = ngx_atoi(value.data, value.len);

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    poll->wait = poll->conf->wait;

    if ((ngx_msec_t) n < poll->wait / 1000) {
        poll->wait = n * 1000;
    }

    /* a process that leaves waits for nothing */

    if (ngx_exiting) {
        poll->wait = 0;
    }

    return NGX_OK;
}


static ngx_http_setter_outcome_e
ngx_http_setter_poll_start(ngx_http_setter_poll_t *poll)
{
    ngx_int_t                     rc;
    ngx_http_request_t           *r;
    ngx_http_setter_main_conf_t  *smcf;

    r = poll->request;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_setter_module);

    if (ngx_http_setter_poll_watch(smcf->polls) != NGX_OK) {
        return ngx_http_setter_failed;
    }

    rc = ngx_http_setter_take_wait(smcf->polls, poll, &poll->ctx->tenant);

    if (rc != NGX_OK) {
        ngx_http_setter_poll_unwatch(smcf->polls);

        return (rc == NGX_DECLINED) ? ngx_http_setter_unavailable
                                    : ngx_http_setter_failed;
    }

    if (poll->wait) {
        poll->timer.handler = ngx_http_setter_poll_timer;
        poll->timer.data = poll;
        poll->timer.log = r->connection->log;

        ngx_add_timer(&poll->timer, poll->wait);
    }

    ngx_http_setter_outside_watch(r);

    return ngx_http_setter_undecided;
}


/* A turn whose answer did not get out is not the caller's. */

static void
ngx_http_setter_poll_cleanup(void *data)
{
    ngx_http_setter_poll_t *poll = data;

    ngx_connection_t             *c;
    ngx_http_setter_main_conf_t  *smcf;

    c = poll->request->connection;

    smcf = ngx_http_get_module_main_conf(poll->request,
                                         ngx_http_setter_module);

    if (poll->timer.timer_set) {
        ngx_del_timer(&poll->timer);
    }

    ngx_http_setter_take_leave(poll);
    ngx_http_setter_poll_unwatch(smcf->polls);

    if (poll->turn.lane.len && (c->error || c->timedout)) {
        ngx_http_setter_take_back(smcf, &poll->turn);
    }
}


static void
ngx_http_setter_poll_timer(ngx_event_t *ev)
{
    ngx_http_setter_poll_end(ev->data, ngx_http_setter_undecided);
}


void
ngx_http_setter_poll_end(ngx_http_setter_poll_t *poll,
    ngx_http_setter_outcome_e outcome)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = poll->request;

    ngx_http_setter_take_leave(poll);

    rc = (outcome == ngx_http_setter_undecided)
             ? NGX_HTTP_NO_CONTENT
             : ngx_http_setter_reply(r, poll->ctx, outcome);

    ngx_http_setter_outside_finalize(r, rc);
}


ngx_int_t
ngx_http_setter_poll_turn(ngx_http_setter_poll_t *poll,
    ngx_http_setter_turn_t *turn)
{
    setter_buf_t         buf;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = poll->request;
    c = r->connection;

    ngx_http_setter_take_leave(poll);

    /* the last moment to see that the caller has gone */

    ngx_http_test_reading(r);

    if (c->error) {
        ngx_http_run_posted_requests(c);
        return NGX_DECLINED;
    }

    if (ngx_http_setter_poll_keep(poll, turn) != NGX_OK
        || ngx_http_setter_poll_write(poll, turn, &buf) != NGX_OK)
    {
        poll->turn.lane.len = 0;
        ngx_http_setter_outside_finalize(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return NGX_DECLINED;
    }

    ngx_http_setter_outside_finalize(r, ngx_http_setter_poll_send(r, &buf));

    return NGX_OK;
}


/* What names the turn, should it have to be given back. */

static ngx_int_t
ngx_http_setter_poll_keep(ngx_http_setter_poll_t *poll,
    ngx_http_setter_turn_t *turn)
{
    ngx_pool_t  *pool;

    pool = poll->request->pool;

    poll->turn.partition = turn->partition;
    poll->turn.lane.len = turn->lane.len;
    poll->turn.lane.data = ngx_pstrdup(pool, &turn->lane);
    poll->turn.token.len = turn->token.len;
    poll->turn.token.data = ngx_pstrdup(pool, &turn->token);

    return (poll->turn.lane.data && poll->turn.token.data) ? NGX_OK
                                                           : NGX_ERROR;
}


/* The first job stands for the turn, for callers who want no more of it. */

static ngx_int_t
ngx_http_setter_poll_write(ngx_http_setter_poll_t *poll,
    ngx_http_setter_turn_t *turn, setter_buf_t *buf)
{
    size_t         i;
    setter_buf_t   jobs;
    setter_str_t   id, payload;

    ngx_http_setter_api_buf(poll->request, &poll->ctx->alloc, buf);
    setter_buf_init(&jobs, &poll->ctx->alloc, 1024);

    for (i = 0; i < turn->njobs; i++) {

        if (ngx_http_setter_poll_job(poll, turn->jobs[i], &id, &payload)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        if (i == 0) {
            setter_buf_byte(buf, '{');
            setter_json_member(buf, "job_id", id);
            setter_json_name(buf, "payload");
            setter_buf_append(buf, payload.data, payload.len);

        } else {
            setter_buf_byte(&jobs, ',');
        }

        setter_buf_byte(&jobs, '{');
        setter_json_member(&jobs, "id", id);
        setter_json_name(&jobs, "payload");
        setter_buf_append(&jobs, payload.data, payload.len);
        setter_buf_byte(&jobs, '}');
    }

    setter_buf_text(buf, ",\"status\":\"processing\"");
    setter_json_member(buf, "token", ngx_http_setter_text(&turn->token));
    setter_json_name(buf, "lease_ms");
    setter_buf_number(buf, poll->conf->lease);
    setter_json_member(buf, "lane", ngx_http_setter_text(&turn->lane));
    setter_json_name(buf, "jobs");
    setter_buf_byte(buf, '[');
    setter_buf_append(buf, jobs.data, jobs.len);
    setter_buf_text(buf, "]}");

    return (buf->failed || jobs.failed || turn->njobs == 0) ? NGX_ERROR
                                                            : NGX_OK;
}


/*
 * "<header>\n<envelope>".  Whoever appends to the inbox may append an
 * envelope that is no JSON: it is passed on as a string then.
 */

static ngx_int_t
ngx_http_setter_poll_job(ngx_http_setter_poll_t *poll, redisReply *element,
    setter_str_t *id, setter_str_t *payload)
{
    u_char               *p, *last;
    ngx_str_t             text;
    setter_buf_t          buf;
    setter_str_t          line;
    setter_alloc_t       *alloc;
    setter_job_header_t   header;

    alloc = &poll->ctx->alloc;

    last = (u_char *) element->str + element->len;
    p = ngx_strlchr((u_char *) element->str, last, '\n');

    if (p == NULL) {
        return NGX_ERROR;
    }

    line.data = element->str;
    line.len = (char *) p - element->str;

    if (setter_job_header_read(&header, line) != SETTER_OK) {
        return NGX_ERROR;
    }

    *id = header.id;

    text.data = p + 1;
    text.len = last - text.data;
    *payload = ngx_http_setter_text(&text);

    if (setter_json_read(payload->data, payload->len, 0, NULL, 0, NULL, NULL,
                         alloc)
        == SETTER_JSON_OK)
    {
        return NGX_OK;
    }

    if (ngx_http_setter_utf8(poll->request->pool, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    setter_buf_init(&buf, alloc, text.len + 2);
    setter_json_string(&buf, (char *) text.data, text.len);

    payload->data = buf.data;
    payload->len = buf.len;

    return buf.failed ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_http_setter_poll_send(ngx_http_request_t *r, setter_buf_t *buf)
{
    static ngx_str_t  no_store = ngx_string("no-store");

    if (ngx_http_setter_add_header(r, "Cache-Control", &no_store) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_setter_api_send(r, NGX_HTTP_OK, "application/json", buf);
}


/*
 * nginx does not tell its modules that it quits, but it closes idle
 * connections then: one of no socket stands among them while polls wait.
 */

static ngx_int_t
ngx_http_setter_poll_watch(ngx_http_setter_polls_t *polls)
{
    ngx_connection_t  *c, *saved;

    if (polls->quit) {
        return NGX_OK;
    }

    /* event methods that keep connections by descriptor keep it by none */

    saved = ngx_cycle->files ? ngx_cycle->files[0] : NULL;

    c = ngx_get_connection(0, ngx_cycle->log);

    if (ngx_cycle->files) {
        ngx_cycle->files[0] = saved;
    }

    if (c == NULL) {
        return NGX_ERROR;
    }

    c->fd = NGX_HTTP_SETTER_NO_SOCKET;
    c->idle = 1;
    c->data = polls;
    c->read->handler = ngx_http_setter_poll_quit;
    c->read->log = ngx_cycle->log;

    polls->quit = c;

    return NGX_OK;
}


static void
ngx_http_setter_poll_unwatch(ngx_http_setter_polls_t *polls)
{
    ngx_connection_t  *c, *saved;

    c = polls->quit;

    if (c == NULL || !ngx_queue_empty(&polls->all)) {
        return;
    }

    polls->quit = NULL;

    saved = ngx_cycle->files ? ngx_cycle->files[0] : NULL;

    c->fd = 0;
    ngx_free_connection(c);
    c->fd = (ngx_socket_t) -1;

    if (ngx_cycle->files) {
        ngx_cycle->files[0] = saved;
    }
}


static void
ngx_http_setter_poll_quit(ngx_event_t *ev)
{
    ngx_queue_t              *q;
    ngx_connection_t         *c;
    ngx_http_setter_polls_t  *polls;

    c = ev->data;
    polls = c->data;

    while (!ngx_queue_empty(&polls->all)) {
        q = ngx_queue_head(&polls->all);

        ngx_http_setter_poll_end(ngx_queue_data(q, ngx_http_setter_poll_t,
                                                all),
                                 ngx_http_setter_undecided);
    }

    ngx_http_setter_poll_unwatch(polls);
}
