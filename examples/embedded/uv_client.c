/*
 * A client inside libuv: a uv timer starts calls of helloworld.Greeter, and libuv's loop carries
 * them.  Afterwards it counts how often an idle second wakes the program up, until nothing does.
 *
 *     uv-client --target HOST:PORT [--ca FILE]
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include <picogrpc/adapters/uv.h>

#include "helloworld.pgrpc.h"

enum { CALL_COUNT = 10, CALL_EVERY_MS = 20, SETTLE_MS = 200, IDLE_MS = 1000, TRIES = 20 };

static struct client {
    struct pgrpc_channel *channel;
    uv_loop_t uv;
    uv_poll_t poll;
    uv_timer_t timer;
    uv_check_t check; /* counts how often the loop woke up */
    unsigned wakes;
    unsigned wakes_before;
    int started, done, replies, tries;
} client;

static void count_wake(uv_check_t *check)
{
    (void)check;
    client.wakes++;
}

static void begin_idle(uv_timer_t *timer);

/* On a slow machine a second may still see the end of what was before. */
static void end_idle(uv_timer_t *timer)
{
    /* One of them was this timer's. */
    unsigned wakes = client.wakes - client.wakes_before - 1;
    printf("idle second: %u wake-ups\n", wakes);
    if (wakes && ++client.tries < TRIES)
        begin_idle(timer);
    else
        uv_stop(&client.uv);
}

static void begin_idle(uv_timer_t *timer)
{
    client.wakes_before = client.wakes;
    uv_timer_start(timer, end_idle, IDLE_MS, 0);
}

static void on_done(struct pgrpc_call *call, void *userdata)
{
    const struct pgrpc_status *status = pgrpc_call_status(call);
    const Helloworld__HelloReply *reply;
    (void)userdata;
    if (Helloworld__Greeter__say_hello__recv_reply(call, &reply) == PGRPC_IO_DONE) {
        client.replies++;
        puts(reply->message);
    } else {
        fprintf(stderr, "SayHello: %s: %s\n", pgrpc_code_name(status->code), status->message);
    }
    if (++client.done == CALL_COUNT)
        uv_timer_start(&client.timer, begin_idle, SETTLE_MS, 0);
}

static void start_call(uv_timer_t *timer)
{
    static const struct pgrpc_call_events events = {.size = sizeof(events), .on_done = on_done};
    const struct pgrpc_call_options options = {.size = sizeof(options), .timeout_ms = 10000};
    char name[32];
    Helloworld__HelloRequest request = {.name = name};
    snprintf(name, sizeof(name), "uv %d", client.started);
    if (!Helloworld__Greeter__say_hello__start(client.channel, &request, &options, &events, NULL)) {
        fputs("out of memory\n", stderr);
        uv_stop(&client.uv);
    } else if (++client.started == CALL_COUNT) {
        uv_timer_stop(timer);
    }
}

static void close_handle(uv_handle_t *handle, void *userdata)
{
    (void)userdata;
    uv_close(handle, NULL);
}

static int run(struct pgrpc_loop *loop)
{
    int error = uv_loop_init(&client.uv);
    if (error) {
        fprintf(stderr, "libuv: %s\n", uv_strerror(error));
        return 1;
    }
    uv_timer_init(&client.uv, &client.timer);
    uv_check_init(&client.uv, &client.check);
    uv_check_start(&client.check, count_wake);
    error = pgrpc_uv_start(&client.uv, loop, &client.poll);
    if (error)
        fprintf(stderr, "libuv: %s\n", uv_strerror(error));
    else if (uv_timer_start(&client.timer, start_call, 0, CALL_EVERY_MS) == 0)
        uv_run(&client.uv, UV_RUN_DEFAULT);
    printf("%d calls, %d replies\n", client.started, client.replies);
    uv_walk(&client.uv, close_handle, NULL);
    uv_run(&client.uv, UV_RUN_DEFAULT);
    uv_loop_close(&client.uv);
    return client.replies != CALL_COUNT;
}

int main(int argc, char **argv)
{
    static const struct option flags[] = {{"target", required_argument, NULL, 't'},
                                          {"ca", required_argument, NULL, 'a'},
                                          {NULL, 0, NULL, 0}};
    struct pgrpc_channel_options options = {.size = sizeof(options)};
    struct pgrpc_tls_options tls_options = {.size = sizeof(tls_options)};
    struct pgrpc_credentials *tls = NULL;
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
        pgrpc_channel_new(target, tls ? tls : pgrpc_credentials_insecure(), &options,
                          &client.channel, &error))
        fprintf(stderr, "%s: %s\n", argv[0], error.text);
    else
        failures = run(options.loop);
    pgrpc_channel_unref(client.channel);
    pgrpc_loop_free(options.loop);
    pgrpc_credentials_unref(tls);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
