/* What the engine tells a connection: passed on to streams and owner, and accounted for. */
#include "h2/connection_private.h"

#include <string.h>

#include "h2/frame_head.h"

static void stream_ended(struct h2_connection *connection, bool is_early)
{
    pgrpc__h2_connection_calm(connection, pgrpc__abuse_stream_ended(&connection->abuse, is_early));
}

/* --- requests --------------------------------------------------------------------------------- */

static void refuse(struct h2_connection *connection, int32_t id)
{
    connection->ops->forget(connection->engine, id);
    if (connection->ops->reset(connection->engine, id, H2_REFUSED_STREAM) < 0)
        pgrpc__h2_connection_break(connection);
}

static void on_request(void *owner, int32_t id, const struct h2_head *head, bool end_stream)
{
    struct h2_connection *connection = owner;

    /* A GOAWAY is said, written or not, and does not cover this one: the client will believe that
     * it was not processed. */
    if (connection->goaway_sent || connection->is_aborted || connection->is_broken) {
        refuse(connection, id);
        return;
    }
    /* Handlers of cancelled calls have a limit of their own: a client that keeps to what it was
     * told is not refused for them, and behind a proxy it is others who cancelled. */
    if (connection->stream_count >= connection->config.max_concurrent_streams ||
        connection->held_count >= connection->config.max_concurrent_streams) {
        refuse(connection, id);
        pgrpc__h2_connection_calm(connection, pgrpc__abuse_stream_refused(&connection->abuse));
        return;
    }
    struct h2_stream *stream = connection->events->on_request(connection->owner, head, end_stream);
    if (!stream) {
        refuse(connection, id);
        return;
    }
    stream->id = id;
    stream->is_server = true;
    stream->opened_ms = connection->now_ms;
    stream->remote_ended = end_stream;
    connection->ops->accept(connection->engine, id, stream);
    pgrpc__h2_stream_attach(connection, stream);
}

/* --- streams ---------------------------------------------------------------------------------- */

static void on_head(void *owner, struct h2_stream *stream, const struct h2_head *head,
                    enum h2_head_kind kind, bool end_stream)
{
    struct h2_connection *connection = owner;

    if (!stream)
        return;
    if (kind == H2_HEAD_INFORMATIONAL && ++stream->informational_count > ABUSE_INFORMATIONAL) {
        int32_t id = stream->id;
        connection->ops->forget(connection->engine, id);
        if (connection->ops->reset(connection->engine, id, H2_PROTOCOL_ERROR) < 0)
            pgrpc__h2_connection_break(connection);
        pgrpc__h2_stream_end(stream, H2_END_VIOLATION, H2_PROTOCOL_ERROR);
        return;
    }
    connection->has_answers = true;
    stream->remote_ended = end_stream;
    stream->events->on_head(stream, head, kind, end_stream);
}

static void on_data(void *owner, int32_t id, struct h2_stream *stream, const uint8_t *data,
                    size_t len, size_t credit)
{
    struct h2_connection *connection = owner;
    struct h2_credit back = {0, credit};
    (void)id;

    if (stream) {
        back = pgrpc__h2_flow_receive(&connection->flow, stream, len);
        back.stream += credit - len;
        back.connection += credit - len;
    }
    pgrpc__h2_connection_credit(connection, stream, back);
    if (stream)
        stream->events->on_data(stream, data, len, false);
}

static void on_end_stream(void *owner, struct h2_stream *stream)
{
    (void)owner;
    if (!stream)
        return;
    stream->remote_ended = true;
    stream->events->on_data(stream, NULL, 0, true);
}

/* Both ends are done when the peer only says that it wants no more. */
static bool is_complete(const struct h2_stream *stream, uint32_t code)
{
    if (stream->is_server)
        return stream->local_ended && (stream->remote_ended || code == H2_NO_ERROR);
    return stream->remote_ended && (stream->local_ended || code == H2_NO_ERROR);
}

static void on_reset(void *owner, int32_t id, struct h2_stream *stream, uint32_t code)
{
    struct h2_connection *connection = owner;
    (void)id;

    if (!stream)
        return;
    stream_ended(connection, stream->is_server && !stream->local_ended &&
                                 connection->now_ms - stream->opened_ms < ABUSE_STREAM_MS);
    if (is_complete(stream, code))
        pgrpc__h2_stream_end(stream, H2_END_NORMAL, code);
    else if (!stream->is_server && code == H2_REFUSED_STREAM)
        pgrpc__h2_stream_end(stream, H2_END_REFUSED, code);
    else
        pgrpc__h2_stream_end(stream, H2_END_RESET, code);
}

static void on_violation(void *owner, int32_t id, struct h2_stream *stream, uint32_t code)
{
    struct h2_connection *connection = owner;
    (void)id;
    if (code == H2_REFUSED_STREAM)
        pgrpc__h2_connection_calm(connection, pgrpc__abuse_stream_refused(&connection->abuse));
    else
        /* Trailers that the peer does not take are our own fault. */
        stream_ended(connection, code != H2_INTERNAL_ERROR);
    if (stream)
        pgrpc__h2_stream_end(stream, H2_END_VIOLATION, code);
}

static void on_head_too_large(void *owner, int32_t id, struct h2_stream *stream)
{
    on_violation(owner, id, stream, H2_ENHANCE_YOUR_CALM);
}

static void on_stream_closed(void *owner, int32_t id, struct h2_stream *stream, uint32_t code)
{
    struct h2_connection *connection = owner;
    (void)id;

    if (!stream)
        return;
    stream->is_forgotten = true;
    if (stream->closed)
        return;
    if (is_complete(stream, code)) {
        stream_ended(connection, false);
        pgrpc__h2_stream_end(stream, H2_END_NORMAL, code);
    } else if (!stream->is_server && !stream->headers_written) {
        pgrpc__h2_stream_end(stream, H2_END_UNSENT, code);
    } else if (!stream->is_server && code == H2_REFUSED_STREAM) {
        pgrpc__h2_stream_end(stream, H2_END_REFUSED, code);
    } else {
        pgrpc__h2_stream_end(stream, H2_END_VIOLATION, code);
    }
}

static void on_headers_written(void *owner, struct h2_stream *stream)
{
    struct h2_connection *connection = owner;
    stream->headers_written = true;
    stream->headers_offset =
        connection->written_bytes + connection->outq->bytes - connection->outq_start;
}

static void on_end_written(void *owner, struct h2_stream *stream)
{
    (void)owner;
    stream->local_ended = true;
}

/* --- connection ------------------------------------------------------------------------------- */

static void on_settings(void *owner)
{
    struct h2_connection *connection = owner;
    if (connection->is_ready)
        return;
    connection->is_ready = true;
    pgrpc__h2_trace(connection, "ready");
    if (connection->events->on_ready)
        connection->events->on_ready(connection->owner);
}

static void on_settings_acked(void *owner)
{
    (void)owner;
}

static void on_ping(void *owner, bool ack, const uint8_t payload[8])
{
    struct h2_connection *connection = owner;

    if (ack) {
        if (memcmp(payload, pgrpc__h2_drain_payload, sizeof(pgrpc__h2_drain_payload)) == 0)
            pgrpc__h2_connection_drained(connection);
    } else if (!pgrpc__keepalive_pinged(&connection->keepalive, connection->now_ms,
                                        connection->stream_count > 0)) {
        pgrpc__h2_connection_calm(connection, "too_many_pings");
    }
}

static void on_goaway(void *owner, int32_t last_id, uint32_t code, const uint8_t *debug,
                      size_t debug_len)
{
    struct h2_connection *connection = owner;
    bool is_first = !connection->goaway_received;
    char text[sizeof(connection->debug)];
    size_t len = debug_len < sizeof(text) ? debug_len : sizeof(text) - 1;

    for (size_t i = 0; i < len; i++)
        text[i] = debug[i] >= 0x20 && debug[i] < 0x7f ? (char)debug[i] : '?';
    text[len] = '\0';
    connection->goaway_received = true;
    pgrpc__h2_trace(connection, "the peer is leaving: code %u, last stream %d, \"%s\"",
                    (unsigned)code, (int)last_id, text);
    if (is_first || code != H2_NO_ERROR) {
        if (code != H2_NO_ERROR)
            pgrpc__h2_connection_set_text(connection, "the %s closed the connection: code %u%s%s",
                                          connection->config.is_server ? "client" : "server",
                                          (unsigned)code, len ? ", " : "", text);
        if (connection->events->on_draining)
            connection->events->on_draining(connection->owner, code, text);
    }
}

/* A ping that went out before the notice would be answered by a client that knows nothing yet. */
static void notice_written(struct h2_connection *connection)
{
    if (connection->notice_sent && !connection->is_aborted &&
        connection->ops->ping(connection->engine, pgrpc__h2_drain_payload) < 0)
        pgrpc__h2_connection_break(connection);
}

static void on_frame(void *owner, bool sent, uint8_t type, uint8_t flags, int32_t id, size_t len)
{
    struct h2_connection *connection = owner;

    if (TRACE_IS_ON(TRACE_FRAMES))
        pgrpc__h2_trace_frame(connection, sent, type, flags, id, len);
    if (sent) {
        pgrpc__abuse_sent(&connection->abuse, type);
        if (type == FRAME_DATA || type == FRAME_HEADERS)
            pgrpc__keepalive_sent(&connection->keepalive);
        if (type == FRAME_GOAWAY)
            notice_written(connection);
    } else {
        pgrpc__h2_connection_calm(connection, pgrpc__abuse_received(&connection->abuse, type, flags,
                                                                    len, connection->now_ms));
    }
}

const struct h2_engine_events pgrpc__h2_engine_events = {
    .on_request = on_request,
    .on_head = on_head,
    .on_data = on_data,
    .on_end_stream = on_end_stream,
    .on_reset = on_reset,
    .on_violation = on_violation,
    .on_head_too_large = on_head_too_large,
    .on_stream_closed = on_stream_closed,
    .on_headers_written = on_headers_written,
    .on_end_written = on_end_written,
    .on_settings = on_settings,
    .on_settings_acked = on_settings_acked,
    .on_ping = on_ping,
    .on_goaway = on_goaway,
    .on_frame = on_frame,
};
