/*
 * Adds a bearer token to every call of a channel by an interceptor, and calls a Greeter once.
 *
 *     greeter-token-client --target HOST:PORT --token TOKEN [--ca FILE]
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helloworld.pgrpc.h"

/* A program that fetches its tokens would suspend the call here and resume it with the token. */
static enum pgrpc_verdict add_token(struct pgrpc_call *call, void *userdata)
{
    const char *value = userdata;
    struct pgrpc_metadatum header = {"authorization", value, strlen(value)};
    if (pgrpc_call_add_header(call, &header) != PGRPC_OK)
        pgrpc_call_finish(call, PGRPC_INTERNAL, "the token: %s", pgrpc_call_error(call));
    return PGRPC_CONTINUE;
}

static void log_call(struct pgrpc_call *call, void *userdata)
{
    (void)userdata;
    printf("%s: %s\n", pgrpc_call_path(call), pgrpc_code_name(pgrpc_call_status(call)->code));
}

static int say_hello(struct pgrpc_channel *channel)
{
    const struct pgrpc_call_options options = {.size = sizeof(options), .timeout_ms = 10000};
    Helloworld__HelloRequest request = {.name = (char *)"token bearer"};
    struct pgrpc_result result = {0};
    const Helloworld__HelloReply *reply =
        Helloworld__Greeter__say_hello(channel, &request, &options, &result);
    if (reply)
        puts(reply->message);
    else
        fprintf(stderr, "SayHello: %s: %s\n", pgrpc_code_name(result.status.code),
                result.status.message);
    pgrpc_result_clear(&result);
    return reply ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const struct option flags[] = {{"target", required_argument, NULL, 't'},
                                          {"token", required_argument, NULL, 'k'},
                                          {"ca", required_argument, NULL, 'a'},
                                          {NULL, 0, NULL, 0}};
    char bearer[1024] = "Bearer ";
    struct pgrpc_interceptor interceptor = {.size = sizeof(interceptor),
                                            .on_start = add_token,
                                            .on_done = log_call,
                                            .userdata = bearer};
    struct pgrpc_channel_options options = {
        .size = sizeof(options), .interceptors = &interceptor, .interceptor_count = 1};
    struct pgrpc_tls_options tls_options = {.size = sizeof(tls_options)};
    struct pgrpc_credentials *tls = NULL;
    struct pgrpc_channel *channel = NULL;
    struct pgrpc_error error;
    const char *target = "localhost:50051";
    int flag, failures = 1;
    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        if (flag == 't')
            target = optarg;
        else if (flag == 'k')
            snprintf(bearer, sizeof(bearer), "Bearer %s", optarg);
        else if (flag == 'a')
            tls_options.ca_file = optarg;
        else
            return EXIT_FAILURE;
    }
    if ((tls_options.ca_file && pgrpc_credentials_new_tls_client(&tls_options, &tls, &error)) ||
        pgrpc_channel_new(target, tls ? tls : pgrpc_credentials_insecure(), &options, &channel,
                          &error))
        fprintf(stderr, "%s: %s\n", argv[0], error.text);
    else
        failures = say_hello(channel);
    pgrpc_channel_unref(channel);
    pgrpc_credentials_unref(tls);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
