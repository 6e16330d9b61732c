#include "ngx_http_setter_take.h"


/*
 * ms until the queue is asked again though nothing rang: when it has named a
 * time, but not at once, and in any case
 */
#define NGX_HTTP_SETTER_TAKE_MIN   50
#define NGX_HTTP_SETTER_TAKE_MAX   5000


struct ngx_http_setter_taker_s {
    ngx_str_node_t                node;     /* by its tenant */
    ngx_queue_t                   queue;    /* in its partition */
    ngx_queue_t                   polls;    /* oldest first */
    ngx_http_setter_op_t          op;       /* the call under way */
    ngx_http_setter_main_conf_t  *conf;
    ngx_uint_t                    partition;
    unsigned                      again:1;  /* call once more */
    unsigned                      busy:1;   /* not to be freed now */
    u_char                        tenant[SETTER_SLUG_MAX];
};


static ngx_http_setter_taker_t *ngx_http_setter_taker(
    ngx_http_setter_polls_t *polls, ngx_str_t *tenant);
static ngx_http_setter_taker_t *ngx_http_setter_taker_find(
    ngx_http_setter_polls_t *polls, ngx_str_t *tenant);
static void ngx_http_setter_taker_rest(ngx_http_setter_taker_t *taker);
static void ngx_http_setter_taker_fail(ngx_http_setter_taker_t *taker,
    ngx_http_setter_outcome_e outcome);
static ngx_int_t ngx_http_setter_taker_call(ngx_http_setter_taker_t *taker);
static void ngx_http_setter_taker_wake(ngx_http_setter_taker_t *taker);
static ngx_int_t ngx_http_setter_take_send(ngx_http_setter_op_t *op);
static void ngx_http_setter_take_done(ngx_http_setter_op_t *op,
    ngx_http_setter_op_result_e result, redisReply *reply);
static ngx_http_setter_outcome_e ngx_http_setter_take_reply(
    ngx_http_setter_taker_t *taker, redisReply *reply);
static void ngx_http_setter_take_none(ngx_http_setter_taker_t *taker);
static void ngx_http_setter_take_hand(ngx_http_setter_taker_t *taker,
    redisReply *reply);
static void ngx_http_setter_take_next(ngx_http_setter_taker_t *taker,
    int64_t next);
static void ngx_http_setter_take_inbox(ngx_http_setter_main_conf_t *smcf,
    ngx_uint_t partition, redisReply *fields);
static void ngx_http_setter_take_outside(ngx_http_setter_main_conf_t *smcf,
    ngx_uint_t partition, redisReply *fields);
static void ngx_http_setter_take_look(ngx_event_t *ev);


ngx_int_t
ngx_http_setter_take_conf(ngx_conf_t *cf, ngx_http_setter_main_conf_t *smcf)
{
    ngx_uint_t                 n;
    ngx_http_setter_polls_t   *polls;
    ngx_http_setter_takers_t  *takers;

    polls = ngx_pcalloc(cf->pool, sizeof(ngx_http_setter_polls_t));
    if (polls == NULL) {
        return NGX_ERROR;
    }

    takers = ngx_pcalloc(cf->pool,
                         smcf->partitions * sizeof(ngx_http_setter_takers_t));
    if (takers == NULL) {
        return NGX_ERROR;
    }

    ngx_rbtree_init(&polls->tree, &polls->sentinel,
                    ngx_str_rbtree_insert_value);
    ngx_queue_init(&polls->all);

    polls->takers = takers;
    smcf->polls = polls;

    for (n = 0; n < smcf->partitions; n++) {
        takers[n].conf = smcf;
        ngx_queue_init(&takers[n].takers);

        takers[n].next.handler = ngx_http_setter_take_look;
        takers[n].next.data = &takers[n];
        takers[n].next.log = &cf->cycle->new_log;
        takers[n].next.cancelable = 1;

        if (ngx_http_setter_bell_add(cf, smcf->bell, n, "inbox",
                                     ngx_http_setter_take_inbox) == NULL
            || ngx_http_setter_bell_add(cf, smcf->bell, n, "outside",
                                        ngx_http_setter_take_outside) == NULL)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_setter_take_wait(ngx_http_setter_polls_t *polls,
    ngx_http_setter_poll_t *poll, ngx_str_t *tenant)
{
    ngx_http_setter_taker_t  *taker;

    taker = ngx_http_setter_taker(polls, tenant);
    if (taker == NULL) {
        return NGX_ERROR;
    }

    poll->taker = taker;
    poll->early = (taker->op.redis != NULL);

    ngx_queue_insert_tail(&taker->polls, &poll->queue);
    ngx_queue_insert_tail(&polls->all, &poll->all);

    ngx_http_setter_bell_wait(taker->conf->bell);

    if (ngx_http_setter_taker_call(taker) != NGX_OK) {
        ngx_http_setter_take_leave(poll);
        return NGX_DECLINED;
    }

    return NGX_OK;
}


void
ngx_http_setter_take_leave(ngx_http_setter_poll_t *poll)
{
    ngx_http_setter_taker_t  *taker;

    taker = poll->taker;

    if (taker == NULL) {
        return;
    }

    poll->taker = NULL;

    ngx_queue_remove(&poll->queue);
    ngx_queue_remove(&poll->all);

    ngx_http_setter_bell_leave(taker->conf->bell);

    ngx_http_setter_taker_rest(taker);
}


static ngx_http_setter_taker_t *
ngx_http_setter_taker(ngx_http_setter_polls_t *polls, ngx_str_t *tenant)
{
    ngx_uint_t                 n;
    ngx_http_setter_taker_t   *taker;
    ngx_http_setter_takers_t  *takers;

    taker = ngx_http_setter_taker_find(polls, tenant);

    if (taker != NULL) {
        return taker;
    }

    taker = ngx_calloc(sizeof(ngx_http_setter_taker_t), ngx_cycle->log);
    if (taker == NULL) {
        return NULL;
    }

    n = setter_partition(ngx_http_setter_text(tenant),
                         polls->takers[0].conf->partitions);
    takers = &polls->takers[n];

    taker->conf = takers->conf;
    taker->partition = n;
    taker->op.send = ngx_http_setter_take_send;
    taker->op.done = ngx_http_setter_take_done;
    taker->op.data = taker;

    ngx_memcpy(taker->tenant, tenant->data, tenant->len);

    taker->node.str.data = taker->tenant;
    taker->node.str.len = tenant->len;
    taker->node.node.key = ngx_crc32_long(tenant->data, tenant->len);

    ngx_queue_init(&taker->polls);
    ngx_queue_insert_tail(&takers->takers, &taker->queue);
    ngx_rbtree_insert(&polls->tree, &taker->node.node);

    return taker;
}


static ngx_http_setter_taker_t *
ngx_http_setter_taker_find(ngx_http_setter_polls_t *polls, ngx_str_t *tenant)
{
    return (ngx_http_setter_taker_t *)
               ngx_str_rbtree_lookup(&polls->tree, tenant,
                                     ngx_crc32_long(tenant->data,
                                                    tenant->len));
}


/* Frees a taker for whom nobody waits, when its call has ended. */

static void
ngx_http_setter_taker_rest(ngx_http_setter_taker_t *taker)
{
    ngx_http_setter_polls_t   *polls;
    ngx_http_setter_takers_t  *takers;

    if (taker->busy || taker->op.redis || !ngx_queue_empty(&taker->polls)) {
        return;
    }

    polls = taker->conf->polls;
    takers = &polls->takers[taker->partition];

    ngx_rbtree_delete(&polls->tree, &taker->node.node);
    ngx_queue_remove(&taker->queue);
    ngx_free(taker);

    if (ngx_queue_empty(&takers->takers) && takers->next.timer_set) {
        ngx_del_timer(&takers->next);
    }
}


/* Ends all polls of the tenant. */

static void
ngx_http_setter_taker_fail(ngx_http_setter_taker_t *taker,
    ngx_http_setter_outcome_e outcome)
{
    ngx_queue_t  *q;

    taker->busy = 1;

    while (!ngx_queue_empty(&taker->polls)) {
        q = ngx_queue_head(&taker->polls);

        ngx_http_setter_poll_end(ngx_queue_data(q, ngx_http_setter_poll_t,
                                                queue),
                                 outcome);
    }

    taker->busy = 0;

    ngx_http_setter_taker_rest(taker);
}


/* NGX_DECLINED: Redis is away. */

static ngx_int_t
ngx_http_setter_taker_call(ngx_http_setter_taker_t *taker)
{
    if (taker->op.redis) {
        taker->again = 1;
        return NGX_OK;
    }

    taker->again = 0;

    return ngx_http_setter_op_start(taker->conf->redis, &taker->op);
}


/* There may be something for the tenant. */

static void
ngx_http_setter_taker_wake(ngx_http_setter_taker_t *taker)
{
    if (ngx_http_setter_taker_call(taker) != NGX_OK) {
        ngx_http_setter_taker_fail(taker, ngx_http_setter_unavailable);
    }
}


/* The oldest poll says how much it wants, and for how long. */

static ngx_int_t
ngx_http_setter_take_send(ngx_http_setter_op_t *op)
{
    u_char                       lease[NGX_INT_T_LEN], jobs[NGX_INT_T_LEN],
                                 failures[NGX_INT_T_LEN],
                                 bytes[NGX_INT_T_LEN],
                                 crashes[NGX_INT_T_LEN],
                                 tenant[SETTER_SLUG_MAX + 1];
    const char                  *argv[11];
    ngx_http_setter_poll_t      *poll;
    ngx_http_setter_taker_t     *taker;
    ngx_http_setter_outside_t   *conf;

    taker = op->data;

    if (ngx_queue_empty(&taker->polls)) {

        /* all have left while there was no connection */

        return NGX_ERROR;
    }

    poll = ngx_queue_data(ngx_queue_head(&taker->polls),
                          ngx_http_setter_poll_t, queue);
    conf = poll->conf;

    (void) ngx_sprintf(tenant, "%V%Z", &taker->node.str);
    (void) ngx_sprintf(lease, "%M%Z", conf->lease);
    (void) ngx_sprintf(jobs, "%i%Z", conf->jobs);
    (void) ngx_sprintf(bytes, "%d%Z", NGX_HTTP_SETTER_TURN_BYTES);
    (void) ngx_sprintf(failures, "%i%Z", conf->failures);
    (void) ngx_sprintf(crashes, "%d%Z", NGX_HTTP_SETTER_CRASHES);

    argv[0] = "FCALL";
    argv[1] = "setter_take";
    argv[2] = "1";
    argv[3] = (char *) op->redis->inboxes[taker->partition].key.data;
    argv[4] = (char *) tenant;
    argv[5] = "outside";
    argv[6] = (char *) lease;
    argv[7] = (char *) jobs;
    argv[8] = (char *) bytes;
    argv[9] = (char *) failures;
    argv[10] = (char *) crashes;

    return ngx_http_setter_op_command(op, 11, argv, NULL);
}


static void
ngx_http_setter_take_done(ngx_http_setter_op_t *op,
    ngx_http_setter_op_result_e result, redisReply *reply)
{
    ngx_http_setter_taker_t    *taker;
    ngx_http_setter_outcome_e   outcome;

    taker = op->data;
    outcome = ngx_http_setter_unavailable;

    if (result == ngx_http_setter_op_replied) {
        outcome = ngx_http_setter_take_reply(taker, reply);
        ngx_http_setter_op_finish(op);
    }

    if (outcome != ngx_http_setter_undecided) {
        ngx_http_setter_taker_fail(taker, outcome);
        return;
    }

    if (taker->again && !ngx_queue_empty(&taker->polls)) {
        ngx_http_setter_taker_wake(taker);
        return;
    }

    ngx_http_setter_taker_rest(taker);
}


/* now, next, last id, entries rejected, turns */

static ngx_http_setter_outcome_e
ngx_http_setter_take_reply(ngx_http_setter_taker_t *taker, redisReply *reply)
{
    redisReply  **e;

    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 5) {
        return ngx_http_setter_outside_refused(taker->conf->redis, reply);
    }

    e = reply->element;

    if (e[3]->integer > 0) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "setter: %L jobs were set aside: their header cannot "
                      "be read", (int64_t) e[3]->integer);
    }

    ngx_http_setter_take_next(taker, e[1]->integer);

    if (e[4]->elements == 0) {
        ngx_http_setter_take_none(taker);

    } else {
        ngx_http_setter_take_hand(taker, e[4]->element[0]);
        taker->again = 1;
    }

    return ngx_http_setter_undecided;
}


/* Who came while the call was under way is not in its answer. */

static void
ngx_http_setter_take_none(ngx_http_setter_taker_t *taker)
{
    ngx_queue_t             *q, *next;
    ngx_http_setter_poll_t  *poll;

    for (q = ngx_queue_head(&taker->polls);
         q != ngx_queue_sentinel(&taker->polls);
         q = next)
    {
        next = ngx_queue_next(q);
        poll = ngx_queue_data(q, ngx_http_setter_poll_t, queue);

        if (poll->early) {
            poll->early = 0;

        } else if (poll->wait == 0) {
            ngx_http_setter_poll_end(poll, ngx_http_setter_undecided);
        }
    }
}


/* lane, token, failures, crashes, dead, reason, and the jobs */

static void
ngx_http_setter_take_hand(ngx_http_setter_taker_t *taker, redisReply *reply)
{
    redisReply              **e;
    ngx_queue_t              *q;
    ngx_http_setter_turn_t    turn;

    e = reply->element;

    turn.partition = taker->partition;
    turn.lane.data = (u_char *) e[0]->str;
    turn.lane.len = e[0]->len;
    turn.token.data = (u_char *) e[1]->str;
    turn.token.len = e[1]->len;
    turn.jobs = e + 6;
    turn.njobs = reply->elements - 6;

    while (!ngx_queue_empty(&taker->polls)) {
        q = ngx_queue_head(&taker->polls);

        if (ngx_http_setter_poll_turn(ngx_queue_data(q,
                                                     ngx_http_setter_poll_t,
                                                     queue),
                                      &turn)
            == NGX_OK)
        {
            return;
        }
    }

    ngx_http_setter_take_back(taker->conf, &turn);
}


/* The queue has named the time when something becomes claimable. */

static void
ngx_http_setter_take_next(ngx_http_setter_taker_t *taker, int64_t next)
{
    ngx_msec_t                 ms;
    ngx_http_setter_takers_t  *takers;

    ms = NGX_HTTP_SETTER_TAKE_MAX;

    if (next >= 0 && next < NGX_HTTP_SETTER_TAKE_MAX) {
        ms = ngx_max(next, NGX_HTTP_SETTER_TAKE_MIN);
    }

    takers = &taker->conf->polls->takers[taker->partition];

    ngx_add_timer(&takers->next, ms);
}


/* Something was appended: one call sorts it, whosever it is. */

static void
ngx_http_setter_take_inbox(ngx_http_setter_main_conf_t *smcf,
    ngx_uint_t partition, redisReply *fields)
{
    ngx_queue_t  *takers;

    takers = &smcf->polls->takers[partition].takers;

    if (!ngx_queue_empty(takers)) {
        ngx_http_setter_taker_wake(ngx_queue_data(ngx_queue_head(takers),
                                                  ngx_http_setter_taker_t,
                                                  queue));
    }
}


/* A lane of the tenant may be taken. */

static void
ngx_http_setter_take_outside(ngx_http_setter_main_conf_t *smcf,
    ngx_uint_t partition, redisReply *fields)
{
    ngx_str_t                 tenant;
    ngx_http_setter_taker_t  *taker;

    if (fields->elements != 2) {
        return;
    }

    tenant.data = (u_char *) fields->element[1]->str;
    tenant.len = fields->element[1]->len;

    taker = ngx_http_setter_taker_find(smcf->polls, &tenant);

    if (taker != NULL) {
        ngx_http_setter_taker_wake(taker);
    }
}


static void
ngx_http_setter_take_look(ngx_event_t *ev)
{
    ngx_http_setter_takers_t *takers = ev->data;

    ngx_http_setter_take_inbox(takers->conf,
                               takers - takers->conf->polls->takers, NULL);
}
