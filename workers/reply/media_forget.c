/*
 * Files that messages brought do not stay for ever.
 */

#include <stdio.h>
#include <stdlib.h>

#include "reply/media.h"
#include "reply/media_store.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/pg.h"


#define MEDIA_SWEEP      1000       /* files at a time */
#define MEDIA_LOOK_MS    500        /* whether the worker stops */
#define MEDIA_FORGET_MS  5000


static long media_forget_tenants(const worker_t *worker);


void
media_forget(void *data)
{
    long       gone;
    int64_t    next;
    worker_t  *worker = data;

    next = loop_now_ms();

    while (task_sleep(MEDIA_LOOK_MS) == TASK_OK && !worker->stopping) {
        if (worker->media.dir == NULL || loop_now_ms() < next || !pg_ready())
        {
            continue;
        }

        gone = media_sweep(worker->media.dir, NULL, worker->media.days,
                           MEDIA_SWEEP)
               + media_forget_tenants(worker);

        if (gone > 0) {
            log_info("deleted old files", "files", log_number(gone));

        } else {
            next = loop_now_ms() + worker->forget_ms;
        }
    }
}


/* Of those who keep things for less long. */
static long
media_forget_tenants(const worker_t *worker)
{
    int          row;
    char         days[16];
    long         gone;
    pg_query_t   query;
    pg_answer_t  rows;

    gone = 0;
    snprintf(days, sizeof(days), "%ld", worker->media.days);
    query = (pg_query_t) {
        "SELECT slug, retention_days FROM tenants WHERE retention_days < $1",
        1, { days } };

    if (pg_run(NULL, &query, 1, MEDIA_FORGET_MS, &rows) == PG_OK) {
        for (row = 0; row < pg_rows(&rows, 0); row++) {
            gone += media_sweep(worker->media.dir, pg_text(&rows, 0, row, 0),
                                atol(pg_text(&rows, 0, row, 1)),
                                MEDIA_SWEEP);
        }
    }

    pg_clear(&rows);

    return gone;
}
