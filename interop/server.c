/*
 * The interop server: grpc.testing.TestService, for the interop clients of all languages.
 *
 *     server [--port=N] [--bind=ADDRESS] [--use_tls --tls_cert_file=FILE --tls_key_file=FILE
 *            [--tls_ca_file=FILE]] [--max_concurrent_streams_limit=N]
 *
 * Port 0 takes a free one; the line on stderr tells it.  With a CA, clients must show a certificate
 * signed by it.  SIGTERM and SIGINT end the server.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flags.h"
#include "payload.h"
#include "service.h"

enum {
    WORKERS = 128,                /* streams that wait hold one each */
    HANDSHAKE_TIMEOUT_MS = 60000, /* a client on a busy machine is no failure */
    MAX_METADATA_BYTES = 256 << 10
};

struct settings {
    int port;
    const char *bind;
    bool use_tls;
    const char *cert_file, *key_file, *ca_file;
    int max_calls;
};

static struct pgrpc_server *server;

static void stop(int signal_number)
{
    (void)signal_number;
    pgrpc_server_shutdown(server, 1000);
}

static int read_settings(struct settings *settings, int argc, char **argv)
{
    const struct flag flags[] = {
        {"port", FLAG_NUMBER, &settings->port, 65535},
        {"bind", FLAG_TEXT, &settings->bind, 0},
        {"use_tls", FLAG_TRUTH, &settings->use_tls, 0},
        {"tls_cert_file", FLAG_TEXT, &settings->cert_file, 0},
        {"tls_key_file", FLAG_TEXT, &settings->key_file, 0},
        {"tls_ca_file", FLAG_TEXT, &settings->ca_file, 0},
        {"max_concurrent_streams_limit", FLAG_NUMBER, &settings->max_calls, 1 << 20},
    };
    if (flags_parse(flags, sizeof(flags) / sizeof(flags[0]), argc, argv))
        return -1;
    if (settings->use_tls && (!settings->cert_file || !settings->key_file)) {
        fprintf(stderr, "%s: --use_tls needs --tls_cert_file and --tls_key_file\n", argv[0]);
        return -1;
    }
    if (!settings->use_tls && (settings->cert_file || settings->key_file || settings->ca_file)) {
        fprintf(stderr, "%s: certificates need --use_tls\n", argv[0]);
        return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct settings settings = {.port = 10000, .bind = "[::]"};
    struct pgrpc_tls_options tls_options = {.size = sizeof(tls_options)};
    struct pgrpc_server_options options = {.size = sizeof(options),
                                           .workers = WORKERS,
                                           .handshake_timeout_ms = HANDSHAKE_TIMEOUT_MS,
                                           .max_receive_bytes = MESSAGE_MAX,
                                           .max_metadata_bytes = MAX_METADATA_BYTES,
                                           .interceptors = &service_echo,
                                           .interceptor_count = 1};
    struct pgrpc_credentials *tls = NULL;
    struct pgrpc_error error = {""};
    char address[128];
    int port, status = EXIT_FAILURE;
    if (read_settings(&settings, argc, argv))
        return EXIT_FAILURE;
    tls_options.cert_file = settings.cert_file;
    tls_options.key_file = settings.key_file;
    tls_options.ca_file = settings.ca_file;
    tls_options.require_client_cert = settings.ca_file != NULL;
    options.max_concurrent_calls = (uint32_t)settings.max_calls;
    snprintf(address, sizeof(address), "%s:%d", settings.bind, settings.port);
    if (settings.use_tls && pgrpc_credentials_new_tls_server(&tls_options, &tls, &error))
        goto out;
    if (pgrpc_server_new(&options, &server, &error) ||
        Grpc__Testing__TestService_register(server, &service_handlers, NULL) ||
        pgrpc_server_listen(server, address, tls ? tls : pgrpc_credentials_insecure(), &port))
        goto out;
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    fprintf(stderr, "listening on port %d, %s\n", port, tls ? "TLS" : "plaintext");
    if (pgrpc_server_run(server) == PGRPC_OK)
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
