/*
 * What the names of "setter_api" for outside workers share: next_job,
 * complete, fail, extend and job.
 */

#ifndef _NGX_HTTP_SETTER_OUTSIDE_H_INCLUDED_
#define _NGX_HTTP_SETTER_OUTSIDE_H_INCLUDED_


#include "ngx_http_setter_module.h"


#define NGX_HTTP_SETTER_TURN_BYTES  (256 * 1024)    /* or one job */
#define NGX_HTTP_SETTER_CRASHES     3               /* leases that ran out */


/* The parameters of a location; each name has some of them. */

typedef struct {
    ngx_http_complex_value_t    *id;        /* of the job */
    ngx_msec_t                   wait;      /* the longest poll */
    ngx_msec_t                   lease;
    ngx_msec_t                   delay;     /* before the next try */
    ngx_msec_t                   timeout;   /* for a worker's answer */
    ngx_int_t                    jobs;      /* in a turn */
    ngx_int_t                    failures;  /* until a job is given up */
} ngx_http_setter_outside_t;


/* Handlers and parameters of the names, see ngx_http_setter_api.h. */
ngx_int_t ngx_http_setter_next_job(ngx_http_request_t *r);
ngx_int_t ngx_http_setter_complete(ngx_http_request_t *r);
ngx_int_t ngx_http_setter_fail(ngx_http_request_t *r);
ngx_int_t ngx_http_setter_extend(ngx_http_request_t *r);
ngx_int_t ngx_http_setter_job(ngx_http_request_t *r);
char *ngx_http_setter_next_job_conf(ngx_conf_t *cf,
    ngx_http_setter_loc_conf_t *slcf);
char *ngx_http_setter_complete_conf(ngx_conf_t *cf,
    ngx_http_setter_loc_conf_t *slcf);
char *ngx_http_setter_fail_conf(ngx_conf_t *cf,
    ngx_http_setter_loc_conf_t *slcf);
char *ngx_http_setter_extend_conf(ngx_conf_t *cf,
    ngx_http_setter_loc_conf_t *slcf);
char *ngx_http_setter_send_conf(ngx_conf_t *cf,
    ngx_http_setter_loc_conf_t *slcf);
char *ngx_http_setter_job_conf(ngx_conf_t *cf,
    ngx_http_setter_loc_conf_t *slcf);

/*
 * For these handlers to return: asks for the tenant's key, reads the body of
 * a POST and calls go_on().
 */
ngx_int_t ngx_http_setter_outside(ngx_http_request_t *r,
    ngx_http_setter_go_on_pt go_on);

/* The caller of a request that waits is noticed when he leaves. */
void ngx_http_setter_outside_watch(ngx_http_request_t *r);

/* Ends a request that waited, from an event of another connection. */
void ngx_http_setter_outside_finalize(ngx_http_request_t *r, ngx_int_t rc);

/*
 * The job that the request is about, by the parameter "id": NGX_DECLINED
 * when it cannot be a job's id, NGX_ERROR when memory is short.
 */
ngx_int_t ngx_http_setter_outside_id(ngx_http_request_t *r, ngx_str_t *id);

/* What it means that a function of the queue did not answer as it does. */
ngx_http_setter_outcome_e ngx_http_setter_outside_refused(
    ngx_http_setter_redis_t *redis, redisReply *reply);


#endif /* _NGX_HTTP_SETTER_OUTSIDE_H_INCLUDED_ */
