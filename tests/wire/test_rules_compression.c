/* Rules 11 to 18: compressed messages, in both directions. */
#include "../support/phrases.h"

#include <stdio.h>
#include <zlib.h>

#define COUNT(array) (sizeof(array) / sizeof(array[0]))

enum { GZIP = 15 + 16, DEFLATE = 15, BARE_DEFLATE = -15 };

struct squeezed {
    uint8_t data[1024];
    size_t len;
};

static void add_bytes(struct squeezed *squeezed, const void *data, size_t len)
{
    assert_true(len <= sizeof(squeezed->data) - squeezed->len);
    memcpy(squeezed->data + squeezed->len, data, len);
    squeezed->len += len;
}

/* Appends |text| in the format of zlib's |window_bits|. */
static void squeeze(struct squeezed *squeezed, int window_bits, const void *text, size_t len)
{
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY),
                     Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)text;
    stream.avail_in = (unsigned)len;
    stream.next_out = squeezed->data + squeezed->len;
    stream.avail_out = (unsigned)(sizeof(squeezed->data) - squeezed->len);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    squeezed->len = (size_t)(stream.next_out - squeezed->data);
    deflateEnd(&stream);
}

/* A compressed message to our server on a stream of its own; what it answers. */
static const char *ask_squeezed(struct world *world, const char *changes,
                                const struct squeezed *squeezed)
{
    world->id += world->id ? 2 : 1;
    world_request(world, 0, world->id, changes);
    world_framed(world, RAW_END_STREAM, world->id, 1, squeezed->data, squeezed->len);
    return world_hear(world);
}

/* The same as a reply to our client, with status OK. */
static struct world_call *reply_squeezed(struct world *world, const char *changes,
                                         const struct squeezed *squeezed)
{
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
    world_response(world, 0, world->id, changes);
    world_framed(world, 0, world->id, 1, squeezed->data, squeezed->len);
    world_trailers(world, world->id, "grpc-status=0");
    world_talk(world);
    return call;
}

/* --- rule 11 ------------------------------------------------------------------------------------
 */

static void rule_11_server_refuses_the_flag_without_encoding(void **state)
{
    static const char *const changes[] = {"", "grpc-encoding=identity"};
    struct world *world = *state;
    struct squeezed hello = {.len = 0};
    squeeze(&hello, GZIP, "hello", 5);
    world_serve(world, NULL);
    for (size_t i = 0; i < COUNT(changes); i++) {
        assert_string_equal(ask_squeezed(world, changes[i], &hello),
                            WORLD_ONLY("200", "13",
                                       "a message has its Compressed-Flag set, but there was no "
                                       "grpc-encoding"));
        world_check(world);
        assert_string_equal(world_ask(world, changes[i], "hello"), WORLD_ECHO("10", "\\x05hello"));
    }
}

static void rule_11_client_refuses_the_flag_without_encoding(void **state)
{
    static const char *const changes[] = {"", "grpc-encoding=identity"};
    struct world *world = *state;
    struct squeezed hello = {.len = 0};
    squeeze(&hello, GZIP, "hello", 5);
    for (size_t i = 0; i < COUNT(changes); i++) {
        struct world_call *call = reply_squeezed(world, changes[i], &hello);
        world_check_done(call, PGRPC_INTERNAL,
                         "a message has its Compressed-Flag set, but there was no grpc-encoding");
        assert_string_equal(call->log, "headers\ndone INTERNAL\n");
        world_check(world);
    }
}

/* --- rule 12 ------------------------------------------------------------------------------------
 */

#define UNKNOWN_ENCODING "messages compressed like this cannot be read: see grpc-accept-encoding"

static void rule_12_server_refuses_unknown_encodings_and_lists_its_own(void **state)
{
    static const char *const encodings[] = {"br", "snappy", "gzipx", "GZIP", "gzip,identity", ""};
    struct world *world = *state;
    world_serve(world, NULL);
    for (size_t i = 0; i < COUNT(encodings); i++) {
        char changes[40];
        snprintf(changes, sizeof(changes), "grpc-encoding=%s", encodings[i]);
        /* Also when no message is compressed. */
        assert_string_equal(world_ask(world, changes, "hello"),
                            WORLD_ONLY("200", "12", UNKNOWN_ENCODING));
        world_check(world);
    }
    assert_null(strstr(world->log, "say hello"));
}

static void rule_12_streams_are_refused_too(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    world->id = 1;
    world_request(world, 0, 1, ":path=/test.Echo/Chat|grpc-encoding=br");
    assert_string_equal(world_hear(world), WORLD_ONLY("200", "12", UNKNOWN_ENCODING) WORLD_STOP);
    world_check(world);
}

/* --- rule 13 ------------------------------------------------------------------------------------
 */

static void rule_13_client_fails_on_unknown_encodings(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 2; i++) {
        struct world_call *call =
            world_begin(world, i ? WORLD_BIDI : WORLD_UNARY, i ? NULL : "hi", NULL);
        world_response(world, 0, world->id, "grpc-encoding=br");
        world_message(world, 0, world->id, "hello");
        assert_string_equal(world_hear(world), "RST_STREAM ID 8\n");
        world_check_done(call, PGRPC_INTERNAL,
                         "the server compresses with br, which was not offered");
        world_check(world);
    }
}

/* --- rule 14 ------------------------------------------------------------------------------------
 */

static void rule_14_every_encoding_that_is_taken_is_listed(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    assert_string_equal(WORLD_ACCEPTS, "grpc-accept-encoding=identity,deflate,gzip");
    for (int i = 0; i < 2; i++) {
        struct squeezed hello = {.len = 0};
        squeeze(&hello, i ? GZIP : DEFLATE, "hello", 5);
        assert_string_equal(
            ask_squeezed(world, i ? "grpc-encoding=gzip" : "grpc-encoding=deflate", &hello),
            WORLD_ECHO("10", "\\x05hello"));
    }
}

static void rule_14_client_lists_what_it_takes(void **state)
{
    struct world *world = *state;
    for (int i = 0; i < 2; i++) {
        struct squeezed hello = {.len = 0};
        squeeze(&hello, i ? GZIP : DEFLATE, "hello", 5);
        struct world_call *call =
            reply_squeezed(world, i ? "grpc-encoding=gzip" : "grpc-encoding=deflate", &hello);
        assert_non_null(strstr(world->heard, " " WORLD_ACCEPTS "\n"));
        assert_string_equal(call->log, "headers\nmessage 5 hello compressed\nend\ndone OK\n");
    }
}

/* --- rule 15 ------------------------------------------------------------------------------------
 */

#define GZIP_HEAD \
    "HEADERS ID :status=200 content-type=application/grpc grpc-encoding=gzip " WORLD_ACCEPTS "\n"

static void rule_15_server_compresses_only_what_the_client_takes(void **state)
{
    static const struct {
        const char *changes;
        bool compresses;
    } cases[] = {
        {"", false},
        {"grpc-accept-encoding=", false},
        {"grpc-accept-encoding=identity", false},
        {"grpc-accept-encoding=deflate", false},
        {"grpc-accept-encoding=br,gzipx,xgzip", false},
        {"grpc-accept-encoding=gzip", true},
        {"grpc-accept-encoding=identity,gzip", true},
        {"grpc-accept-encoding=br , gzip", true},
        {"grpc-accept-encoding=gzip ,br", true},
        {"grpc-accept-encoding= ,,gzip", true},
        /* What the client says that it takes counts, not what it sends. */
        {"grpc-encoding=gzip|grpc-accept-encoding=identity", false},
        {"grpc-encoding=gzip|grpc-accept-encoding=deflate", false},
        /* Without a list its own choice is the best guess. */
        {"grpc-encoding=gzip", true},
    };
    struct world *world = *state;
    world_serve(world, NULL);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *frames = world_ask(world, cases[i].changes, "gzip");
        if (cases[i].compresses) {
            assert_ptr_equal(strstr(frames, GZIP_HEAD "DATA ID 29 \"\\x01\\x00\\x00\\x00\\x18"),
                             frames);
            assert_non_null(strstr(frames, WORLD_OK));
        } else {
            assert_string_equal(frames, WORLD_ECHO("9", "\\x04gzip"));
        }
    }
}

/* --- rule 16 ------------------------------------------------------------------------------------
 */

static void pour_both(struct pgrpc_call *call, const void *message, const void *handlers,
                      void *userdata)
{
    (void)handlers;
    (void)userdata;
    assert_int_equal(pgrpc_call_set_compression(call, "gzip"), PGRPC_OK);
    pgrpc_call_send(call, message, 0);
    pgrpc_call_send(call, message, PGRPC_MESSAGE_NO_COMPRESS);
    pgrpc_call_send(call, message, 0);
    pgrpc_call_finish(call, PGRPC_OK, NULL);
}

static void rule_16_server_compresses_message_by_message(void **state)
{
    struct world *world = *state;
    world->bindings[WORLD_SERVER_STREAM].invoke = pour_both;
    world_serve(world, NULL);
    const char *frames =
        world_ask(world, ":path=/test.Echo/Pour|grpc-accept-encoding=gzip", "hello");
    /* The three messages, in one DATA frame: 5+25, 5+5, 5+25 bytes. */
    assert_ptr_equal(strstr(frames, GZIP_HEAD "DATA ID 70 \"\\x01\\x00\\x00\\x00\\x19"), frames);
    assert_non_null(strstr(frames, WORLD_OK));
    /* To a client that does not take it, none. */
    assert_string_equal(
        world_ask(world, ":path=/test.Echo/Pour|grpc-accept-encoding=identity", "h"),
        WORLD_HEAD "DATA ID 18 \"\\x00\\x00\\x00\\x00\\x01h\\x00\\x00\\x00\\x00\\x01h"
                   "\\x00\\x00\\x00\\x00\\x01h\"\n" WORLD_OK);
}

static void rule_16_client_compresses_message_by_message(void **state)
{
    struct world *world = *state;
    struct pgrpc_call_options options = {.size = sizeof(options), .compression = "deflate"};
    struct pgrpc_bytes hello = {"hello", 5}, nothing = {"", 0};
    struct world_call *call = world_begin(world, WORLD_BIDI, NULL, &options);
    assert_non_null(strstr(world->heard, " grpc-encoding=deflate "));
    assert_int_equal(pgrpc_call_send(call->call, &hello, PGRPC_MESSAGE_NO_COMPRESS), PGRPC_IO_DONE);
    assert_string_equal(world_hear(world), WORLD_DATA("10", "\\x05hello"));
    assert_int_equal(pgrpc_call_send(call->call, &hello, 0), PGRPC_IO_DONE);
    assert_ptr_equal(strstr(world_hear(world), "DATA ID 18 \"\\x01\\x00\\x00\\x00\\x0d"),
                     world->heard);
    /* An empty message: flag 0, or a whole compressed stream. */
    assert_int_equal(pgrpc_call_send(call->call, &nothing, 0), PGRPC_IO_DONE);
    world_hear(world);
    if (strcmp(world->heard, "DATA ID 5 \"\\x00\\x00\\x00\\x00\\x00\"\n") != 0)
        assert_ptr_equal(strstr(world->heard, "DATA ID 13 \"\\x01\\x00\\x00\\x00\\x08x"),
                         world->heard);
    pgrpc_call_cancel(call->call);
    world_talk(world);
    world_check(world);
}

/* Compressed and plain, empty in both ways; nothing carries over from one to the next. */
static void say_mixture(struct world *world, uint32_t id, uint8_t end)
{
    struct squeezed hello = {.len = 0}, nothing = {.len = 0};
    squeeze(&hello, GZIP, "hello", 5);
    squeeze(&nothing, GZIP, "", 0);
    world_framed(world, 0, id, 1, hello.data, hello.len);
    world_framed(world, 0, id, 0, "plain", 5);
    world_framed(world, 0, id, 1, nothing.data, nothing.len);
    world_framed(world, 0, id, 0, "", 0);
    world_framed(world, 0, id, 1, "", 0);
    world_framed(world, end, id, 1, hello.data, hello.len);
}

static void rule_16_server_takes_a_mixture(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    for (size_t piece = 0; piece < 3; piece++) {
        world->max_piece = piece;
        world->id += world->id ? 2 : 1;
        world_request(world, 0, world->id, ":path=/test.Echo/Gather|grpc-encoding=gzip");
        say_mixture(world, world->id, RAW_END_STREAM);
        assert_string_equal(world_hear(world), WORLD_ECHO("20", "\\x0fhelloplainhello"));
    }
}

static void rule_16_client_takes_a_mixture(void **state)
{
    struct world *world = *state;
    for (size_t piece = 0; piece < 3; piece++) {
        struct world_call *call = world_begin(world, WORLD_SERVER_STREAM, "hi", NULL);
        world->max_piece = piece;
        world_response(world, 0, world->id, "grpc-encoding=gzip");
        say_mixture(world, world->id, 0);
        world_trailers(world, world->id, "grpc-status=0");
        world_talk(world);
        assert_string_equal(call->log, "headers\nmessage 5 hello compressed\nmessage 5 plain\n"
                                       "message 0  compressed\nmessage 0 \nmessage 0  compressed\n"
                                       "message 5 hello compressed\nend\ndone OK\n");
    }
}

/* --- rule 17 ------------------------------------------------------------------------------------
 */

/* Bodies of one message, and whether they are good. */
struct body {
    const char *name;
    const char *encoding;
    struct squeezed squeezed;
    bool is_good;
};

static size_t make_bodies(struct body bodies[], size_t max)
{
    static const struct body kinds[] = {
        {"gzip", "gzip", {.len = 0}, true},
        {"deflate in zlib's format", "deflate", {.len = 0}, true},
        {"two gzip members", "gzip", {.len = 0}, true},
        {"deflate without zlib's head", "deflate", {.len = 0}, false},
        {"gzip as deflate", "deflate", {.len = 0}, false},
        {"deflate as gzip", "gzip", {.len = 0}, false},
        {"garbage after gzip", "gzip", {.len = 0}, false},
        {"garbage after deflate", "deflate", {.len = 0}, false},
        {"half a second member", "gzip", {.len = 0}, false},
    };
    static const int formats[] = {GZIP,    DEFLATE, GZIP,    BARE_DEFLATE, GZIP,
                                  DEFLATE, GZIP,    DEFLATE, GZIP};
    assert_true(COUNT(kinds) <= max);
    for (size_t i = 0; i < COUNT(kinds); i++) {
        bodies[i] = kinds[i];
        if (i == 2) {
            squeeze(&bodies[i].squeezed, GZIP, "he", 2);
            squeeze(&bodies[i].squeezed, GZIP, "llo", 3);
        } else {
            squeeze(&bodies[i].squeezed, formats[i], "hello", 5);
        }
        if (strncmp(kinds[i].name, "garbage", 7) == 0)
            add_bytes(&bodies[i].squeezed, "x", 1);
        if (i == 8)
            add_bytes(&bodies[i].squeezed, bodies[i].squeezed.data, 12);
    }
    return COUNT(kinds);
}

static void rule_17_server_reads_gzip_and_zlib(void **state)
{
    struct world *world = *state;
    struct body bodies[16];
    size_t count = make_bodies(bodies, COUNT(bodies));
    world_serve(world, NULL);
    for (size_t i = 0; i < count; i++) {
        char changes[40];
        snprintf(changes, sizeof(changes), "grpc-encoding=%s", bodies[i].encoding);
        const char *frames = ask_squeezed(world, changes, &bodies[i].squeezed);
        if (bodies[i].is_good)
            assert_string_equal(frames, WORLD_ECHO("10", "\\x05hello"));
        else
            assert_non_null(strstr(frames, "HEADERS ID END_STREAM :status=200 "));
        assert_true(bodies[i].is_good || strstr(frames, " grpc-status=13 grpc-message="));
        world_check(world);
    }
}

static void rule_17_client_reads_gzip_and_zlib(void **state)
{
    struct world *world = *state;
    struct body bodies[16];
    size_t count = make_bodies(bodies, COUNT(bodies));
    for (size_t i = 0; i < count; i++) {
        char changes[40];
        snprintf(changes, sizeof(changes), "grpc-encoding=%s", bodies[i].encoding);
        struct world_call *call = reply_squeezed(world, changes, &bodies[i].squeezed);
        if (bodies[i].is_good)
            assert_string_equal(call->log, "headers\nmessage 5 hello compressed\nend\ndone OK\n");
        else
            assert_string_equal(call->log, "headers\ndone INTERNAL\n");
        world_check(world);
    }
}

/* --- rule 18 ------------------------------------------------------------------------------------
 */

static void rule_18_server_fails_calls_that_do_not_decompress(void **state)
{
    struct world *world = *state;
    struct squeezed good = {.len = 0};
    squeeze(&good, GZIP, "hello", 5);
    world_serve(world, NULL);
    for (size_t len = 0; len < good.len; len++) {
        struct squeezed bad = good;
        bad.len = len;
        const char *frames = ask_squeezed(world, "grpc-encoding=gzip", &bad);
        if (len == 0)
            assert_string_equal(frames, WORLD_ECHO("5", "\\x00"));
        else
            assert_non_null(strstr(frames, " grpc-status=13 grpc-message=gzip message is "));
    }
    struct squeezed wrong = good;
    wrong.data[wrong.len - 6] ^= 1; /* its checksum */
    assert_string_equal(ask_squeezed(world, "grpc-encoding=gzip", &wrong),
                        WORLD_ONLY("200", "13", "gzip message is malformed: incorrect data check"));
    world_check(world);
    assert_null(strstr(world->log, "say hello"));
}

static void rule_18_server_stream_ends_at_the_bad_message(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    world->id = 1;
    world_request(world, 0, 1, ":path=/test.Echo/Chat|grpc-encoding=gzip");
    world_framed(world, 0, 1, 0, "good", 4);
    assert_string_equal(world_hear(world), WORLD_HEAD WORLD_DATA("9", "\\x04good"));
    world_framed(world, 0, 1, 1, "rubbish", 7);
    assert_string_equal(world_hear(world),
                        "HEADERS ID END_STREAM grpc-status=13 grpc-message=gzip message is "
                        "malformed: incorrect header check\n" WORLD_STOP);
    world_check(world);
}

static void rule_18_client_fails_calls_that_do_not_decompress(void **state)
{
    struct world *world = *state;
    struct squeezed good = {.len = 0};
    squeeze(&good, DEFLATE, "hello", 5);
    for (size_t len = 1; len < good.len; len++) {
        struct squeezed bad = good;
        bad.len = len;
        struct world_call *call = reply_squeezed(world, "grpc-encoding=deflate", &bad);
        world_check_done(call, PGRPC_INTERNAL, "deflate message is truncated");
        assert_string_equal(call->log, "headers\ndone INTERNAL\n");
    }
    world_check(world);
}

static void rule_18_client_stream_keeps_what_came_before(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_SERVER_STREAM, "hi", NULL);
    world_response(world, 0, world->id, "grpc-encoding=gzip");
    world_framed(world, 0, world->id, 0, "good", 4);
    world_framed(world, 0, world->id, 1, "rubbish", 7);
    world_framed(world, 0, world->id, 0, "too late", 8);
    assert_string_equal(world_hear(world), "RST_STREAM ID 8\n");
    assert_string_equal(call->log, "headers\nmessage 4 good\ndone INTERNAL\n");
    assert_string_equal(call->message, "gzip message is malformed: incorrect header check");
    world_check(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(rule_11_server_refuses_the_flag_without_encoding),
        WORLD_TEST(rule_11_client_refuses_the_flag_without_encoding),
        WORLD_TEST(rule_12_server_refuses_unknown_encodings_and_lists_its_own),
        WORLD_TEST(rule_12_streams_are_refused_too),
        WORLD_TEST(rule_13_client_fails_on_unknown_encodings),
        WORLD_TEST(rule_14_every_encoding_that_is_taken_is_listed),
        WORLD_TEST(rule_14_client_lists_what_it_takes),
        WORLD_TEST(rule_15_server_compresses_only_what_the_client_takes),
        WORLD_TEST(rule_16_server_compresses_message_by_message),
        WORLD_TEST(rule_16_client_compresses_message_by_message),
        WORLD_TEST(rule_16_server_takes_a_mixture),
        WORLD_TEST(rule_16_client_takes_a_mixture),
        WORLD_TEST(rule_17_server_reads_gzip_and_zlib),
        WORLD_TEST(rule_17_client_reads_gzip_and_zlib),
        WORLD_TEST(rule_18_server_fails_calls_that_do_not_decompress),
        WORLD_TEST(rule_18_server_stream_ends_at_the_bad_message),
        WORLD_TEST(rule_18_client_fails_calls_that_do_not_decompress),
        WORLD_TEST(rule_18_client_stream_keeps_what_came_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
