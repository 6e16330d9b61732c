/*
 * http.h, against a small server that does what the path asks for.
 */

#include "http_server.h"

#include <time.h>

#include "runtime/http.h"


static int   port;
static char  base[64];


static int
group_setup(void **state)
{
    assert_int_equal(unit_loop(state), 0);

    port = start_http_server();
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

    close(fixture_socket(&unused));
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
    assert_int_equal(fixture_count(&seen_cut, 0), 1);

    request.once = 0;
    assert_int_equal(call(&request, "/", &response, arena), HTTP_OK);
    seen_cut = 0;
    assert_int_equal(call(&request, "/cut", &response, arena), HTTP_CUT);
    assert_true(fixture_count(&seen_cut, 0) > 1);

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
    while (fixture_count(&seen_never, 0) == 0) {
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
    fixture_count(&released, 1);
    arena_destroy(arena);
}


static void
test_slow_resolver(void **state)
{
    (void) state;

    unit_run(gives_up_resolving, NULL);
    assert_int_equal(fixture_count(&resolving, 0), 1);
    assert_int_equal(fixture_count(&kept_waiting, 0), 0);
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
           || fixture_count(&seen_never, 0) < 8)
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
