/* Two ends of TLS over a memory pipe on one loop, for tests; the loop's lock is held throughout. */
#ifndef TESTS_TLS_PAIR_H
#define TESTS_TLS_PAIR_H

#include "certificates.h"
#include "io/credentials.h"
#include "io/loop.h"
#include "io/pipe.h"
#include "watcher.h"

struct tls_pair {
    struct pgrpc_loop *loop;
    struct bytestream *client_pipe; /* below the streams, which own them */
    struct bytestream *server_pipe;
    struct bytestream *client;
    struct bytestream *server;
    struct watcher client_watcher;
    struct watcher server_watcher;
};

/* Runs turns until nothing happens any more. */
void settle(struct pgrpc_loop *loop);

struct pgrpc_credentials *client_credentials(const struct certificate *ca,
                                             const struct certificate *identity);
/* |ca| NULL: clients need no certificate. */
struct pgrpc_credentials *server_credentials(const struct certificate *identity,
                                             const struct certificate *ca);

/* The pipe, and TLS on it; credentials NULL leave that end bare. */
void tls_pair_init(struct tls_pair *pair, struct pgrpc_loop *loop, size_t capacity,
                   const struct pgrpc_credentials *client, const struct pgrpc_credentials *server,
                   const char *host);
void tls_pair_clear(struct tls_pair *pair);

#endif
