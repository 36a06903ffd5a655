/* What the files that know OpenSSL share: tls.c, tls_bio.c, tls_error.c, tls_credentials.c. */
#ifndef PGRPC__IO_TLS_PARTS_H
#define PGRPC__IO_TLS_PARTS_H

#include <openssl/ssl.h>
#include <stdatomic.h>

#include "io/bytestream.h"
#include "picogrpc/credentials.h"

enum credentials_kind { CREDENTIALS_INSECURE, CREDENTIALS_TLS_CLIENT, CREDENTIALS_TLS_SERVER };

struct pgrpc_credentials {
    atomic_uint refs; /* not used by the static insecure ones */
    enum credentials_kind kind;
    SSL_CTX *context;
    BIO_METHOD *bio_method;
    char *server_name; /* client: instead of the target's host, or NULL */
};

/* --- tls_bio.c --- */

/* How a BIO reaches the byte stream below, and what that said last. */
struct tls_bio {
    struct bytestream *inner;
    int error; /* negative errno of the read or write that failed, until it is set back to 0 */
    bool is_at_end;
};

BIO_METHOD *pgrpc__tls_bio_method_new(void);
/* A BIO over |bio|, which must outlive it. NULL: out of memory. */
BIO *pgrpc__tls_bio_new(const BIO_METHOD *method, struct tls_bio *bio);

/* --- tls_error.c --- */

/* What OpenSSL complains about, in words, from this thread's error queue, which it empties. |ssl|
 * may be NULL. */
void pgrpc__tls_error_text(const SSL *ssl, char *text, size_t len);

/* Was that the last complaint? */
bool pgrpc__tls_is_out_of_memory(void);

/* These fill |error|, which may be NULL, and return the code to return. */
enum pgrpc_code pgrpc__tls_refuse(struct pgrpc_error *error, enum pgrpc_code code,
                                  const char *format, ...) __attribute__((format(printf, 3, 4)));
enum pgrpc_code pgrpc__tls_refuse_memory(struct pgrpc_error *error);
/* What OpenSSL said about |what|. */
enum pgrpc_code pgrpc__tls_refuse_ssl(struct pgrpc_error *error, const char *what);

/* --- tls_pem.c --- */

/* PEM text and where it came from. */
struct pem {
    const char *what; /* the file or the option */
    const char *data; /* NULL: neither was set */
    size_t len;
    char *owned; /* what was read from a file, or NULL */
};

/* Fills |pem| from whichever of |file| and |text| is set; leaves it empty when none is. */
enum pgrpc_code pgrpc__pem_load(const char *option, const char *file, const char *text,
                                struct pem *pem, struct pgrpc_error *error);
/* Wipes and frees; accepts an empty one. */
void pgrpc__pem_clear(struct pem *pem);
/* Calls |add| (which gives 1 or an error in OpenSSL's queue) with each certificate; one must be
 * there. */
enum pgrpc_code pgrpc__pem_each_certificate(const struct pem *pem,
                                            int (*add)(void *userdata, X509 *certificate,
                                                       int index),
                                            void *userdata, struct pgrpc_error *error);
enum pgrpc_code pgrpc__pem_key(const struct pem *pem, EVP_PKEY **key, struct pgrpc_error *error);

#endif
