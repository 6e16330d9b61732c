/*
 * setterctl scale: as many workers on this machine as the queue is work for.
 *
 * While none runs it waits at the inboxes' bell, else it looks at the queue
 * now and then.  More workers are started at once, fewer are kept only after
 * fewer would have done for a while: the most that were needed in it.
 */

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl/children.h"
#include "ctl/ctl.h"
#include "runtime/config.h"
#include "runtime/loop.h"
#include "setter_depth.h"
#include "setter_partition.h"


#define SCALE_LOOK_MS     1000      /* between looks while workers run */
#define SCALE_WAIT_MS     5000      /* while none does */
#define SCALE_LATER_MS    1000      /* the same, with jobs for later */
#define SCALE_CALL_MS     2000
#define SCALE_AWAY_MS     500
#define SCALE_IDLE        "60000"
#define SCALE_MOST        1000


typedef struct {
    long  target;
    long  min;
    long  max;
    long  idle_ms;
} scale_settings_t;

typedef struct {
    ctl_t             *ctl;
    scale_settings_t   settings;
    setter_scale_t     bounds;
    children_t         children;
    setter_depth_t     depth;           /* as of the last look */
    char               last_ids[SETTER_MAX_PARTITIONS][48];

    long               wanted;
    long               peak;            /* the most that was desired since */
    int64_t            low_since_ms;    /* fewer would do; -1: not so */

    task_sem_t         wake;            /* a look is due */
    task_sem_t         arm;             /* the task that waits at the bell */
    unsigned           armed:1;
    unsigned           away:1;          /* Redis does not tell */
    unsigned           stopping:1;
} scale_t;


static int scale_read(ctl_t *ctl, int argc, char **argv);
static int scale_find_worker(char **argv);
static int scale_open(void);
static void scale_environment(const ctl_t *ctl);
static void scale_on_signal(int signal);
static void scale_run(void);
static void scale_listen(void *data);
static int64_t scale_round(void);
static int scale_look(void);
static redisReply *scale_ask(const char *key);
static int scale_last_id(unsigned partition, const char *key);
static redisReply *scale_command(int argc, const char **argv);
static long scale_decide(void);
static void scale_changed(void *data, child_event_e event, int pid,
    const char *why);
static void scale_say(const char *event, int pid, const char *why);
static void scale_say_json(const char *event, int pid, const char *why);


static const config_setting_t  settings_table[] = {
    { "SETTER_SCALE_TARGET", "target", CONFIG_NUMBER,
      offsetof(scale_settings_t, target), "5", 1, 1000000, 0,
      "messages and turns that one worker is for" },
    { "SETTER_SCALE_MIN", "min", CONFIG_NUMBER,
      offsetof(scale_settings_t, min), "0", 0, SCALE_MOST, 0,
      "workers that run always" },
    { "SETTER_SCALE_MAX", "max", CONFIG_NUMBER,
      offsetof(scale_settings_t, max), "10", 1, SCALE_MOST, 0,
      "workers that run at most" },
    { "SETTER_SCALE_IDLE_MS", "idle-ms", CONFIG_NUMBER,
      offsetof(scale_settings_t, idle_ms), SCALE_IDLE, 0, 86400000, 0,
      "for how long fewer must do before one is stopped" },
};

static const char  usage[] =
    "Usage: setterctl scale [OPTION...] [-- WORKER-ARGUMENT...]\n"
    "\n"
    "Starts and stops setter-worker on this machine, as many as the queue is\n"
    "work for. TERM ends them all, their turns first.";

static scale_t   scale;
static char      program[PATH_MAX];


int
ctl_scale(ctl_t *ctl, int argc, char **argv)
{
    int  rc;

    rc = scale_read(ctl, argc, argv);
    if (rc != CTL_OK) {
        return rc;
    }

    if (scale_open() != CTL_OK) {
        return CTL_FAILED;
    }

    scale_run();

    return CTL_OK;
}


static int
scale_read(ctl_t *ctl, int argc, char **argv)
{
    int           i, words;
    char        **all;
    static char   name[] = "setterctl scale";

    all = calloc(argc + 2, sizeof(char *));
    if (all == NULL) {
        return ctl_fail("no memory");
    }

    all[0] = name;
    for (i = 0; i < argc; i++) {
        all[i + 1] = argv[i];
    }

    words = config_read(settings_table,
                        sizeof(settings_table) / sizeof(settings_table[0]),
                        &scale.settings, argc + 1, all, usage);

    if (words <= argc && strcmp(all[words - 1], "--") != 0) {
        ctl_fail("unexpected \"%s\"", all[words]);
        return CTL_USAGE;
    }

    if (scale.settings.min > scale.settings.max) {
        ctl_fail("--min is above --max");
        return CTL_USAGE;
    }

    scale.ctl = ctl;
    scale.bounds.target = scale.settings.target;
    scale.bounds.min = scale.settings.min;
    scale.bounds.max = scale.settings.max;

    return scale_find_worker(&all[words - 1]);
}


/* argv has room for the name in front of the arguments. */
static int
scale_find_worker(char **argv)
{
    char     *slash;
    ssize_t   len;

    len = readlink("/proc/self/exe", program, sizeof(program) - 1);
    slash = len > 0 ? strrchr(program, '/') : NULL;

    if (slash == NULL
        || slash + sizeof("/setter-worker") > program + sizeof(program))
    {
        return ctl_fail("cannot tell where this program is");
    }

    strcpy(slash, "/setter-worker");

    if (access(program, X_OK) != 0) {
        return ctl_fail("%s cannot be run", program);
    }

    argv[0] = program;
    scale.children.program = program;
    scale.children.argv = argv;
    scale.children.changed = scale_changed;
    scale.children.wake = &scale.wake;

    return CTL_OK;
}


static int
scale_open(void)
{
    char       error[256];
    ctl_t     *ctl;
    redis_t   *bell;

    ctl = scale.ctl;

    if (ctl_redis(ctl) == NULL) {
        return CTL_FAILED;
    }

    bell = redis_open(&ctl->redis_settings, "bell", NULL, NULL, error,
                      sizeof(error));
    if (bell == NULL) {
        return ctl_fail("%s", error);
    }

    scale_environment(ctl);
    scale.low_since_ms = -1;
    task_sem_init(&scale.wake, 0);
    task_sem_init(&scale.arm, 0);

    if (task_start("listen", scale_listen, bell) == NULL
        || loop_on_signal(SIGTERM, scale_on_signal) != 0
        || loop_on_signal(SIGINT, scale_on_signal) != 0)
    {
        return ctl_fail("no memory");
    }

    return CTL_OK;
}


/* What was said in options is said to the workers too. */
static void
scale_environment(const ctl_t *ctl)
{
    size_t  i;
    char    number[24];

    const struct {
        const char  *name, *value;
    } settings[] = {
        { "SETTER_PARTITIONS", number },
        { "SETTER_DATABASE_URL", ctl->database_url },
        { "SETTER_REDIS_URL", ctl->redis_settings.url },
        { "SETTER_REDIS_CA", ctl->redis_settings.ca },
        { "SETTER_REDIS_NAME", ctl->redis_settings.name },
        { "SETTER_REDIS_CERT", ctl->redis_settings.cert },
        { "SETTER_REDIS_KEY", ctl->redis_settings.key }
    };

    snprintf(number, sizeof(number), "%ld", ctl->partitions);

    for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (settings[i].value != NULL) {
            setenv(settings[i].name, settings[i].value, 1);
        }
    }
}


static void
scale_on_signal(int signal)
{
    (void) signal;
    scale.stopping = 1;
    task_sem_give(&scale.wake);
}


/* Until it is told to stop, and all workers have ended. */
static void
scale_run(void)
{
    int64_t  wait_ms;

    scale_say("ready", 0, "");

    for ( ;; ) {
        wait_ms = TASK_FOREVER;

        if (!scale.stopping) {
            wait_ms = scale_round();
        }

        /* it may have been told meanwhile */

        if (scale.stopping) {
            scale.wanted = 0;
            children_keep(&scale.children, 0);

            if (scale.children.stopping == 0) {
                break;
            }
        }

        task_sem_take(&scale.wake, wait_ms == TASK_FOREVER
                                   ? TASK_FOREVER : loop_now_ms() + wait_ms);
    }

    scale_say("stopped", 0, "");
}


static void
scale_listen(void *data)
{
    redis_t  *bell = data;

    while (task_sem_take(&scale.arm, TASK_FOREVER) == TASK_OK) {
        if (queue_wait(bell, &scale.ctl->queue,
                       (const char (*)[48]) scale.last_ids, SCALE_WAIT_MS)
            != QUEUE_OK)
        {
            task_sleep(SCALE_AWAY_MS);
        }

        scale.armed = 0;
        task_sem_give(&scale.wake);
    }
}


/* Returns how long to wait.  While Redis does not tell all stays as it is. */
static int64_t
scale_round(void)
{
    int64_t      wait_ms, left_ms;
    children_t  *children;

    children = &scale.children;

    if (scale_look() == 0) {
        scale.wanted = scale_decide();
    }

    children_keep(children, scale.wanted);
    wait_ms = SCALE_LOOK_MS;

    if (children->running == 0 && !scale.away) {
        wait_ms = setter_depth_count(&scale.depth, "later") > 0
                  ? SCALE_LATER_MS : SCALE_WAIT_MS;

        if (!scale.armed) {
            scale.armed = 1;
            task_sem_give(&scale.arm);
        }
    }

    if (children->running < scale.wanted) {
        left_ms = children->not_before_ms - loop_now_ms();
        wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
    }

    return wait_ms > 0 ? wait_ms : 0;
}


/*
 * 0, or -1: Redis did not tell.  Where the inboxes end is read first, so that
 * what comes after the look rings the bell.
 */
static int
scale_look(void)
{
    int              away;
    char             key[SETTER_KEY_MAX];
    unsigned         i;
    redisReply      *reply;
    setter_depth_t   depth;

    memset(&depth, 0, sizeof(depth));
    away = 0;

    for (i = 0; i < scale.ctl->queue.partitions && !away; i++) {
        setter_partition_key(key, i, scale.ctl->queue.partitions, "inbox");

        reply = scale_last_id(i, key) == 0 ? scale_ask(key) : NULL;
        away = reply == NULL;

        if (reply != NULL) {
            setter_depth_add(&depth, reply);
            freeReplyObject(reply);
        }
    }

    if (away != scale.away) {
        scale.away = away;
        scale_say(away ? "blind" : "sighted", 0,
                  away ? "Redis does not tell" : "");
    }

    if (away) {
        return -1;
    }

    scale.depth = depth;

    return 0;
}


/* The counts; where no worker has loaded the functions, the inbox's length. */
static redisReply *
scale_ask(const char *key)
{
    redisReply  *reply;
    const char  *depth[] = { "FCALL_RO", "setter_depth", "1", key };
    const char  *length[] = { "XLEN", key };

    reply = scale_command(4, depth);

    if (reply != NULL && reply->type != REDIS_REPLY_ARRAY) {
        freeReplyObject(reply);
        reply = scale_command(2, length);
    }

    if (reply != NULL && reply->type != REDIS_REPLY_ARRAY
        && reply->type != REDIS_REPLY_INTEGER)
    {
        freeReplyObject(reply);
        return NULL;
    }

    return reply;
}


static int
scale_last_id(unsigned partition, const char *key)
{
    int          rc;
    const char  *id;
    redisReply  *reply;
    const char  *last[] = { "XREVRANGE", key, "+", "-", "COUNT", "1" };

    reply = scale_command(6, last);
    if (reply == NULL) {
        return -1;
    }

    rc = reply->type == REDIS_REPLY_ARRAY ? 0 : -1;
    id = rc == 0 && reply->elements > 0
         ? reply->element[0]->element[0]->str : "0-0";
    snprintf(scale.last_ids[partition], sizeof(scale.last_ids[0]), "%s", id);
    freeReplyObject(reply);

    return rc;
}


/* NULL: no reply. */
static redisReply *
scale_command(int argc, const char **argv)
{
    redisReply  *reply;

    if (scale.stopping
        || redis_command(scale.ctl->redis, argc, argv, NULL, SCALE_CALL_MS,
                         &reply)
           != REDIS_REPLIED)
    {
        return NULL;
    }

    return reply;
}


/* How many workers are wanted now. */
static long
scale_decide(void)
{
    long     desired;
    int64_t  now;

    desired = (long) setter_depth_desired(&scale.depth, &scale.bounds);

    if (desired >= scale.wanted) {
        scale.low_since_ms = -1;
        return desired;
    }

    now = loop_now_ms();

    if (scale.low_since_ms < 0) {
        scale.low_since_ms = now;
        scale.peak = desired;
    }

    if (desired > scale.peak) {
        scale.peak = desired;
    }

    if (now - scale.low_since_ms < scale.settings.idle_ms) {
        return scale.wanted;
    }

    scale.low_since_ms = -1;

    return scale.peak;
}


static void
scale_changed(void *data, child_event_e event, int pid, const char *why)
{
    static const char *const  names[] = {
        [CHILD_STARTED] = "started",
        [CHILD_STOPPING] = "stopping",
        [CHILD_LEFT] = "left",
        [CHILD_CRASHED] = "crashed",
        [CHILD_UNSTARTED] = "unstarted"
    };

    (void) data;
    scale_say(names[event], pid, why);
}


static void
scale_say(const char *event, int pid, const char *why)
{
    char    when[16], who[24] = "";
    time_t  now;

    if (scale.ctl->json) {
        scale_say_json(event, pid, why);
        return;
    }

    now = time(NULL);
    strftime(when, sizeof(when), "%H:%M:%S", localtime(&now));

    if (pid != 0) {
        snprintf(who, sizeof(who), " %d", pid);
    }

    printf("%s  %s%s%s%s; %ld of %ld run, %lld queued, %lld in flight\n",
           when, event, who, why[0] != '\0' ? ": " : "", why,
           scale.children.running, scale.wanted,
           (long long) setter_depth_queued(&scale.depth),
           (long long) setter_depth_in_flight(&scale.depth));
    fflush(stdout);
}


/* All texts are ours: nothing has to be escaped. */
static void
scale_say_json(const char *event, int pid, const char *why)
{
    char    when[32];
    time_t  now;

    now = time(NULL);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));

    printf("{\"time\":\"%s\",\"event\":\"%s\",\"pid\":%d,\"why\":\"%s\","
           "\"running\":%ld,\"wanted\":%ld,\"queued\":%lld,"
           "\"in_flight\":%lld}\n", when, event, pid, why,
           scale.children.running, scale.wanted,
           (long long) setter_depth_queued(&scale.depth),
           (long long) setter_depth_in_flight(&scale.depth));
    fflush(stdout);
}
