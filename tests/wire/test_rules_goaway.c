/* Rules 52 and 53: connections that leave, and calls that are tried again. */
#include "../support/engine_ids.h"
#include "../support/phrases.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/channel.h"

#define COUNT(array) (sizeof(array) / sizeof(array[0]))

#define HI_SAY \
    WORLD_REQUEST("/test.Echo/Say") "DATA ID END_STREAM 7 \"\\x00\\x00\\x00\\x00\\x02hi\"\n"

/* Greets on a connection that our client has just made; its frames on stream |id|. */
static const char *greet_again(struct world *world, uint32_t id)
{
    world_greet_client(world);
    world->id = id;
    return world_hear(world);
}

/* --- rule 52, client ----------------------------------------------------------------------------
 */

static void rule_52_streams_above_the_id_are_tried_elsewhere(void **state)
{
    struct world *world = *state;
    struct world_call *one = world_begin(world, WORLD_UNARY, "hi", NULL);
    struct world_call *three = world_begin(world, WORLD_UNARY, "hi", NULL);
    struct world_call *five = world_begin(world, WORLD_UNARY, "hi", NULL);
    raw_goaway(&world->out, 3, 0, "moving");
    world_talk(world);
    assert_int_equal(world->connection_count, 2);
    /* The one above went to another connection ... */
    assert_string_equal(greet_again(world, 1), HI_SAY);
    world_answer(world, "five");
    world_talk(world);
    assert_string_equal(five->log, "headers\nmessage 4 five\nend\ndone OK\n");
    /* ... the ones below go on where they are. */
    assert_false(one->is_done || three->is_done);
    world_swap(world);
    world->id = 3;
    world_answer(world, "three");
    world->id = 1;
    world_answer(world, "one");
    world_talk(world);
    assert_string_equal(one->log, "headers\nmessage 3 one\nend\ndone OK\n");
    assert_string_equal(three->log, "headers\nmessage 5 three\nend\ndone OK\n");
    world_swap(world);
    world->id = 3;
    world_check(world);
}

static void rule_52_new_calls_go_to_a_new_connection(void **state)
{
    struct world *world = *state;
    struct world_call *old = world_begin(world, WORLD_BIDI, NULL, NULL);
    raw_goaway(&world->out, 1, 0, "");
    world_talk(world);
    assert_int_equal(world->connection_count, 1); /* nobody needs another one yet */
    struct world_call *new = world_begin(world, WORLD_UNARY, "hi", NULL);
    assert_int_equal(world->connection_count, 2);
    assert_string_equal(world->heard, HI_SAY);
    world_answer(world, "new");
    world_talk(world);
    world_check_done(new, PGRPC_OK, "");
    /* The old one still talks both ways. */
    struct pgrpc_bytes bytes = {"more", 4};
    assert_int_equal(pgrpc_call_send(old->call, &bytes, 0), PGRPC_IO_DONE);
    world_swap(world);
    world->id = 1;
    assert_string_equal(world_hear(world), WORLD_DATA("9", "\\x04more"));
    world_answer(world, "old");
    world_talk(world);
    assert_string_equal(old->log, "headers\nmessage 3 old\nend\ndone OK\n");
    /* With its last stream it is closed from our side. */
    uint8_t byte;
    assert_int_equal(pgrpc__loop_take_lock(world->loop), 0);
    assert_int_equal(world->peer->ops->read(world->peer, &byte, 1), 0);
    pgrpc__loop_leave_lock(world->loop);
    world_swap(world);
    world_check(world);
}

static void rule_52_a_notice_comes_before_the_real_id(void **state)
{
    struct world *world = *state;
    struct world_call *one = world_begin(world, WORLD_UNARY, "hi", NULL);
    struct world_call *three = world_begin(world, WORLD_UNARY, "hi", NULL);
    raw_goaway(&world->out, 0x7fffffff, 0, "");
    raw_ping(&world->out, 0, "drainers");
    assert_string_equal(world_talk(world), "PING ACK drainers\n");
    assert_false(one->is_done || three->is_done);
    struct world_call *next = world_begin(world, WORLD_UNARY, "hi", NULL);
    assert_int_equal(world->connection_count, 2);
    world_swap(world);
    raw_goaway(&world->out, 1, 0, "");
    world->id = 1;
    world_answer(world, "one");
    world_talk(world);
    world_check_done(one, PGRPC_OK, "");
    world_swap(world);
    /* The one that was not processed is behind |next| on the new connection. */
    world->id = 3;
    assert_string_equal(world_hear(world), HI_SAY);
    world_answer(world, "three");
    world->id = 1;
    world_answer(world, "next");
    world_talk(world);
    assert_string_equal(three->log, "headers\nmessage 5 three\nend\ndone OK\n");
    assert_string_equal(next->log, "headers\nmessage 4 next\nend\ndone OK\n");
}

static void rule_52_a_later_goaway_may_not_raise_the_id(void **state)
{
    struct world *world = *state;
    struct world_call *one = world_begin(world, WORLD_UNARY, "hi", NULL);
    world_begin(world, WORLD_UNARY, "hi", NULL);
    raw_goaway(&world->out, 1, 0, "");
    raw_goaway(&world->out, 3, 0, "");
    world_talk(world);
    assert_true(one->is_done);
    assert_int_equal(one->code, PGRPC_UNAVAILABLE);
    assert_non_null(strstr(one->message, "the server broke the HTTP/2 protocol"));
}

static void rule_52_an_error_code_is_shown_when_the_connection_ends(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_BIDI, NULL, NULL);
    raw_goaway(&world->out, 1, 11, "too much\n\x01");
    world_talk(world);
    assert_false(call->is_done);
    world_hang_up(world);
    world_check_done(call, PGRPC_UNAVAILABLE,
                     "the server closed the connection: code 11, too much??");
}

static void rule_52_goaway_of_a_connection_that_was_never_used(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
    raw_goaway(&world->out, 0, 0, "");
    world_talk(world);
    assert_int_equal(world->connection_count, 2);
    assert_string_equal(greet_again(world, 1), HI_SAY);
    world_answer(world, "yes");
    world_talk(world);
    world_check_done(call, PGRPC_OK, "");
}

/* --- rule 52, server ----------------------------------------------------------------------------
 */

static void rule_52_server_leaves_in_two_steps(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    assert_string_equal(world_ask(world, "", "silent"), "");
    pgrpc_server_shutdown(world->server, 60000);
    assert_string_equal(world_talk(world), "GOAWAY last=2147483647 code=0 \"\"\nPING draining\n");
    /* What was on its way when the client heard of it is served. */
    assert_string_equal(world_ask(world, "", "hello"), WORLD_ECHO("10", "\\x05hello"));
    raw_ping(&world->out, RAW_ACK, "draining");
    assert_string_equal(world_talk(world), "GOAWAY last=3 code=0 \"the server shuts down\"\n");
    /* Then nothing is. */
    assert_string_equal(world_ask(world, "", "hello"), "");
    assert_false(pgrpc_server_is_stopped(world->server));
    raw_rst(&world->out, 1, 8);
    world_talk(world);
    world_hang_up(world);
    assert_true(pgrpc_server_is_stopped(world->server));
    assert_string_equal(world->log, "say silent\nsay hello\nserver done CANCELLED cancelled=1\n");
}

static void rule_52_server_does_not_wait_for_ever_for_the_client(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    assert_string_equal(world_ask(world, "", "silent"), "");
    pgrpc_server_shutdown(world->server, 60000);
    assert_string_equal(world_talk(world), "GOAWAY last=2147483647 code=0 \"\"\nPING draining\n");
    world_sleep(world, 4999);
    assert_string_equal(world_talk(world), "");
    world_sleep(world, 1);
    assert_string_equal(world_talk(world), "GOAWAY last=1 code=0 \"the server shuts down\"\n");
}

static void rule_52_server_ends_what_outlasts_its_grace(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    assert_string_equal(world_ask(world, "", "silent"), "");
    pgrpc_server_shutdown(world->server, 10000);
    world_talk(world);
    raw_ping(&world->out, RAW_ACK, "draining");
    world_talk(world);
    world_sleep(world, 9999);
    assert_string_equal(world_hear(world), "");
    world_sleep(world, 1);
    assert_ptr_equal(strstr(world_hear(world), WORLD_ONLY("200", "14", "the server shuts down")),
                     world->heard);
    world_hang_up(world);
    assert_true(pgrpc_server_is_stopped(world->server));
}

static void rule_52_an_idle_server_stops_at_once(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    world_check(world);
    pgrpc_server_shutdown(world->server, 60000);
    world_talk(world);
    raw_ping(&world->out, RAW_ACK, "draining");
    assert_string_equal(world_talk(world), "GOAWAY last=1 code=0 \"the server shuts down\"\n");
    world_hang_up(world);
    assert_true(pgrpc_server_is_stopped(world->server));
}

/* --- rule 53 ------------------------------------------------------------------------------------
 */

static void rule_53_a_refused_stream_is_tried_once_more(void **state)
{
    struct world *world = *state;
    struct pgrpc_metadatum entry = {"k", "v", 1};
    struct pgrpc_call_options options = {
        .size = sizeof(options), .timeout_ms = 5000, .metadata = &entry, .metadata_count = 1};
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", &options);
    char first[1000];
    snprintf(first, sizeof(first), "%.999s", world->heard);
    world->now_ms += 1500;
    raw_rst(&world->out, 1, 7);
    world->id = 3;
    world_hear(world);
    /* The same once more, but for the time that is left. */
    char *timeout = strstr(first, "grpc-timeout=5000m");
    assert_non_null(timeout);
    memcpy(timeout, "grpc-timeout=3500m", 18);
    assert_string_equal(world->heard, first);
    assert_int_equal(world->connection_count, 1);
    world_answer(world, "yes");
    world_talk(world);
    assert_string_equal(call->log, "headers\nmessage 3 yes\nend\ndone OK\n");
}

static void rule_53_but_not_twice(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
    raw_rst(&world->out, 1, 7);
    world_talk(world);
    raw_rst(&world->out, 3, 7);
    assert_string_equal(world_talk_streams(world), "");
    world_check_done(call, PGRPC_UNAVAILABLE, "the server refused the stream");
    world->id = 3;
    world_check(world);
}

static void rule_53_goaway_and_refusal_count_together(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
    raw_goaway(&world->out, 0, 0, "");
    world_talk(world);
    assert_string_equal(greet_again(world, 1), HI_SAY);
    raw_rst(&world->out, 1, 7);
    world_talk(world);
    world_check_done(call, PGRPC_UNAVAILABLE, "the server refused the stream");
}

static void rule_53_everything_sent_is_sent_again(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_BIDI, NULL, NULL);
    struct pgrpc_bytes one = {"one", 3}, two = {"two", 3}, three = {"three", 5};
    pgrpc_call_send(call->call, &one, 0);
    world_hear(world);
    pgrpc_call_send(call->call, &two, 0);
    world_hear(world);
    raw_rst(&world->out, world->id, 7);
    world->id = 3;
    assert_string_equal(world_hear(world),
                        WORLD_REQUEST("/test.Echo/Chat") "DATA ID 16 \"\\x00\\x00\\x00\\x00\\x03one"
                                                         "\\x00\\x00\\x00\\x00\\x03two\"\n");
    pgrpc_call_send(call->call, &three, PGRPC_MESSAGE_LAST);
    assert_string_equal(world_hear(world),
                        "DATA ID END_STREAM 10 \"\\x00\\x00\\x00\\x00\\x05three\"\n");
    world_answer(world, "yes");
    world_talk(world);
    assert_string_equal(call->log, "headers\nmessage 3 yes\nend\ndone OK\n");
}

/* A retry starts at the first message although half of one was on its way. */
static void rule_53_a_message_that_was_cut_starts_over(void **state)
{
    struct world *world = *state;
    struct pgrpc_bytes large = {calloc(1, 70000), 70000};
    assert_non_null(large.data);
    struct world_call *call = world_begin(world, WORLD_CLIENT_STREAM, NULL, NULL);
    pgrpc_call_send(call->call, &large, PGRPC_MESSAGE_LAST);
    free((void *)(uintptr_t)large.data);
    world_hear(world);
    assert_int_equal(pgrpc_call_queued_bytes(call->call), 70005 - 65535);
    raw_rst(&world->out, world->id, 7);
    raw_window_update(&world->out, 0, 200000);
    world->id = 3;
    assert_non_null(strstr(world_hear(world), "DATA ID 16384 \"\\x00\\x00\\x01\\x11p\\x00"));
    assert_int_equal(pgrpc_call_queued_bytes(call->call), 70005 - 65535);
    raw_window_update(&world->out, 3, 200000);
    assert_string_equal(world_hear(world) + strlen(world->heard) - 2, "\"\n");
    assert_non_null(strstr(world->heard, "DATA ID END_STREAM "));
    world_answer(world, "yes");
    world_talk(world);
    world_check_done(call, PGRPC_OK, "");
}

static void rule_53_what_was_answered_is_not_tried_again(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
    world_response(world, 0, world->id, "");
    raw_rst(&world->out, world->id, 7);
    assert_string_equal(world_hear(world), "");
    world_check_done(call, PGRPC_UNAVAILABLE, "the server refused the stream");
    /* A status alone is an answer, whatever its code. */
    call = world_begin(world, WORLD_UNARY, "hi", NULL);
    world_response(world, RAW_END_STREAM, world->id, "grpc-status=14|grpc-message=not today");
    assert_string_equal(world_hear(world), "");
    world_check_done(call, PGRPC_UNAVAILABLE, "not today");
    /* Other resets say nothing about whether it was processed. */
    call = world_begin(world, WORLD_UNARY, "hi", NULL);
    raw_rst(&world->out, world->id, 2);
    assert_string_equal(world_hear(world), "");
    world_check_done(call, PGRPC_INTERNAL, "the server reset the stream: INTERNAL_ERROR (2)");
}

/* What is kept for another attempt has a limit. */
static void rule_53_a_call_that_sent_too_much_is_not_tried_again(void **state)
{
    enum { KEPT = 256 * 1024 };
    struct world *world = *state;
    struct pgrpc_channel_options options = {.size = sizeof(options),
                                            .send_high_water_bytes = 1024 * 1024};
    struct pgrpc_bytes bytes = {calloc(1, KEPT), 0};
    assert_non_null(bytes.data);
    world_start_client(world, &options);
    for (int i = 0; i < 2; i++) {
        bytes.len = KEPT - 5 - 1 + (size_t)i * 2;
        struct world_call *call = world_begin(world, WORLD_BIDI, NULL, NULL);
        uint32_t id = world->id;
        raw_window_update(&world->out, 0, KEPT);
        raw_window_update(&world->out, id, KEPT);
        world_talk(world);
        assert_int_equal(pgrpc_call_send(call->call, &bytes, 0), PGRPC_IO_DONE);
        world_hear(world);
        assert_int_equal(pgrpc_call_queued_bytes(call->call), 0);
        raw_rst(&world->out, id, 7);
        raw_window_update(&world->out, 0, 2 * KEPT);
        const char *frames = world_hear(world);
        assert_int_equal(call->is_done, i == 1);
        if (i == 1)
            world_check_done(call, PGRPC_UNAVAILABLE, "the server refused the stream");
        else
            assert_non_null(strstr(frames, "HEADERS "));
    }
    free((void *)(uintptr_t)bytes.data);
}

/* Calls that never left are tried as often as it takes. */
static void rule_53_what_never_left_is_tried_without_limit(void **state)
{
    struct world *world = *state;
    world_begin(world, WORLD_UNARY, "hi", NULL);
    world_answer(world, "yes");
    world_talk(world);
    struct world_call *call = world_call(world, WORLD_UNARY, "hi", NULL);
    for (unsigned round = 2; round < 8; round++) {
        /* The connection ends before the loop has turned. */
        assert_int_equal(pgrpc__loop_take_lock(world->loop), 0);
        world->peer->ops->free(world->peer);
        pgrpc__loop_leave_lock(world->loop);
        world->peer = NULL;
        raw_reader_free(world->reader);
        world->reader = NULL;
        world_run(world);
        world_sleep(world, 3000);
        assert_false(call->is_done);
        assert_int_equal(world->connection_count, round);
        if (round < 7) {
            /* SETTINGS come and the end behind them, before our client can write. */
            assert_string_equal(world_talk_streams(world), "MAGIC\n");
            world_greet_client(world);
            struct iovec vector = {world->out.data, world->out.len};
            assert_int_equal(pgrpc__loop_take_lock(world->loop), 0);
            world->peer->ops->writev(world->peer, &vector, 1);
            pgrpc__loop_leave_lock(world->loop);
            raw_clear(&world->out);
        }
    }
    world_talk(world);
    assert_string_equal(greet_again(world, 1), HI_SAY);
    world_answer(world, "at last");
    world_talk(world);
    assert_string_equal(call->log, "headers\nmessage 7 at last\nend\ndone OK\n");
}

/* Bytes that were written may have been processed. */
static void rule_53_what_left_is_not_tried_when_the_connection_is_lost(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
    world_hang_up(world);
    world_check_done(call, PGRPC_UNAVAILABLE, "connection closed by the server");
    assert_int_equal(world->connection_count, 1);
}

static void rule_53_a_cancelled_call_is_not_tried_again(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_UNARY, "hi", NULL);
    raw_rst(&world->out, 1, 7);
    struct iovec vector = {world->out.data, world->out.len};
    assert_int_equal(pgrpc__loop_take_lock(world->loop), 0);
    world->peer->ops->writev(world->peer, &vector, 1);
    pgrpc__loop_leave_lock(world->loop);
    raw_clear(&world->out);
    pgrpc_call_cancel(call->call);
    assert_string_equal(world_talk_streams(world), "");
    world_check_done(call, PGRPC_CANCELLED, "cancelled");
}

static void rule_53_a_connection_out_of_stream_ids_is_replaced(void **state)
{
    struct world *world = *state;
    struct world_call *old = world_begin(world, WORLD_BIDI, NULL, NULL);
    assert_int_equal(pgrpc__loop_take_lock(world->loop), 0);
    struct h2_link *link = world->channel->balancer->ops->pick(world->channel->balancer);
    struct h2_connection *connection = pgrpc__h2_link_connection(link);
    engine_ids_skip(connection, 0x5fffffff);
    pgrpc__loop_leave_lock(world->loop);
    struct world_call *last = world_begin(world, WORLD_UNARY, "hi", NULL);
    assert_int_equal(world->connection_count, 1);
    assert_int_equal(world->id, 0x5fffffff);
    world_answer(world, "last");
    world_talk(world);
    world_check_done(last, PGRPC_OK, "");
    struct world_call *next[3];
    for (size_t i = 0; i < COUNT(next); i++) {
        next[i] = world_begin(world, WORLD_UNARY, "hi", NULL);
        world_answer(world, "next");
        world_talk(world);
    }
    assert_int_equal(world->connection_count, 2);
    for (size_t i = 0; i < COUNT(next); i++)
        world_check_done(next[i], PGRPC_OK, "");
    assert_false(old->is_done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(rule_52_streams_above_the_id_are_tried_elsewhere),
        WORLD_TEST(rule_52_new_calls_go_to_a_new_connection),
        WORLD_TEST(rule_52_a_notice_comes_before_the_real_id),
        WORLD_TEST(rule_52_a_later_goaway_may_not_raise_the_id),
        WORLD_TEST(rule_52_an_error_code_is_shown_when_the_connection_ends),
        WORLD_TEST(rule_52_goaway_of_a_connection_that_was_never_used),
        WORLD_TEST(rule_52_server_leaves_in_two_steps),
        WORLD_TEST(rule_52_server_does_not_wait_for_ever_for_the_client),
        WORLD_TEST(rule_52_server_ends_what_outlasts_its_grace),
        WORLD_TEST(rule_52_an_idle_server_stops_at_once),
        WORLD_TEST(rule_53_a_refused_stream_is_tried_once_more),
        WORLD_TEST(rule_53_but_not_twice),
        WORLD_TEST(rule_53_goaway_and_refusal_count_together),
        WORLD_TEST(rule_53_everything_sent_is_sent_again),
        WORLD_TEST(rule_53_a_message_that_was_cut_starts_over),
        WORLD_TEST(rule_53_what_was_answered_is_not_tried_again),
        WORLD_TEST(rule_53_a_call_that_sent_too_much_is_not_tried_again),
        WORLD_TEST(rule_53_what_never_left_is_tried_without_limit),
        WORLD_TEST(rule_53_what_left_is_not_tried_when_the_connection_is_lost),
        WORLD_TEST(rule_53_a_cancelled_call_is_not_tried_again),
        WORLD_TEST(rule_53_a_connection_out_of_stream_ids_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
