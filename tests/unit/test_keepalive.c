#include "../support/unit.h"

#include "h2/keepalive.h"

static void never_means_never(void **state)
{
    struct keepalive keepalive = {.timeout_ms = 20000, .without_calls = true};
    int64_t next_ms;
    (void)state;
    assert_int_equal(pgrpc__keepalive_tick(&keepalive, 1000000, true, &next_ms), KEEPALIVE_NOTHING);
    assert_true(next_ms == INT64_MAX);
}

static void a_silent_peer_is_asked_and_then_given_up(void **state)
{
    struct keepalive keepalive = {.interval_ms = 1000, .timeout_ms = 200, .without_calls = true};
    int64_t next_ms;
    (void)state;
    assert_int_equal(pgrpc__keepalive_tick(&keepalive, 0, false, &next_ms), KEEPALIVE_NOTHING);
    assert_int_equal(next_ms, 1000);
    assert_int_equal(pgrpc__keepalive_tick(&keepalive, 999, false, &next_ms), KEEPALIVE_NOTHING);
    assert_int_equal(pgrpc__keepalive_tick(&keepalive, 1000, false, &next_ms), KEEPALIVE_PING);
    assert_int_equal(next_ms, 1200);
    assert_int_equal(pgrpc__keepalive_tick(&keepalive, 1199, false, &next_ms), KEEPALIVE_NOTHING);
    assert_int_equal(next_ms, 1200);
    assert_int_equal(pgrpc__keepalive_tick(&keepalive, 1200, false, &next_ms), KEEPALIVE_EXPIRED);
}

static void any_byte_is_an_answer(void **state)
{
    struct keepalive keepalive = {.interval_ms = 1000, .timeout_ms = 200, .without_calls = true};
    int64_t next_ms;
    (void)state;
    pgrpc__keepalive_heard(&keepalive, 500);
    assert_int_equal(pgrpc__keepalive_tick(&keepalive, 1000, false, &next_ms), KEEPALIVE_NOTHING);
    assert_int_equal(next_ms, 1500);
    assert_int_equal(pgrpc__keepalive_tick(&keepalive, 1500, false, &next_ms), KEEPALIVE_PING);
    pgrpc__keepalive_heard(&keepalive, 1600);
    assert_int_equal(pgrpc__keepalive_tick(&keepalive, 1700, false, &next_ms), KEEPALIVE_NOTHING);
    assert_int_equal(next_ms, 2600);
}

static void without_calls_nobody_is_asked(void **state)
{
    struct keepalive keepalive = {.interval_ms = 1000, .timeout_ms = 200};
    int64_t next_ms;
    (void)state;
    assert_int_equal(pgrpc__keepalive_tick(&keepalive, 5000, false, &next_ms), KEEPALIVE_NOTHING);
    assert_true(next_ms == INT64_MAX);
    /* The idle time before a call does not count. */
    assert_int_equal(pgrpc__keepalive_tick(&keepalive, 9000, true, &next_ms), KEEPALIVE_NOTHING);
    assert_int_equal(next_ms, 10000);
    assert_int_equal(pgrpc__keepalive_tick(&keepalive, 10000, true, &next_ms), KEEPALIVE_PING);
    /* A ping under way is waited for even when the call has ended meanwhile. */
    assert_int_equal(pgrpc__keepalive_tick(&keepalive, 10200, false, &next_ms), KEEPALIVE_EXPIRED);
}

static void two_strikes_are_forgiven_the_third_is_not(void **state)
{
    struct keepalive keepalive = {.min_ms = 300000};
    (void)state;
    assert_true(pgrpc__keepalive_pinged(&keepalive, 0, true));
    assert_true(pgrpc__keepalive_pinged(&keepalive, 299999, true));
    assert_true(pgrpc__keepalive_pinged(&keepalive, 2 * 299999, true));
    assert_false(pgrpc__keepalive_pinged(&keepalive, 3 * 299999, true));
}

static void pings_at_the_allowed_pace_are_no_strikes(void **state)
{
    struct keepalive keepalive = {.min_ms = 300000};
    (void)state;
    for (int64_t now_ms = 0; now_ms < 100 * INT64_C(300000); now_ms += 300000)
        assert_true(pgrpc__keepalive_pinged(&keepalive, now_ms, true));
    assert_int_equal(keepalive.strikes, 0);
}

static void without_calls_pings_are_rarer_unless_permitted(void **state)
{
    struct keepalive strict = {.min_ms = 300000};
    struct keepalive lenient = {.min_ms = 300000, .permit_without_calls = true};
    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_int_equal(pgrpc__keepalive_pinged(&strict, i * INT64_C(300000), false), i < 3);
        assert_true(pgrpc__keepalive_pinged(&lenient, i * INT64_C(300000), false));
    }
}

static void what_we_send_forgives(void **state)
{
    struct keepalive keepalive = {.min_ms = 300000};
    (void)state;
    for (int i = 0; i < 100; i++) {
        pgrpc__keepalive_sent(&keepalive);
        assert_true(pgrpc__keepalive_pinged(&keepalive, i, true));
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(pgrpc__keepalive_pinged(&keepalive, 100, true), i < 2);
}

static void no_minimum_means_no_enforcement(void **state)
{
    struct keepalive keepalive = {0};
    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_true(pgrpc__keepalive_pinged(&keepalive, 0, false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_means_never),
        cmocka_unit_test(a_silent_peer_is_asked_and_then_given_up),
        cmocka_unit_test(any_byte_is_an_answer),
        cmocka_unit_test(without_calls_nobody_is_asked),
        cmocka_unit_test(two_strikes_are_forgiven_the_third_is_not),
        cmocka_unit_test(pings_at_the_allowed_pace_are_no_strikes),
        cmocka_unit_test(without_calls_pings_are_rarer_unless_permitted),
        cmocka_unit_test(what_we_send_forgives),
        cmocka_unit_test(no_minimum_means_no_enforcement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
