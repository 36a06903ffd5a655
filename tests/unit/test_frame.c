#include "../support/unit.h"
#include "../support/faulty_allocator.h"

#include <stdio.h>
#include <stdlib.h>

#include "wire/frame.h"

enum { LIMIT = 1000 };

struct fixture {
    struct faulty_allocator faulty;
    struct mem mem;
    struct deframer deframer;
    struct error_text error;
};

static void start(struct fixture *fixture, size_t fail_at)
{
    faulty_allocator_init(&fixture->faulty, fail_at);
    pgrpc__mem_init(&fixture->mem, &fixture->faulty.hook);
    pgrpc__deframer_init(&fixture->deframer, &fixture->mem, LIMIT);
}

static void stop(struct fixture *fixture)
{
    pgrpc__deframer_clear(&fixture->deframer);
    assert_int_equal(fixture->mem.live_bytes, 0);
    pgrpc__mem_clear(&fixture->mem);
    assert_int_equal(faulty_allocator_live(&fixture->faulty), 0);
}

/* Messages of these lengths, every second one flagged, filled with their number. */
static const size_t lengths[] = {0, 1, 5, 37, 0, 0, 130, 4};
enum { MESSAGE_COUNT = sizeof(lengths) / sizeof(lengths[0]) };

static size_t build_stream(uint8_t *stream)
{
    size_t len = 0;
    for (size_t i = 0; i < MESSAGE_COUNT; i++) {
        pgrpc__frame_put_prefix(stream + len, i % 2 == 1, (uint32_t)lengths[i]);
        memset(stream + len + FRAME_PREFIX_LEN, (int)i, lengths[i]);
        len += FRAME_PREFIX_LEN + lengths[i];
    }
    return len;
}

/* Feeds a copy of exactly these bytes, so that a sanitizer sees every byte read beyond them. */
static void feed_piece(struct fixture *fixture, const uint8_t *data, size_t len, size_t *received)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, data, len);
    size_t position = 0;
    struct frame_message message;
    do {
        size_t consumed = 99999;
        assert_int_equal(pgrpc__deframer_feed(&fixture->deframer, copy + position, len - position,
                                              &consumed, &message, &fixture->error),
                         PGRPC_OK);
        assert_in_range(consumed, 0, len - position);
        position += consumed;
        if (!message.chunk) {
            assert_false(message.is_compressed);
            continue;
        }
        assert_in_range(*received, 0, MESSAGE_COUNT - 1);
        assert_int_equal(message.is_compressed, *received % 2 == 1);
        assert_int_equal(message.chunk->len, lengths[*received]);
        for (size_t i = 0; i < message.chunk->len; i++)
            assert_int_equal(message.chunk->data[i], *received);
        pgrpc__chunk_unref(message.chunk);
        (*received)++;
    } while (message.chunk);
    assert_int_equal(position, len);
    free(copy);
}

static void rule_28_prefix_is_flag_and_big_endian_length(void **state)
{
    static const uint8_t expected[] = {1, 0x12, 0x34, 0x56, 0x78, 0, 0, 0, 0, 9};
    uint8_t prefix[10];
    (void)state;
    pgrpc__frame_put_prefix(prefix, true, 0x12345678);
    pgrpc__frame_put_prefix(prefix + 5, false, 9);
    assert_memory_equal(prefix, expected, sizeof(expected));
}

static void rule_28_split_at_any_two_bytes(void **state)
{
    uint8_t stream[512];
    size_t len = build_stream(stream);
    (void)state;
    for (size_t first = 0; first <= len; first++) {
        for (size_t second = first; second <= len; second++) {
            struct fixture fixture;
            size_t received = 0;
            start(&fixture, 0);
            feed_piece(&fixture, stream, first, &received);
            feed_piece(&fixture, stream + first, second - first, &received);
            feed_piece(&fixture, stream + second, len - second, &received);
            assert_int_equal(received, MESSAGE_COUNT);
            assert_false(pgrpc__deframer_is_inside(&fixture.deframer));
            stop(&fixture);
        }
    }
}

static void rule_28_one_byte_at_a_time(void **state)
{
    uint8_t stream[512];
    size_t len = build_stream(stream), received = 0;
    struct fixture fixture;
    (void)state;
    start(&fixture, 0);
    for (size_t i = 0; i < len; i++) {
        feed_piece(&fixture, stream + i, 1, &received);
        feed_piece(&fixture, stream + i, 0, &received);
    }
    assert_int_equal(received, MESSAGE_COUNT);
    stop(&fixture);
}

static void rule_28_other_flags_fail(void **state)
{
    (void)state;
    for (unsigned flag = 2; flag < 256; flag++) {
        struct fixture fixture;
        uint8_t data[] = {(uint8_t)flag, 0, 0, 0, 0};
        size_t consumed;
        struct frame_message message;
        start(&fixture, 0);
        assert_int_equal(
            pgrpc__deframer_feed(&fixture.deframer, data, 5, &consumed, &message, &fixture.error),
            PGRPC_INTERNAL);
        assert_non_null(strstr(fixture.error.text, "flag"));
        assert_int_equal(faulty_allocator_count(&fixture.faulty), 0);
        stop(&fixture);
    }
}

static enum pgrpc_code feed_prefix(struct fixture *fixture, uint32_t len,
                                   struct frame_message *message)
{
    uint8_t prefix[FRAME_PREFIX_LEN];
    size_t consumed;
    pgrpc__frame_put_prefix(prefix, false, len);
    return pgrpc__deframer_feed(&fixture->deframer, prefix, sizeof(prefix), &consumed, message,
                                &fixture->error);
}

static void rule_29_limit_is_checked_before_allocating(void **state)
{
    static const uint32_t too_long[] = {LIMIT + 1, 2 * LIMIT, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};
    struct frame_message message;
    struct fixture fixture;
    (void)state;
    for (uint32_t len = LIMIT - 1; len <= LIMIT; len++) {
        start(&fixture, 0);
        assert_int_equal(feed_prefix(&fixture, len, &message), PGRPC_OK);
        stop(&fixture);
    }
    for (size_t i = 0; i < sizeof(too_long) / sizeof(too_long[0]); i++) {
        char number[16];
        start(&fixture, 0);
        assert_int_equal(feed_prefix(&fixture, too_long[i], &message), PGRPC_RESOURCE_EXHAUSTED);
        snprintf(number, sizeof(number), "%lu", (unsigned long)too_long[i]);
        assert_non_null(strstr(fixture.error.text, number));
        assert_non_null(strstr(fixture.error.text, "1000"));
        assert_int_equal(faulty_allocator_count(&fixture.faulty), 0);
        stop(&fixture);
    }
}

static void rule_29_limit_zero_takes_empty_messages_only(void **state)
{
    struct frame_message message;
    struct fixture fixture;
    (void)state;
    start(&fixture, 0);
    fixture.deframer.max_len = 0;
    assert_int_equal(feed_prefix(&fixture, 0, &message), PGRPC_OK);
    assert_non_null(message.chunk);
    pgrpc__chunk_unref(message.chunk);
    assert_int_equal(feed_prefix(&fixture, 1, &message), PGRPC_RESOURCE_EXHAUSTED);
    stop(&fixture);
}

static void memory_grows_with_what_arrived(void **state)
{
    enum { DECLARED = 4 * 1024 * 1024 };
    static uint8_t data[DECLARED];
    struct frame_message message;
    struct fixture fixture;
    size_t consumed;
    (void)state;
    start(&fixture, 0);
    fixture.deframer.max_len = DECLARED;
    assert_int_equal(feed_prefix(&fixture, DECLARED, &message), PGRPC_OK);
    assert_int_equal(fixture.mem.live_bytes, 0);
    for (size_t received = 0, part = 1; received < DECLARED;) {
        if (part > DECLARED - received)
            part = DECLARED - received;
        assert_int_equal(pgrpc__deframer_feed(&fixture.deframer, data, part, &consumed, &message,
                                              &fixture.error),
                         PGRPC_OK);
        received += part;
        /* Twice, and what a size class wastes. */
        assert_in_range(fixture.mem.live_bytes, received, 3 * received + 256);
        part = 1 + part * 5 / 4;
    }
    assert_non_null(message.chunk);
    assert_in_range(message.chunk->cap, DECLARED, DECLARED + 4096);
    pgrpc__chunk_unref(message.chunk);
    stop(&fixture);
}

static void a_message_in_one_piece_is_allocated_once(void **state)
{
    uint8_t data[FRAME_PREFIX_LEN + 700] = {0};
    struct frame_message message;
    struct fixture fixture;
    size_t consumed;
    (void)state;
    start(&fixture, 0);
    pgrpc__frame_put_prefix(data, false, 700);
    assert_int_equal(pgrpc__deframer_feed(&fixture.deframer, data, sizeof(data), &consumed,
                                          &message, &fixture.error),
                     PGRPC_OK);
    assert_int_equal(consumed, sizeof(data));
    assert_int_equal(message.chunk->len, 700);
    assert_int_equal(faulty_allocator_count(&fixture.faulty), 1);
    pgrpc__chunk_unref(message.chunk);
    stop(&fixture);
}

static void rule_30_an_incomplete_message_is_known(void **state)
{
    uint8_t stream[512];
    size_t len = build_stream(stream);
    (void)state;
    for (size_t cut = 0; cut <= len; cut++) {
        size_t start_of_message = 0, index = 0;
        while (index < MESSAGE_COUNT && start_of_message + FRAME_PREFIX_LEN + lengths[index] <= cut)
            start_of_message += FRAME_PREFIX_LEN + lengths[index++];
        size_t held = cut - start_of_message;
        size_t missing = held < FRAME_PREFIX_LEN ? FRAME_PREFIX_LEN - held
                                                 : FRAME_PREFIX_LEN + lengths[index] - held;
        struct fixture fixture;
        size_t received = 0;
        start(&fixture, 0);
        feed_piece(&fixture, stream, cut, &received);
        assert_int_equal(received, index);
        assert_int_equal(pgrpc__deframer_is_inside(&fixture.deframer), held > 0);
        assert_int_equal(pgrpc__deframer_held(&fixture.deframer), held);
        assert_int_equal(pgrpc__deframer_missing(&fixture.deframer), missing);
        stop(&fixture);
    }
}

static void an_error_comes_again(void **state)
{
    struct frame_message message;
    struct fixture fixture;
    size_t consumed;
    (void)state;
    start(&fixture, 0);
    assert_int_equal(feed_prefix(&fixture, LIMIT + 1, &message), PGRPC_RESOURCE_EXHAUSTED);
    assert_int_equal(pgrpc__deframer_feed(&fixture.deframer, (const uint8_t *)"", 0, &consumed,
                                          &message, &fixture.error),
                     PGRPC_RESOURCE_EXHAUSTED);
    pgrpc__deframer_clear(&fixture.deframer);
    assert_int_equal(feed_prefix(&fixture, LIMIT, &message), PGRPC_OK);
    stop(&fixture);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        uint8_t stream[FRAME_PREFIX_LEN + 900] = {0};
        struct frame_message message = {NULL, false};
        struct fixture fixture;
        enum pgrpc_code code = PGRPC_OK;
        start(&fixture, n);
        pgrpc__frame_put_prefix(stream, false, 900);
        for (size_t i = 0; i < sizeof(stream) && code == PGRPC_OK; i++) {
            size_t consumed;
            code = pgrpc__deframer_feed(&fixture.deframer, stream + i, 1, &consumed, &message,
                                        &fixture.error);
        }
        bool failed = faulty_allocator_has_failed(&fixture.faulty);
        assert_int_equal(code, failed ? PGRPC_RESOURCE_EXHAUSTED : PGRPC_OK);
        if (failed)
            assert_non_null(strstr(fixture.error.text, "memory"));
        else
            assert_int_equal(message.chunk->len, 900);
        pgrpc__chunk_unref(message.chunk);
        stop(&fixture);
        if (!failed) {
            assert_in_range(n, 3, 20);
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rule_28_prefix_is_flag_and_big_endian_length),
        cmocka_unit_test(rule_28_split_at_any_two_bytes),
        cmocka_unit_test(rule_28_one_byte_at_a_time),
        cmocka_unit_test(rule_28_other_flags_fail),
        cmocka_unit_test(rule_29_limit_is_checked_before_allocating),
        cmocka_unit_test(rule_29_limit_zero_takes_empty_messages_only),
        cmocka_unit_test(memory_grows_with_what_arrived),
        cmocka_unit_test(a_message_in_one_piece_is_allocated_once),
        cmocka_unit_test(rule_30_an_incomplete_message_is_known),
        cmocka_unit_test(an_error_comes_again),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
