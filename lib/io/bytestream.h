/*
 * A byte stream: a socket, a TLS session over another byte stream, or one end of a memory pipe.
 *
 * Made by pgrpc__socket_*, pgrpc__tls_* or pgrpc__pipe_new and owned by whoever made it (an h2
 * link), who frees it once.  Non-blocking.  Belongs to one loop; every function needs the loop
 * lock, and every event comes from a loop turn with the lock held, never from inside a function of
 * this interface.
 */
#ifndef PGRPC__IO_BYTESTREAM_H
#define PGRPC__IO_BYTESTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct bytestream;

struct bytestream_events {
    /* Connected, and for TLS shaken hands with h2 agreed. Once, before the other two. */
    void (*on_ready)(void *owner);
    /* A read will give bytes, the end, or an error. Comes again in later turns as long as that is
     * so and reading is not paused; not after a read gave the end or an error. */
    void (*on_readable)(void *owner);
    /* A write that said -EAGAIN may take bytes now. */
    void (*on_writable)(void *owner);
    /* Connecting or shaking hands failed; |text| is for the user and lives during the call. Last
     * event. */
    void (*on_failed)(void *owner, const char *text);
};

/* What is known of the other end once the stream is ready. Strings live as long as the stream. */
struct bytestream_peer {
    const char *address;  /* "ipv4:127.0.0.1:5000", "ipv6:[::1]:5000", "unix:/path", "pipe:" */
    const char *security; /* "insecure", "tls" */
    const char *subject;  /* peer certificate's subject when TLS verified one, or NULL */
};

struct bytestream_ops {
    /* Bytes read (> 0), 0 at the end, -EAGAIN (on_readable follows), or another negative errno. */
    ssize_t (*read)(struct bytestream *stream, void *data, size_t len);
    /* Bytes taken (> 0), -EAGAIN (on_writable follows), or another negative errno. Never SIGPIPE.
     */
    ssize_t (*writev)(struct bytestream *stream, const struct iovec *vectors, int count);
    /* Stops (and resumes) on_readable: back-pressure while our own output is stuck. */
    void (*pause_reading)(struct bytestream *stream, bool paused);
    /* Sends what closing needs (TLS close_notify) as far as possible without waiting; half-closes.
     */
    void (*shutdown)(struct bytestream *stream);
    const struct bytestream_peer *(*peer)(struct bytestream *stream);
    /* The reason of the last failed read or write, for the user; static or lives with the stream.
     */
    const char *(*error_text)(struct bytestream *stream);
    /* Closes and frees; no event afterwards. */
    void (*free)(struct bytestream *stream);
};

/* First member of every implementation. */
struct bytestream {
    const struct bytestream_ops *ops;
    const struct bytestream_events *events; /* set by the owner through set_events */
    void *owner;
};

/* Before the next turn after the stream was made, so that no event is missed. */
static inline void bytestream_set_events(struct bytestream *stream,
                                         const struct bytestream_events *events, void *owner)
{
    stream->events = events;
    stream->owner = owner;
}

#endif
