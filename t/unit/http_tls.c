/*
 * http.h over TLS, where nginx answers by HTTP/2: with a certificate that is
 * trusted, and with one that is not.
 */

#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "certificate.h"
#include "runtime/http.h"


static char   dir[64], url[64];
static pid_t  server;


/* The inner server answers once the outer one has read the request whole. */
static void
write_configuration(int port)
{
    FILE  *file;

    file = fopen("nginx.conf", "w");
    fprintf(file,
            "daemon off;\nmaster_process off;\npid pid;\n"
            "events { worker_connections 2000; }\n"
            "http {\n"
            "    access_log off;\n"
            "    client_body_temp_path body;\n"
            "    proxy_temp_path proxy;\n"
            "    fastcgi_temp_path fastcgi;\n"
            "    uwsgi_temp_path uwsgi;\n"
            "    scgi_temp_path scgi;\n"
            "    ssl_certificate %s/cert.pem;\n"
            "    ssl_certificate_key %s/cert.key;\n"
            "    server {\n"
            "        listen 127.0.0.1:%d ssl http2;\n"
            "        location / {\n"
            "            proxy_set_header X-Protocol $server_protocol;\n"
            "            proxy_pass http://unix:%s/inner;\n"
            "        }\n"
            "    }\n"
            "    server {\n"
            "        listen unix:%s/inner;\n"
            "        return 200 $http_x_protocol;\n"
            "    }\n"
            "}\n", dir, dir, port, dir, dir);
    fclose(file);
}


static int
connect_to(int port, int *fd)
{
    struct sockaddr_in  sin;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sin.sin_port = htons((uint16_t) port);
    *fd = socket(AF_INET, SOCK_STREAM, 0);

    return connect(*fd, (struct sockaddr *) &sin, sizeof(sin));
}


static int
group_setup(void **state)
{
    int  i, fd, port;

    assert_int_equal(unit_loop(state), 0);

    snprintf(dir, sizeof(dir), "/tmp/setter-tls-XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);

    port = fixture_port();
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/", port);
    certificate_make("cert", "IP:127.0.0.1", NULL, 1);
    write_configuration(port);

    server = fork();
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        fd = open("nginx.log", O_WRONLY | O_CREAT, 0600);
        dup2(fd, 2);
        execlp("nginx", "nginx", "-p", dir, "-e", "stderr", "-c",
               "nginx.conf", NULL);
        _exit(127);
    }

    for (i = 0; i < 3000 && connect_to(port, &fd) != 0; i++) {
        close(fd);
        usleep(10000);
    }
    close(fd);

    unsetenv("SSL_CERT_FILE");
    return http_init(100);
}


static int
group_teardown(void **state)
{
    (void) state;

    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    fixture_remove(dir);

    return 0;
}


static http_error_e
call(http_response_t *response, arena_t *arena)
{
    http_request_t  request = { .method = "POST", .url = url, .body = "{}",
                                .body_len = 2, .timeout_ms = 60000 };

    return http_call(&request, response, arena);
}


static void
distrusts(void *arg)
{
    arena_t          *arena;
    http_response_t   response;

    (void) arg;
    arena = arena_create();
    assert_int_equal(call(&response, arena), HTTP_CONNECT);
    assert_false(response.may_have_left);
    assert_non_null(strstr(response.reason, "certificate"));
    arena_destroy(arena);
}


static void
test_unknown_certificate(void **state)
{
    (void) state;
    unit_run(distrusts, NULL);
}


static int  done;

static void
calls_often(void *arg)
{
    int               i;
    arena_t          *arena;
    http_response_t   response;

    (void) arg;
    arena = arena_create();

    for (i = 0; i < 5; i++) {
        call(&response, arena);
        assert_string_equal(response.reason, "");
        assert_int_equal(response.status, 200);
        assert_string_equal(response.body, "HTTP/2.0");
        done++;
    }

    arena_destroy(arena);
}


static void
starts_anew(void *arg)
{
    (void) arg;

    http_free();
    task_sleep(1);
    setenv("SSL_CERT_FILE", "cert.pem", 1);
    assert_int_equal(http_init(100), 0);
}


/* Many calls on few connections, one after the other and at once. */
static void
test_http2(void **state)
{
    int  i;

    (void) state;

    unit_run(starts_anew, NULL);
    unit_run(calls_often, NULL);

    for (i = 0; i < 200; i++) {
        task_start("calls", calls_often, NULL);
    }
    loop_run();
    assert_int_equal(done, 5 * 201);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_unknown_certificate),
        cmocka_unit_test(test_http2)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("http_tls", tests, group_setup,
                                       group_teardown);
}
