#include "h2/frame_engine.h"

#include <string.h>

/* --- the table -------------------------------------------------------------------------------- */

/* Ids only go up: who comes last stands last, and the place of an id is found by halving, whichever
 * ids the peer chooses.  A stream that is gone leaves its place empty until those behind it are
 * gone too, or there is no more room. */

/* The first place whose id is at least |id|. */
static size_t place_of(const struct h2_engine *engine, int32_t id)
{
    size_t low = 0, high = engine->place_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (engine->places[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct engine_stream *pgrpc__frames_find(struct h2_engine *engine, int32_t id)
{
    if (engine->found && engine->found->id == id)
        return engine->found;
    size_t place = place_of(engine, id);
    if (place == engine->place_count || engine->places[place].id != id ||
        !engine->places[place].stream)
        return NULL;
    engine->found = engine->places[place].stream;
    return engine->found;
}

static void close_gaps(struct h2_engine *engine)
{
    size_t count = 0;
    for (size_t i = 0; i < engine->place_count; i++) {
        if (engine->places[i].stream)
            engine->places[count++] = engine->places[i];
    }
    engine->place_count = count;
}

static void free_places(struct h2_engine *engine)
{
    if (engine->places != engine->own_places)
        pgrpc__mem_free(engine->mem, engine->places);
}

static bool make_room(struct h2_engine *engine)
{
    if (engine->place_count < engine->place_cap)
        return true;
    close_gaps(engine);
    if (engine->place_count <= engine->place_cap / 2)
        return true;
    struct stream_place *places =
        pgrpc__mem_calloc(engine->mem, 2 * engine->place_cap, sizeof(*places));
    if (!places)
        return engine->place_count < engine->place_cap;
    memcpy(places, engine->places, engine->place_count * sizeof(*places));
    free_places(engine);
    engine->places = places;
    engine->place_cap *= 2;
    return true;
}

struct engine_stream *pgrpc__frames_add(struct h2_engine *engine, int32_t id)
{
    struct engine_stream *stream = pgrpc__mem_calloc(engine->mem, 1, sizeof(*stream));
    if (!stream || !make_room(engine)) {
        pgrpc__mem_free(engine->mem, stream);
        return NULL;
    }
    stream->id = id;
    stream->send_window = engine->peer_window;
    stream->receive_window = engine->own_window;
    stream->content_length = LENGTH_UNKNOWN;
    engine->places[engine->place_count++] = (struct stream_place){stream, id};
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
    engine->places[place_of(engine, stream->id)].stream = NULL;
    while (engine->place_count > 0 && !engine->places[engine->place_count - 1].stream)
        engine->place_count--;
    release(engine, stream);
}

void pgrpc__frames_remove_all(struct h2_engine *engine)
{
    for (size_t i = 0; i < engine->place_count; i++) {
        if (engine->places[i].stream)
            release(engine, engine->places[i].stream);
    }
    free_places(engine);
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
    /* The place is looked for again: who is told may add and remove others. */
    while (last_id < INT32_MAX) {
        size_t place = place_of(engine, last_id + 1);
        while (place < engine->place_count && !engine->places[place].stream)
            place++;
        if (place == engine->place_count)
            return;
        last_id = engine->places[place].id;
        pgrpc__frames_close(engine, engine->places[place].stream, H2_REFUSED_STREAM);
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
    for (size_t i = 0; i < engine->place_count; i++) {
        struct engine_stream *stream = engine->places[i].stream;
        if (!stream)
            continue;
        stream->send_window += send;
        stream->receive_window += receive;
        fits = fits && stream->send_window <= INT32_MAX;
    }
    return fits;
}

int pgrpc__frames_announce_credit(struct h2_engine *engine)
{
    int error = 0;
    for (size_t i = 0; i < engine->place_count && !error; i++) {
        if (engine->places[i].stream)
            error = pgrpc__frames_credit_stream(engine, engine->places[i].stream, 0);
    }
    return error;
}
