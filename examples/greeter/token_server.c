/*
 * A Greeter behind two interceptors: one asks every call for a token, one writes an access log.
 *
 *     greeter-token-server --token TOKEN [--port N] [--port-file FILE] [--cert FILE --key FILE]
 *
 * Tokens are secrets: without a certificate this is for trying things out on one machine.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helloworld.pgrpc.h"

static struct pgrpc_server *server;

/* In a time that does not tell how much of it was right. */
static bool is_equal(const char *given, size_t given_len, const char *wanted)
{
    size_t len = strlen(wanted);
    volatile unsigned char difference = given_len != len;
    for (size_t i = 0; i < given_len && i < len; i++)
        difference |= (unsigned char)(given[i] ^ wanted[i]);
    return !difference;
}

static enum pgrpc_verdict check_token(struct pgrpc_call *call, void *userdata)
{
    static const char scheme[] = "Bearer ";
    const size_t scheme_len = sizeof(scheme) - 1;
    const struct pgrpc_metadatum *entry =
        pgrpc_metadata_find(pgrpc_call_headers(call), "authorization");
    if (!entry || entry->len < scheme_len || memcmp(entry->value, scheme, scheme_len) != 0)
        pgrpc_call_finish(call, PGRPC_UNAUTHENTICATED, "no bearer token");
    else if (!is_equal((const char *)entry->value + scheme_len, entry->len - scheme_len, userdata))
        pgrpc_call_finish(call, PGRPC_UNAUTHENTICATED, "the token is not valid");
    return PGRPC_CONTINUE; /* a call that was finished does not reach its handler */
}

static void log_access(struct pgrpc_call *call, void *userdata)
{
    const char *peer = pgrpc_call_peer(call);
    fprintf(userdata, "%s %s %s\n", pgrpc_call_path(call),
            pgrpc_code_name(pgrpc_call_status(call)->code), peer ? peer : "-");
}

static void say_hello(struct pgrpc_call *call, const Helloworld__HelloRequest *request,
                      void *userdata)
{
    char *message = pgrpc_message_printf(call, "Hello %s", request->name);
    Helloworld__HelloReply reply = {.message = message};
    (void)userdata;
    Helloworld__Greeter__say_hello__reply(call, &reply);
}

static const struct Helloworld__Greeter_handlers handlers = {
    .say_hello = {say_hello, PGRPC_RUN_INLINE},
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
        {"token", required_argument, NULL, 't'},     {"port", required_argument, NULL, 'p'},
        {"port-file", required_argument, NULL, 'f'}, {"cert", required_argument, NULL, 'c'},
        {"key", required_argument, NULL, 'k'},       {NULL, 0, NULL, 0}};
    /* The first is the outermost: it also logs what the second refuses. */
    struct pgrpc_interceptor interceptors[] = {
        {.size = sizeof(interceptors[0]), .on_done = log_access, .userdata = stdout},
        {.size = sizeof(interceptors[0]), .on_start = check_token},
    };
    struct pgrpc_server_options options = {
        .size = sizeof(options), .interceptors = interceptors, .interceptor_count = 2};
    struct pgrpc_tls_options tls_options = {.size = sizeof(tls_options)};
    struct pgrpc_credentials *tls = NULL;
    struct pgrpc_error error = {"--token is missing"};
    const char *port_file = NULL;
    char address[32] = "[::]:0";
    int flag, port, status = EXIT_FAILURE;
    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        if (flag == 't')
            interceptors[1].userdata = optarg;
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
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!interceptors[1].userdata ||
        ((tls_options.cert_file || tls_options.key_file) &&
         pgrpc_credentials_new_tls_server(&tls_options, &tls, &error)) ||
        pgrpc_server_new(&options, &server, &error))
        goto out;
    if (Helloworld__Greeter_register(server, &handlers, NULL) ||
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
    pgrpc_credentials_unref(tls);
    return status;
}
