/*
 * Both HTTP/2 engines against one another: the same frames, right and wrong, in the same pieces,
 * and the same owner, who does the same things; they must tell and send the same.
 *
 * The input is a program: each step is an operation and its arguments.  What may differ: the order
 * in which frames of different streams go out, how much of a stream's DATA was told before the
 * stream was found to be wrong, and those codes that |is_same_code| names.  A program that comes to
 * one of the differences that |is_known_difference| names ends there.
 */
#include "fuzz.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "../support/nghttp2_engine.h"
#include "../support/rawframe.h"
#include "h2/engine.h"
#include "h2/frame_head.h"
#include "h2/hpack.h"

enum { IDS = 24, LOG = 6000, OWN_WINDOW = 1000, MAX_HEADER_BYTES = 400, FIELDS = 30 };

/* What was told and sent of one stream. */
struct record {
    struct h2_stream stream;
    char log[LOG]; /* told */
    char sent[LOG];
    size_t data_len;
    uint32_t data_sum;
    size_t sent_data;
    bool is_known; /* accepted or opened, and not closed */
    bool was_violated;
    size_t to_send;
    bool ends;
    bool has_trailers;
};

struct side {
    const struct h2_engine_ops *ops;
    struct h2_engine *engine;
    struct mem mem;
    struct outq outq;
    struct raw_reader *reader;
    struct record records[IDS]; /* by half the id */
    char log[LOG];              /* of the connection */
    bool is_over;
    bool has_goaway;
    unsigned goaway_code;
    size_t frames_got;
};

static struct side sides[2];
static bool is_server;
static bool refuses;
static uint8_t last_type; /* of the frames fed */
static bool is_cut;       /* the last of them is incomplete, or a promise, which nghttp2
                                   reads before it is a fault: that ends the program */
static bool is_dropped;   /* a field that nghttp2 drops for its value and we do not take */
static struct mem decoder_mem;
static struct hpack *decoder; /* of the heads fed, so that |is_dropped| can be known */

static void note(char *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void note(char *log, const char *format, ...)
{
    size_t len = strlen(log);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(log + len, LOG - len, format, arguments);
    va_end(arguments);
}

static struct record *record_of(struct side *side, int32_t id)
{
    return id > 0 && id / 2 < IDS ? &side->records[id / 2] : NULL;
}

/* --- events ----------------------------------------------------------------------------------- */

static const struct h2_stream_events user_events;

static void note_head(struct record *record, const char *what, const struct h2_head *head,
                      bool end_stream)
{
    note(record->log, "%s", what);
    for (size_t i = 0; i < head->count; i++) {
        const struct header_field *field = &head->fields[i];
        note(record->log, " %.*s=%.*s%s", (int)field->name_len, field->name, (int)field->value_len,
             field->value, field->is_sensitive ? "!" : "");
    }
    note(record->log, " (%zu)%s\n", head->size, end_stream ? " end" : "");
}

static void on_request(void *owner, int32_t id, const struct h2_head *head, bool end_stream)
{
    struct side *side = owner;
    struct record *record = record_of(side, id);

    CHECK(is_server);
    if (!record || refuses) {
        side->ops->forget(side->engine, id);
        CHECK(side->ops->reset(side->engine, id, H2_REFUSED_STREAM) == 0);
        return;
    }
    CHECK(!record->is_known);
    record->is_known = true;
    record->stream.events = &user_events;
    record->stream.id = id;
    record->stream.is_server = true;
    record->stream.remote_ended = end_stream;
    note_head(record, "request", head, end_stream);
    side->ops->accept(side->engine, id, &record->stream);
}

static void on_head(void *owner, struct h2_stream *stream, const struct h2_head *head,
                    enum h2_head_kind kind, bool end_stream)
{
    static const char *const names[] = {"request", "informational", "response", "trailers"};
    (void)owner;
    if (!stream)
        return;
    stream->remote_ended = end_stream;
    note_head(CONTAINER_OF(stream, struct record, stream), names[kind], head, end_stream);
}

static void on_data(void *owner, int32_t id, struct h2_stream *stream, const uint8_t *data,
                    size_t len, size_t credit)
{
    struct side *side = owner;
    (void)id;
    CHECK(side->ops->credit_connection(side->engine, credit) == 0);
    if (!stream)
        return;
    struct record *record = CONTAINER_OF(stream, struct record, stream);
    CHECK(record->is_known);
    for (size_t i = 0; i < len; i++)
        record->data_sum = record->data_sum * 31 + data[i];
    record->data_len += len;
}

static void on_end_stream(void *owner, struct h2_stream *stream)
{
    (void)owner;
    if (!stream)
        return;
    stream->remote_ended = true;
    note(CONTAINER_OF(stream, struct record, stream)->log, "end\n");
}

static void on_reset(void *owner, int32_t id, struct h2_stream *stream, uint32_t code)
{
    (void)owner;
    (void)id;
    if (stream)
        note(CONTAINER_OF(stream, struct record, stream)->log, "reset %u\n", (unsigned)code);
}

static void violated(struct side *side, int32_t id, uint32_t code)
{
    struct record *record = record_of(side, id);
    if (!record)
        return;
    record->was_violated = true;
    record->is_known = false;
    note(record->log, "violation %u\n", (unsigned)code);
}

static void on_head_too_large(void *owner, int32_t id, struct h2_stream *stream)
{
    (void)stream;
    violated(owner, id, H2_ENHANCE_YOUR_CALM);
}

static void on_violation(void *owner, int32_t id, struct h2_stream *stream, uint32_t code)
{
    (void)stream;
    violated(owner, id, code);
}

static void on_stream_closed(void *owner, int32_t id, struct h2_stream *stream, uint32_t code)
{
    struct record *record = record_of(owner, id);
    if (!record || !stream)
        return;
    note(record->log, "closed %u\n", (unsigned)code);
    record->is_known = false;
}

static void on_headers_written(void *owner, struct h2_stream *stream)
{
    (void)owner;
    stream->headers_written = true;
}

static void on_end_written(void *owner, struct h2_stream *stream)
{
    (void)owner;
    stream->local_ended = true;
}

static void on_settings(void *owner)
{
    note(((struct side *)owner)->log, "settings\n");
}

static void on_settings_acked(void *owner)
{
    note(((struct side *)owner)->log, "acked\n");
}

static void on_ping(void *owner, bool ack, const uint8_t payload[8])
{
    note(((struct side *)owner)->log, "ping %d %u\n", ack, payload[0]);
}

static void on_goaway(void *owner, int32_t last_id, uint32_t code, const uint8_t *debug,
                      size_t debug_len)
{
    ((struct side *)owner)->has_goaway = true;
    note(((struct side *)owner)->log, "goaway %d %u %zu %u\n", (int)last_id, (unsigned)code,
         debug_len < 60 ? debug_len : 60, debug_len > 0 ? debug[0] : 0);
}

static void on_frame(void *owner, bool sent, uint8_t type, uint8_t flags, int32_t id, size_t len)
{
    struct side *side = owner;
    (void)type;
    (void)flags;
    (void)id;
    (void)len;
    if (!sent)
        side->frames_got++;
}

static const struct h2_engine_events engine_events = {
    on_request,        on_head,           on_data,          on_end_stream,      on_reset,
    on_head_too_large, on_violation,      on_stream_closed, on_headers_written, on_end_written,
    on_settings,       on_settings_acked, on_ping,          on_goaway,          on_frame,
};

static void on_measure(struct h2_stream *stream, size_t max, struct h2_output *output)
{
    static const struct header_field trailers[] = {{"grpc-status", "0", 11, 1, false}};
    const struct record *record = CONTAINER_OF(stream, struct record, stream);

    output->len = record->to_send < max ? record->to_send : max;
    output->end = record->ends && output->len == record->to_send;
    if (output->end && record->has_trailers) {
        output->trailers = trailers;
        output->trailer_count = 1;
    }
}

static int on_output(struct h2_stream *stream, size_t len, struct outq *outq)
{
    static const uint8_t zeros[20000];
    struct record *record = CONTAINER_OF(stream, struct record, stream);
    CHECK(len <= record->to_send);
    record->to_send -= len;
    return pgrpc__outq_add_copy(outq, zeros, len);
}

static const struct h2_stream_events user_events = {NULL, NULL, on_measure, on_output, NULL};

/* --- both sides ------------------------------------------------------------------------------- */

static void open_side(struct side *side, const struct h2_engine_ops *ops)
{
    struct h2_settings settings = {is_server, 100, OWN_WINDOW, 70000, MAX_HEADER_BYTES, 12, 16384};

    memset(side, 0, sizeof(*side));
    side->ops = ops;
    pgrpc__mem_init(&side->mem, NULL);
    pgrpc__outq_init(&side->outq, &side->mem);
    side->reader = raw_reader_new(!is_server);
    CHECK(ops->create(&side->mem, &settings, &engine_events, side, &side->engine) == 0);
}

static void close_side(struct side *side)
{
    side->ops->destroy(side->engine);
    pgrpc__outq_clear(&side->outq);
    raw_reader_free(side->reader);
    CHECK(side->mem.live_bytes == 0);
    pgrpc__mem_clear(&side->mem);
}

/* A line of what was sent, to where it belongs. */
static void note_sent(struct side *side, const char *line, size_t len)
{
    char type[16] = "", end[16] = "";
    unsigned id = 0;
    size_t data;

    if (sscanf(line, "%15s %u", type, &id) == 2 && strcmp(type, "SETTINGS") != 0 && id > 0 &&
        record_of(side, (int32_t)id)) {
        struct record *record = record_of(side, (int32_t)id);
        if (strcmp(type, "WINDOW_UPDATE") == 0)
            return; /* the windows are compared instead */
        if (strcmp(type, "DATA") != 0) {
            note(record->sent, "%.*s\n", (int)len, line);
        } else if (sscanf(line, "DATA %u END_STREAM %zu", &id, &data) == 2) {
            record->sent_data += data;
            note(record->sent, "end\n");
        } else if (sscanf(line, "DATA %u %zu", &id, &data) == 2) {
            record->sent_data += data;
        }
        (void)end;
    } else if (strcmp(type, "GOAWAY") == 0) {
        const char *code = strstr(line, "code=");
        CHECK(code && sscanf(code, "code=%u", &side->goaway_code) == 1);
    }
}

static void write_out(struct side *side)
{
    struct iovec vectors[16];
    int count;

    if (side->is_over && side->goaway_code != 0)
        return;
    int error = side->ops->output(side->engine, &side->outq, 1 << 20);
    if (error == -EPROTO)
        side->is_over = true;
    CHECK(error == 0 || error == -EPROTO);
    while ((count = pgrpc__outq_peek(&side->outq, vectors, 16)) > 0) {
        for (int i = 0; i < count; i++) {
            raw_reader_add(side->reader, vectors[i].iov_base, vectors[i].iov_len);
            pgrpc__outq_consume(&side->outq, vectors[i].iov_len);
        }
    }
    const char *text = raw_reader_take(side->reader);
    while (*text) {
        size_t len = strcspn(text, "\n");
        note_sent(side, text, len);
        text += len + 1;
    }
}

static bool is_about_order(unsigned code)
{
    return code == H2_PROTOCOL_ERROR || code == H2_FRAME_SIZE_ERROR || code == H2_STREAM_CLOSED;
}

/* A frame may be wrong in several ways, which each looks for in its own order. */
static bool is_same_code(unsigned nghttp2, unsigned ours)
{
    return nghttp2 == ours || (is_about_order(nghttp2) && is_about_order(ours));
}

static void show(void)
{
    for (int i = 0; i < 2; i++) {
        const struct side *side = &sides[i];
        fprintf(stderr, "=== %s: over %d, code %u: %s\n%s", side->ops->name, side->is_over,
                side->goaway_code, side->ops->failure_text(side->engine), side->log);
        for (int32_t id = 1; id / 2 < IDS; id += 2) {
            const struct record *record = &side->records[id / 2];
            if (*record->log || *record->sent)
                fprintf(stderr, "-- %d: got %zu, sent %zu, window %zu\n%s> %s", (int)id,
                        record->data_len, record->sent_data,
                        side->is_over ? 0 : side->ops->stream_window_left(side->engine, id),
                        record->log, record->sent);
        }
    }
}

#define SAME(condition)   \
    do {                  \
        if (!(condition)) \
            show();       \
        CHECK(condition); \
    } while (0)

static void compare_stream(int32_t id)
{
    const struct record *a = &sides[0].records[id / 2], *b = &sides[1].records[id / 2];

    SAME(a->was_violated == b->was_violated);
    SAME(strcmp(a->log, b->log) == 0);
    SAME(strcmp(a->sent, b->sent) == 0);
    SAME(a->is_known == b->is_known);
    if (!a->was_violated) {
        SAME(a->data_len == b->data_len && a->data_sum == b->data_sum);
        SAME(a->sent_data == b->sent_data);
    }
    if (a->is_known && !a->stream.remote_ended)
        SAME(sides[0].ops->stream_window_left(sides[0].engine, id) ==
             sides[1].ops->stream_window_left(sides[1].engine, id));
}

/* The connection's window is too small for all, and each engine has its own order. */
static bool is_shared_otherwise(void)
{
    size_t sent[2] = {0, 0};
    bool differs = false;

    for (size_t i = 0; i < IDS; i++) {
        const struct record *a = &sides[0].records[i], *b = &sides[1].records[i];
        sent[0] += a->sent_data;
        sent[1] += b->sent_data;
        differs = differs || (a->sent_data != b->sent_data && a->to_send + b->to_send > 0);
    }
    return differs && sent[0] == sent[1];
}

static bool is_known_difference(void)
{
    /* A change of settings that makes a window too large is the connection's fault (RFC 9113
     * section 6.9.2); nghttp2 makes it the stream's. */
    if (last_type == FRAME_SETTINGS && sides[1].goaway_code == H2_FLOW_CONTROL_ERROR)
        return true;
    /* A client's GOAWAY is about pushes, which there are none of; nghttp2 wants their ids right. */
    if (is_server && last_type == FRAME_GOAWAY && sides[0].is_over && !sides[1].is_over)
        return true;
    /* A head with a field of connections is malformed, also with a value that no field may have. */
    return is_dropped || is_shared_otherwise();
}

static void compare(void)
{
    is_cut = is_cut || is_known_difference();
    if (is_cut) /* one engine may have seen enough of it */
        return;
    SAME(sides[0].is_over == sides[1].is_over);
    if (sides[0].is_over) {
        SAME(is_same_code(sides[0].goaway_code, sides[1].goaway_code));
        return;
    }
    SAME(strcmp(sides[0].log, sides[1].log) == 0);
    SAME(is_server || sides[0].ops->streams_available(sides[0].engine) ==
                          sides[1].ops->streams_available(sides[1].engine));
    SAME(sides[0].ops->is_in_head(sides[0].engine) == sides[1].ops->is_in_head(sides[1].engine));
    for (int32_t id = 1; id / 2 < IDS; id += 2)
        compare_stream(id);
}

/* Logs that are full compare as well as those that are not, but the program goes on for ever. */
static bool is_full(void)
{
    if (strlen(sides[0].log) > LOG - 200)
        return true;
    for (size_t i = 0; i < IDS; i++) {
        const struct record *record = &sides[0].records[i];
        if (strlen(record->log) > LOG - 1000 || strlen(record->sent) > LOG - 1000)
            return true;
    }
    return false;
}

/* --- the program ------------------------------------------------------------------------------ */

struct program {
    const uint8_t *data;
    size_t len;
    uint32_t top_id; /* next that is new */
};

static unsigned take(struct program *program)
{
    if (program->len == 0)
        return 0;
    program->len--;
    return *program->data++;
}

/* Mostly streams that exist; sometimes new ones, stream 0, even ones. */
static uint32_t take_id(struct program *program)
{
    unsigned choice = take(program);
    if (choice >= 250)
        return choice - 250;
    if (choice >= 236)
        return program->top_id + 2 * (choice % 3);
    uint32_t count = program->top_id / 2;
    return count > 0 ? 2 * (choice % count) + 1 : 1;
}

static void add_field(struct raw *block, struct program *program)
{
    static const char *const fields[FIELDS][2] = {{":method", "POST"},
                                                  {":scheme", "http"},
                                                  {":path", "/a.B/C"},
                                                  {":authority", "host"},
                                                  {"te", "trailers"},
                                                  {"content-type", "application/grpc"},
                                                  {"content-length", "5"},
                                                  {"content-length", "0"},
                                                  {"content-length", "x"},
                                                  {"x-a", "b"},
                                                  {"Upper", "x"},
                                                  {"bad name", "x"},
                                                  {"x-bad", "a\x01z"},
                                                  {"x-spaces", " a "},
                                                  {"connection", "close"},
                                                  {"te", "gzip"},
                                                  {":status", "200"},
                                                  {":status", "103"},
                                                  {":status", "99"},
                                                  {":method", "CONNECT"},
                                                  {":path", "*"},
                                                  {":other", "x"},
                                                  {"host", "h"},
                                                  {"grpc-timeout", "1S"},
                                                  {"transfer-encoding", "chunked"},
                                                  {":method", "OPTIONS"},
                                                  {":scheme", "1x"},
                                                  {":authority", "a b"},
                                                  {"x-long", NULL},
                                                  {"", "x"}};
    static char filler[300];
    unsigned choice = take(program);
    const char *const *field = fields[choice % FIELDS];

    memset(filler, 'f', sizeof(filler) - 1);
    if (choice < 180) {
        static const uint8_t kinds[] = {0x00, 0x10, 0x40};
        struct raw one = {0};
        raw_field(&one, field[0], field[1] ? field[1] : filler);
        one.data[0] = kinds[choice % 3];
        raw_bytes(block, one.data, one.len);
        raw_clear(&one);
    } else if (choice < 240) {
        uint8_t indexed = (uint8_t)(0x80 | take(program));
        raw_bytes(block, &indexed, 1);
    } else if (choice < 250) {
        raw_bytes(block, choice & 1 ? "\x20" : "\x3f\xe1\x1f", choice & 1 ? 1 : 3);
    } else {
        uint8_t any = (uint8_t)take(program);
        raw_bytes(block, &any, 1);
    }
}

static void add_head(struct raw *raw, struct program *program)
{
    static const char *const starts[] = {
        RAW_REQUEST_FIELDS,
        ":method=POST|:scheme=http|:path=/a|:authority=a|te=trailers",
        ":status=200|content-type=application/grpc",
        ":status=200",
        "grpc-status=0",
        ":status=103"};
    unsigned shape = take(program), extra = take(program);
    uint32_t id = take_id(program);
    struct raw block = {0}, prefix = {0};
    uint8_t flags = shape & 1 ? RAW_END_STREAM : 0;

    if (is_server && shape & 2)
        id = program->top_id;
    if (is_server && id >= program->top_id && id & 1)
        program->top_id = id + 2;
    unsigned start = (shape >> 2) % 8;
    if (start == 7)
        raw_bytes(&block,
                  "\x83\x86\x84\x41\x01"
                  "a",
                  6);
    else if (start == 6 || !is_server)
        raw_block(&block, starts[is_server ? 4 : 2 + start % 4]);
    else
        raw_block(&block, starts[start % 2]);
    for (unsigned count = extra % 8 > 4 ? extra % 8 - 4 : 0; count > 0; count--)
        add_field(&block, program);
    if (extra & 8 && extra & 16) {
        uint8_t pad = (uint8_t)(take(program) % 20);
        flags |= RAW_PADDED;
        raw_bytes(&prefix, &pad, 1);
        raw_bytes(&block, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", take(program) % 8 ? pad : 7);
    }
    if (extra & 32 && extra & 64) {
        uint8_t priority[5] = {0, 0, 0, (uint8_t)take(program), 9};
        flags |= FRAME_FLAG_PRIORITY;
        raw_bytes(&prefix, priority, 5);
    }
    raw_bytes(&prefix, block.data, block.len);
    if (extra & 128 && !(flags & RAW_PADDED)) {
        size_t cut = take(program) % (prefix.len + 1);
        raw_frame(raw, RAW_HEADERS, flags, id, prefix.data, cut);
        raw_frame(raw, RAW_CONTINUATION, RAW_END_HEADERS, id, prefix.data + cut, prefix.len - cut);
    } else {
        raw_frame(raw, RAW_HEADERS, flags | RAW_END_HEADERS, id, prefix.data, prefix.len);
    }
    raw_clear(&block);
    raw_clear(&prefix);
}

static void add_frames(struct raw *raw, struct program *program, unsigned choice)
{
    static const uint32_t values[] = {0, 1, 5, 100, 16384, 65535, 70000, 0x7fffffff, 0xffffffff};
    static uint8_t bytes[20000];
    uint32_t value = values[take(program) % 9];

    switch (choice) {
    default:
        add_head(raw, program);
        break;
    case 4:
    case 5:
    case 6: {
        unsigned flags = take(program);
        size_t len = take(program) < 230 ? take(program) % 40 : 600;
        bytes[0] = (uint8_t)(take(program) % 16);
        raw_data(raw, (uint8_t)((flags & 1) | (flags & 6 ? 0 : RAW_PADDED)), take_id(program),
                 bytes, len);
        break;
    }
    case 7:
        raw_rst(raw, take_id(program), value);
        break;
    case 8:
        raw_window_update(raw, take(program) & 1 ? 0 : take_id(program), value);
        break;
    case 9:
        raw_settings(raw, take(program) % 7 + 1, value, take(program) % 7 + 1, value, 0);
        break;
    case 10:
        raw_ping(raw, (uint8_t)(take(program) & 1), "12345678");
        break;
    case 11:
        raw_goaway(raw, value, take(program), "debug");
        break;
    case 12:
        raw_frame(raw, (uint8_t)(take(program) % 16), (uint8_t)take(program), take_id(program),
                  bytes, take(program) % 12);
        break;
    case 13:
        raw_settings_ack(raw);
        break;
    }
}

/* The owner does something with a stream. */
static void act(struct side *side, unsigned what, int32_t id, size_t len)
{
    static const struct header_field response[] = {
        {":status", "200", 7, 3, false}, {"content-type", "application/grpc", 12, 16, false}};
    static const struct header_field request[] = {{":method", "POST", 7, 4, false},
                                                  {":scheme", "http", 7, 4, false},
                                                  {":path", "/a.B/C", 5, 6, false},
                                                  {":authority", "a", 10, 1, false}};
    struct record *record = record_of(side, id);
    if (!record || id % 2 == 0) /* an even one has the record of its neighbour */
        return;
    struct h2_stream *stream = &record->stream;

    switch (what) {
    case 0: /* start */
        if (is_server && record->is_known && !stream->has_head) {
            int error = side->ops->respond(side->engine, id, response, 2, len & 1);
            CHECK(error == -EMSGSIZE || error == 0);
            stream->has_head = error == 0;
            record->ends = error == 0 && len & 1;
        } else if (!is_server && side->ops->streams_available(side->engine) > 0) {
            int32_t given;
            int error = side->ops->open_stream(side->engine, stream, request, 4, len & 1, &given);
            CHECK(error == -EMSGSIZE || (error == 0 && given == id));
            if (error)
                return;
            stream->events = &user_events;
            stream->id = id;
            stream->has_head = true;
            record->is_known = true;
            record->ends = len & 1;
        }
        break;
    case 1: /* DATA, perhaps the end */
    case 2:
        if (!record->is_known || !stream->has_head || record->ends)
            return;
        record->to_send += 10 * len;
        record->ends = what == 2;
        record->has_trailers = is_server && what == 2 && !(len & 2);
        /* nghttp2 waits for window also with an end that needs none (RFC 9113 section 6.9.1). */
        if (record->ends && !record->has_trailers && record->to_send == 0)
            record->to_send = 1;
        CHECK(side->ops->resume(side->engine, id) == 0);
        break;
    case 3:
        if (!record->is_known)
            return;
        record->is_known = false;
        side->ops->forget(side->engine, id);
        CHECK(side->ops->reset(side->engine, id, H2_CANCEL) == 0);
        break;
    default: /* read everything */
        if (record->is_known && !stream->remote_ended &&
            record->data_len > stream->buffered_bytes) {
            size_t credit = record->data_len - stream->buffered_bytes;
            stream->buffered_bytes = record->data_len;
            CHECK(side->ops->credit_stream(side->engine, id, credit) == 0);
        }
        break;
    }
}

/* After GOAWAY and without streams the owner of an engine is done with it. */
static bool is_done(const struct side *side)
{
    if (side->is_over || !side->has_goaway)
        return side->is_over;
    for (size_t i = 0; i < IDS; i++) {
        if (side->records[i].is_known)
            return false;
    }
    return true;
}

/* A changed length may leave less than a frame's head at the end. */
static size_t byte_at(const struct raw *raw, size_t at)
{
    return at < raw->len ? raw->data[at] : 0;
}

static int look_at_field(void *userdata, const struct header_field *field)
{
    static const char *const names[] = {
        "te",      "content-length",   "connection",       "keep-alive",
        "upgrade", "proxy-connection", "transfer-encoding"};
    (void)userdata;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (field->name_len == strlen(names[i]) &&
            memcmp(field->name, names[i], field->name_len) == 0 &&
            !pgrpc__hpack_is_value(field->value, field->value_len))
            is_dropped = true;
    }
    return 0;
}

/* What both engines are about to decode. */
static void look_at_heads(const struct raw *raw)
{
    size_t at = 0;
    while (at + 9 <= raw->len) {
        const uint8_t *head = raw->data + at, *block = head + 9;
        size_t len = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
        size_t skipped = 0, pad = 0;
        at += 9 + len;
        if (at > raw->len)
            return;
        if (head[3] != FRAME_HEADERS && head[3] != FRAME_CONTINUATION)
            continue;
        if (head[3] == FRAME_HEADERS) {
            skipped =
                (head[4] & FRAME_FLAG_PADDED ? 1U : 0U) + (head[4] & FRAME_FLAG_PRIORITY ? 5U : 0U);
            pad = head[4] & FRAME_FLAG_PADDED && len > 0 ? block[0] : 0;
        }
        /* Otherwise it is wrong for both. */
        if (skipped + pad <= len &&
            pgrpc__hpack_decode(decoder, block + skipped, len - skipped - pad,
                                (head[4] & FRAME_FLAG_END_HEADERS) != 0, look_at_field, NULL) < 0)
            return;
    }
}

/* Bytes in pieces; a piece never reaches into the next frame. */
static void feed(struct side *side, const struct raw *raw, uint32_t seed)
{
    size_t at = 0, frame_end = 0;
    while (at < raw->len && !is_done(side)) {
        if (at == frame_end) {
            last_type = (uint8_t)byte_at(raw, at + 3);
            frame_end +=
                9 + (byte_at(raw, at) << 16 | byte_at(raw, at + 1) << 8 | byte_at(raw, at + 2));
        }
        seed = seed * 1664525 + 1013904223;
        size_t piece = seed >> 31 ? frame_end - at : 1 + (seed >> 16) % 12;
        if (piece > frame_end - at)
            piece = frame_end - at;
        if (piece > raw->len - at)
            piece = raw->len - at;
        int error = side->ops->receive(side->engine, raw->data + at, piece);
        CHECK(error == 0 || error == -EPROTO);
        side->is_over = error == -EPROTO;
        at += piece;
    }
    is_cut = at < frame_end || last_type == FRAME_PUSH_PROMISE;
}

static void run_step(struct program *program)
{
    unsigned choice = take(program);
    struct raw raw = {0};

    if (choice % 4 == 3) {
        unsigned what = take(program) % 5, len = take(program);
        uint32_t id = what == 0 && !is_server ? program->top_id : take_id(program);
        if (what == 0 && !is_server) {
            if (sides[0].has_goaway || id / 2 >= IDS ||
                sides[0].ops->streams_available(sides[0].engine) == 0)
                return;
        }
        if (getenv("FUZZ_TRACE"))
            fprintf(stderr, "act %u on %u, %u\n", what, (unsigned)id, len);
        for (int i = 0; i < 2; i++)
            act(&sides[i], what, (int32_t)id, len);
        /* A head that the peer does not take uses no id. */
        if (what == 0 && !is_server && sides[0].records[id / 2].is_known)
            program->top_id += 2;
    } else {
        add_frames(&raw, program, choice / 4 % 16);
        if (choice >= 240 && raw.len > 0) /* something about it is wrong */
            raw.data[take(program) % (choice >= 248 ? 9 : raw.len)] ^=
                (uint8_t)(1 << take(program) % 8);
        uint32_t seed = take(program);
        if (getenv("FUZZ_TRACE")) {
            fprintf(stderr, "bytes");
            for (size_t i = 0; i < raw.len; i++)
                fprintf(stderr, " %02x", raw.data[i]);
            fprintf(stderr, "\n");
        }
        look_at_heads(&raw);
        for (int i = 0; i < 2; i++)
            feed(&sides[i], &raw, seed);
        raw_clear(&raw);
    }
    for (int i = 0; i < 2; i++)
        write_out(&sides[i]);
    compare();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct program program = {data, len, 1};
    struct raw raw = {0};
    unsigned mode = take(&program);

    if (getenv("FUZZ_TRACE"))
        fprintf(stderr, "start\n");
    is_server = mode & 1;
    refuses = mode % 16 == 15;
    is_dropped = false;
    open_side(&sides[0], &nghttp2_engine);
    open_side(&sides[1], &pgrpc__h2_frame_engine);
    pgrpc__mem_init(&decoder_mem, NULL);
    CHECK(pgrpc__hpack_new(&decoder_mem, &decoder) == 0);
    if (mode & 2)
        raw_settings(&raw, 4, mode & 4 ? 70000 : 20, 3, 10, 0);
    else
        raw_settings(&raw, 0);
    if (mode & 8)
        raw_settings_ack(&raw);
    for (int i = 0; i < 2; i++) {
        if (is_server)
            CHECK(sides[i].ops->receive(sides[i].engine,
                                        (const uint8_t *)"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                                        24) == 0);
        feed(&sides[i], &raw, mode);
        write_out(&sides[i]);
    }
    raw_clear(&raw);
    compare();
    while (program.len > 0 && !is_cut && !is_done(&sides[0]) && !is_full())
        run_step(&program);
    for (int i = 0; i < 2; i++)
        close_side(&sides[i]);
    pgrpc__hpack_free(decoder);
    pgrpc__mem_clear(&decoder_mem);
    return 0;
}
