#include "../support/unit.h"
#include "../support/faulty_allocator.h"

#include <limits.h>
#include <stdlib.h>

#include "base/mem.h"
#include "codec/codec.h"
#include "codec/protobuf.h"
#include "codec2.pb-c.h"
#include "codec3.pb-c.h"

static struct arena arena;

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

/* In one pass, beginning with |room| bytes for the output. */
static bool serialize(const ProtobufCMessageDescriptor *type, const void *message, size_t room,
                      struct arena *output, const uint8_t **data, size_t *len)
{
    enum { BUDGET = 64 * 1024 * 1024 };
    static _Alignas(16) char first[4096];
    assert_in_range(room, 0, sizeof(first));
    pgrpc__arena_init(output, &pgrpc__default_allocator, first, room);
    output->budget = BUDGET;
    return pgrpc_codec_proto.serialize(type, message, codec_arena(output), data, len);
}

/* Into exactly as many bytes as measuring said, and in one pass; to be freed. */
static uint8_t *encode(const ProtobufCMessageDescriptor *type, const void *message, size_t *len)
{
    const char *error = NULL;
    if (pgrpc_codec_proto.measure(type, message, len, &error) != PGRPC_OK)
        fail_msg("%s", error);
    uint8_t *data = malloc(*len > 0 ? *len : 1);
    assert_non_null(data);
    memset(data, 0xEE, *len);
    pgrpc_codec_proto.encode(type, message, data, *len);

    static const size_t rooms[] = {0, 600, 2048};
    for (size_t i = 0; i < sizeof(rooms) / sizeof(rooms[0]); i++) {
        struct arena output;
        const uint8_t *again;
        size_t again_len;
        assert_true(serialize(type, message, rooms[i], &output, &again, &again_len));
        assert_int_equal(again_len, *len);
        assert_memory_equal(again, data, *len);
        pgrpc__arena_clear(&output);
    }
    return data;
}

static void expect_bytes(const ProtobufCMessageDescriptor *type, const void *message,
                         const void *expected, size_t expected_len)
{
    size_t len;
    uint8_t *data = encode(type, message, &len);
    assert_int_equal(len, expected_len);
    assert_memory_equal(data, expected, len);
    free(data);
}

static void expect_refused(const ProtobufCMessageDescriptor *type, const void *message,
                           enum pgrpc_code code, const char *text)
{
    const char *error = "none";
    size_t len = 77;
    assert_int_equal(pgrpc_codec_proto.measure(type, message, &len, &error), code);
    assert_int_equal(len, 77);
    if (!strstr(error, text))
        fail_msg("\"%s\" does not say \"%s\"", error, text);
    struct arena output;
    const uint8_t *data;
    assert_false(serialize(type, message, 1024, &output, &data, &len));
    assert_int_equal(len, 77);
    pgrpc__arena_clear(&output);
}

/* --- random messages of any type --- */

static uint64_t random_number(void)
{
    uint64_t number = (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ (uint64_t)random();
    number >>= random() % 64;
    return random() % 4 ? number : -number;
}

static char *random_text(void)
{
    static const char *const parts[] = {"a", "bc", "\xc3\xa9", "\xe2\x98\xba", "\xf0\x9f\x98\x80"};
    char text[400] = "";
    size_t count = (size_t)random() % (random() % 20 ? 5 : 90);
    for (size_t i = 0; i < count; i++)
        strcat(text, parts[random() % 5]);
    return pgrpc__arena_strndup(&arena, text, strlen(text));
}

static ProtobufCMessage *random_message(const ProtobufCMessageDescriptor *type, int depth);

/* A decoded entry always has a key and a value. */
static bool is_entry(const ProtobufCMessageDescriptor *type)
{
    size_t len = strlen(type->name);
    return len > 5 && strcmp(type->name + len - 5, "Entry") == 0;
}

static void fill_value(const ProtobufCFieldDescriptor *field, void *member, int depth)
{
    uint64_t number = random_number();
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        *(char **)member = random_text();
        break;
    case PROTOBUF_C_TYPE_BYTES: {
        ProtobufCBinaryData *bytes = member;
        bytes->data = (uint8_t *)random_text();
        bytes->len = strlen((char *)bytes->data);
        break;
    }
    case PROTOBUF_C_TYPE_MESSAGE:
        *(ProtobufCMessage **)member = random_message(field->descriptor, depth + 1);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)member = number & 1;
        break;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_SFIXED64:
        *(uint64_t *)member = number;
        break;
    case PROTOBUF_C_TYPE_DOUBLE:
        *(double *)member = (double)(int64_t)number / 3;
        break;
    case PROTOBUF_C_TYPE_FLOAT:
        *(float *)member = (float)(int64_t)number / 3;
        break;
    default:
        *(uint32_t *)member = (uint32_t)number;
    }
}

static void fill_repeated(const ProtobufCFieldDescriptor *field, ProtobufCMessage *message,
                          int depth)
{
    static const size_t sizes[] = {
        [PROTOBUF_C_TYPE_STRING] = sizeof(char *),
        [PROTOBUF_C_TYPE_BYTES] = sizeof(ProtobufCBinaryData),
        [PROTOBUF_C_TYPE_MESSAGE] = sizeof(void *),
        [PROTOBUF_C_TYPE_INT64] = 8,
        [PROTOBUF_C_TYPE_SINT64] = 8,
        [PROTOBUF_C_TYPE_UINT64] = 8,
        [PROTOBUF_C_TYPE_FIXED64] = 8,
        [PROTOBUF_C_TYPE_SFIXED64] = 8,
        [PROTOBUF_C_TYPE_DOUBLE] = 8,
    };
    size_t count = (size_t)random() % (random() % 20 ? 4 : 60);
    size_t size = sizes[field->type] ? sizes[field->type] : 4;
    char *values = pgrpc__arena_alloc(&arena, count * size);
    for (size_t i = 0; i < count; i++)
        fill_value(field, values + i * size, depth);
    *(size_t *)((char *)message + field->quantifier_offset) = count;
    *(void **)((char *)message + field->offset) = values;
}

static ProtobufCMessage *random_message(const ProtobufCMessageDescriptor *type, int depth)
{
    ProtobufCMessage *message = pgrpc__arena_alloc(&arena, type->sizeof_message);
    protobuf_c_message_init(type, message);
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        bool is_left_out =
            random() % 3 == 0 || (field->type == PROTOBUF_C_TYPE_MESSAGE && random() % 4 < depth);
        if (is_left_out && field->label != PROTOBUF_C_LABEL_REQUIRED && !is_entry(type))
            continue;
        void *quantifier = (char *)message + field->quantifier_offset;
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            fill_repeated(field, message, depth);
            continue;
        }
        if (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
            *(uint32_t *)quantifier = field->id;
        else if (field->quantifier_offset)
            *(protobuf_c_boolean *)quantifier = 1;
        fill_value(field, (char *)message + field->offset, depth);
    }
    if (random() % 8 == 0) {
        ProtobufCMessageUnknownField *unknown = pgrpc__arena_alloc(&arena, sizeof(*unknown));
        *unknown = (ProtobufCMessageUnknownField){
            .tag = 5000, .wire_type = 2, .len = 3, .data = (uint8_t *)"\x02xy"};
        message->unknown_fields = unknown;
        message->n_unknown_fields = 1;
    }
    return message;
}

static void a_message_without_fields_is_no_bytes(void **state)
{
    Codec3__Empty empty = CODEC3__EMPTY__INIT;
    (void)state;
    expect_bytes(&codec3__empty__descriptor, &empty, "", 0);
}

static void random_messages_are_written_as_protobuf_c_writes_them(void **state)
{
    static const ProtobufCMessageDescriptor *const types[] = {
        &codec3__scalars__descriptor,  &codec3__repeated__descriptor, &codec3__choice__descriptor,
        &codec3__tree__descriptor,     &codec3__maps__descriptor,     &codec2__required__descriptor,
        &codec2__optional__descriptor, &codec2__gaps__descriptor,
    };
    (void)state;
    srandom(2026);
    for (int turn = 0; turn < 20000; turn++) {
        const ProtobufCMessageDescriptor *type = types[turn % 8];
        const ProtobufCMessage *message = random_message(type, 0);
        size_t len, again_len, expected_len = protobuf_c_message_get_packed_size(message);
        uint8_t *expected = malloc(expected_len > 0 ? expected_len : 1);
        protobuf_c_message_pack(message, expected);
        uint8_t *data = encode(type, message, &len);
        if (len != expected_len || memcmp(data, expected, len) != 0)
            fail_msg("%s, turn %d", type->name, turn);

        const void *decoded;
        const char *error;
        assert_int_equal(
            pgrpc_codec_proto.decode(type, data, len, codec_arena(&arena), &decoded, &error),
            PGRPC_OK);
        uint8_t *again = encode(type, decoded, &again_len);
        assert_int_equal(again_len, len);
        assert_memory_equal(again, data, len);
        free(again);
        free(data);
        free(expected);
        pgrpc__arena_reset(&arena);
    }
}

static void a_zeroed_message_is_as_good_as_an_initialised_one(void **state)
{
    Codec3__Hello hello = {.name = (char *)"world"};
    Codec3__Hello *hellos[] = {&hello, &hello};
    Codec3__Scalars scalars = {.hello = &hello};
    Codec3__Repeated repeated = {.n_hello = 2, .hello = hellos};
    Codec3__Empty empty = {.base = {0}};
    (void)state;
    expect_bytes(&codec3__hello__descriptor, &hello, "\x0a\x05world", 7);
    expect_bytes(&codec3__scalars__descriptor, &scalars, "\x82\x7d\x07\x0a\x05world", 10);
    expect_bytes(&codec3__repeated__descriptor, &repeated,
                 "\xa2\x06\x07\x0a\x05world\xa2\x06\x07\x0a\x05world", 20);
    expect_bytes(&codec3__empty__descriptor, &empty, "", 0);
    hello.name = NULL;
    expect_bytes(&codec3__hello__descriptor, &hello, "", 0);
}

static void lengths_of_varints(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits <= 64; bits++) {
        for (int offset = -1; offset <= 1; offset++) {
            uint64_t value = (bits < 64 ? UINT64_C(1) << bits : 0) + (uint64_t)(int64_t)offset;
            Codec3__Scalars scalars = CODEC3__SCALARS__INIT;
            scalars.u64 = value;
            scalars.i32 = (int32_t)(uint32_t)value;
            scalars.s32 = (int32_t)(uint32_t)value;
            scalars.s64 = (int64_t)value;
            size_t len = protobuf_c_message_get_packed_size(&scalars.base);
            uint8_t packed[64];
            assert_in_range(len, 0, sizeof(packed));
            protobuf_c_message_pack(&scalars.base, packed);
            expect_bytes(&codec3__scalars__descriptor, &scalars, packed, len);
        }
    }
}

static void presence(void **state)
{
    Codec3__Scalars scalars = CODEC3__SCALARS__INIT;
    Codec3__Choice choice = CODEC3__CHOICE__INIT;
    Codec2__Optional optional = CODEC2__OPTIONAL__INIT;
    (void)state;
    /* -0.0 is a value, 0.0 is not (protobuf-c drops both) */
    scalars.real = -0.0f;
    scalars.long_real = 0.0;
    expect_bytes(&codec3__scalars__descriptor, &scalars, "\x5d\x00\x00\x00\x80", 5);
    /* a oneof says what is set, be it zero or empty */
    expect_bytes(&codec3__choice__descriptor, &choice, "", 0);
    choice.value_case = CODEC3__CHOICE__VALUE_NUMBER;
    expect_bytes(&codec3__choice__descriptor, &choice, "\x08\x00", 2);
    choice.value_case = CODEC3__CHOICE__VALUE_TEXT;
    choice.text = (char *)protobuf_c_empty_string;
    expect_bytes(&codec3__choice__descriptor, &choice, "\x12\x00", 2);
    choice.text = NULL;
    expect_bytes(&codec3__choice__descriptor, &choice, "", 0);
    choice.value_case = CODEC3__CHOICE__VALUE_DATA;
    choice.data = (ProtobufCBinaryData){0, NULL};
    expect_bytes(&codec3__choice__descriptor, &choice, "\x1a\x00", 2);
    /* has_ of proto2 */
    expect_bytes(&codec2__optional__descriptor, &optional, "", 0);
    optional.has_number = optional.has_data = 1;
    optional.number = 0;
    optional.data = (ProtobufCBinaryData){0, NULL};
    optional.text = (char *)"";
    expect_bytes(&codec2__optional__descriptor, &optional, "\x08\x00\x12\x00\x1a\x00", 6);
}

static void unknown_fields_are_written_again(void **state)
{
    static const uint8_t data[] = {0x0a, 1,    'x', 0x10, 0x96, 1,    0x1d, 1,    2,    3,
                                   4,    0x22, 2,   0,    0xff, 0x29, 1,    2,    3,    4,
                                   5,    6,    7,   8,    0xf8, 0xff, 0xff, 0xff, 0x0f, 0};
    const void *message;
    const char *error;
    (void)state;
    assert_int_equal(pgrpc_codec_proto.decode(&codec3__hello__descriptor, data, sizeof(data),
                                              codec_arena(&arena), &message, &error),
                     PGRPC_OK);
    expect_bytes(&codec3__hello__descriptor, message, data, sizeof(data));
}

static void missing_pointers_are_refused(void **state)
{
    Codec2__Inner inner = CODEC2__INNER__INIT;
    Codec2__Required required = CODEC2__REQUIRED__INIT;
    Codec3__Repeated repeated = CODEC3__REPEATED__INIT;
    Codec3__Scalars scalars = CODEC3__SCALARS__INIT;
    char *texts[] = {(char *)"a", NULL};
    Codec3__Hello *hellos[] = {NULL};
    ProtobufCBinaryData bytes[] = {{1, NULL}};
    ProtobufCMessageUnknownField unknown = {.tag = 9, .wire_type = 2, .len = 1, .data = NULL};
    (void)state;
    expect_refused(&codec3__hello__descriptor, NULL, PGRPC_INTERNAL, "NULL");
    required.text = (char *)"";
    expect_refused(&codec2__required__descriptor, &required, PGRPC_INTERNAL, "required");
    required.inner = &inner;
    inner.name = NULL;
    expect_refused(&codec2__required__descriptor, &required, PGRPC_INTERNAL, "required");
    inner.name = (char *)"";
    required.text = NULL;
    expect_refused(&codec2__required__descriptor, &required, PGRPC_INTERNAL, "required");
    required.text = (char *)"";
    expect_bytes(&codec2__required__descriptor, &required,
                 "\x08\x00\x12\x00\x1a\x00\x22\x02\x0a\x00", 10);

    repeated.n_text = 2;
    expect_refused(&codec3__repeated__descriptor, &repeated, PGRPC_INTERNAL, "array is NULL");
    repeated.text = texts;
    expect_refused(&codec3__repeated__descriptor, &repeated, PGRPC_INTERNAL, "element");
    repeated.n_text = 0;
    repeated.n_hello = 1;
    repeated.hello = hellos;
    expect_refused(&codec3__repeated__descriptor, &repeated, PGRPC_INTERNAL, "element");
    repeated.n_hello = 0;
    repeated.n_data = 1;
    repeated.data = bytes;
    expect_refused(&codec3__repeated__descriptor, &repeated, PGRPC_INTERNAL, "data is NULL");
    repeated.n_data = 0;
    repeated.n_f64 = 1;
    expect_refused(&codec3__repeated__descriptor, &repeated, PGRPC_INTERNAL, "array is NULL");

    scalars.data.len = 1;
    expect_refused(&codec3__scalars__descriptor, &scalars, PGRPC_INTERNAL, "data is NULL");
    scalars.data.len = 0;
    scalars.base.n_unknown_fields = 1;
    scalars.base.unknown_fields = &unknown;
    expect_refused(&codec3__scalars__descriptor, &scalars, PGRPC_INTERNAL, "unknown");
}

static void strings_that_are_not_utf8_are_refused(void **state)
{
    Codec3__Hello hello = CODEC3__HELLO__INIT;
    Codec3__Scalars scalars = CODEC3__SCALARS__INIT;
    (void)state;
    scalars.hello = &hello;
    hello.name = (char *)"caf\xc3\xa9";
    expect_bytes(&codec3__hello__descriptor, &hello,
                 "\x0a\x05"
                 "caf\xc3\xa9",
                 7);
    hello.name = (char *)"caf\xe9";
    expect_refused(&codec3__hello__descriptor, &hello, PGRPC_INTERNAL, "UTF-8");
    expect_refused(&codec3__scalars__descriptor, &scalars, PGRPC_INTERNAL, "UTF-8");
}

static void other_types_are_refused(void **state)
{
    Codec3__Hello hello = CODEC3__HELLO__INIT;
    Codec3__Scalars scalars = CODEC3__SCALARS__INIT;
    (void)state;
    expect_refused(&codec3__hello__descriptor, &scalars, PGRPC_INTERNAL, "another type");
    scalars.hello = (Codec3__Hello *)(void *)&scalars;
    expect_refused(&codec3__scalars__descriptor, &scalars, PGRPC_INTERNAL, "another type");
    /* the same type from another copy of the generated code */
    ProtobufCMessageDescriptor copy = codec3__hello__descriptor;
    hello.base.descriptor = &copy;
    hello.name = (char *)"x";
    expect_bytes(&codec3__hello__descriptor, &hello, "\x0a\x01x", 3);
    copy.name = NULL;
    expect_refused(&codec3__hello__descriptor, &hello, PGRPC_INTERNAL, "another type");
}

static void depth_is_limited_and_cycles_end(void **state)
{
    enum { COUNT = PROTOBUF_DEPTH_MAX + 2 };
    Codec3__Tree trees[COUNT], *children[COUNT];
    (void)state;
    for (int by_array = 0; by_array < 2; by_array++) {
        for (size_t i = 0; i < COUNT; i++) {
            codec3__tree__init(&trees[i]);
            children[i] = i + 1 < COUNT ? &trees[i + 1] : NULL;
            trees[i].n_children = by_array && i + 1 < COUNT ? 1 : 0;
            trees[i].children = &children[i];
            trees[i].child = by_array ? NULL : children[i];
        }
        size_t len;
        uint8_t *data = encode(&codec3__tree__descriptor, &trees[1], &len);
        const void *message;
        const char *error;
        assert_int_equal(pgrpc_codec_proto.decode(&codec3__tree__descriptor, data, len,
                                                  codec_arena(&arena), &message, &error),
                         PGRPC_OK);
        free(data);
        expect_refused(&codec3__tree__descriptor, &trees[0], PGRPC_INTERNAL, "deep");
        children[5] = &trees[5];
        trees[5].child = by_array ? NULL : &trees[5];
        expect_refused(&codec3__tree__descriptor, &trees[5], PGRPC_INTERNAL, "itself");
    }
}

static void two_gibibytes_are_too_large(void **state)
{
    enum { OVERHEAD = 2 + 5 }; /* tag and length of field 16 */
    static const size_t lengths[] = {(size_t)INT32_MAX - OVERHEAD + 1, INT32_MAX, UINT32_MAX,
                                     SIZE_MAX - 8, SIZE_MAX};
    Codec3__Scalars scalars = CODEC3__SCALARS__INIT;
    Codec3__Repeated repeated = CODEC3__REPEATED__INIT;
    uint64_t number = 0;
    uint8_t byte = 0;
    const char *error;
    size_t len;
    (void)state;
    /* measuring does not look at the bytes */
    scalars.data.data = &byte;
    scalars.data.len = (size_t)INT32_MAX - OVERHEAD;
    assert_int_equal(
        pgrpc_codec_proto.measure(&codec3__scalars__descriptor, &scalars, &len, &error), PGRPC_OK);
    assert_int_equal(len, INT32_MAX);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        ProtobufCMessageUnknownField unknown = {
            .tag = 90, .wire_type = 2, .len = lengths[i], .data = &byte};
        scalars.data.len = lengths[i];
        expect_refused(&codec3__scalars__descriptor, &scalars, PGRPC_RESOURCE_EXHAUSTED, "2 GiB");
        repeated.n_f64 = lengths[i];
        repeated.f64 = &number;
        expect_refused(&codec3__repeated__descriptor, &repeated, PGRPC_RESOURCE_EXHAUSTED, "2 GiB");
        repeated.n_f64 = 0;
        if (i > 0) {
            repeated.base.n_unknown_fields = 1;
            repeated.base.unknown_fields = &unknown;
            expect_refused(&codec3__repeated__descriptor, &repeated, PGRPC_RESOURCE_EXHAUSTED,
                           "2 GiB");
            repeated.base.n_unknown_fields = 0;
        }
    }
    /* a small message that counts as one of 2 GiB, because its parts are shared */
    Codec3__Tree trees[40], *pairs[40][2];
    for (size_t i = 0; i < 40; i++) {
        codec3__tree__init(&trees[i]);
        trees[i].n_children = i > 0 ? 2 : 0;
        trees[i].children = pairs[i];
        pairs[i][0] = pairs[i][1] = i > 0 ? &trees[i - 1] : NULL;
    }
    trees[0].name = malloc(65536);
    memset(trees[0].name, 'x', 65535);
    trees[0].name[65535] = '\0';
    expect_refused(&codec3__tree__descriptor, &trees[39], PGRPC_RESOURCE_EXHAUSTED, "2 GiB");
    free(trees[0].name);
}

/* A message of some kilobytes in one pass, where the n-th allocation fails, or all from it on. */
static void every_allocation_may_fail(void **state)
{
    Codec3__Repeated repeated = CODEC3__REPEATED__INIT;
    char text[700], *texts[10];
    size_t len, n = 0;
    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    for (size_t i = 0; i < 10; i++)
        texts[i] = text;
    repeated.n_text = 10;
    repeated.text = texts;
    uint8_t *expected = encode(&codec3__repeated__descriptor, &repeated, &len);
    for (bool failed = true; failed;) {
        failed = false;
        n++;
        for (int keeps_failing = 0; keeps_failing < 2; keeps_failing++) {
            struct faulty_allocator faulty;
            const uint8_t *data = NULL;
            size_t written = 0;
            faulty_allocator_init(&faulty, n);
            faulty.keeps_failing = keeps_failing;
            pgrpc__arena_init(&arena, &faulty.hook, NULL, 0);
            bool is_written = pgrpc_codec_proto.serialize(&codec3__repeated__descriptor, &repeated,
                                                          codec_arena(&arena), &data, &written);
            failed = faulty_allocator_has_failed(&faulty);
            assert_int_equal(is_written, !failed);
            if (is_written) {
                assert_int_equal(written, len);
                assert_memory_equal(data, expected, len);
            }
            pgrpc__arena_clear(&arena);
            assert_int_equal(faulty_allocator_live(&faulty), 0);
        }
    }
    assert_in_range(n, 3, 20);
    free(expected);
}

/* The limit of a buffer is the arena's budget. */
static void a_budget_bounds_what_is_written(void **state)
{
    Codec3__Scalars scalars = CODEC3__SCALARS__INIT;
    uint8_t bytes[10000] = {0};
    const uint8_t *data;
    size_t len;
    (void)state;
    scalars.data = (ProtobufCBinaryData){sizeof(bytes), bytes};
    pgrpc__arena_init(&arena, &pgrpc__default_allocator, NULL, 0);
    for (arena.budget = 0; arena.budget < sizeof(bytes); arena.budget += 100) {
        assert_false(pgrpc_codec_proto.serialize(&codec3__scalars__descriptor, &scalars,
                                                 codec_arena(&arena), &data, &len));
        assert_true(arena.over_budget);
        assert_in_range(arena.used, 0, arena.budget);
        pgrpc__arena_reset(&arena);
    }
    arena.budget = 4 * sizeof(bytes);
    assert_true(pgrpc_codec_proto.serialize(&codec3__scalars__descriptor, &scalars,
                                            codec_arena(&arena), &data, &len));
    pgrpc__arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_without_fields_is_no_bytes),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(a_budget_bounds_what_is_written),
        cmocka_unit_test_setup_teardown(random_messages_are_written_as_protobuf_c_writes_them,
                                        start, stop),
        cmocka_unit_test(a_zeroed_message_is_as_good_as_an_initialised_one),
        cmocka_unit_test(lengths_of_varints),
        cmocka_unit_test(presence),
        cmocka_unit_test_setup_teardown(unknown_fields_are_written_again, start, stop),
        cmocka_unit_test(missing_pointers_are_refused),
        cmocka_unit_test(strings_that_are_not_utf8_are_refused),
        cmocka_unit_test(other_types_are_refused),
        cmocka_unit_test_setup_teardown(depth_is_limited_and_cycles_end, start, stop),
        cmocka_unit_test(two_gibibytes_are_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
