/*
 * The framing suite that the grpc project runs against servers (its tools/http2_interop), against
 * ours: what a client may get wrong before its first call, byte for byte.  Cases have the numbers
 * of interop/README.md; those about TLS are in tests/e2e/test_framing_tls.c.  Below them, what
 * h2spec 2.6 checks and 2.2.1, which is the version to be had, does not.
 */
#include <stdio.h>

#include "../support/phrases.h"

enum { MAGIC_LEN = 24, HANDSHAKE_MS = 10 * 1000 };
enum { PROTOCOL_ERROR = 1, FRAME_SIZE_ERROR = 6, COMPRESSION_ERROR = 9 };

/* The server has closed the connection; what it said before has been read. */
static bool is_over(const struct world *world)
{
    char byte;
    return world->peer->ops->read(world->peer, &byte, 1) == 0;
}

/* What is in world->out makes the server say GOAWAY with |code| and close. */
static void expect_goaway(struct world *world, unsigned code)
{
    const char *goaway = strstr(world_talk(world), "GOAWAY ");
    unsigned last, said = 0;
    assert_non_null(goaway);
    assert_int_equal(sscanf(goaway, "GOAWAY last=%u code=%u ", &last, &said), 2);
    assert_int_equal(said, code);
    assert_true(is_over(world));
}

/* Another connection, and the client's 24 bytes. */
static void start_over(struct world *world)
{
    world_reconnect(world);
    raw_magic(&world->out);
}

/* --- the preface ------------------------------------------------------------------------------ */

static void case_48_a_short_preface_is_not_waited_for(void **state)
{
    struct world *world = *state;
    struct raw magic = {0};
    raw_magic(&magic);
    world_start_server(world, NULL);
    for (size_t len = 0; len <= MAGIC_LEN; len++) {
        world_reconnect(world);
        raw_bytes(&world->out, magic.data, len);
        world_talk(world);
        assert_false(is_over(world));
        world_sleep(world, HANDSHAKE_MS - 1);
        world_talk(world);
        assert_false(is_over(world));
        world_sleep(world, 1);
        world_talk(world);
        assert_true(is_over(world));
    }
    raw_clear(&magic);
}

static void case_48_a_garbled_preface_ends_the_connection(void **state)
{
    struct world *world = *state;
    world_start_server(world, NULL);
    for (size_t wrong = 0; wrong < MAGIC_LEN; wrong++) {
        start_over(world);
        world->out.data[wrong] ^= 0x20;
        world->out.len = wrong + 1; /* that one is enough */
        expect_goaway(world, PROTOCOL_ERROR);
    }
}

/* --- SETTINGS --------------------------------------------------------------------------------- */

static void case_49_settings_of_a_stream_end_the_connection(void **state)
{
    struct world *world = *state;
    world_start_server(world, NULL);
    start_over(world);
    raw_frame(&world->out, RAW_SETTINGS, 0, 1, NULL, 0);
    expect_goaway(world, PROTOCOL_ERROR);
}

static void case_49_another_frame_before_settings_ends_the_connection(void **state)
{
    struct world *world = *state;
    world_start_server(world, NULL);
    start_over(world);
    raw_ping(&world->out, 0, "too soon");
    expect_goaway(world, PROTOCOL_ERROR);
    start_over(world);
    raw_settings_ack(&world->out);
    expect_goaway(world, PROTOCOL_ERROR);
}

static void case_51_short_settings_end_the_connection(void **state)
{
    struct world *world = *state;
    world_start_server(world, NULL);
    for (size_t len = 1; len < 12; len++) {
        if (len == 6)
            continue;
        start_over(world);
        raw_frame(&world->out, RAW_SETTINGS, 0, 0, "\0\3\0\0\0\7\0\3\0\0\0\7", len);
        expect_goaway(world, FRAME_SIZE_ERROR);
    }
}

static void case_52_a_frame_size_out_of_range_ends_the_connection(void **state)
{
    struct world *world = *state;
    static const unsigned bad[] = {0, 16383, 16777216, 0xffffffff}, good[] = {16384, 16777215};
    world_start_server(world, NULL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        start_over(world);
        raw_settings(&world->out, 5, bad[i], 0);
        expect_goaway(world, PROTOCOL_ERROR);
    }
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        start_over(world);
        raw_settings(&world->out, 5, good[i], 0);
        raw_settings_ack(&world->out);
        world_talk(world);
        world_check(world);
    }
}

static void case_53_every_settings_frame_is_acknowledged(void **state)
{
    struct world *world = *state;
    world_start_server(world, NULL);
    start_over(world);
    raw_settings(&world->out, 0);
    assert_non_null(strstr(world_talk(world), "SETTINGS ACK\n"));
    raw_settings_ack(&world->out);
    for (int i = 0; i < 3; i++)
        raw_settings(&world->out, 3, 100 + i, 0);
    assert_string_equal(world_talk(world), "SETTINGS ACK\nSETTINGS ACK\nSETTINGS ACK\n");
    world_check(world);
    /* But an acknowledgement has nothing to say. */
    raw_frame(&world->out, RAW_SETTINGS, RAW_ACK, 0, "\0\3\0\0\0\7", 6);
    expect_goaway(world, FRAME_SIZE_ERROR);
}

/* --- frames that nobody knows ----------------------------------------------------------------- */

static void case_50_unknown_frames_are_ignored(void **state)
{
    struct world *world = *state;
    world_start_server(world, NULL);
    start_over(world);
    raw_settings(&world->out, 0);
    raw_settings_ack(&world->out);
    for (unsigned type = 10; type < 256; type++)
        raw_frame(&world->out, (uint8_t)type, 0xff, type % 2, "unknown", type % 8);
    world_talk(world);
    assert_false(is_over(world));
    world_check(world);
}

static void case_50_but_not_inside_a_header_block(void **state)
{
    struct world *world = *state;
    world_start_server(world, NULL);
    start_over(world);
    raw_settings(&world->out, 0);
    raw_frame(&world->out, RAW_HEADERS, 0, 1, "\x83", 1);
    raw_frame(&world->out, 0xfa, 0, 1, NULL, 0);
    expect_goaway(world, PROTOCOL_ERROR);
}

/* --- h2spec ----------------------------------------------------------------------------------- */

/* A request whose header block ends with |rest| is a connection error of HPACK. */
static void expect_bad_block(struct world *world, const char *rest, size_t len)
{
    struct raw block = {0};
    start_over(world);
    raw_settings(&world->out, 0);
    raw_block(&block, RAW_REQUEST_FIELDS);
    raw_bytes(&block, rest, len);
    raw_frame(&world->out, RAW_HEADERS, RAW_END_STREAM | RAW_END_HEADERS, 1, block.data, block.len);
    raw_clear(&block);
    expect_goaway(world, COMPRESSION_ERROR);
}

static void hpack_indexes_that_no_table_has_end_the_connection(void **state)
{
    struct world *world = *state;
    world_start_server(world, NULL);
    expect_bad_block(world, "\xc6", 1);         /* a field: index 70 */
    expect_bad_block(world, "\x80", 1);         /* index 0 */
    expect_bad_block(world, "\x7f\x07\x00", 3); /* a literal whose name is index 70 */
}

static void hpack_strings_with_eos_end_the_connection(void **state)
{
    struct world *world = *state;
    world_start_server(world, NULL);
    /* x: the 30 bits of EOS, and padding */
    expect_bad_block(world, "\x00\x01x\x84\xff\xff\xff\xff", 8);
    /* Padding of a whole byte, and padding of zeros. */
    expect_bad_block(world, "\x00\x01x\x82\x1f\xff", 6);
    expect_bad_block(world, "\x00\x01x\x81\x18", 5);
}

static void pings_of_another_size_end_the_connection(void **state)
{
    struct world *world = *state;
    world_start_server(world, NULL);
    for (size_t len = 0; len < 17; len++) {
        if (len == 8)
            continue;
        start_over(world);
        raw_settings(&world->out, 0);
        raw_frame(&world->out, RAW_PING, 0, 0, "0123456789abcdef", len);
        expect_goaway(world, FRAME_SIZE_ERROR);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(case_48_a_short_preface_is_not_waited_for),
        WORLD_TEST(case_48_a_garbled_preface_ends_the_connection),
        WORLD_TEST(case_49_settings_of_a_stream_end_the_connection),
        WORLD_TEST(case_49_another_frame_before_settings_ends_the_connection),
        WORLD_TEST(case_50_unknown_frames_are_ignored),
        WORLD_TEST(case_50_but_not_inside_a_header_block),
        WORLD_TEST(case_51_short_settings_end_the_connection),
        WORLD_TEST(case_52_a_frame_size_out_of_range_ends_the_connection),
        WORLD_TEST(case_53_every_settings_frame_is_acknowledged),
        WORLD_TEST(hpack_indexes_that_no_table_has_end_the_connection),
        WORLD_TEST(hpack_strings_with_eos_end_the_connection),
        WORLD_TEST(pings_of_another_size_end_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
