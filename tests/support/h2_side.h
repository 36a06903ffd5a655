/*
 * One end of an HTTP/2 connection in memory, for tests: a connection, what it wrote, and users of
 * its streams that record what happens to them as text and send what they are told.
 */
#ifndef TESTS_H2_SIDE_H
#define TESTS_H2_SIDE_H

#include "engine_choice.h"
#include "h2/connection.h"
#include "rawframe.h"

/* What a user's log says of raw_request, and a response head for raw_headers. */
#define H2_REQUEST_LINE                                                                        \
    "REQUEST :method=POST :scheme=http :path=/test.Echo/Say :authority=localhost te=trailers " \
    "content-type=application/grpc"
#define H2_RESPONSE_FIELDS ":status=200|content-type=application/grpc"

struct h2_user {
    struct h2_stream stream;
    struct h2_side *side;
    struct h2_user *next; /* server: in the order of requests */
    char log[2048];       /* "RESPONSE :status=200\ndata 5\nend\nclosed NORMAL 0\n" */
    struct raw received;
    bool consumes; /* takes what comes at once */
    bool releases; /* gives the stream back from inside on_closed, and forgets all about it */

    const uint8_t *output; /* still to send */
    size_t output_len;
    bool output_end;
    const struct header_field *trailers;
    size_t trailer_count;
    size_t measured; /* calls of on_measure */

    struct h2_hold hold; /* server, for tests that have handlers */
    bool has_closed;
    enum h2_end end;
    uint32_t code;
};

struct h2_side {
    struct mem mem;
    struct h2_connection_config config;
    struct h2_connection *connection;
    struct outq outq;
    int64_t now_ms;
    char log[2048]; /* of the connection: "ready\ndraining 0 max_age\nclosed ...\n" */
    bool wants_flush;
    bool has_closed;
    bool refuses;  /* requests */
    bool consumes; /* given to the users of requests */
    bool releases;
    struct h2_user *users;
    struct h2_user **last_user;
    size_t user_count;
    size_t capacity_count;
    struct raw_reader *reader; /* of what the side wrote */
};

/* Defaults in |config| as the library uses them. */
void h2_side_config(struct h2_connection_config *config, bool is_server);
/* |config| and |allocator| may be NULL; of an |allocator| nothing is cached. 0 or -ENOMEM; clear in
 * any case. */
int h2_side_init(struct h2_side *side, bool is_server, const struct h2_connection_config *config,
                 const struct pgrpc_allocator *allocator);
/* The same with the peer's SETTINGS received and acknowledged, and what the side said read. */
void h2_side_start(struct h2_side *side, bool is_server, const struct h2_connection_config *config);
/* A request without a body arrives and is accepted. */
struct h2_user *h2_side_request(struct h2_side *side, uint32_t id);
/* Frees the connection and the users of requests; everything must have been given back. */
void h2_side_clear(struct h2_side *side);

/* Gives bytes to the connection. */
int h2_side_receive(struct h2_side *side, const void *data, size_t len);
/* The same with what |raw| holds, and empties it. */
int h2_side_get(struct h2_side *side, struct raw *raw);
/* What the side writes, as lines. */
const char *h2_side_take(struct h2_side *side);
/* Lets both sides write and read until nothing moves. */
void h2_side_join(struct h2_side *a, struct h2_side *b);
/* Time passes. Returns when tick wants to come again. */
int64_t h2_side_pass(struct h2_side *side, int64_t ms);

void h2_user_init(struct h2_user *user, struct h2_side *side);
/* Opens a stream with the usual request head. */
int h2_user_open(struct h2_user *user, struct h2_side *side, bool end_stream);
/* ":status: 200" and content-type. */
int h2_user_respond(struct h2_user *user, bool end_stream);
/* Sends |data| (not copied), and the end. */
void h2_user_send(struct h2_user *user, const void *data, size_t len, bool end);
/* Response head and trailers. */
void h2_user_answer(struct h2_user *user);
/* The end with grpc-status=0. */
void h2_user_finish(struct h2_user *user);
void h2_user_release(struct h2_user *user, enum h2_error code);

#endif
