#include "../support/unit.h"
#include "../support/faulty_allocator.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/codec.h"
#include "codec/protobuf.h"
#include "codec2.pb-c.h"
#include "codec3.pb-c.h"

enum { MIB = 1024 * 1024 };

static struct arena arena;
static const char *error;

static int start(void **state)
{
    (void)state;
    pgrpc__arena_init(&arena, &pgrpc__default_allocator, NULL, 0);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    pgrpc__arena_clear(&arena);
    return 0;
}

/* From a copy of exactly these bytes, which lives until the next one: a message points into them.
 */
static enum pgrpc_code decode(const ProtobufCMessageDescriptor *type, const void *data, size_t len,
                              const void **message)
{
    static uint8_t *copy;
    free(copy);
    copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, data, len);
    *message = NULL;
    error = NULL;
    enum pgrpc_code code =
        pgrpc_codec_proto.decode(type, copy, len, codec_arena(&arena), message, &error);
    assert_int_equal(code == PGRPC_OK, *message != NULL);
    assert_int_equal(code == PGRPC_OK, error == NULL);
    return code;
}

static void expect_malformed(const ProtobufCMessageDescriptor *type, const void *data, size_t len,
                             const char *text)
{
    const void *message;
    enum pgrpc_code code = decode(type, data, len, &message);
    if (code != PGRPC_INTERNAL || !strstr(error, text))
        fail_msg("code %d, text \"%s\", expected \"%s\"", (int)code, error ? error : "none", text);
}

static void expect_fine(const ProtobufCMessageDescriptor *type, const void *data, size_t len)
{
    const void *message;
    if (decode(type, data, len, &message) != PGRPC_OK)
        fail_msg("%s", error);
}

#define HELLO &codec3__hello__descriptor
#define TREE &codec3__tree__descriptor
#define SCALARS &codec3__scalars__descriptor
#define REPEATED &codec3__repeated__descriptor

static void messages_are_decoded(void **state)
{
    const void *message;
    (void)state;
    assert_int_equal(decode(HELLO, "\x0a\x05world", 7, &message), PGRPC_OK);
    assert_string_equal(((const Codec3__Hello *)message)->name, "world");
    assert_int_equal(decode(HELLO, "", 0, &message), PGRPC_OK);
    assert_string_equal(((const Codec3__Hello *)message)->name, "");
    assert_int_equal(decode(&codec3__empty__descriptor, "\x0a\x01x", 3, &message), PGRPC_OK);
    assert_int_equal(((const ProtobufCMessage *)message)->n_unknown_fields, 1);
    assert_int_equal(
        pgrpc_codec_proto.decode(HELLO, NULL, 0, codec_arena(&arena), &message, &error), PGRPC_OK);
    static const uint8_t nested[] = {0x0a, 2, 0x1a, 0, 0x12, 3, 0x1a, 1, 'a', 0x12, 0};
    assert_int_equal(decode(TREE, nested, sizeof(nested), &message), PGRPC_OK);
    const Codec3__Tree *tree = message;
    assert_non_null(tree->child);
    assert_int_equal(tree->n_children, 2);
    assert_string_equal(tree->children[0]->name, "a");
}

static void rule_34_malformed_bytes_are_internal(void **state)
{
    static const struct {
        const char *data;
        size_t len;
        const char *text;
    } table[] = {
        {"\x00", 1, "tag"},
        {"\x02\x00", 2, "tag"}, /* field 0 */
        {"\x80\x00", 2, "tag"},
        {"\x82\x80\x00\x00", 4, "tag"},
        {"\x0e", 1, "tag"}, /* wire types 6 and 7 */
        {"\x0f", 1, "tag"},
        {"\x80", 1, "tag"},
        {"\x8a\x80\x80\x80", 4, "tag"},
        {"\x8a\x80\x80\x80\x80\x00", 6, "tag"}, /* six bytes */
        {"\xfa\xff\xff\xff\x1f\x00", 6, "tag"}, /* above 2^29 - 1 */
        {"\x0c", 1, "group"},                   /* an end without a start */
        {"\x0b", 1, "group"},                   /* a start without an end */
        {"\x0b\x14", 2, "group"},
        {"\x0b\x13\x0c\x14", 4, "group"},
        {"\x0b\x10\x0c", 3, "group"},
        {"\x0b\x10\xff", 3, "varint"},
        {"\x0b\x12\x02\x0c", 4, "truncated"},
        {"\x0b\x00\x0c", 3, "tag"},
        {"\x0b\x16\x0c", 3, "tag"},
        {"\x0a", 1, "length"},
        {"\x0a\x80", 2, "length"},
        {"\x0a\x80\x80\x80\x80\x80\x00", 7, "length"}, /* six bytes */
        {"\x0a\xff\xff\xff\xff\x1f", 6, "length"},     /* above 2^32 - 1 */
        {"\x0a\xff\xff\xff\xff\x0f", 6, "truncated"},
        {"\x0a\x01", 2, "truncated"},
        {"\x0a\x02x", 3, "truncated"},
        {"\x0d\x00\x00\x00", 4, "truncated"},
        {"\x09\x00\x00\x00\x00\x00\x00\x00", 8, "truncated"},
        {"\x10", 1, "varint"},
        {"\x10\x80", 2, "varint"},
        {"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x80\x00", 12, "varint"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        expect_malformed(HELLO, table[i].data, table[i].len, table[i].text);
    /* inside a nested message, the end of the outer one does not count */
    expect_malformed(TREE, "\x0a\x02\x1a\x01x", 5, "truncated");
    expect_malformed(TREE, "\x0a\x01\x1a\x01x", 5, "length");
    expect_malformed(TREE, "\x0a\x01\x20\x05", 4, "varint");
    expect_fine(HELLO, "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 11);
    expect_fine(HELLO, "\x8a\x80\x80\x80\x00\x00", 6); /* field 1 in five bytes */
    expect_fine(HELLO, "\xfa\xff\xff\xff\x0f\x00", 6); /* field 2^29 - 1 */
    expect_fine(HELLO, "\x0a\x80\x80\x80\x80\x00", 6); /* length 0 in five bytes */
}

static void required_fields_must_be_there(void **state)
{
    (void)state;
    expect_malformed(&codec2__inner__descriptor, "", 0, "missing");
    expect_fine(&codec2__inner__descriptor, "\x0a\x00", 2);
}

static void strings_are_utf8_without_nul(void **state)
{
    static const struct {
        const ProtobufCMessageDescriptor *type;
        const char *before;
        size_t len;
    } places[] = {
        {HELLO, "\x0a", 1},
        {SCALARS, "\x08\x01\x10\x02\x7a", 5},
        {REPEATED, "\x7a\x00\x7a\x01z\x7a", 6},
        {&codec3__choice__descriptor, "\x12", 1},
        {&codec3__choice__descriptor, "\x08\x01\x3a", 3},
        {&codec2__optional__descriptor, "\x12", 1},
        {TREE, "\x0a\x02\x1a\x00\x1a", 5},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        char data[40];
        size_t len = places[i].len;
        memcpy(data, places[i].before, len);
        memcpy(data + len,
               "\x04"
               "a\xc3\xa9"
               "b",
               5);
        expect_fine(places[i].type, data, len + 5);
        data[len + 2] = '\0';
        data[len + 3] = 'c';
        expect_malformed(places[i].type, data, len + 5, "NUL");
        data[len + 2] = '\xc3';
        expect_malformed(places[i].type, data, len + 5, "UTF-8");
        memcpy(data + len, "\x03\xed\xa0\x80", 4);
        expect_malformed(places[i].type, data, len + 4, "UTF-8");
    }
    /* nested, and a map's key */
    expect_malformed(TREE, "\x0a\x05\x12\x03\x1a\x01\xff", 7, "UTF-8");
    expect_malformed(&codec3__maps__descriptor, "\x0a\x03\x0a\x01\xff", 5, "UTF-8");
    /* bytes and unknown fields hold anything */
    expect_fine(SCALARS, "\x82\x01\x02\xff\x00", 5);
    expect_fine(HELLO, "\x12\x02\xff\x00", 4);
}

/* Every string field of a type with gaps in its numbers is found, from every field before it. */
static void fields_are_found_in_any_order(void **state)
{
    static const uint32_t ids[] = {1, 2, 10, 11, 500, 536870911, 3, 9, 12, 499, 501, 536870910};
    enum { KNOWN = 6, COUNT = sizeof(ids) / sizeof(ids[0]) };
    (void)state;
    for (size_t first = 0; first < COUNT; first++) {
        for (size_t second = 0; second < COUNT; second++) {
            uint8_t data[20];
            size_t len = 0;
            for (size_t i = 0; i < 2; i++) {
                uint32_t tag = ids[i ? second : first] << 3 | 2;
                for (; tag >= 0x80; tag >>= 7)
                    data[len++] = (uint8_t)(tag | 0x80);
                data[len++] = (uint8_t)tag;
                data[len++] = 1;
                data[len++] = i ? 0xFF : 'x';
            }
            if (second < KNOWN)
                expect_malformed(&codec2__gaps__descriptor, data, len, "UTF-8");
            else
                expect_fine(&codec2__gaps__descriptor, data, len);
        }
    }
}

/* |depth| trees, each in the one before, through field 1 and field 2 in turn. */
static uint8_t *nest(size_t depth, size_t *len)
{
    size_t cap = 8 + depth * 6;
    uint8_t *buffer = malloc(cap), *at = buffer + cap;
    assert_non_null(buffer);
    for (size_t i = 0; i < depth; i++) {
        size_t inner = (size_t)(buffer + cap - at);
        uint8_t varint[5];
        size_t count = 0;
        for (; inner >= 0x80; inner >>= 7)
            varint[count++] = (uint8_t)(inner | 0x80);
        varint[count++] = (uint8_t)inner;
        at -= count;
        memcpy(at, varint, count);
        *--at = i % 2 ? 0x0a : 0x12;
    }
    *len = (size_t)(buffer + cap - at);
    memmove(buffer, at, *len);
    return buffer;
}

static void message_types_need_no_init_helper(void **state)
{
    ProtobufCMessageDescriptor choice = codec3__choice__descriptor;
    ProtobufCMessageDescriptor optional = codec2__optional__descriptor;
    const void *message;
    (void)state;
    choice.message_init = optional.message_init = NULL;
    assert_int_equal(decode(&choice, "\x22\x03\x0a\x01x", 5, &message), PGRPC_OK);
    const Codec3__Choice *chosen = message;
    assert_int_equal(chosen->value_case, CODEC3__CHOICE__VALUE_HELLO);
    assert_string_equal(chosen->hello->name, "x");
    assert_string_equal(chosen->after, "");
    assert_int_equal(decode(&optional, "", 0, &message), PGRPC_OK);
    const Codec2__Optional *defaults = message;
    assert_ptr_equal(defaults->base.descriptor, &optional);
    assert_int_equal(defaults->number, 7);
    assert_string_equal(defaults->text, "seven");
    assert_int_equal(defaults->data.len, 2);
    assert_int_equal(defaults->flag, 1);
    assert_int_equal(defaults->has_number | defaults->has_data | defaults->has_flag, 0);
}

static void depth_is_limited(void **state)
{
    static const size_t depths[] = {1, 2, 99, 100, 101, 102, 1000, 1000000};
    (void)state;
    for (size_t i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
        size_t len;
        uint8_t *data = nest(depths[i], &len);
        if (depths[i] <= PROTOBUF_DEPTH_MAX)
            expect_fine(TREE, data, len);
        else
            expect_malformed(TREE, data, len, "deep");
        free(data);
    }
}

static void *decode_on_a_small_stack(void *data)
{
    size_t len = *(size_t *)data;
    const void *message;
    error = "";
    pgrpc_codec_proto.decode(TREE, (uint8_t *)data + sizeof(size_t), len, codec_arena(&arena),
                             &message, &error);
    return NULL;
}

static void a_million_levels_need_no_stack(void **state)
{
    pthread_attr_t attributes;
    pthread_t thread;
    size_t len;
    (void)state;
    uint8_t *nested = nest(1000000, &len);
    uint8_t *data = malloc(sizeof(len) + len);
    memcpy(data, &len, sizeof(len));
    memcpy(data + sizeof(len), nested, len);
    free(nested);
    pthread_attr_init(&attributes);
    assert_int_equal(pthread_attr_setstacksize(&attributes, 64 * 1024), 0);
    assert_int_equal(pthread_create(&thread, &attributes, decode_on_a_small_stack, data), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    assert_non_null(strstr(error, "deep"));
    free(data);
}

static uint8_t *repeat(const char *pattern, size_t pattern_len, size_t len)
{
    uint8_t *data = malloc(len);
    assert_non_null(data);
    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)pattern[i % pattern_len];
    return data;
}

/* Small fields that become large structs.  What costs less than the budget is simply decoded. */
static void amplification_stops_at_the_budget(void **state)
{
    static const struct {
        const ProtobufCMessageDescriptor *type;
        const char *pattern;
        size_t len;
        enum pgrpc_code code;
    } shapes[] = {
        /* empty messages, also of a map */
        {TREE, "\x12\x00", 2, PGRPC_RESOURCE_EXHAUSTED},
        {&codec3__maps__descriptor, "\x0a\x00", 2, PGRPC_RESOURCE_EXHAUSTED},
        {&codec3__maps__descriptor, "\x12\x00", 2, PGRPC_RESOURCE_EXHAUSTED},
        /* the same in parts of one message */
        {TREE, "\x0a\x04\x12\x00\x12\x00", 6, PGRPC_RESOURCE_EXHAUSTED},
        /* unknown fields */
        {HELLO, "\x10\x01", 2, PGRPC_RESOURCE_EXHAUSTED},
        {HELLO, "\x13\x14", 2, PGRPC_RESOURCE_EXHAUSTED},
        {REPEATED, "\x7a\x00", 2, PGRPC_OK},     /* empty strings */
        {REPEATED, "\x82\x01\x00", 3, PGRPC_OK}, /* empty bytes */
        {REPEATED, "\xa8\x06\x01", 3, PGRPC_OK}, /* integers that are not packed */
        {TREE, "\x0a\x02\x20\x01", 4, PGRPC_OK}, /* in parts, with an array that grows */
        {HELLO, "\x0a\x00", 2, PGRPC_OK},        /* a string again and again */
    };
    enum { LEN = 4 * MIB, BUDGET = CODEC_BUDGET_FACTOR * LEN };
    (void)state;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        size_t len = LEN / shapes[i].len * shapes[i].len;
        uint8_t *data = repeat(shapes[i].pattern, shapes[i].len, len);
        const void *message;
        arena.budget = BUDGET;
        enum pgrpc_code code = decode(shapes[i].type, data, len, &message);
        if (code != shapes[i].code)
            fail_msg("shape %zu: code %d, %zu bytes", i, (int)code, arena.used);
        if (code)
            assert_non_null(strstr(error, "limit"));
        assert_in_range(arena.used, 0, BUDGET);
        free(data);
        pgrpc__arena_reset(&arena);
    }
    /* What a packed array costs is within it. */
    uint8_t *data = calloc(1, LEN);
    memcpy(data, "\x0a\xfb\xff\xff\x01", 5);
    expect_fine(REPEATED, data, LEN);
    free(data);
}

/* A message with something of everything, and what decoding it takes. */
static uint8_t *rich_message(size_t *len)
{
    static const char pattern[] = "\x0a\x06\x1a\x01"
                                  "a\x22\x01\x05\x12\x04\x1a\x02xy\x1a\x01z"
                                  "\x22\x03\x01\x02\x03\xaa\x06\x02hi";
    *len = 20 * (sizeof(pattern) - 1);
    return repeat(pattern, sizeof(pattern) - 1, *len);
}

static void budget_is_exact(void **state)
{
    size_t len;
    const void *message;
    uint8_t *data = rich_message(&len);
    (void)state;
    expect_fine(TREE, data, len);
    size_t used = arena.used;
    for (size_t budget = 0; budget <= used + 1; budget += budget + 300 < used ? 16 : 1) {
        pgrpc__arena_clear(&arena);
        arena.budget = budget;
        enum pgrpc_code code = decode(TREE, data, len, &message);
        if (budget < used)
            assert_non_null(strstr(error, "limit"));
        assert_int_equal(code, budget < used ? PGRPC_RESOURCE_EXHAUSTED : PGRPC_OK);
    }
    free(data);
}

static void every_allocation_may_fail(void **state)
{
    size_t len;
    uint8_t *data = rich_message(&len);
    (void)state;
    for (size_t n = 1;; n++) {
        struct faulty_allocator faulty;
        const void *message;
        faulty_allocator_init(&faulty, n);
        pgrpc__arena_init(&arena, &faulty.hook, NULL, 0);
        enum pgrpc_code code = decode(TREE, data, len, &message);
        bool failed = faulty_allocator_has_failed(&faulty);
        assert_int_equal(code, failed ? PGRPC_RESOURCE_EXHAUSTED : PGRPC_OK);
        if (failed)
            assert_non_null(strstr(error, "memory"));
        pgrpc__arena_clear(&arena);
        assert_int_equal(faulty_allocator_live(&faulty), 0);
        if (!failed) {
            assert_in_range(n, 3, 100);
            break;
        }
    }
    free(data);
}

static void every_cut_and_every_changed_byte_is_survived(void **state)
{
    static const uint8_t data[] = {
        0x08, 1, 0x10, 2,    0x25, 1, 2,    3, 4,   0x49, 1,    2,    3,   4,    5,    6,
        7,    8, 0x68, 1,    0x70, 1, 0x7a, 5, 'h', 0xe2, 0x98, 0xba, '!', 0x82, 0x01, 3,
        0,    1, 2,    0x82, 0x7d, 4, 0x0a, 2, 'h', 'i',  0xfa, 0x7f, 1,   0,
    };
    const void *message;
    (void)state;
    expect_fine(SCALARS, data, sizeof(data));
    for (size_t len = 0; len <= sizeof(data); len++) {
        enum pgrpc_code code = decode(SCALARS, data, len, &message);
        assert_true(code == PGRPC_OK || code == PGRPC_INTERNAL);
    }
    for (size_t i = 0; i < sizeof(data); i++) {
        for (unsigned value = 0; value < 256; value++) {
            uint8_t changed[sizeof(data)];
            memcpy(changed, data, sizeof(data));
            changed[i] = (uint8_t)value;
            enum pgrpc_code code = decode(SCALARS, changed, sizeof(data), &message);
            assert_true(code == PGRPC_OK || code == PGRPC_INTERNAL);
        }
        pgrpc__arena_reset(&arena);
    }
}

/* What passes the scan never makes protobuf-c go deeper than the limit or crash. */
static void random_bytes_are_survived(void **state)
{
    static const ProtobufCMessageDescriptor *const types[] = {TREE,
                                                              SCALARS,
                                                              REPEATED,
                                                              &codec3__maps__descriptor,
                                                              &codec3__choice__descriptor,
                                                              &codec2__optional__descriptor,
                                                              &codec2__required__descriptor};
    unsigned accepted = 0;
    (void)state;
    srandom(34);
    for (int turn = 0; turn < 200000; turn++) {
        static const uint8_t likely[] = {0x0a, 0x12, 0x1a, 0x22, 0x7a, 0x08,
                                         0x82, 0x01, 0,    1,    2,    3};
        uint8_t data[24];
        size_t len = (size_t)random() % sizeof(data);
        for (size_t i = 0; i < len; i++)
            data[i] = random() % 4 ? likely[(size_t)random() % sizeof(likely)] : (uint8_t)random();
        const void *message;
        accepted += decode(types[(size_t)random() % 7], data, len, &message) == PGRPC_OK;
        pgrpc__arena_reset(&arena);
    }
    assert_in_range(accepted, 5000, 195000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(messages_are_decoded, start, stop),
        cmocka_unit_test_setup_teardown(rule_34_malformed_bytes_are_internal, start, stop),
        cmocka_unit_test_setup_teardown(required_fields_must_be_there, start, stop),
        cmocka_unit_test_setup_teardown(strings_are_utf8_without_nul, start, stop),
        cmocka_unit_test_setup_teardown(fields_are_found_in_any_order, start, stop),
        cmocka_unit_test_setup_teardown(message_types_need_no_init_helper, start, stop),
        cmocka_unit_test_setup_teardown(depth_is_limited, start, stop),
        cmocka_unit_test_setup_teardown(a_million_levels_need_no_stack, start, stop),
        cmocka_unit_test_setup_teardown(amplification_stops_at_the_budget, start, stop),
        cmocka_unit_test_setup_teardown(budget_is_exact, start, stop),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test_setup_teardown(every_cut_and_every_changed_byte_is_survived, start, stop),
        cmocka_unit_test_setup_teardown(random_bytes_are_survived, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
