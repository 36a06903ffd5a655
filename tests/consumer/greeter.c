/*
 * A whole gRPC program for the packaging tests: server and client on one loop, joined in memory.
 */
#include <stdio.h>
#include <string.h>

#include "greeter.pgrpc.h"

struct outcome {
    struct pgrpc_loop *loop;
    int status;
};

static void say_hello(struct pgrpc_call *call, const Consumer__HelloRequest *request,
                      void *userdata)
{
    Consumer__HelloReply reply = CONSUMER__HELLO_REPLY__INIT;

    (void)userdata;
    reply.message = pgrpc_message_printf(call, "Hello %s", request->name);
    Consumer__Greeter__say_hello__reply(call, &reply);
}

static const struct Consumer__Greeter_handlers handlers = {
    .say_hello = {say_hello, PGRPC_RUN_INLINE},
};

static void on_readable(struct pgrpc_call *call, void *userdata)
{
    struct outcome *outcome = userdata;
    const Consumer__HelloReply *reply;

    if (Consumer__Greeter__say_hello__recv_reply(call, &reply) == PGRPC_IO_DONE) {
        puts(reply->message);
        outcome->status = strcmp(reply->message, "Hello consumer") != 0;
    }
}

static void on_done(struct pgrpc_call *call, void *userdata)
{
    struct outcome *outcome = userdata;

    if (pgrpc_call_status(call)->code != PGRPC_OK) {
        puts(pgrpc_call_status(call)->message);
        outcome->status = 1;
    }
    pgrpc_loop_stop(outcome->loop);
}

int main(void)
{
    struct pgrpc_loop *loop = pgrpc_loop_new(NULL);
    struct pgrpc_server_options server_options = {.size = sizeof(server_options), .loop = loop};
    struct pgrpc_channel_options channel_options = {.size = sizeof(channel_options), .loop = loop};
    struct pgrpc_call_events events = {
        .size = sizeof(events), .on_readable = on_readable, .on_done = on_done};
    struct outcome outcome = {loop, 1};
    struct pgrpc_server *server = NULL;
    struct pgrpc_channel *channel = NULL;
    struct pgrpc_error error;
    Consumer__HelloRequest request = CONSUMER__HELLO_REQUEST__INIT;

    request.name = (char *)"consumer";
    if (loop && !pgrpc_server_new(&server_options, &server, &error) &&
        !Consumer__Greeter_register(server, &handlers, NULL) && !pgrpc_server_start(server) &&
        !pgrpc_channel_new_in_process(server, &channel_options, &channel, &error) &&
        Consumer__Greeter__say_hello__start(channel, &request, NULL, &events, &outcome))
        pgrpc_loop_run(loop);
    pgrpc_channel_unref(channel);
    pgrpc_server_free(server);
    pgrpc_loop_free(loop);
    return outcome.status;
}
