#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <openssl/crypto.h>

#include "runtime/master.h"


#define MASTER_FILE_MAX  256        /* bytes of a key's file */


static void master_seclude(void);
static int master_one(master_t *master, const char *name, const char *text,
    const char *file, char *error, size_t size);
static int master_file(char *text, const char *name, const char *path,
    char *error, size_t size);


int
master_read(const master_settings_t *settings, master_t *master, char *error,
    size_t size)
{
    memset(master, 0, sizeof(master_t));

    if (master_one(master, "SETTER_MASTER_KEY", settings->key,
                   settings->key_file, error, size) != 0)
    {
        return -1;
    }

    if (master->n == 0 && (settings->old != NULL
                           || settings->old_file != NULL))
    {
        snprintf(error, size, "SETTER_MASTER_KEY_OLD without "
                 "SETTER_MASTER_KEY");
        return -1;
    }

    if (master_one(master, "SETTER_MASTER_KEY_OLD", settings->old,
                   settings->old_file, error, size) != 0)
    {
        return -1;
    }

    if (master->n > 0) {
        master_seclude();
    }

    return 0;
}


/* Of 0 bytes a program that takes core dumps gets all the same, of 1 none. */
static void
master_seclude(void)
{
    struct rlimit  none = { 1, 1 };

    setrlimit(RLIMIT_CORE, &none);
}


static int
master_one(master_t *master, const char *name, const char *text,
    const char *file, char *error, size_t size)
{
    int           rc;
    char          read[MASTER_FILE_MAX + 1];
    setter_str_t  key;

    if (text != NULL && file != NULL) {
        snprintf(error, size, "%s and %s_FILE are both set", name, name);
        return -1;
    }

    if (text == NULL && file == NULL) {
        return 0;
    }

    if (file != NULL) {
        if (master_file(read, name, file, error, size) != 0) {
            return -1;
        }
        text = read;
    }

    key.data = text;
    key.len = strlen(text);
    rc = setter_seal_key_read(&master->keys[master->n], key);
    OPENSSL_cleanse(read, sizeof(read));

    if (rc != SETTER_OK) {
        snprintf(error, size, "%s%s is not the base64 of 32 bytes; openssl "
                 "rand -base64 32 makes such a key", name,
                 file != NULL ? "_FILE" : "");
        return -1;
    }

    master->n++;

    return 0;
}


static int
master_file(char *text, const char *name, const char *path, char *error,
    size_t size)
{
    FILE    *file;
    size_t   len;

    file = fopen(path, "re");
    if (file == NULL) {
        snprintf(error, size, "%s_FILE: %s: %s", name, path,
                 strerror(errno));
        return -1;
    }

    len = fread(text, 1, MASTER_FILE_MAX, file);
    fclose(file);

    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'
                       || text[len - 1] == ' '))
    {
        len--;
    }

    text[len] = '\0';

    return 0;
}
