/*
 * Log lines: one JSON object each on standard error, with the running task's
 * trace id.  Text from outside is escaped; callers never pass message texts
 * or credentials.
 */

#ifndef LOG_H
#define LOG_H


typedef enum { LOG_DEBUG = 0, LOG_INFO, LOG_WARN, LOG_ERROR } log_level_e;

/* "debug", "info", "warn" or "error"; -1 when name is none of them. */
int log_set_level(const char *name);

/* The program's name, in every line. */
void log_set_name(const char *name);

/*
 * The message is followed by pairs of strings, name and value, up to NULL
 * (the macros below add it); a value of NULL ends them too:
 *   log_info("turn done", "lane", lane, "ms", log_number(ms));
 * A line holds at most 8 KiB; what is longer is cut.
 */
void log_write(log_level_e level, const char *message, ...)
    __attribute__((sentinel));

/* A number's text in one of eight static buffers: for one log call, which
 * writes it as a JSON number. */
const char *log_number(long long number);

#define log_debug(...)  log_write(LOG_DEBUG, __VA_ARGS__, NULL)
#define log_info(...)   log_write(LOG_INFO, __VA_ARGS__, NULL)
#define log_warn(...)   log_write(LOG_WARN, __VA_ARGS__, NULL)
#define log_error(...)  log_write(LOG_ERROR, __VA_ARGS__, NULL)


#endif /* LOG_H */
