/*
 * TLS as a byte stream over another byte stream: OpenSSL sees neither sockets nor the loop.
 *
 * HTTP/2's rules are kept here: TLS 1.2 or newer, ALPN "h2" on both ends, no renegotiation and no
 * compression (RFC 9113, 9.2).  How long a handshake may take is the owner's business.
 */
#ifndef PGRPC__IO_TLS_H
#define PGRPC__IO_TLS_H

#include "io/bytestream.h"
#include "io/loop.h"
#include "picogrpc/credentials.h"

/*
 * Puts TLS over |inner| (taken, also on failure).  The kind of |credentials| says which end this
 * is; |host| is the name to send and check (clients only).  0, -ENOMEM, or -EINVAL for a host that
 * no certificate can be for.  Lock held.
 */
int pgrpc__tls_new(struct pgrpc_loop *loop, struct bytestream *inner,
                   const struct pgrpc_credentials *credentials, const char *host,
                   struct bytestream **stream);

#endif
