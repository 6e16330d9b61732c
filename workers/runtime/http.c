/*
 * HTTP calls.  http_loop.c moves libcurl's multi interface on libuv; here is
 * one call's way: admission, the easy handle, the wait, the outcome.
 */

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/egress.h"
#include "runtime/http_parts.h"
#include "runtime/loop.h"
#include "runtime/task.h"


#define HTTP_MAX_BODY  (1024 * 1024)
#define HTTP_BUFFER    4096L
#define HTTP_UPLOAD    16384L       /* the least that libcurl takes */
#define HTTP_IDLE_S    30L          /* an older idle connection is not used */


#define http_set(option, value)                                               \
    bad |= curl_easy_setopt(easy, option, value) != CURLE_OK


/* For all hosts that tenants and messages name: nobody's list grows by them. */
#define HTTP_EGRESS        "egress:"
#define HTTP_EGRESS_HOSTS  64

/* A scheme, host and port, and who may talk to it. */
typedef struct http_host_s {
    task_sem_t           slots;
    struct http_host_s  *next;
    size_t               len;
    char                 name[];
} http_host_t;


static void http_transfer(const http_request_t *request,
    http_response_t *response, int64_t deadline, arena_t *arena);
static http_host_t *http_find_host(const char *url);
static void http_egress_name(char name[16], const char *url);
static const char *http_info(CURL *easy, CURLINFO info, arena_t *arena);
static int http_prepare(http_transfer_t *transfer,
    const http_request_t *request, int64_t timeout_ms);
static int http_set_headers(http_transfer_t *transfer,
    const http_request_t *request);
static long http_version(const char *url);
static int http_wait(http_transfer_t *transfer, int64_t deadline);
static void http_judge(const http_transfer_t *transfer, int waited,
    http_response_t *response);
static http_error_e http_error_of(const http_transfer_t *transfer);
static void http_take_response(const http_transfer_t *transfer,
    http_response_t *response, arena_t *arena);
static size_t http_on_body(char *data, size_t size, size_t n, void *arg);
static curl_socket_t http_on_open(void *arg, curlsocktype purpose,
    struct curl_sockaddr *address);
static int http_forbids(const http_transfer_t *transfer, const char *ip,
    int port);
static int http_on_connected(void *arg, char *primary, char *local,
    int primary_port, int local_port);


static http_host_t  *http_hosts;
static long          http_max_per_host;
static const char   *http_ca_file;


int
http_init(long max_per_host)
{
    http_max_per_host = max_per_host;
    http_ca_file = getenv("SSL_CERT_FILE");

    return http_loop_init(max_per_host);
}


void
http_free(void)
{
    http_host_t  *host;

    while (http_hosts != NULL) {
        host = http_hosts;
        http_hosts = host->next;
        free(host);
    }

    http_loop_free();
}


http_error_e
http_call(const http_request_t *request, http_response_t *response,
    arena_t *arena)
{
    int           rc;
    char          egress[16];
    int64_t       deadline;
    http_host_t  *host;

    memset(response, 0, sizeof(http_response_t));
    response->body = "";
    response->retry_after_ms = -1;
    response->error = HTTP_FAILED;

    deadline = loop_now_ms() + request->timeout_ms;
    http_egress_name(egress, request->url);
    host = http_find_host(request->egress ? egress : request->url);

    if (host == NULL) {
        snprintf(response->reason, sizeof(response->reason), "no memory");
        return response->error;
    }

    rc = task_sem_take(&host->slots, deadline);

    if (rc != TASK_OK) {
        response->error = rc == TASK_CANCELLED ? HTTP_CANCELLED : HTTP_TIMEOUT;
        snprintf(response->reason, sizeof(response->reason),
                 "too many requests to the host are in flight");
        return response->error;
    }

    http_transfer(request, response, deadline, arena);
    task_sem_give(&host->slots);

    return response->error;
}


/*
 * A handle is not used twice: libcurl 7.88 keeps the buffer of an HTTP/2
 * transfer with its handle, and refuses to be told of its size again.
 */
static void
http_transfer(const http_request_t *request, http_response_t *response,
    int64_t deadline, arena_t *arena)
{
    int              rc;
    http_transfer_t  transfer;

    memset(&transfer, 0, sizeof(http_transfer_t));
    transfer.task = task_self();
    transfer.request = request;
    transfer.result = CURLE_OUT_OF_MEMORY;
    transfer.easy = curl_easy_init();

    if (transfer.easy == NULL) {
        snprintf(response->reason, sizeof(response->reason), "no memory");
        return;
    }

    rc = TASK_OK;
    if (http_prepare(&transfer, request, deadline - loop_now_ms()) == 0) {
        rc = http_wait(&transfer, deadline);
    }

    http_judge(&transfer, rc, response);
    http_take_response(&transfer, response, arena);
    curl_slist_free_all(transfer.headers);
    free(transfer.body);
    curl_easy_cleanup(transfer.easy);
}


/* Made at the first call and kept: a process talks to a handful of hosts. */
static http_host_t *
http_find_host(const char *url)
{
    size_t        len;
    const char   *p;
    http_host_t  *host;

    p = strstr(url, "://");
    len = p == NULL ? strlen(url) : (size_t) (p + 3 - url);
    len += strcspn(url + len, "/?#");

    for (host = http_hosts; host != NULL; host = host->next) {
        if (host->len == len && strncasecmp(host->name, url, len) == 0) {
            return host;
        }
    }

    host = malloc(sizeof(http_host_t) + len);
    if (host == NULL) {
        return NULL;
    }

    task_sem_init(&host->slots, http_max_per_host);
    host->len = len;
    memcpy(host->name, url, len);
    host->next = http_hosts;
    http_hosts = host;

    return host;
}


/* One of a fixed number of names, by the URL's host. */
static void
http_egress_name(char name[16], const char *url)
{
    size_t    i, len;
    unsigned  hash;

    len = strcspn(url, ":");
    len += strspn(url + len, ":/");
    len += strcspn(url + len, "/?#");

    for (i = 0, hash = 5381; i < len; i++) {
        hash = 33 * hash + (unsigned char) url[i];
    }

    snprintf(name, 16, HTTP_EGRESS "%u", hash % HTTP_EGRESS_HOSTS);
}


/* 0, or -1 when memory is short or libcurl refuses an option. */
static int
http_prepare(http_transfer_t *transfer, const http_request_t *request,
    int64_t timeout_ms)
{
    int    bad;
    CURL  *easy;

    if (http_set_headers(transfer, request) != 0) {
        return -1;
    }

    easy = transfer->easy;
    bad = 0;

    http_set(CURLOPT_URL, request->url);
    http_set(CURLOPT_CUSTOMREQUEST, request->method);
    http_set(CURLOPT_HTTPHEADER, transfer->headers);
    http_set(CURLOPT_PROTOCOLS_STR, "http,https");
    http_set(CURLOPT_PROXY, "");
    http_set(CURLOPT_HTTP_VERSION, http_version(request->url));
    http_set(CURLOPT_PIPEWAIT, 1L);
    http_set(CURLOPT_NOSIGNAL, 1L);
    http_set(CURLOPT_BUFFERSIZE, HTTP_BUFFER);
    http_set(CURLOPT_UPLOAD_BUFFERSIZE, HTTP_UPLOAD);
    http_set(CURLOPT_MAXAGE_CONN, HTTP_IDLE_S);
    http_set(CURLOPT_CONNECTTIMEOUT_MS, (long) timeout_ms);
    http_set(CURLOPT_ERRORBUFFER, transfer->error);
    http_set(CURLOPT_PRIVATE, transfer);
    http_set(CURLOPT_WRITEFUNCTION, http_on_body);
    http_set(CURLOPT_WRITEDATA, transfer);
    http_set(CURLOPT_PREREQFUNCTION, http_on_connected);
    http_set(CURLOPT_PREREQDATA, transfer);

    if (request->egress) {
        http_set(CURLOPT_OPENSOCKETFUNCTION, http_on_open);
        http_set(CURLOPT_OPENSOCKETDATA, transfer);
    }

    /* else who gives up a call waits for the thread that resolves its name */
    http_set(CURLOPT_QUICK_EXIT, 1L);

    if (http_ca_file != NULL) {
        http_set(CURLOPT_CAINFO, http_ca_file);
    }

    if (request->body != NULL) {
        http_set(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) request->body_len);
        http_set(CURLOPT_POSTFIELDS, request->body);
    }

    return bad ? -1 : 0;
}


static int
http_set_headers(http_transfer_t *transfer, const http_request_t *request)
{
    const char        **header;
    struct curl_slist  *list;

    list = curl_slist_append(NULL, "Expect:");

    for (header = request->headers; header != NULL && *header != NULL;
         header++)
    {
        transfer->headers = list;
        list = curl_slist_append(transfer->headers, *header);
        if (list == NULL) {
            return -1;
        }
    }

    transfer->headers = list;
    return 0;
}


/*
 * HTTP/2 where TLS can agree on it.  In the clear it is HTTP/1.1 for certain:
 * else libcurl (CURLOPT_PIPEWAIT) would let the other calls to a new host
 * wait for the first one's whole response.
 */
static long
http_version(const char *url)
{
    return strncasecmp(url, "https:", 6) == 0 ? CURL_HTTP_VERSION_2TLS
                                              : CURL_HTTP_VERSION_1_1;
}


/* Until libcurl is done, or the deadline, or a cancel. */
static int
http_wait(http_transfer_t *transfer, int64_t deadline)
{
    int  rc;

    if (http_loop_add(transfer) != 0) {
        return TASK_OK;
    }

    rc = TASK_OK;
    while (rc == TASK_OK && !transfer->done && !transfer->given_up) {
        rc = task_suspend(deadline);
    }

    if (!transfer->done) {
        http_loop_remove(transfer);
        return rc;
    }

    return TASK_OK;
}


static void
http_judge(const http_transfer_t *transfer, int waited,
    http_response_t *response)
{
    response->may_have_left = transfer->prereqs > 0 && !transfer->refused;

    switch (waited) {

    case TASK_CANCELLED:
        response->error = HTTP_CANCELLED;
        snprintf(response->reason, sizeof(response->reason), "cancelled");
        return;

    case TASK_TIMEOUT:
        response->error = HTTP_TIMEOUT;
        snprintf(response->reason, sizeof(response->reason),
                 "no answer in time");
        return;
    }

    response->error = http_error_of(transfer);

    if (response->error == HTTP_FORBIDDEN) {
        snprintf(response->reason, sizeof(response->reason),
                 "the URL's host is not on the public internet, and not in"
                 " SETTER_EGRESS_ALLOW");

    } else if (response->error != HTTP_OK) {
        snprintf(response->reason, sizeof(response->reason), "%.159s",
                 transfer->error[0] != '\0'
                 ? transfer->error : curl_easy_strerror(transfer->result));
    }
}


static http_error_e
http_error_of(const http_transfer_t *transfer)
{
    if (transfer->refused) {
        return HTTP_REFUSED;
    }

    if (transfer->too_large) {
        return HTTP_TOO_LARGE;
    }

    if (transfer->forbidden && !transfer->opened && transfer->prereqs == 0) {
        return HTTP_FORBIDDEN;
    }

    switch (transfer->result) {

    case CURLE_OK:
        return HTTP_OK;

    case CURLE_OPERATION_TIMEDOUT:
        return HTTP_TIMEOUT;

    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_INTERFACE_FAILED:
        return HTTP_CONNECT;

    case CURLE_ABORTED_BY_CALLBACK:     /* a second request was refused */
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return transfer->prereqs > 0 ? HTTP_CUT : HTTP_CONNECT;

    default:
        return HTTP_FAILED;
    }
}


/* The body, the status and the hint, of whatever part of them came. */
static void
http_take_response(const http_transfer_t *transfer,
    http_response_t *response, arena_t *arena)
{
    char        *body;
    curl_off_t   us;

    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE,
                      &response->status);

    if (curl_easy_getinfo(transfer->easy, CURLINFO_CONNECT_TIME_T, &us)
        == CURLE_OK)
    {
        response->connect_us = us;
    }

    if (curl_easy_getinfo(transfer->easy, CURLINFO_TOTAL_TIME_T, &us)
        == CURLE_OK)
    {
        response->total_us = us;
    }

    http_take_hints(transfer->easy, response);
    response->type = http_info(transfer->easy, CURLINFO_CONTENT_TYPE, arena);
    response->location = http_info(transfer->easy, CURLINFO_REDIRECT_URL,
                                   arena);

    if (transfer->len == 0) {
        return;
    }

    body = arena_copy(arena, transfer->body, transfer->len);

    if (body == NULL) {
        response->error = HTTP_FAILED;
        snprintf(response->reason, sizeof(response->reason), "no memory");
        return;
    }

    response->body = body;
    response->body_len = transfer->len;
}


/* A text that libcurl has, or NULL: none, or no memory. */
static const char *
http_info(CURL *easy, CURLINFO info, arena_t *arena)
{
    const char  *text;

    if (curl_easy_getinfo(easy, info, &text) != CURLE_OK || text == NULL) {
        return NULL;
    }

    return arena_copy(arena, text, strlen(text));
}


static size_t
http_on_body(char *data, size_t size, size_t n, void *arg)
{
    char             *body;
    size_t            len, max;
    http_transfer_t  *transfer;

    transfer = arg;
    len = size * n;
    max = transfer->request->max_body;

    if (max == 0) {
        max = HTTP_MAX_BODY;
    }

    if (transfer->len + len > max) {
        transfer->too_large = 1;
        return 0;
    }

    if (transfer->len + len > transfer->size) {
        transfer->size = 2 * (transfer->len + len);
        body = realloc(transfer->body, transfer->size);
        if (body == NULL) {
            return 0;
        }
        transfer->body = body;
    }

    memcpy(transfer->body + transfer->len, data, len);
    transfer->len += len;

    return len;
}


/* The address is known and nothing has left for it. */
static curl_socket_t
http_on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    http_transfer_t  *transfer;

    (void) purpose;

    transfer = arg;

    if (!egress_permits(transfer->request->url, &address->addr)) {
        transfer->forbidden = 1;
        return CURL_SOCKET_BAD;
    }

    transfer->opened = 1;
    return socket(address->family, address->socktype, address->protocol);
}


/* Asked at each connection: it may be one that another request opened. */
static int
http_forbids(const http_transfer_t *transfer, const char *ip, int port)
{
    struct sockaddr_in   sin = { .sin_family = AF_INET };
    struct sockaddr_in6  sin6 = { .sin6_family = AF_INET6 };

    if (!transfer->request->egress) {
        return 0;
    }

    if (inet_pton(AF_INET, ip, &sin.sin_addr) == 1) {
        sin.sin_port = htons(port);
        return !egress_permits(transfer->request->url,
                               (struct sockaddr *) &sin);
    }

    if (inet_pton(AF_INET6, ip, &sin6.sin6_addr) == 1) {
        sin6.sin6_port = htons(port);
        return !egress_permits(transfer->request->url,
                               (struct sockaddr *) &sin6);
    }

    return 1;
}


/*
 * The connection stands and the request is about to leave.  A second time
 * means that the first request may have been read by a server which then
 * closed: for a request that must not arrive twice this is the end.
 */
static int
http_on_connected(void *arg, char *primary, char *local, int primary_port,
    int local_port)
{
    http_transfer_t       *transfer;
    const http_request_t  *request;

    (void) local;
    (void) local_port;

    transfer = arg;
    request = transfer->request;

    if (http_forbids(transfer, primary, primary_port)) {
        transfer->forbidden = 1;
        return CURL_PREREQFUNC_ABORT;
    }

    if (transfer->prereqs++ > 0) {
        return request->once ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
    }

    if (request->before_send != NULL
        && request->before_send(request->before_send_data) != 0)
    {
        transfer->refused = 1;
        return CURL_PREREQFUNC_ABORT;
    }

    return CURL_PREREQFUNC_OK;
}
