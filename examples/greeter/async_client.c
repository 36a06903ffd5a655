/*
 * Calls helloworld.Greeter without ever waiting: three calls at once, on one loop and one thread.
 *
 *     greeter-async-client --target HOST:PORT [--ca FILE]
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "helloworld.pgrpc.h"

static const char *const NAMES[] = {"Ada", "Grace", "Barbara"};
enum { NAME_COUNT = sizeof(NAMES) / sizeof(NAMES[0]) };

struct client {
    struct pgrpc_loop *loop;
    int running;
    int failures;
};

/* One call, what should come of it, and how far it is. */
struct work {
    struct client *client;
    enum pgrpc_code expected;
    int wanted, sent, received;
};

/* The last event of every call. */
static void on_done(struct pgrpc_call *call, void *userdata)
{
    struct work *work = userdata;
    const struct pgrpc_status *status = pgrpc_call_status(call);
    printf("%s: %s %s\n", pgrpc_call_path(call), pgrpc_code_name(status->code), status->message);
    if (status->code != work->expected || work->received != work->wanted)
        work->client->failures++;
    if (--work->client->running == 0)
        pgrpc_loop_stop(work->client->loop);
}

static void on_hello(struct pgrpc_call *call, void *userdata)
{
    struct work *work = userdata;
    const Helloworld__HelloReply *reply;
    if (Helloworld__Greeter__say_hello__recv_reply(call, &reply) == PGRPC_IO_DONE)
        printf("SayHello %d: %s\n", ++work->received, reply->message);
}

/* Receives until there is nothing left: only then the event comes again. */
static void on_subscribe_readable(struct pgrpc_call *call, void *userdata)
{
    struct work *work = userdata;
    const Helloworld__HelloReply *reply;
    while (Helloworld__Greeter__subscribe__recv_reply(call, &reply) == PGRPC_IO_DONE) {
        printf("Subscribe %d: %s\n", ++work->received, reply->message);
        if (work->received == work->wanted)
            pgrpc_call_cancel(call);
    }
}

static void on_chat_readable(struct pgrpc_call *call, void *userdata)
{
    struct work *work = userdata;
    const Helloworld__HelloReply *reply;
    while (Helloworld__Greeter__chat__recv_reply(call, &reply) == PGRPC_IO_DONE)
        printf("Chat %d: %s\n", ++work->received, reply->message);
}

/* Sends until the queue is full (then this event comes again) or all has been said. */
static void on_chat_writable(struct pgrpc_call *call, void *userdata)
{
    struct work *work = userdata;
    Helloworld__HelloRequest request = {0};
    for (; work->sent < NAME_COUNT; work->sent++) {
        request.name = (char *)NAMES[work->sent];
        if (Helloworld__Greeter__chat__send_request(call, &request) != PGRPC_IO_DONE)
            return;
    }
    pgrpc_call_close_send(call);
}

static const struct pgrpc_call_events hello_events = {
    .size = sizeof(hello_events), .on_readable = on_hello, .on_done = on_done};
static const struct pgrpc_call_events subscribe_events = {
    .size = sizeof(subscribe_events), .on_readable = on_subscribe_readable, .on_done = on_done};
static const struct pgrpc_call_events chat_events = {.size = sizeof(chat_events),
                                                     .on_readable = on_chat_readable,
                                                     .on_writable = on_chat_writable,
                                                     .on_done = on_done};

/* Starts the three calls and turns the loop until all are done. The number of failures. */
static int run(struct pgrpc_loop *loop, struct pgrpc_channel *channel)
{
    const struct pgrpc_call_options options = {.size = sizeof(options), .timeout_ms = 10000};
    struct client client = {.loop = loop};
    struct work hello = {&client, PGRPC_OK, 1, 0, 0};
    struct work subscription = {&client, PGRPC_CANCELLED, 3, 0, 0};
    struct work chat = {&client, PGRPC_OK, NAME_COUNT, 0, 0};
    Helloworld__HelloRequest request = {.name = (char *)"world"};
    struct pgrpc_call *call;
    call =
        Helloworld__Greeter__say_hello__start(channel, &request, &options, &hello_events, &hello);
    client.running += call != NULL;
    call = Helloworld__Greeter__subscribe__start(channel, &request, &options, &subscribe_events,
                                                 &subscription);
    client.running += call != NULL;
    call = Helloworld__Greeter__chat__start(channel, &options, &chat_events, &chat);
    client.running += call != NULL;
    if (call)
        on_chat_writable(call, &chat);
    client.failures = 3 - client.running;
    return client.running && pgrpc_loop_run(loop) ? 3 : client.failures;
}

int main(int argc, char **argv)
{
    static const struct option flags[] = {{"target", required_argument, NULL, 't'},
                                          {"ca", required_argument, NULL, 'a'},
                                          {NULL, 0, NULL, 0}};
    struct pgrpc_channel_options options = {.size = sizeof(options)};
    struct pgrpc_tls_options tls_options = {.size = sizeof(tls_options)};
    struct pgrpc_credentials *tls = NULL;
    struct pgrpc_channel *channel = NULL;
    struct pgrpc_error error = {"no loop"};
    const char *target = "localhost:50051";
    int flag, failures = 1;
    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        if (flag == 't')
            target = optarg;
        else if (flag == 'a')
            tls_options.ca_file = optarg;
        else
            return EXIT_FAILURE;
    }
    options.loop = pgrpc_loop_new(NULL);
    if (!options.loop ||
        (tls_options.ca_file && pgrpc_credentials_new_tls_client(&tls_options, &tls, &error)) ||
        pgrpc_channel_new(target, tls ? tls : pgrpc_credentials_insecure(), &options, &channel,
                          &error))
        fprintf(stderr, "%s: %s\n", argv[0], error.text);
    else
        failures = run(options.loop, channel);
    pgrpc_channel_unref(channel);
    pgrpc_credentials_unref(tls);
    pgrpc_loop_free(options.loop);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
