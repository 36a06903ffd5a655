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

/* --- ours: 1000 large_unary at once on one channel --- */

enum { CONCURRENT = 1000 };

struct crowd {
    struct pgrpc_loop *loop;
    int running, failed;
};

struct member {
    struct crowd *crowd;
    int replies;
};

static void on_reply(struct pgrpc_call *call, void *userdata)
{
    struct member *member = userdata;
    const Grpc__Testing__SimpleResponse *reply;
    if (Grpc__Testing__TestService__unary_call__recv_reply(call, &reply) == PGRPC_IO_DONE &&
        expect_body(reply->payload, LARGE_REPLY) == 0)
        member->replies++;
}

static void on_done(struct pgrpc_call *call, void *userdata)
{
    struct member *member = userdata;
    if (expect_status(pgrpc_call_status(call), PGRPC_OK) || member->replies != 1)
        member->crowd->failed++;
    if (--member->crowd->running == 0)
        pgrpc_loop_stop(member->crowd->loop);
}

static const struct pgrpc_call_events events = {
    .size = sizeof(events), .on_readable = on_reply, .on_done = on_done};

static int run_crowd(struct pgrpc_loop *loop, struct pgrpc_channel *channel, struct member *members)
{
    struct pgrpc_call_options options = call_options();
    Grpc__Testing__Payload payload;
    const Grpc__Testing__SimpleRequest request =
        simple_request(&payload, LARGE_REQUEST, LARGE_REPLY);
    struct crowd crowd = {.loop = loop};
    options.timeout_ms = 4 * CALL_TIMEOUT_MS;
    for (int i = 0; i < CONCURRENT; i++) {
        members[i].crowd = &crowd;
        crowd.running += Grpc__Testing__TestService__unary_call__start(
                             channel, &request, &options, &events, &members[i]) != NULL;
    }
    if (crowd.running != CONCURRENT)
        crowd.failed = fail("only %d of %d calls started", crowd.running, CONCURRENT);
    if (crowd.running && pgrpc_loop_run(loop))
        return fail("the loop does not run");
    return crowd.failed ? fail("%d of %d calls failed", crowd.failed, CONCURRENT) : 0;
}

static int concurrent_large_unary(const struct run *run)
{
    static struct member members[CONCURRENT];
    struct pgrpc_loop *loop;
    struct pgrpc_channel *channel = open_channel_and_loop(run, &loop);
    int failed = channel ? run_crowd(loop, channel, members) : 1;
    pgrpc_channel_unref(channel);
    pgrpc_loop_free(loop);
    return failed;
}

const struct test_case unary_cases[] = {
    {"empty_unary", empty_unary, 30},
    {"large_unary", large_unary, 30},
    {"very_large_request", very_large_request, 60},
    {"very_large_response", very_large_response, 60},
    {"concurrent_large_unary", concurrent_large_unary, 120},
    {NULL, NULL, 0},
};
