/*
 * A Greeter inside GLib: its main loop carries the server.  Once a second the program says how
 * often it was woken up since, apart from saying so.
 *
 *     glib-server [--port N] [--port-file FILE] [--cert FILE --key FILE]
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include <picogrpc/adapters/glib.h>

#include "helloworld.pgrpc.h"

enum { GRACE_MS = 2000, REPORT_MS = 1000, LOOK_MS = 20 };

static struct pgrpc_server *server;
static GMainLoop *main_loop;
static unsigned wakes, calls;

static void say_hello(struct pgrpc_call *call, const Helloworld__HelloRequest *request,
                      void *userdata)
{
    char *message = pgrpc_message_printf(call, "Hello %s", request->name);
    Helloworld__HelloReply reply = {.message = message};
    (void)userdata;
    calls++;
    Helloworld__Greeter__say_hello__reply(call, &reply);
}

static const struct Helloworld__Greeter_handlers handlers = {
    .say_hello = {say_hello, PGRPC_RUN_INLINE},
};

/* Stands in for poll(2) in the main loop: every return from it is a wake-up. */
static gint count_poll(GPollFD *fds, guint count, gint timeout_ms)
{
    gint result = g_poll(fds, count, timeout_ms);
    wakes += timeout_ms != 0;
    return result;
}

static gboolean report(gpointer unused)
{
    (void)unused;
    /* One of them was this timer's. */
    printf("last second: %u calls, %u wake-ups\n", calls, wakes - 1);
    fflush(stdout);
    wakes = 0;
    calls = 0;
    return G_SOURCE_CONTINUE;
}

static gboolean quit_when_stopped(gpointer unused)
{
    (void)unused;
    if (pgrpc_server_is_stopped(server))
        g_main_loop_quit(main_loop);
    return G_SOURCE_CONTINUE;
}

static gboolean stop(gpointer unused)
{
    (void)unused;
    pgrpc_server_shutdown(server, GRACE_MS);
    g_timeout_add(LOOK_MS, quit_when_stopped, NULL);
    return G_SOURCE_REMOVE;
}

static int write_port(const char *path, int port)
{
    FILE *file = fopen(path, "w");
    return !file || fprintf(file, "%d\n", port) < 0 || fclose(file) ? -1 : 0;
}

/* Serves until a signal comes and the shutdown it asks for has ended. */
static void run(GSource *source)
{
    main_loop = g_main_loop_new(NULL, FALSE);
    g_main_context_set_poll_func(NULL, count_poll);
    g_source_attach(source, NULL);
    g_unix_signal_add(SIGTERM, stop, NULL);
    g_unix_signal_add(SIGINT, stop, NULL);
    g_timeout_add(REPORT_MS, report, NULL);
    g_main_loop_run(main_loop);
    g_source_destroy(source);
    g_main_loop_unref(main_loop);
}

int main(int argc, char **argv)
{
    static const struct option flags[] = {{"port", required_argument, NULL, 'p'},
                                          {"port-file", required_argument, NULL, 'f'},
                                          {"cert", required_argument, NULL, 'c'},
                                          {"key", required_argument, NULL, 'k'},
                                          {NULL, 0, NULL, 0}};
    struct pgrpc_server_options options = {.size = sizeof(options)};
    struct pgrpc_tls_options tls_options = {.size = sizeof(tls_options)};
    struct pgrpc_credentials *tls = NULL;
    struct pgrpc_error error = {"no loop"};
    const char *port_file = NULL;
    GSource *source = NULL;
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
    options.loop = pgrpc_loop_new(NULL);
    source = options.loop ? pgrpc_glib_source_new(options.loop) : NULL;
    if (!source ||
        ((tls_options.cert_file || tls_options.key_file) &&
         pgrpc_credentials_new_tls_server(&tls_options, &tls, &error)) ||
        pgrpc_server_new(&options, &server, &error))
        goto out;
    if (Helloworld__Greeter_register(server, &handlers, NULL) ||
        pgrpc_server_listen(server, address, tls ? tls : pgrpc_credentials_insecure(), &port) ||
        pgrpc_server_start(server))
        goto out;
    if (port_file && write_port(port_file, port)) {
        perror(port_file);
        goto out;
    }
    run(source);
    status = EXIT_SUCCESS;
out:
    if (status != EXIT_SUCCESS)
        fprintf(stderr, "%s: %s\n", argv[0], server ? pgrpc_server_error(server) : error.text);
    if (source)
        g_source_unref(source);
    pgrpc_server_free(server);
    pgrpc_credentials_unref(tls);
    pgrpc_loop_free(options.loop);
    return status;
}
