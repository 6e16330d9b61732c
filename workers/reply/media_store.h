/*
 * The directory of files that messages brought: DIR/TENANT/YYYY-MM/ID-N.EXT.
 * It is this machine's, or shared between machines.  All of this is done on
 * another thread, while the task waits.
 */

#ifndef MEDIA_STORE_H
#define MEDIA_STORE_H

#include "runtime/arena.h"


#define MEDIA_PATH_MAX  1024

/*
 * Stores a file of the message of that id, as its n-th, by what is no type
 * ".bin".  The path below dir, from arena; NULL: it failed, errno says why.
 */
const char *media_store(const char *dir, const char *tenant, const char *id,
    int n, setter_str_t type, setter_str_t data, arena_t *arena);

/*
 * Reads one of up to max bytes, which is the caller's to free().  NULL: it is
 * not there, larger, or memory is short.
 */
char *media_load(const char *dir, const char *path, size_t max, size_t *len);

/* Deletes one. */
void media_delete(const char *dir, const char *path);

/* "ogg", of "audio/ogg"; "bin" where it is not known. */
const char *media_ending(setter_str_t type);

/*
 * Deletes up to n files that were stored more than that many days ago, and
 * directories that are empty: of the tenant, or NULL: of all.  How many files.
 */
long media_sweep(const char *dir, const char *tenant, long days, long n);


#endif /* MEDIA_STORE_H */
