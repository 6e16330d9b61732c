#include <stdlib.h>

#include "reply/forget.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/pg.h"


#define FORGET_LOOK_MS     500      /* whether the worker stops */
#define FORGET_TIMEOUT_MS  30000
#define FORGET_PAGE        "1000"   /* rows of a tenant in one transaction */


static long forget_page(void);


/* Several workers may do so at a time: what one deletes the other misses. */
void
forget_run(void *data)
{
    long       gone, all;
    int64_t    next;
    worker_t  *worker = data;

    all = 0;
    next = loop_now_ms();

    while (task_sleep(FORGET_LOOK_MS) == TASK_OK && !worker->stopping) {
        if (loop_now_ms() < next || !pg_ready()) {
            continue;
        }

        gone = forget_page();
        all += gone > 0 ? gone : 0;

        if (gone > 0) {
            continue;
        }

        if (all > 0) {
            log_info("deleted what tenants keep no longer", "rows",
                     log_number(all));
        }

        all = 0;
        next = loop_now_ms() + worker->forget_ms;
    }
}


/* How many rows; 0 when there is nothing left, or PostgreSQL did not say. */
static long
forget_page(void)
{
    long         gone;
    pg_query_t   query;
    pg_answer_t  answer;

    query = (pg_query_t) { "SELECT forget_old($1)", 1, { FORGET_PAGE } };
    gone = 0;

    if (pg_run(NULL, &query, 1, FORGET_TIMEOUT_MS, &answer) == PG_OK) {
        gone = atol(pg_text(&answer, 0, 0, 0));

    } else {
        log_warn("what tenants keep no longer cannot be deleted", "error",
                 answer.message);
    }

    pg_clear(&answer);

    return gone;
}
