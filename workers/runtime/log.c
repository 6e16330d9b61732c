/*
 * A log line is put together in one static buffer and leaves in one write(),
 * so that lines of several processes on one pipe do not mix.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/log.h"
#include "runtime/task.h"


#define LOG_LINE     8192
#define LOG_NUMBERS  8

/* Room kept for the end of a line whose text was cut: "\"}" and '\n'. */
#define LOG_TAIL     8


static void log_time(void);
static void log_pair(const char *name, const char *value);
static void log_string(const char *text);
static size_t log_escape(char out[8], const unsigned char *p, size_t *taken);
static size_t log_utf8(const unsigned char *p);
static int log_put(const char *data, size_t len);


static const char *const  log_levels[] = { "debug", "info", "warn", "error" };

static log_level_e   log_lowest = LOG_INFO;
static const char   *log_name = "";
static char          log_numbers[LOG_NUMBERS][24];

static char          log_line[LOG_LINE];
static size_t        log_len;


int
log_set_level(const char *name)
{
    size_t  i;

    for (i = 0; i < sizeof(log_levels) / sizeof(log_levels[0]); i++) {
        if (strcmp(name, log_levels[i]) == 0) {
            log_lowest = (log_level_e) i;
            return 0;
        }
    }

    return -1;
}


void
log_set_name(const char *name)
{
    log_name = name;
}


const char *
log_number(long long number)
{
    static unsigned   next;
    char             *text;

    text = log_numbers[next++ % LOG_NUMBERS];
    snprintf(text, sizeof(log_numbers[0]), "%lld", number);
    return text;
}


void
log_write(log_level_e level, const char *message, ...)
{
    va_list      args;
    const char  *name, *value;

    if (level < log_lowest) {
        return;
    }

    log_len = 0;
    log_time();
    log_pair("level", log_levels[level]);
    log_pair("name", log_name);
    log_pair("msg", message);

    if (task_self() != NULL && task_trace()[0] != '\0') {
        log_pair("trace", task_trace());
    }

    va_start(args, message);
    while ((name = va_arg(args, const char *)) != NULL) {
        value = va_arg(args, const char *);
        log_pair(name, value);
        if (value == NULL) {
            break;
        }
    }
    va_end(args);

    log_line[log_len++] = '}';
    log_line[log_len++] = '\n';

    while (write(STDERR_FILENO, log_line, log_len) == -1 && errno == EINTR) {
        /* again */
    }
}


/* Starts the line:  {"time":"2026-11-20T10:30:00.123Z"  */
static void
log_time(void)
{
    int              n;
    struct tm        tm;
    struct timespec  now;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);

    n = snprintf(log_line, sizeof(log_line),
                 "{\"time\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ\"",
                 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                 tm.tm_min, tm.tm_sec, now.tv_nsec / 1000000);
    log_len = (size_t) n;
}


/*
 * Appends  ,"name":"value".  What log_number() made stays a number.  A pair
 * whose name has no room any more is left out.
 */
static void
log_pair(const char *name, const char *value)
{
    if (LOG_LINE - log_len < strlen(name) + 40) {
        return;
    }

    log_put(",", 1);
    log_string(name);
    log_put(":", 1);

    if (value == NULL) {
        log_put("null", 4);

    } else if (value >= log_numbers[0]
               && value < log_numbers[0] + sizeof(log_numbers))
    {
        log_put(value, strlen(value));

    } else {
        log_string(value);
    }
}


/* Appends text as a JSON string, cut where the line is full. */
static void
log_string(const char *text)
{
    char                  out[8];
    size_t                n, taken;
    const unsigned char  *p;

    log_put("\"", 1);

    for (p = (const unsigned char *) text; *p != '\0'; p += taken) {
        n = log_escape(out, p, &taken);
        if (!log_put(out, n)) {
            break;
        }
    }

    log_line[log_len++] = '"';
}


/* One character of text at p as it stands in JSON; *taken: its bytes. */
static size_t
log_escape(char out[8], const unsigned char *p, size_t *taken)
{
    *taken = 1;

    if (*p == '"' || *p == '\\') {
        out[0] = '\\';
        out[1] = (char) *p;
        return 2;
    }

    if (*p < 0x20 || *p == 0x7f) {
        return (size_t) snprintf(out, 8, "\\u%04x", *p);
    }

    *taken = log_utf8(p);
    if (*taken == 0) {
        *taken = 1;
        memcpy(out, "\\ufffd", 6);
        return 6;
    }

    memcpy(out, p, *taken);
    return *taken;
}


/* The length of the UTF-8 character at p, or 0 when it is none. */
static size_t
log_utf8(const unsigned char *p)
{
    size_t         i, len;
    unsigned long  c;

    static const unsigned long  least[] = { 0, 0, 0x80, 0x800, 0x10000 };

    if (*p < 0x80) {
        return 1;
    }

    if (*p < 0xc2 || *p > 0xf4) {
        return 0;
    }

    len = *p >= 0xf0 ? 4 : *p >= 0xe0 ? 3 : 2;
    c = *p & (0x7f >> len);

    for (i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
        c = c << 6 | (p[i] & 0x3f);
    }

    if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
        return 0;
    }

    return len;
}


/* Appends len bytes, or returns 0 and leaves the line as it is. */
static int
log_put(const char *data, size_t len)
{
    if (LOG_LINE - LOG_TAIL - log_len < len) {
        return 0;
    }

    memcpy(log_line + log_len, data, len);
    log_len += len;
    return 1;
}
