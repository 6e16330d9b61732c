/*
 * The directory of files that messages brought: DIR/TENANT/YYYY-MM/ID-N.EXT.
 * It is this machine's, or shared between machines; what is not there any more
 * is fetched again.
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

/* Reads one of up to max bytes.  0, or -1: it is not there, or no memory. */
int media_load(const char *dir, const char *path, size_t max,
    setter_str_t *data, arena_t *arena);

/* "ogg", of "audio/ogg"; "bin" where it is not known. */
const char *media_ending(setter_str_t type);

/*
 * Deletes up to n files that were stored more than that many days ago, and
 * directories that are empty: of the tenant, or NULL: of all.  How many files.
 */
long media_sweep(const char *dir, const char *tenant, long days, long n);


#endif /* MEDIA_STORE_H */
