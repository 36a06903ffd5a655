/* How stubs are used: compiled, never run.  Every kind of rpc, both ways to wait, both ends. */
#include <stdio.h>

#include "helloworld.pgrpc.h"

int blocking_client(struct pgrpc_channel *channel);
int streaming_client(struct pgrpc_channel *channel);
struct pgrpc_call *asynchronous_client(struct pgrpc_channel *channel);
enum pgrpc_code server(struct pgrpc_server *server);

int blocking_client(struct pgrpc_channel *channel)
{
    Helloworld__HelloRequest request = HELLOWORLD__HELLO_REQUEST__INIT;
    request.name = (char *)"world";
    struct pgrpc_result result = {0};
    const Helloworld__HelloReply *reply =
        Helloworld__Greeter__say_hello(channel, &request, NULL, &result);
    if (reply)
        puts(reply->message);
    else
        fprintf(stderr, "SayHello: %s\n", result.status.message);
    pgrpc_result_clear(&result);
    return reply ? 0 : 1;
}

int streaming_client(struct pgrpc_channel *channel)
{
    Helloworld__HelloRequest request = HELLOWORLD__HELLO_REQUEST__INIT;
    const Helloworld__HelloReply *reply = NULL;
    struct pgrpc_call *subscription = Helloworld__Greeter__subscribe__open(channel, &request, NULL);
    while (Helloworld__Greeter__subscribe__recv_reply(subscription, &reply) == PGRPC_IO_DONE)
        puts(reply->message);
    pgrpc_call_unref(subscription);

    struct pgrpc_call *collection = Helloworld__Greeter__collect__open(channel, NULL);
    Helloworld__Greeter__collect__send_request(collection, &request);
    pgrpc_call_close_send(collection);
    if (Helloworld__Greeter__collect__recv_reply(collection, &reply) == PGRPC_IO_DONE)
        puts(reply->message);
    pgrpc_call_unref(collection);

    struct pgrpc_call *chat = Helloworld__Greeter__chat__open(channel, NULL);
    Helloworld__Greeter__chat__send_request(chat, &request);
    if (Helloworld__Greeter__chat__recv_reply(chat, &reply) == PGRPC_IO_DONE)
        puts(reply->message);
    pgrpc_call_unref(chat);
    return 0;
}

static void print_reply(struct pgrpc_call *call, void *userdata)
{
    const Helloworld__HelloReply *reply;
    (void)userdata;
    if (Helloworld__Greeter__say_hello__recv_reply(call, &reply) == PGRPC_IO_DONE)
        puts(reply->message);
}

struct pgrpc_call *asynchronous_client(struct pgrpc_channel *channel)
{
    static const struct pgrpc_call_events events = {
        .size = sizeof(events),
        .on_readable = print_reply,
    };
    Helloworld__HelloRequest request = HELLOWORLD__HELLO_REQUEST__INIT;
    Helloworld__Greeter__subscribe__start(channel, &request, NULL, &events, NULL);
    Helloworld__Greeter__collect__start(channel, NULL, &events, NULL);
    Helloworld__Greeter__chat__start(channel, NULL, &events, NULL);
    return Helloworld__Greeter__say_hello__start(channel, &request, NULL, &events, NULL);
}

static void say_hello(struct pgrpc_call *call, const Helloworld__HelloRequest *request,
                      void *userdata)
{
    Helloworld__HelloReply reply = HELLOWORLD__HELLO_REPLY__INIT;
    (void)userdata;
    reply.message = pgrpc_message_printf(call, "Hello %s", request->name);
    Helloworld__Greeter__say_hello__reply(call, &reply);
}

static void subscribe(struct pgrpc_call *call, const Helloworld__HelloRequest *request,
                      void *userdata)
{
    Helloworld__HelloReply reply = HELLOWORLD__HELLO_REPLY__INIT;
    (void)userdata;
    reply.message = request->name;
    while (Helloworld__Greeter__subscribe__send_reply(call, &reply) == PGRPC_IO_DONE)
        continue;
    pgrpc_call_finish(call, PGRPC_OK, NULL);
}

static void collect(struct pgrpc_call *call, void *userdata)
{
    const Helloworld__HelloRequest *request;
    Helloworld__HelloReply reply = HELLOWORLD__HELLO_REPLY__INIT;
    (void)userdata;
    while (Helloworld__Greeter__collect__recv_request(call, &request) == PGRPC_IO_DONE)
        puts(request->name);
    Helloworld__Greeter__collect__reply(call, &reply);
}

static void chat(struct pgrpc_call *call, void *userdata)
{
    const Helloworld__HelloRequest *request;
    (void)userdata;
    while (Helloworld__Greeter__chat__recv_request(call, &request) == PGRPC_IO_DONE) {
        Helloworld__HelloReply reply = HELLOWORLD__HELLO_REPLY__INIT;
        reply.message = pgrpc_message_printf(call, "Hello %s", request->name);
        if (Helloworld__Greeter__chat__send_reply(call, &reply) != PGRPC_IO_DONE)
            break;
    }
    pgrpc_call_finish(call, PGRPC_OK, NULL);
}

enum pgrpc_code server(struct pgrpc_server *server)
{
    static const struct Helloworld__Greeter_handlers handlers = {
        .say_hello = {say_hello, PGRPC_RUN_INLINE},
        .subscribe = {subscribe, PGRPC_RUN_WORKER},
        .collect = {collect, PGRPC_RUN_WORKER},
        .chat = {chat, PGRPC_RUN_WORKER},
    };
    return Helloworld__Greeter_register(server, &handlers, NULL);
}
