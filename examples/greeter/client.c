/*
 * Calls helloworld.Greeter and waits: one rpc of each kind.
 *
 *     greeter-client --target HOST:PORT [--ca FILE]
 *
 * TLS, with the server's certificate signed by FILE, when there is one; plaintext otherwise.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "helloworld.pgrpc.h"

static const char *const NAMES[] = {"Ada", "Grace", "Barbara"};
enum { NAME_COUNT = sizeof(NAMES) / sizeof(NAMES[0]), TIMEOUT_MS = 10000 };

static const struct pgrpc_call_options options = {.size = sizeof(options),
                                                  .timeout_ms = TIMEOUT_MS};

/* Says how a call ended and drops it. 0 when the status is |expected|. */
static int end(struct pgrpc_call *call, enum pgrpc_code expected)
{
    const struct pgrpc_status *status = pgrpc_call_wait(call);
    int failed = status->code != expected;
    printf("    %s %s\n", pgrpc_code_name(status->code), status->message);
    pgrpc_call_unref(call);
    return failed;
}

static int say_hello(struct pgrpc_channel *channel)
{
    Helloworld__HelloRequest request = {.name = (char *)"world"};
    const Helloworld__HelloReply *reply;
    struct pgrpc_result result = {0};
    puts("SayHello, one request and one reply:");
    reply = Helloworld__Greeter__say_hello(channel, &request, &options, &result);
    if (reply)
        printf("    %s\n", reply->message);
    printf("    %s %s\n", pgrpc_code_name(result.status.code), result.status.message);
    pgrpc_result_clear(&result);
    return !reply;
}

static int subscribe(struct pgrpc_channel *channel)
{
    Helloworld__HelloRequest request = {.name = (char *)"world"};
    const Helloworld__HelloReply *reply;
    struct pgrpc_call *call = Helloworld__Greeter__subscribe__open(channel, &request, &options);
    int count = 0;
    puts("Subscribe, a stream of replies, until we have heard enough:");
    if (!call)
        return 1;
    while (count < 3 && Helloworld__Greeter__subscribe__recv_reply(call, &reply) == PGRPC_IO_DONE) {
        printf("    %s\n", reply->message);
        count++;
    }
    pgrpc_call_cancel(call);
    return end(call, PGRPC_CANCELLED) || count < 3;
}

static int collect(struct pgrpc_channel *channel)
{
    Helloworld__HelloRequest request = {0};
    const Helloworld__HelloReply *reply;
    struct pgrpc_call *call = Helloworld__Greeter__collect__open(channel, &options);
    puts("Collect, a stream of requests and one reply:");
    if (!call)
        return 1;
    for (int i = 0; i < NAME_COUNT; i++) {
        request.name = (char *)NAMES[i];
        if (Helloworld__Greeter__collect__send_request(call, &request) != PGRPC_IO_DONE)
            break;
    }
    pgrpc_call_close_send(call);
    if (Helloworld__Greeter__collect__recv_reply(call, &reply) == PGRPC_IO_DONE)
        printf("    %s\n", reply->message);
    return end(call, PGRPC_OK);
}

static int chat(struct pgrpc_channel *channel)
{
    Helloworld__HelloRequest request = {0};
    const Helloworld__HelloReply *reply;
    struct pgrpc_call *call = Helloworld__Greeter__chat__open(channel, &options);
    puts("Chat, requests and replies in turn:");
    if (!call)
        return 1;
    for (int i = 0; i < NAME_COUNT; i++) {
        request.name = (char *)NAMES[i];
        if (Helloworld__Greeter__chat__send_request(call, &request) != PGRPC_IO_DONE ||
            Helloworld__Greeter__chat__recv_reply(call, &reply) != PGRPC_IO_DONE)
            break;
        printf("    %s\n", reply->message);
    }
    pgrpc_call_close_send(call);
    return end(call, PGRPC_OK);
}

int main(int argc, char **argv)
{
    static const struct option flags[] = {{"target", required_argument, NULL, 't'},
                                          {"ca", required_argument, NULL, 'a'},
                                          {NULL, 0, NULL, 0}};
    const char *target = "localhost:50051";
    struct pgrpc_tls_options tls_options = {.size = sizeof(tls_options)};
    struct pgrpc_credentials *tls = NULL;
    struct pgrpc_channel *channel = NULL;
    struct pgrpc_error error;
    int flag, failures = 1;
    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        if (flag == 't')
            target = optarg;
        else if (flag == 'a')
            tls_options.ca_file = optarg;
        else
            return EXIT_FAILURE;
    }
    if ((tls_options.ca_file && pgrpc_credentials_new_tls_client(&tls_options, &tls, &error)) ||
        pgrpc_channel_new(target, tls ? tls : pgrpc_credentials_insecure(), NULL, &channel, &error))
        fprintf(stderr, "%s: %s\n", argv[0], error.text);
    else
        failures = say_hello(channel) + subscribe(channel) + collect(channel) + chat(channel);
    if (failures)
        fprintf(stderr, "%s: %d failed\n", argv[0], failures);
    pgrpc_channel_unref(channel);
    pgrpc_credentials_unref(tls);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
