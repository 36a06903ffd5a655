/*
 * The HTTP/2 engine interface: framing, HPACK, stream states and windows of one connection, without
 * I/O, time or policy.
 *
 * Pull-based.  The connection feeds received bytes, gets parsed events, and asks for output as
 * pieces in an outq.  Windows belong to the engine, policy (keepalive, limits, drain, credit) to
 * the connection.  Connections use our own (frame_engine.c); tests compare it with one
 * on nghttp2's session (tests/support/nghttp2_engine.c).  No type of nghttp2's appears here, and
 * streams above the peer's limit are never queued inside (streams_available tells how many may
 * start), but for those that wait when the peer lowers it.
 *
 * An engine is owned by its connection.  Events come from inside receive and output, with the loop
 * lock held; the owner may call submit functions from them, but not destroy.
 */
#ifndef PGRPC__H2_ENGINE_H
#define PGRPC__H2_ENGINE_H

#include "h2/stream.h"

struct h2_engine; /* each engine's own */

struct h2_settings {
    bool is_server;
    uint32_t max_concurrent_streams; /* server: what we allow */
    uint32_t stream_window;
    uint32_t connection_window;
    uint32_t max_header_bytes; /* counted as RFC 9113 section 10.5.1; enforced */
    uint32_t max_header_fields;
    uint32_t max_frame_bytes;
};

/* |stream| is what open_stream or accept was given; NULL once the stream was forgotten. */
struct h2_engine_events {
    /* Server: a request head is complete. Accept by pgrpc engine's accept, or reset it. */
    void (*on_request)(void *owner, int32_t id, const struct h2_head *head, bool end_stream);
    void (*on_head)(void *owner, struct h2_stream *stream, const struct h2_head *head,
                    enum h2_head_kind kind, bool end_stream);
    /* |credit| is |len| plus padding: the difference is given back by the connection at once. */
    void (*on_data)(void *owner, int32_t id, struct h2_stream *stream, const uint8_t *data,
                    size_t len, size_t credit);
    void (*on_end_stream)(void *owner,
                          struct h2_stream *stream); /* DATA with END_STREAM was complete */
    void (*on_reset)(void *owner, int32_t id, struct h2_stream *stream,
                     uint32_t code); /* by the peer */
    /* A header block was over the limits: it is decoded to the end (HPACK stays in step), dropped,
     * and the stream is reset with ENHANCE_YOUR_CALM and forgotten. */
    void (*on_head_too_large)(void *owner, int32_t id, struct h2_stream *stream);
    /* We reset the stream for the peer's fault; |stream| is forgotten. Also for requests that were
     * never reported (|stream| is NULL). */
    void (*on_violation)(void *owner, int32_t id, struct h2_stream *stream, uint32_t code);
    /* The engine closed the stream: both ends ended, or reset by either side. */
    void (*on_stream_closed)(void *owner, int32_t id, struct h2_stream *stream, uint32_t code);
    /* Client: the request HEADERS follow what the outq holds now. */
    void (*on_headers_written)(void *owner, struct h2_stream *stream);
    void (*on_end_written)(void *owner,
                           struct h2_stream *stream); /* our END_STREAM went into output */
    void (*on_settings)(void *owner);
    void (*on_settings_acked)(void *owner);
    void (*on_ping)(void *owner, bool ack,
                    const uint8_t payload[8]); /* the engine answers pings itself */
    void (*on_goaway)(void *owner, int32_t last_id, uint32_t code, const uint8_t *debug,
                      size_t debug_len);
    /* Every frame that came (before anything is done for it) or went into the output, for abuse
     * accounting, tracing, and what has to follow a frame. */
    void (*on_frame)(void *owner, bool sent, uint8_t type, uint8_t flags, int32_t id, size_t len);
};

struct h2_engine_ops {
    const char *name;
    /* 0 or -ENOMEM. |settings| is copied. */
    int (*create)(struct mem *mem, const struct h2_settings *settings,
                  const struct h2_engine_events *events, void *owner, struct h2_engine **engine);
    void (*destroy)(struct h2_engine *engine);
    /* Takes all bytes. 0; -ENOMEM; -EPROTO: the peer broke the protocol or the owner sent a final
     * goaway from an event; a GOAWAY is in the output, nothing more is read. */
    int (*receive)(struct h2_engine *engine, const uint8_t *data, size_t len);
    /* Appends frames to |outq| until it holds about |max_bytes| or nothing is left. 0, -ENOMEM or
     * -EPROTO. */
    int (*output)(struct h2_engine *engine, struct outq *outq, size_t max_bytes);
    bool (*wants_output)(struct h2_engine *engine);
    size_t (*queued_frames)(struct h2_engine *engine); /* waiting frames that the peer caused */
    bool (*is_in_head)(struct h2_engine *engine);      /* a header block is incomplete */
    /* After -EPROTO: what the peer did, for people. Lives with the engine. */
    const char *(*failure_text)(struct h2_engine *engine);

    /* Fields are copied. 0, -ENOMEM, -EMSGSIZE (larger than the peer takes; also of respond). */
    int (*open_stream)(struct h2_engine *engine, struct h2_stream *stream,
                       const struct header_field *fields, size_t count, bool end_stream,
                       int32_t *id);
    void (*accept)(struct h2_engine *engine, int32_t id, struct h2_stream *stream);
    void (*forget)(struct h2_engine *engine, int32_t id); /* later events carry NULL */
    int (*respond)(struct h2_engine *engine, int32_t id, const struct header_field *fields,
                   size_t count, bool end_stream);
    int (*resume)(struct h2_engine *engine, int32_t id);
    int (*reset)(struct h2_engine *engine, int32_t id, uint32_t code);
    size_t (*streams_available)(struct h2_engine *engine); /* how many the peer lets us open now */

    /* Window credit, gathered into WINDOW_UPDATE by the engine. */
    int (*credit_stream)(struct h2_engine *engine, int32_t id, size_t len);
    int (*credit_connection)(struct h2_engine *engine, size_t len);
    /* Bytes the peer may still send on the stream before it needs credit. */
    size_t (*stream_window_left)(struct h2_engine *engine, int32_t id);

    int (*ping)(struct h2_engine *engine, const uint8_t payload[8]);
    /* GOAWAY 2^31-1 NO_ERROR: a notice that an ending follows. */
    int (*goaway_notice)(struct h2_engine *engine);
    /* GOAWAY with the last stream id seen; higher ones are ignored from now on. |is_final|: nothing
     * follows, no stream is asked for output, nothing is read. */
    int (*goaway)(struct h2_engine *engine, uint32_t code, const char *debug, bool is_final);
};

extern const struct h2_engine_ops pgrpc__h2_frame_engine;

/* The one that connections use when they are not told. Tests choose before they start. */
extern const struct h2_engine_ops *pgrpc__h2_engine_default;

#endif
