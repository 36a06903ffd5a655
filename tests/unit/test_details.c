#include "../support/unit.h"
#include "../support/faulty_allocator.h"

#include <stdlib.h>

#include "base/mem.h"
#include "wire/details.h"

static bool parse(const void *data, size_t len, struct details *details)
{
    void *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, data, len);
    bool parsed = pgrpc__details_parse(copy, len, details);
    size_t position = 0, count = 0;
    struct pgrpc_bytes any;
    while (pgrpc__details_next(copy, len, &position, &any))
        count++;
    assert_in_range(position, 0, len);
    if (parsed) {
        assert_int_equal(count, details->any_count);
        details->message.data =
            (const char *)data + ((const char *)details->message.data - (char *)copy);
    }
    free(copy);
    return parsed;
}

static void rule_44_code_message_and_anys(void **state)
{
    /* code 5, message "gone", two details, an unknown string and an unknown fixed64 between them */
    static const uint8_t data[] = {
        0x08, 5, 0x12, 4, 'g', 'o', 'n', 'e', 0x1a, 2, 0x0a, 0, 0x22, 1,    'x',  0x1a, 0,    0x29,
        1,    2, 3,    4, 5,   6,   7,   8,   0x35, 1, 2,    3, 4,    0x98, 0x06, 0x96, 0x01,
    };
    struct details details;
    struct pgrpc_bytes any;
    size_t position = 0;
    (void)state;
    assert_true(parse(data, sizeof(data), &details));
    assert_int_equal(details.code, 5);
    assert_int_equal(details.message.len, 4);
    assert_memory_equal(details.message.data, "gone", 4);
    assert_int_equal(details.any_count, 2);
    assert_true(pgrpc__details_next(data, sizeof(data), &position, &any));
    assert_int_equal(any.len, 2);
    assert_ptr_equal(any.data, data + 10);
    assert_true(pgrpc__details_next(data, sizeof(data), &position, &any));
    assert_int_equal(any.len, 0);
    assert_false(pgrpc__details_next(data, sizeof(data), &position, &any));
}

static void rule_44_truncated(void **state)
{
    static const uint8_t data[] = {0x08, 5,    0x12, 2,    'a',  'b', 0x1a, 3, 1, 2,
                                   3,    0x08, 0x80, 0x01, 0x29, 1,   2,    3, 4, 5,
                                   6,    7,    8,    0x35, 1,    2,   3,    4};
    static const uint8_t whole[] = {0, 2, 6, 11, 14, 23, 28};
    struct details details;
    (void)state;
    for (size_t len = 0, next = 0; len <= sizeof(data); len++) {
        bool is_whole = whole[next] == len;
        next += is_whole;
        assert_int_equal(parse(data, len, &details), is_whole);
    }
    assert_int_equal(details.code, 128);
}

static void rule_44_malformed(void **state)
{
    static const struct {
        const char *data;
        size_t len;
    } table[] = {
        {"\x00", 1}, /* field 0 */
        {"\x07", 1}, /* field 0, wire type 7 */
        {"\x0b", 1}, /* group */
        {"\x0c", 1},
        {"\x0e\x00", 2},
        {"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11}, /* length 2^64-1 */
        {"\x12\xff\xff\xff\xff\x0f", 6},
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12}, /* varint of eleven bytes */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", 11},     /* tag above 32 bits */
    };
    struct details details;
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        assert_false(parse(table[i].data, table[i].len, &details));
}

static void rule_44_last_value_and_wrong_types(void **state)
{
    /* code twice; message as a varint and details as fixed32 are unknown fields */
    static const uint8_t data[] = {0x08, 1,    0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                   0xff, 0xff, 0x01, 0x10, 3,    0x1d, 1,    2,    3,    4};
    struct details details;
    (void)state;
    assert_true(parse(data, sizeof(data), &details));
    assert_int_equal(details.code, -1);
    assert_int_equal(details.message.len, 0);
    assert_int_equal(details.any_count, 0);
}

static void rule_44_written_and_read(void **state)
{
    static const size_t lengths[] = {0, 1, 127, 128, 16383, 16384};
    enum { COUNT = sizeof(lengths) / sizeof(lengths[0]) };
    static char text[20000];
    struct arena arena;
    (void)state;
    memset(text, 'm', sizeof(text));
    pgrpc__arena_init(&arena, &pgrpc__default_allocator, NULL, 0);
    for (size_t message = 0; message < COUNT; message++) {
        for (size_t count = 0; count <= COUNT; count++) {
            struct pgrpc_bytes anys[COUNT], status, any;
            struct details details;
            size_t position = 0;
            for (size_t i = 0; i < COUNT; i++)
                anys[i] = (struct pgrpc_bytes){text, lengths[i]};
            assert_int_equal(pgrpc__details_write(&arena, (enum pgrpc_code)message, text,
                                                  lengths[message], anys, count, &status),
                             PGRPC_OK);
            assert_true(parse(status.data, status.len, &details));
            assert_int_equal(details.code, message);
            assert_int_equal(details.message.len, lengths[message]);
            assert_int_equal(details.any_count, count);
            for (size_t i = 0; i < count; i++) {
                assert_true(pgrpc__details_next(status.data, status.len, &position, &any));
                assert_int_equal(any.len, lengths[i]);
                assert_memory_equal(any.data, text, any.len);
            }
        }
    }
    struct pgrpc_bytes status, huge = {text, SIZE_MAX - 3};
    assert_int_equal(pgrpc__details_write(&arena, PGRPC_ABORTED, NULL, 0, &huge, 1, &status),
                     PGRPC_RESOURCE_EXHAUSTED);
    assert_int_equal(
        pgrpc__details_write(&arena, PGRPC_ABORTED, text, SIZE_MAX - 3, NULL, 0, &status),
        PGRPC_RESOURCE_EXHAUSTED);
    pgrpc__arena_clear(&arena);
}

static void every_allocation_may_fail(void **state)
{
    struct faulty_allocator faulty;
    struct arena arena;
    struct pgrpc_bytes status;
    (void)state;
    faulty_allocator_init(&faulty, 1);
    pgrpc__arena_init(&arena, &faulty.hook, NULL, 0);
    assert_int_equal(pgrpc__details_write(&arena, PGRPC_ABORTED, "x", 1, NULL, 0, &status),
                     PGRPC_RESOURCE_EXHAUSTED);
    pgrpc__arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rule_44_code_message_and_anys),
        cmocka_unit_test(rule_44_truncated),
        cmocka_unit_test(rule_44_malformed),
        cmocka_unit_test(rule_44_last_value_and_wrong_types),
        cmocka_unit_test(rule_44_written_and_read),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
