/*
 * What tests of rules say again and again: the usual heads with changes, calls on the connection at
 * hand, and the check that a connection still works.
 *
 * Every test has a world of its own:
 *
 *     static void rule_02_requests_without_te_are_answered(void **state)
 *     {
 *         struct world *world = *state;
 *         world_serve(world, NULL);
 *         assert_string_equal(world_ask(world, "-te", "hello"), WORLD_ECHO("10", "\\x05hello"));
 *         world_check(world);
 *     }
 *     ... WORLD_TEST(rule_02_requests_without_te_are_answered) ...
 *
 * Frames of the stream a phrase used last carry ID instead of its number.
 */
#ifndef TESTS_PHRASES_H
#define TESTS_PHRASES_H

#include "unit.h"
#include "world.h"

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
int world_set_up(void **state);
int world_tear_down(void **state);

/* What our server answers. */
#define WORLD_ACCEPTS "grpc-accept-encoding=identity,deflate,gzip"
#define WORLD_HEAD "HEADERS ID :status=200 content-type=application/grpc " WORLD_ACCEPTS "\n"
#define WORLD_DATA(len, tail) "DATA ID " len " \"\\x00\\x00\\x00\\x00" tail "\"\n"
#define WORLD_OK "HEADERS ID END_STREAM grpc-status=0\n"
#define WORLD_ECHO(len, tail) WORLD_HEAD WORLD_DATA(len, tail) WORLD_OK
/* Trailers-only; |text| as it stands on the wire. */
#define WORLD_ONLY(http, code, text)                                                      \
    "HEADERS ID END_STREAM :status=" http " content-type=application/grpc " WORLD_ACCEPTS \
    " grpc-status=" code " grpc-message=" text "\n"
#define WORLD_STOP "RST_STREAM ID 0\n" /* follows when the client had not ended its side */
/* What our client asks. */
#define WORLD_REQUEST(path)                                                               \
    "HEADERS ID :method=POST :scheme=http :path=" path " :authority=localhost:50051 "     \
    "te=trailers content-type=application/grpc user-agent=grpc-c-picogrpc/" PGRPC_VERSION \
    " " WORLD_ACCEPTS "\n"

/*
 * The usual request head for /test.Echo/Say, with changes separated by '|': "name=value" replaces
 * or adds, "+name=value" adds one more, "-name" leaves out.
 */
void world_request(struct world *world, uint8_t flags, uint32_t id, const char *changes);
/* The same for a response: ":status=200|content-type=application/grpc". */
void world_response(struct world *world, uint8_t flags, uint32_t id, const char *changes);
/* HEADERS with END_STREAM: "grpc-status=0". */
void world_trailers(struct world *world, uint32_t id, const char *fields);
/* A message with any flag byte and any bytes. */
void world_framed(struct world *world, uint8_t flags, uint32_t id, uint8_t flag, const void *data,
                  size_t len);
/* As world_talk_streams, with ID for the stream world->id. */
const char *world_hear(struct world *world);

/* Our server, connected and greeted. */
void world_serve(struct world *world, const struct pgrpc_server_options *options);
/* A call on the next stream: the head with |changes| and, unless NULL, |text| as the one message.
 * What the server says to it. */
const char *world_ask(struct world *world, const char *changes, const char *text);

/* Starts a call of our client (which must have been started, or has all defaults), greets when it
 * connects. Its frames are in world->heard, its stream in world->id. */
struct world_call *world_begin(struct world *world, enum world_method method, const char *request,
                               const struct pgrpc_call_options *options);
/* The rest of a good answer to the latest call, with one message unless |text| is NULL. */
void world_answer(struct world *world, const char *text);
/* The call is over like this, and said so once. */
void world_check_done(const struct world_call *call, enum pgrpc_code code, const char *message);

/* The connection still works: another unary call on it goes well. */
void world_check(struct world *world);

#endif
