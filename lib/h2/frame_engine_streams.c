#include "h2/frame_engine.h"

/* --- the table -------------------------------------------------------------------------------- */

/* Ids go up by two. */
static struct engine_stream **bucket_of(struct h2_engine *engine, int32_t id)
{
    return &engine->buckets[(uint32_t)id / 2 & (engine->bucket_count - 1)];
}

struct engine_stream *pgrpc__frames_find(struct h2_engine *engine, int32_t id)
{
    struct engine_stream *stream = engine->found;
    if (stream && stream->id == id)
        return stream;
    for (stream = *bucket_of(engine, id); stream; stream = stream->next) {
        if (stream->id == id) {
            engine->found = stream;
            return stream;
        }
    }
    return NULL;
}

/* Longer chains are all that comes of a failure. */
static void grow(struct h2_engine *engine)
{
    struct engine_stream **old = engine->buckets;
    size_t old_count = engine->bucket_count;
    struct engine_stream **buckets =
        pgrpc__mem_calloc(engine->mem, 2 * old_count, sizeof(*buckets));
    if (!buckets)
        return;
    engine->buckets = buckets;
    engine->bucket_count = 2 * old_count;
    for (size_t i = 0; i < old_count; i++) {
        while (old[i]) {
            struct engine_stream *stream = old[i];
            struct engine_stream **bucket = bucket_of(engine, stream->id);
            old[i] = stream->next;
            stream->next = *bucket;
            *bucket = stream;
        }
    }
    if (old != engine->own_buckets)
        pgrpc__mem_free(engine->mem, old);
}

struct engine_stream *pgrpc__frames_add(struct h2_engine *engine, int32_t id)
{
    struct engine_stream *stream = pgrpc__mem_calloc(engine->mem, 1, sizeof(*stream));
    if (!stream)
        return NULL;
    if (engine->stream_count >= 2 * engine->bucket_count)
        grow(engine);
    stream->id = id;
    stream->send_window = engine->peer_window;
    stream->receive_window = engine->own_window;
    stream->content_length = LENGTH_UNKNOWN;
    struct engine_stream **bucket = bucket_of(engine, id);
    stream->next = *bucket;
    *bucket = stream;
    engine->stream_count++;
    engine->found = stream;
    return stream;
}

void pgrpc__frames_list(struct list *list, struct engine_stream *stream)
{
    if (!list_is_linked(&stream->node))
        list_add_tail(list, &stream->node);
}

static void release(struct h2_engine *engine, struct engine_stream *stream)
{
    if (engine->found == stream)
        engine->found = NULL;
    list_remove(&stream->node);
    list_remove(&stream->blocked);
    pgrpc__template_unref(pgrpc__frames_take_head(engine, stream), engine->mem);
    pgrpc__mem_free(engine->mem, stream);
    engine->stream_count--;
}

void pgrpc__frames_remove(struct h2_engine *engine, struct engine_stream *stream)
{
    struct engine_stream **at = bucket_of(engine, stream->id);
    while (*at != stream)
        at = &(*at)->next;
    *at = stream->next;
    release(engine, stream);
}

void pgrpc__frames_remove_all(struct h2_engine *engine)
{
    for (size_t i = 0; i < engine->bucket_count; i++) {
        while (engine->buckets[i]) {
            struct engine_stream *stream = engine->buckets[i];
            engine->buckets[i] = stream->next;
            release(engine, stream);
        }
    }
    if (engine->buckets != engine->own_buckets)
        pgrpc__mem_free(engine->mem, engine->buckets);
}

/* --- ends ------------------------------------------------------------------------------------- */

void pgrpc__frames_close(struct h2_engine *engine, struct engine_stream *stream, uint32_t code)
{
    int32_t id = stream->id;
    struct h2_stream *user = stream->user;
    pgrpc__frames_remove(engine, stream);
    engine->events->on_stream_closed(engine->owner, id, user, code);
}

void pgrpc__frames_close_if_done(struct h2_engine *engine, struct engine_stream *stream)
{
    if (stream->local_ended && stream->remote_ended && !stream->is_closing)
        pgrpc__frames_close(engine, stream, H2_NO_ERROR);
}

void pgrpc__frames_close_above(struct h2_engine *engine, int32_t last_id)
{
    for (size_t i = 0; i < engine->bucket_count; i++) {
        struct engine_stream *stream = engine->buckets[i];
        while (stream) {
            if (stream->id > last_id) {
                pgrpc__frames_close(engine, stream, H2_REFUSED_STREAM);
                stream = engine->buckets[i]; /* its owner may have removed others */
            } else {
                stream = stream->next;
            }
        }
    }
}

/* --- windows ---------------------------------------------------------------------------------- */

void pgrpc__frames_unblock(struct h2_engine *engine, struct engine_stream *stream)
{
    if (!list_is_linked(&stream->blocked) || stream->send_window <= 0 || engine->send_window <= 0)
        return;
    list_remove(&stream->blocked);
    list_remove(&stream->node);
    pgrpc__frames_list(&engine->ready, stream);
}

void pgrpc__frames_unblock_all(struct h2_engine *engine)
{
    struct list *node = engine->blocked.next;
    while (node != &engine->blocked) {
        struct engine_stream *stream = CONTAINER_OF(node, struct engine_stream, blocked);
        node = node->next;
        pgrpc__frames_unblock(engine, stream);
    }
}

bool pgrpc__frames_move_windows(struct h2_engine *engine, int64_t send, int64_t receive)
{
    bool fits = true;
    for (size_t i = 0; i < engine->bucket_count; i++) {
        for (struct engine_stream *stream = engine->buckets[i]; stream; stream = stream->next) {
            stream->send_window += send;
            stream->receive_window += receive;
            fits = fits && stream->send_window <= INT32_MAX;
        }
    }
    return fits;
}

int pgrpc__frames_announce_credit(struct h2_engine *engine)
{
    int error = 0;
    for (size_t i = 0; i < engine->bucket_count && !error; i++) {
        struct engine_stream *stream = engine->buckets[i];
        for (; stream && !error; stream = stream->next)
            error = pgrpc__frames_credit_stream(engine, stream, 0);
    }
    return error;
}
