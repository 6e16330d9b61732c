/*
 * Certificates for tests with TLS.
 */

#ifndef CERTIFICATE_H
#define CERTIFICATE_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "unit.h"


/* What certificate_make() wrote. */
static inline void *
certificate_read(const char *name, const char *kind)
{
    void  *object;
    FILE  *file;
    char   path[64];

    snprintf(path, sizeof(path), "%s.%s", name, kind);
    file = fopen(path, "r");
    object = strcmp(kind, "key") == 0
             ? (void *) PEM_read_PrivateKey(file, NULL, NULL, NULL)
             : (void *) PEM_read_X509(file, NULL, NULL, NULL);
    assert_non_null(object);
    fclose(file);

    return object;
}


static inline void
certificate_extend(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION  *extension;

    extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_int_equal(X509_add_ext(cert, extension, -1), 1);
    X509_EXTENSION_free(extension);
}


static inline void
certificate_write(const char *name, X509 *cert, EVP_PKEY *key)
{
    FILE  *file;
    char   path[64];

    snprintf(path, sizeof(path), "%s.pem", name);
    file = fopen(path, "w");
    assert_int_equal(PEM_write_X509(file, cert), 1);
    fclose(file);

    snprintf(path, sizeof(path), "%s.key", name);
    file = fopen(path, "w");
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL,
                                          NULL), 1);
    fclose(file);
}


/*
 * name.pem and name.key in the current folder, for "DNS:host,IP:address".
 * issuer: the name of one made before; NULL: it is signed by itself.
 * days: for how long it is good; negative: it has expired.
 */
static inline void
certificate_make(const char *name, const char *hosts, const char *issuer,
    int days)
{
    X509      *cert, *ca;
    EVP_PKEY  *key, *ca_key;

    static int  serial;

    key = EVP_EC_gen("P-256");
    cert = X509_new();
    ca = issuer != NULL ? certificate_read(issuer, "pem") : NULL;
    ca_key = issuer != NULL ? certificate_read(issuer, "key") : NULL;

    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), -86400L * 30);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400L * days);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN",
                               MBSTRING_ASC, (const unsigned char *) name,
                               -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(ca != NULL ? ca : cert));
    certificate_extend(cert, NID_subject_alt_name, hosts);
    if (issuer == NULL) {
        certificate_extend(cert, NID_basic_constraints, "critical,CA:TRUE");
    }
    assert_true(X509_sign(cert, ca_key != NULL ? ca_key : key, EVP_sha256())
                > 0);
    certificate_write(name, cert, key);

    X509_free(cert);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
}


#endif /* CERTIFICATE_H */
