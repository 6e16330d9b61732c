/*
 * What the tests of redis.h over TLS share: a folder with certificates, and
 * one connection at a time.
 */

#ifndef TLS_CLIENT_H
#define TLS_CLIENT_H

#include "certificate.h"
#include "fixture.h"

#include "runtime/log.h"
#include "runtime/redis.h"


static char      dir[64];       /* the current folder */
static redis_t  *redis;


static inline int
tls_setup(void **state)
{
    assert_int_equal(unit_loop(state), 0);
    log_set_level("error");

    snprintf(dir, sizeof(dir), "/tmp/setter-tls-XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);

    certificate_make("ca", "DNS:ca.test", NULL, 1);
    certificate_make("good", "DNS:redis.test,IP:127.0.0.1", "ca", 1);

    return 0;
}


static inline int
tls_teardown(void **state)
{
    (void) state;
    fixture_remove(dir);

    return 0;
}


/* redis is that connection until redis_close(). */
static inline void
meet(int at, redis_settings_t settings)
{
    char  text[256];

    snprintf(text, sizeof(text), "rediss://127.0.0.1:%d", at);
    settings.url = text;
    redis = redis_open(&settings, "met", NULL, NULL, text, sizeof(text));
    assert_non_null(redis);
}


static inline void
let_go(void)
{
    redis_close(redis);
    task_sleep(1);
}


static inline redis_error_e
command(const char *first, const char *second, int64_t ms,
    redisReply **reply)
{
    const char  *argv[2] = { first, second };

    return redis_command(redis, second != NULL ? 2 : 1, argv, NULL, ms,
                         reply);
}


#endif /* TLS_CLIENT_H */
