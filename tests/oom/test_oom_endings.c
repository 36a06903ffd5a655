/* What ends calls early, with allocations that fail meanwhile: parents, deadlines, cancels, a
 * server that leaves, a channel that goes, attempts that are made again, threads that wait. */
#include "../support/failures.h"
#include "../support/phrases.h"

#include <stdio.h>
#include <time.h>

#include "server/server.h"

#define COUNT(array) (sizeof(array) / sizeof(array[0]))

/* A call of our client and what became of it. */
struct record {
    struct pgrpc_call *call; /* counted; NULL: could not be started */
    unsigned received;
    unsigned done;
    enum pgrpc_code code;
};

static void on_readable(struct pgrpc_call *call, void *userdata)
{
    struct record *record = userdata;
    const void *message;
    CHECK(!record->done);
    while (pgrpc_call_recv(call, &message, NULL) == PGRPC_IO_DONE)
        record->received++;
}

static void on_done(struct pgrpc_call *call, void *userdata)
{
    struct record *record = userdata;
    record->done++;
    record->code = pgrpc_call_status(call)->code;
}

static void start(struct world *world, struct record *record, enum world_method method,
                  const char *request, int64_t timeout_ms, bool waits)
{
    const struct pgrpc_metadatum name = {
        .key = "x-name", .value = timeout_ms ? "silent" : "echo", .len = timeout_ms ? 6 : 4};
    const struct pgrpc_metadatum trace = {.key = "traceparent", .value = "00-1-2-01", .len = 9};
    const struct pgrpc_metadatum metadata[] = {name, trace};
    struct pgrpc_call_options options = {.size = sizeof(options),
                                         .timeout_ms = timeout_ms,
                                         .wait_for_ready = waits,
                                         .metadata = metadata,
                                         .metadata_count = 2};
    struct pgrpc_call_events events = {
        .size = sizeof(events), .on_readable = on_readable, .on_done = on_done};
    struct pgrpc_bytes bytes = {request, request ? strlen(request) : 0};
    memset(record, 0, sizeof(*record));
    record->call = pgrpc_call_start(world->channel, &world->methods[method],
                                    request ? &bytes : NULL, &options, &events, record);
    CHECK(!record->done);
    if (record->call)
        pgrpc_call_ref(record->call);
}

static void close_send(struct record *record)
{
    if (record->call)
        pgrpc_call_close_send(record->call);
}

/* Every call is over, once. */
static void check_ends(struct record *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CHECK(records[i].done == (records[i].call ? 1 : 0));
        CHECK(records[i].code != PGRPC_OK || !records[i].call || records[i].received);
        pgrpc_call_unref(records[i].call);
        records[i].call = NULL;
    }
}

static void join(struct world *world)
{
    world_start_server(world, NULL);
    if (world->server)
        world_start_client_in_process(world, NULL);
}

static void check_again(struct world *world)
{
    struct record record;
    if (!world->server)
        world_start_server(world, NULL);
    CHECK(world->server);
    if (!world->channel)
        world_start_client_in_process(world, NULL);
    CHECK(world->channel);
    start(world, &record, WORLD_UNARY, "again", 0, true);
    CHECK(record.call);
    for (int i = 0; i < 30 && !record.done; i++)
        world_sleep(world, 1000);
    CHECK(record.done == 1 && record.code == PGRPC_OK && record.received == 1);
    check_ends(&record, 1);
}

/* --- calls on behalf of others ------------------------------------------------------------------
 */

static unsigned handled, finished; /* calls of the gateway */

struct behalf {
    struct world *world;
    struct pgrpc_call *inbound;
};

static void behalf_done(struct pgrpc_call *call, void *userdata)
{
    struct behalf *behalf = userdata;
    const struct pgrpc_status *status = pgrpc_call_status(call);
    struct pgrpc_bytes bytes = {"done", 4};
    if (status->code == PGRPC_OK)
        pgrpc_call_send(behalf->inbound, &bytes, 0);
    finished++;
    CHECK(pgrpc_call_finish_status(behalf->inbound, status) == PGRPC_OK);
}

/* /test.Echo/Chat calls /test.Echo/Say and ends like it. */
static void serve_behalf(struct pgrpc_call *call, const void *message, const void *handlers,
                         void *userdata)
{
    struct world *world = userdata;
    struct pgrpc_call_events events = {.size = sizeof(events), .on_done = behalf_done};
    struct pgrpc_call_options options = {.size = sizeof(options), .parent = call};
    struct behalf *behalf = pgrpc_call_alloc(call, sizeof(*behalf));
    struct pgrpc_call *outbound = NULL;
    (void)message;
    (void)handlers;
    handled++;
    if (behalf) {
        const struct pgrpc_metadatum *name =
            pgrpc_metadata_find(pgrpc_call_headers(call), "x-name");
        struct pgrpc_bytes bytes = {name ? name->value : "", name ? name->len : 0};
        *behalf = (struct behalf){world, call};
        outbound = pgrpc_call_start(world->channel, &world->methods[WORLD_UNARY], &bytes, &options,
                                    &events, behalf);
    }
    if (!outbound) {
        finished++;
        CHECK(pgrpc_call_finish(call, PGRPC_RESOURCE_EXHAUSTED, "out of memory") == PGRPC_OK);
    }
}

static void on_behalf(struct world *world, bool is_single)
{
    struct record records[3] = {{0}};
    handled = finished = 0;
    world->bindings[WORLD_BIDI].invoke = serve_behalf;
    join(world);
    if (world->channel) {
        start(world, &records[0], WORLD_BIDI, NULL, 0, false);
        start(world, &records[1], WORLD_BIDI, NULL, 5000, false);
        start(world, &records[2], WORLD_BIDI, NULL, 50000, false);
        world_run(world);
        if (records[2].call)
            pgrpc_call_cancel(records[2].call);
        world_run(world);
        for (int i = 0; i < 6; i++)
            world_sleep(world, 6000);
        CHECK(handled == finished);
    }
    failures_stop(world);
    if (!failures.has_happened) {
        CHECK(records[0].code == PGRPC_OK && records[0].received == 1);
        CHECK(records[1].code == PGRPC_DEADLINE_EXCEEDED);
        CHECK(records[2].code == PGRPC_CANCELLED);
        CHECK(handled == 3);
    }
    check_ends(records, COUNT(records));
    if (is_single)
        check_again(world);
}

/* --- a server that leaves, a channel that goes --------------------------------------------------
 */

static void leaving(struct world *world, bool is_single)
{
    struct record records[5] = {{0}};
    struct record last = {0};
    (void)is_single;
    join(world);
    if (world->channel) {
        start(world, &records[0], WORLD_UNARY, "silent", 0, false);
        start(world, &records[1], WORLD_CLIENT_STREAM, NULL, 0, false);
        start(world, &records[2], WORLD_SERVER_STREAM, "some", 0, false);
        world_run(world);
        pgrpc_server_shutdown(world->server, 5000);
        world_run(world);
        start(world, &records[3], WORLD_UNARY, "late", 3000, true);
        start(world, &records[4], WORLD_UNARY, "late", 0, false);
        close_send(&records[1]);
        world_run(world);
        for (int i = 0; i < 6; i++)
            world_sleep(world, 6000);
        CHECK(pgrpc_server_is_stopped(world->server));
        CHECK(!world->server->loops[0].connection_count);
        CHECK(!world->server->loops[0].host.call_count);
        /* Nobody will ever serve this one. */
        start(world, &last, WORLD_UNARY, "last", 0, true);
        world_run(world);
        pgrpc_channel_unref(world->channel);
        world->channel = NULL;
        world_run(world);
    }
    failures_stop(world);
    if (!failures.has_happened) {
        CHECK(records[0].code == PGRPC_UNAVAILABLE);
        CHECK(records[1].code == PGRPC_OK);
        CHECK(records[2].code == PGRPC_OK && records[2].received == 3);
        CHECK(records[3].code == PGRPC_DEADLINE_EXCEEDED);
        CHECK(records[4].code == PGRPC_UNAVAILABLE);
        CHECK(last.code == PGRPC_CANCELLED);
    }
    check_ends(records, COUNT(records));
    check_ends(&last, 1);
}

/* --- attempts made again ------------------------------------------------------------------------
 */

/* Answers every request that has ended, but refuses while |refuses|. */
static void play_server(struct world *world, bool refuses)
{
    for (int round = 0; round < 10; round++) {
        const char *line = world_talk_streams(world);
        if (!*line)
            return;
        for (; *line; line += strcspn(line, "\n") + 1) {
            unsigned id = 0;
            if (strncmp(line, "MAGIC", 5) == 0)
                world_greet_client(world);
            if (sscanf(line, "DATA %u END_STREAM", &id) != 1 || !strstr(line, "END_STREAM"))
                continue;
            if (refuses) {
                raw_rst(&world->out, id, 7);
                refuses = false;
            } else {
                world_response(world, 0, id, "x-name=value");
                world_message(world, 0, id, "yes");
                world_trailers(world, id, "grpc-status=0");
            }
        }
    }
}

static void again(struct world *world, bool is_single)
{
    struct record records[4] = {{0}};
    struct record fresh = {0};
    world_start_client(world, NULL);
    world->refuses = true;
    if (world->channel) {
        /* The first waits out a back-off, the second fails at once. */
        start(world, &records[0], WORLD_UNARY, "one", 600000, true);
        start(world, &records[1], WORLD_UNARY, "two", 0, false);
        world_run(world);
        world->refuses = false;
        world_sleep(world, 2000);
        play_server(world, true); /* stream 1 is refused, 3 is answered */
        unsigned connections = world->connection_count;
        start(world, &records[2], WORLD_UNARY, "three", 600000, true);
        world_talk(world); /* stream 5 is above what the server still answers */
        raw_goaway(&world->out, 3, 0, "leaving");
        play_server(world, false);
        CHECK(faulty_allocator_has_failed(&world->faulty) ||
              world->connection_count == connections + 1);
        start(world, &records[3], WORLD_UNARY, "four", 600000, true);
        play_server(world, false);
        world_hang_up(world);
        for (int i = 0; i < 10; i++) {
            world_sleep(world, 15000);
            play_server(world, false);
        }
        world_hang_up(world);
        world_run(world);
        world_swap(world);
        world_hang_up(world);
    }
    failures_stop(world);
    if (!failures.has_happened) {
        CHECK(records[0].code == PGRPC_OK);
        CHECK(records[1].code == PGRPC_UNAVAILABLE);
        CHECK(records[2].code == PGRPC_OK);
        CHECK(records[3].code == PGRPC_OK);
    }
    if (world->channel) {
        for (int i = 0; i < 10; i++) {
            world_sleep(world, 15000);
            play_server(world, false);
            world_hang_up(world);
        }
        /* Without memory for a connection only their deadlines end them. */
        world_sleep(world, 600000);
    }
    check_ends(records, COUNT(records));
    if (!is_single)
        return;
    world->refuses = false;
    if (!world->channel)
        world_start_client(world, NULL);
    CHECK(world->channel);
    for (int i = 0; i < 20; i++) {
        start(world, &fresh, WORLD_UNARY, "fresh", 0, true);
        CHECK(fresh.call);
        world_sleep(world, 15000);
        play_server(world, false);
        if (fresh.done)
            break;
        pgrpc_call_cancel(fresh.call);
        world_run(world);
        check_ends(&fresh, 1);
    }
    CHECK(fresh.code == PGRPC_OK && fresh.received == 1);
    check_ends(&fresh, 1);
}

/* --- threads that wait --------------------------------------------------------------------------
 */

static int64_t real_clock(void *userdata)
{
    struct timespec now;
    (void)userdata;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void chat_and_wait(struct pgrpc_call *call, const void *message, const void *handlers,
                          void *userdata)
{
    (void)message;
    (void)handlers;
    (void)userdata;
    while (pgrpc_call_recv(call, &message, NULL) == PGRPC_IO_DONE) {
        const struct pgrpc_bytes *bytes = message;
        char *text =
            pgrpc_message_printf(call, "%.*s!", (int)bytes->len, (const char *)bytes->data);
        struct pgrpc_bytes reply = {text, text ? strlen(text) : 0};
        pgrpc_call_send(call, text ? &reply : bytes, 0);
    }
    CHECK(pgrpc_call_finish(call, PGRPC_OK, NULL) == PGRPC_OK);
}

/* True when all went well. */
static bool wait_for_calls(struct world *world)
{
    struct pgrpc_result result = {0};
    struct pgrpc_bytes hello = {"hello", 5};
    const struct pgrpc_bytes *reply =
        pgrpc_call_unary(world->channel, &world->methods[WORLD_UNARY], &hello, NULL, &result);
    CHECK(!reply == (result.status.code != PGRPC_OK));
    CHECK(!reply || reply->len == 5);
    bool is_good = reply != NULL;
    pgrpc_result_clear(&result);

    struct pgrpc_call *call =
        pgrpc_call_open(world->channel, &world->methods[WORLD_BIDI], NULL, NULL);
    if (!call)
        return false;
    for (int i = 0; i < 3; i++) {
        const void *message;
        is_good &= pgrpc_call_send(call, &hello, 0) == PGRPC_IO_DONE;
        is_good &= pgrpc_call_recv(call, &message, NULL) == PGRPC_IO_DONE;
    }
    pgrpc_call_close_send(call);
    const struct pgrpc_status *status = pgrpc_call_wait(call);
    CHECK(is_good || failures.has_happened || faulty_allocator_has_failed(&world->faulty));
    is_good &= status->code == PGRPC_OK;
    pgrpc_call_unref(call);
    return is_good;
}

static void waiting(struct world *world, bool is_single)
{
    bool is_good = false;
    pgrpc__loop_set_clock(world->loop, real_clock, NULL);
    world->bindings[WORLD_BIDI] = (struct pgrpc_binding){chat_and_wait, PGRPC_RUN_WORKER};
    join(world);
    if (world->channel)
        is_good = wait_for_calls(world);
    failures_stop(world);
    CHECK(is_good || failures.has_happened);
    /* A second, for a connection in back-off, would be too long here. */
    if (is_single && is_good)
        CHECK(wait_for_calls(world));
}

/* --- all of them --------------------------------------------------------------------------------
 */

static void calls_on_behalf_of_others(void **state)
{
    (void)state;
    failures_each("on behalf of others", on_behalf);
}

static void a_server_leaves_and_a_channel_goes(void **state)
{
    (void)state;
    failures_each("leaving", leaving);
}

static void attempts_are_made_again(void **state)
{
    (void)state;
    failures_each("again", again);
}

static void threads_wait(void **state)
{
    (void)state;
    failures_each("waiting", waiting);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_on_behalf_of_others),
        cmocka_unit_test(a_server_leaves_and_a_channel_goes),
        cmocka_unit_test(attempts_are_made_again),
        cmocka_unit_test(threads_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
