#include "h2/frame_engine.h"

#include <errno.h>

/* RFC 9113 section 6.5.2, RFC 8441 section 3, RFC 9218 section 2.1 */
enum setting {
    SETTING_HEADER_TABLE_SIZE = 1,
    SETTING_ENABLE_PUSH = 2,
    SETTING_MAX_CONCURRENT_STREAMS = 3,
    SETTING_INITIAL_WINDOW_SIZE = 4,
    SETTING_MAX_FRAME_SIZE = 5,
    SETTING_MAX_HEADER_LIST_SIZE = 6,
    SETTING_ENABLE_CONNECT_PROTOCOL = 8,
    SETTING_NO_RFC7540_PRIORITIES = 9
};

enum { MAX_FRAME_SIZE_MAX = 0xffffff, GOAWAY_LEN = 8 };

/* --- begin ------------------------------------------------------------------------------------ */

/* Gathers up to |wanted| bytes of the payload; the rest is passed. */
static int gather(struct h2_engine *engine, size_t wanted)
{
    struct frame_input *input = &engine->input;
    input->wanted = (unsigned)(wanted < input->head.len ? wanted : input->head.len);
    input->phase = input->wanted > 0 ? INPUT_SMALL : INPUT_SKIP;
    return 0;
}

static int exact(struct h2_engine *engine, size_t len, const char *text)
{
    if (engine->input.head.len != len)
        return pgrpc__frames_broken(engine, H2_FRAME_SIZE_ERROR, text);
    return gather(engine, len);
}

static int settings_begin(struct h2_engine *engine)
{
    const struct frame_head *head = &engine->input.head;

    if (head->id != 0)
        return pgrpc__frames_broken(engine, H2_PROTOCOL_ERROR, "SETTINGS: on a stream");
    if (head->len % SETTING_LEN != 0 || ((head->flags & FRAME_FLAG_ACK) && head->len > 0))
        return pgrpc__frames_broken(engine, H2_FRAME_SIZE_ERROR, "SETTINGS: wrong length");
    if ((head->flags & FRAME_FLAG_ACK) && engine->are_settings_acked)
        return pgrpc__frames_broken(engine, H2_PROTOCOL_ERROR, "SETTINGS: unexpected ACK");
    if (head->len > GATHER_BYTES)
        return pgrpc__frames_give_up(engine, H2_ENHANCE_YOUR_CALM, "too many settings");
    return gather(engine, head->len);
}

int pgrpc__frames_control_begin(struct h2_engine *engine)
{
    const struct frame_head *head = &engine->input.head;

    switch (head->type) {
    case FRAME_PRIORITY:
        if (head->id == 0)
            return pgrpc__frames_broken(engine, H2_PROTOCOL_ERROR, "PRIORITY: stream 0");
        return exact(engine, 5, "PRIORITY: wrong length");
    case FRAME_RST_STREAM:
        if (head->id == 0)
            return pgrpc__frames_broken(engine, H2_PROTOCOL_ERROR, "RST_STREAM: stream 0");
        if (pgrpc__frames_is_idle(engine, head->id))
            return pgrpc__frames_broken(engine, H2_PROTOCOL_ERROR, "RST_STREAM: stream is idle");
        return exact(engine, 4, "RST_STREAM: wrong length");
    case FRAME_SETTINGS:
        return settings_begin(engine);
    case FRAME_PUSH_PROMISE:
        return pgrpc__frames_broken(engine, H2_PROTOCOL_ERROR, "PUSH_PROMISE: push disabled");
    case FRAME_PING:
        if (head->id != 0)
            return pgrpc__frames_broken(engine, H2_PROTOCOL_ERROR, "PING: on a stream");
        return exact(engine, 8, "PING: wrong length");
    case FRAME_GOAWAY:
        if (head->id != 0)
            return pgrpc__frames_broken(engine, H2_PROTOCOL_ERROR, "GOAWAY: on a stream");
        if (head->len < GOAWAY_LEN)
            return pgrpc__frames_broken(engine, H2_FRAME_SIZE_ERROR, "GOAWAY: wrong length");
        return gather(engine, GATHER_BYTES);
    case FRAME_WINDOW_UPDATE:
        if (head->id != 0 && pgrpc__frames_is_idle(engine, head->id))
            return pgrpc__frames_broken(engine, H2_PROTOCOL_ERROR, "WINDOW_UPDATE: stream is idle");
        return exact(engine, 4, "WINDOW_UPDATE: wrong length");
    default:
        engine->input.phase = INPUT_SKIP;
        return 0;
    }
}

/* --- SETTINGS --------------------------------------------------------------------------------- */

static int set_window(struct h2_engine *engine, uint32_t window)
{
    int64_t delta = (int64_t)window - (int64_t)engine->peer_window;

    if (window > INT32_MAX)
        return pgrpc__frames_broken(engine, H2_FLOW_CONTROL_ERROR,
                                    "SETTINGS: the window is too large");
    engine->peer_window = window;
    if (!pgrpc__frames_move_windows(engine, delta, 0))
        return pgrpc__frames_broken(engine, H2_FLOW_CONTROL_ERROR,
                                    "SETTINGS: a stream's window overflows");
    if (delta > 0)
        pgrpc__frames_unblock_all(engine);
    return 0;
}

static int apply(struct h2_engine *engine, unsigned id, uint32_t value)
{
    bool is_valid = true;

    switch (id) {
    case SETTING_HEADER_TABLE_SIZE:
        return pgrpc__hpack_set_encoder_table(engine->hpack, value);
    case SETTING_ENABLE_PUSH:
        is_valid = value == 0 || (value == 1 && engine->settings.is_server);
        break;
    case SETTING_MAX_CONCURRENT_STREAMS:
        engine->peer_max_streams = value;
        break;
    case SETTING_INITIAL_WINDOW_SIZE:
        return set_window(engine, value);
    case SETTING_MAX_FRAME_SIZE: /* we send no larger ones than every peer takes */
        is_valid = value >= FRAME_BYTES && value <= MAX_FRAME_SIZE_MAX;
        break;
    case SETTING_MAX_HEADER_LIST_SIZE:
        engine->peer_max_header_bytes = value;
        break;
    case SETTING_ENABLE_CONNECT_PROTOCOL:
    case SETTING_NO_RFC7540_PRIORITIES:
        is_valid = value <= 1;
        break;
    default:
        break;
    }
    return is_valid ? 0
                    : pgrpc__frames_broken(engine, H2_PROTOCOL_ERROR, "SETTINGS: invalid value");
}

static int settings_acked(struct h2_engine *engine)
{
    int64_t window = engine->settings.stream_window;

    engine->are_settings_acked = true;
    pgrpc__frames_move_windows(engine, 0, window - engine->own_window);
    engine->own_window = window;
    if (pgrpc__frames_announce_credit(engine) < 0)
        return -ENOMEM;
    engine->events->on_settings_acked(engine->owner);
    return 0;
}

static int settings_end(struct h2_engine *engine)
{
    const struct frame_input *input = &engine->input;

    if (input->head.flags & FRAME_FLAG_ACK)
        return settings_acked(engine);
    if (!engine->has_peer_settings) {
        engine->has_peer_settings = true;
        engine->peer_max_streams = UINT32_MAX;
    }
    for (unsigned at = 0; at < input->have; at += SETTING_LEN) {
        const uint8_t *entry = input->bytes + at;
        unsigned id = (unsigned)entry[0] << 8 | entry[1];
        int error = apply(engine, id, pgrpc__frames_load(entry + 2));
        if (error)
            return error;
    }
    if (pgrpc__frames_add_frame(engine, &engine->urgent, FRAME_SETTINGS, FRAME_FLAG_ACK, 0, NULL,
                                0) < 0)
        return -ENOMEM;
    engine->induced_count++;
    engine->events->on_settings(engine->owner);
    return 0;
}

/* --- the others ------------------------------------------------------------------------------- */

static int ping_end(struct h2_engine *engine)
{
    const struct frame_input *input = &engine->input;
    bool is_ack = (input->head.flags & FRAME_FLAG_ACK) != 0;

    if (!is_ack) {
        if (pgrpc__frames_add_frame(engine, &engine->urgent, FRAME_PING, FRAME_FLAG_ACK, 0,
                                    input->bytes, 8) < 0)
            return -ENOMEM;
        engine->induced_count++;
    }
    engine->events->on_ping(engine->owner, is_ack, input->bytes);
    return 0;
}

static int goaway_end(struct h2_engine *engine)
{
    const struct frame_input *input = &engine->input;
    int32_t last_id = (int32_t)(pgrpc__frames_load(input->bytes) & INT32_MAX);
    bool is_ours = last_id == 0 || (last_id & 1);

    /* A client names pushed streams, which there are none of: whatever it says is right. */
    if (!engine->settings.is_server && (!is_ours || last_id > engine->peer_last_id))
        return pgrpc__frames_broken(engine, H2_PROTOCOL_ERROR, "GOAWAY: invalid last_stream_id");
    engine->peer_last_id = last_id;
    engine->events->on_goaway(engine->owner, last_id, pgrpc__frames_load(input->bytes + 4),
                              input->bytes + GOAWAY_LEN, input->have - GOAWAY_LEN);
    /* What was not sent yet must not be any more. */
    if (!engine->settings.is_server)
        pgrpc__frames_close_above(engine,
                                  last_id < engine->last_sent_id ? last_id : engine->last_sent_id);
    return 0;
}

static int rst_end(struct h2_engine *engine)
{
    int32_t id = engine->input.head.id;
    uint32_t code = pgrpc__frames_load(engine->input.bytes);
    struct engine_stream *stream = pgrpc__frames_find(engine, id);

    if (!stream)
        return 0;
    engine->events->on_reset(engine->owner, id, stream->user, code);
    pgrpc__frames_close(engine, stream, code);
    return 0;
}

static int window_update_end(struct h2_engine *engine)
{
    int32_t id = engine->input.head.id;
    int64_t increment = pgrpc__frames_load(engine->input.bytes) & INT32_MAX;
    struct engine_stream *stream = id ? pgrpc__frames_find(engine, id) : NULL;

    if (id != 0 && !stream)
        return 0;
    if (increment == 0)
        return pgrpc__frames_broken(engine, H2_PROTOCOL_ERROR, "WINDOW_UPDATE: of nothing");
    if (id == 0) {
        if (engine->send_window + increment > INT32_MAX)
            return pgrpc__frames_broken(engine, H2_FLOW_CONTROL_ERROR, "");
        bool was_closed = engine->send_window <= 0;
        engine->send_window += increment;
        if (was_closed)
            pgrpc__frames_unblock_all(engine);
        return 0;
    }
    if (stream->send_window + increment > INT32_MAX)
        return pgrpc__frames_violated(engine, stream, H2_FLOW_CONTROL_ERROR);
    stream->send_window += increment;
    pgrpc__frames_unblock(engine, stream);
    return 0;
}

static int priority_end(struct h2_engine *engine)
{
    const struct frame_input *input = &engine->input;
    if ((int32_t)(pgrpc__frames_load(input->bytes) & INT32_MAX) == input->head.id)
        return pgrpc__frames_broken(engine, H2_PROTOCOL_ERROR, "PRIORITY: depends on itself");
    return 0;
}

int pgrpc__frames_control_end(struct h2_engine *engine)
{
    int error = 0;

    switch (engine->input.head.type) {
    case FRAME_PRIORITY:
        error = priority_end(engine);
        break;
    case FRAME_RST_STREAM:
        error = rst_end(engine);
        break;
    case FRAME_SETTINGS:
        error = settings_end(engine);
        break;
    case FRAME_PING:
        error = ping_end(engine);
        break;
    case FRAME_GOAWAY:
        error = goaway_end(engine);
        break;
    case FRAME_WINDOW_UPDATE:
        error = window_update_end(engine);
        break;
    default:
        break;
    }
    return !error && engine->is_final ? -EPROTO : error;
}
