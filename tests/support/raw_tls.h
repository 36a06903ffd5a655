/*
 * A TLS peer made of nothing but OpenSSL, on the hand-played end of a memory pipe: it does what our
 * own ends would never do.  The test sets up |context| as it likes between init and start.
 */
#ifndef TESTS_RAW_TLS_H
#define TESTS_RAW_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "certificates.h"
#include "io/bytestream.h"

struct raw_tls {
    SSL_CTX *context;
    SSL *ssl;
    BIO *in;  /* what came from the pipe */
    BIO *out; /* what goes there */
    struct bytestream *end;
};

/* |identity| may be NULL. A client trusts everybody, a server asks nobody. */
void raw_tls_init(struct raw_tls *raw, bool is_server, const struct certificate *identity);
void raw_tls_start(struct raw_tls *raw, struct bytestream *end);
/* Carries bytes between OpenSSL and the pipe. True when any moved. */
bool raw_tls_pump(struct raw_tls *raw);
/* One step of the handshake: 1 done, 0 not yet, -1 failed (the reason is in OpenSSL's queue). */
int raw_tls_shake(struct raw_tls *raw);
void raw_tls_clear(struct raw_tls *raw);

#endif
