/* Rules 45 to 49 and 51: how calls end, from either side, in time and too late. */
#include "../support/phrases.h"

#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof(array[0]))

/* Writes what the test says without turning the loop. */
static void say_unheard(struct world *world)
{
    struct iovec vector = {world->out.data, world->out.len};
    assert_int_equal(pgrpc__loop_take_lock(world->loop), 0);
    assert_int_equal(world->peer->ops->writev(world->peer, &vector, 1), (int)vector.iov_len);
    pgrpc__loop_leave_lock(world->loop);
    raw_clear(&world->out);
}

/* --- a handler that does what it is told by messages --------------------------------------------
 */

static void told_readable(struct pgrpc_call *call, void *userdata)
{
    struct world *world = userdata;
    const void *message;
    enum pgrpc_io io;
    while ((io = pgrpc_call_recv(call, &message, NULL)) == PGRPC_IO_DONE) {
        const struct pgrpc_bytes *bytes = message;
        char text[32];
        snprintf(text, sizeof(text), "%.*s", (int)bytes->len, (const char *)bytes->data);
        strcat(strcat(world->log, text), "\n");
        if (strcmp(text, "open") == 0)
            assert_int_equal(pgrpc_call_send_headers(call), PGRPC_IO_DONE);
        else if (strcmp(text, "fail") == 0)
            pgrpc_call_finish(call, PGRPC_ABORTED, "told to");
        else if (strcmp(text, "good") == 0)
            pgrpc_call_finish(call, PGRPC_OK, NULL);
        else if (strcmp(text, "cancel") == 0)
            pgrpc_call_cancel(call);
        else if (strcmp(text, "wait") != 0)
            pgrpc_call_send(call, message, 0);
    }
    if (io == PGRPC_IO_END)
        strcat(world->log, "(end)\n");
}

static void told_done(struct pgrpc_call *call, void *userdata)
{
    struct world *world = userdata;
    size_t len = strlen(world->log);
    const struct pgrpc_status *status = pgrpc_call_status(call);
    snprintf(world->log + len, sizeof(world->log) - len, "done %s%s %s\n",
             pgrpc_call_is_cancelled(call) ? "cancelled " : "", pgrpc_code_name(status->code),
             status->message);
    pgrpc_call_finish(call, PGRPC_UNKNOWN, "nobody hears this");
}

static void told(struct pgrpc_call *call, const void *message, const void *handlers, void *userdata)
{
    struct pgrpc_call_events events = {
        .size = sizeof(events), .on_readable = told_readable, .on_done = told_done};
    (void)message;
    (void)handlers;
    pgrpc_call_set_events(call, &events, userdata);
}

static void serve_told(struct world *world, const struct pgrpc_server_options *options)
{
    world->bindings[WORLD_BIDI].invoke = told;
    world_serve(world, options);
}

/* A call that stays open after the messages |first| and |second| (may be NULL). */
static const char *open_told(struct world *world, const char *changes, const char *first,
                             const char *second)
{
    char fields[100];
    world->id += world->id ? 2 : 1;
    snprintf(fields, sizeof(fields), ":path=/test.Echo/Chat%s%s", *changes ? "|" : "", changes);
    world_request(world, 0, world->id, fields);
    if (first)
        world_message(world, 0, world->id, first);
    if (second)
        world_message(world, 0, world->id, second);
    return world_hear(world);
}

/* --- rule 45 ------------------------------------------------------------------------------------
 */

static void rule_45_server_keeps_its_head_until_it_is_needed(void **state)
{
    struct world *world = *state;
    serve_told(world, NULL);
    assert_string_equal(open_told(world, "", "wait", "wait"), "");
    world_sleep(world, 60000);
    world_message(world, 0, world->id, "abc");
    assert_string_equal(world_hear(world), WORLD_HEAD WORLD_DATA("8", "\\x03"
                                                                      "abc"));
    world_message(world, 0, world->id, "abc");
    assert_string_equal(world_hear(world), WORLD_DATA("8", "\\x03"
                                                           "abc"));
}

static void rule_45_an_early_error_is_one_head(void **state)
{
    struct world *world = *state;
    serve_told(world, NULL);
    assert_string_equal(open_told(world, "", "wait", "fail"),
                        WORLD_ONLY("200", "10", "told to") WORLD_STOP);
}

static void rule_45_a_handler_may_open_its_response(void **state)
{
    struct world *world = *state;
    serve_told(world, NULL);
    assert_string_equal(open_told(world, "", "open", NULL), WORLD_HEAD);
    world_message(world, 0, world->id, "open"); /* once is enough */
    assert_string_equal(world_hear(world), "");
    world_message(world, 0, world->id, "fail");
    assert_string_equal(world_hear(world),
                        "HEADERS ID END_STREAM grpc-status=10 grpc-message=told to\n" WORLD_STOP);
}

/* --- rule 46 ------------------------------------------------------------------------------------
 */

static void rule_46_server_that_ends_early_stops_the_client_last(void **state)
{
    struct world *world = *state;
    serve_told(world, NULL);
    for (size_t piece = 0; piece < 2; piece++) {
        world->max_piece = piece;
        assert_string_equal(open_told(world, "", "abc", "good"),
                            WORLD_HEAD WORLD_DATA("8", "\\x03"
                                                       "abc") WORLD_OK WORLD_STOP);
        /* Late data is dropped, and its window comes back. */
        world_message(world, 0, world->id, "late");
        world_message(world, RAW_END_STREAM, world->id, "late");
        assert_string_equal(world_hear(world), "");
    }
    world->max_piece = 0;
    world_check(world);
    /* One that has ended needs no telling. */
    world->id += 2;
    world_request(world, 0, world->id, ":path=/test.Echo/Chat");
    world_message(world, RAW_END_STREAM, world->id, "good");
    assert_string_equal(
        world_hear(world),
        "HEADERS ID END_STREAM :status=200 content-type=application/grpc " WORLD_ACCEPTS
        " grpc-status=0\n");
}

static void flood(struct pgrpc_call *call, const void *message, const void *handlers,
                  void *userdata)
{
    struct pgrpc_bytes bytes = {calloc(1, 100000), 100000};
    (void)message;
    (void)handlers;
    (void)userdata;
    assert_non_null(bytes.data);
    assert_int_equal(pgrpc_call_send(call, &bytes, 0), PGRPC_IO_DONE);
    free((void *)(uintptr_t)bytes.data);
    pgrpc_call_finish(call, PGRPC_OK, NULL);
}

static void rule_46_the_stop_waits_for_data_that_waits_for_window(void **state)
{
    struct world *world = *state;
    world->bindings[WORLD_BIDI].invoke = flood;
    world_serve(world, NULL);
    world->id = 1;
    world_request(world, 0, 1, ":path=/test.Echo/Chat");
    assert_null(strstr(world_hear(world), "RST_STREAM"));
    assert_null(strstr(world->heard, WORLD_OK));
    raw_window_update(&world->out, 0, 100000);
    raw_window_update(&world->out, 1, 100000);
    world_hear(world);
    const char *status = strstr(world->heard, WORLD_OK);
    assert_non_null(status);
    assert_string_equal(status, WORLD_OK WORLD_STOP);
}

static void rule_46_client_keeps_the_status_when_a_reset_follows(void **state)
{
    static const uint32_t codes[] = {0, 8, 2};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT(codes); i++) {
        for (size_t piece = 0; piece < 3; piece++) {
            struct world_call *call = world_begin(world, WORLD_BIDI, NULL, NULL);
            world->max_piece = piece;
            world_response(world, 0, world->id, "a=b");
            world_message(world, 0, world->id, "yes");
            world_trailers(world, world->id, "grpc-status=9|grpc-message=why|c=d");
            raw_rst(&world->out, world->id, codes[i]);
            world_talk(world);
            assert_string_equal(call->log, "headers a=b\nmessage 3 yes\n"
                                           "done FAILED_PRECONDITION c=d\n");
            assert_string_equal(call->message, "why");
            world->max_piece = 0;
        }
    }
    world_check(world);
}

static void rule_46_client_stops_a_server_that_has_answered(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_BIDI, NULL, NULL);
    world_response(world, RAW_END_STREAM, world->id, "grpc-status=0");
    assert_string_equal(world_hear(world), WORLD_STOP);
    world_check_done(call, PGRPC_OK, "");
    call = world_begin(world, WORLD_CLIENT_STREAM, NULL, NULL);
    world_response(world, RAW_END_STREAM, world->id, "grpc-status=3");
    assert_string_equal(world_hear(world), WORLD_STOP);
    world_check_done(call, PGRPC_INVALID_ARGUMENT, "");
    /* With both ends closed there is nothing to stop. */
    call = world_begin(world, WORLD_UNARY, "hi", NULL);
    world_answer(world, "yes");
    assert_string_equal(world_hear(world), "");
    world_check_done(call, PGRPC_OK, "");
    world_check(world);
}

/* Messages that were queued are not sent any more, whatever window there was. */
static void rule_46_client_with_data_queued_stops_too(void **state)
{
    struct world *world = *state;
    struct pgrpc_bytes bytes = {calloc(1, 70000), 70000};
    assert_non_null(bytes.data);
    struct world_call *call = world_begin(world, WORLD_BIDI, NULL, NULL);
    assert_int_equal(pgrpc_call_send(call->call, &bytes, 0), PGRPC_IO_DONE);
    world_hear(world);
    free((void *)(uintptr_t)bytes.data);
    world_response(world, RAW_END_STREAM, world->id, "grpc-status=0");
    raw_window_update(&world->out, 0, 100000);
    assert_string_equal(world_hear(world), WORLD_STOP);
    world_check_done(call, PGRPC_OK, "");
    world_check(world);
}

/* --- rule 47 ------------------------------------------------------------------------------------
 */

static const enum pgrpc_code reset_codes[] = {
    PGRPC_INTERNAL,          PGRPC_INTERNAL, PGRPC_INTERNAL, PGRPC_INTERNAL,
    PGRPC_INTERNAL,          PGRPC_INTERNAL, PGRPC_INTERNAL, PGRPC_UNAVAILABLE,
    PGRPC_CANCELLED,         PGRPC_INTERNAL, PGRPC_INTERNAL, PGRPC_RESOURCE_EXHAUSTED,
    PGRPC_PERMISSION_DENIED, PGRPC_INTERNAL, PGRPC_INTERNAL, PGRPC_INTERNAL};

static void rule_47_resets_become_codes_on_the_client(void **state)
{
    struct world *world = *state;
    for (uint32_t reset = 0; reset < COUNT(reset_codes); reset++) {
        for (int kind = 0; kind < 3; kind++) {
            struct world_call *call =
                world_begin(world, kind == 2 ? WORLD_SERVER_STREAM : WORLD_UNARY, "hi", NULL);
            if (kind == 0 && reset == 7)
                continue; /* that is tried again: rule 53 */
            if (kind)
                world_response(world, 0, world->id, "");
            if (kind == 2)
                world_message(world, 0, world->id, "yes");
            raw_rst(&world->out, world->id, reset);
            assert_string_equal(world_hear(world), "");
            assert_true(call->is_done);
            assert_string_equal(pgrpc_code_name(call->code), pgrpc_code_name(reset_codes[reset]));
            assert_string_not_equal(call->message, "");
            if (kind == 2)
                assert_ptr_equal(strstr(call->log, "headers\nmessage 3 yes\ndone "), call->log);
        }
    }
    world_check(world);
}

static void rule_47_a_reset_in_the_middle_of_a_message(void **state)
{
    static const uint32_t codes[] = {0, 2, 8};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT(codes); i++) {
        struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
        world_response(world, 0, world->id, "");
        raw_data(&world->out, 0, world->id, "\0\0\0\0\5he", 7);
        raw_rst(&world->out, world->id, codes[i]);
        world_talk(world);
        assert_int_equal(call->code, reset_codes[codes[i]]);
        assert_string_equal(call->log, codes[i] == 8 ? "headers\ndone CANCELLED\n"
                                                     : "headers\ndone INTERNAL\n");
    }
    world_check(world);
}

static void rule_47_any_reset_cancels_the_handler(void **state)
{
    struct world *world = *state;
    serve_told(world, NULL);
    for (uint32_t reset = 0; reset < 15; reset++) {
        world->log[0] = '\0';
        open_told(world, "", "abc", NULL);
        raw_rst(&world->out, world->id, reset);
        assert_string_equal(world_hear(world), "");
        assert_string_equal(world->log, "abc\ndone cancelled CANCELLED cancelled by the client\n");
    }
    world_check(world);
}

static void rule_47_a_handler_that_cancels_is_seen_as_cancelled(void **state)
{
    struct world *world = *state;
    serve_told(world, NULL);
    assert_string_equal(open_told(world, "", "cancel", NULL), "RST_STREAM ID 8\n");
    assert_string_equal(world->log, "cancel\ndone cancelled CANCELLED cancelled\n");
    world_check(world);
}

static void rule_47_client_cancels_with_cancel(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_BIDI, NULL, NULL);
    pgrpc_call_cancel(call->call);
    assert_string_equal(world_hear(world), "RST_STREAM ID 8\n");
    world_check_done(call, PGRPC_CANCELLED, "cancelled");
    /* What was on its way does no harm. */
    world_answer(world, "late");
    assert_string_equal(world_hear(world), "");
    assert_string_equal(call->log, "done CANCELLED\n");
    world_check(world);
}

/* --- rules 48 and 49 ----------------------------------------------------------------------------
 */

static void rule_48_a_cancel_after_the_deadline_is_the_deadline(void **state)
{
    struct world *world = *state;
    struct pgrpc_call_options options = {.size = sizeof(options), .timeout_ms = 1000};
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", &options);
    /* The server was faster than our timer: both are there in one turn. */
    raw_rst(&world->out, world->id, 8);
    world->now_ms += 1000;
    say_unheard(world);
    world_run(world);
    world_check_done(call, PGRPC_DEADLINE_EXCEEDED, "deadline of 1000 ms exceeded");
    assert_string_equal(world_hear(world), "");
    world_check(world);
}

/* nghttpx passes the server's CANCEL on as this. */
static void rule_48_so_is_any_reset_that_a_proxy_made_of_it(void **state)
{
    struct world *world = *state;
    struct pgrpc_call_options options = {.size = sizeof(options), .timeout_ms = 1000};
    struct world_call *late = world_begin(world, WORLD_UNARY, "hi", &options);
    raw_rst(&world->out, world->id, 2);
    world->now_ms += 1000;
    say_unheard(world);
    world_run(world);
    world_check_done(late, PGRPC_DEADLINE_EXCEEDED, "deadline of 1000 ms exceeded");
    struct world_call *early = world_begin(world, WORLD_UNARY, "hi", &options);
    raw_rst(&world->out, world->id, 2);
    world->now_ms += 999;
    say_unheard(world);
    world_run(world);
    assert_int_equal(early->code, PGRPC_INTERNAL);
}

static void rule_48_a_cancel_before_the_deadline_is_a_cancel(void **state)
{
    struct world *world = *state;
    struct pgrpc_call_options options = {.size = sizeof(options), .timeout_ms = 1000};
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", &options);
    world_sleep(world, 999);
    raw_rst(&world->out, world->id, 8);
    world_talk(world);
    world_check_done(call, PGRPC_CANCELLED, "the server reset the stream: CANCEL (8)");
}

static void rule_48_what_comes_after_the_deadline_is_ignored(void **state)
{
    struct world *world = *state;
    struct pgrpc_call_options options = {.size = sizeof(options), .timeout_ms = 1000};
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", &options);
    world_sleep(world, 1000);
    world_response(world, 0, world->id, "a=b");
    world_message(world, 0, world->id, "late");
    world_trailers(world, world->id, "grpc-status=1|grpc-message=cancelled|c=d");
    raw_rst(&world->out, world->id, 8);
    assert_string_equal(world_hear(world), "RST_STREAM ID 8\n");
    world_check_done(call, PGRPC_DEADLINE_EXCEEDED, "deadline of 1000 ms exceeded");
    assert_string_equal(call->log, "done DEADLINE_EXCEEDED\n");
    world_check(world);
}

static void rule_49_client_deadline_resets_the_stream(void **state)
{
    static const enum world_method methods[] = {WORLD_UNARY, WORLD_SERVER_STREAM,
                                                WORLD_CLIENT_STREAM, WORLD_BIDI};
    struct world *world = *state;
    struct pgrpc_call_options options = {.size = sizeof(options), .timeout_ms = 1000};
    for (size_t i = 0; i < 2 * COUNT(methods); i++) {
        enum world_method method = methods[i / 2];
        bool is_streaming = method == WORLD_CLIENT_STREAM || method == WORLD_BIDI;
        struct world_call *call = world_begin(world, method, is_streaming ? NULL : "hi", &options);
        if (i % 2) {
            world_response(world, 0, world->id, "");
            world_message(world, 0, world->id, "some");
            world_talk(world);
        }
        world_sleep(world, 999);
        assert_string_equal(world_hear(world), "");
        assert_false(call->is_done);
        world_sleep(world, 1);
        assert_string_equal(world_hear(world), "RST_STREAM ID 8\n");
        world_check_done(call, PGRPC_DEADLINE_EXCEEDED, "deadline of 1000 ms exceeded");
    }
    world_check(world);
}

/* A reader that stopped is not kept waiting for on_done by what it did not take. */
static void rule_49_a_deadline_drops_what_was_not_read(void **state)
{
    struct world *world = *state;
    struct pgrpc_call_options options = {.size = sizeof(options), .timeout_ms = 1000};
    struct world_call *call = world_begin(world, WORLD_SERVER_STREAM, "hi", &options);
    call->reads = false;
    world_response(world, 0, world->id, "");
    world_message(world, 0, world->id, "some");
    world_talk(world);
    world_sleep(world, 1000);
    world_check_done(call, PGRPC_DEADLINE_EXCEEDED, "deadline of 1000 ms exceeded");
    assert_string_equal(world_hear(world), "RST_STREAM ID 8\n");
}

static void rule_49_server_deadline_resets_the_stream_and_cancels(void **state)
{
    struct world *world = *state;
    serve_told(world, NULL);
    for (int i = 0; i < 3; i++) {
        world->log[0] = '\0';
        open_told(world, "grpc-timeout=1S", i == 0 ? "wait" : i == 1 ? "open" : "abc", NULL);
        /* One more than the client waits, which is to be the first. */
        world_sleep(world, 1000);
        assert_string_equal(world_hear(world), "");
        world_sleep(world, 1);
        assert_string_equal(world_hear(world), "RST_STREAM ID 8\n");
        assert_non_null(strstr(world->log, "\ndone cancelled DEADLINE_EXCEEDED deadline of 1000 ms "
                                           "exceeded\n"));
        world_message(world, RAW_END_STREAM, world->id, "late");
        assert_string_equal(world_hear(world), "");
    }
    world_check(world);
}

/* A request that never becomes complete does not stay for ever. */
static void rule_49_server_deadline_ends_requests_under_way(void **state)
{
    struct world *world = *state;
    serve_told(world, NULL);
    world->id = 1;
    world_request(world, 0, 1, "grpc-timeout=500m");
    raw_data(&world->out, 0, 1, "\0\0\0\0\5he", 7);
    assert_string_equal(world_hear(world), "");
    world_sleep(world, 501);
    assert_string_equal(world_hear(world), "RST_STREAM ID 8\n");
    world_check(world);
    assert_string_equal(world->log, "say again\n");
}

/* A status that waits behind data for window is overtaken by the deadline. */
static void rule_49_server_deadline_cuts_what_waits_for_window(void **state)
{
    struct world *world = *state;
    world->bindings[WORLD_BIDI].invoke = flood;
    world_serve(world, NULL);
    world->id = 1;
    world_request(world, RAW_END_STREAM, 1, ":path=/test.Echo/Chat|grpc-timeout=1S");
    world_hear(world);
    world_sleep(world, 1001);
    assert_string_equal(world_hear(world), "RST_STREAM ID 8\n");
    /* The connection's window went with it. */
    raw_window_update(&world->out, 0, 65535);
    world_check(world);
}

/* --- rule 51 ------------------------------------------------------------------------------------
 */

static void rule_51_a_lost_connection_is_unavailable_for_clients(void **state)
{
    struct world *world = *state;
    struct world_call *calls[4];
    for (int i = 0; i < 4; i++) {
        calls[i] = world_begin(world, (enum world_method)i, i < 2 ? "hi" : NULL, NULL);
        if (i % 2) {
            world_response(world, 0, world->id, "");
            world_message(world, 0, world->id, "part");
        }
        world_talk(world);
    }
    struct pgrpc_call *kept = pgrpc_call_ref(calls[0]->call);
    world_hang_up(world);
    for (int i = 0; i < 4; i++)
        world_check_done(calls[i], PGRPC_UNAVAILABLE, "connection closed by the server");
    /* A stream keeps what came. */
    assert_string_equal(calls[1]->log, "headers\nmessage 4 part\ndone UNAVAILABLE\n");
    assert_true(pgrpc_call_is_cancelled(kept));
    pgrpc_call_unref(kept);
    /* The next call makes another connection. */
    struct world_call *next = world_begin(world, WORLD_UNARY, "hi", NULL);
    assert_int_equal(world->connection_count, 2);
    world_answer(world, "yes");
    world_talk(world);
    world_check_done(next, PGRPC_OK, "");
}

static void rule_51_a_lost_connection_cancels_handlers(void **state)
{
    struct world *world = *state;
    serve_told(world, NULL);
    open_told(world, "", "abc", NULL);
    open_told(world, "", "wait", NULL);
    world->log[0] = '\0';
    world_reconnect(world);
    assert_string_equal(world->log, "done cancelled CANCELLED the connection was lost\n"
                                    "done cancelled CANCELLED the connection was lost\n");
    world->id = 0;
    world_greet_server(world);
    world_talk(world);
    world_check(world);
}

static void rule_51_a_broken_connection_is_a_lost_one(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_BIDI, NULL, NULL);
    /* DATA on stream 0 is against HTTP/2. */
    raw_data(&world->out, 0, 0, "x", 1);
    assert_ptr_equal(strstr(world_hear(world), "GOAWAY last=0 code=1 "), world->heard);
    assert_true(call->is_done);
    assert_int_equal(call->code, PGRPC_UNAVAILABLE);
    assert_ptr_equal(strstr(call->message, "the server broke the HTTP/2 protocol: "),
                     call->message);
    call = world_begin(world, WORLD_UNARY, "hi", NULL);
    assert_int_equal(world->connection_count, 2);
}

static void rule_51_client_keepalive_timeout_is_unavailable(void **state)
{
    struct world *world = *state;
    struct pgrpc_channel_options options = {
        .size = sizeof(options), .keepalive_ms = 10000, .keepalive_timeout_ms = 5000};
    world_start_client(world, &options);
    struct world_call *call = world_begin(world, WORLD_BIDI, NULL, NULL);
    world_sleep(world, 10000);
    assert_string_equal(world_talk(world), "PING keeppico\n");
    world_sleep(world, 4999);
    assert_false(call->is_done);
    world_sleep(world, 1);
    world_check_done(call, PGRPC_UNAVAILABLE, "keepalive: no answer within 5000 ms");
}

static void rule_51_server_keepalive_timeout_is_cancelled(void **state)
{
    struct world *world = *state;
    struct pgrpc_server_options options = {
        .size = sizeof(options), .keepalive_ms = 10000, .keepalive_timeout_ms = 5000};
    serve_told(world, &options);
    open_told(world, "", "wait", NULL);
    world_sleep(world, 10000);
    assert_string_equal(world_talk(world), "PING keeppico\n");
    world_sleep(world, 5000);
    assert_string_equal(world->log, "wait\ndone cancelled CANCELLED the connection was lost\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(rule_45_server_keeps_its_head_until_it_is_needed),
        WORLD_TEST(rule_45_an_early_error_is_one_head),
        WORLD_TEST(rule_45_a_handler_may_open_its_response),
        WORLD_TEST(rule_46_server_that_ends_early_stops_the_client_last),
        WORLD_TEST(rule_46_the_stop_waits_for_data_that_waits_for_window),
        WORLD_TEST(rule_46_client_keeps_the_status_when_a_reset_follows),
        WORLD_TEST(rule_46_client_stops_a_server_that_has_answered),
        WORLD_TEST(rule_46_client_with_data_queued_stops_too),
        WORLD_TEST(rule_47_resets_become_codes_on_the_client),
        WORLD_TEST(rule_47_a_reset_in_the_middle_of_a_message),
        WORLD_TEST(rule_47_any_reset_cancels_the_handler),
        WORLD_TEST(rule_47_a_handler_that_cancels_is_seen_as_cancelled),
        WORLD_TEST(rule_47_client_cancels_with_cancel),
        WORLD_TEST(rule_48_a_cancel_after_the_deadline_is_the_deadline),
        WORLD_TEST(rule_48_so_is_any_reset_that_a_proxy_made_of_it),
        WORLD_TEST(rule_48_a_cancel_before_the_deadline_is_a_cancel),
        WORLD_TEST(rule_48_what_comes_after_the_deadline_is_ignored),
        WORLD_TEST(rule_49_client_deadline_resets_the_stream),
        WORLD_TEST(rule_49_a_deadline_drops_what_was_not_read),
        WORLD_TEST(rule_49_server_deadline_resets_the_stream_and_cancels),
        WORLD_TEST(rule_49_server_deadline_ends_requests_under_way),
        WORLD_TEST(rule_49_server_deadline_cuts_what_waits_for_window),
        WORLD_TEST(rule_51_a_lost_connection_is_unavailable_for_clients),
        WORLD_TEST(rule_51_a_lost_connection_cancels_handlers),
        WORLD_TEST(rule_51_a_broken_connection_is_a_lost_one),
        WORLD_TEST(rule_51_client_keepalive_timeout_is_unavailable),
        WORLD_TEST(rule_51_server_keepalive_timeout_is_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
