/*
 * The sandbox for tests in C: t/lib/Setter/Sandbox.pm starts it and ends it
 * when its standard input ends.  What asks it runs in a task.
 */

#ifndef SANDBOX_H
#define SANDBOX_H

#include "unit.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/http.h"


static pid_t  sandbox_pid;
static int    sandbox_input;
static char   sandbox_url[64];


/* For cmocka_run_group_tests(). */
static inline int
sandbox_start(void **state)
{
    int    in[2], out[2];
    FILE  *file;

    (void) state;

    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) {
        return -1;
    }

    sandbox_pid = fork();

    if (sandbox_pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        execlp("perl", "perl", "-It/lib", "-MSetter::Sandbox", "-e",
               "$| = 1; my $s = Setter::Sandbox->start;"
               "print $s->url, qq(\n); <STDIN>", NULL);
        _exit(1);
    }

    close(in[0]);
    close(out[1]);
    sandbox_input = in[1];

    file = fdopen(out[0], "r");
    if (sandbox_pid < 0 || file == NULL
        || fgets(sandbox_url, sizeof(sandbox_url), file) == NULL)
    {
        return -1;
    }

    sandbox_url[strcspn(sandbox_url, "\n")] = '\0';
    fclose(file);

    return loop_init() != 0 || http_init(100) != 0 ? -1 : 0;
}


static inline int
sandbox_stop(void **state)
{
    int  status;

    (void) state;

    http_free();
    close(sandbox_input);

    return waitpid(sandbox_pid, &status, 0) == sandbox_pid && status == 0
           ? 0 : -1;
}


/* A request to its control API (body may be NULL); the answer's body. */
static inline const char *
sandbox_ask(const char *method, const char *path, const char *body,
    arena_t *arena)
{
    http_request_t   request;
    http_response_t  response;

    const char  *headers[] = { "Content-Type: application/json", NULL };

    memset(&request, 0, sizeof(http_request_t));
    request.method = method;
    request.url = arena_printf(arena, "%s%s", sandbox_url, path);
    request.headers = headers;
    request.body = body;
    request.body_len = body != NULL ? strlen(body) : 0;
    request.timeout_ms = 10000;

    assert_int_equal(http_call(&request, &response, arena), HTTP_OK);
    assert_int_equal(response.status, 200);

    return response.body;
}


static inline void
sandbox_behave(const char *behaviour, arena_t *arena)
{
    sandbox_ask("PUT", "/sandbox/behaviour", behaviour, arena);
}


#endif /* SANDBOX_H */
