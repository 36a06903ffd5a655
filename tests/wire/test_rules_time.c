/* Rules 57 and 67: keepalive, and waiting between connection attempts. */
#include "../support/phrases.h"

#include <stdio.h>

#include "client/channel.h"

#define COUNT(array) (sizeof(array) / sizeof(array[0]))

#define KEEPALIVE_PING "PING keeppico\n"
enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE };

/* --- rule 57, client ----------------------------------------------------------------------------
 */

static void rule_57_client_does_not_ping_by_default(void **state)
{
    struct world *world = *state;
    struct world_call *call = world_begin(world, WORLD_BIDI, NULL, NULL);
    world_sleep(world, INT64_C(1000) * HOUR);
    assert_string_equal(world_talk(world), "");
    assert_false(call->is_done);
}

static void rule_57_client_pings_while_it_has_calls(void **state)
{
    struct world *world = *state;
    struct pgrpc_channel_options options = {.size = sizeof(options), .keepalive_ms = 30000};
    world_start_client(world, &options);
    struct world_call *call = world_begin(world, WORLD_BIDI, NULL, NULL);
    for (int i = 0; i < 3; i++) {
        world_sleep(world, 29999);
        assert_string_equal(world_talk(world), "");
        world_sleep(world, 1);
        assert_string_equal(world_talk(world), KEEPALIVE_PING);
        raw_ping(&world->out, RAW_ACK, "keeppico");
        assert_string_equal(world_talk(world), "");
    }
    assert_false(call->is_done);
    world_response(world, RAW_END_STREAM, world->id, "grpc-status=0");
    world_talk(world);
    /* Without calls it is quiet. */
    world_sleep(world, 24 * HOUR);
    assert_string_equal(world_talk(world), "");
    /* A call that starts then waits a whole interval. */
    call = world_begin(world, WORLD_BIDI, NULL, NULL);
    world_sleep(world, 29999);
    assert_string_equal(world_talk(world), "");
    world_sleep(world, 1);
    assert_string_equal(world_talk(world), KEEPALIVE_PING);
}

static void rule_57_client_pings_without_calls_when_told_to(void **state)
{
    struct world *world = *state;
    struct pgrpc_channel_options options = {
        .size = sizeof(options), .keepalive_ms = 30000, .keepalive_without_calls = true};
    world_start_client(world, &options);
    world_begin(world, WORLD_UNARY, "hi", NULL);
    world_answer(world, "yes");
    world_talk(world);
    world_sleep(world, 30000);
    assert_string_equal(world_talk(world), KEEPALIVE_PING);
}

static void rule_57_client_pings_no_more_often_than_every_10_s(void **state)
{
    struct world *world = *state;
    struct pgrpc_channel_options options = {.size = sizeof(options), .keepalive_ms = 1};
    world_start_client(world, &options);
    world_begin(world, WORLD_BIDI, NULL, NULL);
    world_sleep(world, 9999);
    assert_string_equal(world_talk(world), "");
    world_sleep(world, 1);
    assert_string_equal(world_talk(world), KEEPALIVE_PING);
}

static void rule_57_any_byte_counts_as_life(void **state)
{
    struct world *world = *state;
    struct pgrpc_channel_options options = {.size = sizeof(options), .keepalive_ms = 30000};
    world_start_client(world, &options);
    struct world_call *call = world_begin(world, WORLD_BIDI, NULL, NULL);
    /* One byte of a frame puts the ping off ... */
    world_sleep(world, 20000);
    raw_bytes(&world->out, "\0", 1);
    world_talk(world);
    world_sleep(world, 29999);
    assert_string_equal(world_talk(world), "");
    world_sleep(world, 1);
    assert_string_equal(world_talk(world), KEEPALIVE_PING);
    /* ... and another one is as good as an answer. */
    world_sleep(world, 19999);
    raw_bytes(&world->out, "\0", 1);
    world_talk(world);
    world_sleep(world, 29999);
    assert_string_equal(world_talk(world), "");
    assert_false(call->is_done);
    world_sleep(world, 1);
    assert_string_equal(world_talk(world), KEEPALIVE_PING);
    world_sleep(world, 20000);
    assert_int_equal(call->code, PGRPC_UNAVAILABLE);
}

static void rule_57_client_gives_up_after_20_s_by_default(void **state)
{
    struct world *world = *state;
    struct pgrpc_channel_options options = {.size = sizeof(options), .keepalive_ms = 30000};
    world_start_client(world, &options);
    struct world_call *call = world_begin(world, WORLD_BIDI, NULL, NULL);
    world_sleep(world, 30000);
    world_sleep(world, 19999);
    assert_false(call->is_done);
    world_sleep(world, 1);
    world_check_done(call, PGRPC_UNAVAILABLE, "keepalive: no answer within 20000 ms");
    assert_string_equal(world_talk(world),
                        KEEPALIVE_PING "GOAWAY last=0 code=0 \"keepalive_timeout\"\n");
    /* The next call finds another connection. */
    world_begin(world, WORLD_UNARY, "hi", NULL);
    assert_int_equal(world->connection_count, 2);
}

static void note_warning(void *userdata, enum pgrpc_log_level level, const char *message,
                         const struct pgrpc_log_field *fields, size_t field_count)
{
    char *text = userdata;
    if (level == PGRPC_LOG_WARNING && field_count == 1)
        snprintf(text, 200, "%s: %s=%s", message, fields[0].key, fields[0].value);
}

static void rule_57_client_that_pings_too_much_doubles_its_time(void **state)
{
    struct world *world = *state;
    struct pgrpc_channel_options options = {.size = sizeof(options), .keepalive_ms = 30000};
    char text[200] = "";
    pgrpc_log_set(note_warning, PGRPC_LOG_WARNING, text);
    world_start_client(world, &options);
    int64_t expected_ms = 30000;
    for (int i = 0; i < 3; i++) {
        struct world_call *call = world_begin(world, WORLD_BIDI, NULL, NULL);
        assert_int_equal(world->connection_count, i + 1);
        world_sleep(world, expected_ms - 1);
        assert_string_equal(world_talk(world), "");
        world_sleep(world, 1);
        assert_string_equal(world_talk(world), KEEPALIVE_PING);
        raw_goaway(&world->out, 0x7fffffff, 11, i == 2 ? "something_else" : "too_many_pings");
        world_talk(world);
        world_hang_up(world);
        world_check_done(call, PGRPC_UNAVAILABLE,
                         i == 2 ? "the server closed the connection: code 11, something_else"
                                : "the server closed the connection: code 11, too_many_pings");
        if (i < 2)
            expected_ms *= 2;
    }
    assert_string_equal(text, "the server asks for fewer keepalive pings: keepalive_ms=120000");
    /* Another reason for ENHANCE_YOUR_CALM changes nothing. */
    world_begin(world, WORLD_BIDI, NULL, NULL);
    world_sleep(world, expected_ms);
    assert_string_equal(world_talk(world), KEEPALIVE_PING);
    pgrpc_log_set(NULL, PGRPC_LOG_ERROR, NULL);
}

/* --- rule 57, server ----------------------------------------------------------------------------
 */

static void rule_57_server_pings_after_two_hours(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    world_sleep(world, 2 * HOUR - 1);
    assert_string_equal(world_talk(world), "");
    world_sleep(world, 1);
    assert_string_equal(world_talk(world), KEEPALIVE_PING);
    world_sleep(world, 19999);
    assert_string_equal(world_talk(world), "");
    world_sleep(world, 1);
    assert_string_equal(world_talk(world), "GOAWAY last=0 code=0 \"keepalive_timeout\"\n");
}

/* Pings after these times; how many go well. */
static void ping_at(struct world *world, int64_t interval_ms, int good)
{
    for (int i = 0; i <= good; i++) {
        world_sleep(world, interval_ms);
        raw_ping(&world->out, 0, "testping");
        const char *frames = world_talk(world);
        if (i < good)
            assert_string_equal(frames, "PING ACK testping\n");
        else
            assert_non_null(strstr(frames, " code=11 \"too_many_pings\"\n"));
    }
}

static void rule_57_server_bears_two_strikes(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    assert_string_equal(world_ask(world, "", "silent"), "");
    /* The first ping cannot be too early; then two too early ones, and the third is too much. */
    ping_at(world, 5 * MINUTE - 1, 3);
    assert_string_equal(world->log, "say silent\nserver done CANCELLED cancelled=1\n");
}

static void rule_57_server_bears_pings_every_five_minutes(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    assert_string_equal(world_ask(world, "", "silent"), "");
    for (int i = 0; i < 20; i++) {
        world_sleep(world, 5 * MINUTE);
        raw_ping(&world->out, 0, "testping");
        assert_string_equal(world_talk(world), "PING ACK testping\n");
    }
    world_check(world);
}

static void rule_57_without_calls_pings_are_rarer(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    ping_at(world, 2 * HOUR - 1, 3);
}

static void rule_57_unless_the_server_permits_them(void **state)
{
    struct world *world = *state;
    struct pgrpc_server_options options = {.size = sizeof(options),
                                           .keepalive_permit_without_calls = true};
    world_serve(world, &options);
    for (int i = 0; i < 10; i++) {
        world_sleep(world, 5 * MINUTE);
        raw_ping(&world->out, 0, "testping");
        assert_string_equal(world_talk(world), "PING ACK testping\n");
    }
    ping_at(world, 5 * MINUTE - 1, 2);
}

static void rule_57_another_minimum_is_held(void **state)
{
    struct world *world = *state;
    struct pgrpc_server_options options = {.size = sizeof(options), .keepalive_min_ms = 10000};
    world_serve(world, &options);
    assert_string_equal(world_ask(world, "", "silent"), "");
    for (int i = 0; i < 10; i++) {
        world_sleep(world, 10000);
        raw_ping(&world->out, 0, "testping");
        assert_string_equal(world_talk(world), "PING ACK testping\n");
    }
    ping_at(world, 9999, 2);
}

/* Pings that measure a connection while it carries data are no strikes. */
static void rule_57_pings_beside_data_are_forgiven(void **state)
{
    struct world *world = *state;
    world_serve(world, NULL);
    for (int i = 0; i < 10; i++) {
        world_sleep(world, 10);
        world_check(world);
        raw_ping(&world->out, 0, "testping");
        assert_string_equal(world_talk(world), "PING ACK testping\n");
    }
}

/* --- rule 67 ------------------------------------------------------------------------------------
 */

/* The jitter of world.h is its middle: none. */
static const int64_t delays_ms[] = {1000,  1600,  2560,  4096,   6553,   10484,  16774,
                                    26838, 42940, 68704, 109926, 120000, 120000, 120000};

static void rule_67_attempts_wait_longer_and_longer(void **state)
{
    struct world *world = *state;
    struct pgrpc_call_options options = {.size = sizeof(options), .wait_for_ready = true};
    world->refuses = true;
    world_start_client(world, NULL);
    struct world_call *call = world_call(world, WORLD_UNARY, "hi", &options);
    world_run(world);
    for (size_t i = 0; i < COUNT(delays_ms); i++) {
        assert_int_equal(world->connection_count, i + 1);
        assert_int_equal(pgrpc_channel_state(world->channel), PGRPC_CHANNEL_TRANSIENT_FAILURE);
        world_sleep(world, delays_ms[i] - 1);
        assert_int_equal(world->connection_count, i + 1);
        world_sleep(world, 1);
    }
    assert_int_equal(world->connection_count, COUNT(delays_ms) + 1);
    assert_false(call->is_done);
    world->refuses = false;
    world_sleep(world, 120000);
    assert_string_equal(world_talk_streams(world), "MAGIC\n");
    world_greet_client(world);
    world->id = 1;
    assert_non_null(strstr(world_hear(world), "HEADERS ID "));
    assert_int_equal(pgrpc_channel_state(world->channel), PGRPC_CHANNEL_READY);
    world_answer(world, "yes");
    world_talk(world);
    world_check_done(call, PGRPC_OK, "");
}

static uint64_t random_number(void *userdata)
{
    return *(uint64_t *)userdata;
}

static void rule_67_delays_are_spread_by_a_fifth(void **state)
{
    static const struct {
        uint64_t random;
        int64_t delay_ms;
    } cases[] = {{0, 800}, {2048, 1000}, {4096, 1200}, {4097, 800}, {1024, 900}};
    struct world *world = *state;
    world->refuses = true;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t random = cases[i].random;
        assert_int_equal(pgrpc__loop_take_lock(world->loop), 0);
        pgrpc__loop_set_random(world->loop, random_number, &random);
        pgrpc__loop_leave_lock(world->loop);
        world_start_client(world, NULL);
        struct pgrpc_call_options options = {.size = sizeof(options), .wait_for_ready = true};
        world_call(world, WORLD_UNARY, "hi", &options);
        world_run(world);
        unsigned count = world->connection_count;
        world_sleep(world, cases[i].delay_ms - 1);
        assert_int_equal(world->connection_count, count);
        world_sleep(world, 1);
        assert_int_equal(world->connection_count, count + 1);
        pgrpc_channel_unref(world->channel);
        world->channel = NULL;
        world_run(world);
    }
}

static void rule_67_the_delay_counts_from_the_start_of_the_attempt(void **state)
{
    struct world *world = *state;
    struct pgrpc_channel_options options = {.size = sizeof(options), .backoff_initial_ms = 30000};
    struct pgrpc_call_options waits = {.size = sizeof(waits), .wait_for_ready = true};
    world_start_client(world, &options);
    world_call(world, WORLD_UNARY, "hi", &waits);
    world_run(world);
    assert_int_equal(world->connection_count, 1);
    /* The server says nothing for 12 s and goes: 18 s are left. */
    world_sleep(world, 12000);
    world_hang_up(world);
    world_sleep(world, 17999);
    assert_int_equal(world->connection_count, 1);
    world_sleep(world, 1);
    assert_int_equal(world->connection_count, 2);
}

static void rule_67_an_attempt_has_20_s(void **state)
{
    struct world *world = *state;
    struct pgrpc_channel_options options = {.size = sizeof(options), .backoff_initial_ms = 60000};
    world_start_client(world, &options);
    struct world_call *call = world_call(world, WORLD_UNARY, "hi", NULL);
    world_run(world);
    assert_int_equal(pgrpc_channel_state(world->channel), PGRPC_CHANNEL_CONNECTING);
    world_sleep(world, 19999);
    assert_false(call->is_done);
    world_sleep(world, 1);
    world_check_done(call, PGRPC_UNAVAILABLE, "connecting took longer than 20000 ms");
    /* Late SETTINGS find nobody. */
    world_greet_client(world);
    world_talk(world);
    assert_int_equal(pgrpc_channel_state(world->channel), PGRPC_CHANNEL_TRANSIENT_FAILURE);
}

/* With the usual back-off the next attempt begins in the same moment: the call has failed still. */
static void rule_67_a_slow_failure_is_a_failure(void **state)
{
    struct world *world = *state;
    world_start_client(world, NULL);
    struct world_call *call = world_call(world, WORLD_UNARY, "hi", NULL);
    world_run(world);
    world_sleep(world, 19999);
    assert_false(call->is_done);
    world_sleep(world, 1);
    world_check_done(call, PGRPC_UNAVAILABLE, "connecting took longer than 20000 ms");
    assert_int_equal(world->connection_count, 2);
    assert_int_equal(pgrpc_channel_state(world->channel), PGRPC_CHANNEL_TRANSIENT_FAILURE);
}

static void rule_67_an_attempt_that_took_its_time_is_followed_at_once(void **state)
{
    struct world *world = *state;
    struct pgrpc_call_options waits = {.size = sizeof(waits), .wait_for_ready = true};
    world_start_client(world, NULL);
    world_call(world, WORLD_UNARY, "hi", &waits);
    world_run(world);
    world_sleep(world, 20000); /* longer than the first delay */
    assert_int_equal(world->connection_count, 2);
}

static void rule_67_settings_reset_the_delay(void **state)
{
    struct world *world = *state;
    struct pgrpc_call_options waits = {.size = sizeof(waits), .wait_for_ready = true};
    world->refuses = true;
    world_start_client(world, NULL);
    struct world_call *call = world_call(world, WORLD_UNARY, "hi", &waits);
    world_run(world);
    for (size_t i = 0; i < 4; i++)
        world_sleep(world, delays_ms[i]);
    assert_int_equal(world->connection_count, 5);
    /* It connects, but that alone is no success. */
    world->refuses = false;
    world_sleep(world, delays_ms[4]);
    assert_int_equal(world->connection_count, 6);
    world_hang_up(world);
    world_sleep(world, delays_ms[5] - 1);
    assert_int_equal(world->connection_count, 6);
    world_sleep(world, 1);
    assert_int_equal(world->connection_count, 7);
    /* SETTINGS are. */
    raw_settings(&world->out, 0);
    world_talk(world);
    world->refuses = true;
    world_hang_up(world);
    assert_true(call->is_done || world->connection_count == 8);
    world_call(world, WORLD_UNARY, "hi", &waits);
    world_run(world);
    assert_int_equal(world->connection_count, 8);
    world_sleep(world, 999);
    assert_int_equal(world->connection_count, 8);
    world_sleep(world, 1);
    assert_int_equal(world->connection_count, 9);
    world_sleep(world, 1599);
    assert_int_equal(world->connection_count, 9);
    world_sleep(world, 1);
    assert_int_equal(world->connection_count, 10);
}

/* Calls that do not wait fail with the last reason, but never before the first attempt is over. */
/* The server greets, and breaks the connection before anything can be asked. */
static void greet_and_break(struct world *world)
{
    raw_settings(&world->out, 0);
    raw_window_update(&world->out, 0, 0x7fffffff);
    world_talk(world);
}

static void rule_67_connections_that_come_to_nothing_are_made_with_pauses(void **state)
{
    struct world *world = *state;
    struct pgrpc_call_options waits = {.size = sizeof(waits), .wait_for_ready = true};
    world_start_client(world, NULL);
    struct world_call *call = world_call(world, WORLD_UNARY, "hi", NULL);
    struct world_call *patient = world_call(world, WORLD_UNARY, "hi", &waits);
    world_run(world);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(world->connection_count, i);
        greet_and_break(world);
        assert_false(call->is_done);
    }
    assert_int_equal(world->connection_count, 4);
    greet_and_break(world);
    assert_int_equal(world->connection_count, 4);
    world_check_done(call, PGRPC_UNAVAILABLE,
                     "the server broke the HTTP/2 protocol: FLOW_CONTROL_ERROR");
    for (unsigned i = 4; i < 6; i++) {
        world_sleep(world, 999);
        assert_int_equal(world->connection_count, i);
        world_sleep(world, 1);
        assert_int_equal(world->connection_count, i + 1);
        greet_and_break(world);
    }
    world_sleep(world, 1000);
    world_talk(world);
    world_greet_client(world);
    world->id = 1;
    world_hear(world);
    world_answer(world, "yes");
    world_talk(world);
    world_check_done(patient, PGRPC_OK, "");
    /* An answer makes up for it. */
    world_hang_up(world);
    call = world_call(world, WORLD_UNARY, "hi", NULL);
    world_run(world);
    assert_int_equal(world->connection_count, 8);
    greet_and_break(world);
    assert_int_equal(world->connection_count, 9);
    assert_false(call->is_done);
    world_greet_client(world);
    world_hear(world);
    world_answer(world, "yes");
    world_talk(world);
    world_check_done(call, PGRPC_OK, "");
}

static void rule_67_calls_in_between_fail_fast(void **state)
{
    struct world *world = *state;
    world->refuses = true;
    world_start_client(world, NULL);
    struct world_call *call = world_call(world, WORLD_UNARY, "hi", NULL);
    world_run(world);
    world_check_done(call, PGRPC_UNAVAILABLE, "connection refused by the test");
    for (int i = 0; i < 5; i++) {
        call = world_call(world, WORLD_UNARY, "hi", NULL);
        world_sleep(world, 100);
        world_check_done(call, PGRPC_UNAVAILABLE, "connection refused by the test");
    }
    assert_int_equal(world->connection_count, 1);
}

/* A channel that cannot connect goes on trying, so that later calls find a connection. */
static void rule_67_attempts_go_on_without_calls(void **state)
{
    struct world *world = *state;
    world->refuses = true;
    world_start_client(world, NULL);
    world_call(world, WORLD_UNARY, "hi", NULL);
    world_run(world);
    assert_int_equal(world->connection_count, 1);
    world_sleep(world, 1000);
    assert_int_equal(world->connection_count, 2);
    world->refuses = false;
    world_sleep(world, 1600);
    assert_int_equal(world->connection_count, 3);
    world_greet_client(world);
    world_talk(world);
    assert_int_equal(pgrpc_channel_state(world->channel), PGRPC_CHANNEL_READY);
    world_check(world);
    /* One that was lost is not made again for nobody. */
    world_hang_up(world);
    world_sleep(world, INT64_C(100) * HOUR);
    assert_int_equal(world->connection_count, 3);
    assert_int_equal(pgrpc_channel_state(world->channel), PGRPC_CHANNEL_IDLE);
}

/* A failure asks for the name's addresses again: those that stay keep their back-off, and streams
 * that still run on an old connection go on. */
static void rule_67_the_same_addresses_change_nothing(void **state)
{
    struct world *world = *state;
    struct world_call *old = world_begin(world, WORLD_BIDI, NULL, NULL);
    raw_goaway(&world->out, world->id, 0, "");
    world_talk(world);
    world->refuses = true;
    struct world_call *call = world_call(world, WORLD_UNARY, "hi", NULL);
    world_run(world);
    world_check_done(call, PGRPC_UNAVAILABLE, "connection refused by the test");
    assert_int_equal(world->connection_count, 2);
    assert_false(old->is_done);
    world_answer(world, "still there");
    world_talk(world);
    assert_string_equal(old->log, "headers\nmessage 11 still there\nend\ndone OK\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(rule_57_client_does_not_ping_by_default),
        WORLD_TEST(rule_57_client_pings_while_it_has_calls),
        WORLD_TEST(rule_57_client_pings_without_calls_when_told_to),
        WORLD_TEST(rule_57_client_pings_no_more_often_than_every_10_s),
        WORLD_TEST(rule_57_any_byte_counts_as_life),
        WORLD_TEST(rule_57_client_gives_up_after_20_s_by_default),
        WORLD_TEST(rule_57_client_that_pings_too_much_doubles_its_time),
        WORLD_TEST(rule_57_server_pings_after_two_hours),
        WORLD_TEST(rule_57_server_bears_two_strikes),
        WORLD_TEST(rule_57_server_bears_pings_every_five_minutes),
        WORLD_TEST(rule_57_without_calls_pings_are_rarer),
        WORLD_TEST(rule_57_unless_the_server_permits_them),
        WORLD_TEST(rule_57_another_minimum_is_held),
        WORLD_TEST(rule_57_pings_beside_data_are_forgiven),
        WORLD_TEST(rule_67_attempts_wait_longer_and_longer),
        WORLD_TEST(rule_67_delays_are_spread_by_a_fifth),
        WORLD_TEST(rule_67_the_delay_counts_from_the_start_of_the_attempt),
        WORLD_TEST(rule_67_an_attempt_has_20_s),
        WORLD_TEST(rule_67_a_slow_failure_is_a_failure),
        WORLD_TEST(rule_67_an_attempt_that_took_its_time_is_followed_at_once),
        WORLD_TEST(rule_67_settings_reset_the_delay),
        WORLD_TEST(rule_67_connections_that_come_to_nothing_are_made_with_pauses),
        WORLD_TEST(rule_67_calls_in_between_fail_fast),
        WORLD_TEST(rule_67_attempts_go_on_without_calls),
        WORLD_TEST(rule_67_the_same_addresses_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
