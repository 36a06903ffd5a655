/* What nghttp2 tells: turned into the engine's events.  Nothing here re-enters the session except
 * by submitting frames, which its documentation allows. */
#include "nghttp2_engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Stands in a stream's user data when it is nobody's any more. */
static struct h2_stream forgotten;

void nghttp2_engine_fail(struct h2_engine *engine, const char *text)
{
    if (engine->failure[0] == '\0')
        snprintf(engine->failure, sizeof(engine->failure), "%s", text);
}

/* What a callback returns: parsing stops when the owner has ended the connection, or on a failure.
 */
static int outcome(struct h2_engine *engine)
{
    return engine->is_final || engine->error ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* --- whose stream ----------------------------------------------------------------------------- */

struct h2_stream *nghttp2_engine_find(struct h2_engine *engine, int32_t id)
{
    if (id == engine->cached_id)
        return engine->cached_stream;
    struct h2_stream *stream = nghttp2_session_get_stream_user_data(engine->session, id);
    if (!stream || stream == &forgotten)
        return NULL;
    engine->cached_id = id;
    engine->cached_stream = stream;
    return stream;
}

void nghttp2_engine_set_stream(struct h2_engine *engine, int32_t id, struct h2_stream *stream)
{
    nghttp2_session_set_stream_user_data(engine->session, id, stream ? stream : &forgotten);
    engine->cached_id = stream ? id : 0;
    engine->cached_stream = stream;
    if (engine->head_id == id)
        engine->head_stream = stream;
}

/* --- header blocks ---------------------------------------------------------------------------- */

static void head_clear(struct h2_engine *engine)
{
    pgrpc__head_block_clear(&engine->head);
    engine->head_id = 0;
    engine->head_stream = NULL;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
    struct h2_engine *engine = userdata;
    (void)session;

    head_clear(engine);
    engine->head_id = frame->hd.stream_id;
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        engine->head_stream = nghttp2_engine_find(engine, frame->hd.stream_id);
    return 0;
}

/* Counts a field whether it is kept or not. False when the block is over its limits. */
static bool count_field(struct h2_engine *engine, size_t name_len, size_t value_len)
{
    struct head_block *head = &engine->head;
    pgrpc__head_block_count(head, name_len, value_len);
    return head->size <= engine->settings.max_header_bytes &&
           head->seen_count <= engine->settings.max_header_fields;
}

/* The stream ends; what is left of the block is decoded without us. */
static int refuse_head(struct h2_engine *engine)
{
    int32_t id = engine->head_id;
    struct h2_stream *stream = engine->head_stream;

    if (nghttp2_submit_rst_stream(engine->session, NGHTTP2_FLAG_NONE, id,
                                  NGHTTP2_ENHANCE_YOUR_CALM) != 0) {
        engine->error = -ENOMEM;
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    nghttp2_engine_set_stream(engine, id, NULL);
    head_clear(engine);
    engine->events->on_head_too_large(engine->owner, id, stream);
    return outcome(engine) ? NGHTTP2_ERR_CALLBACK_FAILURE : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *userdata)
{
    struct h2_engine *engine = userdata;
    struct header_field field = {(const char *)name, (const char *)value, name_len, value_len,
                                 (flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0};
    (void)session;
    (void)frame;

    if (!count_field(engine, name_len, value_len))
        return refuse_head(engine);
    if (pgrpc__head_block_add(&engine->head, &field) < 0) {
        engine->error = -ENOMEM;
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    return 0;
}

/* A field that HTTP forbids and gRPC must not fail for: dropped, and counted. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
                             const uint8_t *name, size_t name_len, const uint8_t *value,
                             size_t value_len, uint8_t flags, void *userdata)
{
    struct h2_engine *engine = userdata;
    (void)session;
    (void)frame;
    (void)name;
    (void)value;
    (void)flags;
    return count_field(engine, name_len, value_len) ? 0 : refuse_head(engine);
}

static enum h2_head_kind kind_of(const struct h2_engine *engine)
{
    const struct head_block *head = &engine->head;
    if (engine->settings.is_server || head->field_count == 0 || head->fields[0].name[0] != ':')
        return H2_HEAD_TRAILERS;
    return head->fields[0].value[0] == '1' ? H2_HEAD_INFORMATIONAL : H2_HEAD_RESPONSE;
}

static void head_received(struct h2_engine *engine, const nghttp2_frame *frame)
{
    struct head_block *block = &engine->head;
    struct h2_head head = {block->fields, block->field_count, block->size};
    bool end_stream = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;

    if (engine->settings.is_server && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
        engine->events->on_request(engine->owner, frame->hd.stream_id, &head, end_stream);
    else
        engine->events->on_head(engine->owner, engine->head_stream, &head, kind_of(engine),
                                end_stream);
    head_clear(engine);
}

/* --- received --------------------------------------------------------------------------------- */

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
    struct h2_engine *engine = userdata;
    const struct h2_engine_events *events = engine->events;
    int32_t id = frame->hd.stream_id;
    (void)session;

    switch (frame->hd.type) {
    case NGHTTP2_DATA:
        if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
            events->on_end_stream(engine->owner, nghttp2_engine_find(engine, id));
        break;
    case NGHTTP2_HEADERS:
        head_received(engine, frame);
        break;
    case NGHTTP2_RST_STREAM:
        events->on_reset(engine->owner, id, nghttp2_engine_find(engine, id),
                         frame->rst_stream.error_code);
        break;
    case NGHTTP2_SETTINGS:
        if (frame->hd.flags & NGHTTP2_FLAG_ACK)
            events->on_settings_acked(engine->owner);
        else
            events->on_settings(engine->owner);
        break;
    case NGHTTP2_PING:
        events->on_ping(engine->owner, (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0,
                        frame->ping.opaque_data);
        break;
    case NGHTTP2_GOAWAY:
        events->on_goaway(engine->owner, frame->goaway.last_stream_id, frame->goaway.error_code,
                          frame->goaway.opaque_data, frame->goaway.opaque_data_len);
        break;
    default:
        break;
    }
    return outcome(engine);
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                         size_t len, void *userdata)
{
    struct h2_engine *engine = userdata;
    (void)session;
    (void)flags;
    /* nghttp2 gives padding back itself. */
    engine->events->on_data(engine->owner, id, nghttp2_engine_find(engine, id), data, len, len);
    return outcome(engine);
}

/* Tells of a reset that nghttp2 decided on. */
static void violated(struct h2_engine *engine, int32_t id, uint32_t code)
{
    struct h2_stream *stream = nghttp2_engine_find(engine, id);
    nghttp2_engine_set_stream(engine, id, NULL);
    if (engine->head_id == id)
        head_clear(engine);
    engine->events->on_violation(engine->owner, id, stream, code);
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error,
                            void *userdata)
{
    struct h2_engine *engine = userdata;
    int32_t id = frame->hd.stream_id;

    /* A head whose dropped field was one too many is refused, and told, already. */
    if (error == NGHTTP2_ERR_HTTP_HEADER &&
        nghttp2_session_get_stream_user_data(session, id) == &forgotten)
        return outcome(engine);
    /* The other errors are the connection's and end in a GOAWAY. */
    if (error == NGHTTP2_ERR_REFUSED_STREAM)
        violated(engine, id, NGHTTP2_REFUSED_STREAM);
    else if (error == NGHTTP2_ERR_HTTP_HEADER || error == NGHTTP2_ERR_HTTP_MESSAGING)
        violated(engine, id, NGHTTP2_PROTOCOL_ERROR);
    else if (error == NGHTTP2_ERR_FLOW_CONTROL && id != 0)
        violated(engine, id, NGHTTP2_FLOW_CONTROL_ERROR);
    return outcome(engine);
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *userdata)
{
    struct h2_engine *engine = userdata;
    (void)session;
    if (!engine->settings.is_server)
        engine->open_count--;
    engine->events->on_stream_closed(engine->owner, id, nghttp2_engine_find(engine, id), code);
    engine->cached_id = 0;
    return 0;
}

/* --- sent ------------------------------------------------------------------------------------- */

/* The end of our side.  A client that has not ended its own is told that nobody listens any more,
 * after everything it has to know was sent. */
static int end_written(struct h2_engine *engine, int32_t id)
{
    struct h2_stream *stream = nghttp2_engine_find(engine, id);
    if (!stream)
        return 0;
    engine->events->on_end_written(engine->owner, stream);
    if (engine->settings.is_server && !stream->remote_ended &&
        nghttp2_submit_rst_stream(engine->session, NGHTTP2_FLAG_NONE, id, NGHTTP2_NO_ERROR) != 0) {
        engine->error = -ENOMEM;
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    return 0;
}

static int goaway_written(struct h2_engine *engine, const nghttp2_goaway *goaway)
{
    bool is_notice = goaway->last_stream_id == INT32_MAX;

    /* A GOAWAY of nghttp2's own: the peer broke the protocol. */
    if (!engine->is_final && goaway->error_code != NGHTTP2_NO_ERROR) {
        char text[sizeof(engine->failure)];
        snprintf(text, sizeof(text), "%s%s%.*s", nghttp2_http2_strerror(goaway->error_code),
                 goaway->opaque_data_len ? ": " : "", (int)goaway->opaque_data_len,
                 goaway->opaque_data_len ? (const char *)goaway->opaque_data : "");
        nghttp2_engine_fail(engine, text);
        engine->is_final = true;
        engine->final_code = goaway->error_code;
        engine->error = -EPROTO;
    }
    /* One submitted before the last may still come first. */
    engine->is_finished =
        engine->is_final && !is_notice && goaway->error_code == engine->final_code;
    return 0;
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *userdata)
{
    struct h2_engine *engine = userdata;
    int32_t id = frame->hd.stream_id;
    (void)session;

    engine->events->on_frame(engine->owner, true, frame->hd.type, frame->hd.flags, id,
                             frame->hd.length);
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
            struct h2_stream *stream = nghttp2_engine_find(engine, id);
            if (stream)
                engine->events->on_headers_written(engine->owner, stream);
        }
        /* fallthrough */
    case NGHTTP2_DATA:
        if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
            return end_written(engine, id);
        break;
    case NGHTTP2_RST_STREAM: {
        /* Not ours, and not told when nghttp2 decided on it: a wrong content-length, or DATA beyond
         * the stream's window. */
        if (frame->rst_stream.error_code != NGHTTP2_NO_ERROR && nghttp2_engine_find(engine, id))
            violated(engine, id, frame->rst_stream.error_code);
        break;
    }
    case NGHTTP2_GOAWAY:
        return goaway_written(engine, &frame->goaway);
    default:
        break;
    }
    return 0;
}

/* A head that cannot go out would leave its stream hanging. */
static int on_frame_not_send(nghttp2_session *session, const nghttp2_frame *frame, int error,
                             void *userdata)
{
    struct h2_engine *engine = userdata;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat != NGHTTP2_HCAT_REQUEST &&
        (error == NGHTTP2_ERR_FRAME_SIZE_ERROR || error == NGHTTP2_ERR_HEADER_COMP) &&
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                  NGHTTP2_INTERNAL_ERROR) != 0) {
        engine->error = -ENOMEM;
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    return 0;
}

ssize_t nghttp2_engine_read(nghttp2_session *session, int32_t id, uint8_t *buffer, size_t len,
                            uint32_t *flags, nghttp2_data_source *source, void *userdata)
{
    struct h2_engine *engine = userdata;
    struct h2_stream *stream = source->ptr;
    struct h2_output output = {0, false, NULL, 0};
    (void)session;
    (void)buffer;

    if (engine->is_final)
        return NGHTTP2_ERR_DEFERRED;
    stream->events->on_measure(stream, len, &output);
    if (output.len == 0 && !output.end) {
        stream->is_deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags = NGHTTP2_DATA_FLAG_NO_COPY;
    if (output.end) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (output.trailer_count > 0) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            if (nghttp2_engine_trailers(engine, id, &output) < 0) {
                engine->error = -ENOMEM;
                return NGHTTP2_ERR_CALLBACK_FAILURE;
            }
        }
    }
    return (ssize_t)output.len;
}

static int send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                     size_t len, nghttp2_data_source *source, void *userdata)
{
    struct h2_engine *engine = userdata;
    struct h2_stream *stream = source->ptr;
    (void)session;
    (void)frame;

    int error = pgrpc__outq_add_copy(engine->outq, head, FRAME_HEADER_LEN);
    if (!error && len > 0)
        error = stream->events->on_output(stream, len, engine->outq);
    if (error) {
        engine->error = error;
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    /* nghttp2 goes on with the next DATA frame by itself otherwise. */
    return engine->outq->bytes >= engine->max_bytes ? NGHTTP2_ERR_PAUSE : 0;
}

void nghttp2_engine_set_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data);
}
