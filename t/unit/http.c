/*
 * http.h, against a small server that does what the path asks for.
 */

#include "unit.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "runtime/http.h"


static int                port;
static char               base[64];
static pthread_mutex_t    lock = PTHREAD_MUTEX_INITIALIZER;
static int                seen_cut, seen_never, in_flight, highest, pair;
static int                resolving, released, kept_waiting;


static int count(int *counter, int by);


/* The C library's, but "slow.test" takes until the test lets it go. */
int
getaddrinfo(const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **res)
{
    int   i;
    int (*real)(const char *, const char *, const struct addrinfo *,
                struct addrinfo **);

    if (node != NULL && strcmp(node, "slow.test") == 0) {
        count(&resolving, 1);
        for (i = 0; i < 20000 && count(&released, 0) == 0; i++) {
            usleep(1000);
        }
        count(&kept_waiting, i == 20000);
        return EAI_NONAME;
    }

    *(void **) &real = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(node, service, hints, res);
}


static void
answer(int fd, const char *headers, const char *body, size_t len)
{
    char  head[512];
    int   n;

    n = snprintf(head, sizeof(head),
                 "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n%s\r\n", len,
                 headers);
    send(fd, head, n, MSG_NOSIGNAL);
    send(fd, body, len, MSG_NOSIGNAL);
}


static int
count(int *counter, int by)
{
    int  value;

    pthread_mutex_lock(&lock);
    value = *counter += by;
    pthread_mutex_unlock(&lock);

    return value;
}


/* 0 for the next request, 1 to leave this one unanswered, -1 to close. */
static int
serve_request(int fd, const char *request)
{
    int          i;
    const char  *body;
    static char  large[100000];

    if (strstr(request, " /cut ") != NULL) {
        count(&seen_cut, 1);
        return -1;
    }

    if (strstr(request, " /never ") != NULL) {
        count(&seen_never, 1);
        return 1;
    }

    if (strstr(request, " /half ") != NULL) {
        send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", 41,
             MSG_NOSIGNAL);
        return -1;
    }

    if (strstr(request, " /garbage ") != NULL) {
        send(fd, "\001\002 what?\r\n\r\n", 13, MSG_NOSIGNAL);
        return -1;
    }

    if (strstr(request, " /large ") != NULL) {
        memset(large, 'x', sizeof(large));
        answer(fd, "", large, sizeof(large));
        return 0;
    }

    if (strstr(request, " /later ") != NULL) {
        answer(fd, "retry-after: 1.5\r\n", "", 0);
        return 0;
    }

    if (strstr(request, " /date ") != NULL) {
        answer(fd, "Retry-After: Fri, 01 Jan 2100 00:00:00 GMT\r\n", "", 0);
        return 0;
    }

    if (strstr(request, " /ms ") != NULL) {
        answer(fd, "retry-after: 9\r\nretry-after-ms: 250.5\r\n", "", 0);
        return 0;
    }

    if (strstr(request, " /busy ") != NULL) {
        i = count(&in_flight, 1);
        if (i > highest) {
            highest = i;
        }
        usleep(20000);
        count(&in_flight, -1);
    }

    if (strstr(request, " /drip ") != NULL) {
        send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", 41,
             MSG_NOSIGNAL);
        for (i = 0; i < 900 && send(fd, "x", 1, MSG_NOSIGNAL) == 1; i++) {
            usleep(10000);
        }
        return -1;
    }

    if (strstr(request, " /pair ") != NULL) {
        count(&pair, 1);
        for (i = 0; i < 20000 && count(&pair, 0) < 2; i++) {
            usleep(1000);
        }
        answer(fd, "", i < 20000 ? "both" : "alone", 4);
        return 0;
    }

    body = strstr(request, "\r\n\r\n") + 4;
    answer(fd, "", body, strlen(body));

    return 0;
}


static void *
serve_connection(void *arg)
{
    int      fd;
    char     request[8192], *end, *length;
    size_t   have, body;
    ssize_t  n;

    fd = (int) (intptr_t) arg;
    have = 0;

    for ( ;; ) {
        n = recv(fd, request + have, sizeof(request) - 1 - have, 0);
        if (n <= 0) {
            break;
        }

        have += n;
        request[have] = '\0';
        end = strstr(request, "\r\n\r\n");
        if (end == NULL) {
            continue;
        }

        length = strcasestr(request, "content-length:");
        body = length != NULL ? strtoul(length + 15, NULL, 10) : 0;
        if (have < (size_t) (end + 4 - request) + body) {
            continue;
        }

        if (serve_request(fd, request) == -1) {
            break;
        }
        have = 0;
    }

    close(fd);

    return NULL;
}


static void *
serve(void *arg)
{
    int        fd, listener;
    pthread_t  thread;

    listener = (int) (intptr_t) arg;

    for ( ;; ) {
        fd = accept(listener, NULL, NULL);
        if (fd == -1) {
            return NULL;
        }
        pthread_create(&thread, NULL, serve_connection,
                       (void *) (intptr_t) fd);
        pthread_detach(thread);
    }
}


static int
bound_socket(int *port_of)
{
    int                 fd;
    socklen_t           len;
    struct sockaddr_in  sin;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    len = sizeof(sin);

    fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *) &sin, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *) &sin, &len), 0);
    *port_of = ntohs(sin.sin_port);

    return fd;
}


static int
group_setup(void **state)
{
    int        fd;
    pthread_t  thread;

    assert_int_equal(unit_loop(state), 0);

    fd = bound_socket(&port);
    assert_int_equal(listen(fd, 512), 0);
    pthread_create(&thread, NULL, serve, (void *) (intptr_t) fd);
    pthread_detach(thread);
    snprintf(base, sizeof(base), "http://127.0.0.1:%d", port);

    return http_init(8);
}


static http_error_e
call(http_request_t *request, const char *path, http_response_t *response,
    arena_t *arena)
{
    char  url[128];

    snprintf(url, sizeof(url), "%s%s", base, path);
    request->url = url;
    request->method = request->body != NULL ? "POST" : "GET";
    if (request->timeout_ms == 0) {
        request->timeout_ms = 30000;
    }

    return http_call(request, response, arena);
}


static void
echoes(void *arg)
{
    arena_t          *arena;
    const char       *headers[] = { "Content-Type: text/plain", NULL };
    http_request_t    request = { .body = "hello", .body_len = 5,
                                  .headers = headers };
    http_response_t   response;

    (void) arg;

    arena = arena_create();
    assert_int_equal(call(&request, "/", &response, arena), HTTP_OK);
    assert_int_equal(response.status, 200);
    assert_string_equal(response.body, "hello");
    assert_int_equal(response.body_len, 5);
    assert_int_equal(response.retry_after_ms, -1);
    assert_true(response.may_have_left);
    arena_destroy(arena);
}


static void
test_body_goes_and_comes(void **state)
{
    (void) state;
    unit_run(echoes, NULL);
}


static int
no(void *data)
{
    (*(int *) data)++;
    return 1;
}


static void
outcomes(void *arg)
{
    int               asked, unused;
    char              dead[64];
    arena_t          *arena;
    http_request_t    request = { .body = "x", .body_len = 1 };
    http_response_t   response;

    (void) arg;
    arena = arena_create();

    request.timeout_ms = 1000;
    assert_int_equal(call(&request, "/never", &response, arena),
                     HTTP_TIMEOUT);
    assert_true(response.may_have_left);
    request.timeout_ms = 30000;

    assert_int_equal(call(&request, "/half", &response, arena), HTTP_CUT);
    assert_true(response.may_have_left);
    assert_int_not_equal(call(&request, "/garbage", &response, arena),
                         HTTP_OK);
    assert_true(response.may_have_left);

    request.max_body = 1000;
    assert_int_equal(call(&request, "/large", &response, arena),
                     HTTP_TOO_LARGE);
    request.max_body = 0;
    assert_int_equal(call(&request, "/large", &response, arena), HTTP_OK);
    assert_int_equal(response.body_len, 100000);

    asked = 0;
    request.before_send = no;
    request.before_send_data = &asked;
    assert_int_equal(call(&request, "/", &response, arena), HTTP_REFUSED);
    assert_int_equal(asked, 1);
    assert_false(response.may_have_left);
    request.before_send = NULL;

    close(bound_socket(&unused));
    snprintf(dead, sizeof(dead), "http://127.0.0.1:%d/", unused);
    request.url = dead;
    assert_int_equal(http_call(&request, &response, arena), HTTP_CONNECT);
    assert_false(response.may_have_left);
    assert_true(response.reason[0] != '\0');

    request.url = "file:///etc/hostname";
    assert_int_equal(http_call(&request, &response, arena), HTTP_FAILED);

    arena_destroy(arena);
}


static void
test_each_outcome_says_whether_bytes_left(void **state)
{
    (void) state;
    unit_run(outcomes, NULL);
}


static void
hints(void *arg)
{
    arena_t          *arena;
    http_request_t    request = { .body = NULL };
    http_response_t   response;

    (void) arg;
    arena = arena_create();

    assert_int_equal(call(&request, "/later", &response, arena), HTTP_OK);
    assert_int_equal(response.retry_after_ms, 1500);
    assert_int_equal(call(&request, "/ms", &response, arena), HTTP_OK);
    assert_int_equal(response.retry_after_ms, 250);
    assert_int_equal(call(&request, "/date", &response, arena), HTTP_OK);
    assert_true(response.retry_after_ms
                > (INT64_C(4102444800) - time(NULL) - 60) * 1000);

    arena_destroy(arena);
}


static void
test_retry_after(void **state)
{
    (void) state;
    unit_run(hints, NULL);
}


/*
 * The first request leaves a connection for the second to reuse; the server
 * reads the second and closes.  libcurl would send it again.
 */
static void
cut_after_read(void *arg)
{
    arena_t          *arena;
    http_request_t    request = { .body = "x", .body_len = 1, .once = 1 };
    http_response_t   response;

    (void) arg;
    arena = arena_create();

    assert_int_equal(call(&request, "/", &response, arena), HTTP_OK);
    seen_cut = 0;
    assert_int_equal(call(&request, "/cut", &response, arena), HTTP_CUT);
    assert_true(response.may_have_left);
    assert_int_equal(count(&seen_cut, 0), 1);

    request.once = 0;
    assert_int_equal(call(&request, "/", &response, arena), HTTP_OK);
    seen_cut = 0;
    assert_int_equal(call(&request, "/cut", &response, arena), HTTP_CUT);
    assert_true(count(&seen_cut, 0) > 1);

    arena_destroy(arena);
}


static void
test_once_is_once(void **state)
{
    (void) state;
    unit_run(cut_after_read, NULL);
}


static int  busy_done;

static void
busy(void *arg)
{
    arena_t          *arena;
    http_request_t    request = { .body = "b", .body_len = 1 };
    http_response_t   response;

    (void) arg;
    arena = arena_create();
    assert_int_equal(call(&request, "/busy", &response, arena), HTTP_OK);
    assert_string_equal(response.body, "b");
    arena_destroy(arena);
    busy_done++;
}


static void
test_a_host_has_so_many_slots(void **state)
{
    int  i;

    (void) state;

    for (i = 0; i < 100; i++) {
        task_start("busy", busy, NULL);
    }
    loop_run();
    assert_int_equal(busy_done, 100);
    assert_in_range(highest, 2, 8);
}


static http_error_e  ended;

static void
waits(void *arg)
{
    arena_t          *arena;
    http_request_t    request = { .body = "b", .body_len = 1 };
    http_response_t   response;

    (void) arg;
    arena = arena_create();
    ended = call(&request, "/never", &response, arena);
    assert_true(response.may_have_left);
    arena_destroy(arena);
}


static void
cancels(void *arg)
{
    while (count(&seen_never, 0) == 0) {
        task_sleep(1);
    }
    task_cancel(arg);
}


static void
test_cancel(void **state)
{
    (void) state;

    ended = HTTP_OK;
    seen_never = 0;
    task_start("cancels", cancels, task_start("waits", waits, NULL));
    loop_run();
    assert_int_equal(ended, HTTP_CANCELLED);
    unit_run(echoes, NULL);
}


/* A body that trickles in does not put the deadline off. */
static void
drips(void *arg)
{
    arena_t          *arena;
    http_request_t    request = { .timeout_ms = 1000 };
    http_response_t   response;

    (void) arg;
    arena = arena_create();
    assert_int_equal(call(&request, "/drip", &response, arena),
                     HTTP_TIMEOUT);
    assert_true(response.may_have_left);
    arena_destroy(arena);
}


static void
test_total_deadline(void **state)
{
    (void) state;
    unit_run(drips, NULL);
}


/* What speaks no TLS is never sent a request. */
static void
no_tls(void *arg)
{
    char              url[64];
    arena_t          *arena;
    http_request_t    request = { .method = "GET", .timeout_ms = 200 };
    http_response_t   response;

    (void) arg;
    arena = arena_create();
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/", port);
    request.url = url;
    assert_int_equal(http_call(&request, &response, arena), HTTP_TIMEOUT);
    assert_false(response.may_have_left);
    assert_int_equal(response.status, 0);
    arena_destroy(arena);
}


static void
test_no_tls(void **state)
{
    (void) state;
    unit_run(no_tls, NULL);
}


static void
asks_for_pair(void *arg)
{
    char              url[64];
    arena_t          *arena;
    http_request_t    request = { .method = "GET", .timeout_ms = 60000 };
    http_response_t   response;

    (void) arg;
    arena = arena_create();
    snprintf(url, sizeof(url), "http://localhost:%d/pair", port);
    request.url = url;
    assert_int_equal(http_call(&request, &response, arena), HTTP_OK);
    assert_string_equal(response.body, "both");
    arena_destroy(arena);
}


/*
 * In the clear no call waits for another one's response, not even where
 * there is no connection yet (to that name).
 */
static void
test_first_calls_go_together(void **state)
{
    (void) state;

    pair = 0;
    task_start("pair", asks_for_pair, NULL);
    unit_run(asks_for_pair, NULL);
}


/* Giving up a call does not wait for the resolver. */
static void
gives_up_resolving(void *arg)
{
    arena_t          *arena;
    http_request_t    request = { .method = "GET", .timeout_ms = 200,
                                  .url = "http://slow.test/" };
    http_response_t   response;

    (void) arg;
    arena = arena_create();
    assert_int_equal(http_call(&request, &response, arena), HTTP_TIMEOUT);
    assert_false(response.may_have_left);
    count(&released, 1);
    arena_destroy(arena);
}


static void
test_slow_resolver(void **state)
{
    (void) state;

    unit_run(gives_up_resolving, NULL);
    assert_int_equal(count(&resolving, 0), 1);
    assert_int_equal(count(&kept_waiting, 0), 0);
}


static http_error_e  left_line[10];

static void
stands_in_line(void *arg)
{
    int               i;
    arena_t          *arena;
    http_request_t    request = { .timeout_ms = 60000 };
    http_response_t   response;

    i = (int) (intptr_t) arg;
    request.timeout_ms = i == 8 ? 100 : 60000;

    arena = arena_create();
    left_line[i] = call(&request, "/never", &response, arena);
    assert_int_equal(response.may_have_left, i < 8);
    arena_destroy(arena);
}


/* Who stands in line for a host can time out, and be cancelled. */
static void
leaves_line(void *arg)
{
    int      i;
    task_t  *task[10];

    (void) arg;

    for (i = 0; i < 10; i++) {
        left_line[i] = HTTP_OK;
        task[i] = task_start("in line", stands_in_line, (void *) (intptr_t) i);
    }

    task_sleep(0);
    task_cancel(task[9]);
    while (left_line[8] == HTTP_OK || left_line[9] == HTTP_OK
           || count(&seen_never, 0) < 8)
    {
        task_sleep(1);
    }

    assert_int_equal(left_line[8], HTTP_TIMEOUT);
    assert_int_equal(left_line[9], HTTP_CANCELLED);

    for (i = 0; i < 8; i++) {
        assert_int_equal(left_line[i], HTTP_OK);
        task_cancel(task[i]);
    }
}


static void
test_leaving_the_line(void **state)
{
    (void) state;

    seen_never = 0;
    unit_run(leaves_line, NULL);
    unit_run(echoes, NULL);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_body_goes_and_comes),
        cmocka_unit_test(test_each_outcome_says_whether_bytes_left),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_once_is_once),
        cmocka_unit_test(test_a_host_has_so_many_slots),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_total_deadline),
        cmocka_unit_test(test_no_tls),
        cmocka_unit_test(test_first_calls_go_together),
        cmocka_unit_test(test_slow_resolver),
        cmocka_unit_test(test_leaving_the_line)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("http", tests, group_setup, NULL);
}
