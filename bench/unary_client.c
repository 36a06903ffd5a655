/* The client of the quick benchmark: COUNT unary calls, one after the other, blocking or
 * asynchronous. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helloworld.pgrpc.h"

static Helloworld__HelloRequest request = HELLOWORLD__HELLO_REQUEST__INIT;

static int call_blocking(const char *target, long count)
{
    struct pgrpc_channel *channel;
    struct pgrpc_result result = {0};
    struct pgrpc_error error = {""};
    int failed = 0;
    if (pgrpc_channel_new(target, pgrpc_credentials_insecure(), NULL, &channel, &error)) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    for (long i = 0; i < count && !failed; i++)
        failed = !Helloworld__Greeter__say_hello(channel, &request, NULL, &result);
    if (failed)
        fprintf(stderr, "%s\n", result.status.message);
    pgrpc_result_clear(&result);
    pgrpc_channel_unref(channel);
    return failed;
}

struct run {
    struct pgrpc_loop *loop;
    struct pgrpc_channel *channel;
    long left;
    int failed;
};

static void on_done(struct pgrpc_call *call, void *userdata)
{
    static const struct pgrpc_call_events events = {.size = sizeof(events), .on_done = on_done};
    struct run *run = userdata;
    const Helloworld__HelloReply *reply;
    if (Helloworld__Greeter__say_hello__recv_reply(call, &reply) != PGRPC_IO_DONE) {
        fprintf(stderr, "%s\n", pgrpc_call_status(call)->message);
        run->failed = 1;
    }
    if (--run->left <= 0 || run->failed)
        pgrpc_loop_stop(run->loop);
    else
        Helloworld__Greeter__say_hello__start(run->channel, &request, NULL, &events, run);
}

static int call_async(const char *target, long count)
{
    static const struct pgrpc_call_events events = {.size = sizeof(events), .on_done = on_done};
    struct run run = {.loop = pgrpc_loop_new(NULL), .left = count};
    struct pgrpc_channel_options options = {.size = sizeof(options), .loop = run.loop};
    struct pgrpc_error error = {""};
    if (!run.loop ||
        pgrpc_channel_new(target, pgrpc_credentials_insecure(), &options, &run.channel, &error)) {
        fprintf(stderr, "%s\n", error.text);
        pgrpc_loop_free(run.loop);
        return 1;
    }
    Helloworld__Greeter__say_hello__start(run.channel, &request, NULL, &events, &run);
    pgrpc_loop_run(run.loop);
    pgrpc_channel_unref(run.channel);
    pgrpc_loop_free(run.loop);
    return run.failed;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s TARGET blocking|async COUNT\n", argv[0]);
        return 2;
    }
    request.name = (char *)"world";
    long count = strtol(argv[3], NULL, 10);
    return strcmp(argv[2], "async") == 0 ? call_async(argv[1], count)
                                         : call_blocking(argv[1], count);
}
