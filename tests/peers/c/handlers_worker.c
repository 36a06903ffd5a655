/* Handlers on workers, where everything waits; Observe runs inline beside them. */
#include "script.h"

/* Until the time is up or the call is over. */
static void wait_ms(struct script *script, uint32_t ms)
{
    int64_t until = clock_ms() + ms;

    while (clock_ms() < until && !pgrpc_call_is_cancelled(script->call))
        sleep_ms(5);
}

/* The last steps: hold, fail. True when the call was ended. */
static bool finish(struct script *script, const Request *request)
{
    if (request->hold)
        wait_ms(script, HOLD_MS);
    if (request->failure != NULL)
        script_fail(script, request->failure);
    return request->failure != NULL;
}

static bool send_replies(struct script *script, const Request *request)
{
    for (uint32_t i = 0; i < request->reply_count; i++) {
        Reply reply;
        unsigned flags;

        wait_ms(script, request->delay_ms);
        flags = script_fill_reply(script, request->reply_bytes, request->text, &reply);
        if (pgrpc_call_send(script->call, &reply, flags) != PGRPC_IO_DONE)
            return false;
        script->index++;
    }
    return true;
}

static enum pgrpc_io receive(struct script *script, const Request **request)
{
    const void *message;
    unsigned flags;
    enum pgrpc_io io = pgrpc_call_recv(script->call, &message, &flags);

    if (io == PGRPC_IO_DONE) {
        *request = message;
        script_receive(script, *request, flags);
    }
    return io;
}

static void unary(struct pgrpc_call *call, const Request *request, void *userdata)
{
    struct script script;
    Reply reply;

    (void)userdata;
    script_begin(&script, call);
    script_receive(&script, request, pgrpc_call_message_flags(call));
    wait_ms(&script, request->delay_ms);
    if (!finish(&script, request)) {
        script_fill_reply(&script, request->reply_bytes, request->text, &reply);
        Picogrpc__Peertest__PeerTest__unary__reply(call, &reply);
    }
    script_end(&script);
}

static void server_stream(struct pgrpc_call *call, const Request *request, void *userdata)
{
    struct script script;

    (void)userdata;
    script_begin(&script, call);
    script_receive(&script, request, pgrpc_call_message_flags(call));
    if (!send_replies(&script, request) || !finish(&script, request))
        pgrpc_call_finish(call, PGRPC_OK, NULL);
    script_end(&script);
}

static void client_stream(struct pgrpc_call *call, void *userdata)
{
    struct script script;
    const Request *request;
    uint32_t reply_bytes = 0;
    Reply reply;
    enum pgrpc_io io = PGRPC_IO_DONE;
    bool finished = false;

    (void)userdata;
    script_begin(&script, call);
    while (!finished && (io = receive(&script, &request)) == PGRPC_IO_DONE) {
        reply_bytes = request->reply_bytes;
        finished = finish(&script, request);
    }
    if (io == PGRPC_IO_END) {
        script_fill_reply(&script, reply_bytes, script.text, &reply);
        Picogrpc__Peertest__PeerTest__client_stream__reply(call, &reply);
    } else if (!finished) {
        pgrpc_call_finish(call, PGRPC_CANCELLED, NULL);
    }
    script_end(&script);
}

static void bidi(struct pgrpc_call *call, void *userdata)
{
    struct script script;
    const Request *request;
    bool finished = false;

    (void)userdata;
    script_begin(&script, call);
    while (!finished && receive(&script, &request) == PGRPC_IO_DONE) {
        if (!send_replies(&script, request))
            break;
        finished = finish(&script, request);
    }
    if (!finished)
        pgrpc_call_finish(call, PGRPC_OK, NULL);
    script_end(&script);
}

static void observe(struct pgrpc_call *call, const Picogrpc__Peertest__ObserveRequest *request,
                    void *userdata)
{
    Observation observation = PICOGRPC__PEERTEST__OBSERVATION__INIT;

    (void)userdata;
    script_observe(request->call_id, &observation);
    Picogrpc__Peertest__PeerTest__observe__reply(call, &observation);
}

const struct Picogrpc__Peertest__PeerTest_handlers worker_handlers = {
    .unary = {unary, PGRPC_RUN_WORKER},
    .server_stream = {server_stream, PGRPC_RUN_WORKER},
    .client_stream = {client_stream, PGRPC_RUN_WORKER},
    .bidi = {bidi, PGRPC_RUN_WORKER},
    .observe = {observe, PGRPC_RUN_INLINE}};
