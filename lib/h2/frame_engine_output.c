#include "h2/frame_engine.h"

#include <errno.h>
#include <string.h>

enum { GOAWAY_LEN = 8, BLOCK_LOCAL = 1024, BUFFER_MIN = 200, NOTICE_ID = INT32_MAX };

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/* --- frames that wait ------------------------------------------------------------------------- */

static void store_head(uint8_t *bytes, size_t len, uint8_t type, uint8_t flags, int32_t id)
{
    pgrpc__frames_store(bytes, (uint32_t)len << 8 | type);
    bytes[4] = flags;
    pgrpc__frames_store(bytes + 5, (uint32_t)id);
}

int pgrpc__frames_add_frame(struct h2_engine *engine, struct frame_buffer *buffer, uint8_t type,
                            uint8_t flags, int32_t id, const void *payload, size_t len)
{
    size_t needed = buffer->len + FRAME_HEADER_LEN + len;

    if (needed > buffer->cap) {
        uint8_t *data = pgrpc__mem_realloc(engine->mem, buffer->data,
                                           needed < BUFFER_MIN ? BUFFER_MIN : 2 * needed);
        if (!data)
            return -ENOMEM;
        buffer->data = data;
        buffer->cap = pgrpc__mem_usable(data);
    }
    uint8_t *at = buffer->data + buffer->len;
    store_head(at, len, type, flags, id);
    if (len > 0)
        memcpy(at + FRAME_HEADER_LEN, payload, len);
    buffer->len = needed;
    return 0;
}

int pgrpc__frames_add_goaway(struct h2_engine *engine, int32_t last_id, uint32_t code,
                             const char *debug)
{
    uint8_t payload[GOAWAY_LEN + 256];
    size_t len = strlen(debug);

    if (len > sizeof(payload) - GOAWAY_LEN)
        len = sizeof(payload) - GOAWAY_LEN;
    if (last_id < engine->said_last_id)
        engine->said_last_id = last_id;
    pgrpc__frames_store(payload, (uint32_t)engine->said_last_id);
    pgrpc__frames_store(payload + 4, code);
    memcpy(payload + GOAWAY_LEN, debug, len);
    return pgrpc__frames_add_frame(engine, &engine->regular, FRAME_GOAWAY, 0, 0, payload,
                                   GOAWAY_LEN + len);
}

static int add_number(struct h2_engine *engine, uint8_t type, int32_t id, uint32_t number)
{
    uint8_t payload[4];
    pgrpc__frames_store(payload, number);
    return pgrpc__frames_add_frame(engine, &engine->regular, type, 0, id, payload, sizeof(payload));
}

struct head_template *pgrpc__frames_take_head(struct h2_engine *engine,
                                              struct engine_stream *stream)
{
    struct head_template *head = stream->head;
    if (head)
        engine->head_count--;
    stream->head = NULL;
    return head;
}

int pgrpc__frames_reset(struct h2_engine *engine, struct engine_stream *stream, uint32_t code)
{
    if (stream->is_closing)
        return 0;
    if (add_number(engine, FRAME_RST_STREAM, stream->id, code) < 0)
        return -ENOMEM;
    stream->is_closing = true;
    stream->has_body = false;
    list_remove(&stream->blocked);
    list_remove(&stream->node);
    pgrpc__template_unref(pgrpc__frames_take_head(engine, stream), engine->mem);
    return 0;
}

/* --- windows ---------------------------------------------------------------------------------- */

/* One WINDOW_UPDATE at a time waits for each window: a peer that reads nothing makes no heap of
 * them, and what it may send without having been told of it is what that one says. */

int pgrpc__frames_credit_stream(struct h2_engine *engine, struct engine_stream *stream, size_t len)
{
    if (stream->remote_ended || stream->is_closing)
        return 0;
    stream->credit += len;
    if (stream->is_update_waiting || stream->credit == 0 ||
        (int64_t)stream->credit < engine->own_window / 2)
        return 0;
    size_t credit = stream->credit;
    stream->credit = 0;
    stream->is_update_waiting = true;
    stream->receive_window += (int64_t)credit;
    return add_number(engine, FRAME_WINDOW_UPDATE, stream->id, (uint32_t)credit);
}

int pgrpc__frames_credit_connection(struct h2_engine *engine, size_t len)
{
    size_t withheld = len < engine->credit_withheld ? len : engine->credit_withheld;

    engine->credit_withheld -= withheld;
    engine->credit += len - withheld;
    if (engine->is_update_waiting || engine->credit == 0 ||
        engine->credit < engine->settings.connection_window / 2)
        return 0;
    size_t credit = engine->credit;
    engine->credit = 0;
    engine->is_update_waiting = true;
    engine->receive_window += (int64_t)credit;
    return add_number(engine, FRAME_WINDOW_UPDATE, 0, (uint32_t)credit);
}

/* --- heads ------------------------------------------------------------------------------------ */

/* HEADERS, and CONTINUATION as long as there is more than one frame's worth. */
static int put_block(struct h2_engine *engine, int32_t id, bool end_stream, const uint8_t *block,
                     size_t len)
{
    uint8_t type = FRAME_HEADERS, flags = end_stream ? FRAME_FLAG_END_STREAM : 0;

    do {
        uint8_t head[FRAME_HEADER_LEN + BLOCK_LOCAL];
        size_t piece = len < FRAME_BYTES ? len : FRAME_BYTES;
        if (piece == len)
            flags |= FRAME_FLAG_END_HEADERS;
        store_head(head, piece, type, flags, id);
        int error;
        if (piece <= BLOCK_LOCAL) {
            memcpy(head + FRAME_HEADER_LEN, block, piece);
            error = pgrpc__outq_add_copy(engine->outq, head, FRAME_HEADER_LEN + piece);
        } else {
            error = pgrpc__outq_add_copy(engine->outq, head, FRAME_HEADER_LEN);
            if (!error)
                error = pgrpc__outq_add_copy(engine->outq, block, piece);
        }
        if (error)
            return error;
        engine->events->on_frame(engine->owner, true, type, flags, id, piece);
        block += piece;
        len -= piece;
        type = FRAME_CONTINUATION;
        flags = 0;
    } while (len > 0);
    return 0;
}

static int put_head(struct h2_engine *engine, int32_t id, bool end_stream,
                    struct head_template *head)
{
    const uint8_t *known = pgrpc__template_block(head, engine->hpack);
    uint8_t local[BLOCK_LOCAL], *block = local;

    if (known)
        return put_block(engine, id, end_stream, known, head->block_len);
    size_t cap = pgrpc__hpack_bound(head->fields, head->count);
    if (cap > sizeof(local)) {
        block = pgrpc__mem_alloc(engine->mem, cap);
        if (!block)
            return -ENOMEM;
    }
    uint32_t generation = pgrpc__hpack_encoder_generation(engine->hpack);
    ssize_t len = pgrpc__hpack_encode(engine->hpack, head->fields, head->count, block, cap);
    int error = len < 0 ? (int)len : put_block(engine, id, end_stream, block, (size_t)len);
    if (len >= 0)
        pgrpc__template_keep(head, engine->hpack, generation, block, (size_t)len);
    if (block != local)
        pgrpc__mem_free(engine->mem, block);
    return error;
}

/* Our END_STREAM went out.  A client that has not ended its own side is told that nobody listens
 * any more, after everything it has to know was sent. */
static int end_written(struct h2_engine *engine, struct engine_stream *stream)
{
    int error = 0;

    stream->local_ended = true;
    stream->has_body = false;
    list_remove(&stream->blocked);
    if (stream->user)
        engine->events->on_end_written(engine->owner, stream->user);
    if (engine->settings.is_server && !stream->remote_ended)
        error = pgrpc__frames_reset(engine, stream, H2_NO_ERROR);
    else
        pgrpc__frames_close_if_done(engine, stream);
    return error;
}

/* The first of the heads that wait. */
static int send_head(struct h2_engine *engine)
{
    struct engine_stream *stream = CONTAINER_OF(engine->heads.next, struct engine_stream, node);
    struct head_template *head = pgrpc__frames_take_head(engine, stream);

    list_remove(&stream->node);
    if (!engine->settings.is_server) {
        engine->last_sent_id = stream->id;
        if (stream->user)
            engine->events->on_headers_written(engine->owner, stream->user);
    }
    int error = put_head(engine, stream->id, stream->head_ends, head);
    pgrpc__template_unref(head, engine->mem);
    if (error)
        return error;
    if (stream->head_ends)
        return end_written(engine, stream);
    if (stream->has_body)
        pgrpc__frames_list(&engine->ready, stream);
    return 0;
}

static int send_trailers(struct h2_engine *engine, struct engine_stream *stream,
                         const struct h2_output *output)
{
    if (pgrpc__frames_is_too_large(engine, output->trailers, output->trailer_count)) {
        struct h2_stream *user = stream->user;
        if (pgrpc__frames_reset(engine, stream, H2_INTERNAL_ERROR) < 0)
            return -ENOMEM;
        stream->user = NULL;
        engine->events->on_violation(engine->owner, stream->id, user, H2_INTERNAL_ERROR);
        return 0;
    }
    struct head_template *head = pgrpc__template_get(&engine->templates, engine->mem,
                                                     output->trailers, output->trailer_count);
    if (!head)
        return -ENOMEM;
    int error = put_head(engine, stream->id, true, head);
    pgrpc__template_unref(head, engine->mem);
    return error ? error : end_written(engine, stream);
}

/* --- DATA ------------------------------------------------------------------------------------- */

static int put_data(struct h2_engine *engine, struct engine_stream *stream, size_t len, bool ends)
{
    uint8_t head[FRAME_HEADER_LEN], flags = ends ? FRAME_FLAG_END_STREAM : 0;

    store_head(head, len, FRAME_DATA, flags, stream->id);
    int error = pgrpc__outq_add_copy(engine->outq, head, sizeof(head));
    if (!error && len > 0)
        error = stream->user->events->on_output(stream->user, len, engine->outq);
    if (error)
        return error;
    stream->send_window -= (int64_t)len;
    engine->send_window -= (int64_t)len;
    engine->events->on_frame(engine->owner, true, FRAME_DATA, flags, stream->id, len);
    return 0;
}

static size_t window_for(const struct h2_engine *engine, const struct engine_stream *stream)
{
    int64_t window =
        stream->send_window < engine->send_window ? stream->send_window : engine->send_window;
    if (window > FRAME_BYTES)
        window = FRAME_BYTES;
    return window > 0 ? (size_t)window : 0;
}

/* One DATA frame of the first stream that may have some, and its trailers. */
static int send_data(struct h2_engine *engine)
{
    struct engine_stream *stream = CONTAINER_OF(engine->ready.next, struct engine_stream, node);
    struct h2_output output = {0, false, NULL, 0};
    size_t max = window_for(engine, stream);

    list_remove(&stream->node);
    if (!stream->user || !stream->has_body)
        return 0;
    stream->user->events->on_measure(stream->user, max, &output);
    bool ends = output.end && output.trailer_count == 0;
    if (output.len == 0 && !output.end) {
        /* One that was asked in between keeps its place. */
        if (max > 0)
            list_remove(&stream->blocked);
        else if (!list_is_linked(&stream->blocked))
            list_add_tail(&engine->blocked, &stream->blocked);
        return 0;
    }
    if (output.len > 0 || ends) {
        int error = put_data(engine, stream, output.len, ends);
        if (error)
            return error;
    }
    if (ends)
        return end_written(engine, stream);
    if (output.end)
        return send_trailers(engine, stream, &output);
    pgrpc__frames_list(&engine->ready, stream);
    return 0;
}

/* --- all of it -------------------------------------------------------------------------------- */

/* More may have come together while it waited. 0 or -ENOMEM. */
static int update_written(struct h2_engine *engine, int32_t id)
{
    if (id == 0) {
        engine->is_update_waiting = false;
        return pgrpc__frames_credit_connection(engine, 0);
    }
    struct engine_stream *stream = pgrpc__frames_find(engine, id);
    if (!stream)
        return 0;
    stream->is_update_waiting = false;
    return pgrpc__frames_credit_stream(engine, stream, 0);
}

/* What follows from a frame that goes out. 0 or -ENOMEM. */
static int frame_written(struct h2_engine *engine, uint8_t type, int32_t id, const uint8_t *payload)
{
    if (type == FRAME_WINDOW_UPDATE)
        return update_written(engine, id);
    if (type == FRAME_RST_STREAM) {
        struct engine_stream *stream = pgrpc__frames_find(engine, id);
        if (stream)
            pgrpc__frames_close(engine, stream, pgrpc__frames_load(payload));
    } else if (type == FRAME_GOAWAY) {
        int32_t last_id = (int32_t)pgrpc__frames_load(payload);
        engine->is_goaway_written = engine->is_goaway_written || last_id != NOTICE_ID;
        /* One submitted before the last may still come first. */
        engine->is_finished = engine->is_final && last_id != NOTICE_ID &&
                              pgrpc__frames_load(payload + 4) == engine->final_code;
    }
    return 0;
}

/* Owners may add frames while they are told: those follow. */
static int flush(struct h2_engine *engine, struct frame_buffer *buffer)
{
    size_t at = 0;
    int error = 0;

    while (at < buffer->len && !engine->is_finished && !error) {
        const uint8_t *frame = buffer->data + at;
        uint32_t first = pgrpc__frames_load(frame);
        size_t len = first >> 8;
        uint8_t type = (uint8_t)first, payload[GOAWAY_LEN] = {0};
        int32_t id = (int32_t)pgrpc__frames_load(frame + 5);
        memcpy(payload, frame + FRAME_HEADER_LEN, len < sizeof(payload) ? len : sizeof(payload));
        engine->events->on_frame(engine->owner, true, type, frame[4], id, len);
        error = frame_written(engine, type, id, payload);
        at += FRAME_HEADER_LEN + len;
    }
    if (!error)
        error = pgrpc__outq_add_copy(engine->outq, buffer->data, at);
    pgrpc__mem_free(engine->mem, buffer->data);
    *buffer = (struct frame_buffer){NULL, 0, 0};
    return error;
}

static bool may_send_head(const struct h2_engine *engine)
{
    if (list_is_empty(&engine->heads))
        return false;
    /* A server has said what it answers before it ends; a client opens nothing any more.  The peer
     * may have lowered its limit since the head was submitted. */
    return engine->settings.is_server ||
           (!engine->is_final &&
            engine->stream_count - engine->head_count < engine->peer_max_streams);
}

bool pgrpc__frames_wants_output(const struct h2_engine *engine)
{
    if (engine->is_finished)
        return false;
    return engine->preface_due || engine->urgent.len > 0 || engine->regular.len > 0 ||
           may_send_head(engine) || (!list_is_empty(&engine->ready) && !engine->is_final);
}

/* The next that is due. */
static int send_some(struct h2_engine *engine)
{
    if (engine->preface_due) {
        engine->preface_due = false;
        return pgrpc__outq_add_copy(engine->outq, preface, PREFACE_LEN);
    }
    if (engine->urgent.len > 0)
        return flush(engine, &engine->urgent);
    if (may_send_head(engine))
        return send_head(engine);
    if (engine->regular.len > 0) {
        engine->induced_count = 0;
        return flush(engine, &engine->regular);
    }
    return send_data(engine);
}

int pgrpc__frames_output(struct h2_engine *engine, struct outq *outq, size_t max_bytes)
{
    int error = 0;

    engine->outq = outq;
    while (!error && outq->bytes < max_bytes && pgrpc__frames_wants_output(engine))
        error = send_some(engine);
    engine->outq = NULL;
    if (engine->urgent.len == 0 && engine->regular.len == 0)
        engine->induced_count = 0;
    return error;
}
