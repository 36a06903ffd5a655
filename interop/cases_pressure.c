/* Ours: cases that the grpc project's interop-test-descriptions.md announces and leaves open. */
#include <string.h>

#include "cases.h"

/* A client that does not read must stop its own stream, not the others of the connection: what it
 * asked for is more than all windows and buffers on the way hold. */
static int client_pushback(const struct run *run)
{
    enum { REPLIES = 256, REPLY = 64 << 10, OTHERS = 20 };
    const struct pgrpc_call_options options = call_options();
    Grpc__Testing__StreamingOutputCallRequest request =
        GRPC__TESTING__STREAMING_OUTPUT_CALL_REQUEST__INIT;
    Grpc__Testing__ResponseParameters asked = GRPC__TESTING__RESPONSE_PARAMETERS__INIT;
    Grpc__Testing__ResponseParameters *list[REPLIES];
    asked.size = REPLY;
    for (int i = 0; i < REPLIES; i++)
        list[i] = &asked;
    request.response_parameters = list;
    request.n_response_parameters = REPLIES;
    struct pgrpc_call *call =
        Grpc__Testing__TestService__streaming_output_call__open(run->channel, &request, &options);
    int failed = recv_output(call, REPLY);
    for (int i = 0; i < OTHERS && !failed; i++)
        failed = call_unary(run->channel, LARGE_REQUEST, LARGE_REPLY);
    for (int i = 1; i < REPLIES && !failed; i++)
        failed = recv_output(call, REPLY);
    return expect_end(call, PGRPC_OK, failed);
}

/* One header of 63 KiB, which takes CONTINUATION frames, there and back. */
static int large_header(const struct run *run)
{
    enum { LEN = 63 << 10 };
    static char value[LEN + 1];
    const struct pgrpc_metadatum header = {"x-grpc-test-echo-initial", value, LEN};
    const Grpc__Testing__SimpleRequest request = GRPC__TESTING__SIMPLE_REQUEST__INIT;
    struct pgrpc_call_options options = call_options();
    struct pgrpc_result result = {0};
    for (int i = 0; i < LEN; i++)
        value[i] = (char)('a' + i % 26);
    options.metadata = &header;
    options.metadata_count = 1;
    Grpc__Testing__TestService__unary_call(run->channel, &request, &options, &result);
    int failed = expect_status(&result.status, PGRPC_OK);
    const struct pgrpc_metadatum *echo = pgrpc_metadata_find(result.headers, header.key);
    if (!failed && (!echo || echo->len != LEN || memcmp(echo->value, value, LEN) != 0))
        failed = fail("the header came back otherwise");
    pgrpc_result_clear(&result);
    return failed;
}

/* The first call of a channel, ended before there is a connection. */
static int cancel_before_start(const struct run *run)
{
    struct pgrpc_channel *channel = open_channel(run, NULL);
    struct pgrpc_call_options options = call_options();
    if (!channel)
        return 1;
    struct pgrpc_call *call = Grpc__Testing__TestService__full_duplex_call__open(channel, &options);
    pgrpc_call_cancel(call);
    int failed = expect_end(call, PGRPC_CANCELLED, 0);
    if (!failed) {
        options.timeout_ms = -1;
        call = Grpc__Testing__TestService__full_duplex_call__open(channel, &options);
        failed = expect_end(call, PGRPC_DEADLINE_EXCEEDED, 0) ||
                 call_unary(channel, LARGE_REQUEST, LARGE_REPLY);
    }
    pgrpc_channel_unref(channel);
    return failed;
}

/* --- cancelled as soon as the headers are there --- */

struct watch {
    struct pgrpc_loop *loop;
    int headers, replies;
    enum pgrpc_code code;
};

static void on_headers(struct pgrpc_call *call, void *userdata)
{
    struct watch *watch = userdata;
    watch->headers++;
    pgrpc_call_cancel(call);
}

static void on_readable(struct pgrpc_call *call, void *userdata)
{
    struct watch *watch = userdata;
    const Grpc__Testing__StreamingOutputCallResponse *reply;
    while (Grpc__Testing__TestService__full_duplex_call__recv_reply(call, &reply) == PGRPC_IO_DONE)
        watch->replies++;
}

static void on_done(struct pgrpc_call *call, void *userdata)
{
    struct watch *watch = userdata;
    watch->code = pgrpc_call_status(call)->code;
    pgrpc_loop_stop(watch->loop);
}

static const struct pgrpc_call_events events = {.size = sizeof(events),
                                                .on_headers = on_headers,
                                                .on_readable = on_readable,
                                                .on_done = on_done};

static int watch_call(struct pgrpc_channel *channel, struct watch *watch)
{
    /* A server sends headers of its own at once. */
    static const struct pgrpc_metadatum header = {"x-grpc-test-echo-initial", "now", 3};
    struct pgrpc_call_options options = call_options();
    options.metadata = &header;
    options.metadata_count = 1;
    if (!Grpc__Testing__TestService__full_duplex_call__start(channel, &options, &events, watch) ||
        pgrpc_loop_run(watch->loop))
        return fail("no call");
    if (watch->headers != 1 || watch->replies != 0 || watch->code != PGRPC_CANCELLED)
        return fail("headers %d times, %d replies and %s, expected once, none and CANCELLED",
                    watch->headers, watch->replies, pgrpc_code_name(watch->code));
    return 0;
}

static int cancel_after_headers(const struct run *run)
{
    struct watch watch = {0};
    struct pgrpc_channel *channel = open_channel_and_loop(run, &watch.loop);
    int failed = channel ? watch_call(channel, &watch) : 1;
    pgrpc_channel_unref(channel);
    pgrpc_loop_free(watch.loop);
    return failed;
}

/* --- many --- */

static int timeout_in_time(const struct run *run)
{
    struct pgrpc_call_options options = call_options();
    options.timeout_ms = 20000;
    struct pgrpc_call *call =
        Grpc__Testing__TestService__full_duplex_call__open(run->channel, &options);
    int failed = exchange(call, LARGE_REQUEST, LARGE_REPLY);
    pgrpc_call_close_send(call);
    return expect_end(call, PGRPC_OK, failed);
}

/* Thousands of calls on one connection, every fourth of them cancelled. */
static int many_calls(const struct run *run)
{
    const struct pgrpc_call_options options = call_options();
    int failed = 0;
    for (int i = 0; i < 4000 && !failed; i++) {
        if (i % 4) {
            failed = call_unary(run->channel, 8, 9);
            continue;
        }
        struct pgrpc_call *call =
            Grpc__Testing__TestService__full_duplex_call__open(run->channel, &options);
        failed = exchange(call, 8, 9);
        pgrpc_call_cancel(call);
        failed = expect_end(call, PGRPC_CANCELLED, failed);
    }
    return failed;
}

const struct test_case pressure_cases[] = {
    {"client_pushback", client_pushback, 60},
    {"large_header", large_header, 60},
    {"cancel_before_start", cancel_before_start, 60},
    {"cancel_after_headers", cancel_after_headers, 60},
    {"timeout_in_time", timeout_in_time, 60},
    {"many_calls", many_calls, 90},
    {NULL, NULL, 0},
};
