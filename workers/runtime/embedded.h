/*
 * Files that travel inside the programs: lanes.lua and the migrations.
 * scripts/embed makes the table at build time.
 */

#ifndef EMBEDDED_H
#define EMBEDDED_H

#include <stddef.h>


typedef struct {
    const char  *name;      /* "lanes.lua", "001-record.sql" */
    const char  *data;      /* a NUL stands behind the last byte */
    size_t       size;
} embedded_file_t;

/* Ends with a name of NULL; migrations stand in the order of their names. */
extern const embedded_file_t  embedded_files[];


#endif /* EMBEDDED_H */
