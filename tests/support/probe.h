/*
 * A call that writes down its events and does what the test wants in them; for tests of the API's
 * contract.  Either side:
 *
 *     struct probe probe = {.act = cancel_on_headers};
 *     probe_start(&probe, world, WORLD_BIDI, NULL, NULL);
 *     world_run(world);
 *     assert_string_equal(probe.log, "headers\ndone CANCELLED cancelled\n");
 */
#ifndef TESTS_PROBE_H
#define TESTS_PROBE_H

#include "world.h"

struct probe {
    struct pgrpc_call *call; /* until on_done has returned */
    char log[2000];          /* "headers\nreadable\nwritable\ndone OK text\n" */
    bool is_starting;        /* no event may come now */
    unsigned done_count;
    enum pgrpc_code code;
    bool finishes; /* server: finishes in on_done */
    /* Called after each event was noted, NULL or what the test wants. */
    void (*act)(struct probe *probe, const char *event);
    void *userdata;
};

/* Starts a call of the world's client with a text request, NULL for client streaming. */
void probe_start(struct probe *probe, struct world *world, enum world_method method,
                 const char *request, const struct pgrpc_call_options *options);
/* Takes a server call over, from inside its handler. */
void probe_take(struct probe *probe, struct pgrpc_call *call);
/* An invoke for world.bindings: takes the call over with the world's userdata, a probe. */
void probe_invoke(struct pgrpc_call *call, const void *message, const void *handlers,
                  void *userdata);
void probe_note(struct probe *probe, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Sends a text. */
enum pgrpc_io probe_send(struct probe *probe, const char *text, unsigned flags);
/* Receives, noting "message TEXT", "again", "end" or "closed". */
enum pgrpc_io probe_recv(struct probe *probe);

#endif
