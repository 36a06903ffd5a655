/*
 * Serves workers.Office, whose handlers block: they run on worker threads, and the loop's thread
 * stays free for everybody else.
 *
 *     workers-server --greeter HOST:PORT [--port N] [--port-file FILE] [--cert FILE --key FILE]
 */
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "helloworld.pgrpc.h"
#include "workers.pgrpc.h"

static struct pgrpc_server *server;
static struct {
    pthread_mutex_t lock;
    pthread_cond_t news;
    unsigned waiting, meetings;
} room = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};

static void meet(struct pgrpc_call *call, const Workers__MeetRequest *request, void *userdata)
{
    Workers__MeetReply reply = {0};
    struct timespec until;
    (void)userdata;
    pthread_mutex_lock(&room.lock);
    unsigned meetings = room.meetings;
    if (++room.waiting >= request->party) {
        room.waiting = 0;
        room.meetings++;
        pthread_cond_broadcast(&room.news);
    }
    /* A handler that blocks looks now and then whether anybody still waits for it. */
    while (room.meetings == meetings && !pgrpc_call_is_cancelled(call)) {
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        pthread_cond_timedwait(&room.news, &room.lock, &until);
    }
    if (room.meetings == meetings)
        room.waiting--; /* gave up */
    reply.meeting = meetings + 1;
    pthread_mutex_unlock(&room.lock);
    /* For a call that was cancelled this changes nothing but gives it up. */
    Workers__Office__meet__reply(call, &reply);
}

/* A blocking call inside a handler; it inherits deadline and cancellation from |parent|. */
static void relay(struct pgrpc_call *call, const Workers__RelayRequest *request, void *userdata)
{
    const struct pgrpc_call_options options = {.size = sizeof(options), .parent = call};
    Helloworld__HelloRequest question = {.name = request->name};
    Workers__RelayReply reply = {0};
    struct pgrpc_channel *greeter = userdata;
    struct pgrpc_result result = {0};
    const Helloworld__HelloReply *answer =
        Helloworld__Greeter__say_hello(greeter, &question, &options, &result);
    if (answer) {
        reply.message = answer->message;
        Workers__Office__relay__reply(call, &reply);
    } else {
        pgrpc_call_finish_status(call, &result.status);
    }
    pgrpc_result_clear(&result);
}

static void peek(struct pgrpc_call *call, const Workers__PeekRequest *request, void *userdata)
{
    Workers__PeekReply reply = {0};
    (void)request;
    (void)userdata;
    pthread_mutex_lock(&room.lock);
    reply.waiting = room.waiting;
    pthread_mutex_unlock(&room.lock);
    Workers__Office__peek__reply(call, &reply);
}

static const struct Workers__Office_handlers handlers = {
    .meet = {meet, PGRPC_RUN_WORKER},
    .relay = {relay, PGRPC_RUN_WORKER},
    .peek = {peek, PGRPC_RUN_INLINE},
};

static void stop(int signal_number)
{
    (void)signal_number;
    pgrpc_server_shutdown(server, 2000);
}

static int write_port(const char *path, int port)
{
    FILE *file = fopen(path, "w");
    return !file || fprintf(file, "%d\n", port) < 0 || fclose(file) ? -1 : 0;
}

int main(int argc, char **argv)
{
    static const struct option flags[] = {
        {"greeter", required_argument, NULL, 'g'},   {"port", required_argument, NULL, 'p'},
        {"port-file", required_argument, NULL, 'f'}, {"cert", required_argument, NULL, 'c'},
        {"key", required_argument, NULL, 'k'},       {NULL, 0, NULL, 0}};
    const struct pgrpc_server_options options = {.size = sizeof(options), .workers = 16};
    struct pgrpc_tls_options tls_options = {.size = sizeof(tls_options)};
    struct pgrpc_credentials *tls = NULL;
    struct pgrpc_channel *greeter = NULL;
    struct pgrpc_error error = {""};
    const char *target = "localhost:50051", *port_file = NULL;
    char address[32] = "[::]:0";
    int flag, port, status = EXIT_FAILURE;
    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        if (flag == 'g')
            target = optarg;
        else if (flag == 'p')
            snprintf(address, sizeof(address), "[::]:%s", optarg);
        else if (flag == 'f')
            port_file = optarg;
        else if (flag == 'c')
            tls_options.cert_file = optarg;
        else if (flag == 'k')
            tls_options.key_file = optarg;
        else
            return EXIT_FAILURE;
    }
    if (((tls_options.cert_file || tls_options.key_file) &&
         pgrpc_credentials_new_tls_server(&tls_options, &tls, &error)) ||
        pgrpc_channel_new(target, pgrpc_credentials_insecure(), NULL, &greeter, &error) ||
        pgrpc_server_new(&options, &server, &error) ||
        Workers__Office_register(server, &handlers, greeter) ||
        pgrpc_server_listen(server, address, tls ? tls : pgrpc_credentials_insecure(), &port))
        goto out;
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    if (port_file && write_port(port_file, port))
        perror(port_file);
    else if (pgrpc_server_run(server) == PGRPC_OK)
        status = EXIT_SUCCESS;
out:
    if (status != EXIT_SUCCESS)
        fprintf(stderr, "%s: %s\n", argv[0], server ? pgrpc_server_error(server) : error.text);
    /* A second signal must not find a server that is gone. */
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    pgrpc_server_free(server);
    pgrpc_channel_unref(greeter);
    pgrpc_credentials_unref(tls);
    return status;
}
