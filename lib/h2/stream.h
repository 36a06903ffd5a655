/*
 * One HTTP/2 stream as its connection and its user (rpc/stream) see it.
 *
 * Embedded in the user's object and zeroed before use.  Client: given to pgrpc__h2_connection_open.
 * Server: given back by the connection's on_request event.  Between then and
 * pgrpc__h2_stream_release the connection may call the events; release is the one exit for every
 * way a stream ends, after on_closed or before it, and returns window credit, counters and quotas.
 * Everything needs the loop lock.
 */
#ifndef PGRPC__H2_STREAM_H
#define PGRPC__H2_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/outq.h"
#include "wire/header.h"

struct h2_connection;
struct h2_stream;

/* RFC 9113 section 7 */
enum h2_error {
    H2_NO_ERROR = 0,
    H2_PROTOCOL_ERROR = 1,
    H2_INTERNAL_ERROR = 2,
    H2_FLOW_CONTROL_ERROR = 3,
    H2_SETTINGS_TIMEOUT = 4,
    H2_STREAM_CLOSED = 5,
    H2_FRAME_SIZE_ERROR = 6,
    H2_REFUSED_STREAM = 7,
    H2_CANCEL = 8,
    H2_COMPRESSION_ERROR = 9,
    H2_CONNECT_ERROR = 10,
    H2_ENHANCE_YOUR_CALM = 11,
    H2_INADEQUATE_SECURITY = 12,
    H2_HTTP_1_1_REQUIRED = 13
};

/* A parsed header block: pseudo-headers first. Immutable; lives during the event only. */
struct h2_head {
    const struct header_field *fields;
    size_t count;
    size_t size; /* sum of name + value + 32, RFC 9113 section 10.5.1 */
};

enum h2_head_kind {
    H2_HEAD_REQUEST,
    H2_HEAD_INFORMATIONAL, /* 1xx */
    H2_HEAD_RESPONSE,
    H2_HEAD_TRAILERS
};

/* How a stream ended. */
enum h2_end {
    H2_END_NORMAL,  /* both ends closed by END_STREAM */
    H2_END_RESET,   /* RST_STREAM from the peer: |code| */
    H2_END_REFUSED, /* the peer did not process it: REFUSED_STREAM, or above a GOAWAY's last stream
                       id */
    H2_END_UNSENT,  /* it ended before anything of it was handed to the byte stream */
    H2_END_VIOLATION, /* the peer broke the protocol on this stream and we reset it: |code| */
    H2_END_LOST       /* the connection is gone: pgrpc__h2_connection_close_text tells why */
};

/* What a stream has to send, answered by on_measure. */
struct h2_output {
    size_t len; /* bytes of DATA ready, at most what was asked for */
    bool end;   /* nothing follows these bytes: END_STREAM, or the trailers if there are any */
    /* With |end|: sent after the bytes; copied at once. More than the peer takes resets the stream
     * with INTERNAL_ERROR. */
    const struct header_field *trailers;
    size_t trailer_count;
};

/* All with the loop lock held, from inside parsing or writing: record, and act later in a deferred
 * task. */
struct h2_stream_events {
    /* A response head, 1xx head or trailers (client); trailers (server). The request head came with
     * on_request. */
    void (*on_head)(struct h2_stream *stream, const struct h2_head *head, enum h2_head_kind kind,
                    bool end_stream);
    /* Payload without padding; |data| lives during the event. Each byte must come back through
     * pgrpc__h2_stream_consume, or be covered by release. |len| may be 0. */
    void (*on_data)(struct h2_stream *stream, const uint8_t *data, size_t len, bool end_stream);
    /* The connection can send at most |max| bytes (window, frame size) of DATA now: what is there?
     */
    void (*on_measure)(struct h2_stream *stream, size_t max, struct h2_output *output);
    /* Moves exactly |len| bytes, as just measured, to the end of |outq|. 0 or -ENOMEM. */
    int (*on_output)(struct h2_stream *stream, size_t len, struct outq *outq);
    /* The stream is over. Last event; the user answers with pgrpc__h2_stream_release, now or later.
     */
    void (*on_closed)(struct h2_stream *stream, enum h2_end end, uint32_t code);
};

struct h2_stream {
    struct h2_connection *connection; /* NULL when released */
    const struct h2_stream_events *events;
    int32_t id; /* 0 until the engine gave one */
    struct list node;

    /* The connection's, see flow.h. */
    size_t buffered_bytes;   /* received and not consumed */
    size_t pending_bytes;    /* consumed and not yet given back */
    size_t advance_bytes;    /* window given back early for an incomplete message */
    size_t expected_bytes;   /* what the incomplete message still lacks */
    int64_t opened_ms;       /* server */
    uint64_t headers_offset; /* where our HEADERS begin in everything the connection ever wrote */
    uint8_t informational_count; /* 1xx heads */
    bool is_deferred;            /* the engine's: it waits for resume */
    bool is_starved;             /* wants early credit and the quotas refused */
    bool is_server;
    bool closed;          /* on_closed was reported */
    bool local_ended;     /* our END_STREAM was written */
    bool remote_ended;    /* the peer's END_STREAM came */
    bool headers_written; /* our HEADERS were handed to the byte stream */
    bool has_head;        /* our head was given: what follows may be measured */
    bool is_forgotten;    /* by the engine */
};

/*
 * Client: sends the request head and takes |stream| (its events must be set).  The fields are
 * copied. 0, -ENOMEM, -EMSGSIZE (larger than the peer's SETTINGS_MAX_HEADER_LIST_SIZE), -EAGAIN
 * (the peer takes no more streams now: on_capacity follows), -EPIPE (the connection drains or is
 * closed: use another one).
 */
int pgrpc__h2_connection_open(struct h2_connection *connection, struct h2_stream *stream,
                              const struct header_field *fields, size_t count, bool end_stream);
/* Server: sends the response head; with |end_stream| nothing follows (trailers-only). 0, -ENOMEM,
 * -EMSGSIZE (as open; something smaller may follow), -EPIPE. */
int pgrpc__h2_stream_respond(struct h2_stream *stream, const struct header_field *fields,
                             size_t count, bool end_stream);
/* There is something to measure again after on_measure said 0 bytes and no end. */
void pgrpc__h2_stream_resume(struct h2_stream *stream);
/* The application took |len| received bytes (payload bytes as counted by on_data). */
void pgrpc__h2_stream_consume(struct h2_stream *stream, size_t len);
/* The message being received lacks |len| more bytes; 0 when none is incomplete. May give window
 * back early. */
void pgrpc__h2_stream_expect(struct h2_stream *stream, size_t len);
/*
 * The user is done with the stream: no event afterwards, the memory is the user's again.  If an end
 * is still open, RST_STREAM with |code| is sent, and what was not written is dropped (a response
 * that must arrive is released after |local_ended| or on_closed).  Accepts a stream that was never
 * opened.
 */
void pgrpc__h2_stream_release(struct h2_stream *stream, enum h2_error code);

#endif
