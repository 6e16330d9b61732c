/*
 * egress.h, and the calls of http.h that obey it, against a small server on
 * loopback.
 */

#include "http_server.h"

#include "runtime/egress.h"
#include "runtime/http.h"


static int   port;


static int
group_setup(void **state)
{
    assert_int_equal(unit_loop(state), 0);

    port = start_http_server();

    return http_init(8);
}


static int
is_public(const char *text)
{
    struct sockaddr_in   sin = { .sin_family = AF_INET };
    struct sockaddr_in6  sin6 = { .sin6_family = AF_INET6 };

    if (inet_pton(AF_INET, text, &sin.sin_addr) == 1) {
        return egress_public((struct sockaddr *) &sin);
    }

    assert_int_equal(inet_pton(AF_INET6, text, &sin6.sin6_addr), 1);
    return egress_public((struct sockaddr *) &sin6);
}


static void
test_what_is_not_public(void **state)
{
    size_t           i;
    struct sockaddr  local = { .sa_family = AF_UNIX };

    static const char *const  table[] = {
        "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255",
        "100.64.0.0", "100.127.255.255", "127.0.0.1", "127.255.255.255",
        "169.254.0.0", "169.254.169.254", "172.16.0.0", "172.31.255.255",
        "192.0.0.0", "192.0.0.255", "192.0.2.1", "192.88.99.1", "192.168.0.0",
        "192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.7",
        "203.0.113.7", "224.0.0.1", "239.255.255.255", "240.0.0.0",
        "255.255.255.255",
        "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::a00:1", "64:ff9b:1::1", "100::1", "2001::1",
        "2001:1ff:ffff::1", "2001:db8::1", "2002:7f00:1::1", "3fff::1",
        "3fff:fff::1", "4000::1", "5f00::1", "fc00::1", "fd12:3456::1",
        "fe80::1", "fec0::1", "ff02::1"
    };

    (void) state;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (is_public(table[i])) {
            fail_msg("%s counts as public", table[i]);
        }
    }

    assert_false(egress_public(&local));
}


static void
test_what_is_public(void **state)
{
    size_t  i;

    static const char *const  table[] = {
        "1.0.0.0", "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255",
        "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255",
        "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0",
        "192.0.3.0", "192.167.255.255", "192.169.0.0", "198.17.255.255",
        "198.20.0.0", "203.0.112.255", "203.0.114.0", "223.255.255.255",
        "2000::1", "2001:200::1", "2001:4860:4860::8888", "2001:db7::1",
        "2001:db9::1", "2003::1", "2606:4700::1111", "3ffe::1",
        "3fff:1000::1", "::ffff:1.1.1.1", "64:ff9b::101:101"
    };

    (void) state;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (!is_public(table[i])) {
            fail_msg("%s does not count as public", table[i]);
        }
    }
}


static void
test_a_wrong_entry_is_named(void **state)
{
    size_t  i;
    char    error[320];

    static const char *const  table[] = {
        "localhost", "localhost:", ":80", "localhost:0", "localhost:65536",
        "localhost:99999999999999999999", "localhost:80x", "::1:80", "[]:80",
        "[::1]", "http://localhost:80/", "localhost:http"
    };

    (void) state;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (egress_allow(table[i], error, sizeof(error)) != -1
            || strstr(error, table[i]) == NULL)
        {
            fail_msg("%s was taken for an entry", table[i]);
        }
    }

    assert_int_equal(egress_allow("a:1, b.example:2", error, sizeof(error)),
                     0);
    assert_int_equal(egress_allow("a:1,b", error, sizeof(error)), -1);
    assert_non_null(strstr(error, "\"b\""));
    assert_int_equal(egress_allow(NULL, error, sizeof(error)), 0);
    assert_int_equal(egress_allow(" , ", error, sizeof(error)), 0);
}


static int
permits(const char *list, const char *url, const char *address, int to)
{
    char                 error[320];
    struct sockaddr_in   sin = { .sin_family = AF_INET };
    struct sockaddr_in6  sin6 = { .sin6_family = AF_INET6 };

    assert_int_equal(egress_allow(list, error, sizeof(error)), 0);

    if (inet_pton(AF_INET, address, &sin.sin_addr) == 1) {
        sin.sin_port = htons(to);
        return egress_permits(url, (struct sockaddr *) &sin);
    }

    assert_int_equal(inet_pton(AF_INET6, address, &sin6.sin6_addr), 1);
    sin6.sin6_port = htons(to);
    return egress_permits(url, (struct sockaddr *) &sin6);
}


static void
test_the_list_lets_through_just_what_it_names(void **state)
{
    const char  *list = "one.internal:8080,10.0.0.2:443 [fd00:0::5]:80";

    (void) state;

    assert_true(permits(list, "http://one.internal:8080/", "10.0.0.1", 8080));
    assert_true(permits(list, "http://ONE.internal:8080/", "10.0.0.1", 8080));
    assert_false(permits(list, "http://one.internal/", "10.0.0.1", 80));
    assert_false(permits(list, "http://one.internal.x:8080/", "10.0.0.1",
                         8080));
    assert_false(permits(list, "http://one.internal:8080@x.test/", "10.0.0.1",
                         80));
    assert_true(permits(list, "https://two.example/", "10.0.0.2", 443));
    assert_true(permits(list, "https://10.0.0.2/", "10.0.0.2", 443));
    assert_false(permits(list, "http://two.example/", "10.0.0.2", 80));
    assert_false(permits(list, "https://two.example/", "10.0.0.3", 443));
    assert_true(permits(list, "http://[fd00::5]/", "fd00::5", 80));
    assert_true(permits(list, "http://three.example/", "fd00::5", 80));
    assert_false(permits(list, "http://[fd00::6]/", "fd00::6", 80));
    assert_true(permits(list, "http://four.example/", "1.1.1.1", 80));
    assert_true(permits("", "http://four.example/", "1.1.1.1", 80));
    assert_false(permits("", "http://four.example/", "127.0.0.1", 80));
}


static http_error_e
call(const char *host, const char *list, int egress,
    http_response_t *response, arena_t *arena)
{
    char            url[128], error[320];
    http_request_t  request = { .method = "POST", .body = "hello",
                                .body_len = 5, .timeout_ms = 30000 };

    assert_int_equal(egress_allow(list, error, sizeof(error)), 0);
    snprintf(url, sizeof(url), "http://%s:%d/", host, port);
    request.url = url;
    request.egress = egress;

    return http_call(&request, response, arena);
}


static void
refuses(void *arg)
{
    size_t            i;
    arena_t          *arena;
    http_response_t   response;

    static const char *const  hosts[] = {
        "127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"
    };

    (void) arg;

    arena = arena_create();

    for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        assert_int_equal(call(hosts[i], NULL, 1, &response, arena),
                         HTTP_FORBIDDEN);
        assert_false(response.may_have_left);
        assert_non_null(strstr(response.reason, "SETTER_EGRESS_ALLOW"));
    }

    arena_destroy(arena);
}


static void
test_loopback_is_refused_however_it_is_written(void **state)
{
    (void) state;
    unit_run(refuses, NULL);
}


static void
reuses(void *arg)
{
    char              list[64];
    arena_t          *arena;
    http_response_t   response;

    (void) arg;

    arena = arena_create();
    snprintf(list, sizeof(list), "127.0.0.1:%d", port);

    /* one that nobody checks, which leaves its connection to the next */
    assert_int_equal(call("127.0.0.1", NULL, 0, &response, arena), HTTP_OK);
    assert_int_equal(call("127.0.0.1", NULL, 1, &response, arena),
                     HTTP_FORBIDDEN);
    assert_false(response.may_have_left);

    assert_int_equal(call("127.0.0.1", list, 1, &response, arena), HTTP_OK);
    assert_string_equal(response.body, "hello");
    assert_int_equal(call("127.0.0.1", list, 1, &response, arena), HTTP_OK);

    arena_destroy(arena);
}


static void
test_a_connection_that_stands_is_no_way_around(void **state)
{
    (void) state;
    unit_run(reuses, NULL);
}


static void
ignores_proxy(void *arg)
{
    char              list[64];
    arena_t          *arena;
    http_response_t   response;

    (void) arg;

    arena = arena_create();
    snprintf(list, sizeof(list), "127.0.0.1:%d", port);
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    assert_int_equal(call("127.0.0.1", list, 1, &response, arena), HTTP_OK);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
    arena_destroy(arena);
}


static void
test_no_proxy_of_the_environment(void **state)
{
    (void) state;
    unit_run(ignores_proxy, NULL);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_what_is_not_public),
        cmocka_unit_test(test_what_is_public),
        cmocka_unit_test(test_a_wrong_entry_is_named),
        cmocka_unit_test(test_the_list_lets_through_just_what_it_names),
        cmocka_unit_test(test_loopback_is_refused_however_it_is_written),
        cmocka_unit_test(test_a_connection_that_stands_is_no_way_around),
        cmocka_unit_test(test_no_proxy_of_the_environment)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("egress", tests, group_setup, NULL);
}
