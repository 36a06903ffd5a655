#include "certificates.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void need(bool is_good, const char *what)
{
    if (is_good)
        return;
    fprintf(stderr, "certificates: %s\n", what);
    ERR_print_errors_fp(stderr);
    exit(99);
}

static char *text_of(BIO *bio)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    char *text = malloc((size_t)len + 1);
    need(text, "memory");
    memcpy(text, data, (size_t)len);
    text[len] = '\0';
    BIO_free(bio);
    return text;
}

static void add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    need(extension && X509_add_ext(certificate, extension, -1), value);
    X509_EXTENSION_free(extension);
}

void certificate_make(struct certificate *certificate, const struct certificate_wishes *wishes)
{
    static long serial = 1;
    EVP_PKEY *key = EVP_EC_gen("P-256"), *issuer_key = key;
    X509 *made = X509_new(), *issuer = made;
    int from_days = wishes->from_days, until_days = wishes->until_days;

    need(key && made, "key");
    if (from_days == 0 && until_days == 0) {
        from_days = -1;
        until_days = 1;
    }
    if (wishes->issuer) {
        BIO *bio = BIO_new_mem_buf(wishes->issuer->cert_pem, -1);
        issuer = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        BIO_free(bio);
        bio = BIO_new_mem_buf(wishes->issuer->key_pem, -1);
        issuer_key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
        BIO_free(bio);
        need(issuer && issuer_key, "issuer");
    }
    X509_set_version(made, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made), serial++);
    X509_time_adj_ex(X509_getm_notBefore(made), from_days, 0, NULL);
    X509_time_adj_ex(X509_getm_notAfter(made), until_days, 0, NULL);
    X509_NAME *name = X509_get_subject_name(made);
    X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8, (const unsigned char *)"picogrpc", -1, -1,
                               0);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)wishes->name, -1,
                               -1, 0);
    X509_set_issuer_name(made, X509_get_subject_name(issuer));
    X509_set_pubkey(made, key);
    if (wishes->is_ca)
        add_extension(made, issuer, NID_basic_constraints, "critical,CA:TRUE");
    if (wishes->is_ca)
        add_extension(made, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
    if (wishes->alternative_names)
        add_extension(made, issuer, NID_subject_alt_name, wishes->alternative_names);
    if (wishes->usage)
        add_extension(made, issuer, NID_ext_key_usage, wishes->usage);
    need(X509_sign(made, issuer_key, EVP_sha256()) > 0, "signature");

    BIO *bio = BIO_new(BIO_s_mem());
    need(PEM_write_bio_X509(bio, made), "certificate");
    certificate->cert_pem = text_of(bio);
    bio = BIO_new(BIO_s_mem());
    need(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), "key");
    certificate->key_pem = text_of(bio);
    if (wishes->issuer) {
        X509_free(issuer);
        EVP_PKEY_free(issuer_key);
    }
    X509_free(made);
    EVP_PKEY_free(key);
}

void certificate_clear(struct certificate *certificate)
{
    free(certificate->cert_pem);
    free(certificate->key_pem);
    memset(certificate, 0, sizeof(*certificate));
}
