/*
 * setter-worker: takes conversations from the queue and answers them.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reply/claim.h"
#include "reply/lease.h"
#include "reply/media.h"
#include "reply/forget.h"
#include "reply/once.h"
#include "reply/typing.h"
#include "reply/reconcile.h"
#include "runtime/config.h"
#include "runtime/egress.h"
#include "runtime/http.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/pg.h"


#define WORKER_TURN_BYTES   (256 * 1024)
#define WORKER_MAX_CRASHES  3
#define WORKER_POLL_MS      20
#define WORKER_IDLE_MS      30000


typedef struct {
    redis_settings_t  redis;

    const char  *database_url;
    long         partitions;
    const char  *llm;
    const char  *llm_model;
    const char  *openai_base_url;
    const char  *openai_api_key;
    channel_accounts_t  accounts;
    master_settings_t  master;
    const char  *egress_allow;
    const char  *system_prompt;
    const char  *public_url;
    long         memory_exchanges;
    long         concurrency;
    long         turn_jobs;
    long         lease_ms;
    long         max_failures;
    long         llm_timeout_ms;
    long         send_timeout_ms;
    long         stop_ms;
    long         db_pool;
    long         reconcile_ms;
    long         forget_ms;
    media_settings_t  media;
    const char  *log_level;
    int          once;
    long         once_wait_ms;
    long         exit_when_idle_ms;
    int          polling;
    int          exit_after_completion;
    const char  *sqs_body;
    const char  *sqs_tenant;
} settings_t;


static void settings_check(void);
static void settings_refuse(const char *reason);
static void worker_set(void);
static void worker_set_once(void);
static void worker_read_job(void);
static int worker_open(void);
static int worker_handshake(redis_t *redis, void *data);
static int worker_run(void);
static void worker_stop(int signal);
static void worker_quit(void);
static void worker_leave(void *data);
static void worker_cancel_turns(void);


#define setting_text(variable, option, member, initial, help)                 \
    { variable, option, CONFIG_TEXT, offsetof(settings_t, member), initial,   \
      0, 0, 0, help }

#define setting_secret(variable, option, member, help)                        \
    { variable, option, CONFIG_TEXT, offsetof(settings_t, member), NULL,      \
      0, 0, 1, help }

#define setting_number(variable, option, member, initial, min, max, help)     \
    { variable, option, CONFIG_NUMBER, offsetof(settings_t, member), initial, \
      min, max, 0, help }

#define setting_switch(variable, option, member, initial, help)               \
    { variable, option, CONFIG_SWITCH, offsetof(settings_t, member), initial, \
      0, 0, 0, help }

static const config_setting_t  settings_table[] = {
    REDIS_SETTINGS(settings_t, redis),
    setting_secret("SETTER_DATABASE_URL", "database-url", database_url,
                   "PostgreSQL, as libpq takes it; the worker's role"),
    setting_number("SETTER_PARTITIONS", "partitions", partitions, "1",
                   1, SETTER_MAX_PARTITIONS,
                   "partitions of the queue, the same everywhere"),
    setting_text("SETTER_LLM", "llm", llm, "openai",
                 "whose interface the model has: openai"),
    setting_text("SETTER_LLM_MODEL", "llm-model", llm_model, "gpt-4o-mini",
                 "the model's name"),
    setting_text("OPENAI_BASE_URL", "openai-base-url", openai_base_url,
                 "https://api.openai.com/v1", "with the version, /v1"),
    setting_secret("OPENAI_API_KEY", "openai-api-key", openai_api_key,
                   "key of the model's provider"),
    CHANNEL_SETTINGS(settings_t, accounts),
    MASTER_SETTINGS(settings_t, master),
    EGRESS_SETTING(settings_t, egress_allow),
    setting_text("SETTER_SYSTEM_PROMPT", "system-prompt", system_prompt,
                 "You answer messages from customers. Be friendly and brief,"
                 " and answer in the language they write in.",
                 "what the model is told first"),
    setting_text("SETTER_PUBLIC_URL", "public-url", public_url, NULL,
                 "of nginx, https://HOST, for providers that are told with each"
                 " message where to report on it"),
    setting_number("SETTER_MEMORY_EXCHANGES", "memory-exchanges",
                   memory_exchanges, "10", 0, 100,
                   "exchanges of a conversation that the model is reminded"
                   " of"),
    setting_number("SETTER_CONCURRENCY", "concurrency", concurrency, "1000",
                   1, 20000, "turns in hand at once"),
    setting_number("SETTER_TURN_JOBS", "turn-jobs", turn_jobs, "20", 1, 100,
                   "messages that one answer may cover"),
    setting_number("SETTER_LEASE_MS", "lease-ms", lease_ms, "5000",
                   500, 600000,
                   "after so long a worker's silence its turns go to another"),
    setting_number("SETTER_MAX_FAILURES", "max-failures", max_failures, "8",
                   1, 1000, "failed tries after which jobs are given up"),
    setting_number("SETTER_LLM_TIMEOUT_MS", "llm-timeout-ms", llm_timeout_ms,
                   "60000", 100, 3600000,
                   "the model's time to answer, repeated calls included; one"
                   " call has three quarters of it"),
    setting_number("SETTER_SEND_TIMEOUT_MS", "send-timeout-ms",
                   send_timeout_ms, "15000", 100, 600000,
                   "the provider's time to accept an answer"),
    setting_number("SETTER_STOP_MS", "stop-ms", stop_ms, "30000", 0, 3600000,
                   "time to finish turns after a TERM signal; the rest is"
                   " handed back"),
    setting_number("SETTER_DB_POOL", "db-pool", db_pool, "8", 1, 64,
                   "connections to PostgreSQL"),
    setting_number("SETTER_RECONCILE_MS", "reconcile-ms", reconcile_ms,
                   "60000", 1000, 86400000,
                   "between two looks for jobs that Redis lost"),
    setting_text("SETTER_MEDIA_DIR", "media-dir", media.dir, NULL,
                 "where files go that messages bring; not set: none is"
                 " fetched"),
    setting_text("SETTER_MEDIA_TYPES", "media-types", media.types,
                 "audio/* image/jpeg image/png image/webp image/gif video/mp4"
                 " application/pdf",
                 "MIME types of files that are fetched"),
    setting_number("SETTER_MEDIA_MAX_BYTES", "media-max-bytes",
                   media.max_bytes, "16777216", 1, 1073741824,
                   "bytes of such a file"),
    setting_number("SETTER_MEDIA_TIMEOUT_MS", "media-timeout-ms",
                   media.timeout_ms, "30000", 100, 600000,
                   "the provider's time to give those of a message"),
    setting_number("SETTER_MEDIA_FETCHES", "media-fetches", media.fetches,
                   "8", 1, 1000, "messages whose files are fetched at once;"
                   " half of them may be of one tenant"),
    setting_number("SETTER_MEDIA_DAYS", "media-days", media.days, "30",
                   1, 36500, "days after which files are deleted"),
    setting_text("SETTER_TRANSCRIBE_MODEL", "transcribe-model",
                 media.transcribe_model, NULL,
                 "which listens to recordings, whisper-1; not set: nobody"
                 " does"),
    setting_number("SETTER_LLM_IMAGES", "llm-images", media.images, "4",
                   0, 10, "images of a turn that the model is given"),
    setting_number("SETTER_LLM_IMAGE_BYTES", "llm-image-bytes",
                   media.image_bytes, "4194304", 1, 20971520,
                   "bytes of such an image"),
    setting_number("SETTER_LLM_SEEING", "llm-seeing", media.seeing, "32", 1,
                   1000, "questions with images at once; others wait"),
    setting_number("SETTER_FORGET_MS", "forget-ms", forget_ms, "600000",
                   1000, 86400000,
                   "how often what tenants keep no longer is deleted"),
    setting_text("SETTER_LOG_LEVEL", "log-level", log_level, "info",
                 "debug, info, warn or error"),
    setting_switch("SETTER_ONCE", "once", once, "off",
                   "handle one turn, or find nothing to do, and exit"),
    setting_number("SETTER_ONCE_WAIT_MS", "once-wait-ms", once_wait_ms,
                   "5000", 0, 3600000,
                   "how long --once looks for a turn, and how long the queue"
                   " has to take SQS_BODY"),
    { "SETTER_EXIT_WHEN_IDLE_MS", "exit-when-idle", CONFIG_PERHAPS,
      offsetof(settings_t, exit_when_idle_ms), "0", 0, 86400000, 0,
      "exit when there was nothing to do for so many ms, 30000 where the"
      " option names no number; 0: never" },
    setting_switch("EXIT_AFTER_COMPLETION", "exit-after-completion",
                   exit_after_completion, "off",
                   "wait for a turn, handle it and exit"),
    setting_switch("POLLING_MODE", "polling-mode", polling, "on",
                   "off is --once"),
    setting_secret("SQS_BODY", "sqs-body", sqs_body,
                   "a job: an envelope, or what a webhook takes; exit when it"
                   " is finished"),
    setting_text("SETTER_SQS_TENANT", "sqs-tenant", sqs_tenant, "default",
                 "whose SQS_BODY is when it has no tenant_id"),
};

static const char  usage[] =
    "Usage: setter-worker [OPTION...]\n"
    "\n"
    "Takes conversations from the queue and answers them. Each setting is an\n"
    "option and a variable of the environment; the option wins. TERM stops.";

static settings_t  settings;
static master_t    master;
static worker_t    worker;
static once_t      once;
static posted_t    posted;              /* SQS_BODY's job */
static arena_t    *posted_arena;        /* its memory, or NULL */
static char        worker_name[128];
static int         worker_greeted;      /* Redis was once found usable */


int
main(int argc, char **argv)
{
    int   rc, words;
    char  host[65] = "";

    words = config_read(settings_table,
                        sizeof(settings_table) / sizeof(settings_table[0]),
                        &settings, argc, argv, usage);
    if (words < argc) {
        fprintf(stderr, "setter-worker: unexpected \"%s\"\n", argv[words]);
        return 2;
    }

    settings_check();

    gethostname(host, sizeof(host) - 1);
    snprintf(worker_name, sizeof(worker_name), "%s-%d", host, (int) getpid());
    worker_set();
    worker_set_once();

    if (loop_init() != 0 || http_init(settings.concurrency) != 0) {
        fprintf(stderr, "setter-worker: cannot start: no memory\n");
        return 1;
    }

    if (worker_open() != 0) {
        return 2;
    }

    rc = worker_run();

    redis_close(worker.bell);
    redis_close(worker.redis);
    pg_free();
    http_free();
    arena_destroy(posted_arena);
    return rc;
}


/* What the table cannot check. */
static void
settings_check(void)
{
    char               error[512];
    PQconninfoOption  *parts;

    if (log_set_level(settings.log_level) != 0) {
        settings_refuse("SETTER_LOG_LEVEL is not debug, info, warn or error");
    }

    if (strcmp(settings.llm, "openai") != 0) {
        settings_refuse("SETTER_LLM names what is not in this version, which"
                        " has openai");
    }

    if (master_read(&settings.master, &master, error, sizeof(error)) != 0) {
        settings_refuse(error);
    }

    if (egress_allow(settings.egress_allow, error, sizeof(error)) != 0) {
        settings_refuse(error);
    }

    if (settings.public_url != NULL
        && strncmp(settings.public_url, "https://", 8) != 0
        && strncmp(settings.public_url, "http://", 7) != 0)
    {
        settings_refuse("SETTER_PUBLIC_URL is no https:// or http:// URL");
    }

    if (settings.media.dir != NULL && access(settings.media.dir, W_OK) != 0) {
        settings_refuse("SETTER_MEDIA_DIR is no directory that can be written"
                        " to");
    }

    if (settings.database_url == NULL) {
        settings_refuse("SETTER_DATABASE_URL is not set");
    }

    parts = PQconninfoParse(settings.database_url, NULL);
    if (parts == NULL) {
        settings_refuse("SETTER_DATABASE_URL is not as libpq takes it");
    }
    PQconninfoFree(parts);
}


static void
settings_refuse(const char *reason)
{
    fprintf(stderr, "setter-worker: %s\n", reason);
    exit(2);
}


static void
worker_set(void)
{
    log_set_name("setter-worker");

    worker.queue.partitions = (unsigned) settings.partitions;
    worker.queue.worker = worker_name;
    worker.queue.lease_ms = settings.lease_ms;
    worker.queue.turn_jobs = settings.turn_jobs;
    worker.queue.turn_bytes = WORKER_TURN_BYTES;
    worker.queue.max_failures = settings.max_failures;
    worker.queue.max_crashes = WORKER_MAX_CRASHES;

    worker.llm.provider = settings.llm;
    worker.llm.model = settings.llm_model;
    worker.llm.base_url = settings.openai_base_url;
    worker.llm.api_key = settings.openai_api_key;

    worker.accounts = &settings.accounts;
    worker.master = &master;
    worker.system_prompt = settings.system_prompt;
    worker.public_url = settings.public_url;
    worker.memory_exchanges = settings.memory_exchanges;
    worker.llm_timeout_ms = settings.llm_timeout_ms;
    worker.send_timeout_ms = settings.send_timeout_ms;
    worker.concurrency = settings.concurrency;
    worker.reconcile_ms = settings.reconcile_ms;
    worker.forget_ms = settings.forget_ms;
    worker.media = settings.media;

    worker.idle_since_ms = -1;
    LIST_INIT(&worker.turns);
    task_sem_init(&worker.wake, 0);
    task_sem_init(&worker.arm, 0);
    task_sem_init(&worker.fetches, settings.media.fetches);
    task_sem_init(&worker.hearing, settings.media.fetches);
    task_sem_init(&worker.seeing, settings.media.seeing);
}


/* What ends the process beside a signal. */
static void
worker_set_once(void)
{
    once.worker = &worker;
    once.leave = worker_quit;
    once.wait_ms = settings.once_wait_ms;
    once.idle_ms = settings.exit_when_idle_ms;

    if (once.idle_ms == -1) {
        once.idle_ms = WORKER_IDLE_MS;

    } else if (once.idle_ms == 0) {
        once.idle_ms = TASK_FOREVER;
    }

    if (settings.sqs_body != NULL) {
        worker_read_job();
        return;
    }

    worker.one = settings.once || !settings.polling
                 || settings.exit_after_completion;

    if (worker.one) {
        worker.concurrency = 1;
    }

    if (!settings.once && settings.polling) {
        once.wait_ms = TASK_FOREVER;
    }
}


static void
worker_read_job(void)
{
    char  error[160];

    posted_arena = arena_create();

    if (posted_arena == NULL) {
        fprintf(stderr, "setter-worker: cannot start: no memory\n");
        exit(1);
    }

    if (posted_read(&posted, settings.sqs_body, settings.sqs_tenant, error,
                    sizeof(error), posted_arena)
        != 0)
    {
        fprintf(stderr, "setter-worker: SQS_BODY: %s\n", error);
        exit(2);
    }

    once.job = &posted;
}


/* Connections are made in the background; only a wrong setting fails. */
static int
worker_open(void)
{
    char  error[512];

    if (pg_init(settings.database_url, (int) settings.db_pool) != 0) {
        fprintf(stderr, "setter-worker: cannot start: no memory\n");
        return -1;
    }

    worker.redis = redis_open(&settings.redis, "commands", worker_handshake,
                              &worker, error, sizeof(error));
    if (worker.redis != NULL) {
        worker.bell = redis_open(&settings.redis, "bell", NULL, NULL, error,
                                 sizeof(error));
    }

    if (worker.bell == NULL) {
        fprintf(stderr, "setter-worker: %s\n", error);
        return -1;
    }

    return 0;
}


/*
 * A Redis that must not be used ends the process at its start, when nothing
 * is in hand; later it is waited for.  After a reconnection what is in hand
 * is prolonged before all else.
 */
static int
worker_handshake(redis_t *redis, void *data)
{
    worker_t  *self = data;

    if (queue_handshake(redis, &self->queue) != 0) {
        if (self->queue.refusal[0] != '\0' && !worker_greeted) {
            _exit(2);
        }
        return -1;
    }

    worker_greeted = 1;
    lease_extend(self);
    return 0;
}


static int
worker_run(void)
{
    const char  *missing;

    missing = llm_check(&worker.llm);
    if (missing != NULL) {
        log_warn("no model, so nothing is claimed", "hint", missing);
    }

    if (task_start("claim", claim_run, &worker) == NULL
        || task_start("listen", claim_listen, &worker) == NULL
        || task_start("lease", lease_run, &worker) == NULL
        || task_start("once", once_run, &once) == NULL
        || task_start("reconcile", reconcile_run, &worker) == NULL
        || task_start("forget", forget_run, &worker) == NULL
        || task_start("media", media_forget, &worker) == NULL
        || task_start("typing", typing_run, &worker) == NULL
        || loop_on_signal(SIGTERM, worker_stop) != 0
        || loop_on_signal(SIGINT, worker_stop) != 0)
    {
        log_error("cannot start: no memory");
        return 1;
    }

    log_info("started", "worker", worker_name, "concurrency",
             log_number(worker.concurrency));
    loop_run();
    log_info("stopped", "worker", worker_name);
    return once.status;
}


/* A second signal changes nothing. */
static void
worker_stop(int signal)
{
    if (worker.stopping) {
        return;
    }

    log_info("stopping", "signal", signal == SIGTERM ? "TERM" : "INT",
             "turns", log_number(worker.nturns));
    worker_quit();
}


static void
worker_quit(void)
{
    worker.stopping = 1;
    claim_wake(&worker);

    if (task_start("stop", worker_leave, NULL) == NULL) {
        loop_stop();
    }
}


/*
 * Turns in hand may end in their own time, then those that wait are handed
 * back.  A send that has begun is seen to its end.
 */
static void
worker_leave(void *data)
{
    int64_t  deadline;

    (void) data;
    deadline = loop_now_ms() + settings.stop_ms;

    while (worker.nturns > 0 || worker.claiming) {
        if (loop_now_ms() >= deadline && !worker.leaving) {
            worker.leaving = 1;
            worker_cancel_turns();
        }

        task_sleep(WORKER_POLL_MS);
    }

    once_result(&once);
    loop_stop();
}


static void
worker_cancel_turns(void)
{
    turn_t  *turn;

    log_info("handing back", "turns", log_number(worker.nturns));

    LIST_FOREACH(turn, &worker.turns, link) {
        task_cancel(turn->task);
    }
}
