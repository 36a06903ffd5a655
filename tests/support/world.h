/*
 * A small world for tests of whole connections in memory: one loop with a fake clock, our client or
 * our server on it, and a peer that the test plays with raw frames (rawframe.h) at the other end of
 * a memory pipe.
 *
 *     struct world world;
 *     world_init(&world);
 *     world_start_server(&world, NULL);                our server, echoing; the test is the client
 *     raw_magic(&world.out); raw_settings(&world.out, 0); raw_request(&world.out, 0, 1);
 *     assert_string_equal(world_talk(&world), "SETTINGS ...\n...");
 *     world_clear(&world);                             checks that nothing leaked
 *
 * The allocator counts, so that every test ends with a check for leaks; it can be made to fail.
 */
#ifndef TESTS_WORLD_H
#define TESTS_WORLD_H

#include "engine_choice.h"
#include "faulty_allocator.h"
#include "io/loop.h"
#include "io/pipe.h"
#include "picogrpc/picogrpc.h"
#include "rawframe.h"

enum { WORLD_CALLS_MAX = 320 };

/* A client call of the test: what happened to it, as text. */
struct world_call {
    struct world *world;
    struct pgrpc_call *call; /* lent until it is done */
    char log[4096];          /* "headers\nmessage 5 hello\nend\ndone OK \n" */
    bool reads;              /* takes every message at once */
    bool is_done;
    enum pgrpc_code code;
    char message[512];
    char details[64];
    size_t details_len;
};

struct world {
    struct faulty_allocator faulty;
    struct pgrpc_loop *loop;
    int64_t now_ms;
    struct pgrpc_channel *channel;
    struct pgrpc_server *server;
    struct bytestream *peer;       /* the test's end of the latest connection; NULL before it */
    struct raw_reader *reader;     /* of what came to |peer| */
    struct bytestream *other_peer; /* of the connection before that one; see world_swap */
    struct raw_reader *other_reader;
    unsigned connection_count;                   /* connections our client made */
    bool refuses;                                /* the client's connections fail */
    struct raw out;                              /* what the test says next */
    size_t max_piece;                            /* bytes per write of the test, 0: all at once */
    struct pipe_faults faults;                   /* of our end of the connections to come */
    const struct pgrpc_credentials *credentials; /* of our client or server; NULL: insecure */
    uint32_t id; /* the stream that a phrase used last (phrases.h) */
    /* The methods and their handlers, by enum world_method, and what these are given; for changes
     * before the server starts. */
    struct pgrpc_method methods[4];
    struct pgrpc_service service;
    struct pgrpc_binding bindings[4];
    void *userdata;
    struct world_call calls[WORLD_CALLS_MAX];
    size_t call_count;
    char log[4096];    /* the server's handlers write here */
    char heard[16384]; /* what a phrase heard last */
};

void world_init(struct world *world);
void world_clear(struct world *world);

/* Methods of service test.Echo, with the raw codec. */
enum world_method {
    WORLD_UNARY,         /* /test.Echo/Say: echoes; special requests are listed in world.c */
    WORLD_SERVER_STREAM, /* /test.Echo/Pour: echoes the request three times */
    WORLD_CLIENT_STREAM, /* /test.Echo/Gather: answers with all messages joined */
    WORLD_BIDI           /* /test.Echo/Chat: echoes each message */
};

/* Our client; the test is the server. |options| may be NULL; loop is filled in. */
void world_start_client(struct world *world, const struct pgrpc_channel_options *options);
/* Our server with test.Echo; the test is the client, connected at once. */
void world_start_server(struct world *world, const struct pgrpc_server_options *options);
/* Another connection to the server; the earlier one is closed. */
void world_reconnect(struct world *world);
/* Both, joined in the process: world_start_server, then this. */
void world_start_client_in_process(struct world *world,
                                   const struct pgrpc_channel_options *options);

/* Starts a call whose messages are taken as they come. |request| NULL for client streaming. */
struct world_call *world_call(struct world *world, enum world_method method, const char *request,
                              const struct pgrpc_call_options *options);

/* The same with a message of the method's codec. */
struct world_call *world_call_message(struct world *world, enum world_method method,
                                      const void *message,
                                      const struct pgrpc_call_options *options);

/* Turns the loop until nothing happens any more. */
void world_run(struct world *world);
/* Lets time pass, then turns. */
void world_sleep(struct world *world, int64_t ms);
/* Sends world->out (in pieces of max_piece), turns, and returns the frames that came, a line each.
 */
const char *world_talk(struct world *world);
/* The same without SETTINGS, WINDOW_UPDATE and PING lines: what concerns streams. */
const char *world_talk_streams(struct world *world);
/* Closes the test's end. */
void world_hang_up(struct world *world);
/* Talks on the connection before the latest from here on, or on the latest again. */
void world_swap(struct world *world);

/* A gRPC message with its prefix, as DATA on stream |id|. */
void world_message(struct world *world, uint8_t flags, uint32_t id, const char *text);
/* The server's side of a normal start: SETTINGS and the ack of the client's. */
void world_greet_client(struct world *world);
/* The client's side: magic, SETTINGS, ack. */
void world_greet_server(struct world *world);

#endif
