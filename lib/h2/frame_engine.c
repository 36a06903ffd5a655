#include "h2/frame_engine.h"

#include <errno.h>
#include <string.h>

/* --- life ------------------------------------------------------------------------------------- */

static void put_setting(uint8_t *payload, size_t *len, unsigned id, uint32_t value)
{
    payload[*len] = (uint8_t)(id >> 8);
    payload[*len + 1] = (uint8_t)id;
    pgrpc__frames_store(payload + *len + 2, value);
    *len += SETTING_LEN;
}

/* What we say first. */
static int greet(struct h2_engine *engine)
{
    const struct h2_settings *settings = &engine->settings;
    uint8_t payload[3 * SETTING_LEN], increment[4];
    size_t len = 0;

    if (settings->is_server)
        put_setting(payload, &len, 3, settings->max_concurrent_streams);
    else
        put_setting(payload, &len, 2, 0); /* no push */
    put_setting(payload, &len, 4, settings->stream_window);
    put_setting(payload, &len, 6, settings->max_header_bytes);
    if (pgrpc__frames_add_frame(engine, &engine->urgent, FRAME_SETTINGS, 0, 0, payload, len) < 0)
        return -ENOMEM;
    if (settings->connection_window <= DEFAULT_WINDOW) {
        engine->credit_withheld = DEFAULT_WINDOW - settings->connection_window;
        return 0;
    }
    pgrpc__frames_store(increment, settings->connection_window - DEFAULT_WINDOW);
    engine->receive_window = settings->connection_window;
    return pgrpc__frames_add_frame(engine, &engine->urgent, FRAME_WINDOW_UPDATE, 0, 0, increment,
                                   sizeof(increment));
}

static void destroy(struct h2_engine *engine)
{
    if (!engine)
        return;
    pgrpc__frames_remove_all(engine);
    pgrpc__memo_table_clear(&engine->memos, engine->mem);
    pgrpc__template_table_clear(&engine->templates, engine->mem);
    pgrpc__head_block_clear(&engine->block.fields);
    pgrpc__mem_free(engine->mem, engine->urgent.data);
    pgrpc__mem_free(engine->mem, engine->regular.data);
    pgrpc__hpack_free(engine->hpack);
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
    engine->places = engine->own_places;
    engine->place_cap = PLACES_MIN;
    list_init(&engine->heads);
    list_init(&engine->ready);
    list_init(&engine->blocked);
    pgrpc__head_block_init(&engine->block.fields, mem);
    engine->preface_left = settings->is_server ? PREFACE_LEN : 0;
    engine->preface_due = !settings->is_server;
    engine->next_id = 1;
    engine->peer_last_id = INT32_MAX;
    engine->said_last_id = INT32_MAX;
    engine->send_window = DEFAULT_WINDOW;
    engine->receive_window = DEFAULT_WINDOW;
    engine->peer_window = DEFAULT_WINDOW;
    engine->own_window = DEFAULT_WINDOW;
    engine->peer_max_streams = ASSUMED_STREAMS;
    engine->peer_max_header_bytes = UINT32_MAX;
    if (pgrpc__hpack_new(mem, &engine->hpack) < 0 || greet(engine) < 0) {
        destroy(engine);
        return -ENOMEM;
    }
    *made = engine;
    return 0;
}

/* --- questions -------------------------------------------------------------------------------- */

static bool wants_output(struct h2_engine *engine)
{
    return pgrpc__frames_wants_output(engine);
}

static size_t queued_frames(struct h2_engine *engine)
{
    return engine->induced_count;
}

static bool is_in_head(struct h2_engine *engine)
{
    const struct frame_input *input = &engine->input;
    return engine->block.is_open ||
           (input->phase != INPUT_HEAD &&
            (input->head.type == FRAME_HEADERS || input->head.type == FRAME_CONTINUATION));
}

static const char *failure_text(struct h2_engine *engine)
{
    return engine->failure;
}

static size_t streams_available(struct h2_engine *engine)
{
    if (engine->is_final || engine->peer_max_streams <= engine->stream_count)
        return 0;
    return engine->peer_max_streams - engine->stream_count;
}

static size_t stream_window_left(struct h2_engine *engine, int32_t id)
{
    const struct engine_stream *stream = pgrpc__frames_find(engine, id);
    return stream && stream->receive_window > 0 ? (size_t)stream->receive_window : 0;
}

/* --- streams ---------------------------------------------------------------------------------- */

bool pgrpc__frames_is_too_large(const struct h2_engine *engine, const struct header_field *fields,
                                size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += fields[i].name_len + fields[i].value_len + 32;
    return size > engine->peer_max_header_bytes || size > MAX_HEAD_SENT;
}

/* 0, -ENOMEM, -EMSGSIZE. */
static int take_head(struct h2_engine *engine, const struct header_field *fields, size_t count,
                     struct head_template **head)
{
    if (pgrpc__frames_is_too_large(engine, fields, count))
        return -EMSGSIZE;
    *head = pgrpc__template_get(&engine->templates, engine->mem, fields, count);
    return *head ? 0 : -ENOMEM;
}

static void submit_head(struct h2_engine *engine, struct engine_stream *stream,
                        struct head_template *head, bool end_stream)
{
    stream->head = head;
    engine->head_count++;
    stream->head_ends = end_stream;
    stream->has_body = !end_stream;
    pgrpc__frames_list(&engine->heads, stream);
}

static int open_stream(struct h2_engine *engine, struct h2_stream *user,
                       const struct header_field *fields, size_t count, bool end_stream,
                       int32_t *id)
{
    struct head_template *head;
    int error = take_head(engine, fields, count, &head);
    if (error)
        return error;
    struct engine_stream *stream = pgrpc__frames_add(engine, engine->next_id);
    if (!stream) {
        pgrpc__template_unref(head, engine->mem);
        return -ENOMEM;
    }
    engine->next_id += 2;
    stream->user = user;
    submit_head(engine, stream, head, end_stream);
    *id = stream->id;
    return 0;
}

static void accept_stream(struct h2_engine *engine, int32_t id, struct h2_stream *user)
{
    struct engine_stream *stream = pgrpc__frames_find(engine, id);
    if (stream)
        stream->user = user;
}

static void forget(struct h2_engine *engine, int32_t id)
{
    accept_stream(engine, id, NULL);
}

static int respond(struct h2_engine *engine, int32_t id, const struct header_field *fields,
                   size_t count, bool end_stream)
{
    struct engine_stream *stream = pgrpc__frames_find(engine, id);
    struct head_template *head;

    int error = take_head(engine, fields, count, &head);
    if (error)
        return error;
    if (stream && !stream->is_closing && !stream->local_ended && !stream->head)
        submit_head(engine, stream, head, end_stream);
    else
        pgrpc__template_unref(head, engine->mem);
    return 0;
}

static int resume(struct h2_engine *engine, int32_t id)
{
    struct engine_stream *stream = pgrpc__frames_find(engine, id);
    /* One that waits for its head comes by itself. */
    if (stream && stream->has_body && !stream->head)
        pgrpc__frames_list(&engine->ready, stream);
    return 0;
}

static int reset(struct h2_engine *engine, int32_t id, uint32_t code)
{
    struct engine_stream *stream = pgrpc__frames_find(engine, id);

    if (!stream)
        return 0;
    if (!engine->settings.is_server && stream->head) {
        pgrpc__frames_remove(engine, stream); /* nothing of it was said */
        return 0;
    }
    return pgrpc__frames_reset(engine, stream, code);
}

/* --- windows, connection ---------------------------------------------------------------------- */

static int credit_stream(struct h2_engine *engine, int32_t id, size_t len)
{
    struct engine_stream *stream = pgrpc__frames_find(engine, id);
    return stream ? pgrpc__frames_credit_stream(engine, stream, len) : 0;
}

static int ping(struct h2_engine *engine, const uint8_t payload[8])
{
    return pgrpc__frames_add_frame(engine, &engine->urgent, FRAME_PING, 0, 0, payload, 8);
}

static int goaway_notice(struct h2_engine *engine)
{
    return pgrpc__frames_add_goaway(engine, INT32_MAX, H2_NO_ERROR, "");
}

static int goaway(struct h2_engine *engine, uint32_t code, const char *debug, bool is_final)
{
    if (engine->is_final)
        return 0;
    engine->is_final = is_final;
    engine->final_code = code;
    return pgrpc__frames_add_goaway(engine, engine->last_taken_id, code, debug);
}

const struct h2_engine_ops pgrpc__h2_frame_engine = {
    .name = "frames",
    .create = create,
    .destroy = destroy,
    .receive = pgrpc__frames_receive,
    .output = pgrpc__frames_output,
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
    .credit_connection = pgrpc__frames_credit_connection,
    .stream_window_left = stream_window_left,
    .ping = ping,
    .goaway_notice = goaway_notice,
    .goaway = goaway,
};
