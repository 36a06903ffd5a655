/*
 * Credentials: how a channel or a listener secures its connections.  Always named: plaintext is
 * spelled "insecure".  TLS is 1.2 or newer with ALPN "h2" enforced; a client checks the server's
 * certificate and name.
 *
 * Counted; immutable; may be shared by any number of channels, listeners and threads.
 */
#ifndef PICOGRPC_CREDENTIALS_H
#define PICOGRPC_CREDENTIALS_H

#include <stdbool.h>
#include <stddef.h>

#include "picogrpc/export.h"
#include "picogrpc/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct pgrpc_credentials;

/* Plaintext. Static: needs no unref (which is harmless). */
PGRPC_API const struct pgrpc_credentials *pgrpc_credentials_insecure(void);

/*
 * Everything is read and copied by pgrpc_credentials_new_tls_*; the strings may go afterwards.
 * Each PEM comes from a file (`_file`, a path) or from memory (`_pem`, a C string); giving both is
 * an error.
 */
struct pgrpc_tls_options {
    size_t size; /* sizeof(struct pgrpc_tls_options) */
    /* Whom to trust. Client: default the system's store. Server: for the certificates of clients,
     * which are asked for when this is set. */
    const char *ca_file;
    const char *ca_pem;
    /* Own certificate chain and key. Server: Required. Client: Optional, for mTLS; both or none. */
    const char *cert_file;
    const char *cert_pem;
    const char *key_file;
    const char *key_pem;
    /* Server only: refuse clients without a certificate signed by the CA. */
    bool require_client_cert;
    /* Client only, Optional: the name to send (SNI) and to check instead of the authority's host.
     */
    const char *server_name;
};

/*
 * Makes credentials for channels / for listeners.  On success *credentials holds one reference.
 *
 *   PGRPC_INVALID_ARGUMENT     an option is missing, doubled or of the wrong kind
 *   PGRPC_FAILED_PRECONDITION  a file cannot be read, or certificate and key do not fit
 *   PGRPC_RESOURCE_EXHAUSTED   out of memory
 *
 * |error| may be NULL.
 */
PGRPC_API enum pgrpc_code pgrpc_credentials_new_tls_client(const struct pgrpc_tls_options *options,
                                                           struct pgrpc_credentials **credentials,
                                                           struct pgrpc_error *error);
PGRPC_API enum pgrpc_code pgrpc_credentials_new_tls_server(const struct pgrpc_tls_options *options,
                                                           struct pgrpc_credentials **credentials,
                                                           struct pgrpc_error *error);

/* Any thread. unref accepts NULL; objects that use the credentials hold their own reference. */
PGRPC_API struct pgrpc_credentials *pgrpc_credentials_ref(struct pgrpc_credentials *credentials);
PGRPC_API void pgrpc_credentials_unref(struct pgrpc_credentials *credentials);

#ifdef __cplusplus
}
#endif
#endif
