/*
 * Strict JSON (RFC 8259): reading by a table of paths, and writing.
 *
 * Reading walks yajl's SAX events once and keeps what the table names.  It
 * refuses what yajl would let pass (nginx-pitfalls: more than 64 levels,
 * duplicate keys, trailing bytes, white space out of grammar) and, unless
 * asked to repair, U+0000, lone surrogates and broken UTF-8.
 */

#ifndef SETTER_JSON_H
#define SETTER_JSON_H

#include "setter_buf.h"


#define SETTER_JSON_MAX_DEPTH  64
#define SETTER_JSON_MAX_PATHS  64


typedef enum {
    SETTER_JSON_ABSENT = 0,
    SETTER_JSON_NULL,
    SETTER_JSON_FALSE,
    SETTER_JSON_TRUE,
    SETTER_JSON_NUMBER,
    SETTER_JSON_STRING,
    SETTER_JSON_OBJECT,
    SETTER_JSON_ARRAY
} setter_json_type_e;


/*
 * text: STRING, the decoded UTF-8; NUMBER, its digits as they stood; OBJECT
 * and ARRAY, their JSON text when the path asked for it; else empty.
 */
typedef struct {
    setter_json_type_e  type;
    setter_str_t        text;
} setter_json_value_t;


#define SETTER_JSON_TEXT  1  /* keep the JSON text of an object or array */
#define SETTER_JSON_KEEP  2  /* what it names stays in rest all the same */

/* "profile.name", "choices.0.message.content": members and array indexes */
typedef struct {
    const char  *path;
    unsigned     flags;
} setter_json_path_t;


typedef enum {
    SETTER_JSON_OK = 0,
    SETTER_JSON_SYNTAX,         /* not JSON, or cut short */
    SETTER_JSON_NOT_OBJECT,
    SETTER_JSON_DUPLICATE_KEY,
    SETTER_JSON_TOO_DEEP,
    SETTER_JSON_ENCODING,       /* U+0000, lone surrogate, broken UTF-8 */
    SETTER_JSON_NO_MEMORY
} setter_json_error_e;


#define SETTER_JSON_REPAIR  1   /* what would be ENCODING becomes U+FFFD */

/*
 * Reads one JSON object.  values has one element a path, in order; what the
 * document lacks is ABSENT.  rest, when not NULL, receives the top-level
 * members that no path takes, re-written, as  "a":1,"b":[true]  without
 * braces, behind what it holds already.  A path takes a member when it names
 * the member itself, without KEEP; one that names only a part of it
 * ("profile.name") leaves it in rest whole, so that nothing gets lost.
 *
 * All kept text is from alloc (strings without escapes may point into json,
 * which therefore has to live as long).  After an error, values and rest
 * hold nothing of use.  Takes about 12 KiB of stack.
 */
setter_json_error_e setter_json_read(const char *json, size_t len,
    unsigned flags, const setter_json_path_t *paths, size_t npaths,
    setter_json_value_t *values, setter_buf_t *rest, setter_alloc_t *alloc);

/*
 * The elements of an array that was read as text, one a call: 1 and the next
 * one's JSON text (blanks may stand at its end), 0 when there is none left.
 * array begins as the whole text and moves on.
 */
int setter_json_next(setter_str_t *array, setter_str_t *element);

/* A short lower-case text for a log or an answer: "duplicate key". */
const char *setter_json_strerror(setter_json_error_e error);


/* Appends text as a JSON string, quotes included; text is valid UTF-8. */
void setter_json_string(setter_buf_t *buf, const char *data, size_t len);

/* Appends a value that was read; "null" when it is absent. */
void setter_json_value(setter_buf_t *buf, const setter_json_value_t *value);

/*
 * Appends  "name":  behind a comma where one is needed (that is, unless the
 * buffer is empty or ends in '{'); the value is for the caller to append.
 */
void setter_json_name(setter_buf_t *buf, const char *name);

/* Appends  "name":"text"  likewise, or nothing when text.data is NULL. */
void setter_json_member(setter_buf_t *buf, const char *name,
    setter_str_t text);


#endif /* SETTER_JSON_H */
