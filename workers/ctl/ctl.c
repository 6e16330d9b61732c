/*
 * What the commands share.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "runtime/loop.h"
#include "runtime/task.h"


#define CTL_REDIS_MS  3000


redis_t *
ctl_redis(ctl_t *ctl)
{
    char     error[160];
    int64_t  deadline;

    if (ctl->redis != NULL) {
        return ctl->redis;
    }

    if (ctl->redis_url == NULL) {
        ctl_fail("SETTER_REDIS_URL is not set");
        return NULL;
    }

    ctl->queue.partitions = ctl->partitions;
    ctl->redis = redis_open(ctl->redis_url, "setterctl", queue_handshake,
                            &ctl->queue, error, sizeof(error));

    if (ctl->redis == NULL) {
        ctl_fail("SETTER_REDIS_URL: %s", error);
        return NULL;
    }

    deadline = loop_now_ms() + CTL_REDIS_MS;

    while (!redis_ready(ctl->redis) && ctl->queue.refusal[0] == '\0'
           && loop_now_ms() < deadline)
    {
        task_sleep(5);
    }

    if (redis_ready(ctl->redis)) {
        return ctl->redis;
    }

    ctl_fail("%s", ctl->queue.refusal[0] != '\0'
                   ? ctl->queue.refusal : "Redis does not answer");

    return NULL;
}


PGconn *
ctl_database(const char *url, const char *what)
{
    PGconn      *pg;
    const char  *keywords[] = { "dbname", "connect_timeout",
                                "fallback_application_name", NULL };
    const char  *values[] = { url, "10", "setterctl", NULL };

    if (url == NULL) {
        ctl_fail("%s is not set", what);
        return NULL;
    }

    pg = PQconnectdbParams(keywords, values, 1);

    if (PQstatus(pg) != CONNECTION_OK) {
        ctl_fail("%s: %s", what, PQerrorMessage(pg));
        PQfinish(pg);
        return NULL;
    }

    return pg;
}


int
ctl_fail(const char *format, ...)
{
    char     line[1024];
    size_t   len;
    va_list  args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);

    len = strlen(line);
    while (len > 0 && line[len - 1] == '\n') {
        line[--len] = '\0';
    }

    fprintf(stderr, "setterctl: %s\n", line);

    return CTL_FAILED;
}
