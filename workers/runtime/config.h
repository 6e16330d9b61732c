/*
 * Configuration of the programs: each setting is a table row with a variable
 * of the environment, an option (--concurrency), a type, bounds and a
 * default.  Options win over the environment.
 */

#ifndef CONFIG_H
#define CONFIG_H

#include <stddef.h>


typedef enum {
    CONFIG_TEXT,        /* const char * into argv or the environment */
    CONFIG_NUMBER,      /* long, min..max */
    CONFIG_PERHAPS,     /* the same; -1 for an option that no number follows */
    CONFIG_SWITCH       /* int: true, false, 1, 0, on, off, yes, no; as an
                           option without "=" it is on */
} config_type_e;

typedef struct {
    const char     *variable;       /* "SETTER_CONCURRENCY"; NULL: none */
    const char     *option;         /* "concurrency" */
    config_type_e   type;
    size_t          offset;         /* in the program's settings struct */
    const char     *initial;        /* default as text; NULL: none */
    long            min, max;
    unsigned        secret:1;       /* --help and errors do not show it */
    const char     *help;
} config_setting_t;

/*
 * Fills settings, which the caller zeroed, from defaults, environment and
 * argv (options up to the first other word or "--"); an empty value counts as
 * not given.  Returns the index of the first word that is no option.  A wrong
 * value, an unknown option or --help ends the process: exit 2 with one line
 * naming the option or variable, or exit 0.
 */
int config_read(const config_setting_t *table, size_t n, void *settings,
    int argc, char **argv, const char *usage);


#endif /* CONFIG_H */
