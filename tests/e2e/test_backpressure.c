/*
 * Back-pressure in numbers, over a real socket: who does not read holds nobody else up and costs a
 * bounded amount of memory, in both directions; what was held back arrives when reading starts; a
 * long stream does not grow.
 */
#include <stdio.h>
#include <stdlib.h>

#include "picogrpc/picogrpc.h"
#include "../support/unit.h"
#include "../support/engine_choice.h"

enum {
    MESSAGE_LEN = 256 * 1024,
    OFFERED_MESSAGES = 4096, /* of MESSAGE_LEN: 1 GiB */
    UNARY_CALLS = 1000,
    PINGS = 1000000,
    /* Windows, high-water marks, one message each end and the sockets' share; far below the GiB. */
    MEMORY_MAX = 4 * 1024 * 1024
};

/* --- an allocator that knows how much is out ---------------------------------------------------
 */

struct meter {
    struct pgrpc_allocator hook;
    size_t live;
    size_t peak;
};

static void *meter_alloc(void *userdata, size_t size)
{
    struct meter *meter = userdata;
    size_t *block = malloc(size + 16);
    if (!block)
        return NULL;
    block[0] = size;
    meter->live += size;
    if (meter->live > meter->peak)
        meter->peak = meter->live;
    return block + 2;
}

static void meter_free(void *userdata, void *pointer)
{
    struct meter *meter = userdata;
    if (!pointer)
        return;
    size_t *block = (size_t *)pointer - 2;
    meter->live -= block[0];
    free(block);
}

/* --- both ends on one loop ----------------------------------------------------------------------
 */

static const struct pgrpc_method methods[] = {
    {.path = "/test.Flow/Say", .codec = &pgrpc_codec_raw},
    {.path = "/test.Flow/Flood",
     .flags = PGRPC_METHOD_CLIENT_STREAMING | PGRPC_METHOD_SERVER_STREAMING,
     .codec = &pgrpc_codec_raw},
};
static const struct pgrpc_service service = {
    .version = PGRPC_CODEGEN_VERSION,
    .method_size = sizeof(struct pgrpc_method),
    .name = "test.Flow",
    .methods = methods,
    .method_count = 2,
};

/* One end of the flood: sends |left| messages as it may, and reads when it is told to. */
struct end {
    struct pgrpc_call *call;
    size_t left;
    size_t message_len;
    size_t received;
    bool is_client;
    bool reads;
    bool echoes;
    bool has_ended;
    const struct pgrpc_bytes *unsent; /* an echo that found no room; valid until the next receive */
};

struct flow {
    struct meter meter;
    struct pgrpc_loop *loop;
    struct pgrpc_server *server;
    struct pgrpc_channel *channel;
    struct end client;
    struct end server_end;
    size_t unary_left;
    size_t unary_done;
    enum pgrpc_code code;
    bool is_done;
};

static uint8_t *payload;

/* Sends what is left; the client then closes its end, a server that only sends finishes. */
static void push(struct end *end)
{
    struct pgrpc_bytes bytes = {payload, end->message_len};
    while (end->left && pgrpc_call_send(end->call, &bytes, 0) == PGRPC_IO_DONE)
        end->left--;
    if (end->left || end->has_ended || end->echoes)
        return;
    end->has_ended = true;
    if (end->is_client)
        pgrpc_call_close_send(end->call);
    else if (!end->reads)
        pgrpc_call_finish(end->call, PGRPC_OK, NULL);
}

/* False while an echo waits for room: then nothing more is read. */
static bool echo(struct end *end)
{
    if (end->unsent && pgrpc_call_send(end->call, end->unsent, 0) != PGRPC_IO_DONE)
        return false;
    end->unsent = NULL;
    return true;
}

static void pull(struct end *end)
{
    const void *message;
    enum pgrpc_io io = PGRPC_IO_AGAIN;
    while (end->reads && echo(end) &&
           (io = pgrpc_call_recv(end->call, &message, NULL)) == PGRPC_IO_DONE) {
        end->received += ((const struct pgrpc_bytes *)message)->len;
        if (end->echoes)
            end->unsent = message;
    }
    if (io == PGRPC_IO_END && !end->unsent && !end->is_client)
        pgrpc_call_finish(end->call, PGRPC_OK, NULL);
}

static void on_readable(struct pgrpc_call *call, void *userdata)
{
    (void)call;
    pull(userdata);
}

static void on_writable(struct pgrpc_call *call, void *userdata)
{
    struct end *end = userdata;
    (void)call;
    push(end);
    if (end->echoes)
        pull(end);
}

static void flood_invoke(struct pgrpc_call *call, const void *request, const void *handlers,
                         void *userdata)
{
    struct flow *flow = userdata;
    struct pgrpc_call_events events = {
        .size = sizeof(events), .on_readable = on_readable, .on_writable = on_writable};
    (void)request;
    (void)handlers;
    flow->server_end.call = pgrpc_call_ref(call);
    pgrpc_call_set_events(call, &events, &flow->server_end);
    if (flow->server_end.left)
        push(&flow->server_end);
}

static void say_invoke(struct pgrpc_call *call, const void *request, const void *handlers,
                       void *userdata)
{
    (void)handlers;
    (void)userdata;
    pgrpc_call_reply(call, request);
}

static void setup(struct flow *flow)
{
    static const struct pgrpc_binding bindings[] = {{say_invoke, PGRPC_RUN_INLINE},
                                                    {flood_invoke, PGRPC_RUN_INLINE}};
    int port = 0;
    char target[64];
    memset(flow, 0, sizeof(*flow));
    flow->meter.hook = (struct pgrpc_allocator){meter_alloc, meter_free, &flow->meter};
    flow->client.is_client = true;
    struct pgrpc_loop_options loop_options = {.size = sizeof(loop_options),
                                              .allocator = &flow->meter.hook};
    flow->loop = pgrpc_loop_new(&loop_options);
    assert_non_null(flow->loop);
    struct pgrpc_server_options server_options = {
        .size = sizeof(server_options), .loop = flow->loop, .allocator = &flow->meter.hook};
    assert_int_equal(pgrpc_server_new(&server_options, &flow->server, NULL), PGRPC_OK);
    assert_int_equal(pgrpc_server_register(flow->server, &service, bindings, NULL, flow), PGRPC_OK);
    assert_int_equal(
        pgrpc_server_listen(flow->server, "127.0.0.1:0", pgrpc_credentials_insecure(), &port),
        PGRPC_OK);
    assert_int_equal(pgrpc_server_start(flow->server), PGRPC_OK);
    snprintf(target, sizeof(target), "127.0.0.1:%d", port);
    struct pgrpc_channel_options channel_options = {.size = sizeof(channel_options),
                                                    .loop = flow->loop};
    assert_int_equal(pgrpc_channel_new(target, pgrpc_credentials_insecure(), &channel_options,
                                       &flow->channel, NULL),
                     PGRPC_OK);
}

static void teardown(struct flow *flow)
{
    pgrpc_call_unref(flow->server_end.call);
    pgrpc_channel_unref(flow->channel);
    pgrpc_server_free(flow->server);
    pgrpc_loop_free(flow->loop);
    assert_int_equal(flow->meter.live, 0);
}

static void on_flood_done(struct pgrpc_call *call, void *userdata)
{
    struct end *end = userdata;
    struct flow *flow = (struct flow *)(void *)((char *)end - offsetof(struct flow, client));
    flow->code = pgrpc_call_status(call)->code;
    flow->is_done = true;
    end->call = NULL;
    pgrpc_loop_stop(flow->loop);
}

static void start_flood(struct flow *flow)
{
    struct pgrpc_call_events events = {.size = sizeof(events),
                                       .on_readable = on_readable,
                                       .on_writable = on_writable,
                                       .on_done = on_flood_done};
    flow->client.call =
        pgrpc_call_start(flow->channel, &methods[1], NULL, NULL, &events, &flow->client);
    assert_non_null(flow->client.call);
    if (flow->client.left)
        push(&flow->client);
}

static void start_unary(struct flow *flow);

static void on_unary_done(struct pgrpc_call *call, void *userdata)
{
    struct flow *flow = userdata;
    assert_int_equal(pgrpc_call_status(call)->code, PGRPC_OK);
    flow->unary_done++;
    if (--flow->unary_left)
        start_unary(flow);
    else
        pgrpc_loop_stop(flow->loop);
}

static void start_unary(struct flow *flow)
{
    struct pgrpc_call_events events = {.size = sizeof(events), .on_done = on_unary_done};
    struct pgrpc_bytes bytes = {"hello", 5};
    assert_non_null(pgrpc_call_start(flow->channel, &methods[0], &bytes, NULL, &events, flow));
}

/* Unary calls beside the flood, on its connection. */
static void call_beside(struct flow *flow)
{
    flow->unary_left = UNARY_CALLS;
    start_unary(flow);
    assert_int_equal(pgrpc_loop_run(flow->loop), 0);
    assert_int_equal(flow->unary_done, UNARY_CALLS);
}

/* --- tests --------------------------------------------------------------------------------------
 */

static void stopped_server_holds_a_client_back_and_nobody_else(void **state)
{
    struct flow flow;
    (void)state;
    setup(&flow);
    flow.client.left = OFFERED_MESSAGES;
    flow.client.message_len = MESSAGE_LEN;
    flow.client.reads = true;
    start_flood(&flow);
    call_beside(&flow);
    assert_true(flow.client.left > OFFERED_MESSAGES - 64);
    assert_in_range(flow.meter.peak, 1, MEMORY_MAX);

    flow.server_end.reads = true;
    pull(&flow.server_end);
    assert_int_equal(pgrpc_loop_run(flow.loop), 0);
    assert_true(flow.is_done);
    assert_int_equal(flow.code, PGRPC_OK);
    assert_int_equal(flow.server_end.received, (size_t)OFFERED_MESSAGES * MESSAGE_LEN);
    assert_in_range(flow.meter.peak, 1, MEMORY_MAX);
    teardown(&flow);
}

static void stopped_client_holds_a_server_back_and_nobody_else(void **state)
{
    struct flow flow;
    (void)state;
    setup(&flow);
    flow.server_end.left = OFFERED_MESSAGES;
    flow.server_end.message_len = MESSAGE_LEN;
    start_flood(&flow);
    call_beside(&flow);
    assert_true(flow.server_end.left > OFFERED_MESSAGES - 64);
    assert_in_range(flow.meter.peak, 1, MEMORY_MAX);

    flow.client.reads = true;
    pull(&flow.client);
    assert_int_equal(pgrpc_loop_run(flow.loop), 0);
    assert_true(flow.is_done);
    assert_int_equal(flow.code, PGRPC_OK);
    assert_int_equal(flow.client.received, (size_t)OFFERED_MESSAGES * MESSAGE_LEN);
    assert_in_range(flow.meter.peak, 1, MEMORY_MAX);
    teardown(&flow);
}

static void a_million_messages_each_way_do_not_grow(void **state)
{
    struct flow flow;
    (void)state;
    setup(&flow);
    flow.client.left = PINGS;
    flow.client.message_len = 16;
    flow.client.reads = true;
    flow.server_end.message_len = 16;
    flow.server_end.reads = true;
    flow.server_end.echoes = true;
    start_flood(&flow);
    assert_int_equal(pgrpc_loop_run(flow.loop), 0);
    assert_int_equal(flow.code, PGRPC_OK);
    assert_int_equal(flow.server_end.received, (size_t)PINGS * 16);
    assert_int_equal(flow.client.received, (size_t)PINGS * 16);
    assert_in_range(flow.meter.peak, 1, MEMORY_MAX);
    teardown(&flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stopped_server_holds_a_client_back_and_nobody_else),
        cmocka_unit_test(stopped_client_holds_a_server_back_and_nobody_else),
        cmocka_unit_test(a_million_messages_each_way_do_not_grow),
    };
    payload = calloc(1, MESSAGE_LEN);
    if (!payload)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(payload);
    return failed;
}
