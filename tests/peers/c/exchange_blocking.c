/* RPCs with the blocking API: one thread sends while another receives. */
#include "exchange.h"

#include <pthread.h>

struct sender {
    struct exchange *x;
    struct pgrpc_call *call;
};

static void *send_all(void *argument)
{
    struct sender *sender = argument;
    struct exchange *x = sender->x;

    for (size_t i = 0; i < x->request_count; i++)
        if (pgrpc_call_send(sender->call, x->requests[i], exchange_flags(x, i)) != PGRPC_IO_DONE)
            return NULL;
    if (x->cancel_id == NULL)
        pgrpc_call_close_send(sender->call);
    return NULL;
}

static void run_unary(struct client *client, struct exchange *x)
{
    struct pgrpc_call_options options = exchange_options(x);
    struct pgrpc_result result = {0};
    const Reply *reply =
        Picogrpc__Peertest__PeerTest__unary(client->channel, x->requests[0], &options, &result);

    if (x->gzip)
        x->sent_compressed = 1;
    if (reply != NULL)
        exchange_add_reply(x, reply, result.flags);
    exchange_set_end(x, &result.status, result.headers, result.trailers);
    pgrpc_result_clear(&result);
}

static struct pgrpc_call *open_call(struct client *client, struct exchange *x)
{
    struct pgrpc_call_options options = exchange_options(x);

    if (x->kind == CLIENT_STREAM)
        return Picogrpc__Peertest__PeerTest__client_stream__open(client->channel, &options);
    if (x->kind == BIDI)
        return Picogrpc__Peertest__PeerTest__bidi__open(client->channel, &options);
    if (x->gzip)
        x->sent_compressed = 1;
    return Picogrpc__Peertest__PeerTest__server_stream__open(client->channel, x->requests[0],
                                                             &options);
}

void exchange_run_blocking(struct client *client, struct exchange *x)
{
    struct sender sender = {.x = x};
    struct canceller *canceller = NULL;
    pthread_t thread;
    const void *reply;
    unsigned flags;

    if (x->kind == UNARY) {
        run_unary(client, x);
        return;
    }
    sender.call = open_call(client, x);
    if (sender.call == NULL)
        die("out of memory");
    if (x->kind != SERVER_STREAM && pthread_create(&thread, NULL, send_all, &sender) != 0)
        die("no thread");
    if (x->cancel_id != NULL && x->kind == CLIENT_STREAM)
        canceller = canceller_start(client, sender.call, x->cancel_id);
    while (pgrpc_call_recv(sender.call, &reply, &flags) == PGRPC_IO_DONE) {
        exchange_add_reply(x, reply, flags);
        if (x->cancel_id != NULL && canceller == NULL)
            canceller = canceller_start(client, sender.call, x->cancel_id);
    }
    if (x->kind != SERVER_STREAM)
        pthread_join(thread, NULL);
    exchange_set_end(x, pgrpc_call_wait(sender.call), pgrpc_call_headers(sender.call),
                     pgrpc_call_trailers(sender.call));
    canceller_join(canceller);
    pgrpc_call_unref(sender.call);
}
