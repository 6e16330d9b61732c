#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "reply/media_store.h"
#include "runtime/thread.h"


#define MEDIA_DAY_S  86400


/* What is done on another thread, with its result. */
typedef struct {
    const char    *dir, *tenant, *month;
    char           path[MEDIA_PATH_MAX];        /* all of it */
    setter_str_t   data;
    int            error;                       /* 0, or an errno */
} media_write_t;

typedef struct {
    char           path[MEDIA_PATH_MAX];
    size_t         max, len;
    char          *text;                        /* NULL: it could not be read */
} media_load_t;

typedef struct {
    char           path[MEDIA_PATH_MAX];
    int            depth;
    time_t         before;
    long           n;                           /* how many, then were */
} media_sweep_t;


static void media_write_it(void *data);
static int media_folders(const char *dir, const char *tenant,
    const char *month);
static int media_write(const char *path, setter_str_t data);
static int media_whole(char full[MEDIA_PATH_MAX], const char *dir,
    const char *path);
static void media_load_it(void *data);
static int media_load_from(media_load_t *load, FILE *file);
static void media_delete_it(void *data);
static void media_sweep_it(void *data);
static long media_sweep_in(const char *dir, int depth, time_t before, long n);
static long media_sweep_one(const char *path, int depth, time_t before,
    long n);


static const struct {
    const char  *type, *ending;
} media_endings[] = {
    { "audio/aac", "aac" },
    { "audio/amr", "amr" },
    { "audio/mp4", "m4a" },
    { "audio/mpeg", "mp3" },
    { "audio/ogg", "ogg" },
    { "audio/opus", "ogg" },
    { "audio/wav", "wav" },
    { "audio/webm", "webm" },
    { "application/ogg", "ogg" },
    { "application/pdf", "pdf" },
    { "image/gif", "gif" },
    { "image/jpeg", "jpg" },
    { "image/png", "png" },
    { "image/webp", "webp" },
    { "video/mp4", "mp4" },
    { "video/webm", "webm" },
};


const char *
media_ending(setter_str_t type)
{
    size_t  i;

    for (i = 0; i < sizeof(media_endings) / sizeof(media_endings[0]); i++) {
        if (setter_str_is(type, media_endings[i].type)) {
            return media_endings[i].ending;
        }
    }

    return "bin";
}


const char *
media_store(const char *dir, const char *tenant, const char *id, int n,
    setter_str_t type, setter_str_t data, arena_t *arena)
{
    char            month[16];
    time_t          now;
    struct tm       tm;
    const char     *path;
    media_write_t   write;

    now = time(NULL);
    gmtime_r(&now, &tm);
    strftime(month, sizeof(month), "%Y-%m", &tm);

    path = arena_printf(arena, "%s/%s/%s-%d.%s", tenant, month, id, n,
                        media_ending(type));

    if (path == NULL || media_whole(write.path, dir, path) != 0) {
        errno = path == NULL ? ENOMEM : ENAMETOOLONG;
        return NULL;
    }

    write.dir = dir;
    write.tenant = tenant;
    write.month = month;
    write.data = data;
    thread_run(media_write_it, &write);
    errno = write.error;

    return write.error == 0 ? path : NULL;
}


/* 0, or -1: it is too long, or leads elsewhere: the record's word is enough
 * for no more. */
static int
media_whole(char full[MEDIA_PATH_MAX], const char *dir, const char *path)
{
    return strstr(path, "..") == NULL
           && snprintf(full, MEDIA_PATH_MAX, "%s/%s", dir, path)
              < MEDIA_PATH_MAX ? 0 : -1;
}


static void
media_write_it(void *data)
{
    media_write_t  *write = data;

    write->error = media_folders(write->dir, write->tenant, write->month) == 0
                   && media_write(write->path, write->data) == 0 ? 0 : errno;
}


static int
media_folders(const char *dir, const char *tenant, const char *month)
{
    char  path[MEDIA_PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", dir, tenant);

    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return -1;
    }

    snprintf(path, sizeof(path), "%s/%s/%s", dir, tenant, month);

    return mkdir(path, 0700) != 0 && errno != EEXIST ? -1 : 0;
}


/* Under its name only when it is whole. */
static int
media_write(const char *path, setter_str_t data)
{
    int      fd, error;
    char     unfinished[MEDIA_PATH_MAX + 8];
    size_t   done;
    ssize_t  n;

    snprintf(unfinished, sizeof(unfinished), "%s.part", path);

    fd = open(unfinished, O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0600);
    if (fd == -1) {
        return -1;
    }

    for (done = 0, n = 0; done < data.len && n >= 0; done += (size_t) n) {
        n = write(fd, data.data + done, data.len - done);
        if (n == -1) {
            break;
        }
    }

    error = errno;

    if (close(fd) == 0 && n >= 0 && rename(unfinished, path) == 0) {
        return 0;
    }

    unlink(unfinished);
    errno = n == -1 ? error : errno;

    return -1;
}


char *
media_load(const char *dir, const char *path, size_t max, size_t *len)
{
    media_load_t  load;

    if (media_whole(load.path, dir, path) != 0) {
        return NULL;
    }

    load.max = max;
    load.text = NULL;
    thread_run(media_load_it, &load);
    *len = load.len;

    return load.text;
}


static void
media_load_it(void *data)
{
    FILE          *file;
    media_load_t  *load = data;

    file = fopen(load->path, "re");
    if (file == NULL) {
        return;
    }

    if (media_load_from(load, file) != 0) {
        free(load->text);
        load->text = NULL;
    }

    fclose(file);
}


static int
media_load_from(media_load_t *load, FILE *file)
{
    struct stat  st;

    if (fstat(fileno(file), &st) != 0 || !S_ISREG(st.st_mode)
        || (size_t) st.st_size > load->max)
    {
        return -1;
    }

    load->len = (size_t) st.st_size;
    load->text = malloc(load->len + 1);

    return load->text != NULL
           && fread(load->text, 1, load->len, file) == load->len ? 0 : -1;
}


void
media_delete(const char *dir, const char *path)
{
    char  full[MEDIA_PATH_MAX];

    if (media_whole(full, dir, path) == 0) {
        thread_run(media_delete_it, full);
    }
}


static void
media_delete_it(void *data)
{
    unlink(data);
}


long
media_sweep(const char *dir, const char *tenant, long days, long n)
{
    media_sweep_t  sweep;

    sweep.before = time(NULL) - days * MEDIA_DAY_S;
    sweep.depth = tenant != NULL;
    sweep.n = n;
    snprintf(sweep.path, sizeof(sweep.path), tenant != NULL ? "%s/%s" : "%s",
             dir, tenant);
    thread_run(media_sweep_it, &sweep);

    return sweep.n;
}


static void
media_sweep_it(void *data)
{
    media_sweep_t  *sweep = data;

    sweep->n = media_sweep_in(sweep->path, sweep->depth, sweep->before,
                              sweep->n);
}


/* depth: 0 has tenants, 1 months, 2 files. */
static long
media_sweep_in(const char *dir, int depth, time_t before, long n)
{
    DIR            *listing;
    char            path[MEDIA_PATH_MAX];
    long            gone;
    struct dirent  *entry;

    listing = opendir(dir);
    if (listing == NULL) {
        return 0;
    }

    gone = 0;

    while (gone < n && (entry = readdir(listing)) != NULL) {
        if (entry->d_name[0] != '.'
            && snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name)
               < (int) sizeof(path))
        {
            gone += media_sweep_one(path, depth, before, n - gone);
        }
    }

    closedir(listing);

    return gone;
}


static long
media_sweep_one(const char *path, int depth, time_t before, long n)
{
    long         gone;
    struct stat  st;

    if (lstat(path, &st) != 0) {
        return 0;
    }

    if (S_ISDIR(st.st_mode) && depth < 2) {
        gone = media_sweep_in(path, depth + 1, before, n);

        /* an empty one that is old: nobody is about to write there */
        if (st.st_mtime < before) {
            rmdir(path);
        }

        return gone;
    }

    return S_ISREG(st.st_mode) && st.st_mtime < before && unlink(path) == 0;
}
