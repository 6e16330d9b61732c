#include "ngx_http_setter_api.h"
#include "ngx_http_setter_reply.h"


#define NGX_HTTP_SETTER_MAX_COUNTS  16


typedef struct {
    char      name[32];
    int64_t   value;
} ngx_http_setter_count_t;


/* A look at the queue for "health": of each partition in turn. */

typedef struct {
    ngx_http_request_t         *request;
    ngx_http_setter_op_t        op;
    ngx_uint_t                  partition;
    ngx_uint_t                  ncounts;
    ngx_http_setter_count_t     counts[NGX_HTTP_SETTER_MAX_COUNTS];
    unsigned                    plain:1;    /* no functions: the inbox alone */
} ngx_http_setter_health_t;


static ngx_int_t ngx_http_setter_api_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_setter_api_allow(ngx_http_request_t *r,
    ngx_uint_t methods);
static ngx_int_t ngx_http_setter_api_metrics(ngx_http_request_t *r);
static ngx_int_t ngx_http_setter_api_health(ngx_http_request_t *r);
static void ngx_http_setter_api_cleanup(void *data);
static ngx_int_t ngx_http_setter_health_ask(ngx_http_setter_op_t *op);
static void ngx_http_setter_health_done(ngx_http_setter_op_t *op,
    ngx_http_setter_op_result_e result, redisReply *reply);
static ngx_int_t ngx_http_setter_health_reply(
    ngx_http_setter_health_t *health, redisReply *reply);
static void ngx_http_setter_health_add(ngx_http_setter_health_t *health,
    const char *name, int64_t value);
static ngx_int_t ngx_http_setter_health_send(ngx_http_request_t *r,
    ngx_http_setter_health_t *health, ngx_uint_t code);


/* What "setter_api" may name. */

static ngx_http_setter_api_t  ngx_http_setter_apis[] = {

    { ngx_string("health"),
      NGX_HTTP_GET|NGX_HTTP_HEAD,
      ngx_http_setter_api_health,
      NULL },

    { ngx_string("metrics"),
      NGX_HTTP_GET|NGX_HTTP_HEAD,
      ngx_http_setter_api_metrics,
      NULL },

    { ngx_null_string, 0, NULL, NULL }
};


static ngx_int_t
ngx_http_setter_api_handler(ngx_http_request_t *r)
{
    ngx_http_setter_loc_conf_t  *slcf;

    slcf = ngx_http_get_module_loc_conf(r, ngx_http_setter_module);

    if (!(r->method & slcf->api->methods)) {
        return ngx_http_setter_api_allow(r, slcf->api->methods);
    }

    return slcf->api->handler(r);
}


static ngx_int_t
ngx_http_setter_api_allow(ngx_http_request_t *r, ngx_uint_t methods)
{
    ngx_str_t  *allow;

    static ngx_str_t  get = ngx_string("GET, HEAD");
    static ngx_str_t  post = ngx_string("POST");

    allow = (methods & NGX_HTTP_POST) ? &post : &get;

    if (ngx_http_setter_add_header(r, "Allow", allow) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_HTTP_NOT_ALLOWED;
}


static ngx_int_t
ngx_http_setter_api_metrics(ngx_http_request_t *r)
{
    setter_buf_t                  buf;
    setter_alloc_t                alloc;
    ngx_http_complex_value_t      cv;
    ngx_http_setter_main_conf_t  *smcf;

    static ngx_str_t  type = ngx_string("text/plain; version=0.0.4");

    smcf = ngx_http_get_module_main_conf(r, ngx_http_setter_module);

    alloc.get = ngx_http_setter_palloc;
    alloc.owner = r->pool;

    setter_buf_init(&buf, &alloc, 8192);
    ngx_http_setter_metrics(&buf, smcf);

    if (buf.failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    cv.value.data = (u_char *) buf.data;
    cv.value.len = buf.len;

    return ngx_http_send_response(r, NGX_HTTP_OK, &type, &cv);
}


static ngx_int_t
ngx_http_setter_api_health(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_pool_cleanup_t           *cln;
    ngx_http_setter_health_t     *health;
    ngx_http_setter_main_conf_t  *smcf;

    smcf = ngx_http_get_module_main_conf(r, ngx_http_setter_module);

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_setter_health_t));
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    health = cln->data;
    ngx_memzero(health, sizeof(ngx_http_setter_health_t));

    cln->handler = ngx_http_setter_api_cleanup;

    health->request = r;
    health->op.send = ngx_http_setter_health_ask;
    health->op.done = ngx_http_setter_health_done;
    health->op.data = health;

    r->main->count++;

    if (ngx_http_setter_op_start(smcf->redis, &health->op) == NGX_OK) {
        return NGX_DONE;
    }

    r->main->count--;

    return ngx_http_setter_health_send(r, health,
                                       NGX_HTTP_SERVICE_UNAVAILABLE);
}


static void
ngx_http_setter_api_cleanup(void *data)
{
    ngx_http_setter_health_t *health = data;

    ngx_http_setter_op_finish(&health->op);
}


/* The counts of the workers' functions, where a worker has loaded them. */

static ngx_int_t
ngx_http_setter_health_ask(ngx_http_setter_op_t *op)
{
    const char                *argv[4];
    ngx_http_setter_inbox_t   *inbox;
    ngx_http_setter_health_t  *health;

    health = op->data;
    inbox = &op->redis->inboxes[health->partition];

    if (health->plain) {
        argv[0] = "XLEN";
        argv[1] = (char *) inbox->key.data;

        return ngx_http_setter_op_command(op, 2, argv, NULL);
    }

    argv[0] = "FCALL_RO";
    argv[1] = "setter_depth";
    argv[2] = "1";
    argv[3] = (char *) inbox->key.data;

    return ngx_http_setter_op_command(op, 4, argv, NULL);
}


static void
ngx_http_setter_health_done(ngx_http_setter_op_t *op,
    ngx_http_setter_op_result_e result, redisReply *reply)
{
    ngx_int_t                  rc;
    ngx_uint_t                 code;
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_setter_health_t  *health;

    health = op->data;
    r = health->request;
    c = r->connection;

    code = NGX_HTTP_SERVICE_UNAVAILABLE;

    if (result == ngx_http_setter_op_replied) {
        rc = ngx_http_setter_health_reply(health, reply);

        if (rc == NGX_AGAIN && op->send(op) == NGX_OK) {
            return;
        }

        if (rc == NGX_OK) {
            code = NGX_HTTP_OK;
        }

        ngx_http_setter_op_finish(op);
    }

    ngx_http_set_log_request(c->log, r);

    ngx_http_finalize_request(r, ngx_http_setter_health_send(r, health, code));

    ngx_http_run_posted_requests(c);
}


/* NGX_AGAIN: there is more to ask. */

static ngx_int_t
ngx_http_setter_health_reply(ngx_http_setter_health_t *health,
    redisReply *reply)
{
    size_t  i;

    switch (reply->type) {

    case REDIS_REPLY_INTEGER:
        ngx_http_setter_health_add(health, "inbox", reply->integer);
        break;

    case REDIS_REPLY_ARRAY:

        for (i = 0; i + 1 < reply->elements; i += 2) {
            if (reply->element[i]->type == REDIS_REPLY_STRING
                && reply->element[i + 1]->type == REDIS_REPLY_INTEGER)
            {
                ngx_http_setter_health_add(health, reply->element[i]->str,
                                           reply->element[i + 1]->integer);
            }
        }

        break;

    default:

        if (!health->plain) {
            health->plain = 1;
            return NGX_AGAIN;
        }

        return NGX_ERROR;
    }

    health->partition++;

    return (health->partition < health->op.redis->conf->partitions)
               ? NGX_AGAIN : NGX_OK;
}


/* The sum over the partitions; of ages, the highest. */

static void
ngx_http_setter_health_add(ngx_http_setter_health_t *health,
    const char *name, int64_t value)
{
    ngx_uint_t                i;
    ngx_http_setter_count_t  *count;

    for (i = 0; i < health->ncounts; i++) {
        count = &health->counts[i];

        if (ngx_strcmp(count->name, name) != 0) {
            continue;
        }

        if (ngx_strcmp(name, "oldest_ms") != 0) {
            count->value += value;

        } else if (count->value < value) {
            count->value = value;
        }

        return;
    }

    if (i < NGX_HTTP_SETTER_MAX_COUNTS) {
        count = &health->counts[health->ncounts++];

        (void) ngx_cpystrn((u_char *) count->name, (u_char *) name,
                           sizeof(count->name));
        count->value = value;
    }
}


static ngx_int_t
ngx_http_setter_health_send(ngx_http_request_t *r,
    ngx_http_setter_health_t *health, ngx_uint_t code)
{
    ngx_uint_t                 i;
    setter_buf_t               buf;
    setter_alloc_t             alloc;
    ngx_http_complex_value_t   cv;

    static ngx_str_t  type = ngx_string("application/json");

    alloc.get = ngx_http_setter_palloc;
    alloc.owner = r->pool;

    setter_buf_init(&buf, &alloc, 512);

    if (code == NGX_HTTP_OK) {
        setter_buf_text(&buf, "{\"status\":\"ok\",\"redis\":\"ok\","
                              "\"queue\":{");

        for (i = 0; i < health->ncounts; i++) {
            setter_json_name(&buf, health->counts[i].name);
            setter_buf_number(&buf, health->counts[i].value);
        }

        setter_buf_text(&buf, "}}");

    } else {
        setter_buf_text(&buf, "{\"status\":\"unavailable\","
                              "\"redis\":\"unavailable\"}");
    }

    if (buf.failed) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    cv.value.data = (u_char *) buf.data;
    cv.value.len = buf.len;

    return ngx_http_send_response(r, code, &type, &cv);
}


char *
ngx_http_setter_api_conf(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_setter_loc_conf_t *slcf = conf;

    ngx_str_t                 *value;
    ngx_http_setter_api_t     *api;
    ngx_http_core_loc_conf_t  *clcf;

    if (slcf->api || slcf->format) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (api = ngx_http_setter_apis; api->name.len; api++) {
        if (ngx_strcmp(value[1].data, api->name.data) == 0) {
            break;
        }
    }

    if (api->name.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "unknown name \"%V\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts > 2 && api->parameters == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    slcf->api = api;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_setter_api_handler;

    return api->parameters ? api->parameters(cf, slcf) : NGX_CONF_OK;
}
