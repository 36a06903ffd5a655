#include "h2/frame_engine.h"

#include <errno.h>
#include <string.h>

enum { PRIORITY_LEN = 5 };

/* --- which stream ----------------------------------------------------------------------------- */

/* Nobody wants the block: it is decoded and dropped. */
static int drop_block(struct h2_engine *engine)
{
    engine->block.is_dropped = true;
    return 0;
}

/* A request. */
static int open_request(struct h2_engine *engine, int32_t id)
{
    if (pgrpc__stream_ids_is_skipped(&engine->ids, id))
        return pgrpc__frames_give_up(engine, H2_PROTOCOL_ERROR, "HEADERS: stream was skipped");
    if (id <= engine->last_seen_id)
        return drop_block(engine);
    engine->last_seen_id = id;
    if (engine->is_goaway_written)
        return drop_block(engine);
    engine->last_taken_id = id;
    if (engine->stream_count >= engine->settings.max_concurrent_streams) {
        uint8_t code[4];
        pgrpc__frames_store(code, H2_REFUSED_STREAM);
        if (pgrpc__frames_add_frame(engine, &engine->regular, FRAME_RST_STREAM, 0, id, code, 4) < 0)
            return -ENOMEM;
        engine->induced_count++;
        drop_block(engine);
        engine->events->on_violation(engine->owner, id, NULL, H2_REFUSED_STREAM);
        return engine->is_final ? -EPROTO : 0;
    }
    engine->block.kind = H2_HEAD_REQUEST;
    return pgrpc__frames_add(engine, id) ? 0 : -ENOMEM;
}

static int choose_stream(struct h2_engine *engine, int32_t id)
{
    struct block_input *block = &engine->block;
    struct engine_stream *stream = pgrpc__frames_find(engine, id);
    bool is_server = engine->settings.is_server;

    if (!(id & 1))
        return pgrpc__frames_broken(engine, H2_PROTOCOL_ERROR, "HEADERS: invalid stream");
    if (!is_server && pgrpc__frames_is_idle(engine, id))
        return pgrpc__frames_broken(engine, H2_PROTOCOL_ERROR, "HEADERS: stream is idle");
    if (!stream)
        return is_server ? open_request(engine, id) : drop_block(engine);
    if (stream->is_closing)
        return drop_block(engine);
    if (stream->remote_ended)
        return pgrpc__frames_broken(engine, H2_STREAM_CLOSED, "HEADERS: stream was ended");
    block->kind = is_server || stream->has_message ? H2_HEAD_TRAILERS : H2_HEAD_RESPONSE;
    stream->has_head = true;
    return 0;
}

int pgrpc__frames_headers_begin(struct h2_engine *engine)
{
    struct frame_input *input = &engine->input;
    const struct frame_head *head = &input->head;
    struct block_input *block = &engine->block;
    unsigned prefix = (head->flags & FRAME_FLAG_PADDED ? 1U : 0U) +
                      (head->flags & FRAME_FLAG_PRIORITY ? (unsigned)PRIORITY_LEN : 0U);

    if (head->len < prefix)
        return pgrpc__frames_broken(engine, H2_FRAME_SIZE_ERROR, "HEADERS: too short");
    block->id = head->id;
    block->is_open = !(head->flags & FRAME_FLAG_END_HEADERS);
    block->is_dropped = false;
    block->has_begun = false;
    block->is_complete = false;
    block->memo = NULL;
    block->end_stream = (head->flags & FRAME_FLAG_END_STREAM) != 0;
    block->continuation_count = 0;
    pgrpc__head_block_clear(&block->fields);
    int error = choose_stream(engine, head->id);
    if (error)
        return error;
    if (!block->is_dropped) {
        struct engine_stream *stream = pgrpc__frames_find(engine, head->id);
        pgrpc__head_check_init(&block->check, engine->settings.is_server, block->kind,
                               stream->content_length);
    }
    input->phase = prefix > 0 ? INPUT_SMALL : INPUT_BLOCK;
    input->wanted = prefix;
    return 0;
}

int pgrpc__frames_headers_prefix(struct h2_engine *engine)
{
    struct frame_input *input = &engine->input;
    const uint8_t *at = input->bytes;

    if (input->head.flags & FRAME_FLAG_PADDED) {
        input->pad = *at++;
        if (input->pad > input->left)
            return pgrpc__frames_broken(engine, H2_PROTOCOL_ERROR, "HEADERS: invalid padding");
    }
    if ((input->head.flags & FRAME_FLAG_PRIORITY) && !engine->block.is_dropped &&
        engine->block.kind == H2_HEAD_REQUEST &&
        (int32_t)(pgrpc__frames_load(at) & INT32_MAX) == input->head.id)
        return pgrpc__frames_broken(engine, H2_PROTOCOL_ERROR, "HEADERS: depends on itself");
    input->phase = INPUT_BLOCK;
    return 0;
}

int pgrpc__frames_continuation_begin(struct h2_engine *engine)
{
    if (++engine->block.continuation_count > MAX_CONTINUATIONS)
        return pgrpc__frames_give_up(engine, H2_ENHANCE_YOUR_CALM, "too many CONTINUATION frames");
    if (!engine->block.is_open)
        return pgrpc__frames_broken(engine, H2_PROTOCOL_ERROR, "CONTINUATION: unexpected");
    engine->block.is_open = !(engine->input.head.flags & FRAME_FLAG_END_HEADERS);
    engine->input.phase = INPUT_BLOCK;
    return 0;
}

/* --- fields ----------------------------------------------------------------------------------- */

static int malformed(struct h2_engine *engine)
{
    struct engine_stream *stream = pgrpc__frames_find(engine, engine->block.id);
    engine->block.is_dropped = true;
    return stream ? pgrpc__frames_violated(engine, stream, H2_PROTOCOL_ERROR) : 0;
}

static int too_large(struct h2_engine *engine)
{
    struct engine_stream *stream = pgrpc__frames_find(engine, engine->block.id);

    engine->block.is_dropped = true;
    pgrpc__head_block_clear(&engine->block.fields);
    if (!stream || stream->is_closing)
        return 0;
    struct h2_stream *user = stream->user;
    if (pgrpc__frames_reset(engine, stream, H2_ENHANCE_YOUR_CALM) < 0)
        return -ENOMEM;
    engine->induced_count++;
    stream->user = NULL;
    engine->events->on_head_too_large(engine->owner, stream->id, user);
    return engine->is_final ? -EPROTO : 0;
}

static int on_field(void *userdata, const struct header_field *field)
{
    struct h2_engine *engine = userdata;
    struct block_input *block = &engine->block;

    if (block->is_dropped)
        return 0;
    enum head_verdict verdict = pgrpc__head_check_field(&block->check, field);
    if (verdict == HEAD_BAD)
        return malformed(engine);
    pgrpc__head_block_count(&block->fields, field->name_len, field->value_len);
    if (block->fields.size > engine->settings.max_header_bytes ||
        block->fields.seen_count > engine->settings.max_header_fields)
        return too_large(engine);
    return verdict == HEAD_DROP ? 0 : pgrpc__head_block_add(&block->fields, field);
}

static int decode(struct h2_engine *engine, const uint8_t *data, size_t len, bool is_last)
{
    int error = pgrpc__hpack_decode(engine->hpack, data, len, is_last, on_field, engine);
    return error == -EBADMSG
               ? pgrpc__frames_broken(engine, H2_COMPRESSION_ERROR, "the header block is malformed")
               : error;
}

/* A block in one piece: it may be one that was seen before. */
static int decode_whole(struct h2_engine *engine, const uint8_t *data, size_t len)
{
    struct block_input *block = &engine->block;
    struct memo_key *key = &block->key;

    pgrpc__memo_key_init(key, data, len, block->kind, engine->hpack);
    block->memo = pgrpc__memo_find(&engine->memos, key);
    if (block->memo)
        return 0;
    int error = decode(engine, data, len, true);
    if (!error && !block->is_dropped)
        pgrpc__memo_remember(&engine->memos, engine->mem, engine->hpack, key, &block->fields,
                             &block->check);
    return error;
}

int pgrpc__frames_block_piece(struct h2_engine *engine, const uint8_t *data, size_t len)
{
    const struct frame_input *input = &engine->input;
    struct block_input *block = &engine->block;
    size_t counts = input->left - input->pad;
    bool is_last = !block->is_open && len == counts;
    struct engine_stream *stream = pgrpc__frames_find(engine, block->id);

    /* Trailers are compared with a length that was given before: that is not in the block. */
    bool may_be_known = is_last && !block->has_begun && !block->is_dropped && stream &&
                        stream->content_length == LENGTH_UNKNOWN;
    block->has_begun = true;
    block->is_complete = is_last;
    return may_be_known ? decode_whole(engine, data, len) : decode(engine, data, len, is_last);
}

/* --- heads ------------------------------------------------------------------------------------ */

/* The head is complete and well-formed in itself: whether it may stand there. */
static bool fits(const struct engine_stream *stream, const struct block_input *block,
                 const struct head_check *check, bool is_informational)
{
    if ((is_informational && block->end_stream) ||
        (block->kind == H2_HEAD_TRAILERS && !block->end_stream))
        return false;
    return !block->end_stream || check->content_length == LENGTH_UNKNOWN ||
           check->content_length == stream->received_bytes;
}

static int head_complete(struct h2_engine *engine, struct engine_stream *stream)
{
    struct block_input *block = &engine->block;
    struct h2_head own = {block->fields.fields, block->fields.field_count, block->fields.size};
    const struct h2_head *head = block->memo ? &block->memo->head : &own;
    struct head_check check = block->memo ? block->memo->check : block->check;
    bool is_informational = pgrpc__head_check_is_informational(&check);
    enum h2_head_kind kind = is_informational ? H2_HEAD_INFORMATIONAL : block->kind;

    if (!pgrpc__head_check_end(&check) || !fits(stream, block, &check, is_informational))
        return malformed(engine);
    if (!is_informational) {
        stream->content_length = check.content_length;
        stream->has_message = true;
    }
    stream->remote_ended = block->end_stream;
    if (kind == H2_HEAD_REQUEST) {
        engine->events->on_request(engine->owner, stream->id, head, block->end_stream);
        /* Refused: that is the peer's doing. */
        if (stream->is_closing)
            engine->induced_count++;
    } else {
        engine->events->on_head(engine->owner, stream->user, head, kind, block->end_stream);
    }
    pgrpc__frames_close_if_done(engine, stream);
    return engine->is_final ? -EPROTO : 0;
}

int pgrpc__frames_block_end(struct h2_engine *engine)
{
    struct block_input *block = &engine->block;
    int error = 0;

    if (block->is_open)
        return 0;
    /* The frame that ends the block may be empty. */
    if (!block->is_complete)
        error = decode(engine, (const uint8_t *)"", 0, true);
    struct engine_stream *stream = pgrpc__frames_find(engine, block->id);
    if (!error && !block->is_dropped && stream && !stream->is_closing)
        error = head_complete(engine, stream);
    pgrpc__head_block_clear(&block->fields);
    return error;
}
