#include "raw_tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "watcher.h"

void raw_tls_init(struct raw_tls *raw, bool is_server, const struct certificate *identity)
{
    memset(raw, 0, sizeof(*raw));
    raw->context = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    SSL_CTX_set_security_level(raw->context, 0);
    if (!identity)
        return;
    BIO *bio = BIO_new_mem_buf(identity->cert_pem, -1);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    bio = BIO_new_mem_buf(identity->key_pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    SSL_CTX_use_certificate(raw->context, certificate);
    SSL_CTX_use_PrivateKey(raw->context, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

void raw_tls_start(struct raw_tls *raw, struct bytestream *end)
{
    raw->end = end;
    raw->ssl = SSL_new(raw->context);
    raw->in = BIO_new(BIO_s_mem());
    raw->out = BIO_new(BIO_s_mem());
    SSL_set_bio(raw->ssl, raw->in, raw->out);
    if (SSL_is_server(raw->ssl))
        SSL_set_accept_state(raw->ssl);
    else
        SSL_set_connect_state(raw->ssl);
}

bool raw_tls_pump(struct raw_tls *raw)
{
    char data[4096];
    ssize_t len;
    bool moved = false;
    while ((len = stream_read(raw->end, data, sizeof(data))) > 0)
        moved |= BIO_write(raw->in, data, (int)len) > 0;
    while ((len = BIO_read(raw->out, data, sizeof(data))) > 0)
        moved |= stream_write(raw->end, data, (size_t)len) == len;
    return moved;
}

int raw_tls_shake(struct raw_tls *raw)
{
    ERR_clear_error();
    raw_tls_pump(raw);
    int done = SSL_do_handshake(raw->ssl);
    int error = SSL_get_error(raw->ssl, done);
    raw_tls_pump(raw);
    if (done == 1)
        return 1;
    return error == SSL_ERROR_WANT_READ ? 0 : -1;
}

void raw_tls_clear(struct raw_tls *raw)
{
    SSL_free(raw->ssl);
    SSL_CTX_free(raw->context);
    ERR_clear_error();
    memset(raw, 0, sizeof(*raw));
}
