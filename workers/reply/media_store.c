#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "reply/media_store.h"


#define MEDIA_DAY_S  86400


static int media_folders(const char *dir, const char *tenant,
    const char *month);
static int media_write(const char *path, setter_str_t data);
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
    char         month[16], full[MEDIA_PATH_MAX];
    time_t       now;
    struct tm    tm;
    const char  *path;

    now = time(NULL);
    gmtime_r(&now, &tm);
    strftime(month, sizeof(month), "%Y-%m", &tm);

    path = arena_printf(arena, "%s/%s/%s-%d.%s", tenant, month, id, n,
                        media_ending(type));

    if (path == NULL
        || snprintf(full, sizeof(full), "%s/%s", dir, path)
           >= (int) sizeof(full))
    {
        errno = path == NULL ? ENOMEM : ENAMETOOLONG;
        return NULL;
    }

    return media_folders(dir, tenant, month) == 0
           && media_write(full, data) == 0 ? path : NULL;
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


int
media_load(const char *dir, const char *path, size_t max, setter_str_t *data,
    arena_t *arena)
{
    char    full[MEDIA_PATH_MAX], *text;
    FILE   *file;
    size_t  len;

    /* the record's word, but it leads nowhere else */
    if (strstr(path, "..") != NULL
        || snprintf(full, sizeof(full), "%s/%s", dir, path)
           >= (int) sizeof(full))
    {
        return -1;
    }

    file = fopen(full, "re");
    if (file == NULL) {
        return -1;
    }

    fseek(file, 0, SEEK_END);
    len = (size_t) ftell(file);
    rewind(file);
    text = len <= max ? arena_get(arena, len + 1) : NULL;

    if (text == NULL || fread(text, 1, len, file) != len) {
        fclose(file);
        return -1;
    }

    fclose(file);
    data->data = text;
    data->len = len;

    return 0;
}


long
media_sweep(const char *dir, const char *tenant, long days, long n)
{
    char    path[MEDIA_PATH_MAX];
    time_t  before;

    before = time(NULL) - days * MEDIA_DAY_S;

    if (tenant == NULL) {
        return media_sweep_in(dir, 0, before, n);
    }

    snprintf(path, sizeof(path), "%s/%s", dir, tenant);

    return media_sweep_in(path, 1, before, n);
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
