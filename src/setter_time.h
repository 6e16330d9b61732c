/*
 * Points in time as text: RFC 3339, written in UTC, 2026-11-20T10:30:00.123Z.
 */

#ifndef SETTER_TIME_H
#define SETTER_TIME_H

#include "setter_buf.h"


/* Appends Unix time in ms (years 0 to 9999), without quotes. */
void setter_time_write(setter_buf_t *buf, int64_t ms);

/*
 * Unix time in ms, or -1.  The fraction may be absent or of any length, and
 * the time in any zone, 2026-11-20T11:30:00+01:00 or, as ISO 8601's basic
 * form has it, +0100.
 */
int64_t setter_time_read(setter_str_t text);


#endif /* SETTER_TIME_H */
