#include <string.h>
#include <time.h>

#include "setter_time.h"


static int setter_time_zone(setter_str_t *text, int64_t *zone);
static int setter_time_seconds(const char *p, int64_t *seconds);
static int setter_time_is(const char *p, const char *form);
static char *setter_time_digits(char *p, int number, int digits);
static int setter_time_number(const char *p, int digits);


static const char  setter_time_form[] = "0000-00-00T00:00:00";

#define SETTER_TIME_SECONDS  (sizeof(setter_time_form) - 1)

/* of zones, behind their sign */
static const char *const  setter_time_offsets[] = { "00:00", "0000" };


void
setter_time_write(setter_buf_t *buf, int64_t ms)
{
    char       text[sizeof("0000-00-00T00:00:00.000Z")], *p;
    time_t     seconds;
    struct tm  tm;

    seconds = ms / 1000;
    gmtime_r(&seconds, &tm);

    p = setter_time_digits(text, tm.tm_year + 1900, 4);
    *p++ = '-';
    p = setter_time_digits(p, tm.tm_mon + 1, 2);
    *p++ = '-';
    p = setter_time_digits(p, tm.tm_mday, 2);
    *p++ = 'T';
    p = setter_time_digits(p, tm.tm_hour, 2);
    *p++ = ':';
    p = setter_time_digits(p, tm.tm_min, 2);
    *p++ = ':';
    p = setter_time_digits(p, tm.tm_sec, 2);
    *p++ = '.';
    p = setter_time_digits(p, ms % 1000, 3);
    *p++ = 'Z';

    setter_buf_append(buf, text, p - text);
}


int64_t
setter_time_read(setter_str_t text)
{
    int          ms, unit;
    size_t       i;
    int64_t      seconds, zone;
    const char  *p;

    p = text.data;

    if (text.len <= SETTER_TIME_SECONDS
        || !setter_time_is(p, setter_time_form)
        || setter_time_zone(&text, &zone) != SETTER_OK)
    {
        return -1;
    }

    ms = 0;
    unit = 100;
    i = SETTER_TIME_SECONDS;

    if (text.len > i && (p[i] != '.' || text.len == i + 1)) {
        return -1;
    }

    for (i++; i < text.len; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return -1;
        }

        ms += (p[i] - '0') * unit;
        unit /= 10;
    }

    if (setter_time_seconds(p, &seconds) != SETTER_OK) {
        return -1;
    }

    return (seconds - zone) * 1000 + ms;
}


/* Takes "Z", "+01:00" or "+0100" off the end: its seconds before UTC. */
static int
setter_time_zone(setter_str_t *text, int64_t *zone)
{
    int          hours, minutes;
    size_t       i, len;
    const char  *p;

    if (text->data[text->len - 1] == 'Z') {
        text->len--;
        *zone = 0;

        return SETTER_OK;
    }

    for (i = 0; i < 2; i++) {
        len = 1 + strlen(setter_time_offsets[i]);
        p = text->data + text->len - len;

        if (text->len < SETTER_TIME_SECONDS + len || (*p != '+' && *p != '-')
            || !setter_time_is(p + 1, setter_time_offsets[i]))
        {
            continue;
        }

        hours = setter_time_number(p + 1, 2);
        minutes = setter_time_number(p + len - 2, 2);

        if (hours > 23 || minutes > 59) {
            return SETTER_ERROR;
        }

        text->len -= len;
        *zone = (*p == '-' ? -60 : 60) * (60 * hours + minutes);

        return SETTER_OK;
    }

    return SETTER_ERROR;
}


/* Unix time of what has the form of a date and a time. */
static int
setter_time_seconds(const char *p, int64_t *seconds)
{
    struct tm  tm, date;

    memset(&tm, 0, sizeof(tm));
    tm.tm_year = setter_time_number(p, 4) - 1900;
    tm.tm_mon = setter_time_number(p + 5, 2) - 1;
    tm.tm_mday = setter_time_number(p + 8, 2);
    tm.tm_hour = setter_time_number(p + 11, 2);
    tm.tm_min = setter_time_number(p + 14, 2);
    tm.tm_sec = setter_time_number(p + 17, 2);

    date = tm;
    *seconds = timegm(&tm);

    /* no month 13, no 31st of June: timegm() would put them right */

    if (tm.tm_mon != date.tm_mon || tm.tm_mday != date.tm_mday
        || tm.tm_hour != date.tm_hour || tm.tm_min != date.tm_min
        || tm.tm_sec != date.tm_sec)
    {
        return SETTER_ERROR;
    }

    return SETTER_OK;
}


/* Whether p begins as the form does, where a 0 stands for any digit. */
static int
setter_time_is(const char *p, const char *form)
{
    for ( /* void */ ; *form; p++, form++) {
        if (*form == '0' ? *p < '0' || *p > '9' : *p != *form) {
            return 0;
        }
    }

    return 1;
}


static char *
setter_time_digits(char *p, int number, int digits)
{
    int  i;

    for (i = digits - 1; i >= 0; i--) {
        p[i] = '0' + number % 10;
        number /= 10;
    }

    return p + digits;
}


static int
setter_time_number(const char *p, int digits)
{
    int  number;

    number = 0;

    while (digits-- > 0) {
        number = 10 * number + (*p++ - '0');
    }

    return number;
}
