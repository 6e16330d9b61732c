/*
 * redis.h, with a server that does to TLS what Redis never does, and behind a
 * relay that tears records to pieces.
 */

#include "tls_client.h"

#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>


#define PEER_LONG  5000


/*
 * A server with a will of its own: it answers "OK" to each command, and does
 * before or after that what the command asks for.
 */
typedef struct {
    int        listener;
    int        port;
    int        version;
    int        silent;      /* it does not answer the handshake */
    int        connections;
    pthread_t  thread;
} peer_t;

/* A ticket of several records. */
static int
peer_ticket(SSL *ssl, void *arg)
{
    char  data[1500];

    (void) arg;
    memset(data, 0, sizeof(data));

    return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), data,
                                           sizeof(data));
}


static void
peer_answer_long(SSL *ssl)
{
    int   len;
    char  text[PEER_LONG + 32];

    len = sprintf(text, "$%d\r\n", PEER_LONG);
    memset(text + len, 'x', PEER_LONG);
    memcpy(text + len + PEER_LONG, "\r\n", 2);
    SSL_write(ssl, text, len + PEER_LONG + 2);
}


static void
peer_answer(SSL *ssl, const char *text)
{
    if (strstr(text, "RENEGOTIATE") != NULL) {
        SSL_renegotiate(ssl);
        SSL_do_handshake(ssl);
    }

    if (strstr(text, "TICKET") != NULL) {
        SSL_new_session_ticket(ssl);
        SSL_do_handshake(ssl);
    }

    if (strstr(text, "REKEY") != NULL) {
        SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
        SSL_do_handshake(ssl);
    }

    if (strstr(text, "LONG") != NULL) {
        peer_answer_long(ssl);
        return;
    }

    if (strstr(text, "JUNK") != NULL) {
        send(SSL_get_fd(ssl), "these are no TLS records", 24, MSG_NOSIGNAL);
        return;
    }

    if (strstr(text, "CUT") != NULL) {
        shutdown(SSL_get_fd(ssl), SHUT_RDWR);
        return;
    }

    if (strstr(text, "END") != NULL) {
        SSL_shutdown(ssl);
        return;
    }

    SSL_write(ssl, "+OK\r\n", 5);
}


/* One connection after the other; no command is in two records. */
static void *
peer_run(void *arg)
{
    int       fd, n;
    SSL      *ssl;
    char      text[4096], *word, *rest;
    peer_t   *peer;
    SSL_CTX  *ctx;

    peer = arg;
    ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_max_proto_version(ctx, peer->version);
    SSL_CTX_set_max_send_fragment(ctx, 512);
    SSL_CTX_set_session_ticket_cb(ctx, peer_ticket, NULL, NULL);
    assert_int_equal(SSL_CTX_use_certificate_file(ctx, "good.pem",
                                                  SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, "good.key",
                                                 SSL_FILETYPE_PEM), 1);

    while ((fd = accept(peer->listener, NULL, NULL)) != -1) {
        fixture_count(&peer->connections, 1);
        ssl = SSL_new(ctx);
        SSL_set_fd(ssl, fd);

        if (peer->silent) {
            while (recv(fd, text, sizeof(text), 0) > 0) { /* void */ }

        } else if (SSL_accept(ssl) == 1) {
            while ((n = SSL_read(ssl, text, sizeof(text) - 1)) > 0) {
                text[n] = '\0';
                for (word = strtok_r(text, "*", &rest); word != NULL;
                     word = strtok_r(NULL, "*", &rest))
                {
                    peer_answer(ssl, word);
                }
            }
        }

        SSL_free(ssl);
        close(fd);
    }

    SSL_CTX_free(ctx);

    return NULL;
}


static void
peer_start(peer_t *peer)
{
    peer->listener = fixture_socket(&peer->port);
    assert_int_equal(listen(peer->listener, 16), 0);
    pthread_create(&peer->thread, NULL, peer_run, peer);
}


/* When nobody is connected any more. */
static void
peer_stop(peer_t *peer)
{
    shutdown(peer->listener, SHUT_RDWR);
    pthread_join(peer->thread, NULL);
    close(peer->listener);
}


static void
assert_ok(const char *what)
{
    redisReply  *reply;

    assert_int_equal(command(what, NULL, 60000, &reply), REDIS_REPLIED);
    assert_string_equal(reply->str, "OK");
    freeReplyObject(reply);
}


/* Forwards byte by byte, both ways: few records arrive whole. */
typedef struct {
    int        listener;
    int        port;
    int        to;
    pthread_t  thread;
} relay_t;

static void *
relay(void *arg)
{
    int                 i, on, fds[2];
    char                byte;
    relay_t            *me;
    struct pollfd       polls[2];
    struct sockaddr_in  sin;

    me = arg;
    on = 1;
    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sin.sin_port = htons((uint16_t) me->to);

    fds[0] = accept(me->listener, NULL, NULL);
    fds[1] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fds[1], (struct sockaddr *) &sin, sizeof(sin)),
                     0);

    for (i = 0; i < 2; i++) {
        setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        polls[i].fd = fds[i];
        polls[i].events = POLLIN;
    }

    while (poll(polls, 2, -1) > 0) {
        for (i = 0; i < 2; i++) {
            if (polls[i].revents == 0) {
                continue;
            }
            if (recv(fds[i], &byte, 1, 0) != 1) {
                goto done;
            }
            send(fds[1 - i], &byte, 1, MSG_NOSIGNAL);
        }
        usleep(20);
    }

done:

    close(fds[0]);
    close(fds[1]);

    return NULL;
}


/* For one connection to that port, which is ours until relay_stop(). */
static void
relay_start(relay_t *me, int to)
{
    me->to = to;
    me->listener = fixture_socket(&me->port);
    assert_int_equal(listen(me->listener, 16), 0);
    pthread_create(&me->thread, NULL, relay, me);
    meet(me->port, (redis_settings_t) { .ca = "ca.pem" });
}


static void
relay_stop(relay_t *me)
{
    let_go();
    pthread_join(me->thread, NULL);
    close(me->listener);
}


static void
in_pieces(void *arg)
{
    peer_t       peer = { .version = TLS1_3_VERSION };
    relay_t      me;
    redisReply  *reply;

    (void) arg;
    peer_start(&peer);
    relay_start(&me, peer.port);

    assert_ok("PING");
    assert_int_equal(command("LONG", NULL, 60000, &reply), REDIS_REPLIED);
    assert_int_equal(reply->len, PEER_LONG);
    freeReplyObject(reply);
    assert_ok("PING");

    assert_int_equal(redis_generation(redis), 1);
    relay_stop(&me);
    peer_stop(&peer);
}


static void
test_records_in_pieces(void **state)
{
    (void) state;
    unit_run(in_pieces, NULL);
}


/* New keys in the middle; Redis itself never asks for them. */
static void
rekeyed(void *arg)
{
    int        i;
    peer_t     peer = { .version = TLS1_3_VERSION };

    (void) arg;
    peer_start(&peer);
    meet(peer.port, (redis_settings_t) { .ca = "ca.pem" });

    for (i = 0; i < 10; i++) {
        assert_ok("REKEY");
        assert_ok("PING");
    }

    assert_int_equal(redis_generation(redis), 1);
    let_go();
    peer_stop(&peer);
}


static void
test_new_keys(void **state)
{
    (void) state;
    unit_run(rekeyed, NULL);
}


static int  answered;

/* A command is written while a ticket arrives in pieces. */
static void
asks_for_a_ticket(void *arg)
{
    (void) arg;
    assert_ok("TICKET");
    answered++;
}


static void
pings_meanwhile(void *arg)
{
    task_sleep((intptr_t) arg);
    assert_ok("PING");
    answered++;
}


static void
ticketed(void *arg)
{
    intptr_t   i;
    peer_t     peer = { .version = TLS1_3_VERSION };
    relay_t    me;

    (void) arg;
    peer_start(&peer);
    relay_start(&me, peer.port);
    for (i = 20; i <= 200; i += 20) {
        answered = 0;
        task_start("ticket", asks_for_a_ticket, NULL);
        task_start("ping", pings_meanwhile, (void *) i);
        while (answered < 2) {
            task_sleep(1);
        }
    }
    assert_int_equal(redis_generation(redis), 1);
    relay_stop(&me);
    peer_stop(&peer);
}


static void
test_tickets(void **state)
{
    (void) state;
    unit_run(ticketed, NULL);
}


/* It is not agreed to; this server gives up then. */
static void
renegotiated(void *arg)
{
    peer_t     peer = { .version = TLS1_2_VERSION };

    (void) arg;
    peer_start(&peer);
    meet(peer.port, (redis_settings_t) { .ca = "ca.pem" });

    assert_ok("PING");
    assert_ok("RENEGOTIATE");
    while (redis_generation(redis) < 2) {
        task_sleep(1);
    }
    assert_ok("PING");
    let_go();
    peer_stop(&peer);
}


static void
test_renegotiation(void **state)
{
    (void) state;
    unit_run(renegotiated, NULL);
}


/* However the connection ends, what was sent is unknown, and it comes back. */
static void
ended(void *arg)
{
    peer_t       peer = { .version = TLS1_3_VERSION };
    unsigned     i;
    redisReply  *reply;

    static const char *const  ends[] = { "END", "CUT", "JUNK" };

    (void) arg;
    peer_start(&peer);
    meet(peer.port, (redis_settings_t) { .ca = "ca.pem" });

    for (i = 0; i < 3; i++) {
        assert_int_equal(command(ends[i], NULL, 60000, &reply),
                         REDIS_UNKNOWN);
        assert_ok("PING");
        assert_int_equal(redis_generation(redis), i + 2);
    }

    let_go();
    peer_stop(&peer);
}


static void
test_ends(void **state)
{
    (void) state;
    unit_run(ended, NULL);
}


/* Who says nothing is left when connecting has taken too long. */
static void
silent(void *arg)
{
    peer_t     peer = { .version = TLS1_3_VERSION, .silent = 1 };

    (void) arg;
    peer_start(&peer);
    meet(peer.port, (redis_settings_t) { .ca = "ca.pem" });

    while (fixture_count(&peer.connections, 0) < 2) {
        task_sleep(10);
    }

    assert_false(redis_ready(redis));
    let_go();
    peer_stop(&peer);
}


static void
test_silence(void **state)
{
    (void) state;
    unit_run(silent, NULL);
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_records_in_pieces),
        cmocka_unit_test(test_new_keys),
        cmocka_unit_test(test_tickets),
        cmocka_unit_test(test_renegotiation),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_silence)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests_name("redis_tls_peer", tests, tls_setup,
                                       tls_teardown);
}
