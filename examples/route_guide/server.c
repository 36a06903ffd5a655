/*
 * Serves routeguide.RouteGuide: the program around guide.c and chat.c.
 *
 *     route-guide-server [--port N] [--port-file FILE] [--cert FILE --key FILE]
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "guide.h"

static struct pgrpc_server *server;

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
    struct pgrpc_tls_options tls_options = {.size = sizeof(tls_options)};
    struct pgrpc_credentials *tls = NULL;
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
    if (guide_register(server) ||
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
