/*
 * libcurl's multi interface on libuv: which sockets and which timer libcurl
 * wants watched, and what becomes of that.
 *
 * libcurl's callbacks only start and stop libuv's handles (and assign them,
 * which libcurl allows): nothing that acts on a transfer is called in them.
 */

#include <stdlib.h>

#include "runtime/http_parts.h"
#include "runtime/loop.h"


/* A socket of libcurl's, from its first mention to CURL_POLL_REMOVE. */
typedef struct {
    uv_poll_t      poll;
    curl_socket_t  fd;
} http_socket_t;


static int http_on_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
    void *socket_arg);
static void http_give_up(CURL *easy);
static http_socket_t *http_socket_create(curl_socket_t fd);
static void http_socket_free(uv_handle_t *handle);
static void http_on_ready(uv_poll_t *poll, int status, int events);
static int http_on_timer_wanted(CURLM *multi, long timeout_ms, void *arg);
static void http_on_timer(uv_timer_t *timer);
static void http_act(curl_socket_t fd, int events);


static CURLM       *http_multi;
static uv_timer_t   http_timer;


int
http_loop_init(long max_idle)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return -1;
    }

    http_multi = curl_multi_init();

    if (http_multi == NULL || uv_timer_init(loop_uv(), &http_timer) != 0) {
        return -1;
    }

    curl_multi_setopt(http_multi, CURLMOPT_SOCKETFUNCTION, http_on_socket);
    curl_multi_setopt(http_multi, CURLMOPT_TIMERFUNCTION,
                      http_on_timer_wanted);

    /* libcurl's own limit shrinks with each call that ends, and would close
     * what the next burst needs */
    curl_multi_setopt(http_multi, CURLMOPT_MAXCONNECTS, max_idle);

    return 0;
}


void
http_loop_free(void)
{
    curl_multi_cleanup(http_multi);
    http_multi = NULL;
    uv_close((uv_handle_t *) &http_timer, NULL);
    curl_global_cleanup();
}


int
http_loop_add(http_transfer_t *transfer)
{
    return curl_multi_add_handle(http_multi, transfer->easy) == CURLM_OK
           ? 0 : -1;
}


void
http_loop_remove(http_transfer_t *transfer)
{
    curl_multi_remove_handle(http_multi, transfer->easy);
}


static int
http_on_socket(CURL *easy, curl_socket_t fd, int what, void *arg,
    void *socket_arg)
{
    int             events;
    http_socket_t  *socket;

    (void) easy;
    (void) arg;

    socket = socket_arg;

    if (what == CURL_POLL_REMOVE) {
        if (socket != NULL) {
            uv_poll_stop(&socket->poll);
            uv_close((uv_handle_t *) &socket->poll, http_socket_free);
        }
        return 0;
    }

    if (socket == NULL) {
        socket = http_socket_create(fd);
        if (socket == NULL) {
            http_give_up(easy);
            return 0;
        }
        curl_multi_assign(http_multi, fd, socket);
    }

    events = (what & CURL_POLL_IN ? UV_READABLE : 0)
             | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);

    if (uv_poll_start(&socket->poll, events, http_on_ready) != 0) {
        http_give_up(easy);
    }

    return 0;
}


/*
 * Nothing will be heard of the transfer's socket.  To be told so libcurl
 * would take for the end of all transfers, these and any to come.
 */
static void
http_give_up(CURL *easy)
{
    http_transfer_t  *transfer;

    transfer = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **) &transfer);

    /* one that only closes a connection is nobody's */

    if (transfer != NULL && !transfer->done) {
        transfer->result = CURLE_OUT_OF_MEMORY;
        transfer->given_up = 1;
        task_wake(transfer->task);
    }
}


static http_socket_t *
http_socket_create(curl_socket_t fd)
{
    http_socket_t  *socket;

    socket = malloc(sizeof(http_socket_t));
    if (socket == NULL) {
        return NULL;
    }

    if (uv_poll_init_socket(loop_uv(), &socket->poll, fd) != 0) {
        free(socket);
        return NULL;
    }

    socket->fd = fd;

    return socket;
}


static void
http_socket_free(uv_handle_t *handle)
{
    free(handle);       /* the poll is the socket's first member */
}


static void
http_on_ready(uv_poll_t *poll, int status, int events)
{
    int             what;
    http_socket_t  *socket;

    socket = (http_socket_t *) poll;
    what = (events & UV_READABLE ? CURL_CSELECT_IN : 0)
           | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);

    http_act(socket->fd, status < 0 ? CURL_CSELECT_ERR : what);
}


/* timeout_ms: 0 is at once, -1 never. */
static int
http_on_timer_wanted(CURLM *multi, long timeout_ms, void *arg)
{
    (void) multi;
    (void) arg;

    if (timeout_ms < 0) {
        uv_timer_stop(&http_timer);
        return 0;
    }

    return uv_timer_start(&http_timer, http_on_timer, (uint64_t) timeout_ms,
                          0) == 0 ? 0 : -1;
}


static void
http_on_timer(uv_timer_t *timer)
{
    (void) timer;
    http_act(CURL_SOCKET_TIMEOUT, 0);
}


/* Lets libcurl work, and wakes the tasks whose transfers are over. */
static void
http_act(curl_socket_t fd, int events)
{
    int               running, left;
    CURL             *easy;
    CURLMsg          *message;
    http_transfer_t  *transfer;

    curl_multi_socket_action(http_multi, fd, events, &running);

    while ((message = curl_multi_info_read(http_multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }

        easy = message->easy_handle;
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **) &transfer);
        transfer->result = message->data.result;
        transfer->done = 1;
        curl_multi_remove_handle(http_multi, easy);
        task_wake(transfer->task);
    }
}
