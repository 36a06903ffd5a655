/* Rules 28 to 31: messages on the wire, their ends and their limits. */
#include "../support/phrases.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#define COUNT(array) (sizeof(array) / sizeof(array[0]))

/* --- rule 28 ------------------------------------------------------------------------------------
 */

static void rule_28_server_refuses_other_flags(void **state)
{
    static const uint8_t flags[] = {2, 3, 4, 127, 128, 129, 255};
    struct world *world = *state;
    world_serve(world, NULL);
    for (size_t i = 0; i < COUNT(flags); i++) {
        char text[60], expected[300];
        snprintf(text, sizeof(text), "message flag %u is neither 0 nor 1", flags[i]);
        snprintf(expected, sizeof(expected),
                 "HEADERS ID END_STREAM :status=200 content-type=application/grpc " WORLD_ACCEPTS
                 " grpc-status=13 grpc-message=%s\n",
                 text);
        world->id += world->id ? 2 : 1;
        world_request(world, 0, world->id, i % 2 ? "grpc-encoding=gzip" : "");
        world_framed(world, RAW_END_STREAM, world->id, flags[i], "hello", 5);
        assert_string_equal(world_hear(world), expected);
        world_check(world);
    }
}

static void rule_28_client_refuses_other_flags(void **state)
{
    static const uint8_t flags[] = {2, 3, 128, 255};
    struct world *world = *state;
    for (size_t i = 0; i < COUNT(flags); i++) {
        char text[60];
        struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
        snprintf(text, sizeof(text), "message flag %u is neither 0 nor 1", flags[i]);
        world_response(world, 0, world->id, "");
        world_framed(world, 0, world->id, flags[i], "hello", 5);
        assert_string_equal(world_hear(world), "RST_STREAM ID 8\n");
        world_check_done(call, PGRPC_INTERNAL, text);
        world_check(world);
    }
}

/* Three messages ("one", "", "three!") as DATA frames of |piece| bytes, with empty ones between. */
static void say_in_pieces(struct world *world, uint32_t id, size_t piece, bool end, bool pads)
{
    static const char bytes[] = "\0\0\0\0\3one\0\0\0\0\0\0\0\0\0\6three!";
    const size_t len = sizeof(bytes) - 1;
    for (size_t at = 0; at < len; at += piece) {
        size_t part = piece < len - at ? piece : len - at;
        uint8_t flags = end && at + part == len ? RAW_END_STREAM : 0;
        if (pads) {
            uint8_t padded[64] = {7};
            memcpy(padded + 1, bytes + at, part);
            raw_data(&world->out, flags | RAW_PADDED, id, padded, 1 + part + 7);
        } else {
            raw_data(&world->out, flags, id, bytes + at, part);
            if (!flags)
                raw_data(&world->out, 0, id, NULL, 0);
        }
    }
}

static void rule_28_server_does_not_care_about_frames(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    for (size_t piece = 1; piece <= 25; piece++) {
        for (int pads = 0; pads < 2; pads++) {
            world->id += world->id ? 2 : 1;
            world_request(world, 0, world->id, ":path=/test.Echo/Gather");
            say_in_pieces(world, world->id, piece, true, pads);
            assert_string_equal(world_hear(world), WORLD_ECHO("14", "\\x09onethree!"));
        }
    }
}

static void rule_28_client_does_not_care_about_frames(void **state)
{
    struct world *world = *state;
    for (size_t piece = 1; piece <= 25; piece++) {
        for (int pads = 0; pads < 2; pads++) {
            struct world_call *call = world_begin(world, WORLD_SERVER_STREAM, "hi", NULL);
            world_response(world, 0, world->id, "");
            say_in_pieces(world, world->id, piece, false, pads);
            world_trailers(world, world->id, "grpc-status=0");
            world_talk(world);
            assert_string_equal(call->log, "headers\nmessage 3 one\nmessage 0 \n"
                                           "message 6 three!\nend\ndone OK\n");
        }
    }
}

static void rule_28_bytes_may_come_one_by_one(void **state)
{
    struct world *world = *state;
    world->max_piece = 1;
    world->faults.max_read = 1;
    world->faults.max_write = 3;
    world_serve(world, NULL);
    assert_string_equal(world_ask(world, "", "hello"), WORLD_ECHO("10", "\\x05hello"));
    world->id += 2;
    world_request(world, 0, world->id, ":path=/test.Echo/Chat");
    say_in_pieces(world, world->id, 4, true, true);
    assert_string_equal(world_hear(world),
                        WORLD_HEAD WORLD_DATA("8", "\\x03one") WORLD_DATA("5", "\\x00")
                            WORLD_DATA("11", "\\x06three!") WORLD_OK);
    assert_string_equal(world_ask(world, "", "fail"),
                        WORLD_ONLY("200", "13", "it failed: 100%25 of it, %E2%98%BA"));
}

static void rule_28_bytes_may_come_one_by_one_to_a_client(void **state)
{
    struct world *world = *state;
    world->max_piece = 1;
    world->faults.max_read = 1;
    world->faults.max_write = 3;
    for (int i = 0; i < 2; i++) {
        struct world_call *call = world_begin(world, WORLD_SERVER_STREAM, "hi", NULL);
        assert_non_null(strstr(world->heard, "DATA ID END_STREAM 7 "));
        world_response(world, 0, world->id, "a=b");
        say_in_pieces(world, world->id, 4, false, true);
        world_trailers(world, world->id, "grpc-status=0|c=d");
        world_talk(world);
        assert_string_equal(call->log, "headers a=b\nmessage 3 one\nmessage 0 \n"
                                       "message 6 three!\nend\ndone OK c=d\n");
    }
}

/* --- rule 29 ------------------------------------------------------------------------------------
 */

/* A message of |len| letters on stream |id|, in frames that every peer takes. */
static void say_long(struct world *world, uint8_t end, uint32_t id, size_t len)
{
    enum { FRAME = 16384 };
    uint8_t *bytes = malloc(len + 5);
    assert_non_null(bytes);
    memset(bytes, 'm', len + 5);
    bytes[0] = 0;
    for (int i = 0; i < 4; i++)
        bytes[1 + i] = (uint8_t)(len >> (24 - 8 * i));
    for (size_t at = 0; at < len + 5; at += FRAME) {
        size_t part = len + 5 - at < FRAME ? len + 5 - at : FRAME;
        raw_data(&world->out, at + part == len + 5 ? end : 0, id, bytes + at, part);
    }
    free(bytes);
}

static void rule_29_server_holds_its_limit(void **state)
{
    struct world *world = *state;
    struct pgrpc_server_options options = {.size = sizeof(options), .max_receive_bytes = 1000};
    world_serve(world, &options);
    for (size_t len = 999; len <= 1001; len++) {
        world->id += world->id ? 2 : 1;
        world_request(world, 0, world->id, "");
        say_long(world, RAW_END_STREAM, world->id, len);
        const char *frames = world_hear(world);
        if (len <= 1000)
            assert_non_null(strstr(frames, WORLD_OK));
        else
            assert_string_equal(frames,
                                WORLD_ONLY("200", "8",
                                           "message of 1001 bytes is larger than the limit of "
                                           "1000"));
        world_check(world);
    }
}

static void rule_29_client_holds_its_limit(void **state)
{
    struct world *world = *state;
    struct pgrpc_channel_options options = {.size = sizeof(options), .max_receive_bytes = 1000};
    world_start_client(world, &options);
    for (size_t len = 999; len <= 1001; len++) {
        struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
        world_response(world, 0, world->id, "");
        say_long(world, 0, world->id, len);
        world_trailers(world, world->id, "grpc-status=0");
        const char *frames = world_hear(world);
        if (len <= 1000)
            world_check_done(call, PGRPC_OK, "");
        else
            world_check_done(call, PGRPC_RESOURCE_EXHAUSTED,
                             "message of 1001 bytes is larger than the limit of 1000");
        /* The server had ended its side in the same breath. */
        assert_string_equal(frames, "");
        world_check(world);
    }
}

/* Four bytes of length must not cost memory. */
static void rule_29_the_length_is_checked_before_memory_is_taken(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    world_check(world);
    world->id += 2;
    world_request(world, 0, world->id, "");
    world_talk(world);
    size_t before = world->faulty.count;
    raw_data(&world->out, 0, world->id, "\0\xff\xff\xff\xff", 5);
    assert_string_equal(world_hear(world),
                        WORLD_ONLY("200", "8",
                                   "message of 4294967295 bytes is larger than the limit of "
                                   "4194304") WORLD_STOP);
    assert_true(world->faulty.count - before < 20);
    /* Declared and within the limit, but never sent. */
    world->id += 2;
    world_request(world, 0, world->id, "");
    raw_data(&world->out, 0, world->id, "\0\0\x40\0\0abc", 8);
    assert_string_equal(world_hear(world), "");
    raw_rst(&world->out, world->id, 8);
    assert_string_equal(world_hear(world), "");
    world_check(world);
}

static void rule_29_default_limit_is_4_mib(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    for (size_t i = 0; i < 3; i++) {
        size_t len = 4 * 1024 * 1024 - 1 + i;
        world->id += world->id ? 2 : 1;
        world_request(world, 0, world->id, "");
        /* As much as the window takes: it is opened for the rest. */
        say_long(world, RAW_END_STREAM, world->id, len);
        raw_window_update(&world->out, 0, 8 * 1024 * 1024);
        raw_window_update(&world->out, world->id, 8 * 1024 * 1024);
        if (i == 2) {
            raw_clear(&world->out);
            world_request(world, 0, world->id, "");
            raw_data(&world->out, 0, world->id, "\0\0\x40\0\1", 5);
        }
        world->max_piece = 16384 + 9;
        const char *frames = world_hear(world);
        if (i < 2)
            assert_non_null(strstr(frames, WORLD_OK));
        else
            assert_string_equal(frames,
                                WORLD_ONLY("200", "8",
                                           "message of 4194305 bytes is larger than the limit of "
                                           "4194304") WORLD_STOP);
    }
}

static size_t deflate_zeros(uint8_t *output, size_t size, size_t len)
{
    uLongf output_len = size;
    uint8_t *zeros = calloc(1, len);
    assert_non_null(zeros);
    assert_int_equal(compress2(output, &output_len, zeros, len, 9), Z_OK);
    free(zeros);
    return output_len;
}

static void rule_29_the_limit_counts_inflated_bytes(void **state)
{
    struct world *world = *state;
    struct pgrpc_server_options options = {.size = sizeof(options), .max_receive_bytes = 5000};
    world_serve(world, &options);
    for (size_t len = 4999; len <= 5001; len++) {
        uint8_t bytes[200];
        size_t squeezed = deflate_zeros(bytes, sizeof(bytes), len);
        world->id += world->id ? 2 : 1;
        world_request(world, 0, world->id, "grpc-encoding=deflate");
        world_framed(world, RAW_END_STREAM, world->id, 1, bytes, squeezed);
        const char *frames = world_hear(world);
        if (len <= 5000)
            assert_non_null(strstr(frames, WORLD_OK));
        else
            assert_string_equal(frames, WORLD_ONLY("200", "8",
                                                   "message is larger than the limit of 5000 when "
                                                   "decompressed"));
        world_check(world);
    }
}

static void rule_29_the_limit_counts_inflated_bytes_of_replies(void **state)
{
    struct world *world = *state;
    struct pgrpc_channel_options options = {.size = sizeof(options), .max_receive_bytes = 5000};
    world_start_client(world, &options);
    for (size_t len = 4999; len <= 5001; len++) {
        uint8_t bytes[200];
        size_t squeezed = deflate_zeros(bytes, sizeof(bytes), len);
        struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
        world_response(world, 0, world->id, "grpc-encoding=deflate");
        world_framed(world, 0, world->id, 1, bytes, squeezed);
        world_trailers(world, world->id, "grpc-status=0");
        world_talk(world);
        if (len <= 5000)
            world_check_done(call, PGRPC_OK, "");
        else
            world_check_done(call, PGRPC_RESOURCE_EXHAUSTED,
                             "message is larger than the limit of 5000 when decompressed");
    }
    world_check(world);
}

static void rule_29_what_is_sent_has_a_limit_too(void **state)
{
    struct world *world = *state;
    struct pgrpc_channel_options options = {.size = sizeof(options), .max_send_bytes = 5};
    world_start_client(world, &options);
    static const char *const texts[] = {"1234", "12345", "123456"};
    for (size_t i = 0; i < 3; i++) {
        struct world_call *call = world_begin(world, WORLD_UNARY, texts[i], NULL);
        if (i < 2) {
            assert_false(call->is_done);
            continue;
        }
        assert_string_equal(world->heard, "");
        world_check_done(call, PGRPC_RESOURCE_EXHAUSTED,
                         "the message has 6 bytes, max_send_bytes is 5");
    }
    /* In a stream it ends the call. */
    struct world_call *call = world_begin(world, WORLD_BIDI, NULL, NULL);
    struct pgrpc_bytes five = {"12345", 5}, six = {"123456", 6};
    assert_int_equal(pgrpc_call_send(call->call, &five, 0), PGRPC_IO_DONE);
    assert_int_equal(pgrpc_call_send(call->call, &six, 0), PGRPC_IO_CLOSED);
    world_hear(world);
    assert_non_null(strstr(world->heard, "RST_STREAM ID 8\n"));
    world_check_done(call, PGRPC_RESOURCE_EXHAUSTED,
                     "the message has 6 bytes, max_send_bytes is 5");
    world_check(world);
}

static void rule_29_what_a_server_sends_has_a_limit_too(void **state)
{
    struct world *world = *state;
    struct pgrpc_server_options options = {.size = sizeof(options), .max_send_bytes = 5};
    world_serve(world, &options);
    assert_string_equal(world_ask(world, "", "1234"), WORLD_ECHO("9", "\\x041234"));
    assert_string_equal(world_ask(world, "", "12345"), WORLD_ECHO("10", "\\x0512345"));
    assert_string_equal(world_ask(world, "", "123456"),
                        WORLD_ONLY("200", "8", "the message has 6 bytes, max_send_bytes is 5"));
    assert_string_equal(world_ask(world, ":path=/test.Echo/Pour", "123456"),
                        WORLD_ONLY("200", "8", "the message has 6 bytes, max_send_bytes is 5"));
    assert_string_equal(world_ask(world, "", "12345"), WORLD_ECHO("10", "\\x0512345"));
}

/* --- rule 30 ------------------------------------------------------------------------------------
 */

static void rule_30_server_notices_a_request_cut_short(void **state)
{
    static const char bytes[] = "\0\0\0\0\5hello";
    static const char *const paths[] = {"Say", "Gather", "Chat"};
    struct world *world = *state;
    world_serve(world, NULL);
    for (size_t method = 0; method < COUNT(paths); method++) {
        for (size_t len = 1; len < 10; len++) {
            char changes[40];
            snprintf(changes, sizeof(changes), ":path=/test.Echo/%s", paths[method]);
            world->id += world->id ? 2 : 1;
            world_request(world, 0, world->id, changes);
            raw_data(&world->out, RAW_END_STREAM, world->id, bytes, len);
            assert_string_equal(world_hear(world),
                                WORLD_ONLY("200", "13", "the request ended inside a message"));
        }
    }
    /* The same when trailers end it. */
    world->id += 2;
    world_request(world, 0, world->id, "");
    raw_data(&world->out, 0, world->id, bytes, 7);
    world_trailers(world, world->id, "x=y");
    assert_string_equal(world_hear(world),
                        WORLD_ONLY("200", "13", "the request ended inside a message"));
    world_check(world);
    assert_string_equal(world->log, "say again\n");
}

static void rule_30_client_notices_a_reply_cut_short(void **state)
{
    static const char bytes[] = "\0\0\0\0\5hello";
    struct world *world = *state;
    for (size_t len = 1; len < 10; len++) {
        for (int i = 0; i < 4; i++) {
            bool is_stream = i % 2, has_trailers = i / 2;
            struct world_call *call =
                world_begin(world, is_stream ? WORLD_SERVER_STREAM : WORLD_UNARY, "hi", NULL);
            world_response(world, 0, world->id, "");
            raw_data(&world->out, has_trailers ? 0 : RAW_END_STREAM, world->id, bytes, len);
            if (has_trailers)
                world_trailers(world, world->id, "grpc-status=0");
            world_talk(world);
            world_check_done(call, PGRPC_INTERNAL, "the response ended inside a message");
            assert_string_equal(call->log, "headers\ndone INTERNAL\n");
        }
    }
    world_check(world);
}

static void rule_30_a_status_that_says_why_is_preferred(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 2; i++) {
        struct world_call *call =
            world_begin(world, i ? WORLD_SERVER_STREAM : WORLD_UNARY, "hi", NULL);
        world_response(world, 0, world->id, "");
        raw_data(&world->out, 0, world->id, "\0\0\0\0\5hel", 8);
        world_trailers(world, world->id, "grpc-status=10|grpc-message=gave up");
        world_talk(world);
        world_check_done(call, PGRPC_ABORTED, "gave up");
    }
    world_check(world);
}

static void rule_30_what_came_whole_is_delivered(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_SERVER_STREAM, "hi", NULL);
    world_response(world, 0, world->id, "");
    raw_data(&world->out, RAW_END_STREAM, world->id, "\0\0\0\0\3one\0\0\0", 11);
    world_talk(world);
    assert_string_equal(call->log, "headers\nmessage 3 one\ndone INTERNAL\n");
    world_check(world);
}

/* --- rule 31 ------------------------------------------------------------------------------------
 */

static void rule_31_client_ends_with_the_last_message(void **state)
{
    struct world *world = *state;
    struct pgrpc_bytes one = {"one", 3};
    world_begin(world, WORLD_UNARY, "hi", NULL);
    assert_string_equal(
        world->heard,
        WORLD_REQUEST("/test.Echo/Say") "DATA ID END_STREAM 7 \"\\x00\\x00\\x00\\x00\\x02hi\"\n");
    struct world_call *call = world_begin(world, WORLD_CLIENT_STREAM, NULL, NULL);
    assert_string_equal(world->heard, WORLD_REQUEST("/test.Echo/Gather"));
    assert_int_equal(pgrpc_call_send(call->call, &one, 0), PGRPC_IO_DONE);
    assert_string_equal(world_hear(world), WORLD_DATA("8", "\\x03one"));
    assert_int_equal(pgrpc_call_send(call->call, &one, PGRPC_MESSAGE_LAST), PGRPC_IO_DONE);
    assert_string_equal(world_hear(world),
                        "DATA ID END_STREAM 8 \"\\x00\\x00\\x00\\x00\\x03one\"\n");
}

static void rule_31_client_ends_with_an_empty_frame(void **state)
{
    struct world *world = *state;
    struct pgrpc_bytes one = {"one", 3};
    struct world_call *call = world_begin(world, WORLD_CLIENT_STREAM, NULL, NULL);
    assert_int_equal(pgrpc_call_send(call->call, &one, 0), PGRPC_IO_DONE);
    world_hear(world);
    assert_int_equal(pgrpc_call_close_send(call->call), PGRPC_IO_DONE);
    assert_string_equal(world_hear(world), "DATA ID END_STREAM 0 \"\"\n");
    /* Without any message either. */
    call = world_begin(world, WORLD_BIDI, NULL, NULL);
    assert_int_equal(pgrpc_call_close_send(call->call), PGRPC_IO_DONE);
    assert_string_equal(world_hear(world), "DATA ID END_STREAM 0 \"\"\n");
    /* And at once, when that is known before the head goes out. */
    struct world_call *silent = world_call(world, WORLD_BIDI, NULL, NULL);
    assert_int_equal(pgrpc_call_close_send(silent->call), PGRPC_IO_DONE);
    world->id += 2;
    const char *frames = world_hear(world);
    assert_true(strncmp(frames, "HEADERS ID END_STREAM :method=POST ", 35) == 0 ||
                strstr(frames, "DATA ID END_STREAM 0 \"\"\n"));
    world_answer(world, NULL);
    world_talk(world);
    world_check_done(silent, PGRPC_OK, "");
}

static void rule_31_server_takes_every_kind_of_end(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    for (int kind = 0; kind < 4; kind++) {
        world->id += world->id ? 2 : 1;
        world_request(world, 0, world->id, ":path=/test.Echo/Gather");
        world_message(world, 0, world->id, "a");
        world_message(world, kind == 0 ? RAW_END_STREAM : 0, world->id, "b");
        if (kind == 1)
            raw_data(&world->out, RAW_END_STREAM, world->id, NULL, 0);
        else if (kind == 2)
            raw_data(&world->out, RAW_END_STREAM | RAW_PADDED, world->id, "\3xyz", 4);
        else if (kind == 3)
            world_trailers(world, world->id, "x=y");
        assert_string_equal(world_hear(world), WORLD_ECHO("7", "\\x02"
                                                               "ab"));
    }
    /* No message at all: with the head, with an empty frame. */
    assert_string_equal(world_ask(world, ":path=/test.Echo/Gather", NULL),
                        WORLD_ECHO("5", "\\x00"));
    world->id += 2;
    world_request(world, 0, world->id, ":path=/test.Echo/Gather");
    raw_data(&world->out, RAW_END_STREAM, world->id, NULL, 0);
    assert_string_equal(world_hear(world), WORLD_ECHO("5", "\\x00"));
    assert_string_equal(
        world_ask(world, ":path=/test.Echo/Chat", NULL),
        "HEADERS ID END_STREAM :status=200 content-type=application/grpc " WORLD_ACCEPTS
        " grpc-status=0\n");
    world_check(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(rule_28_server_refuses_other_flags),
        WORLD_TEST(rule_28_client_refuses_other_flags),
        WORLD_TEST(rule_28_server_does_not_care_about_frames),
        WORLD_TEST(rule_28_client_does_not_care_about_frames),
        WORLD_TEST(rule_28_bytes_may_come_one_by_one),
        WORLD_TEST(rule_28_bytes_may_come_one_by_one_to_a_client),
        WORLD_TEST(rule_29_server_holds_its_limit),
        WORLD_TEST(rule_29_client_holds_its_limit),
        WORLD_TEST(rule_29_the_length_is_checked_before_memory_is_taken),
        WORLD_TEST(rule_29_default_limit_is_4_mib),
        WORLD_TEST(rule_29_the_limit_counts_inflated_bytes),
        WORLD_TEST(rule_29_the_limit_counts_inflated_bytes_of_replies),
        WORLD_TEST(rule_29_what_is_sent_has_a_limit_too),
        WORLD_TEST(rule_29_what_a_server_sends_has_a_limit_too),
        WORLD_TEST(rule_30_server_notices_a_request_cut_short),
        WORLD_TEST(rule_30_client_notices_a_reply_cut_short),
        WORLD_TEST(rule_30_a_status_that_says_why_is_preferred),
        WORLD_TEST(rule_30_what_came_whole_is_delivered),
        WORLD_TEST(rule_31_client_ends_with_the_last_message),
        WORLD_TEST(rule_31_client_ends_with_an_empty_frame),
        WORLD_TEST(rule_31_server_takes_every_kind_of_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
