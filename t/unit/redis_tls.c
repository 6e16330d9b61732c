/*
 * redis.h over TLS, on a private Redis: whom it believes, and what passes.
 */

#include "tls_client.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>


static int    port, plain_port;
static pid_t  server;


/* Which certificate it has; clients need one of "ca" when auth is "yes". */
static void
start_server(const char *name, const char *auth)
{
    int    fd;
    char   cert[64], key[64], numbers[2][16];

    snprintf(cert, sizeof(cert), "%s.pem", name);
    snprintf(key, sizeof(key), "%s.key", name);
    snprintf(numbers[0], sizeof(numbers[0]), "%d", port);
    snprintf(numbers[1], sizeof(numbers[1]), "%d", plain_port);

    server = fork();
    if (server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        fd = open("/dev/null", O_RDWR);
        dup2(fd, 0);
        dup2(fd, 1);
        execlp("redis-server", "redis-server", "--bind", "127.0.0.1",
               "--tls-port", numbers[0], "--port", numbers[1], "--save", "",
               "--tls-cert-file", cert, "--tls-key-file", key,
               "--tls-ca-cert-file", "ca.pem", "--tls-auth-clients", auth,
               NULL);
        _exit(127);
    }
}


static void
stop_server(void)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}


static void
assert_echo(const char *text)
{
    redisReply  *reply;

    assert_int_equal(command("ECHO", text, 60000, &reply), REDIS_REPLIED);
    assert_string_equal(reply->str, text);
    freeReplyObject(reply);
}


static int
group_setup(void **state)
{
    assert_int_equal(tls_setup(state), 0);

    certificate_make("other", "DNS:other.test,IP:127.0.0.2", "ca", 1);
    certificate_make("expired", "IP:127.0.0.1", "ca", -1);
    certificate_make("alone", "IP:127.0.0.1", NULL, 1);
    certificate_make("client", "DNS:worker.test", "ca", 1);

    port = fixture_port();
    plain_port = fixture_port();

    return 0;
}


static int  answered;

static void
one_of_many(void *arg)
{
    char  text[16];

    snprintf(text, sizeof(text), "%d", (int) (intptr_t) arg);
    assert_echo(text);
    answered++;
}


static void
many(int n)
{
    intptr_t  i;

    for (answered = 0, i = 0; i < n; i++) {
        assert_non_null(task_start("one", one_of_many, (void *) i));
    }
    while (answered < n) {
        task_sleep(1);
    }
}


static char *
long_text(char fill, size_t len)
{
    char  *text;

    text = malloc(len + 1);
    assert_non_null(text);
    memset(text, fill, len);
    text[len] = '\0';

    return text;
}


static void
works(void *arg)
{
    char  *text;

    meet(port, *(redis_settings_t *) arg);
    many(1000);
    text = long_text('x', 8 * 1024 * 1024);
    assert_echo(text);
    free(text);
    let_go();
}


static void
test_it_works(void **state)
{
    redis_settings_t  by_address = { .ca = "ca.pem" };
    redis_settings_t  by_name = { .ca = "ca.pem", .name = "redis.test" };

    (void) state;
    start_server("good", "no");
    unit_run(works, &by_address);
    unit_run(works, &by_name);
    stop_server();
}


static void
test_client_certificate(void **state)
{
    redis_settings_t  ours = { .ca = "ca.pem", .cert = "client.pem",
                               .key = "client.key" };

    (void) state;
    start_server("good", "yes");
    unit_run(works, &ours);
    stop_server();
}


/* What stands as the system's: OpenSSL lets its environment say it. */
static void
test_the_systems_authorities(void **state)
{
    redis_settings_t  nothing = { .ca = NULL };

    (void) state;
    setenv("SSL_CERT_FILE", "ca.pem", 1);
    start_server("good", "no");
    unit_run(works, &nothing);
    stop_server();
    unsetenv("SSL_CERT_FILE");
}


/* The log must say why; it goes into a pipe meanwhile. */
typedef struct {
    redis_settings_t  settings;
    int               at;
    const char       *reason;
} refusal_t;

static void
is_refused(void *arg)
{
    int          fds[2], saved;
    char         text[4096];
    ssize_t      n;
    refusal_t   *refusal;
    redisReply  *reply;

    refusal = arg;
    assert_int_equal(pipe(fds), 0);
    saved = dup(STDERR_FILENO);
    dup2(fds[1], STDERR_FILENO);

    meet(refusal->at, refusal->settings);
    assert_int_equal(command("PING", NULL, 500, &reply), REDIS_DOWN);
    let_go();

    dup2(saved, STDERR_FILENO);
    close(saved);
    close(fds[1]);
    n = read(fds[0], text, sizeof(text) - 1);
    close(fds[0]);
    assert_true(n >= 0);
    text[n] = '\0';

    if (strstr(text, refusal->reason) == NULL) {
        fail_msg("no \"%s\" in: %s", refusal->reason, text);
    }
}


static void
refused(const char *certificate, const char *auth, refusal_t refusal)
{
    redisReply        *reply;
    char               text[64];
    redis_settings_t   plain = { .url = text };

    start_server(certificate, auth);
    snprintf(text, sizeof(text), "redis://127.0.0.1:%d", plain_port);
    redis = redis_open(&plain, "plain", NULL, NULL, text, sizeof(text));
    assert_non_null(redis);
    assert_int_equal(command("PING", NULL, 60000, &reply), REDIS_REPLIED);
    freeReplyObject(reply);
    let_go();

    is_refused(&refusal);
    stop_server();
}


static void
refuses(void *arg)
{
    (void) arg;

    refused("alone", "no", (refusal_t) {
        .settings.ca = "ca.pem", .at = port,
        .reason = "certificate verify failed: self-signed certificate" });
    refused("good", "no", (refusal_t) {
        .settings.ca = "alone.pem", .at = port,
        .reason = "certificate verify failed: self-signed certificate in "
                  "certificate chain" });
    refused("good", "no", (refusal_t) {
        .settings.ca = NULL, .at = port,
        .reason = "certificate verify failed: self-signed certificate in "
                  "certificate chain" });
    refused("expired", "no", (refusal_t) {
        .settings.ca = "ca.pem", .at = port,
        .reason = "certificate verify failed: certificate has expired" });
    refused("other", "no", (refusal_t) {
        .settings.ca = "ca.pem", .at = port,
        .reason = "the certificate is not for host 127.0.0.1" });
    refused("other", "no", (refusal_t) {
        .settings.ca = "ca.pem", .settings.name = "redis.test", .at = port,
        .reason = "the certificate is not for host redis.test" });
    refused("good", "yes", (refusal_t) {
        .settings.ca = "ca.pem", .at = port,
        .reason = "certificate required" });
    refused("good", "yes", (refusal_t) {
        .settings.ca = "ca.pem", .settings.cert = "alone.pem",
        .settings.key = "alone.key", .at = port,
        .reason = "TLS: tlsv1 alert unknown ca" });
}


static void
test_refusals_are_explained(void **state)
{
    (void) state;
    unit_run(refuses, NULL);
}


static void
test_settings_are_checked(void **state)
{
    size_t  i;
    char    error[256];

    static const struct {
        redis_settings_t  settings;
        const char       *error;
    } wrong[] = {
        { { .url = "redis://x", .ca = "ca.pem" }, "SETTER_REDIS_CA is set, "
          "but SETTER_REDIS_URL is not rediss://" },
        { { .url = "unix:/x", .name = "x" }, "SETTER_REDIS_NAME is set, "
          "but SETTER_REDIS_URL is not rediss://" },
        { { .url = "rediss://x", .cert = "client.pem" }, "SETTER_REDIS_CERT "
          "and SETTER_REDIS_KEY are of use only together" },
        { { .url = "rediss://x", .ca = "none.pem" }, "SETTER_REDIS_CA: "
          "\"none.pem\": No such file or directory" },
        { { .url = "rediss://x", .ca = "ca.key" }, "SETTER_REDIS_CA: "
          "\"ca.key\": no certificate or crl found" },
        { { .url = "rediss://x", .cert = "none.pem", .key = "client.key" },
          "SETTER_REDIS_CERT: \"none.pem\": No such file or directory" },
        { { .url = "rediss://x", .cert = "client.pem", .key = "client.pem" },
          "SETTER_REDIS_KEY: \"client.pem\": " },
        { { .url = "rediss://x", .cert = "client.pem", .key = "alone.key" },
          "SETTER_REDIS_KEY: \"alone.key\": key values mismatch" },
    };

    (void) state;

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        error[0] = '\0';
        assert_null(redis_open(&wrong[i].settings, "x", NULL, NULL, error,
                               sizeof(error)));
        if (strstr(error, wrong[i].error) != error) {
            fail_msg("expected: %s\ngot: %s", wrong[i].error, error);
        }
    }
}


/* The server takes nothing while the output grows, and moves for it. */
static void
one_large(void *arg)
{
    char  *text;

    text = long_text('a' + (char) (intptr_t) arg % 26, 300000);
    assert_echo(text);
    free(text);
    answered++;
}


static void
under_pressure(void *arg)
{
    intptr_t          i;
    redis_settings_t  settings = { .ca = "ca.pem" };

    (void) arg;

    start_server("good", "no");
    meet(port, settings);
    assert_echo("up");
    kill(server, SIGSTOP);

    for (answered = 0, i = 0; i < 60; i++) {
        assert_non_null(task_start("large", one_large, (void *) i));
        task_sleep(1);
    }

    kill(server, SIGCONT);
    while (answered < 60) {
        task_sleep(1);
    }

    assert_int_equal(redis_generation(redis), 1);
    let_go();
    stop_server();
}


static void
test_back_pressure(void **state)
{
    (void) state;
    unit_run(under_pressure, NULL);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_it_works),
        cmocka_unit_test(test_client_certificate),
        cmocka_unit_test(test_the_systems_authorities),
        cmocka_unit_test(test_refusals_are_explained),
        cmocka_unit_test(test_settings_are_checked),
        cmocka_unit_test(test_back_pressure)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("redis_tls", tests, group_setup,
                                       tls_teardown);
}
