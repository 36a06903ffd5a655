/* Many UnaryCalls at once on one channel. */
#include "cases.h"

struct crowd {
    struct pgrpc_loop *loop;
    int running, failed;
};

static void on_done(struct pgrpc_call *call, void *userdata)
{
    struct crowd *crowd = userdata;
    const Grpc__Testing__SimpleResponse *reply = NULL;
    Grpc__Testing__TestService__unary_call__recv_reply(call, &reply);
    if (expect_status(pgrpc_call_status(call), PGRPC_OK) ||
        expect_body(reply ? reply->payload : NULL, LARGE_REPLY))
        crowd->failed++;
    if (--crowd->running == 0)
        pgrpc_loop_stop(crowd->loop);
}

int call_at_once(struct pgrpc_channel *channel, struct pgrpc_loop *loop, int count)
{
    static const struct pgrpc_call_events events = {.size = sizeof(events), .on_done = on_done};
    struct pgrpc_call_options options = call_options();
    Grpc__Testing__Payload payload;
    const Grpc__Testing__SimpleRequest request =
        simple_request(&payload, LARGE_REQUEST, LARGE_REPLY);
    struct crowd crowd = {.loop = loop};
    int started = 0;
    options.timeout_ms = 4 * CALL_TIMEOUT_MS; /* they wait for one another */
    while (started < count && Grpc__Testing__TestService__unary_call__start(
                                  channel, &request, &options, &events, &crowd))
        started++;
    crowd.running = started;
    if (started && pgrpc_loop_run(loop))
        return fail("the loop does not run");
    if (started < count)
        return fail("only %d of %d calls started", started, count);
    return crowd.failed ? fail("%d of %d calls failed", crowd.failed, count) : 0;
}
