/*
 * What waits in the queue: the counts that the function setter_depth tells
 * of each partition, put together, and how many workers they are work for.
 */

#ifndef SETTER_DEPTH_H
#define SETTER_DEPTH_H

#include <hiredis/hiredis.h>

#include "setter_buf.h"


#define SETTER_DEPTH_COUNTS  32     /* at most; more are not taken */

#define SETTER_SCALE_TARGET  5      /* defaults */
#define SETTER_SCALE_MIN     0
#define SETTER_SCALE_MAX     10


typedef struct {
    char     name[32];
    int64_t  value;
} setter_count_t;

/* Zeroed by its owner before the first partition. */
typedef struct {
    setter_count_t  counts[SETTER_DEPTH_COUNTS];
    size_t          ncounts;
} setter_depth_t;

typedef struct {
    int64_t  target;            /* jobs and turns that one worker is for; > 0 */
    int64_t  min;
    int64_t  max;               /* not below min */
} setter_scale_t;


/*
 * Adds a partition's counts: the reply of setter_depth, or of XLEN where no
 * worker has loaded the functions yet, which is the length of the inbox.  The
 * sum over the partitions; but of ages the highest, and a worker claims in
 * all partitions.  Returns the reply's element behind the counts, or NULL.
 */
const redisReply *setter_depth_add(setter_depth_t *depth,
    const redisReply *reply);

/* A count by its name; 0 when it was not told. */
int64_t setter_depth_count(const setter_depth_t *depth, const char *name);

/* Jobs that could be claimed now or soon, by nobody in hand. */
int64_t setter_depth_queued(const setter_depth_t *depth);

/* Turns in workers' hands. */
int64_t setter_depth_in_flight(const setter_depth_t *depth);

/*
 * One worker for each "target" of jobs queued and turns in flight, begun ones
 * rounded up, within min and max.
 */
int64_t setter_depth_desired(const setter_depth_t *depth,
    const setter_scale_t *scale);


#endif /* SETTER_DEPTH_H */
