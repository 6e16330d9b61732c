/*
 * What http.c (calls) and http_loop.c (libcurl on libuv) share.
 */

#ifndef HTTP_PARTS_H
#define HTTP_PARTS_H

#include <curl/curl.h>

#include "runtime/http.h"
#include "runtime/task.h"


/* One request on its way; it lives on its task's stack. */
typedef struct {
    CURL                  *easy;
    task_t                *task;
    const http_request_t  *request;
    struct curl_slist     *headers;

    char                  *body;        /* what has come of the response */
    size_t                 len;
    size_t                 size;

    CURLcode               result;      /* when done or given up */
    char                   error[CURL_ERROR_SIZE];
    int                    prereqs;     /* requests that began to leave */
    unsigned               done:1;
    unsigned               given_up:1;  /* it will not be done */
    unsigned               refused:1;   /* by before_send */
    unsigned               too_large:1;
} http_transfer_t;


/* max_idle: connections kept for the next calls, of all hosts together. */
int http_loop_init(long max_idle);
void http_loop_free(void);

/* Starts the transfer: sets done, or given_up, and wakes its task. */
int http_loop_add(http_transfer_t *transfer);

/* Ends a transfer that is not done. */
void http_loop_remove(http_transfer_t *transfer);


#endif /* HTTP_PARTS_H */
