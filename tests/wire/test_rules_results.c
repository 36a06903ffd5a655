/* Rules 32 to 34, 50, 62 and 63: how many messages there must be, what a failure hides, and which
 * codes the library gives by itself. */
#include "../support/phrases.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/channel.h"
#include "rpc/stream.h"
#include "services/proto/health.pb-c.h"

#define COUNT(array) (sizeof(array) / sizeof(array[0]))

/* --- rule 32 ------------------------------------------------------------------------------------
 */

/* The code is in one place, because the document may change its mind. */
#define CARDINALITY "12"

static void rule_32_server_needs_one_request(void **state)
{
    static const char *const paths[] = {"Say", "Pour"};
    struct world *world = *state;
    world_serve(world, NULL);
    assert_int_equal(RPC_CARDINALITY_CODE, PGRPC_UNIMPLEMENTED);
    for (size_t i = 0; i < COUNT(paths); i++) {
        char changes[40];
        snprintf(changes, sizeof(changes), ":path=/test.Echo/%s", paths[i]);
        assert_string_equal(
            world_ask(world, changes, NULL),
            WORLD_ONLY("200", CARDINALITY, "the request ended without its message"));
        /* The end may come later, too. */
        world->id += 2;
        world_request(world, 0, world->id, changes);
        assert_string_equal(world_hear(world), "");
        raw_data(&world->out, RAW_END_STREAM, world->id, NULL, 0);
        assert_string_equal(world_hear(world), WORLD_ONLY("200", CARDINALITY,
                                                          "the request ended without its message"));
        world->id += 2;
        world_request(world, 0, world->id, changes);
        world_trailers(world, world->id, "a=b");
        assert_string_equal(world_hear(world), WORLD_ONLY("200", CARDINALITY,
                                                          "the request ended without its message"));
        world->id += 2;
        world_request(world, 0, world->id, changes);
        world_message(world, 0, world->id, "one");
        world_message(world, RAW_END_STREAM, world->id, "two");
        assert_string_equal(
            world_hear(world),
            WORLD_ONLY("200", CARDINALITY, "a second request message on a method that takes one"));
        /* Also when the client goes on. */
        world->id += 2;
        world_request(world, 0, world->id, changes);
        world_message(world, 0, world->id, "one");
        world_message(world, 0, world->id, "two");
        assert_string_equal(
            world_hear(world),
            WORLD_ONLY("200", CARDINALITY, "a second request message on a method that takes one")
                WORLD_STOP);
        world_message(world, RAW_END_STREAM, world->id, "three");
        assert_string_equal(world_hear(world), "");
        world_check(world);
    }
    assert_string_equal(world->log, "say again\nsay again\n");
}

static void rule_32_client_needs_one_reply(void **state)
{
    static const enum world_method methods[] = {WORLD_UNARY, WORLD_CLIENT_STREAM};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT(methods); i++) {
        const char *request = methods[i] == WORLD_UNARY ? "hi" : NULL;
        struct world_call *call = world_begin(world, methods[i], request, NULL);
        world_answer(world, NULL);
        world_talk(world);
        world_check_done(call, RPC_CARDINALITY_CODE, "status OK without a reply message");
        assert_string_equal(call->log, "headers\ndone UNIMPLEMENTED\n");

        call = world_begin(world, methods[i], request, NULL);
        world_response(world, RAW_END_STREAM, world->id, "grpc-status=0");
        world_talk(world);
        world_check_done(call, RPC_CARDINALITY_CODE, "status OK without a reply message");

        call = world_begin(world, methods[i], request, NULL);
        world_response(world, 0, world->id, "");
        world_message(world, 0, world->id, "one");
        world_message(world, 0, world->id, "two");
        assert_string_equal(world_hear(world), "RST_STREAM ID 8\n");
        world_check_done(call, RPC_CARDINALITY_CODE,
                         "a second reply message on a method that gives one");
        assert_string_equal(call->log, "headers\ndone UNIMPLEMENTED\n");

        call = world_begin(world, methods[i], request, NULL);
        world_response(world, 0, world->id, "");
        world_message(world, 0, world->id, "one");
        world_message(world, 0, world->id, "two");
        world_trailers(world, world->id, "grpc-status=0");
        world_talk(world);
        assert_string_equal(call->log, "headers\ndone UNIMPLEMENTED\n");
        world_check(world);
    }
}

static void rule_32_streams_may_be_empty(void **state)
{
    static const enum world_method methods[] = {WORLD_SERVER_STREAM, WORLD_BIDI};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT(methods); i++) {
        struct world_call *call =
            world_begin(world, methods[i], methods[i] == WORLD_BIDI ? NULL : "hi", NULL);
        world_answer(world, NULL);
        world_talk(world);
        assert_string_equal(call->log, "headers\nend\ndone OK\n");
        call = world_begin(world, methods[i], methods[i] == WORLD_BIDI ? NULL : "hi", NULL);
        world_response(world, RAW_END_STREAM, world->id, "grpc-status=0");
        world_talk(world);
        assert_string_equal(call->log, "end\ndone OK\n");
    }
}

static void reply_never(struct pgrpc_call *call, const void *message, const void *handlers,
                        void *userdata)
{
    (void)message;
    (void)handlers;
    (void)userdata;
    pgrpc_call_finish(call, PGRPC_OK, NULL);
}

static void reply_twice(struct pgrpc_call *call, const void *message, const void *handlers,
                        void *userdata)
{
    struct world *world = userdata;
    (void)handlers;
    assert_int_equal(pgrpc_call_send(call, message, 0), PGRPC_IO_DONE);
    assert_int_equal(pgrpc_call_send(call, message, 0), PGRPC_IO_CLOSED);
    snprintf(world->log, sizeof(world->log), "%s", pgrpc_call_error(call));
    pgrpc_call_finish(call, PGRPC_OK, NULL);
}

/* A handler that gives too few or too many is told so, or its client is. */
static void rule_32_handlers_are_held_to_one_reply(void **state)
{
    struct world *world = *state;
    world->bindings[WORLD_UNARY].invoke = reply_twice;
    world->bindings[WORLD_CLIENT_STREAM].invoke = reply_never;
    world_serve(world, NULL);
    assert_string_equal(world_ask(world, "", "hello"), WORLD_ECHO("10", "\\x05hello"));
    assert_string_equal(world->log, "a second reply on a method without server streaming");
    assert_string_equal(
        world_ask(world, ":path=/test.Echo/Gather", NULL),
        WORLD_ONLY("200", "13", "the handler finished with OK and without its reply"));
}

/* --- rule 33 ------------------------------------------------------------------------------------
 */

static void rule_33_an_error_hides_the_reply(void **state)
{
    static const enum world_method methods[] = {WORLD_UNARY, WORLD_CLIENT_STREAM};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT(methods); i++) {
        struct world_call *call =
            world_begin(world, methods[i], methods[i] == WORLD_UNARY ? "hi" : NULL, NULL);
        world_response(world, 0, world->id, "a=b");
        world_message(world, 0, world->id, "not to be seen");
        assert_string_equal(world_hear(world), "");
        assert_string_equal(call->log, "headers a=b\n");
        world_trailers(world, world->id, "grpc-status=7|c=d");
        world_talk(world);
        assert_string_equal(call->log, "headers a=b\ndone PERMISSION_DENIED c=d\n");
    }
    world_check(world);
}

static void rule_33_streams_deliver_messages_then_the_status(void **state)
{
    static const enum world_method methods[] = {WORLD_SERVER_STREAM, WORLD_BIDI};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT(methods); i++) {
        for (size_t piece = 0; piece < 2; piece++) {
            struct world_call *call =
                world_begin(world, methods[i], methods[i] == WORLD_BIDI ? NULL : "hi", NULL);
            world->max_piece = piece;
            world_response(world, 0, world->id, "a=b");
            world_message(world, 0, world->id, "one");
            world_message(world, 0, world->id, "two");
            world_trailers(world, world->id, "grpc-status=7|c=d");
            world_talk(world);
            assert_string_equal(call->log, "headers a=b\nmessage 3 one\nmessage 3 two\n"
                                           "done PERMISSION_DENIED c=d\n");
        }
    }
}

static void pour_then_fail(struct pgrpc_call *call, const void *message, const void *handlers,
                           void *userdata)
{
    (void)handlers;
    (void)userdata;
    pgrpc_call_send(call, message, 0);
    pgrpc_call_send(call, message, 0);
    pgrpc_call_finish(call, PGRPC_ABORTED, "enough");
}

static void rule_33_server_sends_messages_then_the_status(void **state)
{
    struct world *world = *state;
    world->bindings[WORLD_SERVER_STREAM].invoke = pour_then_fail;
    world_serve(world, NULL);
    assert_string_equal(world_ask(world, ":path=/test.Echo/Pour", "a"), WORLD_HEAD
                        "DATA ID 12 \"\\x00\\x00\\x00\\x00\\x01"
                        "a\\x00\\x00\\x00\\x00\\x01"
                        "a\"\nHEADERS ID END_STREAM grpc-status=10 grpc-message=enough\n");
}

/* --- rule 34 ------------------------------------------------------------------------------------
 */

static void use_protobuf(struct world *world)
{
    for (size_t i = 0; i < COUNT(world->methods); i++) {
        world->methods[i].codec = NULL;
        world->methods[i].request_type = &pgrpc__bundled__health_check_request__descriptor;
        world->methods[i].reply_type = &pgrpc__bundled__health_check_response__descriptor;
    }
}

static void check_health(struct pgrpc_call *call, const void *message, const void *handlers,
                         void *userdata)
{
    struct world *world = userdata;
    const Pgrpc__Bundled__HealthCheckRequest *request = message;
    Pgrpc__Bundled__HealthCheckResponse reply = PGRPC__BUNDLED__HEALTH_CHECK_RESPONSE__INIT;
    (void)handlers;
    snprintf(world->log, sizeof(world->log), "check %s", request->service);
    reply.status = PGRPC__BUNDLED__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING;
    pgrpc_call_reply(call, &reply);
}

static const struct {
    const char *bytes;
    size_t len;
} bad_requests[] = {
    {"\x0a", 1}, /* a string without its length */
    {"\x0a\x05"
     "ab",
     4},                                                      /* ... longer than the message */
    {"\x0a\x02\xc3\x28", 4},                                  /* ... that is not UTF-8 */
    {"\x08", 1},                                              /* a number without value */
    {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12}, /* ... of more than 64 bits */
    {"\x00\x00", 2},                                          /* field number 0 */
    {"\x0b", 1},                                              /* a group that does not end */
    {"\x0c", 1},                                              /* a group that did not begin */
    {"\x0f\x00", 2},                                          /* wire type 7 */
};

static void rule_34_server_fails_calls_it_cannot_parse(void **state)
{
    struct world *world = *state;
    use_protobuf(world);
    world->bindings[WORLD_UNARY].invoke = check_health;
    world_serve(world, NULL);
    assert_string_equal(world_ask(world, "",
                                  "\x0a\x03"
                                  "abc"),
                        WORLD_ECHO("7", "\\x02\\x08\\x01"));
    assert_string_equal(world->log, "check abc");
    for (size_t i = 0; i < COUNT(bad_requests); i++) {
        world->log[0] = '\0';
        world->id += 2;
        world_request(world, 0, world->id, "");
        world_framed(world, RAW_END_STREAM, world->id, 0, bad_requests[i].bytes,
                     bad_requests[i].len);
        assert_ptr_equal(
            strstr(world_hear(world),
                   "HEADERS ID END_STREAM :status=200 content-type=application/grpc " WORLD_ACCEPTS
                   " grpc-status=13 grpc-message=a received message "
                   "cannot be decoded: "),
            world->heard);
        assert_string_equal(world->log, "");
    }
    assert_string_equal(world_ask(world, "",
                                  "\x0a\x03"
                                  "abc"),
                        WORLD_ECHO("7", "\\x02\\x08\\x01"));
}

static void rule_34_client_fails_calls_it_cannot_parse(void **state)
{
    struct world *world = *state;
    Pgrpc__Bundled__HealthCheckRequest request = PGRPC__BUNDLED__HEALTH_CHECK_REQUEST__INIT;
    world_begin(world, WORLD_UNARY, "hi", NULL);
    use_protobuf(world);
    for (size_t i = 0; i < COUNT(bad_requests); i++) {
        if (i == 2)
            continue; /* there is no string in this message */
        struct world_call *call = world_call_message(world, WORLD_UNARY, &request, NULL);
        world->id += 2;
        world_hear(world);
        world_response(world, 0, world->id, "");
        world_framed(world, 0, world->id, 0, bad_requests[i].bytes, bad_requests[i].len);
        world_trailers(world, world->id, "grpc-status=0");
        world_talk(world);
        assert_true(call->is_done);
        assert_int_equal(call->code, PGRPC_INTERNAL);
        assert_ptr_equal(strstr(call->message, "a received message cannot be decoded: "),
                         call->message);
        assert_string_equal(call->log, "headers\ndone INTERNAL\n");
    }
}

static void rule_34_what_cannot_be_encoded_fails_its_sender(void **state)
{
    struct world *world = *state;
    Pgrpc__Bundled__HealthCheckRequest request = PGRPC__BUNDLED__HEALTH_CHECK_REQUEST__INIT;
    request.service = "\xff\xfe";
    use_protobuf(world);
    world_start_client(world, NULL);
    struct world_call *call = world_call_message(world, WORLD_UNARY, &request, NULL);
    world_run(world);
    assert_int_equal(call->code, PGRPC_INTERNAL);
    assert_ptr_equal(strstr(call->message, "the message cannot be encoded: "), call->message);
    assert_int_equal(world->connection_count, 0);
}

/* --- rule 50 ------------------------------------------------------------------------------------
 */

/* What the API says when the call is over, inside on_done and before it. */
struct after {
    struct world *world;
    enum pgrpc_io recv, send, close_send;
    bool is_done;
};

static void after_done(struct pgrpc_call *call, void *userdata)
{
    struct after *after = userdata;
    struct pgrpc_bytes bytes = {"late", 4};
    const void *message;
    after->is_done = true;
    after->recv = pgrpc_call_recv(call, &message, NULL);
    after->send = pgrpc_call_send(call, &bytes, 0);
    after->close_send = pgrpc_call_close_send(call);
    /* Again and again. */
    assert_int_equal(pgrpc_call_recv(call, &message, NULL), after->recv);
    assert_int_equal(pgrpc_call_send(call, &bytes, 0), after->send);
    assert_int_equal(pgrpc_call_finish(call, PGRPC_OK, NULL), PGRPC_FAILED_PRECONDITION);
    pgrpc_call_cancel(call);
}

static void rule_50_client_operations_fail_after_the_status(void **state)
{
    struct world *world = *state;
    struct pgrpc_call_events events = {.size = sizeof(events), .on_done = after_done};
    world_begin(world, WORLD_UNARY, "hi", NULL);
    for (int status = 0; status < 2; status++) {
        struct after after = {.world = world};
        world->id += 2;
        assert_non_null(pgrpc_call_start(world->channel, &world->methods[WORLD_BIDI], NULL, NULL,
                                         &events, &after));
        world_hear(world);
        world_response(world, 0, world->id, "");
        world_trailers(world, world->id, status ? "grpc-status=5" : "grpc-status=0");
        assert_string_equal(world_hear(world), WORLD_STOP);
        assert_true(after.is_done);
        assert_int_equal(after.recv, status ? PGRPC_IO_CLOSED : PGRPC_IO_END);
        assert_int_equal(after.send, PGRPC_IO_CLOSED);
        assert_int_equal(after.close_send, PGRPC_IO_CLOSED);
        assert_string_equal(world_hear(world), "");
    }
    world_check(world);
}

/* A write fails because the server has ended; what it had sent is still there to read. */
static void rule_50_reads_go_on_after_a_failed_write(void **state)
{
    struct world *world = *state;
    struct pgrpc_bytes bytes = {"more", 4};
    struct world_call *call = world_begin(world, WORLD_BIDI, NULL, NULL);
    const void *message;
    call->reads = false;
    world_response(world, 0, world->id, "");
    world_message(world, 0, world->id, "one");
    world_message(world, 0, world->id, "two");
    world_trailers(world, world->id, "grpc-status=9");
    world_talk(world);
    assert_int_equal(pgrpc_call_send(call->call, &bytes, 0), PGRPC_IO_CLOSED);
    assert_int_equal(pgrpc_call_recv(call->call, &message, NULL), PGRPC_IO_DONE);
    assert_memory_equal(((const struct pgrpc_bytes *)message)->data, "one", 3);
    assert_int_equal(pgrpc_call_send(call->call, &bytes, 0), PGRPC_IO_CLOSED);
    assert_false(call->is_done);
    assert_int_equal(pgrpc_call_recv(call->call, &message, NULL), PGRPC_IO_DONE);
    assert_memory_equal(((const struct pgrpc_bytes *)message)->data, "two", 3);
    assert_int_equal(pgrpc_call_recv(call->call, &message, NULL), PGRPC_IO_CLOSED);
    world_run(world);
    world_check_done(call, PGRPC_FAILED_PRECONDITION, "");
}

static void finish_and_try(struct pgrpc_call *call, const void *message, const void *handlers,
                           void *userdata)
{
    struct pgrpc_bytes bytes = {"late", 4};
    struct pgrpc_metadatum entry = {"a", "b", 1};
    (void)message;
    (void)handlers;
    (void)userdata;
    pgrpc_call_ref(call);
    assert_int_equal(pgrpc_call_finish(call, PGRPC_NOT_FOUND, "first"), PGRPC_OK);
    assert_int_equal(pgrpc_call_send(call, &bytes, 0), PGRPC_IO_CLOSED);
    assert_string_equal(pgrpc_call_error(call),
                        "pgrpc_call_send after pgrpc_call_finish: send first, then finish");
    assert_int_equal(pgrpc_call_send_headers(call), PGRPC_IO_CLOSED);
    assert_int_equal(pgrpc_call_add_header(call, &entry), PGRPC_FAILED_PRECONDITION);
    assert_int_equal(pgrpc_call_add_trailer(call, &entry), PGRPC_FAILED_PRECONDITION);
    assert_int_equal(pgrpc_call_finish(call, PGRPC_OK, "second"), PGRPC_FAILED_PRECONDITION);
    assert_string_equal(pgrpc_call_error(call), "the call was finished before: finish it once");
    pgrpc_call_unref(call);
}

static void rule_50_server_operations_fail_after_the_status(void **state)
{
    struct world *world = *state;
    world->bindings[WORLD_UNARY].invoke = finish_and_try;
    world->bindings[WORLD_SERVER_STREAM].invoke = finish_and_try;
    world_serve(world, NULL);
    assert_string_equal(world_ask(world, "", "hello"), WORLD_ONLY("200", "5", "first"));
    assert_string_equal(world_ask(world, ":path=/test.Echo/Pour", "hello"),
                        WORLD_ONLY("200", "5", "first"));
}

/* --- rules 62 and 63 ----------------------------------------------------------------------------
 */

static bool may_be_invented(enum pgrpc_code code)
{
    switch (code) {
    case PGRPC_INVALID_ARGUMENT:
    case PGRPC_NOT_FOUND:
    case PGRPC_ALREADY_EXISTS:
    case PGRPC_FAILED_PRECONDITION:
    case PGRPC_ABORTED:
    case PGRPC_OUT_OF_RANGE:
    case PGRPC_DATA_LOSS:
        return false;
    default:
        return true;
    }
}

static void rule_62_misuse_never_gives_an_application_code(void **state)
{
    struct world *world = *state;
    struct pgrpc_metadatum bad = {"Bad Key", "x", 1};
    struct pgrpc_call_options with_metadata = {
        .size = sizeof(bad), .metadata = &bad, .metadata_count = 1};
    struct pgrpc_call_options with_compression = {.size = sizeof(with_compression),
                                                  .compression = "br"};
    with_metadata.size = sizeof(with_metadata);
    world_start_client(world, NULL);
    struct world_call *calls[] = {
        world_call(world, WORLD_UNARY, NULL, NULL),
        world_call(world, WORLD_SERVER_STREAM, NULL, NULL),
        world_call(world, WORLD_CLIENT_STREAM, "request", NULL),
        world_call(world, WORLD_BIDI, "request", NULL),
        world_call(world, WORLD_UNARY, "hi", &with_metadata),
        world_call(world, WORLD_UNARY, "hi", &with_compression),
    };
    world_run(world);
    for (size_t i = 0; i < COUNT(calls); i++) {
        assert_true(calls[i]->is_done);
        assert_string_equal(pgrpc_code_name(calls[i]->code), "INTERNAL");
        assert_string_not_equal(calls[i]->message, "");
    }
    assert_int_equal(world->connection_count, 0);
}

/* Whatever a peer's frames, HTTP statuses or resets are: the code is one of the library's. */
static void rule_62_no_answer_becomes_an_application_code(void **state)
{
    struct world *world = *state;
    for (unsigned http = 200; http < 600; http += http == 200 ? 100 : 13) {
        char changes[40];
        struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
        snprintf(changes, sizeof(changes), ":status=%u", http);
        world_response(world, RAW_END_STREAM, world->id, changes);
        world_talk(world);
        assert_true(call->is_done);
        assert_true(may_be_invented(call->code) && call->code != PGRPC_OK);
    }
    for (uint32_t reset = 0; reset < 20; reset++) {
        struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
        raw_rst(&world->out, world->id, reset);
        world_talk(world);
        if (!call->is_done) { /* REFUSED_STREAM is tried once more */
            raw_rst(&world->out, world->id + 2, reset);
            world_talk(world);
        }
        assert_true(call->is_done);
        assert_true(may_be_invented(call->code) && call->code != PGRPC_OK);
    }
    world_check(world);
}

/* The server's own answers, all of them from tests of other rules in short. */
static void rule_62_server_answers_with_codes_of_the_library(void **state)
{
    static const char *const changes[] = {":method=GET",      "content-type=text/html",
                                          ":path=/no/where",  "content-type=application/grpc+x",
                                          "grpc-encoding=br", "grpc-timeout=x",
                                          "x-bin=!",          "host=other"};
    struct world *world = *state;
    world_serve(world, NULL);
    for (size_t i = 0; i < COUNT(changes); i++) {
        const char *status = strstr(world_ask(world, changes[i], "hello"), "grpc-status=");
        assert_non_null(status);
        int code = atoi(status + 12);
        assert_true(code != PGRPC_OK && may_be_invented((enum pgrpc_code)code));
    }
    world_check(world);
}

/* What a connection attempt ends with is the library's business, whatever it was. */
static void rule_62_connection_failures_are_unavailable(void **state)
{
    struct world *world = *state;
    world->refuses = true;
    world_start_client(world, NULL);
    struct world_call *call = world_call(world, WORLD_UNARY, "hi", NULL);
    world_run(world);
    world_check_done(call, PGRPC_UNAVAILABLE, "connection refused by the test");
}

static void rule_63_a_handler_that_returns_garbage_is_unknown(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    assert_string_equal(world_ask(world, "", "garbage"), WORLD_ONLY("200", "2", "odd"));
    world_check(world);
}

static void finish_negative(struct pgrpc_call *call, const void *message, const void *handlers,
                            void *userdata)
{
    struct pgrpc_status status = {(enum pgrpc_code) - 1, NULL, NULL, 0};
    (void)message;
    (void)handlers;
    (void)userdata;
    assert_int_equal(pgrpc_call_finish_status(call, &status), PGRPC_OK);
}

static void rule_63_numbers_below_zero_are_unknown_too(void **state)
{
    struct world *world = *state;
    world->bindings[WORLD_UNARY].invoke = finish_negative;
    world_serve(world, NULL);
    assert_string_equal(
        world_ask(world, "", "hello"),
        "HEADERS ID END_STREAM :status=200 content-type=application/grpc " WORLD_ACCEPTS
        " grpc-status=2\n");
}

static void rule_63_a_server_that_shuts_down_is_unavailable(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    assert_string_equal(world_ask(world, "", "silent"), "");
    pgrpc_server_shutdown(world->server, 0);
    assert_string_equal(
        world_hear(world),
        WORLD_ONLY("200", "14",
                   "the server shuts down") "GOAWAY last=1 code=0 \"the server shuts down\"\n");
}

/* Not processed, so that the client may try them elsewhere. */
static void rule_63_streams_beyond_the_limit_are_refused(void **state)
{
    struct world *world = *state;
    struct pgrpc_server_options options = {.size = sizeof(options), .max_concurrent_calls = 2};
    world_start_server(world, &options);
    raw_magic(&world->out);
    raw_settings(&world->out, 0); /* the client has not seen the limit yet */
    world_talk(world);
    assert_string_equal(world_ask(world, "", "silent"), "");
    assert_string_equal(world_ask(world, "", "silent"), "");
    assert_string_equal(world_ask(world, "", "hello"), "RST_STREAM ID 7\n");
    raw_settings_ack(&world->out);
    raw_rst(&world->out, 1, 8);
    world_talk(world);
    world_check(world);
    assert_null(strstr(world->log, "say hello"));
}

static void never_finish(struct pgrpc_call *call, const void *message, const void *handlers,
                         void *userdata)
{
    (void)message;
    (void)handlers;
    *(struct pgrpc_call **)userdata = call;
}

static void rule_63_handlers_of_cancelled_calls_count(void **state)
{
    struct world *world = *state;
    struct pgrpc_server_options options = {.size = sizeof(options), .max_concurrent_calls = 2};
    struct pgrpc_call *first = NULL;
    world->bindings[WORLD_BIDI].invoke = never_finish;
    world->userdata = &first;
    world_serve(world, &options);
    world_request(world, 0, 1, ":path=/test.Echo/Chat");
    world_talk(world);
    struct pgrpc_call *still_running = first;
    raw_rst(&world->out, 1, 8);
    world_request(world, 0, 3, ":path=/test.Echo/Chat");
    world_talk(world);
    struct pgrpc_call *second = first;
    assert_true(pgrpc_call_is_cancelled(still_running));
    /* The second of two, as the client was told. */
    world->id = 5;
    world_request(world, 0, 5, ":path=/test.Echo/Chat");
    assert_string_equal(world_hear(world), "");
    /* Two that nobody waits for: nothing is taken until one of them is done. */
    raw_rst(&world->out, 3, 8);
    world_talk(world);
    world->id = 7;
    world_request(world, 0, 7, ":path=/test.Echo/Nope");
    assert_string_equal(world_hear(world), "");
    assert_int_equal(pgrpc_call_finish(still_running, PGRPC_OK, NULL), PGRPC_OK);
    assert_non_null(strstr(world_hear(world), "HEADERS ID END_STREAM :status=200 "));
    pgrpc_call_finish(second, PGRPC_OK, NULL);
    pgrpc_call_finish(first, PGRPC_OK, NULL);
}

static void rule_63_no_memory_is_resource_exhausted(void **state)
{
    struct world *world = *state;
    struct pgrpc_bytes large = {NULL, 1 << 20};
    struct pgrpc_channel_options options = {.size = sizeof(options), .max_send_bytes = UINT32_MAX};
    char *memory = calloc(1, large.len + 1);
    assert_non_null(memory);
    large.data = memory;
    world_start_client(world, &options);
    struct world_call *call = world_begin(world, WORLD_BIDI, NULL, NULL);
    world->faulty.fail_at = world->faulty.count + 1;
    assert_int_equal(pgrpc_call_send(call->call, &large, 0), PGRPC_IO_CLOSED);
    world->faulty.fail_at = 0;
    world_run(world);
    world_check_done(call, PGRPC_RESOURCE_EXHAUSTED, "out of memory");
    free(memory);
    world_talk(world);
    world_check(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(rule_32_server_needs_one_request),
        WORLD_TEST(rule_32_client_needs_one_reply),
        WORLD_TEST(rule_32_streams_may_be_empty),
        WORLD_TEST(rule_32_handlers_are_held_to_one_reply),
        WORLD_TEST(rule_33_an_error_hides_the_reply),
        WORLD_TEST(rule_33_streams_deliver_messages_then_the_status),
        WORLD_TEST(rule_33_server_sends_messages_then_the_status),
        WORLD_TEST(rule_34_server_fails_calls_it_cannot_parse),
        WORLD_TEST(rule_34_client_fails_calls_it_cannot_parse),
        WORLD_TEST(rule_34_what_cannot_be_encoded_fails_its_sender),
        WORLD_TEST(rule_50_client_operations_fail_after_the_status),
        WORLD_TEST(rule_50_reads_go_on_after_a_failed_write),
        WORLD_TEST(rule_50_server_operations_fail_after_the_status),
        WORLD_TEST(rule_62_misuse_never_gives_an_application_code),
        WORLD_TEST(rule_62_no_answer_becomes_an_application_code),
        WORLD_TEST(rule_62_server_answers_with_codes_of_the_library),
        WORLD_TEST(rule_62_connection_failures_are_unavailable),
        WORLD_TEST(rule_63_a_handler_that_returns_garbage_is_unknown),
        WORLD_TEST(rule_63_numbers_below_zero_are_unknown_too),
        WORLD_TEST(rule_63_a_server_that_shuts_down_is_unavailable),
        WORLD_TEST(rule_63_streams_beyond_the_limit_are_refused),
        WORLD_TEST(rule_63_handlers_of_cancelled_calls_count),
        WORLD_TEST(rule_63_no_memory_is_resource_exhausted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
