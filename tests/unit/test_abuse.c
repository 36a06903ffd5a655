#include "../support/unit.h"

#include "h2/abuse.h"
#include "h2/frame_head.h"

/* Ends |count| streams, each early or not. */
static const char *end(struct abuse *abuse, unsigned count, bool is_early)
{
    const char *reason = NULL;
    for (unsigned i = 0; i < count && !reason; i++)
        reason = pgrpc__abuse_stream_ended(abuse, is_early);
    return reason;
}

/* Receives |count| frames at |now_ms|. */
static const char *get(struct abuse *abuse, unsigned count, uint8_t type, uint8_t flags, size_t len,
                       int64_t now_ms)
{
    const char *reason = NULL;
    for (unsigned i = 0; i < count && !reason; i++)
        reason = pgrpc__abuse_received(abuse, type, flags, len, now_ms);
    return reason;
}

static void resets_alone_are_too_many_at_500(void **state)
{
    struct abuse abuse = {0};
    (void)state;
    assert_null(end(&abuse, ABUSE_STREAMS - 1, true));
    assert_string_equal(end(&abuse, 1, true), "too_many_resets");
}

static void half_of_the_last_500_is_the_limit(void **state)
{
    struct abuse below = {0}, at = {0};
    (void)state;
    assert_null(end(&below, ABUSE_STREAMS / 2 + 1, false));
    assert_null(end(&below, ABUSE_STREAMS / 2 - 1, true));
    assert_null(end(&at, ABUSE_STREAMS / 2, false));
    assert_string_equal(end(&at, ABUSE_STREAMS / 2, true), "too_many_resets");
}

static void who_lets_most_calls_finish_is_never_punished(void **state)
{
    struct abuse abuse = {0};
    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        assert_null(end(&abuse, 1, true));
        assert_null(end(&abuse, 1, i % 100 == 0));
        assert_null(end(&abuse, 1, false));
    }
}

static void old_streams_are_forgotten(void **state)
{
    struct abuse abuse = {0};
    (void)state;
    assert_null(end(&abuse, ABUSE_STREAMS / 2 - 1, true));
    assert_null(end(&abuse, ABUSE_STREAMS, false));
    assert_int_equal(abuse.early_count, 0);
    assert_null(end(&abuse, ABUSE_STREAMS / 2 - 1, true));
    assert_string_equal(end(&abuse, 1, true), "too_many_resets");
}

static void the_first_refused_streams_are_for_nothing(void **state)
{
    struct abuse abuse = {0};
    (void)state;
    for (int i = 0; i < ABUSE_REFUSED + ABUSE_STREAMS - 1; i++)
        assert_null(pgrpc__abuse_stream_refused(&abuse));
    assert_string_equal(pgrpc__abuse_stream_refused(&abuse), "too_many_resets");
}

static void useless_frames_are_limited(void **state)
{
    static const uint8_t types[] = {
        FRAME_PRIORITY, FRAME_WINDOW_UPDATE, FRAME_PING, FRAME_GOAWAY, 10, 250};
    (void)state;
    for (size_t i = 0; i < sizeof(types); i++) {
        struct abuse abuse = {0};
        assert_null(get(&abuse, ABUSE_FRAMES, types[i], 0, 8, 0));
        assert_string_equal(get(&abuse, 1, types[i], 0, 8, 0), "too_many_frames");
    }
}

static void settings_cost_more(void **state)
{
    struct abuse abuse = {0};
    (void)state;
    assert_null(get(&abuse, ABUSE_FRAMES / ABUSE_SETTINGS_COST, FRAME_SETTINGS, 0, 0, 0));
    assert_string_equal(get(&abuse, 1, FRAME_SETTINGS, 0, 0, 0), "too_many_frames");
}

static void time_pays_for_frames(void **state)
{
    struct abuse abuse = {0};
    (void)state;
    assert_null(get(&abuse, ABUSE_FRAMES, FRAME_PRIORITY, 0, 5, 0));
    assert_null(get(&abuse, ABUSE_FRAMES_PER_SECOND, FRAME_PRIORITY, 0, 5, 1000));
    assert_string_equal(get(&abuse, 1, FRAME_PRIORITY, 0, 5, 1000), "too_many_frames");
    struct abuse slow = {0};
    for (int64_t second = 1; second < 10000; second++)
        assert_null(get(&slow, ABUSE_FRAMES_PER_SECOND, FRAME_PRIORITY, 0, 5, 1000 * second));
    /* A clock that stood still for a year overflows nothing. */
    assert_null(get(&abuse, ABUSE_FRAMES, FRAME_PRIORITY, 0, 5, INT64_C(400) * 86400 * 1000));
}

static void useful_frames_pay_for_useless_ones(void **state)
{
    struct abuse abuse = {0};
    (void)state;
    for (int i = 0; i < 10000; i++) {
        assert_null(get(&abuse, 5, FRAME_PRIORITY, 0, 5, 0));
        assert_null(get(&abuse, 1, FRAME_HEADERS, FRAME_FLAG_END_HEADERS, 10, 0));
        assert_null(get(&abuse, 5, FRAME_PRIORITY, 0, 5, 0));
        assert_null(get(&abuse, 1, FRAME_DATA, 0, 1, 0));
    }
}

static void window_updates_are_paid_for_by_data(void **state)
{
    struct abuse abuse = {0};
    (void)state;
    for (int i = 0; i < 1000; i++)
        pgrpc__abuse_sent(&abuse, FRAME_DATA);
    pgrpc__abuse_sent(&abuse, FRAME_HEADERS);
    assert_null(get(&abuse, 1000 * ABUSE_UPDATES_PER_DATA, FRAME_WINDOW_UPDATE, 0, 4, 0));
    assert_int_equal(abuse.spent, 0);
    assert_null(get(&abuse, ABUSE_FRAMES, FRAME_WINDOW_UPDATE, 0, 4, 0));
    assert_string_equal(get(&abuse, 1, FRAME_WINDOW_UPDATE, 0, 4, 0), "too_many_frames");
}

static void empty_data_is_limited_in_a_row(void **state)
{
    struct abuse abuse = {0};
    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_null(get(&abuse, ABUSE_EMPTY_DATA, FRAME_DATA, 0, 0, 0));
        assert_null(
            get(&abuse, 1, FRAME_DATA, i % 2 ? FRAME_FLAG_END_STREAM : 0, i % 2 ? 0 : 1, 0));
    }
    assert_null(get(&abuse, ABUSE_EMPTY_DATA, FRAME_DATA, 0, 0, 0));
    assert_string_equal(get(&abuse, 1, FRAME_DATA, 0, 0, 0), "too_many_empty_frames");
}

static void what_others_judge_costs_nothing_here(void **state)
{
    struct abuse abuse = {0};
    (void)state;
    assert_null(get(&abuse, 100000, FRAME_RST_STREAM, 0, 4, 0));
    assert_null(get(&abuse, 100000, FRAME_CONTINUATION, 0, 4, 0));
    assert_null(get(&abuse, 100000, FRAME_PUSH_PROMISE, 0, 4, 0));
}

static void unread_replies_are_limited(void **state)
{
    (void)state;
    assert_null(pgrpc__abuse_queued(ABUSE_QUEUE_CLOSE - 1));
    assert_string_equal(pgrpc__abuse_queued(ABUSE_QUEUE_CLOSE), "too_many_unread_replies");
    assert_string_equal(pgrpc__abuse_queued(ABUSE_QUEUE_CLOSE + 1), "too_many_unread_replies");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resets_alone_are_too_many_at_500),
        cmocka_unit_test(half_of_the_last_500_is_the_limit),
        cmocka_unit_test(who_lets_most_calls_finish_is_never_punished),
        cmocka_unit_test(old_streams_are_forgotten),
        cmocka_unit_test(the_first_refused_streams_are_for_nothing),
        cmocka_unit_test(useless_frames_are_limited),
        cmocka_unit_test(settings_cost_more),
        cmocka_unit_test(time_pays_for_frames),
        cmocka_unit_test(useful_frames_pay_for_useless_ones),
        cmocka_unit_test(window_updates_are_paid_for_by_data),
        cmocka_unit_test(empty_data_is_limited_in_a_row),
        cmocka_unit_test(what_others_judge_costs_nothing_here),
        cmocka_unit_test(unread_replies_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
