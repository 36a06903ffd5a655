/* The server on picogrpc. With --inline its handlers run on the loop, otherwise on workers. */
#include "script.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>

static struct pgrpc_server *server;

static void stop(int signal_number)
{
    (void)signal_number;
    pgrpc_server_shutdown(server, 0);
}

static void write_port(const char *path, int port)
{
    char temporary[4096];
    FILE *file;

    snprintf(temporary, sizeof temporary, "%s.new", path);
    file = fopen(temporary, "w");
    if (file == NULL || fprintf(file, "%d", port) < 0 || fclose(file) != 0 ||
        rename(temporary, path) != 0)
        die("cannot write %s", path);
}

int main(int argc, char **argv)
{
    static const struct option flags[] = {
        {"port", required_argument, NULL, 'p'},     {"port-file", required_argument, NULL, 'f'},
        {"tls-cert", required_argument, NULL, 'c'}, {"tls-key", required_argument, NULL, 'k'},
        {"inline", no_argument, NULL, 'i'},         {NULL, 0, NULL, 0}};
    const struct Picogrpc__Peertest__PeerTest_handlers *handlers = &worker_handlers;
    struct pgrpc_tls_options tls = {.size = sizeof tls};
    struct pgrpc_credentials *made = NULL;
    const struct pgrpc_credentials *credentials = pgrpc_credentials_insecure();
    struct pgrpc_health *health;
    struct sigaction action = {.sa_handler = stop};
    struct pgrpc_error error;
    const char *port_file = NULL;
    char address[64] = "127.0.0.1:0";
    int flag, port;

    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        if (flag == 'p')
            snprintf(address, sizeof address, "127.0.0.1:%s", optarg);
        else if (flag == 'f')
            port_file = optarg;
        else if (flag == 'c')
            tls.cert_file = optarg;
        else if (flag == 'k')
            tls.key_file = optarg;
        else if (flag == 'i')
            handlers = &inline_handlers;
        else
            return 2;
    }
    if (port_file == NULL)
        die("--port-file is missing");
    pattern(); /* before there are threads */
    if (tls.cert_file != NULL) {
        if (pgrpc_credentials_new_tls_server(&tls, &made, &error) != PGRPC_OK)
            die("%s", error.text);
        credentials = made;
    }
    if (pgrpc_server_new(NULL, &server, &error) != PGRPC_OK)
        die("%s", error.text);
    if (Picogrpc__Peertest__PeerTest_register(server, handlers, &server) != PGRPC_OK ||
        pgrpc_health_register(server, &health) != PGRPC_OK ||
        pgrpc_reflection_register(server) != PGRPC_OK ||
        pgrpc_server_listen(server, address, credentials, &port) != PGRPC_OK)
        die("%s", pgrpc_server_error(server));
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    write_port(port_file, port);
    if (pgrpc_server_run(server) != PGRPC_OK)
        die("%s", pgrpc_server_error(server));
    pgrpc_server_free(server);
    pgrpc_credentials_unref(made);
    script_free_records();
    return 0;
}
