#include "tls_pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void settle(struct pgrpc_loop *loop)
{
    while (pgrpc__loop_turn(loop, 0) > 0)
        continue;
}

static struct pgrpc_credentials *checked(enum pgrpc_code code,
                                         struct pgrpc_credentials *credentials,
                                         const struct pgrpc_error *error)
{
    if (code != PGRPC_OK) {
        fprintf(stderr, "credentials: %s\n", error->text);
        exit(99);
    }
    return credentials;
}

struct pgrpc_credentials *client_credentials(const struct certificate *ca,
                                             const struct certificate *identity)
{
    struct pgrpc_tls_options options = {.size = sizeof(options)};
    struct pgrpc_credentials *credentials = NULL;
    struct pgrpc_error error;
    options.ca_pem = ca->cert_pem;
    if (identity) {
        options.cert_pem = identity->cert_pem;
        options.key_pem = identity->key_pem;
    }
    enum pgrpc_code code = pgrpc_credentials_new_tls_client(&options, &credentials, &error);
    return checked(code, credentials, &error);
}

struct pgrpc_credentials *server_credentials(const struct certificate *identity,
                                             const struct certificate *ca)
{
    struct pgrpc_tls_options options = {.size = sizeof(options)};
    struct pgrpc_credentials *credentials = NULL;
    struct pgrpc_error error;
    options.cert_pem = identity->cert_pem;
    options.key_pem = identity->key_pem;
    if (ca) {
        options.ca_pem = ca->cert_pem;
        options.require_client_cert = true;
    }
    enum pgrpc_code code = pgrpc_credentials_new_tls_server(&options, &credentials, &error);
    return checked(code, credentials, &error);
}

void tls_pair_init(struct tls_pair *pair, struct pgrpc_loop *loop, size_t capacity,
                   const struct pgrpc_credentials *client, const struct pgrpc_credentials *server,
                   const char *host)
{
    memset(pair, 0, sizeof(*pair));
    pair->loop = loop;
    if (pgrpc__pipe_new(loop, capacity, &pair->client_pipe, &pair->server_pipe) < 0)
        return;
    pair->client = pair->client_pipe;
    pair->server = pair->server_pipe;
    if (client) {
        pair->client = NULL;
        if (pgrpc__credentials_wrap(client, loop, pair->client_pipe, host, false, &pair->client) ==
            0)
            watcher_init(&pair->client_watcher, pair->client);
    }
    if (server) {
        pair->server = NULL;
        if (pgrpc__credentials_wrap(server, loop, pair->server_pipe, NULL, true, &pair->server) ==
            0)
            watcher_init(&pair->server_watcher, pair->server);
    }
}

void tls_pair_clear(struct tls_pair *pair)
{
    stream_free(pair->client);
    stream_free(pair->server);
    pair->client = NULL;
    pair->server = NULL;
}
