/*
 * setterctl worker list: who takes turns, as the queue knows it.
 */

#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "setter_json.h"


static void worker_print(const queue_worker_t *workers, size_t n);
static void worker_print_json(const queue_worker_t *workers, size_t n,
    arena_t *arena);


int
ctl_worker_list(ctl_t *ctl, int argc, char **argv)
{
    int              rc;
    size_t           n;
    arena_t         *arena;
    queue_worker_t  *workers;

    (void) argv;

    if (argc > 0) {
        return CTL_USAGE;
    }

    if (ctl_redis(ctl) == NULL) {
        return CTL_FAILED;
    }

    arena = arena_create();
    if (arena == NULL) {
        return ctl_fail("no memory");
    }

    if (queue_workers(ctl->redis, &ctl->queue, &workers, &n, arena)
        != QUEUE_OK)
    {
        rc = ctl_fail("the queue does not answer");

    } else if (ctl->json) {
        rc = CTL_OK;
        worker_print_json(workers, n, arena);

    } else {
        rc = CTL_OK;
        worker_print(workers, n);
    }

    arena_destroy(arena);

    return rc;
}


static void
worker_print(const queue_worker_t *workers, size_t n)
{
    size_t  i;

    if (n == 0) {
        printf("none\n");
        return;
    }

    printf("%-40s  %-7s  %6s  %10s  %8s\n", "name", "version", "turns",
           "free slots", "seen ms");

    for (i = 0; i < n; i++) {
        printf("%-40s  %-7s  %6ld  %10ld  %8lld\n", workers[i].name,
               workers[i].version, workers[i].turns, workers[i].slots,
               (long long) workers[i].age_ms);
    }
}


static void
worker_print_json(const queue_worker_t *workers, size_t n, arena_t *arena)
{
    size_t         i;
    setter_buf_t   json;
    setter_str_t   text;

    setter_buf_init(&json, arena_alloc(arena), 256);
    setter_buf_byte(&json, '[');

    for (i = 0; i < n; i++) {
        if (i > 0) {
            setter_buf_byte(&json, ',');
        }
        setter_buf_byte(&json, '{');
        text.data = workers[i].name;
        text.len = strlen(text.data);
        setter_json_member(&json, "name", text);
        text.data = workers[i].version;
        text.len = strlen(text.data);
        setter_json_member(&json, "version", text);
        setter_json_name(&json, "turns");
        setter_buf_number(&json, workers[i].turns);
        setter_json_name(&json, "slots");
        setter_buf_number(&json, workers[i].slots);
        setter_json_name(&json, "age_ms");
        setter_buf_number(&json, workers[i].age_ms);
        setter_buf_byte(&json, '}');
    }

    setter_buf_byte(&json, ']');

    if (!json.failed) {
        printf("%.*s\n", (int) json.len, json.data);
    }
}
