/*
 * What tests with servers of their own share: ports, counters that threads
 * touch, and names that take long to resolve.
 */

#ifndef FIXTURE_H
#define FIXTURE_H

#include <arpa/inet.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>

#include "unit.h"


/* A socket bound to a free port of 127.0.0.1. */
static inline int
fixture_socket(int *port)
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
    *port = ntohs(sin.sin_port);

    return fd;
}


/* A port for a server that is started next. */
static inline int
fixture_port(void)
{
    int  port;

    close(fixture_socket(&port));

    return port;
}


/* Adds to a counter that other threads read, and returns it. */
static inline int
fixture_count(int *counter, int by)
{
    return __atomic_add_fetch(counter, by, __ATOMIC_SEQ_CST);
}


static inline int
fixture_remove_one(const char *path, const struct stat *st, int flag,
    struct FTW *ftw)
{
    (void) st;
    (void) flag;
    (void) ftw;

    return remove(path);
}


/* Removes a folder and what is in it. */
static inline void
fixture_remove(const char *folder)
{
    nftw(folder, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}


#endif /* FIXTURE_H */
