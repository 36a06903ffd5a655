/* What a server remembers of stream ids. */
#include "../support/unit.h"

#include "h2/stream_ids.h"

static bool is_after_end(struct stream_ids *ids, uint8_t type, uint8_t flags, int32_t id)
{
    struct frame_head head = {0, type, flags, id};
    return pgrpc__stream_ids_is_after_end(ids, &head);
}

static void ids_that_were_passed_over_are_known(void **state)
{
    struct stream_ids ids = {0};
    (void)state;

    assert_false(pgrpc__stream_ids_is_skipped(&ids, 1));
    assert_false(pgrpc__stream_ids_is_skipped(&ids, 3));
    assert_false(pgrpc__stream_ids_is_skipped(&ids, 9));
    assert_true(pgrpc__stream_ids_is_skipped(&ids, 5));
    assert_true(pgrpc__stream_ids_is_skipped(&ids, 7));
    assert_false(pgrpc__stream_ids_is_skipped(&ids, 9)); /* used, not skipped */
    assert_false(pgrpc__stream_ids_is_skipped(&ids, 3));
    for (int32_t id = 13; id < 13 + 4 * (SKIPPED_RANGES - 1); id += 4)
        assert_false(pgrpc__stream_ids_is_skipped(&ids, id));
    assert_true(pgrpc__stream_ids_is_skipped(&ids, 5)); /* the oldest that fits */
    assert_false(pgrpc__stream_ids_is_skipped(&ids, 101));
    assert_false(pgrpc__stream_ids_is_skipped(&ids, 5));
    assert_true(pgrpc__stream_ids_is_skipped(&ids, 99));
}

static void nothing_follows_the_end(void **state)
{
    struct stream_ids ids = {0};
    (void)state;

    assert_false(is_after_end(&ids, FRAME_HEADERS, 0, 1));
    assert_false(is_after_end(&ids, FRAME_DATA, FRAME_FLAG_END_STREAM, 1));
    assert_true(is_after_end(&ids, FRAME_DATA, 0, 1));
    assert_true(is_after_end(&ids, FRAME_HEADERS, 0, 1));
    assert_false(is_after_end(&ids, FRAME_WINDOW_UPDATE, 0, 1));
    assert_false(is_after_end(&ids, FRAME_RST_STREAM, 0, 1));
    assert_false(is_after_end(&ids, FRAME_HEADERS, 0, 3));
    assert_false(is_after_end(&ids, FRAME_RST_STREAM, 0, 3));
    assert_true(is_after_end(&ids, FRAME_DATA, 0, 3));
    assert_false(is_after_end(&ids, FRAME_HEADERS, FRAME_FLAG_END_STREAM, 5 + 2 * ENDED_IDS));
    assert_false(is_after_end(&ids, FRAME_DATA, 0, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_that_were_passed_over_are_known),
        cmocka_unit_test(nothing_follows_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
