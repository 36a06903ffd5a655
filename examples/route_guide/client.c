/*
 * Walks over the map of routeguide.RouteGuide, waiting for each call.
 *
 *     route-guide-client --target HOST:PORT [--ca FILE]
 */
#include <getopt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "route_guide.pgrpc.h"

enum { STEPS = 1000, PLACES = 10, NOTES = 100 };

static const struct pgrpc_call_options options = {.size = sizeof(options), .timeout_ms = 30000};

static int end(struct pgrpc_call *call)
{
    const struct pgrpc_status *status = pgrpc_call_wait(call);
    int failed = status->code != PGRPC_OK;
    if (failed)
        printf("%s: %s\n", pgrpc_call_path(call), status->message);
    pgrpc_call_unref(call);
    return failed;
}

static int get_feature(struct pgrpc_channel *channel, int x, int y)
{
    Routeguide__Point place = {.x = x, .y = y};
    struct pgrpc_result result = {0};
    const Routeguide__Feature *feature =
        Routeguide__RouteGuide__get_feature(channel, &place, &options, &result);
    if (feature)
        printf("GetFeature: at %d/%d: %s\n", x, y, *feature->name ? feature->name : "nothing");
    else
        printf("GetFeature: %s\n", result.status.message);
    pgrpc_result_clear(&result);
    return !feature;
}

static int list_features(struct pgrpc_channel *channel)
{
    Routeguide__Point low = {0}, high = {.x = 99, .y = 99};
    Routeguide__Rectangle rectangle = {.low = &low, .high = &high};
    const Routeguide__Feature *feature;
    struct pgrpc_call *call =
        Routeguide__RouteGuide__list_features__open(channel, &rectangle, &options);
    int count = 0;
    if (!call)
        return 1;
    while (Routeguide__RouteGuide__list_features__recv_reply(call, &feature) == PGRPC_IO_DONE)
        if (count++ < 3)
            printf("ListFeatures: %s\n", feature->name);
    printf("ListFeatures: %d features\n", count);
    return end(call);
}

static int record_route(struct pgrpc_channel *channel)
{
    Routeguide__Point place = {0};
    const Routeguide__RouteSummary *summary;
    struct pgrpc_call *call = Routeguide__RouteGuide__record_route__open(channel, &options);
    if (!call)
        return 1;
    for (int i = 0; i < STEPS; i++) {
        place.x = i % 100;
        place.y = i / 100;
        if (Routeguide__RouteGuide__record_route__send_request(call, &place) != PGRPC_IO_DONE)
            break;
    }
    pgrpc_call_close_send(call);
    if (Routeguide__RouteGuide__record_route__recv_reply(call, &summary) == PGRPC_IO_DONE)
        printf("RecordRoute: %d places, %d features, distance %d\n", (int)summary->point_count,
               (int)summary->feature_count, (int)summary->distance);
    return end(call);
}

/* The sending end of RouteChat, on a thread of its own. */
static void *leave_notes(void *argument)
{
    struct pgrpc_call *call = argument;
    Routeguide__Point place = {0};
    char text[32];
    Routeguide__RouteNote note = {.location = &place, .message = text};
    for (int i = 0; i < NOTES; i++) {
        place.x = i % PLACES;
        snprintf(text, sizeof(text), "note %d", i);
        if (Routeguide__RouteGuide__route_chat__send_request(call, &note) != PGRPC_IO_DONE)
            break;
    }
    pgrpc_call_close_send(call);
    return NULL;
}

static int route_chat(struct pgrpc_channel *channel)
{
    const Routeguide__RouteNote *note;
    struct pgrpc_call *call = Routeguide__RouteGuide__route_chat__open(channel, &options);
    pthread_t sender;
    int count = 0;
    if (!call)
        return 1;
    if (pthread_create(&sender, NULL, leave_notes, call) == 0) {
        while (Routeguide__RouteGuide__route_chat__recv_reply(call, &note) == PGRPC_IO_DONE)
            count++;
        pthread_join(sender, NULL);
        printf("RouteChat: %d notes left, %d earlier ones found\n", NOTES, count);
    } else {
        pgrpc_call_cancel(call);
    }
    return end(call);
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
    const char *target = "localhost:50051";
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
        failures = get_feature(channel, 40, 20) + get_feature(channel, 41, 20) +
                   list_features(channel) + record_route(channel) + route_chat(channel);
    pgrpc_channel_unref(channel);
    pgrpc_credentials_unref(tls);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
