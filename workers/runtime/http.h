/*
 * HTTP requests by libcurl's multi interface, one call that waits.
 *
 * Connections are kept and shared (HTTP/2 where the server has it).  How
 * many requests a host may have in flight is decided here, before curl: its
 * own queue would sit between a caller's last check and the send.  No proxy
 * variables, no redirects.  Trusted are the system's certificates, or those
 * in the file that SSL_CERT_FILE names.
 */

#ifndef HTTP_H
#define HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/arena.h"


typedef enum {
    HTTP_OK = 0,        /* a whole response came: see status */
    HTTP_CONNECT,       /* no connection: address, refused, TLS */
    HTTP_TIMEOUT,       /* the deadline passed */
    HTTP_CUT,           /* the connection ended before the response did */
    HTTP_TOO_LARGE,     /* the response passed max_body */
    HTTP_REFUSED,       /* before_send said no */
    HTTP_FORBIDDEN,     /* egress.h: no request to that address */
    HTTP_CANCELLED,
    HTTP_FAILED         /* anything else: see reason */
} http_error_e;

typedef struct {
    const char    *method;          /* "POST" */
    const char    *url;
    const char   **headers;         /* "Name: value", ends with NULL */
    const char    *body;            /* lives until the call returns */
    size_t         body_len;
    int64_t        timeout_ms;      /* for all of it, waiting included */
    size_t         max_body;        /* bytes of response; 0: 1 MiB */

    /*
     * Called when the connection stands and just before the request's first
     * byte leaves: 0 lets it go, anything else aborts (HTTP_REFUSED).  It
     * runs in the loop, not in the task, and must not wait.  When a reused
     * connection dies, libcurl sends the request again by itself, without
     * asking; with once set it may not (HTTP_CUT).
     */
    int          (*before_send)(void *data);
    void          *before_send_data;
    unsigned       once:1;
    unsigned       egress:1;        /* a tenant or a message named the URL:
                                       egress.h says where it may go */
} http_request_t;

typedef struct {
    http_error_e   error;
    unsigned       may_have_left:1; /* bytes of the request may have left */
    long           status;          /* 0 without a response */
    const char    *body;            /* in the arena, NUL behind it */
    size_t         body_len;
    const char    *type;            /* Content-Type, or NULL; in the arena */
    const char    *location;        /* of a redirect, absolute, or NULL */
    int64_t        retry_after_ms;  /* retry-after-ms, retry-after (seconds or
                                       date); -1: none */
    int            should_retry;    /* x-should-retry: 1 true, -1 false,
                                       0 none */
    char           reason[160];     /* for logs: never holds a credential */
    int64_t        connect_us, total_us;
} http_response_t;

/* max_per_host: requests in flight to one scheme://host:port.  0, or -1. */
int http_init(long max_per_host);
void http_free(void);

/* Waits for the response.  response->error tells; returns it too. */
http_error_e http_call(const http_request_t *request,
    http_response_t *response, arena_t *arena);


#endif /* HTTP_H */
