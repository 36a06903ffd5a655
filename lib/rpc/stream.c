#include "rpc/stream.h"

#include <string.h>

#include "base/outq.h"
#include "wire/status.h"

static void run_release(struct loop_task *task);

struct rpc_stream *pgrpc__rpc_stream_new(struct pgrpc_call *call)
{
    struct rpc_stream *stream = pgrpc__mem_calloc(&call->loop->mem, 1, sizeof(*stream));
    if (!stream)
        return NULL;
    stream->h2.events = &pgrpc__rpc_stream_events;
    stream->call = call;
    stream->loop = call->loop;
    stream->release_task.run = run_release;
    pgrpc__deframer_init(&stream->deframer, &call->loop->mem, call->host->max_receive_bytes);
    return stream;
}

void pgrpc__rpc_stream_free(struct rpc_stream *stream)
{
    if (!stream)
        return;
    pgrpc__loop_task_cancel(&stream->release_task);
    pgrpc__h2_stream_release(&stream->h2, stream->release_code);
    pgrpc__deframer_clear(&stream->deframer);
    pgrpc__mem_free(&stream->loop->mem, stream);
}

static void run_release(struct loop_task *task)
{
    pgrpc__rpc_stream_free(CONTAINER_OF(task, struct rpc_stream, release_task));
}

void pgrpc__rpc_stream_abandon(struct rpc_stream *stream, enum h2_error code)
{
    stream->call = NULL;
    stream->release_code = code;
    /* This may come from inside the parser: HTTP/2 is told at the top of the turn. */
    pgrpc__loop_defer(stream->loop, &stream->release_task);
}

/* At most one message comes from the peer. */
static bool is_single(const struct pgrpc_call *call)
{
    return call->is_server ? !call_is_client_streaming(call) : !call_is_server_streaming(call);
}

/*
 * A message larger than the window needs credit before anybody can take it, but only the one that
 * is next: behind messages that wait to be taken, window and peer wait too.
 *
 * An only message waits for the stream's end before anybody may take it, and many senders find that
 * they are at the end only when they are let send one more byte.  So that byte is expected.
 */
static size_t missing(const struct rpc_stream *stream)
{
    const struct pgrpc_call *call = stream->call;
    if (!call || stream->h2.remote_ended)
        return 0;
    if (call->in.first)
        return is_single(call);
    return pgrpc__deframer_is_inside(&stream->deframer) ? pgrpc__deframer_missing(&stream->deframer)
                                                        : 0;
}

static void expect(struct rpc_stream *stream)
{
    pgrpc__h2_stream_expect(&stream->h2, missing(stream));
}

void pgrpc__rpc_stream_consumed(struct rpc_stream *stream, size_t len)
{
    pgrpc__h2_stream_consume(&stream->h2, len);
    expect(stream);
}

static struct rpc_stream *of(struct h2_stream *h2)
{
    return CONTAINER_OF(h2, struct rpc_stream, h2);
}

/* --- DATA in ------------------------------------------------------------------------------------
 */

static void refuse_message(struct pgrpc_call *call, enum pgrpc_code code, const char *text)
{
    if (call->is_server)
        pgrpc__call_reject(call, 200, code, text);
    else
        pgrpc__call_end(call, code, "%s", text);
}

/* One complete message. False when the call cannot go on. */
static bool take_message(struct rpc_stream *stream, struct frame_message *message)
{
    struct pgrpc_call *call = stream->call;
    if (message->is_compressed && call->receive_encoding == ENCODING_IDENTITY) {
        pgrpc__chunk_unref(message->chunk);
        refuse_message(call, PGRPC_INTERNAL,
                       "a message has its Compressed-Flag set, but there was no grpc-encoding");
        return false;
    }
    if (is_single(call) && call->received_count) {
        pgrpc__chunk_unref(message->chunk);
        refuse_message(call, RPC_CARDINALITY_CODE,
                       call->is_server ? "a second request message on a method that takes one"
                                       : "a second reply message on a method that gives one");
        return false;
    }
    pgrpc__call_receive(call, message->chunk, message->is_compressed);
    return true;
}

static void on_data(struct h2_stream *h2, const uint8_t *data, size_t len, bool end_stream)
{
    struct rpc_stream *stream = of(h2);
    struct pgrpc_call *call = stream->call;
    if (!call || call->is_finished || call->is_complete) {
        pgrpc__h2_stream_consume(h2, len);
        return;
    }
    if (stream->is_body_foreign) {
        pgrpc__h2_stream_consume(h2, len);
        pgrpc__rpc_client_foreign_body(stream, data, len, end_stream);
        return;
    }
    while (len > 0) {
        struct frame_message message = {0};
        struct error_text error;
        size_t consumed = 0;
        enum pgrpc_code code =
            pgrpc__deframer_feed(&stream->deframer, data, len, &consumed, &message, &error);
        if (code) {
            refuse_message(call, code, error.text);
            return;
        }
        if (!message.chunk)
            break;
        data += consumed;
        len -= consumed;
        if (!take_message(stream, &message))
            return;
    }
    expect(stream);
    if (!end_stream)
        return;
    if (call->is_server)
        pgrpc__rpc_server_ended(stream);
    else
        pgrpc__rpc_client_ended(stream);
}

/* --- DATA out -----------------------------------------------------------------------------------
 */

static void on_measure(struct h2_stream *h2, size_t max, struct h2_output *output)
{
    struct rpc_stream *stream = of(h2);
    struct pgrpc_call *call = stream->call;
    memset(output, 0, sizeof(*output));
    if (!call)
        return;
    size_t ready = pgrpc__call_output_ready(call);
    output->len = ready < max ? ready : max;
    if (output->len < ready)
        return;
    if (!call->is_server) {
        output->end = call->is_send_closed;
    } else if (call->is_finished) {
        output->end = true;
        output->trailers = stream->trailers.entries;
        output->trailer_count = stream->trailers.count;
    }
}

static int on_output(struct h2_stream *h2, size_t len, struct outq *outq)
{
    struct rpc_stream *stream = of(h2);
    return pgrpc__call_output(stream->call, len, outq);
}

/* --- heads and ends -----------------------------------------------------------------------------
 */

static void on_head(struct h2_stream *h2, const struct h2_head *head, enum h2_head_kind kind,
                    bool end_stream)
{
    struct rpc_stream *stream = of(h2);
    if (!stream->call)
        return;
    if (end_stream)
        expect(stream);
    if (!stream->call->is_server)
        pgrpc__rpc_client_head(stream, head, kind, end_stream);
    else if (end_stream)
        pgrpc__rpc_server_ended(stream);
}

static void on_closed(struct h2_stream *h2, enum h2_end end, uint32_t code)
{
    struct rpc_stream *stream = of(h2);
    struct pgrpc_call *call = stream->call;
    if (call) {
        call->stream = NULL;
        stream->call = NULL;
        if (call->is_server)
            pgrpc__rpc_server_closed(call, end, code);
        else
            pgrpc__rpc_client_closed(stream, call, end, code);
    }
    pgrpc__rpc_stream_free(stream);
}

const struct h2_stream_events pgrpc__rpc_stream_events = {
    .on_head = on_head,
    .on_data = on_data,
    .on_measure = on_measure,
    .on_output = on_output,
    .on_closed = on_closed,
};
