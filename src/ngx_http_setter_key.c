#include "ngx_http_setter_key.h"


/* ms for which Redis's answer counts */
#define NGX_HTTP_SETTER_KEY_GOOD   2000
#define NGX_HTTP_SETTER_KEY_WRONG  1000


static void ngx_http_setter_key_recall(ngx_http_setter_key_t *key);
static ngx_int_t ngx_http_setter_key_send(ngx_http_setter_op_t *op);
static void ngx_http_setter_key_done(ngx_http_setter_op_t *op,
    ngx_http_setter_op_result_e result, redisReply *reply);
static void ngx_http_setter_key_unasked(ngx_http_setter_key_t *key);


ngx_int_t
ngx_http_setter_key_find(ngx_http_request_t *r, ngx_http_setter_key_t *key)
{
    int                           rc;
    setter_str_t                  text;
    ngx_http_setter_main_conf_t  *smcf;

    key->tenant.len = 0;

    if (ngx_http_setter_key_text(r, &text) != NGX_OK) {
        key->state = ngx_http_setter_key_absent;
        return NGX_OK;
    }

    rc = setter_apikey_read(&key->apikey, text);

    if (rc == SETTER_NO_MEMORY) {
        return NGX_ERROR;
    }

    if (rc != SETTER_OK) {
        key->state = ngx_http_setter_key_wrong;
        return NGX_OK;
    }

    smcf = ngx_http_get_module_main_conf(r, ngx_http_setter_module);

    key->recent = smcf->recent;

    ngx_http_setter_key_recall(key);

    if (key->state != ngx_http_setter_key_wrong) {
        key->tenant.len = key->apikey.tenant.len;
        key->tenant.data = (u_char *) key->apikey.tenant.data;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_setter_key_text(ngx_http_request_t *r, setter_str_t *text)
{
    u_char     *p, *last;
    ngx_str_t  *value;

    if (r->headers_in.authorization == NULL) {
        return NGX_DECLINED;
    }

    value = &r->headers_in.authorization->value;

    p = value->data;
    last = p + value->len;

    if (value->len < sizeof("Bearer") - 1
        || ngx_strncasecmp(p, (u_char *) "Bearer", sizeof("Bearer") - 1) != 0)
    {
        return NGX_DECLINED;
    }

    p += sizeof("Bearer") - 1;

    if (p < last && *p != ' ') {
        return NGX_DECLINED;
    }

    while (p < last && *p == ' ') {
        p++;
    }

    text->data = (char *) p;
    text->len = last - p;

    return NGX_OK;
}


static void
ngx_http_setter_key_recall(ngx_http_setter_key_t *key)
{
    ngx_int_t   rc;
    ngx_msec_t  age;

    rc = ngx_http_setter_recent_get(key->recent, key->apikey.digest, &age);

    if (rc == NGX_OK && age < NGX_HTTP_SETTER_KEY_GOOD) {
        key->state = ngx_http_setter_key_good;

    } else if (rc == NGX_DECLINED && age < NGX_HTTP_SETTER_KEY_WRONG) {
        key->state = ngx_http_setter_key_wrong;

    } else {
        key->state = ngx_http_setter_key_unsure;
    }
}


ngx_int_t
ngx_http_setter_key_ask(ngx_http_setter_redis_t *redis,
    ngx_http_setter_key_t *key)
{
    ngx_http_setter_op_t  *op;

    op = &key->op;

    op->send = ngx_http_setter_key_send;
    op->done = ngx_http_setter_key_done;
    op->data = key;

    if (ngx_http_setter_redis_away(redis)) {
        ngx_http_setter_key_unasked(key);

        if (key->state == ngx_http_setter_key_good) {
            return NGX_OK;
        }
    }

    if (ngx_http_setter_op_start(redis, op) != NGX_OK) {
        ngx_http_setter_key_unasked(key);
        return NGX_OK;
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_http_setter_key_send(ngx_http_setter_op_t *op)
{
    char                          set[SETTER_KEY_MAX];
    char                          member[SETTER_APIKEY_MEMBER_MAX + 1];
    size_t                        argvlen[3];
    unsigned                      partition;
    const char                   *argv[3];
    ngx_http_setter_key_t        *key;
    ngx_http_setter_main_conf_t  *smcf;

    key = op->data;
    smcf = op->redis->conf;

    partition = setter_partition(key->apikey.tenant, smcf->partitions);

    argv[0] = "SISMEMBER";
    argvlen[0] = 9;
    argv[1] = set;
    argvlen[1] = setter_partition_key(set, partition, smcf->partitions,
                                      "keys");
    argv[2] = member;
    argvlen[2] = setter_apikey_member(member, &key->apikey);

    return ngx_http_setter_op_command(op, 3, argv, argvlen);
}


static void
ngx_http_setter_key_done(ngx_http_setter_op_t *op,
    ngx_http_setter_op_result_e result, redisReply *reply)
{
    ngx_http_setter_key_t  *key;

    key = op->data;

    if (result != ngx_http_setter_op_replied) {
        ngx_http_setter_key_unasked(key);

    } else if (reply->type == REDIS_REPLY_INTEGER) {
        key->state = reply->integer ? ngx_http_setter_key_good
                                    : ngx_http_setter_key_wrong;

        ngx_http_setter_recent_put(key->recent, key->apikey.digest,
                                   reply->integer != 0);

    } else {

        if (reply->type == REDIS_REPLY_ERROR) {
            ngx_http_setter_redis_refused(op->redis, reply);
        }

        ngx_http_setter_key_unasked(key);
    }

    ngx_http_setter_op_finish(op);

    if (key->state == ngx_http_setter_key_wrong) {
        key->tenant.len = 0;
    }

    key->handler(key);
}


/* A key that was good stays so until Redis can be asked again. */

static void
ngx_http_setter_key_unasked(ngx_http_setter_key_t *key)
{
    ngx_msec_t  age;

    key->state = (ngx_http_setter_recent_get(key->recent, key->apikey.digest,
                                             &age)
                  == NGX_OK)
                     ? ngx_http_setter_key_good
                     : ngx_http_setter_key_unavailable;
}
