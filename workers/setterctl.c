/*
 * setterctl: what an operator asks and orders.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "runtime/config.h"
#include "runtime/egress.h"
#include "runtime/log.h"
#include "runtime/loop.h"
#include "runtime/task.h"
#include "setter_partition.h"


static const ctl_command_t *find_command(int argc, char **argv, int *words);
static void run_command(void *data);
static void print_usage(FILE *out);


static const ctl_command_t  commands[] = {
    { "migrate", "",
      "bring the database to this version", ctl_migrate },
    { "doctor", "",
      "check Redis, PostgreSQL and the accounts", ctl_doctor },
    { "depth", "[TENANT...]",
      "what waits in the queue", ctl_depth },
    { "tail", "",
      "show jobs as they arrive", ctl_tail },
    { "job show", "ID",
      "what became of a job", ctl_job_show },
    { "job unknown", "[TENANT]",
      "replies that may have arrived or not", ctl_job_unknown },
    { "job settle", "MESSAGE-ID sent|failed",
      "decide what became of such a reply", ctl_job_settle },
    { "dead list", "[TENANT]",
      "jobs that were given up, and why", ctl_dead_list },
    { "dead requeue", "ID | [--tenant SLUG] [--reason TEXT]",
      "let jobs that were given up be tried again", ctl_dead_requeue },
    { "tenant add", "SLUG",
      "make a tenant known, or active again", ctl_tenant_add },
    { "tenant suspend", "SLUG",
      "refuse a tenant's messages", ctl_tenant_suspend },
    { "tenant list", "",
      "all tenants", ctl_tenant_list },
    { "tenant show", "SLUG",
      "a tenant's settings", ctl_tenant_show },
    { "tenant set", "SLUG FIELD=VALUE...",
      "change its settings: weight, cap, prompt and others",
      ctl_tenant_set },
    { "tenant hold", "SLUG",
      "hand out none of a tenant's lanes", ctl_tenant_hold },
    { "tenant release", "SLUG",
      "hand them out again", ctl_tenant_release },
    { "lane hold", "LANE",
      "let a conversation wait", ctl_lane_hold },
    { "lane release", "LANE",
      "hand it out again", ctl_lane_release },
    { "lane takeover", "LANE",
      "let a person answer a conversation", ctl_lane_takeover },
    { "lane handback", "LANE",
      "let the model answer it again", ctl_lane_handback },
    { "lane list", "[TENANT]",
      "lanes that are held, or taken over by a person", ctl_lane_list },
    { "worker list", "",
      "workers, and the turns they have in hand", ctl_worker_list },
    { "key add", "SLUG [NAME]",
      "make a tenant's key and show it, once", ctl_key_add },
    { "key list", "[SLUG]",
      "all keys, by their last characters", ctl_key_list },
    { "key revoke", "SLUG|ID...",
      "let a tenant's keys, or one, count no more", ctl_key_revoke },
    { "key signing", "",
      "show the key that nginx needs for channels' signatures",
      ctl_key_signing },
    { "key rotate-master", "",
      "seal all credentials under a new master key", ctl_key_rotate_master },
    { "channel add", "SLUG PROVIDER ADDRESS [FIELD=VALUE...]",
      "give a tenant a number, page or sender", ctl_channel_add },
    { "channel set", "SLUG PROVIDER ADDRESS FIELD=VALUE...",
      "change one: account, credential, confirmed and so on",
      ctl_channel_set },
    { "channel list", "[SLUG]",
      "channels, and which secrets they have", ctl_channel_list },
    { "channel remove", "SLUG PROVIDER ADDRESS",
      "take a channel and its secrets away", ctl_channel_remove },
    { "channel send", "[--test] SLUG PROVIDER ADDRESS TO [TEXT]",
      "send one message, or a test, to see that it works", ctl_channel_send },
    { "scale", "[OPTION...] [-- ARGUMENT...]",
      "start and stop workers as the queue needs them", ctl_scale },
};

#define NCOMMANDS  (sizeof(commands) / sizeof(commands[0]))

static const config_setting_t  settings[] = {
    REDIS_SETTINGS(ctl_t, redis_settings),
    { "SETTER_DATABASE_URL", "database-url", CONFIG_TEXT,
      offsetof(ctl_t, database_url), NULL, 0, 0, 1,
      "PostgreSQL, as libpq takes it; the worker's role" },
    { "SETTER_ADMIN_DATABASE_URL", "admin-database-url", CONFIG_TEXT,
      offsetof(ctl_t, admin_database_url), NULL, 0, 0, 1,
      "PostgreSQL, as libpq takes it; the owner's role" },
    MASTER_SETTINGS(ctl_t, master),
    EGRESS_SETTING(ctl_t, egress_allow),
    { "SETTER_PARTITIONS", "partitions", CONFIG_NUMBER,
      offsetof(ctl_t, partitions), "1", 1, SETTER_MAX_PARTITIONS, 0,
      "partitions of the queue, the same everywhere" },
    { "OPENAI_BASE_URL", "openai-base-url", CONFIG_TEXT,
      offsetof(ctl_t, llm.base_url), "https://api.openai.com/v1", 0, 0, 0,
      "with the version, /v1" },
    { "OPENAI_API_KEY", "openai-api-key", CONFIG_TEXT,
      offsetof(ctl_t, llm.api_key), NULL, 0, 0, 1,
      "key of the model's provider" },
    { "SETTER_LLM_MODEL", "llm-model", CONFIG_TEXT,
      offsetof(ctl_t, llm.model), "gpt-4o-mini", 0, 0, 0,
      "the model's name" },
    { "SETTER_LLM", "llm", CONFIG_TEXT,
      offsetof(ctl_t, llm.provider), "openai", 0, 0, 0,
      "whose interface the model has: openai" },
    CHANNEL_SETTINGS(ctl_t, accounts),
    { "SETTER_JSON", "json", CONFIG_SWITCH,
      offsetof(ctl_t, json), "off", 0, 0, 0,
      "answers as JSON, for programs" },
};

static ctl_t                  ctl;
static const ctl_command_t   *command;
static int                    nargs;
static char                 **args;
static int                    status = CTL_FAILED;


int
main(int argc, char **argv)
{
    int   first, words;
    char  usage[8192];
    FILE *out;

    out = fmemopen(usage, sizeof(usage), "w");
    print_usage(out);
    fclose(out);

    first = config_read(settings, sizeof(settings) / sizeof(settings[0]),
                        &ctl, argc, argv, usage);
    command = find_command(argc - first, argv + first, &words);

    if (command == NULL) {
        if (first < argc) {
            ctl_fail("there is no command \"%s\"", argv[first]);
        }
        print_usage(stderr);
        return CTL_USAGE;
    }

    nargs = argc - first - words;
    args = argv + first + words;
    log_set_name("setterctl");
    log_set_level("error");

    if (loop_init() != 0 || task_start("command", run_command, NULL) == NULL) {
        return ctl_fail("cannot make an event loop");
    }

    loop_run();

    if (status == CTL_USAGE) {
        fprintf(stderr, "usage: setterctl %s %s\n", command->words,
                command->arguments);
    }

    return status;
}


static void
run_command(void *data)
{
    (void) data;
    status = command->run(&ctl, nargs, args);
    loop_stop();
}


/* The command whose words stand first; *words tells how many. */
static const ctl_command_t *
find_command(int argc, char **argv, int *words)
{
    size_t       i, len;
    const char  *p;

    for (i = 0; i < NCOMMANDS; i++) {
        p = commands[i].words;

        for (*words = 0; *words < argc && *p != '\0'; (*words)++) {
            len = strcspn(p, " ");
            if (strlen(argv[*words]) != len
                || strncmp(argv[*words], p, len) != 0)
            {
                break;
            }
            p += len + strspn(p + len, " ");
        }

        if (*p == '\0') {
            return &commands[i];
        }
    }

    return NULL;
}


static void
print_usage(FILE *out)
{
    size_t  i;
    char    line[128];

    fputs("Usage: setterctl [OPTION...] COMMAND [ARGUMENT...]\n\n", out);

    for (i = 0; i < NCOMMANDS; i++) {
        snprintf(line, sizeof(line), "%s %s", commands[i].words,
                 commands[i].arguments);
        fprintf(out, strlen(line) > 34 ? "  %s\n%37s%s\n" : "  %-34s%s %s\n",
                line, "", commands[i].help);
    }
}
