#include "fake_engine.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "h2/frame_head.h"
#include "rawframe.h"

enum { STREAMS_MAX = 32, FIELDS_MAX = 32, FLAG_END = 1, FLAG_HEAD = 2, DATA_MAX = 1000 };

int32_t fake_engine_first_id = 1;

struct fake_stream {
    int32_t id; /* 0: free */
    struct h2_stream *stream;
    size_t send_window;
    size_t receive_window;
    size_t credit; /* not yet announced */
    bool is_responding;
    bool waits; /* measured nothing */
    bool local_ended;
    bool remote_ended;
};

struct h2_engine {
    struct mem *mem;
    struct h2_settings settings;
    const struct h2_engine_events *events;
    void *owner;
    struct fake_stream streams[STREAMS_MAX];
    struct raw input;
    struct raw control; /* frames to be sent before data */
    size_t control_count;
    size_t peer_streams;
    size_t open_count;
    size_t send_window;
    size_t credit;
    int32_t next_id;
    int32_t last_id;
    bool ignores_requests;
    bool is_final;
};

/* --- frames ---------------------------------------------------------------------------------- */

static uint32_t get_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void put_u32(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void frame_head(uint8_t head[12], uint8_t type, int32_t id, size_t len)
{
    put_u32(head, type);
    put_u32(head + 4, (uint32_t)id);
    put_u32(head + 8, (uint32_t)len);
}

static void send(struct h2_engine *engine, uint8_t type, int32_t id, const void *data, size_t len)
{
    uint8_t head[12];
    frame_head(head, type, id, len);
    raw_bytes(&engine->control, head, sizeof(head));
    raw_bytes(&engine->control, data, len);
    engine->control_count++;
}

static void send_u32(struct h2_engine *engine, uint8_t type, int32_t id, uint32_t value)
{
    uint8_t bytes[4];
    put_u32(bytes, value);
    send(engine, type, id, bytes, sizeof(bytes));
}

static void send_head(struct h2_engine *engine, int32_t id, const struct header_field *fields,
                      size_t count, uint8_t flags)
{
    struct raw text = {0};
    raw_bytes(&text, &flags, 1);
    for (size_t i = 0; i < count; i++) {
        raw_bytes(&text, fields[i].name, fields[i].name_len);
        raw_bytes(&text, "=", 1);
        raw_bytes(&text, fields[i].value, fields[i].value_len);
        raw_bytes(&text, "\n", 1);
    }
    send(engine, 'H', id, text.data, text.len);
    raw_clear(&text);
}

/* --- streams --------------------------------------------------------------------------------- */

static struct fake_stream *find(struct h2_engine *engine, int32_t id)
{
    for (int i = 0; i < STREAMS_MAX; i++) {
        if (id != 0 && engine->streams[i].id == id)
            return &engine->streams[i];
    }
    return NULL;
}

static struct fake_stream *add(struct h2_engine *engine, int32_t id)
{
    for (int i = 0; i < STREAMS_MAX; i++) {
        struct fake_stream *stream = &engine->streams[i];
        if (stream->id == 0) {
            *stream = (struct fake_stream){.id = id,
                                           .send_window = engine->settings.stream_window,
                                           .receive_window = engine->settings.stream_window};
            engine->open_count++;
            return stream;
        }
    }
    return NULL;
}

static void close_stream(struct h2_engine *engine, struct fake_stream *stream, uint32_t code)
{
    int32_t id = stream->id;
    struct h2_stream *user = stream->stream;
    stream->id = 0;
    engine->open_count--;
    engine->events->on_stream_closed(engine->owner, id, user, code);
}

static void close_if_done(struct h2_engine *engine, struct fake_stream *stream)
{
    if (stream->local_ended && stream->remote_ended)
        close_stream(engine, stream, H2_NO_ERROR);
}

/* --- received -------------------------------------------------------------------------------- */

static void got_head(struct h2_engine *engine, int32_t id, uint8_t *payload, size_t len)
{
    struct header_field fields[FIELDS_MAX];
    struct h2_head head = {fields, 0, 0};
    bool end = payload[0] & FLAG_END;
    char *at = (char *)payload + 1, *stop = (char *)payload + len;

    while (at < stop && head.count < FIELDS_MAX) {
        char *equals = memchr(at, '=', (size_t)(stop - at));
        char *line = memchr(at, '\n', (size_t)(stop - at));
        assert(equals && line && equals < line);
        fields[head.count++] = (struct header_field){at, equals + 1, (size_t)(equals - at),
                                                     (size_t)(line - equals - 1), false};
        head.size += (size_t)(line - at) + 31;
        at = line + 1;
    }
    struct fake_stream *stream = find(engine, id);
    if (!stream && engine->settings.is_server && id > engine->last_id) {
        if (engine->ignores_requests)
            return;
        engine->last_id = id;
        stream = add(engine, id);
        assert(stream);
        stream->remote_ended = end;
        engine->events->on_request(engine->owner, id, &head, end);
    } else if (stream) {
        stream->remote_ended = end;
        engine->events->on_head(engine->owner, stream->stream, &head,
                                payload[0] & FLAG_HEAD ? H2_HEAD_RESPONSE : H2_HEAD_TRAILERS, end);
        if (stream->id == id)
            close_if_done(engine, stream);
    }
}

static void got_data(struct h2_engine *engine, int32_t id, const uint8_t *payload, size_t len)
{
    struct fake_stream *stream = find(engine, id);
    if (stream) {
        assert(len <= stream->receive_window);
        stream->receive_window -= len;
    }
    /* The flags are this protocol's padding. */
    engine->events->on_data(engine->owner, id, stream ? stream->stream : NULL, payload + 1, len - 1,
                            len);
    stream = find(engine, id);
    if (stream && (payload[0] & FLAG_END)) {
        stream->remote_ended = true;
        engine->events->on_end_stream(engine->owner, stream->stream);
        if (stream->id == id)
            close_if_done(engine, stream);
    }
}

static void got_goaway(struct h2_engine *engine, const uint8_t *payload, size_t len)
{
    int32_t last_id = (int32_t)get_u32(payload);
    engine->events->on_goaway(engine->owner, last_id, get_u32(payload + 4), payload + 8, len - 8);
    for (int i = 0; i < STREAMS_MAX; i++) {
        if (engine->streams[i].id > last_id && !engine->settings.is_server)
            close_stream(engine, &engine->streams[i], H2_REFUSED_STREAM);
    }
}

static void got(struct h2_engine *engine, uint8_t type, int32_t id, uint8_t *payload, size_t len)
{
    struct fake_stream *stream = find(engine, id);
    engine->events->on_frame(engine->owner, false, type, 0, id, len);
    if (engine->is_final)
        return;
    switch (type) {
    case 'S':
        engine->peer_streams = get_u32(payload);
        engine->events->on_settings(engine->owner);
        break;
    case 'H':
        got_head(engine, id, payload, len);
        break;
    case 'D':
        got_data(engine, id, payload, len);
        break;
    case 'R':
        if (stream) {
            engine->events->on_reset(engine->owner, id, stream->stream, get_u32(payload));
            if (stream->id == id)
                close_stream(engine, stream, get_u32(payload));
        }
        break;
    case 'P':
        send(engine, 'p', 0, payload, 8);
        engine->events->on_ping(engine->owner, false, payload);
        break;
    case 'p':
        engine->events->on_ping(engine->owner, true, payload);
        break;
    case 'G':
        got_goaway(engine, payload, len);
        break;
    case 'W':
        if (stream) {
            stream->send_window += get_u32(payload);
            stream->waits = false;
        } else if (id == 0) {
            engine->send_window += get_u32(payload);
        }
        break;
    default:
        break;
    }
}

static int receive(struct h2_engine *engine, const uint8_t *data, size_t len)
{
    size_t at = 0;
    raw_bytes(&engine->input, data, len);
    while (!engine->is_final && engine->input.len - at >= 12) {
        uint8_t *bytes = engine->input.data + at;
        size_t payload = get_u32(bytes + 8);
        if (get_u32(bytes) > 255)
            return -EPROTO;
        if (engine->input.len - at - 12 < payload)
            break;
        got(engine, bytes[3], (int32_t)get_u32(bytes + 4), bytes + 12, payload);
        at += 12 + payload;
    }
    memmove(engine->input.data, engine->input.data + at, engine->input.len - at);
    engine->input.len -= at;
    return engine->is_final ? -EPROTO : 0;
}

/* --- sent ------------------------------------------------------------------------------------ */

static int send_control(struct h2_engine *engine, struct outq *outq)
{
    for (size_t at = 0; at < engine->control.len;) {
        const uint8_t *bytes = engine->control.data + at;
        struct fake_stream *stream = find(engine, (int32_t)get_u32(bytes + 4));
        size_t len = 12 + get_u32(bytes + 8);
        /* The one frame that a connection looks for has HTTP/2's name. */
        uint8_t type = bytes[3] == 'G' ? FRAME_GOAWAY : bytes[3];
        int32_t id = (int32_t)get_u32(bytes + 4);
        if (bytes[3] == 'H' && stream && stream->stream) {
            if (!engine->settings.is_server)
                engine->events->on_headers_written(engine->owner, stream->stream);
            if (bytes[12] & FLAG_END) {
                stream->local_ended = true;
                engine->events->on_end_written(engine->owner, stream->stream);
            }
        }
        if (pgrpc__outq_add_copy(outq, bytes, len) < 0)
            return -ENOMEM;
        if (stream)
            close_if_done(engine, stream);
        at += len;
        /* May add a frame. */
        engine->events->on_frame(engine->owner, true, type, 0, id, len - 12);
    }
    engine->control.len = 0;
    engine->control_count = 0;
    return 0;
}

/* One DATA frame. Returns whether there was something to do. */
static bool send_data(struct h2_engine *engine, struct fake_stream *stream, struct outq *outq,
                      int *error)
{
    struct h2_output output = {0, false, NULL, 0};
    size_t max =
        stream->send_window < engine->send_window ? stream->send_window : engine->send_window;
    if (!stream->id || !stream->stream || !stream->is_responding || stream->local_ended ||
        stream->waits)
        return false;
    if (max > DATA_MAX)
        max = DATA_MAX;
    stream->stream->events->on_measure(stream->stream, max > 1 ? max - 1 : 0, &output);
    if (output.len == 0 && !output.end) {
        stream->waits = true;
        return false;
    }
    bool ends = output.end && output.trailer_count == 0;
    if (output.len > 0 || ends) {
        uint8_t head[13];
        frame_head(head, 'D', stream->id, output.len + 1);
        head[12] = ends ? FLAG_END : 0;
        *error = pgrpc__outq_add_copy(outq, head, sizeof(head));
        if (!*error && output.len > 0)
            *error = stream->stream->events->on_output(stream->stream, output.len, outq);
        stream->send_window -= output.len + 1;
        engine->send_window -= output.len + 1;
    }
    if (output.end && !ends) {
        send_head(engine, stream->id, output.trailers, output.trailer_count, FLAG_END);
        stream->is_responding = false;
    } else if (ends) {
        stream->local_ended = true;
        engine->events->on_end_written(engine->owner, stream->stream);
        close_if_done(engine, stream);
    }
    return true;
}

static int output(struct h2_engine *engine, struct outq *outq, size_t max_bytes)
{
    int error = send_control(engine, outq);
    bool did_something = !engine->is_final;
    while (!error && did_something && outq->bytes < max_bytes) {
        did_something = false;
        for (int i = 0; i < STREAMS_MAX && !error; i++)
            did_something = send_data(engine, &engine->streams[i], outq, &error) || did_something;
        if (!error)
            error = send_control(engine, outq);
    }
    return error;
}

static bool wants_output(struct h2_engine *engine)
{
    if (engine->control.len > 0)
        return true;
    for (int i = 0; i < STREAMS_MAX; i++) {
        const struct fake_stream *stream = &engine->streams[i];
        if (stream->id && stream->is_responding && !stream->waits && !engine->is_final)
            return true;
    }
    return false;
}

/* --- the rest -------------------------------------------------------------------------------- */

static void destroy(struct h2_engine *engine)
{
    raw_clear(&engine->input);
    raw_clear(&engine->control);
    pgrpc__mem_free(engine->mem, engine);
}

static int create(struct mem *mem, const struct h2_settings *settings,
                  const struct h2_engine_events *events, void *owner, struct h2_engine **made)
{
    struct h2_engine *engine = pgrpc__mem_calloc(mem, 1, sizeof(*engine));
    if (!engine)
        return -ENOMEM;
    engine->mem = mem;
    engine->settings = *settings;
    engine->events = events;
    engine->owner = owner;
    engine->next_id = fake_engine_first_id;
    engine->peer_streams = 10;
    engine->send_window = settings->connection_window;
    send_u32(engine, 'S', 0, settings->max_concurrent_streams);
    *made = engine;
    return 0;
}

static size_t queued_frames(struct h2_engine *engine)
{
    return engine->control_count;
}

static bool is_in_head(struct h2_engine *engine)
{
    (void)engine;
    return false;
}

static const char *failure_text(struct h2_engine *engine)
{
    (void)engine;
    return "not the toy protocol";
}

static int open_stream(struct h2_engine *engine, struct h2_stream *user,
                       const struct header_field *fields, size_t count, bool end_stream,
                       int32_t *id)
{
    struct fake_stream *stream = add(engine, engine->next_id);
    assert(stream);
    engine->next_id += 2;
    stream->stream = user;
    stream->is_responding = !end_stream;
    send_head(engine, stream->id, fields, count, FLAG_HEAD | (end_stream ? FLAG_END : 0));
    *id = stream->id;
    return 0;
}

static void accept_stream(struct h2_engine *engine, int32_t id, struct h2_stream *user)
{
    find(engine, id)->stream = user;
}

static void forget(struct h2_engine *engine, int32_t id)
{
    struct fake_stream *stream = find(engine, id);
    if (stream)
        stream->stream = NULL;
}

static int respond(struct h2_engine *engine, int32_t id, const struct header_field *fields,
                   size_t count, bool end_stream)
{
    struct fake_stream *stream = find(engine, id);
    send_head(engine, id, fields, count, FLAG_HEAD | (end_stream ? FLAG_END : 0));
    stream->is_responding = !end_stream;
    return 0;
}

static int resume(struct h2_engine *engine, int32_t id)
{
    struct fake_stream *stream = find(engine, id);
    if (stream)
        stream->waits = false;
    return 0;
}

static int reset(struct h2_engine *engine, int32_t id, uint32_t code)
{
    struct fake_stream *stream = find(engine, id);
    send_u32(engine, 'R', id, code);
    if (stream) {
        stream->id = 0;
        engine->open_count--;
    }
    return 0;
}

static size_t streams_available(struct h2_engine *engine)
{
    return engine->peer_streams > engine->open_count ? engine->peer_streams - engine->open_count
                                                     : 0;
}

static int credit_stream(struct h2_engine *engine, int32_t id, size_t len)
{
    struct fake_stream *stream = find(engine, id);
    if (!stream)
        return 0;
    stream->credit += len;
    if (stream->credit >= engine->settings.stream_window / 2) {
        send_u32(engine, 'W', id, (uint32_t)stream->credit);
        stream->receive_window += stream->credit;
        stream->credit = 0;
    }
    return 0;
}

static int credit_connection(struct h2_engine *engine, size_t len)
{
    engine->credit += len;
    if (engine->credit >= engine->settings.connection_window / 2) {
        send_u32(engine, 'W', 0, (uint32_t)engine->credit);
        engine->credit = 0;
    }
    return 0;
}

static size_t stream_window_left(struct h2_engine *engine, int32_t id)
{
    struct fake_stream *stream = find(engine, id);
    return stream ? stream->receive_window : 0;
}

static int ping(struct h2_engine *engine, const uint8_t payload[8])
{
    send(engine, 'P', 0, payload, 8);
    return 0;
}

static int say_goaway(struct h2_engine *engine, int32_t last_id, uint32_t code, const char *debug)
{
    struct raw payload = {0};
    uint8_t numbers[8];
    put_u32(numbers, (uint32_t)last_id);
    put_u32(numbers + 4, code);
    raw_bytes(&payload, numbers, sizeof(numbers));
    raw_bytes(&payload, debug, strlen(debug));
    send(engine, 'G', 0, payload.data, payload.len);
    raw_clear(&payload);
    return 0;
}

static int goaway_notice(struct h2_engine *engine)
{
    return say_goaway(engine, INT32_MAX, H2_NO_ERROR, "");
}

static int goaway(struct h2_engine *engine, uint32_t code, const char *debug, bool is_final)
{
    engine->ignores_requests = true;
    engine->is_final = is_final;
    return say_goaway(engine, engine->last_id, code, debug);
}

const struct h2_engine_ops fake_engine = {
    .name = "fake",
    .create = create,
    .destroy = destroy,
    .receive = receive,
    .output = output,
    .wants_output = wants_output,
    .queued_frames = queued_frames,
    .is_in_head = is_in_head,
    .failure_text = failure_text,
    .open_stream = open_stream,
    .accept = accept_stream,
    .forget = forget,
    .respond = respond,
    .resume = resume,
    .reset = reset,
    .streams_available = streams_available,
    .credit_stream = credit_stream,
    .credit_connection = credit_connection,
    .stream_window_left = stream_window_left,
    .ping = ping,
    .goaway_notice = goaway_notice,
    .goaway = goaway,
};
