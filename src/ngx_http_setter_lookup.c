#include "ngx_http_setter_lookup.h"


/* ms for which Redis's answer counts */
#define NGX_HTTP_SETTER_LOOKUP_THERE   2000
#define NGX_HTTP_SETTER_LOOKUP_ABSENT  1000


static ngx_int_t ngx_http_setter_lookup_recall(
    ngx_http_setter_lookup_t *lookup, ngx_uint_t *missing);
static ngx_uint_t ngx_http_setter_lookup_next(
    ngx_http_setter_lookup_t *lookup);
static ngx_int_t ngx_http_setter_lookup_send(ngx_http_setter_op_t *op);
static void ngx_http_setter_lookup_done(ngx_http_setter_op_t *op,
    ngx_http_setter_op_result_e result, redisReply *reply);
static ngx_int_t ngx_http_setter_lookup_reply(
    ngx_http_setter_lookup_t *lookup, redisReply *reply);
static ngx_int_t ngx_http_setter_lookup_value(
    ngx_http_setter_lookup_t *lookup, ngx_http_setter_lookup_field_t *field,
    redisReply *reply);


ngx_http_setter_lookup_t *
ngx_http_setter_lookup_create(ngx_pool_t *pool, ngx_uint_t n)
{
    ngx_http_setter_lookup_t  *lookup;

    lookup = ngx_pcalloc(pool, sizeof(ngx_http_setter_lookup_t));

    if (lookup == NULL
        || ngx_array_init(&lookup->fields, pool, n + 1,
                          sizeof(ngx_http_setter_lookup_field_t))
           != NGX_OK)
    {
        return NULL;
    }

    lookup->pool = pool;

    return lookup;
}


ngx_http_setter_lookup_field_t *
ngx_http_setter_lookup_add(ngx_http_setter_main_conf_t *smcf,
    ngx_http_setter_lookup_t *lookup, ngx_str_t *field, ngx_str_t *by)
{
    ngx_http_setter_lookup_field_t  *one;

    one = ngx_array_push(&lookup->fields);
    if (one == NULL) {
        return NULL;
    }

    ngx_memzero(one, sizeof(ngx_http_setter_lookup_field_t));

    one->field = *field;
    one->partition = setter_partition(ngx_http_setter_text(by),
                                      smcf->partitions);

    return one;
}


ngx_int_t
ngx_http_setter_lookup(ngx_http_setter_main_conf_t *smcf,
    ngx_http_setter_lookup_t *lookup)
{
    ngx_uint_t  missing;

    if (ngx_http_setter_lookup_recall(lookup, &missing) != NGX_OK) {
        return NGX_ERROR;
    }

    if (missing == 0 || ngx_http_setter_redis_away(smcf->redis)) {
        return NGX_OK;
    }

    lookup->partition = ngx_http_setter_lookup_next(lookup);

    lookup->op.send = ngx_http_setter_lookup_send;
    lookup->op.done = ngx_http_setter_lookup_done;
    lookup->op.data = lookup;

    return (ngx_http_setter_op_start(smcf->redis, &lookup->op) == NGX_OK)
           ? NGX_AGAIN : NGX_OK;
}


static ngx_int_t
ngx_http_setter_lookup_recall(ngx_http_setter_lookup_t *lookup,
    ngx_uint_t *missing)
{
    ngx_int_t                        rc;
    ngx_msec_t                       age;
    ngx_uint_t                       i;
    ngx_http_setter_lookup_field_t  *field;

    field = lookup->fields.elts;
    *missing = 0;

    for (i = 0; i < lookup->fields.nelts; i++) {
        rc = ngx_http_setter_directory_get(lookup->directory, &field[i].field,
                                           lookup->pool, &field[i].value,
                                           &age);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        field[i].known = (rc == NGX_OK);
        field[i].fresh = (rc == NGX_OK
                          && age < (ngx_msec_t) (field[i].value.len
                                    ? NGX_HTTP_SETTER_LOOKUP_THERE
                                    : NGX_HTTP_SETTER_LOOKUP_ABSENT));
        *missing += !field[i].fresh;
    }

    return NGX_OK;
}


/* The partition of the first field that Redis has yet to tell of. */

static ngx_uint_t
ngx_http_setter_lookup_next(ngx_http_setter_lookup_t *lookup)
{
    ngx_uint_t                       i;
    ngx_http_setter_lookup_field_t  *field;

    field = lookup->fields.elts;

    for (i = 0; i < lookup->fields.nelts; i++) {
        if (!field[i].fresh) {
            return field[i].partition;
        }
    }

    return SETTER_MAX_PARTITIONS;
}


/* One command for all the fields of a partition. */

static ngx_int_t
ngx_http_setter_lookup_send(ngx_http_setter_op_t *op)
{
    char                              key[SETTER_KEY_MAX];
    size_t                           *argvlen;
    ngx_uint_t                        i, n;
    const char                      **argv;
    ngx_http_setter_lookup_t         *lookup;
    ngx_http_setter_lookup_field_t   *field;

    lookup = op->data;
    field = lookup->fields.elts;

    argv = ngx_palloc(lookup->pool,
                      (lookup->fields.nelts + 2) * sizeof(char *));
    argvlen = ngx_palloc(lookup->pool,
                         (lookup->fields.nelts + 2) * sizeof(size_t));

    if (argv == NULL || argvlen == NULL) {
        return NGX_ERROR;
    }

    argv[0] = "HMGET";
    argvlen[0] = 5;
    argv[1] = key;
    argvlen[1] = setter_partition_key(key, lookup->partition,
                                      op->redis->conf->partitions,
                                      lookup->hash);
    n = 2;

    for (i = 0; i < lookup->fields.nelts; i++) {
        if (!field[i].fresh && field[i].partition == lookup->partition) {
            argv[n] = (char *) field[i].field.data;
            argvlen[n++] = field[i].field.len;
        }
    }

    return ngx_http_setter_op_command(op, n, argv, argvlen);
}


static void
ngx_http_setter_lookup_done(ngx_http_setter_op_t *op,
    ngx_http_setter_op_result_e result, redisReply *reply)
{
    ngx_http_setter_lookup_t  *lookup;

    lookup = op->data;

    if (result == ngx_http_setter_op_replied) {

        if (ngx_http_setter_lookup_reply(lookup, reply) == NGX_OK) {
            lookup->partition = ngx_http_setter_lookup_next(lookup);

            if (lookup->partition < SETTER_MAX_PARTITIONS
                && op->send(op) == NGX_OK)
            {
                return;
            }

        } else if (reply->type == REDIS_REPLY_ERROR) {
            ngx_http_setter_redis_refused(op->redis, reply);
        }

        ngx_http_setter_op_finish(op);
    }

    lookup->handler(lookup);
}


static ngx_int_t
ngx_http_setter_lookup_reply(ngx_http_setter_lookup_t *lookup,
    redisReply *reply)
{
    size_t                           n;
    ngx_uint_t                       i;
    ngx_http_setter_lookup_field_t  *field;

    if (reply->type != REDIS_REPLY_ARRAY) {
        return NGX_ERROR;
    }

    field = lookup->fields.elts;
    n = 0;

    for (i = 0; i < lookup->fields.nelts; i++) {

        if (field[i].fresh || field[i].partition != lookup->partition) {
            continue;
        }

        if (n == reply->elements
            || ngx_http_setter_lookup_value(lookup, &field[i],
                                            reply->element[n++])
               != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_setter_lookup_value(ngx_http_setter_lookup_t *lookup,
    ngx_http_setter_lookup_field_t *field, redisReply *reply)
{
    ngx_str_t  value;

    if (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_NIL) {
        return NGX_ERROR;
    }

    ngx_str_null(&value);

    if (reply->type == REDIS_REPLY_STRING) {
        value.len = reply->len;
        value.data = ngx_pnalloc(lookup->pool, value.len + 1);

        if (value.data == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(value.data, reply->str, value.len);
    }

    field->value = value;
    field->known = 1;
    field->fresh = 1;

    ngx_http_setter_directory_put(lookup->directory, &field->field,
                                  &field->value);

    return NGX_OK;
}
