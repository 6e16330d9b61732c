/*
 * nginx goes by the channels that PostgreSQL has on record.
 */

#include "reply/channels.h"
#include "reply/registry.h"


static int registry_address(worker_t *worker, const pg_answer_t *page);
static int registry_signing(worker_t *worker, const pg_answer_t *page);


/* What a page begins behind, then what is published. */
static const char  registry_addresses[] =
    "SELECT id, provider, address, CASE WHEN NOT removed THEN tenant END"
    " FROM published_channels($1, $2)";

static const char  registry_secrets[] =
    "SELECT tenant, provider, sealed FROM published_signing($1, $2, $3)";


int
registry_publish_channels(worker_t *worker)
{
    return registry_pages(worker, registry_addresses, 1, "0",
                          registry_address) == 0
           ? registry_pages(worker, registry_secrets, 2, "",
                            registry_signing) : -1;
}


static int
registry_address(worker_t *worker, const pg_answer_t *page)
{
    int  row;

    for (row = 0; row < pg_rows(page, 0); row++) {
        if (channels_publish(worker->redis, &worker->queue,
                             pg_text(page, 0, row, 1),
                             pg_text(page, 0, row, 2),
                             pg_text(page, 0, row, 3))
            != QUEUE_OK)
        {
            return -1;
        }
    }

    return 0;
}


static int
registry_signing(worker_t *worker, const pg_answer_t *page)
{
    int  row;

    for (row = 0; row < pg_rows(page, 0); row++) {
        if (channels_publish_signing(worker->redis, &worker->queue,
                                     pg_text(page, 0, row, 0),
                                     pg_text(page, 0, row, 1),
                                     pg_text(page, 0, row, 2))
            != QUEUE_OK)
        {
            return -1;
        }
    }

    return 0;
}
