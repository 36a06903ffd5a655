#include "world.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/channel.h"
#include "io/credentials.h"
#include "rpc/call.h"
#include "server/server.h"
#include "unit.h"

enum { PIPE_CAPACITY = 4 * 1024 * 1024, TURNS_MAX = 100000 };

static int64_t fake_clock(void *userdata)
{
    return ((struct world *)userdata)->now_ms;
}

static uint64_t fixed_random(void *userdata)
{
    (void)userdata;
    return 2048; /* the middle of the jitter */
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

/* --- the service --------------------------------------------------------------------------------
 */

static const struct pgrpc_method methods[4] = {
    {.path = "/test.Echo/Say", .flags = 0, .codec = &pgrpc_codec_raw},
    {.path = "/test.Echo/Pour", .flags = PGRPC_METHOD_SERVER_STREAMING, .codec = &pgrpc_codec_raw},
    {.path = "/test.Echo/Gather",
     .flags = PGRPC_METHOD_CLIENT_STREAMING,
     .codec = &pgrpc_codec_raw},
    {.path = "/test.Echo/Chat",
     .flags = PGRPC_METHOD_CLIENT_STREAMING | PGRPC_METHOD_SERVER_STREAMING,
     .codec = &pgrpc_codec_raw},
};

static bool says(const struct pgrpc_bytes *bytes, const char *text)
{
    return bytes->len == strlen(text) && memcmp(bytes->data, text, bytes->len) == 0;
}

/*
 * "fail": INTERNAL with a text.  "details": ABORTED with rich details.  "metadata": echoes x-*
 * headers as headers and trailers.  "silent": never answers (on_done is logged).  "garbage":
 * finishes with code 99.  "gzip": compresses.
 */
static void say_done(struct pgrpc_call *call, void *userdata)
{
    struct world *world = userdata;
    note(world->log, sizeof(world->log), "server done %s cancelled=%d\n",
         pgrpc_code_name(pgrpc_call_status(call)->code), pgrpc_call_is_cancelled(call));
    pgrpc_call_finish(call, PGRPC_OK, NULL);
}

static void echo_metadata(struct pgrpc_call *call)
{
    const struct pgrpc_metadata *headers = pgrpc_call_headers(call);
    for (size_t i = 0; i < pgrpc_metadata_count(headers); i++) {
        struct pgrpc_metadatum entry = pgrpc_metadata_at(headers, i);
        if (strncmp(entry.key, "x-", 2) == 0) {
            pgrpc_call_add_header(call, &entry);
            pgrpc_call_add_trailer(call, &entry);
        }
    }
}

static void say(struct pgrpc_call *call, const void *message, const void *handlers, void *userdata)
{
    struct world *world = userdata;
    const struct pgrpc_bytes *request = message;
    struct pgrpc_call_events events = {.size = sizeof(events), .on_done = say_done};
    (void)handlers;
    note(world->log, sizeof(world->log), "say %.*s\n", (int)request->len,
         (const char *)request->data);
    if (says(request, "fail")) {
        pgrpc_call_finish(call, PGRPC_INTERNAL, "it failed: 100%% of it, \xe2\x98\xba");
    } else if (says(request, "details")) {
        struct pgrpc_status status = {PGRPC_ABORTED, "with details", "\x08\x0a\x12\x00", 4};
        pgrpc_call_finish_status(call, &status);
    } else if (says(request, "garbage")) {
        pgrpc_call_finish(call, (enum pgrpc_code)99, "odd");
    } else if (says(request, "silent")) {
        pgrpc_call_set_events(call, &events, world);
    } else {
        if (says(request, "metadata"))
            echo_metadata(call);
        if (says(request, "gzip"))
            pgrpc_call_set_compression(call, "gzip");
        pgrpc_call_reply(call, request);
    }
}

static void pour(struct pgrpc_call *call, const void *message, const void *handlers, void *userdata)
{
    (void)handlers;
    (void)userdata;
    for (int i = 0; i < 3; i++)
        pgrpc_call_send(call, message, 0);
    pgrpc_call_finish(call, PGRPC_OK, NULL);
}

/* Joins what came in memory of the call. */
static void gather_readable(struct pgrpc_call *call, void *userdata)
{
    struct pgrpc_bytes *all = userdata;
    const void *message;
    enum pgrpc_io io;
    while ((io = pgrpc_call_recv(call, &message, NULL)) == PGRPC_IO_DONE) {
        const struct pgrpc_bytes *part = message;
        char *joined = pgrpc_call_alloc(call, all->len + part->len + 1);
        if (!joined) {
            pgrpc_call_finish(call, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
            return;
        }
        if (all->len)
            memcpy(joined, all->data, all->len);
        if (part->len)
            memcpy(joined + all->len, part->data, part->len);
        all->data = joined;
        all->len += part->len;
    }
    if (io == PGRPC_IO_END)
        pgrpc_call_reply(call, all);
    else if (io == PGRPC_IO_CLOSED)
        pgrpc_call_finish(call, PGRPC_CANCELLED, NULL);
}

static void gather(struct pgrpc_call *call, const void *message, const void *handlers,
                   void *userdata)
{
    struct pgrpc_call_events events = {.size = sizeof(events), .on_readable = gather_readable};
    struct pgrpc_bytes *all = pgrpc_call_alloc(call, sizeof(*all));
    (void)message;
    (void)handlers;
    (void)userdata;
    if (!all) {
        pgrpc_call_finish(call, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    *all = (struct pgrpc_bytes){NULL, 0};
    pgrpc_call_set_events(call, &events, all);
}

static void chat_readable(struct pgrpc_call *call, void *userdata)
{
    const void *message;
    enum pgrpc_io io;
    (void)userdata;
    while ((io = pgrpc_call_recv(call, &message, NULL)) == PGRPC_IO_DONE)
        pgrpc_call_send(call, message, 0);
    if (io != PGRPC_IO_AGAIN)
        pgrpc_call_finish(call, PGRPC_OK, NULL);
}

static void chat(struct pgrpc_call *call, const void *message, const void *handlers, void *userdata)
{
    struct pgrpc_call_events events = {.size = sizeof(events), .on_readable = chat_readable};
    (void)message;
    (void)handlers;
    pgrpc_call_set_events(call, &events, userdata);
}

/* --- life ---------------------------------------------------------------------------------------
 */

void world_init(struct world *world)
{
    static const struct pgrpc_binding bindings[4] = {
        {say, PGRPC_RUN_INLINE},
        {pour, PGRPC_RUN_INLINE},
        {gather, PGRPC_RUN_INLINE},
        {chat, PGRPC_RUN_INLINE},
    };
    memset(world, 0, sizeof(*world));
    memcpy(world->bindings, bindings, sizeof(bindings));
    memcpy(world->methods, methods, sizeof(methods));
    world->service = (struct pgrpc_service){.version = PGRPC_CODEGEN_VERSION,
                                            .method_size = sizeof(struct pgrpc_method),
                                            .name = "test.Echo",
                                            .methods = world->methods,
                                            .method_count = 4};
    world->userdata = world;
    world->now_ms = 1000000;
    faulty_allocator_init(&world->faulty, 0);
    struct pgrpc_loop_options options = {.size = sizeof(options), .allocator = &world->faulty.hook};
    world->loop = pgrpc_loop_new(&options);
    assert_non_null(world->loop);
    pgrpc__loop_set_clock(world->loop, fake_clock, world);
    pgrpc__loop_set_random(world->loop, fixed_random, world);
}

/* Lock held. */
static void free_end(struct bytestream **peer, struct raw_reader **reader)
{
    if (!*peer)
        return;
    (*peer)->ops->free(*peer);
    raw_reader_free(*reader);
    *peer = NULL;
    *reader = NULL;
}

static void close_peer(struct world *world)
{
    assert_int_equal(pgrpc__loop_take_lock(world->loop), 0);
    free_end(&world->peer, &world->reader);
    pgrpc__loop_leave_lock(world->loop);
}

void world_swap(struct world *world)
{
    struct bytestream *peer = world->peer;
    struct raw_reader *reader = world->reader;
    world->peer = world->other_peer;
    world->reader = world->other_reader;
    world->other_peer = peer;
    world->other_reader = reader;
}

void world_clear(struct world *world)
{
    pgrpc_channel_unref(world->channel);
    world_run(world);
    close_peer(world);
    world_swap(world);
    close_peer(world);
    if (world->server)
        pgrpc_server_free(world->server);
    world_run(world);
    pgrpc_loop_free(world->loop);
    raw_clear(&world->out);
    assert_int_equal(faulty_allocator_live(&world->faulty), 0);
}

/* --- connections --------------------------------------------------------------------------------
 */

static int connect_client(void *userdata, struct pgrpc_loop *loop, struct bytestream **stream,
                          char error[SUBCHANNEL_ERROR_MAX])
{
    struct world *world = userdata;
    struct bytestream *peer = NULL;
    world->connection_count++;
    if (world->refuses) {
        snprintf(error, SUBCHANNEL_ERROR_MAX, "connection refused by the test");
        return -ECONNREFUSED;
    }
    if (pgrpc__pipe_new(loop, PIPE_CAPACITY, stream, &peer)) {
        snprintf(error, SUBCHANNEL_ERROR_MAX, "out of memory");
        return -ENOMEM;
    }
    free_end(&world->other_peer, &world->other_reader);
    world_swap(world);
    pgrpc__pipe_set_faults(*stream, &world->faults);
    world->peer = peer;
    world->reader = raw_reader_new(true);
    return 0;
}

void world_start_client(struct world *world, const struct pgrpc_channel_options *options)
{
    struct pgrpc_channel_options given = {.size = sizeof(given)};
    struct channel_source source = {connect_client, NULL, world};
    struct pgrpc_error error = {""};
    if (options)
        given = *options;
    given.loop = world->loop;
    if (pgrpc__channel_new("localhost:50051",
                           world->credentials ? world->credentials : pgrpc_credentials_insecure(),
                           &given, &source, &world->channel, &error))
        world->channel = NULL; /* tests that let allocations fail look at this */
}

static void connect_server(struct world *world)
{
    struct bytestream *theirs = NULL;
    assert_int_equal(pgrpc__loop_take_lock(world->loop), 0);
    if (pgrpc__pipe_new(world->loop, PIPE_CAPACITY, &theirs, &world->peer) == 0) {
        pgrpc__pipe_set_faults(theirs, &world->faults);
        if (!world->credentials || pgrpc__credentials_wrap(world->credentials, world->loop, theirs,
                                                           NULL, true, &theirs) == 0)
            (void)pgrpc__server_loop_serve(&world->server->loops[0], theirs);
    }
    pgrpc__loop_leave_lock(world->loop);
    if (world->peer)
        world->reader = raw_reader_new(false);
}

void world_start_server(struct world *world, const struct pgrpc_server_options *options)
{
    struct pgrpc_server_options given = {.size = sizeof(given)};
    struct pgrpc_error error = {""};
    if (options)
        given = *options;
    given.loop = world->loop;
    given.allocator = &world->faulty.hook;
    if (pgrpc_server_new(&given, &world->server, &error))
        return;
    if (pgrpc_server_register(world->server, &world->service, world->bindings, NULL,
                              world->userdata) ||
        pgrpc_server_start(world->server)) {
        pgrpc_server_free(world->server);
        world->server = NULL;
        return;
    }
    connect_server(world);
}

void world_reconnect(struct world *world)
{
    close_peer(world);
    world_run(world);
    connect_server(world);
}

void world_start_client_in_process(struct world *world, const struct pgrpc_channel_options *options)
{
    struct pgrpc_channel_options given = {.size = sizeof(given)};
    struct pgrpc_error error = {""};
    if (options)
        given = *options;
    given.loop = world->loop;
    if (pgrpc_channel_new_in_process(world->server, &given, &world->channel, &error))
        world->channel = NULL;
}

/* --- calls --------------------------------------------------------------------------------------
 */

static void on_headers(struct pgrpc_call *call, void *userdata)
{
    struct world_call *record = userdata;
    const struct pgrpc_metadata *headers = pgrpc_call_headers(call);
    note(record->log, sizeof(record->log), "headers");
    for (size_t i = 0; i < pgrpc_metadata_count(headers); i++) {
        struct pgrpc_metadatum entry = pgrpc_metadata_at(headers, i);
        note(record->log, sizeof(record->log), " %s=%.*s", entry.key, (int)entry.len,
             (const char *)entry.value);
    }
    note(record->log, sizeof(record->log), "\n");
}

static void take_messages(struct world_call *record, struct pgrpc_call *call)
{
    const void *message;
    unsigned flags;
    enum pgrpc_io io;
    while ((io = pgrpc_call_recv(call, &message, &flags)) == PGRPC_IO_DONE) {
        const struct pgrpc_bytes *bytes = message;
        note(record->log, sizeof(record->log), "message %zu %.*s%s\n", bytes->len,
             (int)(bytes->len < 40 ? bytes->len : 40), (const char *)bytes->data,
             flags & PGRPC_MESSAGE_COMPRESSED ? " compressed" : "");
    }
    if (io == PGRPC_IO_END)
        note(record->log, sizeof(record->log), "end\n");
}

static void on_readable(struct pgrpc_call *call, void *userdata)
{
    struct world_call *record = userdata;
    if (record->reads)
        take_messages(record, call);
}

static void on_writable(struct pgrpc_call *call, void *userdata)
{
    struct world_call *record = userdata;
    (void)call;
    note(record->log, sizeof(record->log), "writable\n");
}

static void on_done(struct pgrpc_call *call, void *userdata)
{
    struct world_call *record = userdata;
    const struct pgrpc_status *status = pgrpc_call_status(call);
    const struct pgrpc_metadata *trailers = pgrpc_call_trailers(call);
    record->is_done = true;
    record->code = status->code;
    record->call = NULL;
    snprintf(record->message, sizeof(record->message), "%s", status->message);
    record->details_len = status->details_len < sizeof(record->details) ? status->details_len : 0;
    if (record->details_len)
        memcpy(record->details, status->details, record->details_len);
    note(record->log, sizeof(record->log), "done %s", pgrpc_code_name(status->code));
    for (size_t i = 0; i < pgrpc_metadata_count(trailers); i++) {
        struct pgrpc_metadatum entry = pgrpc_metadata_at(trailers, i);
        note(record->log, sizeof(record->log), " %s=%.*s", entry.key, (int)entry.len,
             (const char *)entry.value);
    }
    note(record->log, sizeof(record->log), "\n");
}

struct world_call *world_call_message(struct world *world, enum world_method method,
                                      const void *message, const struct pgrpc_call_options *options)
{
    struct pgrpc_call_events events = {.size = sizeof(events),
                                       .on_headers = on_headers,
                                       .on_readable = on_readable,
                                       .on_writable = on_writable,
                                       .on_done = on_done};
    assert_true(world->call_count < WORLD_CALLS_MAX);
    struct world_call *record = &world->calls[world->call_count++];
    record->world = world;
    record->reads = true;
    record->call = pgrpc_call_start(world->channel, &world->methods[method], message, options,
                                    &events, record);
    return record;
}

struct world_call *world_call(struct world *world, enum world_method method, const char *request,
                              const struct pgrpc_call_options *options)
{
    struct pgrpc_bytes bytes = {request, request ? strlen(request) : 0};
    return world_call_message(world, method, request ? &bytes : NULL, options);
}

/* --- turning ------------------------------------------------------------------------------------
 */

void world_run(struct world *world)
{
    for (int i = 0; i < TURNS_MAX; i++)
        if (pgrpc_loop_dispatch(world->loop, 0) <= 0)
            return;
    fail_msg("the loop does not come to rest");
}

void world_sleep(struct world *world, int64_t ms)
{
    world->now_ms += ms;
    world_run(world);
}

/* Writes |data| as the test's end; what does not fit waits for a turn. */
static void say_bytes(struct world *world, const uint8_t *data, size_t len)
{
    while (len && world->peer) {
        size_t piece = world->max_piece && world->max_piece < len ? world->max_piece : len;
        struct iovec vector = {(void *)(uintptr_t)data, piece};
        assert_int_equal(pgrpc__loop_take_lock(world->loop), 0);
        ssize_t taken = world->peer->ops->writev(world->peer, &vector, 1);
        pgrpc__loop_leave_lock(world->loop);
        if (taken < 0 && taken != -EAGAIN)
            return;
        world_run(world);
        if (taken > 0) {
            data += taken;
            len -= (size_t)taken;
        }
    }
}

static void hear(struct world *world)
{
    uint8_t buffer[65536];
    ssize_t len = 0;
    do {
        assert_int_equal(pgrpc__loop_take_lock(world->loop), 0);
        len = world->peer ? world->peer->ops->read(world->peer, buffer, sizeof(buffer)) : 0;
        pgrpc__loop_leave_lock(world->loop);
        if (len > 0)
            raw_reader_add(world->reader, buffer, (size_t)len);
        world_run(world);
    } while (len > 0);
}

const char *world_talk(struct world *world)
{
    world_run(world);
    struct raw out = world->out;
    memset(&world->out, 0, sizeof(world->out));
    say_bytes(world, out.data, out.len);
    raw_clear(&out);
    world_run(world);
    hear(world);
    return world->reader ? raw_reader_take(world->reader) : "";
}

const char *world_talk_streams(struct world *world)
{
    static char kept[16384];
    static const char *const dropped[] = {"SETTINGS", "WINDOW_UPDATE", "PING"};
    const char *line = world_talk(world);
    kept[0] = '\0';
    while (*line) {
        const char *end = strchr(line, '\n');
        size_t len = end ? (size_t)(end - line) + 1 : strlen(line);
        bool drop = false;
        for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++)
            drop |= strncmp(line, dropped[i], strlen(dropped[i])) == 0;
        if (!drop && strlen(kept) + len < sizeof(kept))
            strncat(kept, line, len);
        line += len;
    }
    return kept;
}

void world_hang_up(struct world *world)
{
    close_peer(world);
    world_run(world);
}

/* --- phrases ------------------------------------------------------------------------------------
 */

void world_message(struct world *world, uint8_t flags, uint32_t id, const char *text)
{
    size_t len = strlen(text);
    uint8_t *framed = malloc(len + 5);
    assert_non_null(framed);
    framed[0] = 0;
    framed[1] = (uint8_t)(len >> 24);
    framed[2] = (uint8_t)(len >> 16);
    framed[3] = (uint8_t)(len >> 8);
    framed[4] = (uint8_t)len;
    memcpy(framed + 5, text, len);
    raw_data(&world->out, flags, id, framed, len + 5);
    free(framed);
}

void world_greet_client(struct world *world)
{
    raw_settings(&world->out, 0);
    raw_settings_ack(&world->out);
}

void world_greet_server(struct world *world)
{
    raw_magic(&world->out);
    raw_settings(&world->out, 0);
    raw_settings_ack(&world->out);
}
