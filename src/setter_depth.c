#include <stdio.h>
#include <string.h>

#include "setter_depth.h"


#define SETTER_DEPTH_MOST  ((int64_t) 1 << 50)  /* no count is above that */


static void setter_depth_add_count(setter_depth_t *depth, const char *name,
    int64_t value);
static setter_count_t *setter_depth_find(const setter_depth_t *depth,
    const char *name);


const redisReply *
setter_depth_add(setter_depth_t *depth, const redisReply *reply)
{
    size_t                     i;
    const redisReply  *const  *e;

    if (reply->type == REDIS_REPLY_INTEGER) {
        setter_depth_add_count(depth, "inbox", reply->integer);
        return NULL;
    }

    e = (const redisReply *const *) reply->element;

    for (i = 0; i + 1 < reply->elements; i += 2) {
        if (e[i]->type == REDIS_REPLY_STRING
            && e[i + 1]->type == REDIS_REPLY_INTEGER)
        {
            setter_depth_add_count(depth, e[i]->str, e[i + 1]->integer);
        }
    }

    return i < reply->elements ? e[i] : NULL;
}


static void
setter_depth_add_count(setter_depth_t *depth, const char *name,
    int64_t value)
{
    setter_count_t  *count;

    if (value < 0 || value > SETTER_DEPTH_MOST) {
        return;
    }

    count = setter_depth_find(depth, name);

    if (count == NULL) {
        if (depth->ncounts == SETTER_DEPTH_COUNTS) {
            return;
        }

        count = &depth->counts[depth->ncounts++];
        snprintf(count->name, sizeof(count->name), "%s", name);
        count->value = 0;
    }

    if (strcmp(name, "oldest_ms") != 0 && strcmp(name, "workers") != 0) {
        if (count->value <= SETTER_DEPTH_MOST) {
            count->value += value;
        }

    } else if (count->value < value) {
        count->value = value;
    }
}


int64_t
setter_depth_count(const setter_depth_t *depth, const char *name)
{
    setter_count_t  *count;

    count = setter_depth_find(depth, name);

    return count != NULL ? count->value : 0;
}


static setter_count_t *
setter_depth_find(const setter_depth_t *depth, const char *name)
{
    size_t  i;

    for (i = 0; i < depth->ncounts; i++) {
        if (strcmp(depth->counts[i].name, name) == 0) {
            return (setter_count_t *) &depth->counts[i];
        }
    }

    return NULL;
}


int64_t
setter_depth_queued(const setter_depth_t *depth)
{
    return setter_depth_count(depth, "inbox")
           + setter_depth_count(depth, "waiting")
           + setter_depth_count(depth, "overdue");
}


int64_t
setter_depth_in_flight(const setter_depth_t *depth)
{
    return setter_depth_count(depth, "leased");
}


int64_t
setter_depth_desired(const setter_depth_t *depth, const setter_scale_t *scale)
{
    int64_t  n, work;

    work = setter_depth_queued(depth) + setter_depth_in_flight(depth);
    n = work / scale->target + (work % scale->target != 0);

    if (n > scale->max) {
        n = scale->max;
    }

    return n < scale->min ? scale->min : n;
}
