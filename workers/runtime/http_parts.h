/*
 * What http.c (calls), http_loop.c (libcurl on libuv) and http_hints.c (what
 * headers say about trying again) share.
 */

#ifndef HTTP_PARTS_H
#define HTTP_PARTS_H

#include <curl/curl.h>

#include "runtime/http.h"
#include "runtime/task.h"


/* ms; who names a time that is as far away as this or more names none */
#define HTTP_MAX_RETRY_AFTER_MS  INT64_C(10000000000000)


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
    unsigned               forbidden:1; /* an address, by egress.h */
    unsigned               opened:1;    /* another one was not */
} http_transfer_t;


/* max_idle: connections kept for the next calls, of all hosts together. */
int http_loop_init(long max_idle);
void http_loop_free(void);

/* Starts the transfer: sets done, or given_up, and wakes its task. */
int http_loop_add(http_transfer_t *transfer);

/* Ends a transfer that is not done. */
void http_loop_remove(http_transfer_t *transfer);

/* Sets retry_after_ms and should_retry. */
void http_take_hints(CURL *easy, http_response_t *response);

/*
 * Of a header's value: the ms to wait, or -1.  retry-after-ms is what OpenAI
 * and Azure send, a number; retry-after is RFC 9110's (10.2.3): seconds
 * (fractions occur) or a date, which counts from now_ms, of Unix time.
 */
int64_t http_read_ms(const char *value);
int64_t http_read_retry_after(const char *value, int64_t now_ms);


#endif /* HTTP_PARTS_H */
