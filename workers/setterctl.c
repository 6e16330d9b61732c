/*
 * setterctl: what an operator asks and orders.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/ctl.h"
#include "runtime/config.h"
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
};

#define NCOMMANDS  (sizeof(commands) / sizeof(commands[0]))

static const config_setting_t  settings[] = {
    { "SETTER_REDIS_URL", "redis-url", CONFIG_TEXT,
      offsetof(ctl_t, redis_url), NULL, 0, 0, 1,
      "Redis: unix:PATH or redis://[user:password@]host[:port][/db]" },
    { "SETTER_DATABASE_URL", "database-url", CONFIG_TEXT,
      offsetof(ctl_t, database_url), NULL, 0, 0, 1,
      "PostgreSQL, as libpq takes it; the worker's role" },
    { "SETTER_ADMIN_DATABASE_URL", "admin-database-url", CONFIG_TEXT,
      offsetof(ctl_t, admin_database_url), NULL, 0, 0, 1,
      "PostgreSQL, as libpq takes it; the owner's role" },
    { "SETTER_PARTITIONS", "partitions", CONFIG_NUMBER,
      offsetof(ctl_t, partitions), "1", 1, SETTER_MAX_PARTITIONS, 0,
      "partitions of the queue, the same everywhere" },
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
    char  usage[2048];
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
        fprintf(out, "  %-34s %s\n", line, commands[i].help);
    }
}
