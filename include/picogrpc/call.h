/*
 * A call: one RPC, on either side.
 *
 * Client: made by a generated `__start` (asynchronous) or `__open` (blocking) function, or by
 * pgrpc_call_start / pgrpc_call_open.  Server: made by the library and handed to the method's
 * handler.
 *
 * Life.  Calls are counted.  Starting a call lends you the pointer until on_done has returned; take
 * a reference to keep it longer or to use it from another thread.  Opening a call gives you a
 * reference to drop.  A server call belongs to its handler until the handler finishes it, exactly
 * once; it stays valid after the peer cancelled: sending then says PGRPC_IO_CLOSED and finishing
 * changes nothing.
 *
 * Modes.  In callback mode (started calls, handlers that run inline) nothing waits: sending and
 * receiving say PGRPC_IO_AGAIN and an event follows.  In blocking mode (opened calls, handlers on
 * workers) the same functions wait.
 *
 * Threads.  One thread may send while another receives on the same call.  pgrpc_call_cancel,
 * pgrpc_call_ref and pgrpc_call_unref may be used by any thread that holds a reference.  Events
 * come on the loop's thread.
 *
 * Memory.  What you pass in is copied or serialised before the function returns.  A received
 * message lives until the next receive on that call, or until the call is gone.
 */
#ifndef PICOGRPC_CALL_H
#define PICOGRPC_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "picogrpc/codec.h"
#include "picogrpc/export.h"
#include "picogrpc/metadata.h"
#include "picogrpc/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct pgrpc_call;
struct pgrpc_channel;
struct pgrpc_method;

/* What came of one send or receive; never a gRPC code. */
enum pgrpc_io {
    PGRPC_IO_DONE = 0, /* sent, or received */
    PGRPC_IO_AGAIN =
        1, /* callback mode only: nothing was taken or there is nothing yet; an event follows */
    PGRPC_IO_END = 2, /* receive: there are no more messages. Client: the status is OK */
    PGRPC_IO_CLOSED =
        3 /* the call is over, or was used wrongly: see pgrpc_call_status and pgrpc_call_error */
};

/* Flags of one message. */
enum {
    PGRPC_MESSAGE_COMPRESSED = 1,  /* received: it came compressed */
    PGRPC_MESSAGE_NO_COMPRESS = 2, /* send: do not compress this one */
    PGRPC_MESSAGE_LAST = 4         /* send: no more follow (client: half-close) */
};

/* Zero means default; NULL options mean all defaults. Everything is copied when the call starts. */
struct pgrpc_call_options {
    size_t size;        /* sizeof(struct pgrpc_call_options) */
    int64_t timeout_ms; /* Optional. 0: none. Below 0: already expired. */
    const struct pgrpc_call
        *parent;         /* Optional. A server call whose deadline and cancellation this call
                            inherits, as well as its trace context (traceparent, grpc-trace-bin). */
    bool wait_for_ready; /* Wait for a connection instead of failing with UNAVAILABLE. */
    const struct pgrpc_codec *codec; /* Optional, must outlive the call. Default: the method's. */
    const char *compression; /* Optional. "gzip", "deflate" or "identity" for what is sent. */
    const struct pgrpc_metadatum *metadata; /* Optional. Headers to send. */
    size_t metadata_count;
};

typedef void pgrpc_call_fn(struct pgrpc_call *call, void *userdata);

/* Events of one call, on the loop's thread, with no lock held. Any may be NULL. */
struct pgrpc_call_events {
    size_t size;                /* sizeof(struct pgrpc_call_events) */
    pgrpc_call_fn *on_headers;  /* Client: pgrpc_call_headers and pgrpc_call_peer are known now. At
                                   most once. */
    pgrpc_call_fn *on_readable; /* Receiving turned from AGAIN to something; again only after AGAIN
                                   was seen. */
    pgrpc_call_fn *on_writable; /* Sending said AGAIN and may be tried again. */
    pgrpc_call_fn
        *on_done; /* The call is over. Exactly once, last, never from inside the function that
                     started it. Client: the status is known. Server: the status was handed to the
                     connection, or the peer is gone (the handler must still finish the call). */
};

/* --- life ------------------------------------------------------------------------------------- */

PGRPC_API struct pgrpc_call *pgrpc_call_ref(struct pgrpc_call *call);
/* Accepts NULL. Dropping the last reference of an opened call that is not over cancels it; a
 * started one goes on without. */
PGRPC_API void pgrpc_call_unref(struct pgrpc_call *call);
/*
 * Client: ends the call with CANCELLED and tells the server.  Server: aborts the call; the client
 * sees CANCELLED. Nothing happens when the call is over already.  Any thread that holds a
 * reference.
 */
PGRPC_API void pgrpc_call_cancel(struct pgrpc_call *call);

/*
 * Starts a call whose progress |events| report.  |request| is the first message of a method without
 * client streaming and NULL otherwise.  NULL only when out of memory or after fork(); every other
 * failure comes as the status in on_done.  The generated `__start` functions are this.
 */
PGRPC_API struct pgrpc_call *
pgrpc_call_start(struct pgrpc_channel *channel, const struct pgrpc_method *method,
                 const void *request, const struct pgrpc_call_options *options,
                 const struct pgrpc_call_events *events, void *userdata);
/*
 * Opens a call in blocking mode; you own one reference.  NULL as above.  The call fails with
 * INTERNAL when this is a callback of the channel's own loop, where waiting would wait for itself.
 */
PGRPC_API struct pgrpc_call *pgrpc_call_open(struct pgrpc_channel *channel,
                                             const struct pgrpc_method *method, const void *request,
                                             const struct pgrpc_call_options *options);

/* --- messages --------------------------------------------------------------------------------- */

/*
 * Sends one message.  AGAIN when the call has more than its high-water mark queued: nothing was
 * taken. CLOSED when the call is over, the sending end was closed, or |message| cannot be encoded
 * or exceeds the limit (then the call fails with INTERNAL or RESOURCE_EXHAUSTED).
 */
PGRPC_API enum pgrpc_io pgrpc_call_send(struct pgrpc_call *call, const void *message,
                                        unsigned flags);
/* Client: no more messages follow. DONE, or CLOSED. */
PGRPC_API enum pgrpc_io pgrpc_call_close_send(struct pgrpc_call *call);
/*
 * Receives the next message; *message lives until a receive that does not say AGAIN, and no longer
 * than the call.  |flags| may be NULL.
 * A message that is not taken is back-pressure on the peer.  The server's END says that the client
 * closed its end.
 */
PGRPC_API enum pgrpc_io pgrpc_call_recv(struct pgrpc_call *call, const void **message,
                                        unsigned *flags);
/* Flags of the message received last: of the request, in a handler that was given one. For the
 * thread that receives. */
PGRPC_API unsigned pgrpc_call_message_flags(const struct pgrpc_call *call);
/* Blocking mode: waits until the call is over and returns its status. */
PGRPC_API const struct pgrpc_status *pgrpc_call_wait(struct pgrpc_call *call);
/* Bytes queued for sending and not yet handed to the connection. */
PGRPC_API size_t pgrpc_call_queued_bytes(struct pgrpc_call *call);

/* --- what is known ---------------------------------------------------------------------------- */

/* The status; code OK and an empty text until the call is over. Never NULL; RESOURCE_EXHAUSTED for
 * a NULL |call|, which is what opening gives without memory. */
PGRPC_API const struct pgrpc_status *pgrpc_call_status(const struct pgrpc_call *call);
/* Client: the server's headers, NULL before they came. Server: the client's headers. */
PGRPC_API const struct pgrpc_metadata *pgrpc_call_headers(const struct pgrpc_call *call);
/* Client: the server's trailers, NULL before the end. Server: NULL. */
PGRPC_API const struct pgrpc_metadata *pgrpc_call_trailers(const struct pgrpc_call *call);
/* Why the last operation on this call said CLOSED or failed without ending the call: wrong use,
 * and what to do instead. "" when there is nothing to say. */
PGRPC_API const char *pgrpc_call_error(const struct pgrpc_call *call);
/* "/package.Service/Method" */
PGRPC_API const char *pgrpc_call_path(const struct pgrpc_call *call);
/* "ipv4:127.0.0.1:5000", "unix:/path", ...; NULL while not known. */
PGRPC_API const char *pgrpc_call_peer(const struct pgrpc_call *call);
/* Subject of the certificate the peer proved, NULL without one. */
PGRPC_API const char *pgrpc_call_peer_subject(const struct pgrpc_call *call);
/* Milliseconds to the deadline, below 0 when it has passed, INT64_MAX when there is none. */
PGRPC_API int64_t pgrpc_call_remaining_ms(const struct pgrpc_call *call);
/* True once the call was cancelled, its deadline passed or its connection was lost. Any thread. */
PGRPC_API bool pgrpc_call_is_cancelled(const struct pgrpc_call *call);

/* --- memory ----------------------------------------------------------------------------------- */

/* |size| bytes that live as long as the call; NULL when out of memory. For the handler's or owner's
 * thread. */
PGRPC_API void *pgrpc_call_alloc(struct pgrpc_call *call, size_t size);
/* A formatted text that lives to the end of the next send on this call. NULL when out of memory;
 * that send then fails with RESOURCE_EXHAUSTED. */
PGRPC_API char *pgrpc_message_printf(struct pgrpc_call *call, const char *format, ...)
    PGRPC_PRINTF(2, 3);

/* --- server side ------------------------------------------------------------------------------ */

/* Sets the events of a server call that runs in callback mode; from its handler, before it returns.
 */
PGRPC_API void pgrpc_call_set_events(struct pgrpc_call *call,
                                     const struct pgrpc_call_events *events, void *userdata);
/*
 * Adds a header / a trailer to send.  Client: headers only, from an interceptor's on_start.
 *   PGRPC_INVALID_ARGUMENT     the key or value is not allowed; see pgrpc_call_error
 *   PGRPC_FAILED_PRECONDITION  too late: headers or status were sent
 *   PGRPC_RESOURCE_EXHAUSTED   out of memory, or more than the peer takes
 */
PGRPC_API enum pgrpc_code pgrpc_call_add_header(struct pgrpc_call *call,
                                                const struct pgrpc_metadatum *header);
PGRPC_API enum pgrpc_code pgrpc_call_add_trailer(struct pgrpc_call *call,
                                                 const struct pgrpc_metadatum *trailer);
/* Sends the headers now instead of with the first message. DONE or CLOSED. */
PGRPC_API enum pgrpc_io pgrpc_call_send_headers(struct pgrpc_call *call);
/* Compresses the messages that follow, if the client takes it: "gzip", "deflate", "identity".
 * INVALID_ARGUMENT for another name, FAILED_PRECONDITION after the headers were sent. */
PGRPC_API enum pgrpc_code pgrpc_call_set_compression(struct pgrpc_call *call, const char *name);
/*
 * Ends the call with |code| and a text (may be NULL).  Server: the handler gives the call up.
 * Client: the call ends here with that status and the server sees a cancellation.
 * FAILED_PRECONDITION when it was finished before; nothing changes then.
 */
PGRPC_API enum pgrpc_code pgrpc_call_finish(struct pgrpc_call *call, enum pgrpc_code code,
                                            const char *format, ...) PGRPC_PRINTF(3, 4);
/* The same with rich details: |status->details| is a serialised google.rpc.Status. */
PGRPC_API enum pgrpc_code pgrpc_call_finish_status(struct pgrpc_call *call,
                                                   const struct pgrpc_status *status);

/* --- one-shot blocking calls ------------------------------------------------------------------ */

/*
 * The result of a one-shot blocking call: owned by the caller, `= {0}` is empty, reusable without
 * clearing, cleared once at the end.  The reply, status, headers and trailers live until the next
 * call with this result or until it is cleared.  One result serves one thread at a time.
 */
struct pgrpc_result {
    struct pgrpc_status status;
    const struct pgrpc_metadata *headers;
    const struct pgrpc_metadata *trailers;
    unsigned flags;          /* of the reply: PGRPC_MESSAGE_COMPRESSED */
    struct pgrpc_call *call; /* private: what keeps the above alive */
};
PGRPC_API void pgrpc_result_clear(struct pgrpc_result *result);

/* Calls a unary method and waits: the reply, or NULL and result->status. |result| is Required. */
PGRPC_API const void *pgrpc_call_unary(struct pgrpc_channel *channel,
                                       const struct pgrpc_method *method, const void *request,
                                       const struct pgrpc_call_options *options,
                                       struct pgrpc_result *result);

#ifdef __cplusplus
}
#endif
#endif
