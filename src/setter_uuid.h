/*
 * UUIDs (RFC 9562) as 36 characters of lower-case text, not NUL-terminated.
 */

#ifndef SETTER_UUID_H
#define SETTER_UUID_H

#include "setter_buf.h"


#define SETTER_UUID_LEN  36


/* Version 7: now_ms is Unix time in ms; the other bits are random. */
int setter_uuid_v7(char out[SETTER_UUID_LEN], int64_t now_ms);

/*
 * Version 8 from SHA-256 of (tenant, NUL, key): the same pair always gives
 * the same id, which is what makes a repeated webhook harmless.
 */
int setter_uuid_from_key(char out[SETTER_UUID_LEN], setter_str_t tenant,
    setter_str_t key);

/* 1 when text is 8-4-4-4-12 lower-case hexadecimal digits. */
int setter_uuid_valid(setter_str_t text);


#endif /* SETTER_UUID_H */
