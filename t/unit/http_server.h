/*
 * A small HTTP server in threads, which does what the path asks for.
 */

#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include <dlfcn.h>
#include <netdb.h>

#include "fixture.h"


static int                seen_cut, seen_never, in_flight, highest, pair;
static int                resolving, released, kept_waiting;


/* The C library's, but "slow.test" takes until the test lets it go. */
int
getaddrinfo(const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **res)
{
    int   i;
    int (*real)(const char *, const char *, const struct addrinfo *,
                struct addrinfo **);

    if (node != NULL && strcmp(node, "slow.test") == 0) {
        fixture_count(&resolving, 1);
        for (i = 0; i < 20000 && fixture_count(&released, 0) == 0; i++) {
            usleep(1000);
        }
        fixture_count(&kept_waiting, i == 20000);
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


/* 0 for the next request, 1 to leave this one unanswered, -1 to close. */
static int
serve_request(int fd, const char *request)
{
    int          i;
    const char  *body;
    static char  large[100000];

    if (strstr(request, " /cut ") != NULL) {
        fixture_count(&seen_cut, 1);
        return -1;
    }

    if (strstr(request, " /never ") != NULL) {
        fixture_count(&seen_never, 1);
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
        i = fixture_count(&in_flight, 1);
        if (i > highest) {
            highest = i;
        }
        usleep(20000);
        fixture_count(&in_flight, -1);
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
        fixture_count(&pair, 1);
        for (i = 0; i < 20000 && fixture_count(&pair, 0) < 2; i++) {
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


/* The port it serves. */
static int
start_http_server(void)
{
    int        fd, port;
    pthread_t  thread;

    fd = fixture_socket(&port);
    assert_int_equal(listen(fd, 512), 0);
    pthread_create(&thread, NULL, serve, (void *) (intptr_t) fd);
    pthread_detach(thread);

    return port;
}


#endif /* HTTP_SERVER_H */
