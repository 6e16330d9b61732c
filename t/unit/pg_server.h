/*
 * A private PostgreSQL: a cluster in a folder of its own, reached through a
 * socket there and on a port of 127.0.0.1.
 */

#ifndef PG_SERVER_H
#define PG_SERVER_H

#include <dlfcn.h>
#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <netdb.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "fixture.h"


static char   dir[64], bin[128], url[128], port[8];
static pid_t  server;


/* The C library's, but "db.test" has an address where nobody listens, too. */
int
getaddrinfo(const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **res)
{
    int   rc;
    int (*real)(const char *, const char *, const struct addrinfo *,
                struct addrinfo **);

    *(void **) &real = dlsym(RTLD_NEXT, "getaddrinfo");

    if (node == NULL || strcmp(node, "db.test") != 0) {
        return real(node, service, hints, res);
    }

    rc = real("127.0.0.2", service, hints, res);
    return rc != 0 ? rc : real("127.0.0.1", service, hints, &(*res)->ai_next);
}


/* PostgreSQL does not run as root. */
static void
drop_root(void)
{
    struct passwd  *user;

    if (getuid() != 0) {
        return;
    }

    user = getpwnam("postgres");
    if (user == NULL || initgroups(user->pw_name, user->pw_gid) != 0
        || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)
    {
        _exit(126);
    }
}


/* PostgreSQL's programs look for each other by the path they are called by. */
static pid_t
spawn(const char *program, const char **argv)
{
    int    fd;
    char   path[256];
    pid_t  pid;

    pid = fork();
    if (pid == 0) {
        drop_root();    /* first: it makes the kernel forget the next line */
        prctl(PR_SET_PDEATHSIG, SIGINT);
        fd = open("/dev/null", O_RDWR);
        dup2(fd, 0);
        dup2(fd, 1);
        dup2(fd, 2);
        snprintf(path, sizeof(path), "%s/%s", bin, program);
        argv[0] = path;
        if (chdir(dir) == 0) {
            execv(path, (char *const *) argv);
        }
        _exit(127);
    }

    return pid;
}


static void
start_server(void)
{
    int   i;
    const char *argv[] = { "postgres", "-D", "data", "-k", dir, "-p", port,
                           "-c", "listen_addresses=127.0.0.1",
                           "-c", "fsync=off", NULL };

    server = spawn("postgres", argv);

    for (i = 0; i < 600 && PQping(url) != PQPING_OK; i++) {
        usleep(50000);
    }
    assert_int_equal(PQping(url), PQPING_OK);
}


/* Of a server that did not start the pid is 0, which means our own group. */
static void
stop_server(int sig)
{
    if (server > 0) {
        kill(server, sig);
        waitpid(server, NULL, 0);
    }
}


/* Makes the cluster, starts its server, and sets url. */
static void
create_server(void)
{
    int             status;
    glob_t          found;
    const char     *argv[] = { "initdb", "-D", "data", "-U", "postgres", "-A",
                               "trust", "--no-sync", "--encoding=UTF8",
                               "--locale=C.UTF-8", NULL };
    struct passwd  *user;

    assert_int_equal(glob("/usr/lib/postgresql/*/bin", 0, NULL, &found), 0);
    snprintf(bin, sizeof(bin), "%s", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);

    snprintf(dir, sizeof(dir), "/tmp/setter-pg-XXXXXX");
    assert_non_null(mkdtemp(dir));
    user = getpwnam("postgres");
    if (getuid() == 0) {
        assert_int_equal(chown(dir, user->pw_uid, user->pw_gid), 0);
    }

    snprintf(port, sizeof(port), "%d", fixture_port());
    snprintf(url, sizeof(url), "host=%s port=%s user=postgres"
             " dbname=postgres", dir, port);
    waitpid(spawn("initdb", argv), &status, 0);
    assert_int_equal(status, 0);

    start_server();
}


#endif /* PG_SERVER_H */
