/* Rules 59 to 61: how many streams, how many bytes, and SETTINGS. */
#include "../support/phrases.h"

#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof(array[0]))

/* Number of lines of |text| that begin with |start|. */
static unsigned count_lines(const char *text, const char *start)
{
    unsigned count = 0;
    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        count += strncmp(line, start, strlen(start)) == 0;
    }
    return count;
}

/* --- rule 59 ------------------------------------------------------------------------------------
 */

/* Our client with |settings| of the server there; no call yet. */
static void connect_with(struct world *world, unsigned max_streams)
{
    world_start_client(world, NULL);
    struct world_call *call = world_call(world, WORLD_UNARY, "first", NULL);
    world_talk(world);
    raw_settings(&world->out, 3, max_streams, 0);
    raw_settings_ack(&world->out);
    world_talk(world);
    world->id = 1;
    world_answer(world, "yes");
    world_talk(world);
    world_check_done(call, PGRPC_OK, "");
}

static void rule_59_client_queues_what_is_too_much(void **state)
{
    struct world *world = *state;
    struct world_call *calls[6];
    connect_with(world, 2);
    for (size_t i = 0; i < COUNT(calls); i++)
        calls[i] = world_call(world, WORLD_UNARY, i % 2 ? "odd" : "even", NULL);
    assert_int_equal(count_lines(world_talk_streams(world), "HEADERS "), 2);
    /* One by one, in order. */
    for (size_t i = 0; i < COUNT(calls); i++) {
        world->id = 3 + 2 * (uint32_t)i;
        world_answer(world, "yes");
        const char *frames = world_talk_streams(world);
        assert_int_equal(count_lines(frames, "HEADERS "), i < 4);
        if (i < 4)
            assert_non_null(strstr(frames, i % 2 ? "\\x03odd\""
                                                 : "\\x04"
                                                   "even\""));
        world_check_done(calls[i], PGRPC_OK, "");
    }
    assert_int_equal(world->connection_count, 1);
}

static void rule_59_server_may_allow_none_for_a_while(void **state)
{
    struct world *world = *state;
    world_start_client(world, NULL);
    struct world_call *call = world_call(world, WORLD_UNARY, "hi", NULL);
    world_talk(world);
    raw_settings(&world->out, 3, 0, 0);
    raw_settings_ack(&world->out);
    assert_string_equal(world_talk_streams(world), "");
    raw_settings(&world->out, 3, 1, 0);
    world->id = 1;
    assert_non_null(strstr(world_hear(world), "HEADERS ID "));
    world_answer(world, "yes");
    world_talk(world);
    world_check_done(call, PGRPC_OK, "");
}

static void rule_59_a_later_decrease_is_honoured(void **state)
{
    struct world *world = *state;
    connect_with(world, 3);
    struct world_call *calls[4];
    for (size_t i = 0; i < 2; i++)
        calls[i] = world_call(world, WORLD_UNARY, "hi", NULL);
    assert_int_equal(count_lines(world_talk_streams(world), "HEADERS "), 2);
    raw_settings(&world->out, 3, 1, 0);
    world_talk(world);
    for (size_t i = 2; i < 4; i++)
        calls[i] = world_call(world, WORLD_UNARY, "hi", NULL);
    assert_string_equal(world_talk_streams(world), "");
    /* Two run, one is allowed: the end of the first makes no room yet. */
    world->id = 3;
    world_answer(world, "yes");
    assert_string_equal(world_talk_streams(world), "");
    world->id = 5;
    world_answer(world, "yes");
    assert_int_equal(count_lines(world_talk_streams(world), "HEADERS "), 1);
    raw_settings(&world->out, 3, 100, 0);
    assert_int_equal(count_lines(world_talk_streams(world), "HEADERS "), 1);
    for (uint32_t id = 7; id <= 9; id += 2) {
        world->id = id;
        world_answer(world, "yes");
    }
    world_talk(world);
    for (size_t i = 0; i < COUNT(calls); i++)
        world_check_done(calls[i], PGRPC_OK, "");
}

static void rule_59_calls_that_wait_may_be_cancelled_and_expire(void **state)
{
    struct world *world = *state;
    struct pgrpc_call_options options = {.size = sizeof(options), .timeout_ms = 1000};
    connect_with(world, 1);
    struct world_call *running = world_call(world, WORLD_BIDI, NULL, NULL);
    struct world_call *cancelled = world_call(world, WORLD_UNARY, "hi", NULL);
    struct world_call *expired = world_call(world, WORLD_UNARY, "hi", &options);
    struct world_call *patient = world_call(world, WORLD_UNARY, "hi", NULL);
    assert_int_equal(count_lines(world_talk_streams(world), "HEADERS "), 1);
    pgrpc_call_cancel(cancelled->call);
    world_sleep(world, 1000);
    world_check_done(cancelled, PGRPC_CANCELLED, "cancelled");
    assert_int_equal(expired->code, PGRPC_DEADLINE_EXCEEDED);
    assert_string_equal(world_talk_streams(world), "");
    pgrpc_call_cancel(running->call);
    world->id = 5;
    world_hear(world);
    assert_non_null(strstr(world->heard, "HEADERS ID "));
    world_answer(world, "yes");
    world_talk(world);
    world_check_done(patient, PGRPC_OK, "");
}

static void rule_59_waiting_calls_move_when_the_server_leaves(void **state)
{
    struct world *world = *state;
    connect_with(world, 1);
    struct world_call *running = world_call(world, WORLD_UNARY, "hi", NULL);
    struct world_call *waiting = world_call(world, WORLD_UNARY, "hi", NULL);
    world_talk(world);
    raw_goaway(&world->out, 3, 0, "");
    world_talk(world);
    assert_int_equal(world->connection_count, 2);
    world_greet_client(world);
    world->id = 1;
    assert_non_null(strstr(world_hear(world), "HEADERS ID "));
    world_answer(world, "yes");
    world_talk(world);
    world_check_done(waiting, PGRPC_OK, "");
    assert_false(running->is_done);
}

static void rule_59_server_tells_its_limit(void **state)
{
    struct world *world = *state;
    struct pgrpc_server_options options = {.size = sizeof(options), .max_concurrent_calls = 7};
    world_start_server(world, &options);
    world_greet_server(world);
    assert_non_null(strstr(world_talk(world), "SETTINGS 3=7 4="));
}

/* --- rule 60 ------------------------------------------------------------------------------------
 */

/* Sum of the WINDOW_UPDATEs for |id| in |text|. */
static size_t credit_in(const char *text, uint32_t id)
{
    char start[40];
    size_t sum = 0;
    snprintf(start, sizeof(start), "WINDOW_UPDATE %u +", (unsigned)id);
    for (const char *line = strstr(text, start); line; line = strstr(line + 1, start))
        sum += strtoul(line + strlen(start), NULL, 10);
    return sum;
}

/* The call of a handler that takes what comes only when the test does. */
static struct pgrpc_call *held;

static void hold_readable(struct pgrpc_call *call, void *userdata)
{
    (void)call;
    (void)userdata;
}

static void hold(struct pgrpc_call *call, const void *message, const void *handlers, void *userdata)
{
    struct world *world = userdata;
    struct pgrpc_call_events events = {.size = sizeof(events), .on_readable = hold_readable};
    (void)message;
    (void)handlers;
    pgrpc_call_set_events(call, &events, world);
    held = call;
}

static void rule_60_padding_is_given_back(void **state)
{
    enum { PAD = 255 };
    struct world *world = *state;
    uint8_t padded[1 + 6 + PAD] = {PAD, 0, 0, 0, 0, 1, 'x'};
    world->bindings[WORLD_BIDI].invoke = hold;
    world_serve(world, NULL);
    world_request(world, 0, 1, ":path=/test.Echo/Chat");
    world_talk(world);
    /* More padding than the stream's window has room for, with messages that nobody reads. */
    size_t stream_credit = 0, window = 65536;
    for (int i = 0; i < 1000; i++) {
        assert_true(window >= sizeof(padded));
        raw_data(&world->out, RAW_PADDED, 1, padded, sizeof(padded));
        window -= sizeof(padded);
        size_t credit = credit_in(world_talk(world), 1);
        stream_credit += credit;
        window += credit;
    }
    assert_true(stream_credit >= 1000 * (PAD + 1) - 65536);
    assert_true(stream_credit <= 1000 * (PAD + 1));
    pgrpc_call_cancel(held);
    pgrpc_call_finish(held, PGRPC_OK, NULL);
    world_talk(world);
}

/* Fills the window of stream |id| with messages of |len| bytes. */
static void fill_stream(struct world *world, uint32_t id, size_t bytes, size_t len)
{
    uint8_t message[16384] = {0};
    message[3] = (uint8_t)((len - 5) >> 8);
    message[4] = (uint8_t)(len - 5);
    for (size_t sent = 0; sent + len <= bytes; sent += len)
        raw_data(&world->out, 0, id, message, len);
}

static void rule_60_a_reader_that_stopped_stops_no_other(void **state)
{
    struct world *world = *state;
    world->bindings[WORLD_BIDI].invoke = hold;
    world_serve(world, NULL);
    world_request(world, 0, 1, ":path=/test.Echo/Chat");
    fill_stream(world, 1, 65536, 16384);
    const char *frames = world_talk(world);
    /* Its own window stays closed, the connection's comes back. */
    assert_int_equal(credit_in(frames, 1), 0);
    world->id = 1;
    size_t credit = credit_in(frames, 0);
    for (int i = 0; i < 100; i++) {
        world->id += 2;
        world_request(world, 0, world->id, "");
        fill_stream(world, world->id, 16384, 16384);
        raw_data(&world->out, RAW_END_STREAM, world->id, NULL, 0);
        raw_window_update(&world->out, 0, 16384);
        frames = world_talk(world);
        assert_non_null(strstr(frames, " END_STREAM grpc-status=0\n"));
        credit += credit_in(frames, 0);
    }
    assert_true(credit >= 101 * 16384 - 1024 * 1024);
    /* Reading opens the stream again. */
    const void *message;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pgrpc_call_recv(held, &message, NULL), PGRPC_IO_DONE);
    assert_int_equal(pgrpc_call_recv(held, &message, NULL), PGRPC_IO_AGAIN);
    assert_true(credit_in(world_talk(world), 1) >= 32768);
    pgrpc_call_finish(held, PGRPC_OK, NULL);
    world_talk(world);
}

static void rule_60_the_same_for_a_client(void **state)
{
    struct world *world = *state;
    struct world_call *slow = world_begin(world, WORLD_SERVER_STREAM, "hi", NULL);
    uint32_t slow_id = world->id;
    slow->reads = false;
    world_response(world, 0, slow_id, "");
    fill_stream(world, slow_id, 65536, 16384);
    assert_int_equal(credit_in(world_talk(world), slow_id), 0);
    for (int i = 0; i < 100; i++) {
        struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
        world_response(world, 0, world->id, "");
        fill_stream(world, world->id, 16384, 16384);
        world_trailers(world, world->id, "grpc-status=0");
        world_talk(world);
        world_check_done(call, PGRPC_OK, "");
    }
    world_trailers(world, slow_id, "grpc-status=0");
    world_talk(world);
    const void *message;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pgrpc_call_recv(slow->call, &message, NULL), PGRPC_IO_DONE);
    world_run(world);
    world_check_done(slow, PGRPC_OK, "");
}

/* One message that takes |len| bytes. */
static void one_message(struct world *world, uint32_t id, size_t len)
{
    uint8_t part[16384] = {0};
    part[2] = (uint8_t)((len - 5) >> 16);
    part[3] = (uint8_t)((len - 5) >> 8);
    part[4] = (uint8_t)(len - 5);
    for (size_t sent = 0; sent < len; sent += sizeof(part)) {
        size_t rest = len - sent;
        raw_data(&world->out, 0, id, part, rest < sizeof(part) ? rest : sizeof(part));
        memset(part, 0, 5);
    }
}

/* A sender that asks for more only while it has a window finds the end no sooner. */
static void rule_60_a_reply_that_fills_its_window_can_end(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
    world_response(world, 0, world->id, "");
    one_message(world, world->id, 65536);
    assert_true(credit_in(world_talk(world), world->id) > 0);
    assert_false(call->is_done);
    world_trailers(world, world->id, "grpc-status=0");
    world_talk(world);
    world_check_done(call, PGRPC_OK, "");
}

static void rule_60_a_request_that_fills_its_window_can_end(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    world_request(world, 0, 1, "");
    one_message(world, 1, 65536);
    assert_true(credit_in(world_talk(world), 1) > 0);
    raw_data(&world->out, RAW_END_STREAM, 1, NULL, 0);
    raw_window_update(&world->out, 1, 65536);
    raw_window_update(&world->out, 0, 65536);
    assert_non_null(strstr(world_talk(world), " END_STREAM grpc-status=0\n"));
}

/* Nobody can take these replies yet: that must not stop those behind them. */
static void rule_60_replies_without_their_end_stop_no_other(void **state)
{
    enum { CALLS = 300, LEN = 60000 };
    struct world *world = *state;
    struct world_call *calls[CALLS];
    uint32_t first = 0;
    size_t window = 65535 + 983041;
    for (int i = 0; i < CALLS; i++) {
        calls[i] = world_begin(world, WORLD_UNARY, "hi", NULL);
        first = i == 0 ? world->id : first;
        world_response(world, 0, world->id, "");
        assert_true(window > LEN);
        one_message(world, world->id, LEN);
        window += credit_in(world_talk(world), 0) - LEN;
    }
    for (uint32_t i = 0; i < CALLS; i++) {
        world_trailers(world, first + 2 * i, "grpc-status=0");
        world_talk(world);
        world_check_done(calls[i], PGRPC_OK, "");
    }
}

static void rule_60_more_than_the_window_ends_the_call(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_SERVER_STREAM, "hi", NULL);
    call->reads = false;
    world_response(world, 0, world->id, "");
    fill_stream(world, world->id, 5 * 16384, 16384);
    assert_string_equal(world_hear(world), "RST_STREAM ID 3\n");
    assert_false(call->is_done); /* it has messages to read first */
    const void *message;
    while (pgrpc_call_recv(call->call, &message, NULL) == PGRPC_IO_DONE)
        ;
    world_run(world);
    world_check_done(call, PGRPC_INTERNAL,
                     "the server broke the HTTP/2 protocol on this stream: FLOW_CONTROL_ERROR");
    world_check(world);
}

static void rule_60_more_than_the_window_cancels_the_handler(void **state)
{
    struct world *world = *state;
    world->bindings[WORLD_BIDI].invoke = hold;
    world_serve(world, NULL);
    world->id = 1;
    world_request(world, 0, 1, ":path=/test.Echo/Chat");
    assert_string_equal(world_hear(world), ""); /* the handler runs */
    fill_stream(world, 1, 5 * 16384, 16384);
    assert_string_equal(world_hear(world), "RST_STREAM ID 3\n");
    assert_true(pgrpc_call_is_cancelled(held));
    pgrpc_call_finish(held, PGRPC_OK, NULL);
    world->id = 3;
    world_request(world, 0, 3, ":path=/no/where");
    assert_non_null(strstr(world_hear(world), "grpc-status=12"));
}

/* More than the connection's window, or an update of nothing, is the connection's end. */
static void rule_60_a_broken_connection_window_ends_the_connection(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    raw_window_update(&world->out, 0, 0);
    assert_non_null(strstr(world_talk(world), "GOAWAY last=0 code=1 "));
    world_reconnect(world);
    world_greet_server(world);
    raw_window_update(&world->out, 0, 0x7fffffff);
    assert_non_null(strstr(world_talk(world), "GOAWAY last=0 code=3 "));
}

static void pour_much(struct pgrpc_call *call, const void *message, const void *handlers,
                      void *userdata)
{
    struct pgrpc_bytes bytes = {calloc(1, 40000), 40000};
    (void)message;
    (void)handlers;
    (void)userdata;
    assert_non_null(bytes.data);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pgrpc_call_send(call, &bytes, 0), PGRPC_IO_DONE);
    free((void *)(uintptr_t)bytes.data);
    pgrpc_call_finish(call, PGRPC_OK, NULL);
}

/* Bytes of DATA in |text|. */
static size_t data_in(const char *text)
{
    size_t sum = 0;
    for (const char *line = strstr(text, "DATA "); line; line = strstr(line + 1, "\nDATA ")) {
        unsigned id, len;
        line += *line == '\n';
        if (sscanf(line, "DATA %u END_STREAM %u", &id, &len) == 2 ||
            sscanf(line, "DATA %u %u", &id, &len) == 2)
            sum += len;
    }
    return sum;
}

static void rule_60_our_side_keeps_to_the_peers_windows(void **state)
{
    struct world *world = *state;
    world->bindings[WORLD_SERVER_STREAM].invoke = pour_much;
    world_start_server(world, NULL);
    raw_magic(&world->out);
    raw_settings(&world->out, 4, 1000, 0);
    raw_settings_ack(&world->out);
    world_talk(world);
    world_request(world, 0, 1, ":path=/test.Echo/Pour");
    world_message(world, RAW_END_STREAM, 1, "go");
    assert_int_equal(data_in(world_talk(world)), 1000);
    raw_window_update(&world->out, 1, 1);
    assert_int_equal(data_in(world_talk(world)), 1);
    /* A window that shrinks below what was sent. */
    raw_settings(&world->out, 4, 0, 0);
    raw_window_update(&world->out, 1, 999);
    assert_int_equal(data_in(world_talk(world)), 0);
    raw_window_update(&world->out, 1, 2);
    assert_int_equal(data_in(world_talk(world)), 1);
    /* The connection's window is another limit: 65,535 in all. */
    raw_settings(&world->out, 4, 1000000, 0);
    assert_int_equal(data_in(world_talk(world)), 65535 - 1002);
    raw_window_update(&world->out, 0, 100000);
    const char *frames = world_talk(world);
    assert_int_equal(data_in(frames), 80010 - 65535);
    assert_non_null(strstr(frames, "HEADERS 1 END_STREAM grpc-status=0\n"));
}

/* --- rule 61 ------------------------------------------------------------------------------------
 */

static void rule_61_server_says_its_settings_unasked(void **state)
{
    struct world *world = *state;
    world_start_server(world, NULL);
    assert_string_equal(world_talk(world),
                        "SETTINGS 3=100 4=65536 6=16384\nWINDOW_UPDATE 0 +983041\n");
    world_greet_server(world);
    assert_string_equal(world_talk(world), "SETTINGS ACK\n");
    world_check(world);
}

static void rule_61_client_says_its_settings_first_and_refuses_push(void **state)
{
    struct world *world = *state;
    world_start_client(world, NULL);
    world_call(world, WORLD_UNARY, "hi", NULL);
    assert_string_equal(world_talk(world),
                        "MAGIC\nSETTINGS 2=0 4=65536 6=16384\nWINDOW_UPDATE 0 +983041\n");
    raw_settings(&world->out, 0);
    assert_non_null(strstr(world_talk(world), "SETTINGS ACK\nHEADERS 1 "));
}

static void rule_61_a_promise_ends_the_connection(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
    struct raw payload = {0};
    raw_bytes(&payload, "\0\0\0\2", 4);
    raw_block(&payload, RAW_REQUEST_FIELDS);
    raw_frame(&world->out, RAW_PUSH_PROMISE, RAW_END_HEADERS, world->id, payload.data, payload.len);
    raw_clear(&payload);
    assert_ptr_equal(strstr(world_hear(world), "GOAWAY last=0 code=1 "), world->heard);
    assert_true(call->is_done);
    assert_int_equal(call->code, PGRPC_UNAVAILABLE);
    struct world_call *next = world_begin(world, WORLD_UNARY, "hi", NULL);
    assert_int_equal(world->connection_count, 2);
    world_answer(world, "yes");
    world_talk(world);
    world_check_done(next, PGRPC_OK, "");
}

static void rule_61_a_client_may_not_promise_either(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    assert_string_equal(world_ask(world, "", "silent"), "");
    struct raw payload = {0};
    raw_bytes(&payload, "\0\0\0\2", 4);
    raw_block(&payload, RAW_REQUEST_FIELDS);
    raw_frame(&world->out, RAW_PUSH_PROMISE, RAW_END_HEADERS, world->id, payload.data, payload.len);
    raw_clear(&payload);
    assert_ptr_equal(strstr(world_hear(world), "GOAWAY last=1 code=1 "), world->heard);
}

static void rule_61_what_is_not_http2_is_told_so(void **state)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct world *world = *state;
    world_start_server(world, NULL);
    raw_bytes(&world->out, text, sizeof(text) - 1);
    assert_non_null(strstr(world_talk(world), "GOAWAY last=0 code=1 "));
}

static void rule_61_unknown_settings_and_frames_are_ignored(void **state)
{
    struct world *world = *state;
    world_start_server(world, NULL);
    raw_magic(&world->out);
    raw_settings(&world->out, 0x1234, 5, 0x10, 1, 0);
    raw_settings_ack(&world->out);
    raw_frame(&world->out, 0xfa, 0xff, 0, "unknown", 7);
    raw_frame(&world->out, RAW_PRIORITY, 0, 9, "\0\0\0\0\x10", 5);
    world_talk(world);
    world_check(world);
    raw_frame(&world->out, 0xfb, 0, 1, "unknown", 7);
    assert_string_equal(world_talk(world), "");
    world_check(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(rule_59_client_queues_what_is_too_much),
        WORLD_TEST(rule_59_server_may_allow_none_for_a_while),
        WORLD_TEST(rule_59_a_later_decrease_is_honoured),
        WORLD_TEST(rule_59_calls_that_wait_may_be_cancelled_and_expire),
        WORLD_TEST(rule_59_waiting_calls_move_when_the_server_leaves),
        WORLD_TEST(rule_59_server_tells_its_limit),
        WORLD_TEST(rule_60_padding_is_given_back),
        WORLD_TEST(rule_60_a_reader_that_stopped_stops_no_other),
        WORLD_TEST(rule_60_the_same_for_a_client),
        WORLD_TEST(rule_60_a_reply_that_fills_its_window_can_end),
        WORLD_TEST(rule_60_a_request_that_fills_its_window_can_end),
        WORLD_TEST(rule_60_replies_without_their_end_stop_no_other),
        WORLD_TEST(rule_60_more_than_the_window_ends_the_call),
        WORLD_TEST(rule_60_more_than_the_window_cancels_the_handler),
        WORLD_TEST(rule_60_a_broken_connection_window_ends_the_connection),
        WORLD_TEST(rule_60_our_side_keeps_to_the_peers_windows),
        WORLD_TEST(rule_61_server_says_its_settings_unasked),
        WORLD_TEST(rule_61_client_says_its_settings_first_and_refuses_push),
        WORLD_TEST(rule_61_a_promise_ends_the_connection),
        WORLD_TEST(rule_61_a_client_may_not_promise_either),
        WORLD_TEST(rule_61_what_is_not_http2_is_told_so),
        WORLD_TEST(rule_61_unknown_settings_and_frames_are_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
