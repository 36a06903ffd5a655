/* Credentials as client/ and server/ use them, without seeing OpenSSL. */
#ifndef PGRPC__IO_CREDENTIALS_H
#define PGRPC__IO_CREDENTIALS_H

#include "io/bytestream.h"
#include "io/loop.h"
#include "picogrpc/credentials.h"

bool pgrpc__credentials_is_secure(const struct pgrpc_credentials *credentials);
/* True when they can serve that end: TLS credentials are for clients or for servers. */
bool pgrpc__credentials_fits(const struct pgrpc_credentials *credentials, bool is_server);
/*
 * Puts TLS over |inner| (taken, also on failure), or gives |inner| back for insecure credentials.
 * |host| is the name to send and check (client).  Lock held.  0, -ENOMEM, or -EINVAL when they do
 * not fit.
 */
int pgrpc__credentials_wrap(const struct pgrpc_credentials *credentials, struct pgrpc_loop *loop,
                            struct bytestream *inner, const char *host, bool is_server,
                            struct bytestream **stream);

#endif
