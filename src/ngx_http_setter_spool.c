#include "ngx_http_setter_module.h"

#if (NGX_THREADS)
#include <ngx_thread_pool.h>
#endif


/* ms between looks at what the other processes did: at rest, and not */
#define NGX_HTTP_SETTER_SPOOL_REST    1000
#define NGX_HTTP_SETTER_SPOOL_WATCH   100
#define NGX_HTTP_SETTER_SPOOL_KICK    2

/* ms between looks for files that processes left behind */
#define NGX_HTTP_SETTER_SPOOL_LOOK    10000

/* ms for which a failure says that there will be more */
#define NGX_HTTP_SETTER_SPOOL_OUT     10000


static ngx_int_t ngx_http_setter_spool_folder(ngx_conf_t *cf,
    ngx_http_setter_spool_t *spool, ngx_str_t *name);
static ngx_int_t ngx_http_setter_spool_moved(
    ngx_http_setter_main_conf_t *smcf,
    ngx_http_setter_spool_shared_t *shared, ngx_log_t *log);
static ngx_int_t ngx_http_setter_spool_found(
    ngx_http_setter_spool_t *spool, ngx_uint_t *files, ngx_log_t *log);
static void ngx_http_setter_spool_watch(ngx_event_t *ev);
static void ngx_http_setter_spool_kick(ngx_event_t *ev);


char *
ngx_http_setter_spool_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_setter_main_conf_t *smcf = conf;

    ngx_str_t                *value, size;
    ngx_http_setter_spool_t  *spool;

    if (smcf->spool != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        smcf->spool = NULL;
        return NGX_CONF_OK;
    }

    spool = ngx_pcalloc(cf->pool, sizeof(ngx_http_setter_spool_t));
    if (spool == NULL) {
        return NGX_CONF_ERROR;
    }

    spool->conf = smcf;
    spool->ident = -1;
    spool->max = 1024 * 1024 * 1024;

    if (cf->args->nelts == 3) {
        size.data = value[2].data + 4;
        size.len = value[2].len - 4;

        if (ngx_strncmp(value[2].data, "max=", 4) != 0
            || (spool->max = ngx_parse_offset(&size)) <= 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[2]);
            return NGX_CONF_ERROR;
        }
    }

#if (NGX_THREADS && NGX_PTR_SIZE == 8)

    spool->threads = ngx_thread_pool_add(cf, NULL);

    if (spool->threads == NULL
        || ngx_http_setter_spool_folder(cf, spool, &value[1]) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    smcf->spool = spool;

    return NGX_CONF_OK;

#else
    return "needs a 64-bit nginx built --with-threads";
#endif
}


/* nginx makes the folder before it starts, for the user of its workers. */

static ngx_int_t
ngx_http_setter_spool_folder(ngx_conf_t *cf, ngx_http_setter_spool_t *spool,
    ngx_str_t *name)
{
    ngx_path_t  *path;

    path = ngx_pcalloc(cf->pool, sizeof(ngx_path_t));
    if (path == NULL) {
        return NGX_ERROR;
    }

    path->name = *name;

    while (path->name.len > 1
           && path->name.data[path->name.len - 1] == '/')
    {
        path->name.len--;
        path->name.data[path->name.len] = '\0';
    }

    if (ngx_conf_full_name(cf->cycle, &path->name, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    if (path->name.len + 1 + NGX_HTTP_SETTER_SPOOL_NAME
        > NGX_HTTP_SETTER_SPOOL_PATH)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "the path of \"setter_spool\" is too long");
        return NGX_ERROR;
    }

    path->conf_file = cf->conf_file->file.name.data;
    path->line = cf->conf_file->line;

    spool->path = path->name;

    return ngx_add_path(cf, &path);
}


ngx_int_t
ngx_http_setter_spool_init_zone(ngx_http_setter_main_conf_t *smcf,
    ngx_http_setter_spool_shared_t *shared, ngx_uint_t fresh, ngx_log_t *log)
{
    ngx_uint_t                files;
    ngx_http_setter_spool_t  *spool;

    spool = smcf->spool;

    if (!fresh && ngx_http_setter_spool_moved(smcf, shared, log) != NGX_OK) {
        return NGX_ERROR;
    }

    if (spool == NULL) {
        shared->path[0] = '\0';
        return NGX_OK;
    }

    spool->shared = shared;

    if (ngx_http_setter_spool_found(spool, &files, log) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_strcmp(shared->path, spool->path.data) == 0) {
        return NGX_OK;
    }

    (void) ngx_cpystrn(shared->path, spool->path.data,
                       NGX_HTTP_SETTER_SPOOL_PATH);

    /* it is found out later what there is to replay */

    if (files) {
        (void) ngx_atomic_fetch_add(&shared->undrained, 1);
    }

    return NGX_OK;
}


/* Jobs must not stay behind in a folder that no configuration names. */

static ngx_int_t
ngx_http_setter_spool_moved(ngx_http_setter_main_conf_t *smcf,
    ngx_http_setter_spool_shared_t *shared, ngx_log_t *log)
{
    if (shared->undrained == 0
        || (smcf->spool
            && ngx_strcmp(shared->path, smcf->spool->path.data) == 0))
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, log, 0,
                  "\"setter_spool\" must stay \"%s\" while there are jobs "
                  "in it", shared->path);

    return NGX_ERROR;
}


/* What an earlier nginx has left in the folder, perhaps as another user. */

static ngx_int_t
ngx_http_setter_spool_found(ngx_http_setter_spool_t *spool,
    ngx_uint_t *files, ngx_log_t *log)
{
    u_char           *name;
    ngx_dir_t         dir;
    ngx_file_info_t   folder;

    *files = 0;

    if (ngx_file_info(spool->path.data, &folder) == NGX_FILE_ERROR
        || ngx_open_dir(&spool->path, &dir) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "\"setter_spool\" cannot read \"%V\"", &spool->path);
        return NGX_ERROR;
    }

    while (ngx_read_dir(&dir) == NGX_OK) {
        name = ngx_http_setter_spool_name(spool, ngx_de_name(&dir));

        if (ngx_de_name(&dir)[0] == '.'
            || ngx_de_link_info(name, &dir) == NGX_FILE_ERROR)
        {
            continue;
        }

        if (geteuid() == 0
            && dir.info.st_uid != folder.st_uid
            && lchown((char *) name, folder.st_uid, -1) == -1)
        {
            ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                          "lchown() \"%s\" failed", name);
        }

        if (ngx_http_setter_spool_kind(ngx_de_name(&dir))) {
            *files += 1;
        }
    }

    (void) ngx_close_dir(&dir);

    if (folder.st_mode & 077) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "\"%V\" is open to other users: \"setter_spool\" "
                      "needs a folder of mode 0700", &spool->path);
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_setter_spool_init(ngx_cycle_t *cycle,
    ngx_http_setter_spool_t *spool)
{
    if (ngx_notify == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "\"setter_spool\" needs a method of events that threads "
                      "can notify, as epoll");
        return NGX_ERROR;
    }

    spool->log = cycle->log;
    spool->looked = ngx_current_msec;
    spool->dir = -1;

    if (ngx_http_setter_commit_init(cycle, spool) != NGX_OK
        || ngx_http_setter_replay_init(cycle, spool) != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_setter_keep_init(spool);

    spool->watch.handler = ngx_http_setter_spool_watch;
    spool->watch.data = spool;
    spool->watch.log = spool->log;
    spool->watch.cancelable = 1;

    spool->kick.handler = ngx_http_setter_spool_kick;
    spool->kick.data = spool;
    spool->kick.log = spool->log;
    spool->kick.cancelable = 1;

    ngx_add_timer(&spool->watch, NGX_HTTP_SETTER_SPOOL_WATCH);

    return NGX_OK;
}


/* Nothing runs any more, and the files stay for those that go on. */

void
ngx_http_setter_spool_exit(ngx_http_setter_spool_t *spool)
{
    if (spool->watch.handler == NULL) {
        return;
    }

    ngx_http_setter_replay_stop(spool);
    ngx_http_setter_keep_end(spool);
    ngx_http_setter_commit_retire(spool);
}


uint64_t
ngx_http_setter_spool_order(ngx_http_setter_spool_t *spool)
{
    ngx_time_t         *tp;
    ngx_atomic_uint_t   last, next;

    tp = ngx_timeofday();

    do {
        last = spool->shared->order;
        next = (ngx_atomic_uint_t) tp->sec * 1000000 + tp->msec * 1000;

        if (next <= last) {
            next = last + 1;
        }

    } while (!ngx_atomic_cmp_set(&spool->shared->order, last, next));

    return next;
}


ngx_http_setter_spool_mode_e
ngx_http_setter_spool_mode(ngx_http_setter_spool_t *spool)
{
    ngx_msec_int_t  left;

    /* a job of ours that is not durable yet has not been counted */

    if (spool->shared->undrained == 0 && spool->uncommitted == 0) {
        return ngx_http_setter_spool_direct;
    }

    left = (ngx_msec_int_t) (spool->shared->hold - ngx_current_msec);

    return (left > 0) ? ngx_http_setter_spool_hold
                      : ngx_http_setter_spool_divert;
}


ngx_uint_t
ngx_http_setter_spool_out(ngx_http_setter_spool_t *spool)
{
    ngx_msec_t  failed;

    failed = spool->shared->failed;

    return failed && ngx_current_msec - failed < NGX_HTTP_SETTER_SPOOL_OUT;
}


void
ngx_http_setter_spool_held(ngx_http_setter_spool_t *spool)
{
    if (!spool->kick.timer_set) {
        ngx_add_timer(&spool->kick, NGX_HTTP_SETTER_SPOOL_KICK);
    }
}


static void
ngx_http_setter_spool_kick(ngx_event_t *ev)
{
    ngx_http_setter_redis_t  *redis;
    ngx_http_setter_spool_t  *spool;

    spool = ev->data;
    redis = spool->conf->redis;

    switch (ngx_http_setter_spool_mode(spool)) {

    case ngx_http_setter_spool_direct:

        if (redis->state == ngx_http_setter_redis_ready) {
            ngx_http_setter_op_send_all(redis);
        }

        return;

    case ngx_http_setter_spool_hold:

        if (redis->nops) {
            ngx_add_timer(ev, NGX_HTTP_SETTER_SPOOL_KICK);
        }

        return;

    default: /* ngx_http_setter_spool_divert */
        ngx_http_setter_op_divert(redis);
    }
}


static void
ngx_http_setter_spool_watch(ngx_event_t *ev)
{
    ngx_uint_t                look;
    ngx_http_setter_redis_t  *redis;
    ngx_http_setter_spool_t  *spool;

    spool = ev->data;
    redis = spool->conf->redis;

    ngx_http_setter_keep_tick(spool);

    if (redis->state == ngx_http_setter_redis_ready
        && redis->run != 0
        && redis->run != spool->shared->run)
    {
        ngx_http_setter_redis_lost(redis, "it was replaced by another one");
    }

    if (spool->shared->undrained == 0) {
        ngx_http_setter_commit_retire(spool);
    }

    look = (ngx_current_msec - spool->looked >= NGX_HTTP_SETTER_SPOOL_LOOK);

    if (spool->shared->undrained || look) {
        ngx_http_setter_replay_start(spool, look);
    }

    ngx_add_timer(ev, spool->shared->undrained ? NGX_HTTP_SETTER_SPOOL_WATCH
                                               : NGX_HTTP_SETTER_SPOOL_REST);
}


/*
 * What another process acknowledged and has forgotten comes first.  It is
 * counted before it can be known: who finds the run known goes by the count.
 */

void
ngx_http_setter_spool_connected(ngx_http_setter_spool_t *spool)
{
    ngx_http_setter_redis_t         *redis;
    ngx_http_setter_spool_shared_t  *shared;

    redis = spool->conf->redis;
    shared = spool->shared;

    if (redis->run && redis->run != shared->run) {

        if (shared->run) {
            (void) ngx_atomic_fetch_add(&shared->undrained, 1);

            ngx_log_error(NGX_LOG_NOTICE, spool->log, 0,
                          "setter: Redis \"%V\" is not the process that it "
                          "was: what that one acknowledged last is sent "
                          "again", &redis->name);
        }

        ngx_memory_barrier();
        shared->run = redis->run;
    }

    if (shared->undrained) {
        ngx_http_setter_replay_start(spool, 0);
    }
}


void
ngx_http_setter_spool_disconnected(ngx_http_setter_spool_t *spool)
{
    ngx_http_setter_replay_stop(spool);
    ngx_http_setter_keep_end(spool);

    /* nothing waits for the next connection that can go here */

    ngx_http_setter_op_divert(spool->conf->redis);
}
