/* RPCs with the asynchronous API, on one thread that turns the loop. */
#include "exchange.h"

struct run {
    struct client *client;
    struct exchange *x;
    struct canceller *canceller;
    size_t next; /* request to send */
    bool closed;
    bool done;
};

static void on_writable(struct pgrpc_call *call, void *userdata)
{
    struct run *run = userdata;
    struct exchange *x = run->x;

    if (x->kind == UNARY || x->kind == SERVER_STREAM || run->closed)
        return;
    while (run->next < x->request_count) {
        unsigned flags = run->next % 2 == 1 ? PGRPC_MESSAGE_NO_COMPRESS : 0;
        enum pgrpc_io io = pgrpc_call_send(call, x->requests[run->next], flags);

        if (io == PGRPC_IO_AGAIN)
            return;
        if (io != PGRPC_IO_DONE)
            break;
        exchange_flags(x, run->next++);
    }
    run->closed = true;
    if (x->cancel_id == NULL && run->next == x->request_count)
        pgrpc_call_close_send(call);
}

static void start_canceller(struct run *run, struct pgrpc_call *call)
{
    if (run->x->cancel_id != NULL && run->canceller == NULL)
        run->canceller = canceller_start(run->client, call, run->x->cancel_id);
}

static void on_readable(struct pgrpc_call *call, void *userdata)
{
    struct run *run = userdata;
    const void *reply;
    unsigned flags;

    while (pgrpc_call_recv(call, &reply, &flags) == PGRPC_IO_DONE) {
        exchange_add_reply(run->x, reply, flags);
        start_canceller(run, call);
    }
}

static void on_done(struct pgrpc_call *call, void *userdata)
{
    struct run *run = userdata;

    on_readable(call, userdata);
    exchange_set_end(run->x, pgrpc_call_status(call), pgrpc_call_headers(call),
                     pgrpc_call_trailers(call));
    run->done = true;
}

static struct pgrpc_call *start_call(struct run *run, const struct pgrpc_call_events *events)
{
    struct exchange *x = run->x;
    struct pgrpc_channel *channel = run->client->loop_channel;
    struct pgrpc_call_options options = exchange_options(x);

    switch (x->kind) {
    case UNARY:
        return Picogrpc__Peertest__PeerTest__unary__start(channel, x->requests[0], &options, events,
                                                          run);
    case SERVER_STREAM:
        return Picogrpc__Peertest__PeerTest__server_stream__start(channel, x->requests[0], &options,
                                                                  events, run);
    case CLIENT_STREAM:
        return Picogrpc__Peertest__PeerTest__client_stream__start(channel, &options, events, run);
    case BIDI:
        return Picogrpc__Peertest__PeerTest__bidi__start(channel, &options, events, run);
    }
    return NULL;
}

void exchange_run_async(struct client *client, struct exchange *x)
{
    struct run run = {.client = client, .x = x};
    struct pgrpc_call_events events = {.size = sizeof events,
                                       .on_readable = on_readable,
                                       .on_writable = on_writable,
                                       .on_done = on_done};
    struct pgrpc_call *call = start_call(&run, &events);
    const void *none;

    if (call == NULL)
        die("out of memory");
    if (x->gzip && (x->kind == UNARY || x->kind == SERVER_STREAM))
        x->sent_compressed = 1;
    on_writable(call, &run);
    /* Asking is what makes on_readable come. */
    if (pgrpc_call_recv(call, &none, NULL) == PGRPC_IO_DONE)
        die("a reply before the loop turned");
    if (x->kind == UNARY || x->kind == CLIENT_STREAM)
        start_canceller(&run, call);
    while (!run.done)
        if (pgrpc_loop_dispatch(client->loop, -1) < 0)
            die("the loop failed");
    canceller_join(run.canceller);
}
