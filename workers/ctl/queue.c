/*
 * setterctl depth, setterctl tail: what waits in Redis, and what arrives.
 */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl/ctl.h"
#include "setter_depth.h"
#include "setter_json.h"
#include "setter_partition.h"


#define DEPTH_MAX_TENANTS  256
#define QUEUE_CALL_MS      5000
#define TAIL_WAIT_MS       2000


typedef struct {
    char       slug[SETTER_SLUG_MAX + 1];
    long long  waiting, flight;
} depth_tenant_t;

typedef struct {
    setter_depth_t  sum;
    depth_tenant_t  tenants[DEPTH_MAX_TENANTS];
    size_t          ntenants;
} depth_t;

/* The command that waits, with the last id seen of each inbox. */
typedef struct {
    unsigned     partitions;
    int          argc;
    const char  *argv[4 + 2 * SETTER_MAX_PARTITIONS];
    char         wait[16];
    char         keys[SETTER_MAX_PARTITIONS][SETTER_KEY_MAX];
    char         ids[SETTER_MAX_PARTITIONS][48];
} tail_t;


static int depth_read(ctl_t *ctl, depth_t *depth, int argc, char **argv);
static redisReply *depth_ask(ctl_t *ctl, unsigned partition, int argc,
    char **argv, int *named);
static void depth_take_tenants(depth_t *depth, const redisReply *reply);
static void depth_print(const depth_t *depth);
static void depth_print_json(const depth_t *depth);
static void tail_init(tail_t *tail, unsigned partitions);
static void tail_print(ctl_t *ctl, tail_t *tail, const redisReply *reply);
static void tail_entry(ctl_t *ctl, const redisReply *entry);


int
ctl_depth(ctl_t *ctl, int argc, char **argv)
{
    static depth_t  depth;

    if (depth_read(ctl, &depth, argc, argv) != CTL_OK) {
        return CTL_FAILED;
    }

    if (ctl->json) {
        depth_print_json(&depth);
    } else {
        depth_print(&depth);
    }

    return CTL_OK;
}


int
ctl_workers(ctl_t *ctl, long long *workers)
{
    static depth_t  depth;

    if (depth_read(ctl, &depth, 0, NULL) != CTL_OK) {
        return CTL_FAILED;
    }

    *workers = setter_depth_count(&depth.sum, "workers");

    return CTL_OK;
}


static int
depth_read(ctl_t *ctl, depth_t *depth, int argc, char **argv)
{
    int                named;
    unsigned           partition;
    redisReply        *reply;
    const redisReply  *tenants;

    if (ctl_redis(ctl) == NULL) {
        return CTL_FAILED;
    }

    for (partition = 0; partition < ctl->queue.partitions; partition++) {
        reply = depth_ask(ctl, partition, argc, argv, &named);
        if (reply == NULL) {
            return CTL_FAILED;
        }
        tenants = setter_depth_add(&depth->sum, reply);

        /* not asked for some, it names those with most jobs waiting */
        if (tenants != NULL && (argc == 0 || named > 0)) {
            depth_take_tenants(depth, tenants);
        }

        freeReplyObject(reply);
    }

    return CTL_OK;
}


/*
 * Of the tenants named on the command line it asks for those that live in
 * this partition; *named tells how many.
 */
static redisReply *
depth_ask(ctl_t *ctl, unsigned partition, int argc, char **argv, int *named)
{
    int            i, n;
    char           key[SETTER_KEY_MAX];
    const char    *args[4 + DEPTH_MAX_TENANTS];
    redisReply    *reply;
    setter_str_t   slug;

    setter_partition_key(key, partition, ctl->queue.partitions, "inbox");
    args[0] = "FCALL_RO";
    args[1] = "setter_depth";
    args[2] = "1";
    args[3] = key;
    n = 4;

    for (i = 0; i < argc && i < DEPTH_MAX_TENANTS; i++) {
        slug.data = argv[i];
        slug.len = strlen(argv[i]);
        if (setter_partition(slug, ctl->queue.partitions) == partition) {
            args[n++] = argv[i];
        }
    }

    *named = n - 4;

    if (redis_command(ctl->redis, n, args, NULL, QUEUE_CALL_MS, &reply)
        != REDIS_REPLIED)
    {
        ctl_fail("Redis does not answer");
        return NULL;
    }

    if (reply->type != REDIS_REPLY_ARRAY) {
        ctl_fail("Redis: %s", reply->str != NULL ? reply->str : "no counts");
        freeReplyObject(reply);
        return NULL;
    }

    return reply;
}


static void
depth_take_tenants(depth_t *depth, const redisReply *reply)
{
    size_t           i;
    redisReply     **e;
    depth_tenant_t  *tenant;

    for (i = 0; i < reply->elements && depth->ntenants < DEPTH_MAX_TENANTS;
         i++)
    {
        e = reply->element[i]->element;
        tenant = &depth->tenants[depth->ntenants++];
        snprintf(tenant->slug, sizeof(tenant->slug), "%s", e[0]->str);
        tenant->waiting = e[1]->integer;
        tenant->flight = e[2]->integer;
    }
}


static void
depth_print(const depth_t *depth)
{
    size_t  i;

    for (i = 0; i < depth->sum.ncounts; i++) {
        printf("%-12s %10lld\n", depth->sum.counts[i].name,
               (long long) depth->sum.counts[i].value);
    }

    if (depth->ntenants > 0) {
        printf("\n%-32s %10s %10s\n", "tenant", "waiting", "in flight");
    }

    for (i = 0; i < depth->ntenants; i++) {
        printf("%-32s %10lld %10lld\n", depth->tenants[i].slug,
               depth->tenants[i].waiting, depth->tenants[i].flight);
    }
}


static void
depth_print_json(const depth_t *depth)
{
    size_t  i;

    putchar('{');

    for (i = 0; i < depth->sum.ncounts; i++) {
        printf("\"%s\":%lld,", depth->sum.counts[i].name,
               (long long) depth->sum.counts[i].value);
    }

    printf("\"tenants\":[");

    for (i = 0; i < depth->ntenants; i++) {
        printf("%s{\"tenant\":\"%s\",\"waiting\":%lld,\"in_flight\":%lld}",
               i > 0 ? "," : "", depth->tenants[i].slug,
               depth->tenants[i].waiting, depth->tenants[i].flight);
    }

    printf("]}\n");
}


/* What is not sorted yet, then what arrives, until it is interrupted. */
int
ctl_tail(ctl_t *ctl, int argc, char **argv)
{
    tail_t       tail;
    redisReply  *reply;

    (void) argv;

    if (argc > 0) {
        return CTL_USAGE;
    }

    if (ctl_redis(ctl) == NULL) {
        return CTL_FAILED;
    }

    tail_init(&tail, ctl->queue.partitions);

    while (redis_command(ctl->redis, tail.argc, tail.argv, NULL,
                         TAIL_WAIT_MS + QUEUE_CALL_MS, &reply)
           == REDIS_REPLIED)
    {
        if (reply->type == REDIS_REPLY_ERROR) {
            ctl_fail("Redis: %s", reply->str);
            freeReplyObject(reply);
            return CTL_FAILED;
        }

        tail_print(ctl, &tail, reply);
        freeReplyObject(reply);
        fflush(stdout);
    }

    return ctl_fail("Redis does not answer");
}


static void
tail_init(tail_t *tail, unsigned partitions)
{
    unsigned  i;

    tail->partitions = partitions;
    tail->argc = 4 + 2 * partitions;
    snprintf(tail->wait, sizeof(tail->wait), "%d", TAIL_WAIT_MS);
    tail->argv[0] = "XREAD";
    tail->argv[1] = "BLOCK";
    tail->argv[2] = tail->wait;
    tail->argv[3] = "STREAMS";

    for (i = 0; i < partitions; i++) {
        setter_partition_key(tail->keys[i], i, partitions, "inbox");
        strcpy(tail->ids[i], "0");
        tail->argv[4 + i] = tail->keys[i];
        tail->argv[4 + partitions + i] = tail->ids[i];
    }
}


/* Prints the entries of each inbox, and goes on behind them. */
static void
tail_print(ctl_t *ctl, tail_t *tail, const redisReply *reply)
{
    size_t       i, j;
    unsigned     partition;
    redisReply  *key, *entries;

    for (i = 0; i < reply->elements; i++) {
        key = reply->element[i]->element[0];
        entries = reply->element[i]->element[1];
        partition = 0;

        while (partition + 1 < tail->partitions
               && strcmp(tail->keys[partition], key->str) != 0)
        {
            partition++;
        }

        for (j = 0; j < entries->elements; j++) {
            tail_entry(ctl, entries->element[j]);
            snprintf(tail->ids[partition], sizeof(tail->ids[0]), "%s",
                     entries->element[j]->element[0]->str);
        }
    }
}


/* An entry: its id, and "h", header, "j", envelope; or a doorbell. */
static void
tail_entry(ctl_t *ctl, const redisReply *entry)
{
    char                  when[16];
    time_t                at;
    setter_str_t          line;
    redisReply          **fields;
    setter_job_header_t   header;

    if (entry->element[1]->elements < 4) {
        return;
    }

    fields = entry->element[1]->element;
    line.data = fields[1]->str;
    line.len = fields[1]->len;

    if (setter_job_header_read(&header, line) != SETTER_OK) {
        return;
    }

    if (ctl->json) {
        printf("%.*s\n", (int) fields[3]->len, fields[3]->str);
        return;
    }

    at = header.received_ms / 1000;
    strftime(when, sizeof(when), "%H:%M:%S", localtime(&at));
    printf("%s  %.*s  %-8.*s  %.*s\n", when, (int) header.id.len,
           header.id.data, (int) header.kind.len, header.kind.data,
           (int) header.lane.len, header.lane.data);
}
