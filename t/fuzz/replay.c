/*
 * Runs a fuzzer over its corpus, a test a file: t/fuzz/corpus/<its name>, or
 * the files and folders named as arguments.
 */

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "fuzz.h"


#define REPLAY_CORPUS  "t/fuzz/corpus"


static int replay(const char *path);
static int replay_folder(const char *path);
static int replay_file(const char *path);


static int  tests;


int
main(int argc, char **argv)
{
    int          i, failed;
    char         path[512];
    const char  *name;

    setvbuf(stdout, NULL, _IOLBF, 0);
    failed = 0;

    if (argc < 2) {
        name = strrchr(argv[0], '/');
        snprintf(path, sizeof(path), REPLAY_CORPUS "/%s",
                 name != NULL ? name + 1 : argv[0]);
        failed = replay(path);
    }

    for (i = 1; i < argc; i++) {
        failed += replay(argv[i]);
    }

    printf("1..%d\n", tests);

    return failed || tests == 0;
}


static int
replay(const char *path)
{
    struct stat  status;

    if (stat(path, &status) != 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 1;
    }

    return S_ISDIR(status.st_mode) ? replay_folder(path) : replay_file(path);
}


static int
replay_folder(const char *path)
{
    int              i, n, failed;
    char             file[1024];
    struct dirent  **entries;

    n = scandir(path, &entries, NULL, alphasort);
    failed = n < 0;

    for (i = 0; i < n; i++) {
        if (entries[i]->d_name[0] != '.') {
            snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
            failed += replay(file);
        }

        free(entries[i]);
    }

    if (n >= 0) {
        free(entries);
    }

    return failed;
}


/* A property that does not hold ends the process before its line is said. */
static int
replay_file(const char *path)
{
    FILE     *file;
    size_t    size;
    uint8_t  *data;

    file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 1;
    }

    fseek(file, 0, SEEK_END);
    size = (size_t) ftell(file);
    rewind(file);

    data = malloc(size + 1);
    if (data == NULL || fread(data, 1, size, file) != size) {
        fprintf(stderr, "%s: cannot be read\n", path);
        fclose(file);
        free(data);
        return 1;
    }

    fclose(file);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    printf("ok %d - %s\n", ++tests, path);

    return 0;
}
