#include <errno.h>

#include "h2/connection_private.h"

static bool is_usable(const struct h2_connection *connection)
{
    return !connection->is_over && !connection->is_aborted && !connection->is_broken;
}

void pgrpc__h2_stream_attach(struct h2_connection *connection, struct h2_stream *stream)
{
    stream->connection = connection;
    list_add_tail(&connection->streams, &stream->node);
    connection->stream_count++;
}

int pgrpc__h2_connection_open(struct h2_connection *connection, struct h2_stream *stream,
                              const struct header_field *fields, size_t count, bool end_stream)
{
    int32_t id;

    if (pgrpc__h2_connection_is_draining(connection))
        return -EPIPE;
    if (connection->ops->streams_available(connection->engine) == 0) {
        connection->wants_capacity = true;
        return -EAGAIN;
    }
    int error =
        connection->ops->open_stream(connection->engine, stream, fields, count, end_stream, &id);
    if (error)
        return error;
    stream->id = id;
    stream->has_head = true;
    pgrpc__h2_stream_attach(connection, stream);
    connection->are_ids_spent = id >= LAST_STREAM_ID;
    pgrpc__h2_connection_announce(connection);
    return 0;
}

int pgrpc__h2_stream_respond(struct h2_stream *stream, const struct header_field *fields,
                             size_t count, bool end_stream)
{
    struct h2_connection *connection = stream->connection;

    if (!connection || stream->closed || !is_usable(connection))
        return -EPIPE;
    int error = connection->ops->respond(connection->engine, stream->id, fields, count, end_stream);
    if (error)
        return error;
    stream->has_head = true;
    pgrpc__h2_connection_announce(connection);
    return 0;
}

void pgrpc__h2_stream_resume(struct h2_stream *stream)
{
    struct h2_connection *connection = stream->connection;

    if (!connection || !stream->has_head || stream->closed || stream->local_ended ||
        !is_usable(connection))
        return;
    if (connection->ops->resume(connection->engine, stream->id) < 0)
        pgrpc__h2_connection_break(connection);
    pgrpc__h2_connection_announce(connection);
}

void pgrpc__h2_connection_credit(struct h2_connection *connection, struct h2_stream *stream,
                                 struct h2_credit credit)
{
    int error = 0;

    if (!is_usable(connection))
        return;
    if (credit.connection > 0)
        error = connection->ops->credit_connection(connection->engine, credit.connection);
    /* After its end the peer needs no window. */
    if (!error && credit.stream > 0 && stream && !stream->closed && !stream->remote_ended)
        error = connection->ops->credit_stream(connection->engine, stream->id, credit.stream);
    if (error)
        pgrpc__h2_connection_break(connection);
}

static void expect(struct h2_connection *connection, struct h2_stream *stream, size_t len)
{
    /* Ask the engine only when the message could be larger than what is left. */
    size_t left = SIZE_MAX;
    if (len > 0 && !stream->closed && !stream->remote_ended && is_usable(connection))
        left = connection->ops->stream_window_left(connection->engine, stream->id);
    pgrpc__h2_connection_credit(connection, stream,
                                pgrpc__h2_flow_expect(&connection->flow, stream, len, left));
}

/* Something came back: messages that had to wait may go on. */
static void feed_starved(struct h2_connection *connection)
{
    if (connection->flow.starved_count == 0)
        return;
    for (struct list *node = connection->streams.next; node != &connection->streams;
         node = node->next) {
        struct h2_stream *stream = CONTAINER_OF(node, struct h2_stream, node);
        if (stream->is_starved)
            expect(connection, stream, stream->expected_bytes);
    }
}

void pgrpc__h2_stream_consume(struct h2_stream *stream, size_t len)
{
    struct h2_connection *connection = stream->connection;

    if (!connection || len == 0)
        return;
    pgrpc__h2_connection_credit(connection, stream,
                                pgrpc__h2_flow_consume(&connection->flow, stream, len));
    feed_starved(connection);
    pgrpc__h2_connection_announce(connection);
}

void pgrpc__h2_stream_expect(struct h2_stream *stream, size_t len)
{
    struct h2_connection *connection = stream->connection;

    if (!connection || (len == 0 && stream->expected_bytes == 0))
        return;
    expect(connection, stream, len);
    if (len == 0)
        feed_starved(connection);
    pgrpc__h2_connection_announce(connection);
}

void pgrpc__h2_stream_end(struct h2_stream *stream, enum h2_end end, uint32_t code)
{
    if (stream->closed)
        return;
    stream->closed = true;
    stream->connection->stream_count--;
    pgrpc__h2_flow_end(&stream->connection->flow, stream);
    feed_starved(stream->connection);
    stream->events->on_closed(stream, end, code);
}

enum h2_end pgrpc__h2_stream_lost_end(const struct h2_stream *stream)
{
    const struct h2_connection *connection = stream->connection;
    if (stream->is_server)
        return H2_END_LOST;
    if (!stream->headers_written)
        return H2_END_UNSENT;
    return stream->headers_offset >= connection->written_bytes - connection->untaken_bytes
               ? H2_END_UNSENT
               : H2_END_LOST;
}

void pgrpc__h2_stream_release(struct h2_stream *stream, enum h2_error code)
{
    struct h2_connection *connection = stream->connection;

    if (!connection)
        return;
    list_remove(&stream->node);
    pgrpc__h2_connection_credit(connection, NULL,
                                pgrpc__h2_flow_release(&connection->flow, stream));
    /* Also by an engine that is broken: it may be in the middle of what it received. */
    if (!stream->is_forgotten)
        connection->ops->forget(connection->engine, stream->id);
    if (!stream->closed) {
        stream->closed = true;
        connection->stream_count--;
        if (is_usable(connection) &&
            connection->ops->reset(connection->engine, stream->id, code) < 0)
            pgrpc__h2_connection_break(connection);
    }
    stream->connection = NULL;
    feed_starved(connection);
    if (connection->stream_count == 0 && pgrpc__h2_connection_is_draining(connection))
        pgrpc__h2_connection_poke(connection);
    pgrpc__h2_connection_announce(connection);
}
