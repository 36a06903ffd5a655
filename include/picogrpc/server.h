/*
 * A server: services, listeners, and the loops and workers that run them.
 *
 *     struct pgrpc_server *server;
 *     pgrpc_server_new(NULL, &server, &error);
 *     Helloworld__Greeter_register(server, &handlers, NULL);
 *     pgrpc_server_listen(server, "[::]:50051", credentials, NULL);
 *     pgrpc_server_run(server);
 *     pgrpc_server_free(server);
 *
 * Handlers run inline on a loop's thread and must not wait, or on a worker thread where everything
 * waits: the method's handler table says which.  Threads are started only for workers and for loops
 * beyond the first.
 */
#ifndef PICOGRPC_SERVER_H
#define PICOGRPC_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "picogrpc/codec.h"
#include "picogrpc/credentials.h"
#include "picogrpc/export.h"
#include "picogrpc/interceptor.h"
#include "picogrpc/loop.h"
#include "picogrpc/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct pgrpc_server;

/* Zero means default; NULL options mean all defaults. */
struct pgrpc_server_options {
    size_t size; /* sizeof(struct pgrpc_server_options) */
    struct pgrpc_loop *
        loop; /* Optional, must outlive the server. Then use pgrpc_server_start and run the loop. */
    unsigned loops;   /* Threads that serve connections, the one in pgrpc_server_run included.
                         Default 1.   Must be 0 or 1 with |loop|. */
    unsigned workers; /* Threads for handlers that wait. Default 8, started when one is needed. */
    uint32_t max_receive_bytes;     /* Largest message to take, after inflating. Default 4 MiB. */
    uint32_t max_send_bytes;        /* Largest message to send. Default 2^31-1. */
    uint32_t max_metadata_bytes;    /* Largest request headers. Default 16 KiB. */
    uint32_t max_concurrent_calls;  /* Per connection; as many handlers of cancelled calls may still
                                       run besides. Default 100. */
    uint32_t send_high_water_bytes; /* Default 64 KiB. */
    uint32_t stream_window_bytes;   /* HTTP/2 receive window of a call. Default 64 KiB. */
    int64_t handshake_timeout_ms;   /* TLS and HTTP/2 preface. Default 10,000. */
    int64_t keepalive_ms;           /* Default 7,200,000. */
    int64_t keepalive_timeout_ms;   /* Default 20,000. */
    int64_t keepalive_min_ms; /* Pings of a client closer than this are abuse. Default 300,000. */
    bool keepalive_permit_without_calls;
    bool strict_te;  /* Refuse requests without "te: trailers" instead of logging them. */
    bool reuse_port; /* SO_REUSEPORT on listeners. */
    const struct pgrpc_interceptor *interceptors; /* Optional, copied. */
    size_t interceptor_count;
    const struct pgrpc_codec *const *codecs; /* Optional, array copied. Beside "proto" and "raw". */
    size_t codec_count;
    const struct pgrpc_allocator *allocator; /* Optional. For the server's own loops. */
};

/* INVALID_ARGUMENT, FAILED_PRECONDITION (after fork()) or RESOURCE_EXHAUSTED; |error| may be NULL.
 */
PGRPC_API enum pgrpc_code pgrpc_server_new(const struct pgrpc_server_options *options,
                                           struct pgrpc_server **server, struct pgrpc_error *error);
/* Ends what still runs (as pgrpc_server_shutdown with no grace), waits for its threads. Accepts
 * NULL. Not from a callback or handler. */
PGRPC_API void pgrpc_server_free(struct pgrpc_server *server);

/*
 * Listens on "1.2.3.4:port", "[::]:port", "localhost:port", "unix:/path" or "unix-abstract:name";
 * port 0 takes a free one, told in *port (may be NULL).  INVALID_ARGUMENT, UNAVAILABLE (the system
 * refused) or RESOURCE_EXHAUSTED; pgrpc_server_error has the text.  Before or after the start.
 */
PGRPC_API enum pgrpc_code pgrpc_server_listen(struct pgrpc_server *server, const char *address,
                                              const struct pgrpc_credentials *credentials,
                                              int *port);
/* The same on an open listening socket, which the server owns from here on, also on failure. */
PGRPC_API enum pgrpc_code pgrpc_server_listen_fd(struct pgrpc_server *server, int fd,
                                                 const struct pgrpc_credentials *credentials);
/* Serves one connected socket, which the server owns from here on, also on failure. */
PGRPC_API enum pgrpc_code pgrpc_server_adopt_fd(struct pgrpc_server *server, int fd,
                                                const struct pgrpc_credentials *credentials);
/* Starts serving without waiting: for a given loop, or to run pgrpc_server_loop yourself. */
PGRPC_API enum pgrpc_code pgrpc_server_start(struct pgrpc_server *server);
/* Starts and serves on this thread until the shutdown is complete. */
PGRPC_API enum pgrpc_code pgrpc_server_run(struct pgrpc_server *server);
/*
 * Stops taking connections and calls (two-step GOAWAY), lets running calls finish for |grace_ms|,
 * then cancels them.  Returns at once; pgrpc_server_run returns when it is done.  Any thread, and
 * signal handlers.  A second call sets the grace anew, from then on.
 */
PGRPC_API void pgrpc_server_shutdown(struct pgrpc_server *server, int64_t grace_ms);
/* True when a shutdown has ended: no connection is left. */
PGRPC_API bool pgrpc_server_is_stopped(struct pgrpc_server *server);
/* Text of the last failed function on this server; "" when none failed. */
PGRPC_API const char *pgrpc_server_error(struct pgrpc_server *server);
/* The (first) loop the server runs on. */
PGRPC_API struct pgrpc_loop *pgrpc_server_loop(struct pgrpc_server *server);

#ifdef __cplusplus
}
#endif
#endif
