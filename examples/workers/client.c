/*
 * Shows that handlers of workers.Office block without holding up the server.
 *
 *     workers-client --target HOST:PORT [--ca FILE]
 */
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "workers.pgrpc.h"

enum { PARTY = 6 };

static const struct pgrpc_call_options options = {.size = sizeof(options), .timeout_ms = 20000};

/* Says why a call failed; the result may be used again. */
static int failed(const char *what, const struct pgrpc_result *result)
{
    fprintf(stderr, "%s: %s: %s\n", what, pgrpc_code_name(result->status.code),
            result->status.message);
    return 1;
}

static void *meet(void *channel)
{
    Workers__MeetRequest request = {.party = PARTY};
    struct pgrpc_result result = {0};
    int failure = 0;
    if (!Workers__Office__meet(channel, &request, &options, &result))
        failure = failed("Meet", &result);
    pgrpc_result_clear(&result);
    return failure ? channel : NULL;
}

/* Asks until |wanted| calls wait in Meet, for as long as one of them may last. */
static int wait_for_others(struct pgrpc_channel *channel, unsigned wanted)
{
    Workers__PeekRequest request = {0};
    const Workers__PeekReply *reply = NULL;
    struct pgrpc_result result = {0};
    int failure = 0;
    for (int i = 0; i < options.timeout_ms / 10; i++) {
        reply = Workers__Office__peek(channel, &request, &options, &result);
        if (!reply || reply->waiting == wanted)
            break;
        nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    }
    if (reply)
        printf("%u handlers block, and the server answers\n", reply->waiting);
    else
        failure = failed("Peek", &result);
    pgrpc_result_clear(&result);
    return failure;
}

/* One after the other would never come together: the handlers must run at the same time. */
static int meet_all(struct pgrpc_channel *channel)
{
    pthread_t threads[PARTY - 1];
    unsigned started = 0;
    int failures = 0;
    void *failure;
    while (started < PARTY - 1 && pthread_create(&threads[started], NULL, meet, channel) == 0)
        started++;
    failures += wait_for_others(channel, started) + (meet(channel) != NULL);
    for (unsigned i = 0; i < started; i++) {
        pthread_join(threads[i], &failure);
        failures += failure != NULL;
    }
    if (!failures)
        printf("%d calls met\n", PARTY);
    return failures;
}

static int relay(struct pgrpc_channel *channel)
{
    Workers__RelayRequest request = {.name = (char *)"from the office"};
    struct pgrpc_result result = {0};
    int failure = 0;
    const Workers__RelayReply *reply = Workers__Office__relay(channel, &request, &options, &result);
    if (reply)
        printf("relayed: %s\n", reply->message);
    else
        failure = failed("Relay", &result);
    pgrpc_result_clear(&result);
    return failure;
}

int main(int argc, char **argv)
{
    static const struct option flags[] = {{"target", required_argument, NULL, 't'},
                                          {"ca", required_argument, NULL, 'a'},
                                          {NULL, 0, NULL, 0}};
    struct pgrpc_tls_options tls_options = {.size = sizeof(tls_options)};
    struct pgrpc_credentials *tls = NULL;
    struct pgrpc_channel *channel = NULL;
    struct pgrpc_error error;
    const char *target = "localhost:50052";
    int flag, failures = 1;
    while ((flag = getopt_long(argc, argv, "", flags, NULL)) != -1) {
        if (flag == 't')
            target = optarg;
        else if (flag == 'a')
            tls_options.ca_file = optarg;
        else
            return EXIT_FAILURE;
    }
    if ((tls_options.ca_file && pgrpc_credentials_new_tls_client(&tls_options, &tls, &error)) ||
        pgrpc_channel_new(target, tls ? tls : pgrpc_credentials_insecure(), NULL, &channel, &error))
        fprintf(stderr, "%s: %s\n", argv[0], error.text);
    else
        failures = meet_all(channel) + relay(channel);
    pgrpc_channel_unref(channel);
    pgrpc_credentials_unref(tls);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
