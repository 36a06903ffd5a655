/*
 * A channel: one target and the connections to it.
 *
 * A channel may be shared by threads.  Without options.loop it has a private loop that is turned by
 * whoever waits in a blocking call: no thread is ever started.  On a given loop it is driven by
 * that loop's thread, and blocking calls from other threads are waited for.  It connects with the
 * first call.
 *
 *     struct pgrpc_channel *channel;
 *     struct pgrpc_error error;
 *     if (pgrpc_channel_new(target, pgrpc_credentials_insecure(), NULL, &channel, &error))
 *         fputs(error.text, stderr);
 */
#ifndef PICOGRPC_CHANNEL_H
#define PICOGRPC_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "picogrpc/credentials.h"
#include "picogrpc/export.h"
#include "picogrpc/interceptor.h"
#include "picogrpc/loop.h"
#include "picogrpc/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct pgrpc_channel;
struct pgrpc_server;

/* Zero means default; NULL options mean all defaults. */
struct pgrpc_channel_options {
    size_t size;             /* sizeof(struct pgrpc_channel_options) */
    struct pgrpc_loop *loop; /* Optional, must outlive the channel and its calls. */
    const char *authority;   /* Optional, copied. :authority to send, and with TLS the name that the
                                server must have. Default: the target's host and port. */
    const char *user_agent;  /* Optional, copied. Put before "grpc-c-picogrpc/x.y.z". */
    uint32_t max_receive_bytes;     /* Largest message to take, after inflating. Default 4 MiB. */
    uint32_t max_send_bytes;        /* Largest message to send. Default 2^31-1. */
    uint32_t max_metadata_bytes;    /* Largest headers or trailers to take. Default 16 KiB. */
    uint32_t send_high_water_bytes; /* Queued bytes of a call above which sending says AGAIN.
                                       Default 64 KiB. */
    uint32_t stream_window_bytes;   /* HTTP/2 receive window of a call. Default 64 KiB. */
    int64_t connect_timeout_ms;     /* For one attempt, TLS included. Default 20,000. */
    int64_t backoff_initial_ms;     /* Default 1,000; doc/connection-backoff.md. */
    int64_t backoff_max_ms;         /* Default 120,000. */
    int64_t keepalive_ms; /* PING after so long without reading. Default: never. At least 10,000. */
    int64_t keepalive_timeout_ms; /* Default 20,000. */
    bool keepalive_without_calls;
    const struct pgrpc_interceptor *interceptors; /* Optional, copied. */
    size_t interceptor_count;
    const struct pgrpc_allocator
        *allocator; /* Optional. Without options.loop: for the private loop. */
};

/*
 * Makes a channel; nothing is connected yet.  |target| is "host:port", "dns:///host:port",
 * "ipv4:1.2.3.4:port", "ipv6:[::1]:port", "unix:/path" or "unix-abstract:name".
 *   PGRPC_INVALID_ARGUMENT    the target or an option is not understood, or |credentials| is NULL
 *   PGRPC_FAILED_PRECONDITION |options->loop| belongs to the parent of a fork()
 *   PGRPC_RESOURCE_EXHAUSTED  out of memory or file descriptors
 * |error| may be NULL.
 */
PGRPC_API enum pgrpc_code pgrpc_channel_new(const char *target,
                                            const struct pgrpc_credentials *credentials,
                                            const struct pgrpc_channel_options *options,
                                            struct pgrpc_channel **channel,
                                            struct pgrpc_error *error);
/* The same over a connected socket, which the channel owns from here on, also on failure. It does
 * not reconnect. |name| stands for the target (authority, TLS name). */
PGRPC_API enum pgrpc_code pgrpc_channel_new_from_fd(int fd, const char *name,
                                                    const struct pgrpc_credentials *credentials,
                                                    const struct pgrpc_channel_options *options,
                                                    struct pgrpc_channel **channel,
                                                    struct pgrpc_error *error);
/* The same to a server in this process, which must be on |options->loop|: a memory pipe with HTTP/2
 * on it. */
PGRPC_API enum pgrpc_code pgrpc_channel_new_in_process(struct pgrpc_server *server,
                                                       const struct pgrpc_channel_options *options,
                                                       struct pgrpc_channel **channel,
                                                       struct pgrpc_error *error);

PGRPC_API struct pgrpc_channel *pgrpc_channel_ref(struct pgrpc_channel *channel);
/* Dropping the last reference ends calls in flight with CANCELLED and closes the connections.
 * Accepts NULL. Any thread. */
PGRPC_API void pgrpc_channel_unref(struct pgrpc_channel *channel);
/* The loop the channel is on; its private one when none was given. */
PGRPC_API struct pgrpc_loop *pgrpc_channel_loop(struct pgrpc_channel *channel);

enum pgrpc_channel_state {
    PGRPC_CHANNEL_IDLE = 0,
    PGRPC_CHANNEL_CONNECTING = 1,
    PGRPC_CHANNEL_READY = 2,
    PGRPC_CHANNEL_TRANSIENT_FAILURE = 3, /* waiting to try again */
    PGRPC_CHANNEL_SHUTDOWN = 4
};
PGRPC_API enum pgrpc_channel_state pgrpc_channel_state(struct pgrpc_channel *channel);

#ifdef __cplusplus
}
#endif
#endif
