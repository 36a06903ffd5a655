/* Handlers on the loop: nothing waits, events and timers carry a call from step to step. */
#include "script.h"

#include <stdlib.h>

enum kind { UNARY, SERVER_STREAM, CLIENT_STREAM, BIDI };

struct run {
    struct script script;
    enum kind kind;
    struct pgrpc_loop *loop;
    struct pgrpc_timer *timer;
    const Request *request; /* at work; lives until the next receive */
    uint32_t replies_left;  /* to it */
    bool delayed, held;     /* these steps of it are done */
    uint32_t reply_bytes;   /* of the last request */
    bool finished;
};

static void advance(struct run *run);

static void on_timer(void *userdata)
{
    struct run *run = userdata;

    run->timer = NULL;
    advance(run);
}

static void wait_for(struct run *run, uint32_t ms)
{
    run->timer = pgrpc_timer_start(run->loop, ms, on_timer, run);
    if (run->timer == NULL)
        die("out of memory");
}

static void begin_request(struct run *run, const Request *request)
{
    bool streams = run->kind == SERVER_STREAM || run->kind == BIDI;

    run->request = request;
    run->reply_bytes = request->reply_bytes;
    run->replies_left = streams ? request->reply_count : 0;
    run->delayed = run->held = false;
}

/* Takes the next message. False when there is none now. */
static bool receive(struct run *run)
{
    struct pgrpc_call *call = run->script.call;
    const void *message;
    unsigned flags;
    Reply reply;

    switch (pgrpc_call_recv(call, &message, &flags)) {
    case PGRPC_IO_DONE:
        script_receive(&run->script, message, flags);
        begin_request(run, message);
        return true;
    case PGRPC_IO_AGAIN:
        return false;
    case PGRPC_IO_END:
        run->finished = true;
        if (run->kind == CLIENT_STREAM) {
            script_fill_reply(&run->script, run->reply_bytes, run->script.text, &reply);
            Picogrpc__Peertest__PeerTest__client_stream__reply(call, &reply);
        } else {
            pgrpc_call_finish(call, PGRPC_OK, NULL);
        }
        return true;
    case PGRPC_IO_CLOSED:
        break;
    }
    return false; /* on_done comes */
}

/* Sends the next reply. False when it must wait. */
static bool send(struct run *run)
{
    Reply reply;
    unsigned flags = script_fill_reply(&run->script, run->reply_bytes, run->request->text, &reply);

    if (pgrpc_call_send(run->script.call, &reply, flags) != PGRPC_IO_DONE)
        return false; /* on_writable or on_done comes */
    run->script.index++;
    run->replies_left--;
    run->delayed = false;
    return true;
}

/* The last steps of a request. */
static void finish_request(struct run *run)
{
    struct pgrpc_call *call = run->script.call;
    const Request *request = run->request;
    Reply reply;

    run->request = NULL;
    run->finished = true;
    if (request->failure != NULL) {
        script_fail(&run->script, request->failure);
    } else if (run->kind == UNARY) {
        script_fill_reply(&run->script, request->reply_bytes, request->text, &reply);
        Picogrpc__Peertest__PeerTest__unary__reply(call, &reply);
    } else if (run->kind == SERVER_STREAM) {
        pgrpc_call_finish(call, PGRPC_OK, NULL);
    } else {
        run->finished = false;
    }
}

static void advance(struct run *run)
{
    while (!run->finished && run->timer == NULL) {
        const Request *request = run->request;

        if (request == NULL) {
            if (!receive(run))
                return;
        } else if (!run->delayed && request->delay_ms != 0 &&
                   (run->replies_left != 0 || run->kind == UNARY)) {
            run->delayed = true;
            wait_for(run, request->delay_ms);
        } else if (run->replies_left != 0) {
            if (!send(run))
                return;
        } else if (request->hold && !run->held) {
            run->held = true;
            wait_for(run, HOLD_MS);
        } else {
            finish_request(run);
        }
    }
}

static void on_event(struct pgrpc_call *call, void *userdata)
{
    (void)call;
    advance(userdata);
}

static void on_done(struct pgrpc_call *call, void *userdata)
{
    struct run *run = userdata;

    pgrpc_timer_cancel(run->timer);
    if (!run->finished)
        pgrpc_call_finish(call, PGRPC_CANCELLED, NULL);
    script_end(&run->script);
    free(run);
}

static struct run *begin(struct pgrpc_call *call, enum kind kind, void *userdata)
{
    static const struct pgrpc_call_events events = {.size = sizeof events,
                                                    .on_readable = on_event,
                                                    .on_writable = on_event,
                                                    .on_done = on_done};
    struct run *run = must_alloc(sizeof *run);

    run->kind = kind;
    run->loop = pgrpc_server_loop(*(struct pgrpc_server **)userdata);
    script_begin(&run->script, call);
    pgrpc_call_set_events(call, &events, run);
    return run;
}

static void start(struct run *run, const Request *request)
{
    script_receive(&run->script, request, pgrpc_call_message_flags(run->script.call));
    begin_request(run, request);
    advance(run);
}

static void unary(struct pgrpc_call *call, const Request *request, void *userdata)
{
    start(begin(call, UNARY, userdata), request);
}

static void server_stream(struct pgrpc_call *call, const Request *request, void *userdata)
{
    start(begin(call, SERVER_STREAM, userdata), request);
}

static void client_stream(struct pgrpc_call *call, void *userdata)
{
    advance(begin(call, CLIENT_STREAM, userdata));
}

static void bidi(struct pgrpc_call *call, void *userdata)
{
    advance(begin(call, BIDI, userdata));
}

static void observe(struct pgrpc_call *call, const Picogrpc__Peertest__ObserveRequest *request,
                    void *userdata)
{
    Observation observation = PICOGRPC__PEERTEST__OBSERVATION__INIT;

    (void)userdata;
    script_observe(request->call_id, &observation);
    Picogrpc__Peertest__PeerTest__observe__reply(call, &observation);
}

const struct Picogrpc__Peertest__PeerTest_handlers inline_handlers = {
    .unary = {unary, PGRPC_RUN_INLINE},
    .server_stream = {server_stream, PGRPC_RUN_INLINE},
    .client_stream = {client_stream, PGRPC_RUN_INLINE},
    .bidi = {bidi, PGRPC_RUN_INLINE},
    .observe = {observe, PGRPC_RUN_INLINE}};
