/* Unary calls without compression. */
#include "cases.h"

static int empty_unary(const struct run *run)
{
    const struct pgrpc_call_options options = call_options();
    const Grpc__Testing__Empty request = GRPC__TESTING__EMPTY__INIT;
    struct pgrpc_result result = {0};
    const Grpc__Testing__Empty *reply =
        Grpc__Testing__TestService__empty_call(run->channel, &request, &options, &result);
    int failed = expect_status(&result.status, PGRPC_OK);
    if (!failed && !reply)
        failed = fail("OK without a reply");
    if (!failed && protobuf_c_message_get_packed_size(&reply->base) != 0)
        failed = fail("the reply is not empty");
    pgrpc_result_clear(&result);
    return failed;
}

static int large_unary(const struct run *run)
{
    return call_unary(run->channel, LARGE_REQUEST, LARGE_REPLY);
}

static int very_large_request(const struct run *run)
{
    return call_unary(run->channel, 10 << 20, 10);
}

static int very_large_response(const struct run *run)
{
    return call_unary(run->channel, 10, 10 << 20);
}

/* Ours. */
static int concurrent_large_unary(const struct run *run)
{
    struct pgrpc_loop *loop;
    struct pgrpc_channel *channel = open_channel_and_loop(run, &loop);
    int failed = !channel || call_at_once(channel, loop, 1000);
    pgrpc_channel_unref(channel);
    pgrpc_loop_free(loop);
    return failed;
}

const struct test_case unary_cases[] = {
    {"empty_unary", empty_unary, 60},
    {"large_unary", large_unary, 60},
    {"very_large_request", very_large_request, 60},
    {"very_large_response", very_large_response, 60},
    {"concurrent_large_unary", concurrent_large_unary, 150},
    {NULL, NULL, 0},
};
