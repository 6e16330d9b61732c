/*
 * TLS on a connection to Redis: OpenSSL works on the socket itself, which
 * redis_connection.c watches for it.  Nothing here blocks.
 */

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/redis_parts.h"


/* One a redis_t; a connection at a time. */
struct redis_tls_s {
    SSL_CTX  *ctx;
    SSL      *ssl;          /* NULL: no connection */
    int       last;         /* what came of the last call: SSL_ERROR_… */
    char     *name;         /* that the certificate has to be for */
    char      reason[256];
};


static int redis_tls_settings(redis_t *redis,
    const redis_settings_t *settings, char *error, size_t size);
static int redis_tls_context(redis_tls_t *tls);
static int redis_tls_files(redis_tls_t *tls, const redis_settings_t *settings,
    char *error, size_t size);
static int redis_tls_no_password(char *buf, int size, int writes, void *data);
static void redis_tls_file_error(char *error, size_t size,
    const char *variable, const char *file);
static const char *redis_tls_error_text(unsigned long code);
static int redis_tls_expect(redis_tls_t *tls);
static void redis_tls_forget(void);
static ssize_t redis_tls_result(redis_t *redis, int rc, const char **reason);
static const char *redis_tls_reason(redis_tls_t *tls, int error);


int
redis_tls_create(redis_t *redis, const redis_settings_t *settings,
    char *error, size_t error_size)
{
    redis_tls_t  *tls;
    const char   *name;

    if (redis_tls_settings(redis, settings, error, error_size) != 0) {
        return -1;
    }

    if (!redis->address.tls) {
        return 0;
    }

    tls = calloc(1, sizeof(redis_tls_t));
    if (tls == NULL) {
        return -1;
    }

    redis->tls = tls;

    name = settings->name != NULL ? settings->name : redis->address.host;
    tls->name = strdup(name);

    if (tls->name == NULL || redis_tls_context(tls) != 0) {
        return -1;
    }

    return redis_tls_files(tls, settings, error, error_size);
}


void
redis_tls_free(redis_t *redis)
{
    if (redis->tls == NULL) {
        return;
    }

    redis_tls_stop(redis);
    SSL_CTX_free(redis->tls->ctx);
    free(redis->tls->name);
    free(redis->tls);
    redis->tls = NULL;
}


/* Who sets up TLS believes to have it. */
static int
redis_tls_settings(redis_t *redis, const redis_settings_t *settings,
    char *error, size_t size)
{
    size_t  i;

    const struct {
        const char  *variable;
        const char  *value;
    } ours[] = {
        { "SETTER_REDIS_CA", settings->ca },
        { "SETTER_REDIS_NAME", settings->name },
        { "SETTER_REDIS_CERT", settings->cert },
        { "SETTER_REDIS_KEY", settings->key }
    };

    for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (ours[i].value != NULL && !redis->address.tls) {
            snprintf(error, size, "%s is set, but SETTER_REDIS_URL is not "
                     "rediss://", ours[i].variable);
            return -1;
        }
    }

    if ((settings->cert == NULL) != (settings->key == NULL)) {
        snprintf(error, size, "SETTER_REDIS_CERT and SETTER_REDIS_KEY are "
                 "of use only together");
        return -1;
    }

    return 0;
}


/*
 * A write may be repeated with more behind it, from other memory: that is
 * how the output grows.
 */
static int
redis_tls_context(redis_tls_t *tls)
{
    ERR_clear_error();

    tls->ctx = SSL_CTX_new(TLS_client_method());
    if (tls->ctx == NULL) {
        return -1;
    }

    SSL_CTX_set_options(tls->ctx, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(tls->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE
                               | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(tls->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_default_passwd_cb(tls->ctx, redis_tls_no_password);

    return SSL_CTX_set_min_proto_version(tls->ctx, TLS1_2_VERSION) == 1
           ? 0 : -1;
}


static int
redis_tls_files(redis_tls_t *tls, const redis_settings_t *settings,
    char *error, size_t size)
{
    if (settings->ca == NULL) {
        if (SSL_CTX_set_default_verify_paths(tls->ctx) != 1) {
            return -1;
        }

    } else if (SSL_CTX_load_verify_locations(tls->ctx, settings->ca, NULL)
               != 1)
    {
        redis_tls_file_error(error, size, "SETTER_REDIS_CA", settings->ca);
        return -1;
    }

    if (settings->cert == NULL) {
        return 0;
    }

    if (SSL_CTX_use_certificate_chain_file(tls->ctx, settings->cert) != 1) {
        redis_tls_file_error(error, size, "SETTER_REDIS_CERT",
                             settings->cert);
        return -1;
    }

    if (SSL_CTX_use_PrivateKey_file(tls->ctx, settings->key,
                                    SSL_FILETYPE_PEM) != 1)
    {
        redis_tls_file_error(error, size, "SETTER_REDIS_KEY", settings->key);
        return -1;
    }

    return 0;
}


/* Nobody is there to be asked for it. */
static int
redis_tls_no_password(char *buf, int size, int writes, void *data)
{
    (void) buf;
    (void) size;
    (void) writes;
    (void) data;

    return -1;
}


static void
redis_tls_file_error(char *error, size_t size, const char *variable,
    const char *file)
{
    snprintf(error, size, "%s: \"%s\": %s", variable, file,
             redis_tls_error_text(ERR_get_error()));
    ERR_clear_error();
}


static const char *
redis_tls_error_text(unsigned long code)
{
    const char  *text;

    text = ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code))
                                  : ERR_reason_error_string(code);

    return text != NULL ? text : "unknown error";
}


int
redis_tls_start(redis_t *redis)
{
    redis_tls_t  *tls;

    tls = redis->tls;
    ERR_clear_error();

    tls->last = SSL_ERROR_NONE;
    tls->ssl = SSL_new(tls->ctx);

    if (tls->ssl == NULL || SSL_set_fd(tls->ssl, redis->fd) != 1
        || redis_tls_expect(tls) != 0)
    {
        return -1;
    }

    SSL_set_connect_state(tls->ssl);

    return 0;
}


/* An address is looked for among the certificate's, and is not announced. */
static int
redis_tls_expect(redis_tls_t *tls)
{
    X509_VERIFY_PARAM  *param;

    param = SSL_get0_param(tls->ssl);

    if (X509_VERIFY_PARAM_set1_ip_asc(param, tls->name) == 1) {
        return 0;
    }

    X509_VERIFY_PARAM_set_hostflags(param,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);

    return X509_VERIFY_PARAM_set1_host(param, tls->name, 0) == 1
           && SSL_set_tlsext_host_name(tls->ssl, tls->name) == 1 ? 0 : -1;
}


int
redis_tls_handshake(redis_t *redis, const char **reason)
{
    redis_tls_forget();

    return (int) redis_tls_result(redis, SSL_do_handshake(redis->tls->ssl),
                                  reason);
}


ssize_t
redis_tls_recv(redis_t *redis, char *data, size_t size, const char **reason)
{
    redis_tls_forget();

    return redis_tls_result(redis,
                            SSL_read(redis->tls->ssl, data, (int) size),
                            reason);
}


/* A server that refuses us says why, and is gone when we write. */
ssize_t
redis_tls_send(redis_t *redis, const char *data, size_t len,
    const char **reason)
{
    char     byte;
    ssize_t  n;

    redis_tls_forget();

    n = redis_tls_result(redis,
                         SSL_write(redis->tls->ssl, data, (int) len), reason);

    if (redis->tls->last == SSL_ERROR_SYSCALL) {
        (void) redis_tls_recv(redis, &byte, 1, reason);
    }

    return n;
}


/* Other libraries in this thread leave errors, too. */
static void
redis_tls_forget(void)
{
    ERR_clear_error();
    errno = 0;
}


static ssize_t
redis_tls_result(redis_t *redis, int rc, const char **reason)
{
    int           error;
    redis_tls_t  *tls;

    tls = redis->tls;
    error = errno;

    tls->last = SSL_get_error(tls->ssl, rc);
    redis->blocked = tls->last == SSL_ERROR_WANT_WRITE;

    switch (tls->last) {

    case SSL_ERROR_NONE:
        return rc;

    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return 0;

    default:
        *reason = redis_tls_reason(tls, error);
        return -1;
    }
}


static const char *
redis_tls_reason(redis_tls_t *tls, int error)
{
    long           verdict;
    unsigned long  code;

    code = ERR_get_error();
    verdict = SSL_get_verify_result(tls->ssl);

    if (tls->last == SSL_ERROR_ZERO_RETURN) {
        return "closed by Redis";
    }

    if (tls->last == SSL_ERROR_SYSCALL) {
        return error != 0 ? strerror(error) : "closed by Redis";
    }

    if (ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        return SSL_is_init_finished(tls->ssl)
               ? "closed by Redis, without an end of TLS"
               : "closed by Redis in the handshake of TLS";
    }

    if (verdict == X509_V_ERR_HOSTNAME_MISMATCH
        || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH)
    {
        snprintf(tls->reason, sizeof(tls->reason),
                 "the certificate is not for host %s", tls->name);

    } else if (verdict != X509_V_OK) {
        snprintf(tls->reason, sizeof(tls->reason),
                 "certificate verify failed: %s",
                 X509_verify_cert_error_string(verdict));

    } else {
        snprintf(tls->reason, sizeof(tls->reason), "TLS: %s%s",
                 redis_tls_error_text(code),
                 ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER
                 ? " (is this a port for TLS?)" : "");
    }

    return tls->reason;
}


/* Says good-bye where that can be done at once, and waits for none. */
void
redis_tls_stop(redis_t *redis)
{
    redis_tls_t  *tls;

    tls = redis->tls;

    if (tls == NULL || tls->ssl == NULL) {
        return;
    }

    if (tls->last != SSL_ERROR_SYSCALL && tls->last != SSL_ERROR_SSL
        && SSL_is_init_finished(tls->ssl))
    {
        (void) SSL_shutdown(tls->ssl);
    }

    SSL_free(tls->ssl);
    tls->ssl = NULL;
    ERR_clear_error();
}
