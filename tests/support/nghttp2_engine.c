/*
 * The engine on nghttp2's session.
 *
 * Quirks it hides: streams above the peer's limit are queued by nghttp2 (streams_available keeps
 * them out), CONTINUATION frames are counted wrongly (we count), frames for closed streams and of
 * unknown types come without a callback (the scan sees them), trailers wait behind a closed window
 * although they need none (resume looks).
 */
#include "config.h"

#include "nghttp2_engine.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

enum {
    PREFACE_LEN = 24,
    FRAME_BYTES_MIN = 16384, /* what every peer may send unasked */
    NV_LOCAL = 32,
    ASSUMED_STREAMS = 100, /* of a server whose SETTINGS did not come yet */
    MAX_ACKS = 16384       /* waiting; the owner's limit on queued frames is far below */
};

/* --- memory ----------------------------------------------------------------------------------- */

static void *ng_malloc(size_t size, void *userdata)
{
    return pgrpc__mem_alloc(userdata, size);
}

static void ng_free(void *pointer, void *userdata)
{
    pgrpc__mem_free(userdata, pointer);
}

static void *ng_calloc(size_t count, size_t size, void *userdata)
{
    return pgrpc__mem_calloc(userdata, count, size);
}

static void *ng_realloc(void *pointer, size_t size, void *userdata)
{
    return pgrpc__mem_realloc(userdata, pointer, size);
}

/* --- fields ----------------------------------------------------------------------------------- */

struct nv_list {
    nghttp2_nv *nva;
    nghttp2_nv local[NV_LOCAL];
};

/* 0, -ENOMEM, -EMSGSIZE. */
static int nv_list_init(struct nv_list *list, struct h2_engine *engine,
                        const struct header_field *fields, size_t count)
{
    size_t size = 0;

    list->nva = list->local;
    if (count > NV_LOCAL) {
        list->nva = pgrpc__mem_calloc(engine->mem, count, sizeof(*list->nva));
        if (!list->nva)
            return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++) {
        const struct header_field *field = &fields[i];
        list->nva[i] =
            (nghttp2_nv){(uint8_t *)(uintptr_t)field->name, (uint8_t *)(uintptr_t)field->value,
                         field->name_len, field->value_len,
                         field->is_sensitive ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE};
        size += field->name_len + field->value_len + 32;
    }
    uint32_t limit =
        nghttp2_session_get_remote_settings(engine->session, NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE);
    return size > limit || size > MAX_HEAD_SENT ? -EMSGSIZE : 0;
}

static void nv_list_clear(struct nv_list *list, struct h2_engine *engine)
{
    if (list->nva != list->local)
        pgrpc__mem_free(engine->mem, list->nva);
}

/* A result of nghttp2's that only memory can spoil. */
static int checked(int result)
{
    return result < 0 ? -ENOMEM : 0;
}

/* The owner submits a frame; while receive runs it is not the peer's doing. */
static void count_own(struct h2_engine *engine)
{
    engine->has_output = true;
    if (engine->is_receiving)
        engine->own_count++;
}

/* --- life ------------------------------------------------------------------------------------- */

static int submit_settings(struct h2_engine *engine)
{
    const struct h2_settings *settings = &engine->settings;
    nghttp2_settings_entry entries[5];
    size_t count = 0;

    if (settings->is_server)
        entries[count++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
                                                    settings->max_concurrent_streams};
    else
        entries[count++] = (nghttp2_settings_entry){NGHTTP2_SETTINGS_ENABLE_PUSH, 0};
    entries[count++] =
        (nghttp2_settings_entry){NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, settings->stream_window};
    entries[count++] =
        (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, settings->max_header_bytes};
    if (settings->max_frame_bytes > FRAME_BYTES_MIN)
        entries[count++] =
            (nghttp2_settings_entry){NGHTTP2_SETTINGS_MAX_FRAME_SIZE, settings->max_frame_bytes};
    if (checked(nghttp2_submit_settings(engine->session, NGHTTP2_FLAG_NONE, entries, count)) < 0)
        return -ENOMEM;
    return checked(nghttp2_session_set_local_window_size(engine->session, NGHTTP2_FLAG_NONE, 0,
                                                         (int32_t)settings->connection_window));
}

static int make_session(struct h2_engine *engine)
{
    nghttp2_mem mem = {engine->mem, ng_malloc, ng_free, ng_calloc, ng_realloc};
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    int result = NGHTTP2_ERR_NOMEM;

    if (nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&option) == 0) {
        nghttp2_engine_set_callbacks(callbacks);
        nghttp2_option_set_no_auto_window_update(option, 1);
        nghttp2_option_set_no_closed_streams(option, 1);
        nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1);
        nghttp2_option_set_peer_max_concurrent_streams(option, ASSUMED_STREAMS);
        nghttp2_option_set_max_send_header_block_length(option, 2 * MAX_HEAD_SENT);
        nghttp2_option_set_max_outbound_ack(option, MAX_ACKS);
        /* Resets are judged by the owner; nghttp2 counts calls, not CONTINUATION frames: one
         * for each byte of their heads. */
#ifdef HAVE_NGHTTP2_OPTION_SET_STREAM_RESET_RATE_LIMIT
        nghttp2_option_set_stream_reset_rate_limit(option, UINT64_MAX, UINT64_MAX);
#endif
#ifdef HAVE_NGHTTP2_OPTION_SET_MAX_CONTINUATIONS
        nghttp2_option_set_max_continuations(option, FRAME_HEADER_LEN * (MAX_CONTINUATIONS + 1));
#endif
        result = (engine->settings.is_server ? nghttp2_session_server_new3
                                             : nghttp2_session_client_new3)(
            &engine->session, callbacks, engine, option, &mem);
    }
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    return checked(result);
}

static void destroy(struct h2_engine *engine)
{
    if (!engine)
        return;
    nghttp2_session_del(engine->session);
    pgrpc__head_block_clear(&engine->head);
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
    engine->preface_left = settings->is_server ? PREFACE_LEN : 0;
    pgrpc__head_block_init(&engine->head, mem);
    if (make_session(engine) < 0 || submit_settings(engine) < 0) {
        destroy(engine);
        return -ENOMEM;
    }
    engine->has_output = true;
    *made = engine;
    return 0;
}

/* --- bytes in --------------------------------------------------------------------------------- */

/* Ends the session from our side: the peer is told |code|. Returns what receive returns. */
static int give_up(struct h2_engine *engine, uint32_t code, const char *text)
{
    nghttp2_engine_fail(engine, text);
    int32_t last = nghttp2_session_get_last_proc_stream_id(engine->session);
    if (!engine->is_final && nghttp2_submit_goaway(engine->session, NGHTTP2_FLAG_NONE, last, code,
                                                   (const uint8_t *)text, strlen(text)) != 0)
        return -ENOMEM;
    engine->is_final = true;
    engine->has_output = true;
    engine->final_code = code;
    return -EPROTO;
}

static int receive_failed(struct h2_engine *engine, ssize_t result)
{
    if (engine->error)
        return engine->error;
    if (engine->is_final)
        return -EPROTO;
    switch (result) {
    case NGHTTP2_ERR_NOMEM:
        return -ENOMEM;
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
        return give_up(engine, NGHTTP2_PROTOCOL_ERROR, "the client does not speak HTTP/2");
    case NGHTTP2_ERR_FLOODED:
#ifdef HAVE_NGHTTP2_OPTION_SET_MAX_CONTINUATIONS
    case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS:
#endif
        return give_up(engine, NGHTTP2_ENHANCE_YOUR_CALM, "too many frames");
    default:
        return give_up(engine, NGHTTP2_INTERNAL_ERROR, nghttp2_strerror((int)result));
    }
}

static int feed(struct h2_engine *engine, const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    size_t before = nghttp2_session_get_outbound_queue_size(engine->session);
    engine->own_count = 0;
    engine->is_receiving = true;
    ssize_t result = nghttp2_session_mem_recv(engine->session, data, len);
    engine->is_receiving = false;
    size_t added = nghttp2_session_get_outbound_queue_size(engine->session) - before;
    if (added > engine->own_count)
        engine->induced_count += added - engine->own_count;
    /* It costs too much to be asked often. */
    engine->has_output = nghttp2_session_want_write(engine->session) != 0;
    return result < 0 ? receive_failed(engine, result) : 0;
}

/* Looks at a frame before nghttp2 does. 0, or what receive returns. */
static int check_frame(struct h2_engine *engine, const struct frame_head *head)
{
    engine->events->on_frame(engine->owner, false, head->type, head->flags, head->id, head->len);
    if (engine->is_final)
        return -EPROTO;
    if (engine->settings.is_server && pgrpc__stream_ids_is_after_end(&engine->ids, head))
        return give_up(engine, NGHTTP2_STREAM_CLOSED, "the stream was ended before");
    if (head->type == FRAME_CONTINUATION) {
        if (++engine->continuation_count > MAX_CONTINUATIONS)
            return give_up(engine, NGHTTP2_ENHANCE_YOUR_CALM, "too many CONTINUATION frames");
    } else if (head->type == FRAME_HEADERS) {
        engine->continuation_count = 0;
        if (engine->settings.is_server && (head->id & 1) &&
            pgrpc__stream_ids_is_skipped(&engine->ids, head->id))
            return give_up(engine, NGHTTP2_PROTOCOL_ERROR, "HEADERS: stream was skipped");
    }
    return 0;
}

static int receive(struct h2_engine *engine, const uint8_t *data, size_t len)
{
    bool feed_each = TRACE_IS_ON(TRACE_FRAMES);
    size_t position = 0, fed = 0, used;
    struct frame_head head;

    if (engine->is_final)
        return -EPROTO;
    if (len == 0)
        return 0;
    if (engine->preface_left > 0) {
        fed = len < engine->preface_left ? len : engine->preface_left;
        engine->preface_left -= (unsigned)fed;
        int error = feed(engine, data, fed);
        if (error)
            return error;
        position = fed;
    }
    while (frame_scan_next(&engine->scan, data + position, len - position, &used, &head)) {
        if (feed_each) {
            int error = feed(engine, data + fed, position - fed);
            if (error)
                return error;
            fed = position;
        }
        /* What came before it in these bytes is dropped as well: the GOAWAY does not cover it. */
        int error = check_frame(engine, &head);
        if (error)
            return error;
        position += used;
    }
    return feed(engine, data + fed, len - fed);
}

/* --- bytes out -------------------------------------------------------------------------------- */

static int output(struct h2_engine *engine, struct outq *outq, size_t max_bytes)
{
    int error = 0;

    engine->outq = outq;
    engine->max_bytes = max_bytes;
    engine->has_output = true;
    while (!error && !engine->is_finished && outq->bytes < max_bytes) {
        const uint8_t *data;
        ssize_t len = nghttp2_session_mem_send(engine->session, &data);
        if (len < 0)
            error = engine->error ? engine->error : -ENOMEM;
        else if (len > 0)
            error = pgrpc__outq_add_copy(outq, data, (size_t)len);
        else if (outq->bytes < max_bytes) {
            engine->has_output = false;
            break;
        }
    }
    engine->outq = NULL;
    size_t queued = nghttp2_session_get_outbound_queue_size(engine->session);
    if (engine->induced_count > queued)
        engine->induced_count = queued;
    if (!error && engine->error)
        error = engine->error;
    return error;
}

static bool wants_output(struct h2_engine *engine)
{
    return engine->has_output && !engine->is_finished;
}

static size_t queued_frames(struct h2_engine *engine)
{
    return engine->induced_count;
}

static bool is_in_head(struct h2_engine *engine)
{
    return frame_scan_is_in_block(&engine->scan);
}

static const char *failure_text(struct h2_engine *engine)
{
    return engine->failure;
}

/* --- streams ---------------------------------------------------------------------------------- */

static size_t streams_available(struct h2_engine *engine)
{
    size_t limit = nghttp2_session_get_remote_settings(engine->session,
                                                       NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    if (engine->is_final || limit <= engine->open_count)
        return 0;
    return limit - engine->open_count;
}

static int open_stream(struct h2_engine *engine, struct h2_stream *stream,
                       const struct header_field *fields, size_t count, bool end_stream,
                       int32_t *id)
{
    nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = nghttp2_engine_read};
    struct nv_list list;

    int error = nv_list_init(&list, engine, fields, count);
    if (!error) {
        int32_t given = nghttp2_submit_request(engine->session, NULL, list.nva, count,
                                               end_stream ? NULL : &provider, stream);
        error = checked(given);
        if (!error) {
            engine->open_count++;
            count_own(engine);
            *id = given;
        }
    }
    nv_list_clear(&list, engine);
    return error;
}

static void accept_stream(struct h2_engine *engine, int32_t id, struct h2_stream *stream)
{
    nghttp2_engine_set_stream(engine, id, stream);
}

static void forget(struct h2_engine *engine, int32_t id)
{
    nghttp2_engine_set_stream(engine, id, NULL);
}

static int respond(struct h2_engine *engine, int32_t id, const struct header_field *fields,
                   size_t count, bool end_stream)
{
    struct h2_stream *stream = nghttp2_engine_find(engine, id);
    nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = nghttp2_engine_read};
    struct nv_list list;

    int error = nv_list_init(&list, engine, fields, count);
    if (!error) {
        error = checked(nghttp2_submit_response(engine->session, id, list.nva, count,
                                                end_stream ? NULL : &provider));
        count_own(engine);
    }
    nv_list_clear(&list, engine);
    return error;
}

static int reset(struct h2_engine *engine, int32_t id, uint32_t code)
{
    count_own(engine);
    return checked(nghttp2_submit_rst_stream(engine->session, NGHTTP2_FLAG_NONE, id, code));
}

int nghttp2_engine_trailers(struct h2_engine *engine, int32_t id, const struct h2_output *output)
{
    struct nv_list list;

    int error = nv_list_init(&list, engine, output->trailers, output->trailer_count);
    if (!error)
        error =
            checked(nghttp2_submit_trailer(engine->session, id, list.nva, output->trailer_count));
    else if (error == -EMSGSIZE)
        error = reset(engine, id, NGHTTP2_INTERNAL_ERROR);
    nv_list_clear(&list, engine);
    return error;
}

static int resume(struct h2_engine *engine, int32_t id)
{
    struct h2_stream *stream = nghttp2_engine_find(engine, id);
    struct h2_output output = {0, false, NULL, 0};
    if (!stream)
        return 0;
    if (stream->is_deferred) {
        int result = nghttp2_session_resume_data(engine->session, id);
        if (nghttp2_is_fatal(result))
            return -ENOMEM;
        stream->is_deferred = false;
        engine->has_output = true;
    }

    /* With a closed window nghttp2 asks for nothing, and trailers would wait for credit that they
     * do not need. */
    if (engine->is_final)
        return 0;
    stream->events->on_measure(stream, 0, &output);
    if (output.len > 0 || !output.end || output.trailer_count == 0)
        return 0;
    if (nghttp2_session_get_remote_window_size(engine->session) > 0 &&
        nghttp2_session_get_stream_remote_window_size(engine->session, id) != 0)
        return 0;
    count_own(engine);
    return nghttp2_engine_trailers(engine, id, &output);
}

/* --- windows, connection ---------------------------------------------------------------------- */

static int credit_stream(struct h2_engine *engine, int32_t id, size_t len)
{
    count_own(engine); /* it comes in pieces that are announced at once */
    return checked(nghttp2_session_consume_stream(engine->session, id, len));
}

static int credit_connection(struct h2_engine *engine, size_t len)
{
    count_own(engine);
    return checked(nghttp2_session_consume_connection(engine->session, len));
}

static size_t stream_window_left(struct h2_engine *engine, int32_t id)
{
    int32_t left = nghttp2_session_get_stream_local_window_size(engine->session, id);
    return left > 0 ? (size_t)left : 0;
}

static int ping(struct h2_engine *engine, const uint8_t payload[8])
{
    count_own(engine);
    return checked(nghttp2_submit_ping(engine->session, NGHTTP2_FLAG_NONE, payload));
}

static int goaway_notice(struct h2_engine *engine)
{
    count_own(engine);
    return checked(nghttp2_submit_shutdown_notice(engine->session));
}

static int goaway(struct h2_engine *engine, uint32_t code, const char *debug, bool is_final)
{
    int32_t last = nghttp2_session_get_last_proc_stream_id(engine->session);

    if (engine->is_final)
        return 0;
    engine->is_final = is_final;
    engine->final_code = code;
    count_own(engine);
    return checked(nghttp2_submit_goaway(engine->session, NGHTTP2_FLAG_NONE, last, code,
                                         (const uint8_t *)debug, strlen(debug)));
}

const struct h2_engine_ops nghttp2_engine = {
    .name = "nghttp2",
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
