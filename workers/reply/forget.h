/*
 * Forgetting: deletes what tenants keep no longer (tenants.retention_days).
 */

#ifndef FORGET_H
#define FORGET_H

#include "reply/worker.h"


/* A task, for as long as the worker takes turns. */
void forget_run(void *data);


#endif /* FORGET_H */
