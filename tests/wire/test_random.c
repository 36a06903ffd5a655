/*
 * Calls that do anything at any time, and peers that say anything: whatever happens, every call
 * ends once, in a status, and nothing is left.  The same numbers every time; PGRPC_SEED=n runs one,
 * PGRPC_SEEDS=n the first n.
 */
#include "../support/phrases.h"

#include <stdio.h>
#include <stdlib.h>

enum { SEEDS = 60, SIDES_MAX = 200, STEPS = 250, LARGE = 60000 };

static uint64_t numbers;

static unsigned any(unsigned below)
{
    numbers ^= numbers << 13;
    numbers ^= numbers >> 7;
    numbers ^= numbers << 17;
    return (unsigned)((numbers >> 20) % below);
}

static bool chance(unsigned percent)
{
    return any(100) < percent;
}

/* --- both ends in the process -------------------------------------------------------------------
 */

/* One end of a call that somebody here plays. */
struct side {
    struct pgrpc_call *call; /* client: until on_done; server: until it is finished */
    bool is_server;
    bool is_single_reply;
    bool is_starting;
    bool is_given_up;  /* client: finished here */
    unsigned number;   /* client */
    unsigned received; /* messages */
    unsigned done_count;
    enum pgrpc_code code;
};

static struct {
    struct world *world;
    struct side clients[SIDES_MAX], servers[SIDES_MAX];
    unsigned client_count, server_count;
    unsigned runs[SIDES_MAX]; /* of handlers, by the client's number */
    struct pgrpc_call *suspended[SIDES_MAX];
    unsigned suspended_count;
    bool is_quiet; /* nothing new is started */
} all;

static char large[LARGE];

static void act(struct side *side);

static void finish(struct side *side)
{
    static const enum pgrpc_code codes[] = {PGRPC_OK, PGRPC_OK, PGRPC_ABORTED, PGRPC_INTERNAL,
                                            (enum pgrpc_code)77};
    struct pgrpc_call *call = side->call;
    enum pgrpc_code code = codes[any(5)];
    if (side->is_server)
        side->call = NULL;
    else
        side->is_given_up = true;
    enum pgrpc_code result = pgrpc_call_finish(call, code, "finished %u", any(1000));
    if (side->is_server)
        assert_int_equal(result, PGRPC_OK);
}

static void send_something(struct side *side)
{
    struct pgrpc_bytes bytes = {large, chance(10) ? any(LARGE) : any(100)};
    unsigned flags = (chance(20) ? PGRPC_MESSAGE_NO_COMPRESS : 0) |
                     (chance(10) && !side->is_server ? PGRPC_MESSAGE_LAST : 0);
    (void)pgrpc_call_send(side->call, &bytes, flags);
}

static void receive_something(struct side *side)
{
    const void *message;
    unsigned flags;
    do {
        enum pgrpc_io io = pgrpc_call_recv(side->call, &message, &flags);
        if (io != PGRPC_IO_DONE)
            break;
        const struct pgrpc_bytes *bytes = message;
        side->received++;
        if (bytes->len) /* every byte can be read */
            assert_int_equal(memcmp(bytes->data, large, bytes->len), 0);
    } while (chance(80));
}

static void act(struct side *side)
{
    struct pgrpc_metadatum entry = {"x-bin", large, any(50)};
    if (!side->call)
        return;
    switch (any(12)) {
    case 0:
    case 1:
    case 2:
        send_something(side);
        break;
    case 3:
    case 4:
    case 5:
    case 6:
        receive_something(side);
        break;
    case 7:
        if (chance(30))
            pgrpc_call_cancel(side->call);
        break;
    case 8:
        if (side->is_server || chance(10))
            finish(side);
        break;
    case 9:
        pgrpc_call_close_send(side->call);
        break;
    case 10:
        pgrpc_call_add_header(side->call, &entry);
        pgrpc_call_add_trailer(side->call, &entry);
        if (chance(30))
            pgrpc_call_send_headers(side->call);
        break;
    default:
        (void)pgrpc_call_remaining_ms(side->call);
        (void)pgrpc_metadata_count(pgrpc_call_headers(side->call));
        (void)pgrpc_call_queued_bytes(side->call);
        pgrpc_call_set_compression(side->call, chance(50) ? "gzip" : "deflate");
        break;
    }
}

static void on_event(struct pgrpc_call *call, void *userdata)
{
    struct side *side = userdata;
    (void)call;
    assert_false(side->is_starting);
    assert_int_equal(side->done_count, 0);
    if (chance(60))
        act(side);
}

static void on_done(struct pgrpc_call *call, void *userdata)
{
    struct side *side = userdata;
    assert_false(side->is_starting);
    assert_int_equal(side->done_count++, 0);
    side->code = pgrpc_call_status(call)->code;
    assert_true((unsigned)side->code <= PGRPC_UNAUTHENTICATED);
    if (side->is_server) {
        if (side->call && (all.is_quiet || chance(70)))
            finish(side);
        return;
    }
    if (side->is_single_reply && side->code == PGRPC_OK && chance(50)) {
        receive_something(side);
        side->code = pgrpc_call_status(call)->code;
    }
    side->call = NULL;
}

static const struct pgrpc_call_events events = {.size = sizeof(events),
                                                .on_headers = on_event,
                                                .on_readable = on_event,
                                                .on_writable = on_event,
                                                .on_done = on_done};

static void serve_anything(struct pgrpc_call *call, const void *message, const void *handlers,
                           void *userdata)
{
    const struct pgrpc_metadatum *number =
        pgrpc_metadata_find(pgrpc_call_headers(call), "x-number");
    (void)message;
    (void)handlers;
    (void)userdata;
    assert_non_null(number);
    all.runs[atoi(number->value)]++;
    if (all.server_count == SIDES_MAX || all.is_quiet) {
        pgrpc_call_finish(call, PGRPC_UNAVAILABLE, NULL);
        return;
    }
    struct side *side = &all.servers[all.server_count++];
    side->call = call;
    side->is_server = true;
    side->is_starting = true;
    pgrpc_call_set_events(call, &events, side);
    side->is_starting = false;
    while (chance(50))
        act(side);
}

static enum pgrpc_verdict intercept(struct pgrpc_call *call, void *userdata)
{
    (void)userdata;
    if (chance(3))
        pgrpc_call_finish(call, PGRPC_PERMISSION_DENIED, "by chance");
    if (chance(10) && all.suspended_count < SIDES_MAX && !all.is_quiet) {
        all.suspended[all.suspended_count++] = pgrpc_call_ref(call);
        return PGRPC_SUSPEND;
    }
    return PGRPC_CONTINUE;
}

static void resume_one(void)
{
    if (!all.suspended_count)
        return;
    struct pgrpc_call *call = all.suspended[--all.suspended_count];
    pgrpc_call_resume(call);
    pgrpc_call_unref(call);
}

static const struct pgrpc_interceptor interceptor = {.size = sizeof(interceptor),
                                                     .on_start = intercept};

static void start_call(void)
{
    static const char *const compressions[] = {NULL, "gzip", "deflate", "identity"};
    char number[16];
    if (all.client_count == SIDES_MAX || !all.world->channel)
        return;
    struct side *side = &all.clients[all.client_count];
    side->number = all.client_count++;
    snprintf(number, sizeof(number), "%u", side->number);
    struct pgrpc_metadatum entry = {"x-number", number, strlen(number)};
    struct pgrpc_call_options options = {.size = sizeof(options),
                                         .timeout_ms = chance(30) ? (int64_t)any(200) - 5 : 0,
                                         .wait_for_ready = chance(20),
                                         .compression = compressions[any(4)],
                                         .metadata = &entry,
                                         .metadata_count = 1};
    enum world_method method = (enum world_method)any(4);
    struct pgrpc_bytes request = {large, any(500)};
    bool streams = method == WORLD_CLIENT_STREAM || method == WORLD_BIDI;
    side->is_single_reply = method == WORLD_UNARY || method == WORLD_CLIENT_STREAM;
    side->is_starting = true;
    side->call = pgrpc_call_start(all.world->channel, &all.world->methods[method],
                                  streams ? NULL : &request, &options, &events, side);
    assert_non_null(side->call);
    side->is_starting = false;
}

static void start_channel(void)
{
    struct pgrpc_channel_options options = {.size = sizeof(options),
                                            .send_high_water_bytes = 1 + any(20000),
                                            .stream_window_bytes = 1000 + any(100000),
                                            .interceptors = &interceptor,
                                            .interceptor_count = any(2)};
    world_start_client_in_process(all.world, &options);
    assert_non_null(all.world->channel);
}

static void step(void)
{
    switch (any(10)) {
    case 0:
    case 1:
        start_call();
        break;
    case 2:
    case 3:
        if (all.client_count)
            act(&all.clients[any(all.client_count)]);
        break;
    case 4:
    case 5:
        if (all.server_count)
            act(&all.servers[any(all.server_count)]);
        break;
    case 6:
        all.world->now_ms += any(30);
        break;
    case 7:
        resume_one();
        break;
    case 8:
        if (chance(5)) {
            pgrpc_channel_unref(all.world->channel);
            start_channel();
        }
        break;
    default:
        world_run(all.world);
        return;
    }
    for (unsigned turns = any(4); turns > 0; turns--)
        pgrpc_loop_dispatch(all.world->loop, 0);
}

/* Everything ends, and each side as it should. */
static void conclude(void)
{
    all.is_quiet = true;
    while (all.suspended_count)
        resume_one();
    for (unsigned i = 0; i < all.client_count; i++)
        pgrpc_call_cancel(all.clients[i].call);
    world_run(all.world);
    for (unsigned i = 0; i < all.server_count; i++)
        if (all.servers[i].call)
            finish(&all.servers[i]);
    world_run(all.world);
    for (unsigned i = 0; i < all.client_count; i++) {
        const struct side *side = &all.clients[i];
        assert_int_equal(side->done_count, 1);
        assert_true(all.runs[i] <= 1);
        if (side->is_single_reply)
            assert_true(side->received <= 1);
        if (side->code == PGRPC_OK && !side->is_given_up)
            assert_int_equal(all.runs[i], 1);
    }
    for (unsigned i = 0; i < all.server_count; i++) {
        assert_int_equal(all.servers[i].done_count, 1);
        assert_null(all.servers[i].call);
    }
}

static void run_both(struct world *world, uint64_t seed)
{
    numbers = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    memset(&all, 0, sizeof(all));
    all.world = world;
    struct pgrpc_server_options options = {.size = sizeof(options),
                                           .max_concurrent_calls = 1 + any(chance(30) ? 5 : 100),
                                           .max_receive_bytes = chance(30) ? 20000 : 0,
                                           .send_high_water_bytes = 1 + any(20000),
                                           .stream_window_bytes = 1000 + any(100000),
                                           .interceptors = &interceptor,
                                           .interceptor_count = any(2)};
    for (int i = 0; i < 4; i++)
        world->bindings[i].invoke = serve_anything;
    world_start_server(world, &options);
    start_channel();
    for (unsigned i = 0; i < STEPS; i++)
        step();
    conclude();
}

static uint64_t number_from(const char *name)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : 0;
}

static uint64_t seed_now;

/* Runs a world for each seed. */
static void for_each_seed(void (*run)(struct world *world, uint64_t seed))
{
    uint64_t only = number_from("PGRPC_SEED"), count = number_from("PGRPC_SEEDS");
    uint64_t last = only ? only : count ? count : SEEDS;
    for (seed_now = only ? only : 1; seed_now <= last; seed_now++) {
        struct world *world = calloc(1, sizeof(*world));
        assert_non_null(world);
        world_init(world);
        run(world, seed_now);
        world_clear(world);
        free(world);
    }
    seed_now = 0;
}

/* Which one it was, when a test stopped. */
static int tell_seed(void **state)
{
    (void)state;
    if (seed_now)
        print_message("# PGRPC_SEED=%lu\n", (unsigned long)seed_now);
    return 0;
}

static void calls_that_do_anything_end_once(void **state)
{
    (void)state;
    for_each_seed(run_both);
}

/* --- a peer that says anything ------------------------------------------------------------------
 */

/* The streams of the connection at hand, as far as they are open on the test's side. */
static struct {
    struct {
        uint32_t id;
        bool has_head;
    } open[64];
    unsigned count;
    uint32_t last_id;
} streams;

static void add_stream(uint32_t id, bool has_head)
{
    if (streams.count == 64)
        return;
    streams.open[streams.count].id = id;
    streams.open[streams.count++].has_head = has_head;
}

static void drop_stream(unsigned place)
{
    if (place < streams.count)
        streams.open[place] = streams.open[--streams.count];
}

/* Notes the streams that a client opened. */
static void note_streams(const char *frames)
{
    for (const char *head = strstr(frames, "HEADERS "); head; head = strstr(head + 1, "HEADERS "))
        add_stream((uint32_t)strtoul(head + 8, NULL, 10), false);
}

/* Some frames of a conversation, most of them good, in any order. */
static void say_anything(struct world *world, bool is_server)
{
    static const char *const responses[] = {"",
                                            "",
                                            "",
                                            "grpc-encoding=gzip",
                                            ":status=404",
                                            "content-type=text/html",
                                            ":status=100",
                                            "a=b|+a=c",
                                            "grpc-status=3",
                                            "x-bin=!",
                                            "-content-type"};
    static const char *const requests[] = {"",
                                           ":path=/test.Echo/Chat",
                                           ":path=/test.Echo/Gather",
                                           ":path=/test.Echo/Pour",
                                           ":path=/test.Echo/Chat|grpc-timeout=5m",
                                           "grpc-encoding=gzip",
                                           ":method=GET",
                                           "te=gzip",
                                           "x-bin=!",
                                           ":path=/a/b"};
    static const char *const trailers[] = {"grpc-status=0", "grpc-status=0",
                                           "grpc-status=5|grpc-message=%zz", "a=b",
                                           "grpc-status=0|x-bin=AA"};
    static const char *const texts[] = {"hello", "fail", "details", "silent", "gzip", "metadata"};
    /* One in fifty is on a stream that is not open. */
    unsigned place = streams.count && chance(98) ? any(streams.count) : 64;
    uint32_t id = place < streams.count ? streams.open[place].id : any(30);
    unsigned kind = any(16);
    uint8_t end = chance(20) ? RAW_END_STREAM : 0;
    uint8_t bytes[40];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)any(256);
    if (is_server && place < streams.count && !streams.open[place].has_head && chance(98))
        kind = kind == 10 ? 10 : 0;
    switch (kind) {
    case 0:
    case 1:
    case 2:
    case 3:
        if (is_server) {
            const char *changes = responses[any(11)];
            if (place < streams.count && strcmp(changes, ":status=100") != 0)
                streams.open[place].has_head = true;
            world_response(world, end, id, changes);
        } else {
            streams.last_id += streams.last_id ? 2 : 1;
            world_request(world, end, streams.last_id, requests[any(10)]);
            add_stream(streams.last_id, true);
            place = end ? streams.count - 1 : 64;
        }
        break;
    case 4:
    case 5:
    case 6:
        world_message(world, end, id, texts[any(6)]);
        break;
    case 7:
    case 8:
        world_trailers(world, id, trailers[any(5)]);
        end = RAW_END_STREAM;
        break;
    case 9:
        raw_data(&world->out, end, id, bytes, any(sizeof(bytes)));
        break;
    case 10:
        raw_rst(&world->out, id, any(14));
        end = RAW_END_STREAM;
        break;
    case 11:
        raw_window_update(&world->out, chance(50) ? 0 : id, 1 + any(100000));
        break;
    case 12:
        if (chance(30))
            raw_settings(&world->out, 3 + any(2), chance(50) ? any(10) : any(100000), 0);
        break;
    case 13:
        if (chance(10))
            raw_goaway(&world->out, chance(50) ? id : 0x7fffffff, any(12), "bye");
        break;
    case 14:
        if (chance(2))
            raw_frame(&world->out, (uint8_t)any(12), (uint8_t)any(256), id, bytes,
                      any(sizeof(bytes)));
        break;
    default:
        world_framed(world, end, id, (uint8_t)(chance(90) ? 0 : any(3)), bytes, any(sizeof(bytes)));
        break;
    }
    if (end && (kind < 11 || kind > 14) && chance(98))
        drop_stream(place);
}

/* Bytes that are not what they were. */
static void spoil(struct world *world)
{
    if (world->out.len && chance(1))
        world->out.data[any((unsigned)world->out.len)] ^= (uint8_t)(1 << any(8));
    if (world->out.len && any(300) == 0)
        world->out.len = any((unsigned)world->out.len);
}

/* Greets on a new connection. */
static void greet(struct world *world, bool is_server)
{
    memset(&streams, 0, sizeof(streams));
    if (is_server)
        world_greet_client(world);
    else
        world_greet_server(world);
}

static void talk_anything(struct world *world, uint64_t seed, bool is_server)
{
    numbers = seed * UINT64_C(0x9e3779b97f4a7c15) + 7;
    unsigned connections = 0;
    world->max_piece = chance(20) ? 1 + any(50) : 0;
    if (is_server) {
        world_start_client(world, NULL);
    } else {
        world_start_server(world, NULL);
        greet(world, false);
    }
    for (unsigned i = 0; i < 60; i++) {
        struct pgrpc_call_options options = {.size = sizeof(options),
                                             .timeout_ms = chance(20) ? 1 + any(100) : 0,
                                             .wait_for_ready = chance(50)};
        if (is_server && world->call_count < 100 && chance(60)) {
            enum world_method method = (enum world_method)any(4);
            bool is_streaming = method == WORLD_CLIENT_STREAM || method == WORLD_BIDI;
            world_call(world, method, is_streaming ? NULL : "hi", &options);
        }
        world->log[0] = '\0';
        world_run(world);
        if (world->connection_count != connections) {
            connections = world->connection_count;
            greet(world, true);
        } else {
            for (unsigned frames = any(6); frames > 0; frames--)
                say_anything(world, is_server);
            spoil(world);
        }
        const char *frames = world_talk(world);
        if (is_server)
            note_streams(frames);
        world_sleep(world, any(20));
        if (chance(1)) {
            world_hang_up(world);
            if (!is_server) {
                world_reconnect(world);
                greet(world, false);
            } else {
                world_sleep(world, 3000);
            }
        }
    }
    world_hang_up(world);
    if (is_server) {
        pgrpc_channel_unref(world->channel);
        world->channel = NULL;
        world_run(world);
        for (size_t i = 0; i < world->call_count; i++)
            assert_true(world->calls[i].is_done);
    }
}

static void talk_as_server(struct world *world, uint64_t seed)
{
    talk_anything(world, seed, true);
}

static void talk_as_client(struct world *world, uint64_t seed)
{
    talk_anything(world, seed, false);
}

static void a_server_that_says_anything_ends_calls_once(void **state)
{
    (void)state;
    for_each_seed(talk_as_server);
}

static void a_client_that_says_anything_leaves_nothing(void **state)
{
    (void)state;
    for_each_seed(talk_as_client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(calls_that_do_anything_end_once, tell_seed),
        cmocka_unit_test_teardown(a_server_that_says_anything_ends_calls_once, tell_seed),
        cmocka_unit_test_teardown(a_client_that_says_anything_leaves_nothing, tell_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
