/*
 * Serves helloworld.Greeter, with health and reflection beside it.
 *
 *     greeter-server [--port N] [--port-file FILE] [--cert FILE --key FILE]
 *
 * TLS when there is a certificate, plaintext otherwise.  Port 0 (the default) takes a free one.
 * SIGTERM and SIGINT end it; calls that run may finish within two seconds.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "helloworld.pgrpc.h"

static struct pgrpc_server *server;

static void say_hello(struct pgrpc_call *call, const Helloworld__HelloRequest *request,
                      void *userdata)
{
    char *message = pgrpc_message_printf(call, "Hello %s", request->name);
    Helloworld__HelloReply reply = {.message = message};
    (void)userdata;
    Helloworld__Greeter__say_hello__reply(call, &reply);
}

/* This one and the next two run on workers, where sending and receiving wait. */
static void subscribe(struct pgrpc_call *call, const Helloworld__HelloRequest *request,
                      void *userdata)
{
    Helloworld__HelloReply reply = {0};
    unsigned count = 0;
    (void)userdata;
    do {
        reply.message = pgrpc_message_printf(call, "Hello %s, %u", request->name, ++count);
    } while (Helloworld__Greeter__subscribe__send_reply(call, &reply) == PGRPC_IO_DONE &&
             nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL) == 0);
    /* The caller has heard enough. */
    pgrpc_call_finish(call, PGRPC_OK, NULL);
}

static void collect(struct pgrpc_call *call, void *userdata)
{
    Helloworld__HelloReply reply = {0};
    const Helloworld__HelloRequest *request;
    char text[256] = "Hello";
    size_t len = strlen(text), count = 0;
    (void)userdata;
    while (Helloworld__Greeter__collect__recv_request(call, &request) == PGRPC_IO_DONE) {
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s %s", count++ ? "," : "",
                                request->name);
        if (len >= sizeof(text)) {
            pgrpc_call_finish(call, PGRPC_RESOURCE_EXHAUSTED, "%zu names are too many", count);
            return;
        }
    }
    reply.message = text;
    Helloworld__Greeter__collect__reply(call, &reply);
}

static void chat(struct pgrpc_call *call, void *userdata)
{
    Helloworld__HelloReply reply = {0};
    const Helloworld__HelloRequest *request;
    (void)userdata;
    while (Helloworld__Greeter__chat__recv_request(call, &request) == PGRPC_IO_DONE) {
        reply.message = pgrpc_message_printf(call, "Hello %s", request->name);
        if (Helloworld__Greeter__chat__send_reply(call, &reply) != PGRPC_IO_DONE)
            break;
    }
    pgrpc_call_finish(call, PGRPC_OK, NULL);
}

static const struct Helloworld__Greeter_handlers handlers = {
    .say_hello = {say_hello, PGRPC_RUN_INLINE},
    .subscribe = {subscribe, PGRPC_RUN_WORKER},
    .collect = {collect, PGRPC_RUN_WORKER},
    .chat = {chat, PGRPC_RUN_WORKER},
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
    static const struct option flags[] = {{"port", required_argument, NULL, 'p'},
                                          {"port-file", required_argument, NULL, 'f'},
                                          {"cert", required_argument, NULL, 'c'},
                                          {"key", required_argument, NULL, 'k'},
                                          {NULL, 0, NULL, 0}};
    struct pgrpc_credentials *tls = NULL;
    struct pgrpc_tls_options tls_options = {.size = sizeof(tls_options)};
    struct pgrpc_health *health;
    struct pgrpc_error error = {""};
    const char *port_file = NULL;
    char address[32] = "[::]:0";
    int flag, port, status = EXIT_FAILURE;
    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        if (flag == 'p')
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
    if ((tls_options.cert_file || tls_options.key_file) &&
        pgrpc_credentials_new_tls_server(&tls_options, &tls, &error))
        goto out;
    if (pgrpc_server_new(NULL, &server, &error))
        goto out;
    if (Helloworld__Greeter_register(server, &handlers, NULL) ||
        pgrpc_health_register(server, &health) || pgrpc_reflection_register(server) ||
        pgrpc_server_listen(server, address, tls ? tls : pgrpc_credentials_insecure(), &port))
        goto out;
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    fprintf(stderr, "listening on port %d, %s\n", port, tls ? "TLS" : "plaintext");
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
    pgrpc_credentials_unref(tls);
    return status;
}
