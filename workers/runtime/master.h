/*
 * The installation's master key, under which credentials are sealed.
 */

#ifndef MASTER_H
#define MASTER_H

#include "runtime/config.h"
#include "setter_seal.h"


typedef struct {
    const char  *key;
    const char  *key_file;
    const char  *old;
    const char  *old_file;
} master_settings_t;

/* For config_read(): the settings, in that member of the type. */
#define MASTER_SETTINGS(type, member)                                         \
    { "SETTER_MASTER_KEY", "master-key", CONFIG_TEXT,                         \
      offsetof(type, member.key), NULL, 0, 0, 1,                              \
      "base64 of the 32 bytes that tenants' credentials are sealed under" },  \
    { "SETTER_MASTER_KEY_FILE", "master-key-file", CONFIG_TEXT,               \
      offsetof(type, member.key_file), NULL, 0, 0, 0,                         \
      "file of that key, in its place" },                                     \
    { "SETTER_MASTER_KEY_OLD", "master-key-old", CONFIG_TEXT,                 \
      offsetof(type, member.old), NULL, 0, 0, 1,                              \
      "the key before it, while setterctl key rotate-master is to be run" },  \
    { "SETTER_MASTER_KEY_OLD_FILE", "master-key-old-file", CONFIG_TEXT,       \
      offsetof(type, member.old_file), NULL, 0, 0, 0,                         \
      "file of that one, in its place" }

/* What is sealed is sealed under the first, and opened with any. */
#define MASTER_KEYS  2

typedef struct {
    setter_seal_key_t  keys[MASTER_KEYS];
    size_t             n;           /* 0: there is no key */
} master_t;


/*
 * Reads the keys; a process that has any leaves no core dump from then on.
 * 0, or -1 with the reason in error, which names the setting.
 */
int master_read(const master_settings_t *settings, master_t *master,
    char *error, size_t size);


#endif /* MASTER_H */
