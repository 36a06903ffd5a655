#include "h2_side.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELD(name_, value_)                                        \
    {                                                               \
        name_, value_, sizeof(name_) - 1, sizeof(value_) - 1, false \
    }

static void note(char *log, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void note(char *log, size_t size, const char *format, ...)
{
    size_t len = strlen(log);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(log + len, size - len, format, arguments);
    va_end(arguments);
}

#define NOTE(object, ...) note((object)->log, sizeof((object)->log), __VA_ARGS__)

/* --- users ------------------------------------------------------------------------------------ */

static struct h2_user *user_of(struct h2_stream *stream)
{
    return CONTAINER_OF(stream, struct h2_user, stream);
}

static void note_head(struct h2_user *user, const struct h2_head *head)
{
    for (size_t i = 0; i < head->count; i++) {
        const struct header_field *field = &head->fields[i];
        NOTE(user, " %.*s=%.*s", (int)field->name_len, field->name, (int)field->value_len,
             field->value);
    }
}

static void on_head(struct h2_stream *stream, const struct h2_head *head, enum h2_head_kind kind,
                    bool end_stream)
{
    static const char *const names[] = {"REQUEST", "INFORMATIONAL", "RESPONSE", "TRAILERS"};
    struct h2_user *user = user_of(stream);
    NOTE(user, "%s", names[kind]);
    note_head(user, head);
    NOTE(user, "%s\n", end_stream ? " end" : "");
}

static void on_data(struct h2_stream *stream, const uint8_t *data, size_t len, bool end_stream)
{
    struct h2_user *user = user_of(stream);
    if (len > 0)
        NOTE(user, "data %zu\n", len);
    raw_bytes(&user->received, data, len);
    if (end_stream)
        NOTE(user, "end\n");
    if (user->consumes)
        pgrpc__h2_stream_consume(stream, len);
}

static void on_measure(struct h2_stream *stream, size_t max, struct h2_output *output)
{
    struct h2_user *user = user_of(stream);
    user->measured++;
    output->len = user->output_len < max ? user->output_len : max;
    output->end = user->output_end && output->len == user->output_len;
    output->trailers = user->trailers;
    output->trailer_count = user->trailer_count;
}

static int on_output(struct h2_stream *stream, size_t len, struct outq *outq)
{
    struct h2_user *user = user_of(stream);
    assert(len <= user->output_len);
    if (pgrpc__outq_add_copy(outq, user->output, len) < 0)
        return -ENOMEM;
    user->output += len;
    user->output_len -= len;
    return 0;
}

static void on_closed(struct h2_stream *stream, enum h2_end end, uint32_t code)
{
    static const char *const names[] = {"NORMAL", "RESET",     "REFUSED",
                                        "UNSENT", "VIOLATION", "LOST"};
    struct h2_user *user = user_of(stream);
    assert(!user->has_closed);
    user->has_closed = true;
    user->end = end;
    user->code = code;
    NOTE(user, "closed %s %u\n", names[end], (unsigned)code);
    if (user->releases) {
        pgrpc__h2_stream_release(stream, H2_CANCEL);
        memset(stream, 0xee, sizeof(*stream));
        stream->connection = NULL;
    }
}

static const struct h2_stream_events user_events = {on_head, on_data, on_measure, on_output,
                                                    on_closed};

void h2_user_init(struct h2_user *user, struct h2_side *side)
{
    memset(user, 0, sizeof(*user));
    user->side = side;
    user->stream.events = &user_events;
}

int h2_user_open(struct h2_user *user, struct h2_side *side, bool end_stream)
{
    static const struct header_field fields[] = {
        FIELD(":method", "POST"),         FIELD(":scheme", "http"),
        FIELD(":path", "/test.Echo/Say"), FIELD(":authority", "localhost"),
        FIELD("te", "trailers"),          FIELD("content-type", "application/grpc")};
    h2_user_init(user, side);
    return pgrpc__h2_connection_open(side->connection, &user->stream, fields,
                                     sizeof(fields) / sizeof(*fields), end_stream);
}

int h2_user_respond(struct h2_user *user, bool end_stream)
{
    static const struct header_field fields[] = {FIELD(":status", "200"),
                                                 FIELD("content-type", "application/grpc")};
    return pgrpc__h2_stream_respond(&user->stream, fields, 2, end_stream);
}

void h2_user_send(struct h2_user *user, const void *data, size_t len, bool end)
{
    user->output = data;
    user->output_len = len;
    user->output_end = end;
    pgrpc__h2_stream_resume(&user->stream);
}

void h2_user_finish(struct h2_user *user)
{
    static const struct header_field trailers[] = {FIELD("grpc-status", "0")};
    user->trailers = trailers;
    user->trailer_count = 1;
    user->output_end = true;
    pgrpc__h2_stream_resume(&user->stream);
}

void h2_user_answer(struct h2_user *user)
{
    int error = h2_user_respond(user, false);
    assert(!error);
    (void)error;
    h2_user_finish(user);
}

void h2_user_release(struct h2_user *user, enum h2_error code)
{
    pgrpc__h2_stream_release(&user->stream, code);
    raw_clear(&user->received);
}

/* --- sides ------------------------------------------------------------------------------------ */

static void on_ready(void *owner)
{
    struct h2_side *side = owner;
    NOTE(side, "ready\n");
}

static struct h2_stream *on_request(void *owner, const struct h2_head *head, bool end_stream)
{
    struct h2_side *side = owner;
    if (side->refuses)
        return NULL;
    struct h2_user *user = malloc(sizeof(*user));
    assert(user);
    h2_user_init(user, side);
    user->consumes = side->consumes;
    user->releases = side->releases;
    *side->last_user = user;
    side->last_user = &user->next;
    side->user_count++;
    on_head(&user->stream, head, H2_HEAD_REQUEST, end_stream);
    return &user->stream;
}

static void on_draining(void *owner, uint32_t code, const char *debug)
{
    struct h2_side *side = owner;
    NOTE(side, "draining %u %s\n", (unsigned)code, debug);
}

static void on_capacity(void *owner)
{
    struct h2_side *side = owner;
    side->capacity_count++;
}

static void on_wants_flush(void *owner)
{
    struct h2_side *side = owner;
    side->wants_flush = true;
}

static void on_side_closed(void *owner, const char *text)
{
    struct h2_side *side = owner;
    assert(!side->has_closed);
    side->has_closed = true;
    NOTE(side, "closed %s\n", text);
}

static const struct h2_connection_events side_events = {
    on_ready, on_request, on_draining, on_capacity, on_wants_flush, on_side_closed};

void h2_side_config(struct h2_connection_config *config, bool is_server)
{
    *config = (struct h2_connection_config){.is_server = is_server,
                                            .max_concurrent_streams = 100,
                                            .stream_window = 65536,
                                            .max_header_bytes = 16384,
                                            .handshake_timeout_ms = 10000,
                                            .keepalive_timeout_ms = 20000,
                                            .keepalive_min_ms = 300000,
                                            .quota_limit = 64 << 20};
}

int h2_side_init(struct h2_side *side, bool is_server, const struct h2_connection_config *config,
                 const struct pgrpc_allocator *allocator)
{
    memset(side, 0, sizeof(*side));
    side->last_user = &side->users;
    side->now_ms = 1000000;
    side->consumes = true;
    pgrpc__mem_init(&side->mem, allocator);
    /* Nothing is cached then: every allocation reaches the hook. */
    if (allocator)
        side->mem.cached_bytes = MEM_CACHED_MAX;
    pgrpc__outq_init(&side->outq, &side->mem);
    side->reader = raw_reader_new(!is_server);
    if (config)
        side->config = *config;
    else
        h2_side_config(&side->config, is_server);
    return pgrpc__h2_connection_new(&side->mem, &side->config, &side_events, side, side->now_ms,
                                    &side->connection);
}

void h2_side_start(struct h2_side *side, bool is_server, const struct h2_connection_config *config)
{
    struct raw raw = {0};
    int error = h2_side_init(side, is_server, config, NULL);
    assert(!error);
    if (is_server)
        raw_magic(&raw);
    raw_settings(&raw, 0);
    raw_settings_ack(&raw);
    error = h2_side_get(side, &raw);
    assert(!error && strcmp(side->log, "ready\n") == 0);
    (void)error;
    h2_side_take(side);
}

struct h2_user *h2_side_request(struct h2_side *side, uint32_t id)
{
    struct raw raw = {0};
    size_t before = side->user_count;
    raw_request(&raw, RAW_END_STREAM, id);
    h2_side_get(side, &raw);
    assert(side->user_count == before + 1);
    (void)before;
    return CONTAINER_OF(side->last_user, struct h2_user, next);
}

void h2_side_clear(struct h2_side *side)
{
    pgrpc__h2_connection_free(side->connection);
    while (side->users) {
        struct h2_user *user = side->users;
        side->users = user->next;
        h2_user_release(user, H2_CANCEL);
        free(user);
    }
    pgrpc__outq_clear(&side->outq);
    raw_reader_free(side->reader);
    assert(side->mem.live_bytes == 0);
    if (side->mem.cached_bytes == MEM_CACHED_MAX)
        side->mem.cached_bytes = 0;
    pgrpc__mem_clear(&side->mem);
}

int h2_side_receive(struct h2_side *side, const void *data, size_t len)
{
    return pgrpc__h2_connection_receive(side->connection, data, len, side->now_ms);
}

int h2_side_get(struct h2_side *side, struct raw *raw)
{
    int error = h2_side_receive(side, raw->data, raw->len);
    raw_clear(raw);
    return error;
}

/* Moves what waits in the outq to |raw|. */
static void write_out(struct h2_side *side, struct raw *raw)
{
    struct iovec vectors[16];
    int count;

    pgrpc__h2_connection_output(side->connection, &side->outq, 1 << 20);
    while ((count = pgrpc__outq_peek(&side->outq, vectors, 16)) > 0) {
        for (int i = 0; i < count; i++) {
            raw_bytes(raw, vectors[i].iov_base, vectors[i].iov_len);
            pgrpc__outq_consume(&side->outq, vectors[i].iov_len);
        }
        if (side->outq.bytes == 0)
            pgrpc__h2_connection_output(side->connection, &side->outq, 1 << 20);
    }
    side->wants_flush = false;
}

const char *h2_side_take(struct h2_side *side)
{
    struct raw raw = {0};
    write_out(side, &raw);
    raw_reader_add(side->reader, raw.data, raw.len);
    raw_clear(&raw);
    return raw_reader_take(side->reader);
}

static bool move(struct h2_side *from, struct h2_side *to)
{
    struct raw raw = {0};
    write_out(from, &raw);
    bool moved = raw.len > 0;
    if (moved)
        h2_side_receive(to, raw.data, raw.len);
    raw_clear(&raw);
    return moved;
}

void h2_side_join(struct h2_side *a, struct h2_side *b)
{
    bool moved = true;
    while (moved) {
        moved = move(a, b);
        moved = move(b, a) || moved;
    }
}

int64_t h2_side_pass(struct h2_side *side, int64_t ms)
{
    side->now_ms += ms;
    return pgrpc__h2_connection_tick(side->connection, side->now_ms);
}
