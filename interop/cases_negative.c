/*
 * Servers that misbehave, or are merely strict: interop/scripts/NAME.script says what the server
 * does.  The cases are those of the grpc project's negative-http2-interop-test-descriptions.md.
 */
#include <unistd.h>

#include "cases.h"

static int one_call(const struct run *run)
{
    return call_unary(run->channel, LARGE_REQUEST, LARGE_REPLY);
}

/* The second of two calls finds its connection gone. */
static int goaway(const struct run *run)
{
    if (one_call(run))
        return 1;
    sleep(1);
    return one_call(run);
}

/* RST_STREAM with NO_ERROR and no status before it is no good ending: INTERNAL, and no reply. */
static int reset_call(const struct run *run)
{
    const struct pgrpc_call_options options = call_options();
    Grpc__Testing__Payload payload;
    const Grpc__Testing__SimpleRequest request =
        simple_request(&payload, LARGE_REQUEST, LARGE_REPLY);
    struct pgrpc_result result = {0};
    int failed = expect_unary(run->channel, &request, &options, PGRPC_INTERNAL, &result);
    pgrpc_result_clear(&result);
    return failed;
}

static int max_streams(const struct run *run)
{
    struct pgrpc_loop *loop;
    struct pgrpc_channel *channel = open_channel_and_loop(run, &loop);
    /* The first call learns that only one stream may be open. */
    int failed = !channel || call_at_once(channel, loop, 1) || call_at_once(channel, loop, 15);
    pgrpc_channel_unref(channel);
    pgrpc_loop_free(loop);
    return failed;
}

const struct test_case negative_cases[] = {
    {"goaway", goaway, 60},
    {"rst_after_header", reset_call, 60},
    {"rst_during_data", reset_call, 60},
    {"rst_after_data", reset_call, 60},
    {"ping", one_call, 60},
    {"max_streams", max_streams, 60},
    {"data_frame_padding", one_call, 60},
    {"no_df_padding_sanity_test", one_call, 60},
    {NULL, NULL, 0},
};
