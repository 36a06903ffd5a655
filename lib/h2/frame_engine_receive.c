#include "h2/frame_engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

uint32_t pgrpc__frames_load(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

void pgrpc__frames_store(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* --- faults ----------------------------------------------------------------------------------- */

int pgrpc__frames_give_up(struct h2_engine *engine, uint32_t code, const char *text)
{
    if (engine->failure[0] == '\0')
        snprintf(engine->failure, sizeof(engine->failure), "%s", text);
    if (engine->is_final)
        return -EPROTO;
    if (pgrpc__frames_add_goaway(engine, engine->last_taken_id, code, text) < 0)
        return -ENOMEM;
    engine->is_final = true;
    engine->final_code = code;
    return -EPROTO;
}

int pgrpc__frames_broken(struct h2_engine *engine, uint32_t code, const char *text)
{
    static const char *const names[] = {
        "NO_ERROR",         "PROTOCOL_ERROR",    "INTERNAL_ERROR",   "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT", "STREAM_CLOSED",     "FRAME_SIZE_ERROR", "REFUSED_STREAM",
        "CANCEL",           "COMPRESSION_ERROR", "CONNECT_ERROR",    "ENHANCE_YOUR_CALM"};

    if (engine->failure[0] == '\0')
        snprintf(engine->failure, sizeof(engine->failure), "%s%s%s",
                 code < sizeof(names) / sizeof(*names) ? names[code] : "?", *text ? ": " : "",
                 text);
    return pgrpc__frames_give_up(engine, code, text);
}

int pgrpc__frames_violated(struct h2_engine *engine, struct engine_stream *stream, uint32_t code)
{
    struct h2_stream *user = stream->user;

    if (stream->is_closing)
        return 0;
    if (pgrpc__frames_reset(engine, stream, code) < 0)
        return -ENOMEM;
    engine->induced_count++;
    stream->user = NULL;
    engine->events->on_violation(engine->owner, stream->id, user, code);
    return engine->is_final ? -EPROTO : 0;
}

bool pgrpc__frames_is_idle(const struct h2_engine *engine, int32_t id)
{
    if (engine->settings.is_server)
        return !(id & 1) || id > engine->last_seen_id;
    return !(id & 1) || id > engine->last_sent_id;
}

/* --- DATA ------------------------------------------------------------------------------------- */

static int ignore_data(struct h2_engine *engine, size_t len)
{
    engine->input.phase = INPUT_SKIP;
    return pgrpc__frames_credit_connection(engine, len);
}

/* What is known once the length of the padding is. */
static int data_starts(struct h2_engine *engine, struct engine_stream *stream, size_t len)
{
    struct frame_input *input = &engine->input;
    int error = 0;

    stream->received_bytes += (int64_t)len;
    bool is_too_much =
        stream->content_length != LENGTH_UNKNOWN && stream->received_bytes > stream->content_length;
    if (is_too_much || (len > 0 && !stream->has_message)) {
        error = pgrpc__frames_violated(engine, stream, H2_PROTOCOL_ERROR);
        return error ? error : ignore_data(engine, input->head.len);
    }
    input->phase = INPUT_DATA;
    /* Padding is taken by us. */
    size_t rest = input->head.len - len;
    if (rest > 0) {
        error = pgrpc__frames_credit_stream(engine, stream, rest);
        if (!error)
            error = pgrpc__frames_credit_connection(engine, rest);
    }
    return error;
}

static int data_begin(struct h2_engine *engine)
{
    struct frame_input *input = &engine->input;
    const struct frame_head *head = &input->head;
    struct engine_stream *stream = pgrpc__frames_find(engine, head->id);
    int error;

    if (head->id == 0)
        return pgrpc__frames_broken(engine, H2_PROTOCOL_ERROR, "DATA: stream 0");
    if (pgrpc__frames_is_idle(engine, head->id))
        return pgrpc__frames_broken(engine, H2_PROTOCOL_ERROR, "DATA: stream is idle");
    if (stream && stream->remote_ended && !stream->is_closing)
        return pgrpc__frames_broken(engine, H2_STREAM_CLOSED, "DATA: stream was ended");
    if (stream && !stream->is_closing && !engine->settings.is_server && !stream->has_head)
        return pgrpc__frames_broken(engine, H2_PROTOCOL_ERROR, "DATA: no head came before");
    if ((int64_t)head->len > engine->receive_window)
        return pgrpc__frames_broken(engine, H2_FLOW_CONTROL_ERROR, "DATA: beyond the window");
    engine->receive_window -= (int64_t)head->len;
    if (!stream || stream->is_closing)
        return ignore_data(engine, head->len);
    if ((head->flags & FRAME_FLAG_PADDED) && head->len == 0)
        return pgrpc__frames_broken(engine, H2_FRAME_SIZE_ERROR, "DATA: no room for padding");
    /* Frames without payload need no window, even below zero (RFC 9113 section 6.9.1). */
    if (head->len > 0 && (int64_t)head->len > stream->receive_window) {
        error = pgrpc__frames_violated(engine, stream, H2_FLOW_CONTROL_ERROR);
        return error ? error : ignore_data(engine, head->len);
    }
    stream->receive_window -= (int64_t)head->len;
    if (head->flags & FRAME_FLAG_PADDED) {
        input->phase = INPUT_SMALL;
        input->wanted = 1;
        return 0;
    }
    return data_starts(engine, stream, head->len);
}

static int data_prefix(struct h2_engine *engine)
{
    struct frame_input *input = &engine->input;
    struct engine_stream *stream = pgrpc__frames_find(engine, input->head.id);

    input->pad = input->bytes[0];
    if (input->pad > input->left)
        return pgrpc__frames_broken(engine, H2_PROTOCOL_ERROR, "DATA: invalid padding");
    if (!stream || stream->is_closing)
        return ignore_data(engine, input->head.len);
    return data_starts(engine, stream, input->left - input->pad);
}

static int data_piece(struct h2_engine *engine, const uint8_t *data, size_t len)
{
    struct engine_stream *stream = pgrpc__frames_find(engine, engine->input.head.id);

    if (!stream || stream->is_closing)
        return pgrpc__frames_credit_connection(engine, len);
    engine->events->on_data(engine->owner, stream->id, stream->user, data, len, len);
    return engine->is_final ? -EPROTO : 0;
}

static int data_end(struct h2_engine *engine)
{
    const struct frame_head *head = &engine->input.head;
    struct engine_stream *stream = pgrpc__frames_find(engine, head->id);

    if (!(head->flags & FRAME_FLAG_END_STREAM) || !stream || stream->is_closing)
        return 0;
    bool is_short = stream->content_length != LENGTH_UNKNOWN &&
                    stream->content_length != stream->received_bytes;
    if (is_short || !stream->has_message)
        return pgrpc__frames_violated(engine, stream, H2_PROTOCOL_ERROR);
    stream->remote_ended = true;
    engine->events->on_end_stream(engine->owner, stream->user);
    pgrpc__frames_close_if_done(engine, stream);
    return engine->is_final ? -EPROTO : 0;
}

/* --- frames ----------------------------------------------------------------------------------- */

/* Order of frames, whatever their contents. */
static int check_order(struct h2_engine *engine, const struct frame_head *head)
{
    if (engine->settings.is_server && pgrpc__stream_ids_is_after_end(&engine->ids, head))
        return pgrpc__frames_give_up(engine, H2_STREAM_CLOSED, "the stream was ended before");
    if (head->len > FRAME_BYTES)
        return pgrpc__frames_broken(engine, H2_FRAME_SIZE_ERROR, "the frame is too large");
    if (!engine->has_peer_settings &&
        (head->type != FRAME_SETTINGS || (head->flags & FRAME_FLAG_ACK)))
        return pgrpc__frames_broken(engine, H2_PROTOCOL_ERROR, "SETTINGS expected");
    if (engine->block.is_open && (head->type != FRAME_CONTINUATION || head->id != engine->block.id))
        return pgrpc__frames_broken(engine, H2_PROTOCOL_ERROR, "CONTINUATION expected");
    return 0;
}

static int frame_begins(struct h2_engine *engine)
{
    struct frame_input *input = &engine->input;
    struct frame_head *head = &input->head;

    input->left = head->len;
    input->pad = 0;
    input->have = 0;
    engine->events->on_frame(engine->owner, false, head->type, head->flags, head->id, head->len);
    if (engine->is_final)
        return -EPROTO;
    int error = check_order(engine, head);
    if (error)
        return error;
    switch (head->type) {
    case FRAME_DATA:
        return data_begin(engine);
    case FRAME_HEADERS:
        return pgrpc__frames_headers_begin(engine);
    case FRAME_CONTINUATION:
        return pgrpc__frames_continuation_begin(engine);
    default:
        return pgrpc__frames_control_begin(engine);
    }
}

/* The payload's beginning, or all of it, is in |bytes|. */
static int small_complete(struct h2_engine *engine)
{
    switch (engine->input.head.type) {
    case FRAME_DATA:
        return data_prefix(engine);
    case FRAME_HEADERS:
        return pgrpc__frames_headers_prefix(engine);
    default:
        engine->input.phase = INPUT_SKIP;
        return 0;
    }
}

static int frame_ends(struct h2_engine *engine)
{
    engine->input.phase = INPUT_HEAD;
    switch (engine->input.head.type) {
    case FRAME_DATA:
        return data_end(engine);
    case FRAME_HEADERS:
    case FRAME_CONTINUATION:
        return pgrpc__frames_block_end(engine);
    default:
        return pgrpc__frames_control_end(engine);
    }
}

/* Gathers up to |wanted| bytes. Returns how many were taken. */
static size_t gather(struct frame_input *input, const uint8_t *data, size_t len)
{
    size_t take = input->wanted - input->have;
    if (take > len)
        take = len;
    memcpy(input->bytes + input->have, data, take);
    input->have += (unsigned)take;
    return take;
}

/* The bytes of a frame's head. Returns how many were taken, or an error. */
static ssize_t receive_head(struct h2_engine *engine, const uint8_t *data, size_t len)
{
    struct frame_input *input = &engine->input;
    size_t used = FRAME_HEADER_LEN;
    int error;

    if (input->have == 0 && len >= FRAME_HEADER_LEN) {
        pgrpc__frame_head_parse(data, &input->head);
    } else {
        input->wanted = FRAME_HEADER_LEN;
        used = gather(input, data, len);
        if (input->have < FRAME_HEADER_LEN)
            return (ssize_t)used;
        pgrpc__frame_head_parse(input->bytes, &input->head);
    }
    error = frame_begins(engine);
    return error ? error : (ssize_t)used;
}

/* Some of a payload. Returns how many bytes were taken, or an error. */
static ssize_t receive_payload(struct h2_engine *engine, const uint8_t *data, size_t len)
{
    struct frame_input *input = &engine->input;
    size_t counts = input->left > input->pad ? input->left - input->pad : 0; /* no padding */
    int error = 0;

    if (len > input->left)
        len = input->left;
    if (input->phase == INPUT_SMALL) {
        len = gather(input, data, len);
        input->left -= len;
        if (input->have == input->wanted)
            error = small_complete(engine);
        return error ? error : (ssize_t)len;
    }
    if ((input->phase == INPUT_DATA || input->phase == INPUT_BLOCK) && counts > 0) {
        if (len > counts)
            len = counts;
        error = input->phase == INPUT_DATA ? data_piece(engine, data, len)
                                           : pgrpc__frames_block_piece(engine, data, len);
    }
    input->left -= len;
    return error ? error : (ssize_t)len;
}

/* Passes the client's magic. Returns how many bytes were taken, or an error. */
static ssize_t receive_preface(struct h2_engine *engine, const uint8_t *data, size_t len)
{
    size_t take = len < engine->preface_left ? len : engine->preface_left;

    if (memcmp(data, preface + PREFACE_LEN - engine->preface_left, take) != 0)
        return pgrpc__frames_give_up(engine, H2_PROTOCOL_ERROR, "the client does not speak HTTP/2");
    engine->preface_left -= (unsigned)take;
    return (ssize_t)take;
}

int pgrpc__frames_receive(struct h2_engine *engine, const uint8_t *data, size_t len)
{
    struct frame_input *input = &engine->input;

    if (engine->is_final)
        return -EPROTO;
    if (len > 0 && engine->preface_left > 0) {
        ssize_t used = receive_preface(engine, data, len);
        if (used < 0)
            return (int)used;
        data += used;
        len -= (size_t)used;
    }
    while (len > 0) {
        ssize_t used = input->phase == INPUT_HEAD ? receive_head(engine, data, len)
                                                  : receive_payload(engine, data, len);
        if (used < 0)
            return (int)used;
        data += used;
        len -= (size_t)used;
        if (input->phase != INPUT_HEAD && input->left == 0) {
            int error = frame_ends(engine);
            input->have = 0;
            if (error)
                return error;
        }
    }
    return 0;
}
