/*
 * Settings by table: default, then environment, then options.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/config.h"


/* What a reading needs at hand, and the program's name for its errors. */
typedef struct {
    const config_setting_t  *table;
    size_t                   n;
    char                    *settings;
    const char              *program;
} config_t;


static void config_set(config_t *config, const config_setting_t *setting,
    const char *value, int option);
static void config_number(config_t *config, const config_setting_t *setting,
    const char *value, int option);
static void config_switch(config_t *config, const config_setting_t *setting,
    const char *value, int option);
static int config_option(config_t *config, int argc, char **argv, int i);
static const config_setting_t *config_find(config_t *config, const char *name,
    size_t len);
static void config_refuse(config_t *config, const config_setting_t *setting,
    const char *value, int option, const char *expected);
static void config_help(config_t *config, const char *usage);


int
config_read(const config_setting_t *table, size_t n, void *settings, int argc,
    char **argv, const char *usage)
{
    int                      i;
    size_t                   k;
    config_t                 config;
    const char              *value;
    const config_setting_t  *setting;

    config.table = table;
    config.n = n;
    config.settings = settings;
    config.program = argc > 0 ? argv[0] : "";

    value = strrchr(config.program, '/');
    if (value != NULL) {
        config.program = value + 1;
    }

    for (k = 0; k < n; k++) {
        setting = &table[k];
        config_set(&config, setting, setting->initial, 0);
        if (setting->variable != NULL) {
            config_set(&config, setting, getenv(setting->variable), 0);
        }
    }

    i = 1;
    while (i < argc && argv[i][0] == '-' && argv[i][1] != '\0') {
        if (strcmp(argv[i], "--") == 0) {
            return i + 1;
        }
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            config_help(&config, usage);
            exit(0);
        }
        i += config_option(&config, argc, argv, i);
    }

    return i;
}


/*
 * Takes the option at argv[i]: "--name=value", "--name value", or "--name"
 * alone where that is enough.  Returns how many words it took.
 */
static int
config_option(config_t *config, int argc, char **argv, int i)
{
    size_t                   len;
    const char              *name, *equals;
    const config_setting_t  *setting;

    name = argv[i] + 2;
    equals = strchr(name, '=');
    len = equals != NULL ? (size_t) (equals - name) : strlen(name);

    setting = argv[i][1] == '-' ? config_find(config, name, len) : NULL;
    if (setting == NULL) {
        fprintf(stderr, "%s: unknown option \"%.*s\"; --help lists them\n",
                config->program, (int) (len + 2), argv[i]);
        exit(2);
    }

    if (equals != NULL) {
        config_set(config, setting, equals + 1, 1);
        return 1;
    }

    if (setting->type == CONFIG_SWITCH) {
        config_set(config, setting, "on", 1);
        return 1;
    }

    if (setting->type == CONFIG_PERHAPS
        && (i + 1 == argc || argv[i + 1][0] < '0' || argv[i + 1][0] > '9'))
    {
        *(long *) (config->settings + setting->offset) = -1;
        return 1;
    }

    if (i + 1 == argc) {
        fprintf(stderr, "%s: --%s needs a value\n", config->program,
                setting->option);
        exit(2);
    }

    config_set(config, setting, argv[i + 1], 1);
    return 2;
}


static const config_setting_t *
config_find(config_t *config, const char *name, size_t len)
{
    size_t       i;
    const char  *option;

    for (i = 0; i < config->n; i++) {
        option = config->table[i].option;
        if (strncmp(option, name, len) == 0 && option[len] == '\0') {
            return &config->table[i];
        }
    }

    return NULL;
}


/* Stores a value; an empty one counts as not given. */
static void
config_set(config_t *config, const config_setting_t *setting,
    const char *value, int option)
{
    if (value == NULL || value[0] == '\0') {
        return;
    }

    switch (setting->type) {

    case CONFIG_TEXT:
        *(const char **) (config->settings + setting->offset) = value;
        break;

    case CONFIG_NUMBER:
    case CONFIG_PERHAPS:
        config_number(config, setting, value, option);
        break;

    case CONFIG_SWITCH:
        config_switch(config, setting, value, option);
        break;
    }
}


static void
config_number(config_t *config, const config_setting_t *setting,
    const char *value, int option)
{
    long   number;
    char  *end, bounds[80];

    errno = 0;
    number = strtol(value, &end, 10);

    if (errno != 0 || *end != '\0' || number < setting->min
        || number > setting->max)
    {
        snprintf(bounds, sizeof(bounds), "a number from %ld to %ld",
                 setting->min, setting->max);
        config_refuse(config, setting, value, option, bounds);
    }

    *(long *) (config->settings + setting->offset) = number;
}


static void
config_switch(config_t *config, const config_setting_t *setting,
    const char *value, int option)
{
    size_t  i;

    static const char *const  words[] = {
        "false", "true", "0", "1", "off", "on", "no", "yes"
    };

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasecmp(value, words[i]) == 0) {
            *(int *) (config->settings + setting->offset) = i % 2;
            return;
        }
    }

    config_refuse(config, setting, value, option, "on or off");
}


static void
config_refuse(config_t *config, const config_setting_t *setting,
    const char *value, int option, const char *expected)
{
    fprintf(stderr, "%s: %s%s is \"%s\", expected %s\n", config->program,
            option || setting->variable == NULL ? "--" : "",
            option || setting->variable == NULL ? setting->option
                                                : setting->variable,
            setting->secret ? "(hidden)" : value, expected);
    exit(2);
}


static void
config_help(config_t *config, const char *usage)
{
    size_t                   i;
    const char              *initial;
    const config_setting_t  *setting;

    static const char *const  values[] = { "=TEXT", "=N", "[=N]", "" };

    printf("%s\n", usage);

    for (i = 0; i < config->n; i++) {
        setting = &config->table[i];
        initial = setting->initial != NULL ? setting->initial : "";

        printf("\n  --%s%s\n      %s\n      %s%sdefault: %s\n",
               setting->option, values[setting->type], setting->help,
               setting->variable != NULL ? setting->variable : "",
               setting->variable != NULL ? "; " : "",
               setting->secret || initial[0] == '\0' ? "none" : initial);
    }
}
