/* Heads are parsed as the reference engine's scan finds them. */
#include "../support/unit.h"
#include "../support/frame_scan.h"
#include "../support/rawframe.h"

/* Lists the heads found when |raw| comes in pieces of |step| bytes. */
static size_t scan(const struct raw *raw, size_t step, struct frame_head *heads, size_t max)
{
    struct frame_scan state = {0};
    size_t count = 0;

    for (size_t at = 0; at < raw->len; at += step) {
        size_t len = raw->len - at < step ? raw->len - at : step;
        const uint8_t *data = raw->data + at;
        size_t used;
        struct frame_head head;
        while (frame_scan_next(&state, data, len, &used, &head)) {
            assert_true(count < max);
            heads[count++] = head;
            data += used;
            len -= used;
        }
        assert_int_equal(used, len);
    }
    return count;
}

static void frames_are_found_however_they_are_cut(void **state)
{
    struct raw raw = {0};
    struct frame_head heads[16];
    (void)state;

    raw_settings(&raw, 0);
    raw_frame(&raw, RAW_HEADERS, RAW_END_HEADERS, 1, "0123456789", 10);
    raw_data(&raw, RAW_END_STREAM, 0x7fffffff, "", 0);
    raw_frame(&raw, 250, 255, 0xffffffff, "abc", 3);
    raw_ping(&raw, RAW_ACK, "12345678");
    for (size_t step = 1; step <= raw.len; step++) {
        assert_int_equal(scan(&raw, step, heads, 16), 5);
        assert_int_equal(heads[0].type, FRAME_SETTINGS);
        assert_int_equal(heads[0].len, 0);
        assert_int_equal(heads[1].type, FRAME_HEADERS);
        assert_int_equal(heads[1].len, 10);
        assert_int_equal(heads[1].flags, FRAME_FLAG_END_HEADERS);
        assert_int_equal(heads[1].id, 1);
        assert_int_equal(heads[2].id, INT32_MAX);
        assert_int_equal(heads[2].flags, FRAME_FLAG_END_STREAM);
        assert_int_equal(heads[3].type, 250);
        assert_int_equal(heads[3].id, INT32_MAX); /* the reserved bit is no part of it */
        assert_int_equal(heads[4].type, FRAME_PING);
    }
    raw_clear(&raw);
}

static void the_largest_length_is_followed(void **state)
{
    struct frame_scan scan_state = {0};
    const uint8_t bytes[9] = {0xff, 0xff, 0xff, FRAME_DATA};
    struct frame_head head;
    size_t used;
    (void)state;

    assert_true(frame_scan_next(&scan_state, bytes, 9, &used, &head));
    assert_int_equal(head.len, 0xffffff);
    assert_false(frame_scan_next(&scan_state, bytes, 9, &used, &head));
    assert_int_equal(scan_state.payload_left, 0xffffff - 9);
}

static void an_incomplete_header_block_is_known(void **state)
{
    struct raw raw = {0};
    struct frame_scan scan_state = {0};
    struct frame_head head;
    size_t used;
    (void)state;

    raw_frame(&raw, RAW_HEADERS, 0, 1, "abc", 3);
    assert_false(frame_scan_is_in_block(&scan_state));
    assert_true(frame_scan_next(&scan_state, raw.data, raw.len, &used, &head));
    assert_true(frame_scan_is_in_block(&scan_state));
    assert_false(frame_scan_next(&scan_state, raw.data + used, raw.len - used, &used, &head));
    assert_true(frame_scan_is_in_block(&scan_state));
    raw_clear(&raw);
    raw_frame(&raw, RAW_CONTINUATION, RAW_END_HEADERS, 1, "abc", 3);
    assert_true(frame_scan_next(&scan_state, raw.data, raw.len - 1, &used, &head));
    assert_false(frame_scan_next(&scan_state, raw.data + used, raw.len - used - 1, &used, &head));
    assert_true(frame_scan_is_in_block(&scan_state));
    assert_false(frame_scan_next(&scan_state, raw.data + raw.len - 1, 1, &used, &head));
    assert_false(frame_scan_is_in_block(&scan_state));
    raw_clear(&raw);
}

static void types_have_names(void **state)
{
    (void)state;
    assert_string_equal(pgrpc__frame_type_name(FRAME_DATA), "DATA");
    assert_string_equal(pgrpc__frame_type_name(FRAME_CONTINUATION), "CONTINUATION");
    assert_null(pgrpc__frame_type_name(10));
    assert_null(pgrpc__frame_type_name(255));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_found_however_they_are_cut),
        cmocka_unit_test(the_largest_length_is_followed),
        cmocka_unit_test(an_incomplete_header_block_is_known),
        cmocka_unit_test(types_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
