/*
 * Eight threads call helloworld.Greeter over one channel and one connection.
 *
 *     greeter-shared-client --target HOST:PORT [--ca FILE] [--calls N]
 *
 * The channel has no thread of its own: whoever waits turns its loop, for the others as well.
 */
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helloworld.pgrpc.h"

enum { THREAD_COUNT = 8 };

/* A thread and what only it touches; it reads the channel alone, which may be shared. */
struct caller {
    pthread_t thread;
    struct pgrpc_channel *channel;
    int number;
    int call_count;
    int reply_count;
    char failure[256];
};

static void *call_often(void *argument)
{
    const struct pgrpc_call_options options = {.size = sizeof(options), .timeout_ms = 10000};
    struct caller *caller = argument;
    char name[32], expected[64];
    Helloworld__HelloRequest request = {.name = name};
    const Helloworld__HelloReply *reply;
    struct pgrpc_result result = {0}; /* one for each thread, used again by each call */
    for (int i = 0; i < caller->call_count; i++) {
        snprintf(name, sizeof(name), "thread %d, call %d", caller->number, i);
        snprintf(expected, sizeof(expected), "Hello %s", name);
        reply = Helloworld__Greeter__say_hello(caller->channel, &request, &options, &result);
        if (reply && strcmp(reply->message, expected) == 0)
            caller->reply_count++;
        else
            snprintf(caller->failure, sizeof(caller->failure), "%s: %s",
                     pgrpc_code_name(result.status.code),
                     reply ? reply->message : result.status.message);
    }
    pgrpc_result_clear(&result);
    return NULL;
}

/* The number of calls that failed. */
static int call_from_threads(struct pgrpc_channel *channel, int call_count)
{
    struct caller callers[THREAD_COUNT] = {0};
    int started = 0, replies = 0;
    for (; started < THREAD_COUNT; started++) {
        struct caller *caller = &callers[started];
        caller->channel = channel;
        caller->number = started;
        caller->call_count = call_count;
        if (pthread_create(&caller->thread, NULL, call_often, caller))
            break;
    }
    for (int i = 0; i < started; i++) {
        pthread_join(callers[i].thread, NULL);
        printf("thread %d: %d calls, %d replies %s\n", i, call_count, callers[i].reply_count,
               callers[i].failure);
        replies += callers[i].reply_count;
    }
    printf("%d threads, %d calls, %d replies\n", started, started * call_count, replies);
    return THREAD_COUNT * call_count - replies;
}

int main(int argc, char **argv)
{
    static const struct option flags[] = {{"target", required_argument, NULL, 't'},
                                          {"ca", required_argument, NULL, 'a'},
                                          {"calls", required_argument, NULL, 'n'},
                                          {NULL, 0, NULL, 0}};
    struct pgrpc_tls_options tls_options = {.size = sizeof(tls_options)};
    struct pgrpc_credentials *tls = NULL;
    struct pgrpc_channel *channel = NULL;
    struct pgrpc_error error;
    const char *target = "localhost:50051";
    int flag, call_count = 100, failures = 1;
    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        if (flag == 't')
            target = optarg;
        else if (flag == 'a')
            tls_options.ca_file = optarg;
        else if (flag == 'n')
            call_count = atoi(optarg);
        else
            return EXIT_FAILURE;
    }
    if ((tls_options.ca_file && pgrpc_credentials_new_tls_client(&tls_options, &tls, &error)) ||
        pgrpc_channel_new(target, tls ? tls : pgrpc_credentials_insecure(), NULL, &channel, &error))
        fprintf(stderr, "%s: %s\n", argv[0], error.text);
    else
        failures = call_from_threads(channel, call_count);
    pgrpc_channel_unref(channel);
    pgrpc_credentials_unref(tls);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
