/*
 * Window and quota arithmetic of one connection's receiving side: who gets how much credit back,
 * and when.  Pure: it changes its own numbers and those of the stream, and says what to tell the
 * engine.  Embedded in a connection.
 *
 * The rules.  A stream's credit comes back when the application takes the bytes.  The connection's
 * comes back at once, so that one slow reader does not stop the others, as long as the bytes that
 * wait for applications stay within unread_limit; what goes beyond is withheld until they read.  A
 * message larger than its stream's window gets stream credit early, bytes at a time as they come:
 * within advance_limit for the connection and the loop's quota; beyond those one message of the
 * connection at a time goes on, so that something is always completed.
 *
 * Credit is passed on in pieces (half a stream's window, a quarter of the connection's), so that
 * the engine is not asked for every small frame.
 */
#ifndef PGRPC__H2_FLOW_H
#define PGRPC__H2_FLOW_H

#include "h2/stream.h"

struct h2_flow {
    size_t stream_window;
    size_t connection_batch; /* connection credit is passed on in pieces of at least this */
    size_t unread_limit;
    size_t advance_limit;
    size_t quota_limit;
    size_t *quota_used; /* the loop's account of early credit */

    size_t unread_bytes; /* received, not consumed, on streams not in the middle of a message */
    size_t
        withheld_bytes;   /* received and not given back to the connection's window: the rule ... */
    size_t pending_bytes; /* ... and the rest of a piece */
    size_t advanced_bytes;             /* sum of the streams' advance_bytes */
    size_t starved_count;              /* streams with |is_starved| */
    const struct h2_stream *completer; /* the one that may go beyond the limits */
    size_t own_quota;                  /* stands in for quota_used when there is none */
};

/* What to give back through the engine. */
struct h2_credit {
    size_t stream;
    size_t connection;
};

/* |quota_used| may be NULL. */
void pgrpc__h2_flow_init(struct h2_flow *flow, size_t stream_window, size_t connection_window,
                         size_t *quota_used, size_t quota_limit);
/* |len| payload bytes came. */
struct h2_credit pgrpc__h2_flow_receive(struct h2_flow *flow, struct h2_stream *stream, size_t len);
/* The application took |len| of the stream's buffered bytes. */
struct h2_credit pgrpc__h2_flow_consume(struct h2_flow *flow, struct h2_stream *stream, size_t len);
/* The message being received lacks |len| bytes, and the peer may send |window_left|.  When the
 * quotas refuse, the stream is starved: call again after others gave something back. */
struct h2_credit pgrpc__h2_flow_expect(struct h2_flow *flow, struct h2_stream *stream, size_t len,
                                       size_t window_left);
/* Nothing more comes; what came is still there. Its turn goes to a starved one. */
void pgrpc__h2_flow_end(struct h2_flow *flow, struct h2_stream *stream);
/* The stream is gone with everything it held. */
struct h2_credit pgrpc__h2_flow_release(struct h2_flow *flow, struct h2_stream *stream);

#endif
