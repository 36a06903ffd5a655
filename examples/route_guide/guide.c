/*
 * The RouteGuide in callback mode: nothing waits.  A stream is a small state machine that goes on
 * when there is something to receive or room to send, so one thread serves any number of them.
 */
#include "guide.h"

#include <stdbool.h>
#include <stdlib.h>

enum { MAP_SIZE = 100 };

static bool has_feature(int x, int y)
{
    return x >= 0 && x < MAP_SIZE && y >= 0 && y < MAP_SIZE && (x + y) % 2 == 0;
}

static void get_feature(struct pgrpc_call *call, const Routeguide__Point *request, void *userdata)
{
    Routeguide__Point location = {.x = request->x, .y = request->y};
    Routeguide__Feature reply = {.location = &location};
    (void)userdata;
    if (has_feature(request->x, request->y))
        reply.name = pgrpc_message_printf(call, "Hut %d/%d", request->x, request->y);
    Routeguide__RouteGuide__get_feature__reply(call, &reply);
}

/* --- ListFeatures: sends while there is room, and goes on when there is again -------------------
 */

struct listing {
    int low_x, low_y, width; /* within the map */
    int next, count;         /* places */
};

static void list_more(struct pgrpc_call *call, void *userdata)
{
    struct listing *listing = userdata;
    Routeguide__Point location = {0};
    Routeguide__Feature reply = {.location = &location};
    enum pgrpc_io io = PGRPC_IO_DONE;
    while (io == PGRPC_IO_DONE && listing->next < listing->count) {
        location.x = listing->low_x + listing->next % listing->width;
        location.y = listing->low_y + listing->next / listing->width;
        if (has_feature(location.x, location.y)) {
            reply.name = pgrpc_message_printf(call, "Hut %d/%d", location.x, location.y);
            io = Routeguide__RouteGuide__list_features__send_reply(call, &reply);
        }
        if (io == PGRPC_IO_DONE)
            listing->next++;
    }
    if (io != PGRPC_IO_AGAIN)
        pgrpc_call_finish(call, PGRPC_OK, NULL); /* all was sent, or the client is gone */
}

static void list_features(struct pgrpc_call *call, const Routeguide__Rectangle *request,
                          void *userdata)
{
    const struct pgrpc_call_events events = {.size = sizeof(events), .on_writable = list_more};
    struct listing *listing = pgrpc_call_alloc(call, sizeof(*listing));
    int high_x, high_y;
    (void)userdata;
    if (!listing) {
        pgrpc_call_finish(call, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    if (!request->low || !request->high) {
        pgrpc_call_finish(call, PGRPC_INVALID_ARGUMENT, "a rectangle has a low and a high corner");
        return;
    }
    listing->low_x = request->low->x < 0 ? 0 : request->low->x;
    listing->low_y = request->low->y < 0 ? 0 : request->low->y;
    high_x = request->high->x < MAP_SIZE ? request->high->x : MAP_SIZE - 1;
    high_y = request->high->y < MAP_SIZE ? request->high->y : MAP_SIZE - 1;
    listing->next = 0;
    listing->count = 0;
    if (listing->low_x <= high_x && listing->low_y <= high_y) {
        listing->width = high_x - listing->low_x + 1;
        listing->count = listing->width * (high_y - listing->low_y + 1);
    }
    pgrpc_call_set_events(call, &events, listing);
    list_more(call, listing);
}

/* --- RecordRoute: adds up what comes, replies at the end ----------------------------------------
 */

struct record {
    Routeguide__RouteSummary summary;
    int x, y; /* the last place */
};

static void record_more(struct pgrpc_call *call, void *userdata)
{
    struct record *record = userdata;
    Routeguide__RouteSummary *summary = &record->summary;
    const Routeguide__Point *point;
    enum pgrpc_io io;
    while ((io = Routeguide__RouteGuide__record_route__recv_request(call, &point)) ==
           PGRPC_IO_DONE) {
        if (summary->point_count++ > 0)
            summary->distance +=
                llabs((int64_t)point->x - record->x) + llabs((int64_t)point->y - record->y);
        summary->feature_count += has_feature(point->x, point->y);
        record->x = point->x;
        record->y = point->y;
    }
    if (io != PGRPC_IO_AGAIN)
        Routeguide__RouteGuide__record_route__reply(call, summary);
}

static void record_route(struct pgrpc_call *call, void *userdata)
{
    const struct pgrpc_call_events events = {.size = sizeof(events), .on_readable = record_more};
    struct record *record = pgrpc_call_alloc(call, sizeof(*record));
    (void)userdata;
    if (!record) {
        pgrpc_call_finish(call, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    *record = (struct record){.x = 0};
    pgrpc_call_set_events(call, &events, record);
}

enum pgrpc_code guide_register(struct pgrpc_server *server)
{
    static const struct Routeguide__RouteGuide_handlers handlers = {
        .get_feature = {get_feature, PGRPC_RUN_INLINE},
        .list_features = {list_features, PGRPC_RUN_INLINE},
        .record_route = {record_route, PGRPC_RUN_INLINE},
        .route_chat = {guide_route_chat, PGRPC_RUN_INLINE},
    };
    return Routeguide__RouteGuide_register(server, &handlers, NULL);
}
