/* Calls whose allocations fail, one after the other, or from one on: every call that started ends
 * exactly once with a status, nothing is left, and after a single failure the next call goes well.
 * Client and server together, and each alone with a peer made of frames. */
#include "../support/failures.h"
#include "../support/phrases.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/server.h"

#define COUNT(array) (sizeof(array) / sizeof(array[0]))

enum { BIG_LEN = 3000, SENT_MAX = 4, OUTPUT_MAX = 65536 };

/* --- calls of our client ------------------------------------------------------------------------
 */

/* One call: what it asks for, what a good end is, and what happened to it. */
struct record {
    enum world_method method;
    const char *request;
    unsigned send_count; /* messages to send once it has started */
    unsigned due;        /* messages of a good answer */
    size_t due_bytes;
    enum pgrpc_code good;
    bool is_cancelled;
    const char *compression;
    int64_t timeout_ms;

    struct pgrpc_call *call; /* counted */
    bool is_starting;
    unsigned sent;
    unsigned received;
    size_t received_bytes;
    unsigned done;
    enum pgrpc_code code;
};

static char big[BIG_LEN + 1];

static const struct record records[] = {
    {.method = WORLD_UNARY, .request = "metadata", .due = 1, .due_bytes = 8, .compression = "gzip"},
    {.method = WORLD_UNARY, .request = "gzip", .due = 1, .due_bytes = 4, .timeout_ms = 600000},
    {.method = WORLD_UNARY, .request = "details", .good = PGRPC_ABORTED},
    {.method = WORLD_SERVER_STREAM, .request = big, .due = 3, .due_bytes = (size_t)3 * BIG_LEN},
    {.method = WORLD_CLIENT_STREAM, .send_count = 3, .due = 1, .due_bytes = (size_t)3 * BIG_LEN},
    {.method = WORLD_BIDI, .send_count = 4, .due = 4, .due_bytes = (size_t)4 * BIG_LEN},
    {.method = WORLD_BIDI, .send_count = 1, .good = PGRPC_CANCELLED, .is_cancelled = true},
};

static void pump(struct record *record)
{
    struct pgrpc_bytes bytes = {big, BIG_LEN};
    while (record->sent < record->send_count) {
        if (pgrpc_call_send(record->call, &bytes, 0) != PGRPC_IO_DONE)
            return;
        record->sent++;
    }
    if (record->send_count && !record->is_cancelled)
        pgrpc_call_close_send(record->call);
}

static void on_writable(struct pgrpc_call *call, void *userdata)
{
    (void)call;
    pump(userdata);
}

static void on_readable(struct pgrpc_call *call, void *userdata)
{
    struct record *record = userdata;
    const void *message;
    CHECK(!record->done);
    while (pgrpc_call_recv(call, &message, NULL) == PGRPC_IO_DONE) {
        record->received++;
        record->received_bytes += ((const struct pgrpc_bytes *)message)->len;
    }
}

static void on_done(struct pgrpc_call *call, void *userdata)
{
    struct record *record = userdata;
    CHECK(!record->is_starting);
    record->done++;
    record->code = pgrpc_call_status(call)->code;
    CHECK(pgrpc_call_status(call)->message);
    CHECK(record->code == PGRPC_OK || *pgrpc_call_status(call)->message);
}

/* A peer that lost its memory is UNAVAILABLE, CANCELLED or INTERNAL to us; never OK. */
static void check_end(const struct record *record)
{
    CHECK(record->done == (record->call ? 1 : 0));
    if (!record->done)
        return;
    if (record->code == PGRPC_OK) {
        CHECK(record->good == PGRPC_OK);
        CHECK(record->received == record->due);
        CHECK(record->received_bytes == record->due_bytes);
    }
    CHECK(record->code == record->good || record->code == PGRPC_RESOURCE_EXHAUSTED ||
          record->code == PGRPC_UNAVAILABLE || record->code == PGRPC_CANCELLED ||
          record->code == PGRPC_INTERNAL);
}

static void start(struct world *world, struct record *record, bool waits)
{
    const struct pgrpc_metadatum metadata[] = {{.key = "x-name", .value = "value", .len = 5},
                                               {.key = "x-bin", .value = "\0\1\2", .len = 3}};
    struct pgrpc_call_options options = {.size = sizeof(options),
                                         .compression = record->compression,
                                         .timeout_ms = record->timeout_ms,
                                         .wait_for_ready = waits,
                                         .metadata = metadata,
                                         .metadata_count = 2};
    struct pgrpc_call_events events = {.size = sizeof(events),
                                       .on_readable = on_readable,
                                       .on_writable = on_writable,
                                       .on_done = on_done};
    struct pgrpc_bytes bytes = {record->request, record->request ? strlen(record->request) : 0};
    record->is_starting = true;
    record->call = pgrpc_call_start(world->channel, &world->methods[record->method],
                                    record->request ? &bytes : NULL, &options, &events, record);
    record->is_starting = false;
    if (record->call) {
        pgrpc_call_ref(record->call);
        pump(record);
    }
}

/* --- interceptors -------------------------------------------------------------------------------
 */

static int intercepted; /* calls that are between on_start and on_done */

static enum pgrpc_verdict add_token(struct pgrpc_call *call, void *userdata)
{
    struct pgrpc_metadatum token = {.key = "x-token", .value = "secret", .len = 6};
    (void)userdata;
    intercepted++;
    if (pgrpc_call_add_header(call, &token))
        pgrpc_call_finish(call, PGRPC_RESOURCE_EXHAUSTED, "no memory for the token");
    return PGRPC_CONTINUE;
}

static void note_done(struct pgrpc_call *call, void *userdata)
{
    (void)call;
    (void)userdata;
    intercepted--;
}

static const struct pgrpc_interceptor interceptor = {
    .size = sizeof(interceptor), .on_start = add_token, .on_done = note_done};

/* --- a peer of frames ---------------------------------------------------------------------------
 */

/* What the streams of the connection at hand asked for. */
struct answers {
    char path[64]; /* by stream id / 2: first letter of the method */
    bool has_failed[64];
};

/* Answers the request on stream |id|, which has ended. */
static void answer(struct world *world, const struct answers *answers, uint32_t id)
{
    char method = answers->path[id / 2 % 64];
    int count = method == 'P' ? 3 : method == 'C' ? 4 : 1;
    if (answers->has_failed[id / 2 % 64]) {
        world_response(world, RAW_END_STREAM, id,
                       "grpc-status=10|grpc-message=with%20details|"
                       "grpc-status-details-bin=CAoSAA");
        return;
    }
    world_response(world, 0, id, "x-name=value|x-bin=AAEC");
    for (int i = 0; i < count; i++)
        world_message(world, 0, id, big);
    world_trailers(world, id, "grpc-status=0|x-trailer=value");
}

/* Plays the server until our client says nothing more. */
static void play_server(struct world *world, struct answers *answers)
{
    for (int round = 0; round < 20; round++) {
        const char *frames = world_talk(world);
        if (!*frames)
            return;
        for (const char *line = frames; *line; line += strcspn(line, "\n") + 1) {
            char text[512];
            unsigned id = 0;
            snprintf(text, sizeof(text), "%.*s", (int)strcspn(line, "\n"), line);
            const char *path = strstr(text, ":path=/test.Echo/");
            if (strcmp(text, "MAGIC") == 0) {
                memset(answers, 0, sizeof(*answers));
                raw_settings(&world->out, 3, 100, 0);
                raw_settings_ack(&world->out);
                raw_window_update(&world->out, 0, 1 << 20);
            } else if (sscanf(text, "HEADERS %u", &id) == 1 && path) {
                answers->path[id / 2 % 64] = path[strlen(":path=/test.Echo/")];
            } else if (sscanf(text, "DATA %u", &id) == 1 && strstr(text, "details")) {
                answers->has_failed[id / 2 % 64] = true;
            }
            if (id && strstr(text, " END_STREAM"))
                answer(world, answers, id);
        }
    }
}

/* --- our client: alone, and with our server -----------------------------------------------------
 */

static void start_client(struct world *world, bool has_server)
{
    struct pgrpc_channel_options options = {.size = sizeof(options),
                                            .send_high_water_bytes = BIG_LEN,
                                            .user_agent = "test",
                                            .interceptors = &interceptor,
                                            .interceptor_count = 1};
    if (has_server)
        world_start_client_in_process(world, &options);
    else
        world_start_client(world, &options);
}

static void start_server(struct world *world)
{
    struct pgrpc_server_options options = {
        .size = sizeof(options), .interceptors = &interceptor, .interceptor_count = 1};
    world_start_server(world, &options);
}

static void turn(struct world *world, bool has_server, struct answers *answers)
{
    if (has_server)
        world_run(world);
    else
        play_server(world, answers);
}

static void check_fresh_call(struct world *world, bool has_server, struct answers *answers)
{
    struct record record = records[0];
    if (has_server && !world->server)
        start_server(world);
    CHECK(!has_server || world->server);
    if (!world->channel)
        start_client(world, has_server);
    CHECK(world->channel);
    start(world, &record, true);
    CHECK(record.call);
    /* Its connection may be in back-off. */
    for (int i = 0; i < 30 && !record.done; i++) {
        turn(world, has_server, answers);
        if (!record.done)
            world_sleep(world, 1000);
    }
    CHECK(record.done == 1);
    CHECK(record.code == PGRPC_OK);
    CHECK(record.received == 1);
    pgrpc_call_unref(record.call);
}

static void client_scenario(struct world *world, bool has_server, bool is_single)
{
    struct record run[COUNT(records)];
    struct answers answers = {{0}, {0}};
    memcpy(run, records, sizeof(run));
    if (!has_server) {
        /* The frames are the same for every call. */
        run[0].due_bytes = run[1].due_bytes = run[4].due_bytes = BIG_LEN;
    }
    if (has_server)
        start_server(world);
    if (!has_server || world->server)
        start_client(world, has_server);
    if (world->channel) {
        for (size_t i = 0; i < COUNT(run); i++)
            start(world, &run[i], false);
        turn(world, has_server, &answers);
        for (size_t i = 0; i < COUNT(run); i++)
            if (run[i].is_cancelled && run[i].call)
                pgrpc_call_cancel(run[i].call);
        /* Longer than anything but the deadline of a call may take. */
        for (int i = 0; i < 6; i++) {
            turn(world, has_server, &answers);
            world_sleep(world, 10000);
        }
        for (size_t i = 0; i < COUNT(run); i++)
            check_end(&run[i]);
    }
    failures_stop(world);
    if (!failures.has_happened) {
        for (size_t i = 0; i < COUNT(run); i++) {
            CHECK(run[i].done == 1);
            CHECK(run[i].code == run[i].good);
        }
    }
    if (is_single)
        check_fresh_call(world, has_server, &answers);
    for (size_t i = 0; i < COUNT(run); i++)
        pgrpc_call_unref(run[i].call);
    CHECK(!intercepted);
}

static void together(struct world *world, bool is_single)
{
    client_scenario(world, true, is_single);
}

static void client_alone(struct world *world, bool is_single)
{
    client_scenario(world, false, is_single);
}

/* --- our server alone ---------------------------------------------------------------------------
 */

static char output[OUTPUT_MAX]; /* all that the server said */

static void say(struct world *world)
{
    const char *frames = world_talk_streams(world);
    size_t len = strlen(output);
    snprintf(output + len, sizeof(output) - len, "%s", frames);
}

static bool has_ended(uint32_t id)
{
    char text[40];
    snprintf(text, sizeof(text), "HEADERS %u END_STREAM", (unsigned)id);
    if (strstr(output, text))
        return true;
    snprintf(text, sizeof(text), "RST_STREAM %u ", (unsigned)id);
    return strstr(output, text) != NULL;
}

static const char *const requests[] = {"metadata", "gzip", "details", "fail"};

static void ask(struct world *world)
{
    uint32_t id = 1;
    world_greet_server(world);
    raw_window_update(&world->out, 0, 1 << 20);
    for (size_t i = 0; i < COUNT(requests); i++, id += 2) {
        world_request(world, 0, id,
                      "x-name=value|x-bin=AAEC|grpc-accept-encoding=gzip|grpc-timeout=600S");
        world_message(world, RAW_END_STREAM, id, requests[i]);
    }
    world_request(world, 0, id, ":path=/test.Echo/Pour"); /* 9 */
    world_message(world, RAW_END_STREAM, id, big);
    id += 2;
    world_request(world, 0, id, ":path=/test.Echo/Gather"); /* 11 */
    world_message(world, 0, id, big);
    say(world);
    world_message(world, RAW_END_STREAM, id, big);
    id += 2;
    world_request(world, 0, id, ":path=/test.Echo/Chat"); /* 13 */
    world_message(world, 0, id, "one");
    say(world);
    world_message(world, RAW_END_STREAM, id, big);
    id += 2;
    world_request(world, 0, id, ":path=/test.Echo/Chat"); /* 15 */
    world_message(world, 0, id, "one");
    say(world);
    raw_rst(&world->out, id, 8);
    id += 2;
    world_request(world, 0, id, "grpc-timeout=1S"); /* 17 */
    world_message(world, RAW_END_STREAM, id, "silent");
    id += 2;
    world_request(world, RAW_END_STREAM, id, ":path=/test.Echo/Nothing"); /* 19 */
    say(world);
}

static void server_alone(struct world *world, bool is_single)
{
    output[0] = '\0';
    start_server(world);
    if (world->server) {
        ask(world);
        world_sleep(world, 2000);
        say(world);
        world_sleep(world, 30000);
        say(world);
        bool is_over = !world->peer || !world->server->loops[0].connection_count;
        for (uint32_t id = 1; id <= 19; id += 2)
            CHECK(is_over || id == 15 || has_ended(id));
        CHECK(!world->server->loops[0].host.call_count);
        CHECK(!intercepted);
    }
    failures_stop(world);
    if (!failures.has_happened) {
        CHECK(strstr(output, "HEADERS 1 END_STREAM grpc-status=0 x-name=value"));
        CHECK(strstr(output, "HEADERS 3 END_STREAM grpc-status=0"));
        CHECK(strstr(output, "grpc-status=10 grpc-message=with details grpc-status-details-bin="));
        CHECK(strstr(output, "HEADERS 9 END_STREAM grpc-status=0"));
        CHECK(strstr(output, "HEADERS 11 END_STREAM grpc-status=0"));
        CHECK(strstr(output, "HEADERS 13 END_STREAM grpc-status=0"));
        CHECK(!strstr(output, "GOAWAY"));
    }
    if (!is_single)
        return;
    if (!world->server)
        start_server(world);
    else
        world_reconnect(world);
    CHECK(world->server && world->peer);
    world_greet_server(world);
    world->id = 0;
    const char *echo = world_ask(world, "", "again");
    CHECK(strstr(echo, "\\x05"
                       "again\"\nHEADERS ID END_STREAM grpc-status=0\n"));
}

/* --- every allocation ---------------------------------------------------------------------------
 */

static void calls_between_client_and_server(void **state)
{
    (void)state;
    failures_each("client and server", together);
}

static void calls_of_a_client_alone(void **state)
{
    (void)state;
    failures_each("client alone", client_alone);
}

static void calls_of_a_server_alone(void **state)
{
    (void)state;
    failures_each("server alone", server_alone);
}

static void making_a_loop(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        struct faulty_allocator faulty;
        faulty_allocator_init(&faulty, n);
        struct pgrpc_loop_options options = {.size = sizeof(options), .allocator = &faulty.hook};
        struct pgrpc_loop *loop = pgrpc_loop_new(&options);
        bool has_failed = faulty_allocator_has_failed(&faulty);
        assert_int_equal(loop == NULL, has_failed);
        pgrpc_loop_free(loop);
        assert_int_equal(faulty_allocator_live(&faulty), 0);
        if (!has_failed)
            break;
    }
}

/* A channel and a server that make their loops themselves. */
static void making_a_channel(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        struct faulty_allocator faulty;
        struct pgrpc_channel *channel = NULL;
        struct pgrpc_error error = {""};
        faulty_allocator_init(&faulty, n);
        struct pgrpc_channel_options options = {.size = sizeof(options),
                                                .user_agent = "test",
                                                .authority = "name",
                                                .interceptors = &interceptor,
                                                .interceptor_count = 1,
                                                .allocator = &faulty.hook};
        enum pgrpc_code code = pgrpc_channel_new("localhost:1", pgrpc_credentials_insecure(),
                                                 &options, &channel, &error);
        bool has_failed = faulty_allocator_has_failed(&faulty);
        assert_int_equal(code, has_failed ? PGRPC_RESOURCE_EXHAUSTED : PGRPC_OK);
        assert_int_equal(*error.text != '\0', has_failed);
        pgrpc_channel_unref(channel);
        assert_int_equal(faulty_allocator_live(&faulty), 0);
        if (!has_failed)
            break;
    }
}

static void making_a_server(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        struct faulty_allocator faulty;
        struct pgrpc_server *server = NULL;
        struct pgrpc_error error = {""};
        faulty_allocator_init(&faulty, n);
        const struct pgrpc_codec *codecs[] = {&pgrpc_codec_raw};
        struct pgrpc_server_options options = {.size = sizeof(options),
                                               .loops = 2,
                                               .interceptors = &interceptor,
                                               .interceptor_count = 1,
                                               .codecs = codecs,
                                               .codec_count = 1,
                                               .allocator = &faulty.hook};
        enum pgrpc_code code = pgrpc_server_new(&options, &server, &error);
        bool has_failed = faulty_allocator_has_failed(&faulty);
        assert_int_equal(code, has_failed ? PGRPC_RESOURCE_EXHAUSTED : PGRPC_OK);
        assert_int_equal(*error.text != '\0', has_failed);
        if (server)
            pgrpc_server_free(server);
        assert_int_equal(faulty_allocator_live(&faulty), 0);
        if (!has_failed)
            break;
    }
}

int main(void)
{
    memset(big, 'b', BIG_LEN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(making_a_loop),
        cmocka_unit_test(making_a_channel),
        cmocka_unit_test(making_a_server),
        cmocka_unit_test(calls_between_client_and_server),
        cmocka_unit_test(calls_of_a_client_alone),
        cmocka_unit_test(calls_of_a_server_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
