#include "../support/unit.h"
#include "../support/faulty_allocator.h"

#include <stdlib.h>

#include "base/mem.h"
#include "codec/codec.h"
#include "codec/protobuf.h"
#include "codec2.pb-c.h"
#include "codec3.pb-c.h"

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

static enum pgrpc_code try_decode(const ProtobufCMessageDescriptor *type, const void *data,
                                  size_t len, const void **message)
{
    error = NULL;
    return pgrpc_codec_proto.decode(type, data, len, codec_arena(&arena), message, &error);
}

static const void *decode(const ProtobufCMessageDescriptor *type, const void *data, size_t len)
{
    const void *message = NULL;
    if (try_decode(type, data, len, &message) != PGRPC_OK)
        fail_msg("%s", error);
    return message;
}
#define DECODE(type, data) decode(type, data, sizeof(data) - 1)

static void expect_encoded(const ProtobufCMessageDescriptor *type, const void *message,
                           const void *expected, size_t expected_len)
{
    const uint8_t *data;
    size_t len;
    assert_true(pgrpc_codec_proto.serialize(type, message, codec_arena(&arena), &data, &len));
    assert_int_equal(len, expected_len);
    assert_memory_equal(data, expected, len);
}

#define TREE &codec3__tree__descriptor
#define SCALARS &codec3__scalars__descriptor
#define REPEATED &codec3__repeated__descriptor
#define CHOICE &codec3__choice__descriptor
#define MAPS &codec3__maps__descriptor
#define REQUIRED &codec2__required__descriptor
#define OPTIONAL &codec2__optional__descriptor

/* --- singular fields --- */

static void a_message_in_parts_is_merged(void **state)
{
    (void)state;
    /* child {name "a" numbers 1}, child {child {}}, child {numbers [2 3] name "b"} */
    const Codec3__Tree *tree = DECODE(TREE, "\x0a\x06\x1a\x01"
                                            "a\x22\x01\x01"
                                            "\x0a\x02\x0a\x00"
                                            "\x0a\x07\x22\x02\x02\x03\x1a\x01"
                                            "b");
    assert_string_equal(tree->child->name, "b");
    assert_non_null(tree->child->child);
    assert_int_equal(tree->child->n_numbers, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(tree->child->numbers[i], i + 1);
    /* what the first part said holds when the second is silent, zeros included */
    tree = DECODE(TREE, "\x0a\x03\x1a\x01"
                        "a\x0a\x00");
    assert_string_equal(tree->child->name, "a");
    /* parts within parts */
    tree = DECODE(TREE, "\x0a\x05\x0a\x03\x1a\x01x\x0a\x04\x0a\x02\x12\x00");
    assert_string_equal(tree->child->child->name, "x");
    assert_int_equal(tree->child->child->n_children, 1);
}

static void the_last_of_a_scalar_counts(void **state)
{
    (void)state;
    const Codec3__Scalars *scalars = DECODE(SCALARS, "\x08\x01\x7a\x01"
                                                     "a\x08\x02\x7a\x02"
                                                     "bc\x82\x01\x01x\x82\x01\x00\x08\x00");
    assert_int_equal(scalars->i32, 0);
    assert_string_equal(scalars->text, "bc");
    assert_int_equal(scalars->data.len, 0);
    assert_null(scalars->data.data);
}

static void a_oneof_holds_what_came_last(void **state)
{
    (void)state;
    const Codec3__Choice *choice = DECODE(CHOICE, "\x08\x05\x12\x01x");
    assert_int_equal(choice->value_case, CODEC3__CHOICE__VALUE_TEXT);
    assert_string_equal(choice->text, "x");
    choice = DECODE(CHOICE, "\x12\x01x\x22\x03\x0a\x01y\x08\x07");
    assert_int_equal(choice->value_case, CODEC3__CHOICE__VALUE_NUMBER);
    assert_int_equal(choice->number, 7);
    /* a message after something else is a new one, after itself it is merged */
    choice = DECODE(CHOICE, "\x31\x01\x02\x03\x04\x05\x06\x07\x08\x22\x00");
    assert_int_equal(choice->value_case, CODEC3__CHOICE__VALUE_HELLO);
    assert_string_equal(choice->hello->name, "");
    choice = DECODE(CHOICE, "\x22\x03\x0a\x01y\x22\x00");
    assert_string_equal(choice->hello->name, "y");
    choice = DECODE(CHOICE, "\x22\x03\x0a\x01y\x28\x01\x22\x00");
    assert_string_equal(choice->hello->name, "");
    /* another wire type does not switch it */
    choice = DECODE(CHOICE, "\x08\x05\x10\x01");
    assert_int_equal(choice->value_case, CODEC3__CHOICE__VALUE_NUMBER);
    assert_int_equal(choice->base.n_unknown_fields, 1);
}

static void numbers_are_cut_to_their_type(void **state)
{
    (void)state;
    /* a negative int32 in five bytes and in ten, sint32 of ten, bool of many, enum */
    const Codec3__Scalars *scalars =
        DECODE(SCALARS, "\x08\xff\xff\xff\xff\x0f"
                        "\x10\x83\x80\x80\x80\x80\x80\x80\x80\x80\x01"
                        "\x18\x81\x80\x80\x80\x10"
                        "\x68\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"
                        "\x70\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    assert_int_equal(scalars->i32, -1);
    assert_int_equal(scalars->s32, -2);
    assert_int_equal(scalars->u32, 1);
    assert_int_equal(scalars->flag, 1);
    assert_int_equal(scalars->color, CODEC3__COLOR__COLOR_BELOW);
    scalars = DECODE(SCALARS, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                              "\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"
                              "\x38\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                              "\x70\x2a");
    assert_int_equal(scalars->i32, -1);
    assert_true(scalars->i64 == -1);
    assert_true(scalars->s64 == INT64_MAX);
    assert_int_equal(scalars->color, 42); /* enums are open */
}

static void minus_zero_comes_and_goes(void **state)
{
    static const char data[] = "\x5d\x00\x00\x00\x80\x61\x00\x00\x00\x00\x00\x00\x00\x80";
    (void)state;
    const Codec3__Scalars *scalars = DECODE(SCALARS, data);
    assert_true(scalars->real == 0 && 1 / scalars->real < 0);
    assert_true(scalars->long_real == 0 && 1 / scalars->long_real < 0);
    expect_encoded(SCALARS, scalars, data, sizeof(data) - 1);
}

static void defaults_and_presence_of_proto2(void **state)
{
    (void)state;
    const Codec2__Optional *optional = DECODE(OPTIONAL, "");
    assert_int_equal(optional->has_number, 0);
    assert_int_equal(optional->number, 7);
    assert_string_equal(optional->text, "seven");
    assert_int_equal(optional->data.len, 2);
    assert_int_equal(optional->flag, 1);
    optional = DECODE(OPTIONAL, "\x08\x00\x12\x00\x1a\x00\x20\x00");
    assert_int_equal(optional->has_number && optional->has_data && optional->has_flag, 1);
    assert_int_equal(optional->number, 0);
    assert_string_equal(optional->text, "");
    assert_int_equal(optional->data.len, 0);
    assert_int_equal(optional->flag, 0);
    assert_int_equal(optional->has_real, 0);
}

/* --- repeated fields --- */

static void packed_or_not_is_all_the_same(void **state)
{
    (void)state;
    /* numbers is packed, loose is not; each comes both ways, with empty and multi-byte parts */
    const Codec3__Repeated *repeated =
        DECODE(REPEATED, "\x0a\x03\x01\xac\x02\x08\x03\x0a\x00\x0a\x01\x04"
                         "\xa8\x06\x01\xaa\x06\x02\x02\x03\xa8\x06\x04"
                         "\x2a\x08\x01\x00\x00\x00\x02\x00\x00\x00\x2d\x03\x00\x00\x00"
                         "\x4a\x08\x05\x00\x00\x00\x00\x00\x00\x00"
                         "\x12\x04\x01\x02\x03\x04\x6a\x02\x00\x02");
    static const int32_t expected[] = {1, 300, 3, 4};
    assert_int_equal(repeated->n_i32, 4);
    assert_memory_equal(repeated->i32, expected, sizeof(expected));
    assert_int_equal(repeated->n_loose, 4);
    assert_int_equal(repeated->n_sf32, 3);
    for (int i = 0; i < 4; i++)
        assert_int_equal(repeated->loose[i], i + 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(repeated->sf32[i], i + 1);
    assert_int_equal(repeated->n_f64, 1);
    assert_true(repeated->f64[0] == 5);
    assert_int_equal(repeated->n_s32, 4);
    assert_int_equal(repeated->s32[0], -1);
    assert_int_equal(repeated->s32[3], 2);
    assert_int_equal(repeated->n_flag, 2);
    assert_int_equal(repeated->flag[1], 1);
    repeated = DECODE(REPEATED, "\x0a\x00");
    assert_null(repeated->i32);
}

static void packed_fields_hold_whole_values(void **state)
{
    static const struct {
        const char *data;
        size_t len;
        const char *text;
    } table[] = {
        {"\x0a\x01\x80", 3, "varint"},
        {"\x0a\x03\x01\x01\xff", 5, "varint"},
        {"\x0a\x0b\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 13, "varint"},
        {"\x22\x03\x00\x00\x00", 5, "packed"},
        {"\x4a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x00", 11, "packed"},
        {"\x62\x04\x00\x00\x00\x00", 6, "packed"},
    };
    const void *message;
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_int_equal(try_decode(REPEATED, table[i].data, table[i].len, &message),
                         PGRPC_INTERNAL);
        assert_non_null(strstr(error, table[i].text));
    }
}

/* Long runs, and two fields in turn, of messages and of strings. */
static void arrays_grow_as_they_must(void **state)
{
    enum { COUNT = 1000 };
    uint8_t data[COUNT * 8];
    (void)state;
    for (int interleaved = 0; interleaved < 2; interleaved++) {
        size_t len = 0;
        for (int i = 0; i < 2 * COUNT; i++) {
            bool is_text = interleaved ? i % 2 : i >= COUNT;
            int number = interleaved ? i / 2 : i % COUNT;
            memcpy(data + len, is_text ? "\x7a\x02" : "\x0a\x02", 2);
            data[len + 2] = (uint8_t)(0x80 | (is_text ? 'a' : number & 0x7f));
            data[len + 3] = (uint8_t)(number >> 7);
            if (is_text)
                memcpy(data + len + 2, number % 2 ? "ab" : "cd", 2);
            len += 4;
        }
        const Codec3__Repeated *repeated = decode(REPEATED, data, len);
        assert_int_equal(repeated->n_i32, COUNT);
        assert_int_equal(repeated->n_text, COUNT);
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(repeated->i32[i], i);
            assert_string_equal(repeated->text[i], i % 2 ? "ab" : "cd");
        }
    }
}

/* --- unknown fields --- */

static void other_wire_types_are_unknown_fields(void **state)
{
    /* every field of Scalars with every wire type but its own: kept, and no value changed */
    static const char *const values[] = {"\x05",   "\x01\x02\x03\x04\x05\x06\x07\x08",
                                         "\x02hi", "\x3b\x08\x01\x3c",
                                         NULL,     "\x01\x02\x03\x04"};
    static const size_t lengths[] = {1, 8, 3, 4, 0, 4};
    static const unsigned own[] = {0, 0, 0, 5, 5, 0, 0, 0, 1, 1, 5, 1, 0, 0, 2, 2};
    (void)state;
    for (unsigned id = 1; id <= 16; id++) {
        for (unsigned wire_type = 0; wire_type <= 5; wire_type++) {
            uint8_t data[40];
            size_t len = 0;
            if (wire_type == own[id - 1] || wire_type == 4)
                continue;
            unsigned tag = id << 3 | wire_type;
            if (tag >= 0x80)
                data[len++] = (uint8_t)(tag | 0x80);
            data[len++] = (uint8_t)(tag >= 0x80 ? tag >> 7 : tag);
            memcpy(data + len, values[wire_type], lengths[wire_type]);
            len += lengths[wire_type];
            if (wire_type == 3) { /* the group's end */
                if (tag >= 0x80)
                    data[len++] = (uint8_t)((tag + 1) | 0x80);
                data[len++] = (uint8_t)(tag >= 0x80 ? tag >> 7 : tag + 1);
            }
            const Codec3__Scalars *scalars = decode(SCALARS, data, len);
            assert_int_equal(scalars->base.n_unknown_fields, 1);
            assert_int_equal(scalars->base.unknown_fields[0].tag, id);
            assert_int_equal(scalars->base.unknown_fields[0].wire_type, wire_type);
            expect_encoded(SCALARS, scalars, data, len);
        }
    }
}

static void unknown_fields_are_kept_at_every_level(void **state)
{
    /* child {children {100: 1, 101: {1: 5}} 50: {1: 1}} */
    static const char data[] = "\x0a\x11"
                               "\x12\x09\xa0\x06\x01\xab\x06\x08\x05\xac\x06"
                               "\x93\x03\x08\x01\x94\x03";
    (void)state;
    const Codec3__Tree *tree = DECODE(TREE, data);
    assert_int_equal(tree->base.n_unknown_fields, 0);
    assert_int_equal(tree->child->base.n_unknown_fields, 1);
    assert_int_equal(tree->child->base.unknown_fields[0].tag, 50);
    const Codec3__Tree *inner = tree->child->children[0];
    assert_int_equal(inner->base.n_unknown_fields, 2);
    assert_int_equal(inner->base.unknown_fields[1].tag, 101);
    assert_int_equal(inner->base.unknown_fields[1].wire_type, 3);
    assert_int_equal(inner->base.unknown_fields[1].len, 4); /* its end, too */
    expect_encoded(TREE, tree, data, sizeof(data) - 1);
}

static void groups_count_as_levels(void **state)
{
    enum { COUNT = PROTOBUF_DEPTH_MAX + 1 };
    uint8_t data[2 * COUNT + 2];
    const void *message;
    (void)state;
    for (size_t depth = COUNT - 1; depth <= COUNT; depth++) {
        memset(data, 0x3b, depth);
        memset(data + depth, 0x3c, depth);
        assert_int_equal(try_decode(TREE, data, 2 * depth, &message),
                         depth <= PROTOBUF_DEPTH_MAX ? PGRPC_OK : PGRPC_INTERNAL);
    }
    assert_non_null(strstr(error, "deep"));
}

static void bytes_stay_where_they_were_received(void **state)
{
    static const char data[] = "\x82\x01\x03xyz\xa2\x06\x01q";
    (void)state;
    const Codec3__Scalars *scalars = DECODE(SCALARS, data);
    assert_ptr_equal(scalars->data.data, data + 3);
    assert_ptr_equal(scalars->base.unknown_fields[0].data, data + 8);
}

/* --- required fields --- */

static void required_fields_may_come_in_any_part(void **state)
{
    (void)state;
    const void *message;
    /* all of Required, whose inner message has its name in the second part only */
    const Codec2__Required *required = DECODE(REQUIRED, "\x22\x00\x08\x01\x12\x01t\x1a\x00"
                                                        "\x22\x03\x0a\x01n");
    assert_string_equal(required->inner->name, "n");
    assert_int_equal(try_decode(REQUIRED, "\x22\x00\x08\x01\x12\x01t\x1a\x00", 9, &message),
                     PGRPC_INTERNAL);
    assert_non_null(strstr(error, "codec2.Required: inner.name"));
    assert_int_equal(try_decode(REQUIRED, "\x08\x01\x1a\x00\x22\x02\x0a\x00", 8, &message),
                     PGRPC_INTERNAL);
    assert_non_null(strstr(error, "codec2.Required: text"));
    /* one of several, and not the last */
    assert_int_equal(try_decode(&codec2__several__descriptor,
                                "\x0a\x02\x0a\x00\x0a\x00\x0a\x02\x0a\x00", 10, &message),
                     PGRPC_INTERNAL);
    assert_non_null(strstr(error, "codec2.Several: inners[1].name"));
    /* with another wire type it is not there */
    assert_int_equal(try_decode(&codec2__inner__descriptor, "\x08\x01", 2, &message),
                     PGRPC_INTERNAL);
    assert_non_null(strstr(error, "missing"));
}

/* --- maps --- */

static void entries_of_maps_have_key_and_value(void **state)
{
    (void)state;
    const Codec3__Maps *maps = DECODE(MAPS, "\x12\x00\x12\x02\x08\x07\x12\x02\x12\x00"
                                            "\x0a\x00\x0a\x02\x10\x01\x0a\x03\x0a\x01k");
    assert_int_equal(maps->n_trees, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_non_null(maps->trees[i]->value);
        assert_ptr_equal(maps->trees[i]->value->base.descriptor, TREE);
        assert_string_equal(maps->trees[i]->value->name, "");
    }
    assert_int_equal(maps->trees[1]->key, 7);
    assert_int_equal(maps->n_counts, 3);
    assert_string_equal(maps->counts[0]->key, "");
    assert_int_equal(maps->counts[1]->value, 1);
    assert_string_equal(maps->counts[2]->key, "k");
}

/* A value that an entry lacks must fit below the limit as well: what is decoded can be encoded. */
static void entries_at_the_limit_are_too_deep_for_a_value(void **state)
{
    uint8_t data[3 * PROTOBUF_DEPTH_MAX + 10], *end = data + sizeof(data);
    (void)state;
    for (size_t depth = PROTOBUF_DEPTH_MAX - 2; depth <= PROTOBUF_DEPTH_MAX; depth += 2) {
        /* a shelf, and atlases and entries in turn: the last is an entry, without a value */
        uint8_t *at = end;
        for (size_t i = depth; i > 0; i--) {
            size_t inner = (size_t)(end - at);
            if (inner >= 0x80)
                *--at = (uint8_t)(inner >> 7);
            *--at = (uint8_t)(inner >= 0x80 ? inner | 0x80 : inner);
            *--at = i > 1 && i % 2 ? 0x12 : 0x0a; /* value of an entry; atlas, parts */
        }
        const void *message;
        enum pgrpc_code code =
            try_decode(&codec3__shelf__descriptor, at, (size_t)(end - at), &message);
        if (depth < PROTOBUF_DEPTH_MAX) {
            const uint8_t *encoded;
            size_t len;
            assert_int_equal(code, PGRPC_OK);
            assert_true(pgrpc_codec_proto.serialize(&codec3__shelf__descriptor, message,
                                                    codec_arena(&arena), &encoded, &len));
        } else {
            assert_int_equal(code, PGRPC_INTERNAL);
            assert_non_null(strstr(error, "deep"));
        }
    }
}

/* An entry is known by its name; one without names by its shape. */
static void what_is_no_map_keeps_its_absent_messages(void **state)
{
    ProtobufCMessageDescriptor entry = codec3__maps__trees_entry__descriptor;
    ProtobufCMessageDescriptor maps = codec3__maps__descriptor;
    ProtobufCFieldDescriptor fields[2] = {maps.fields[0], maps.fields[1]};
    static const struct {
        const char *field, *type, *parent;
        bool is_map;
    } table[] = {
        {"trees", "codec3.Maps.TreesEntry", "codec3.Maps", true},
        {"trees", "codec3.Maps.TreeEntry", "codec3.Maps", false},
        {"trees", "codec3.Maps.Trees", "codec3.Maps", false},
        {"trees", "codec3.Other.TreesEntry", "codec3.Maps", false},
        {"trees", "codec3.TreesEntry", "codec3.Maps", false},
        {"tree_by_id", "codec3.Maps.TreeByIdEntry", "codec3.Maps", true},
        {"tree_2x", "codec3.Maps.Tree2xEntry", "codec3.Maps", true},
        {"treeById", "codec3.Maps.TreeByIdEntry", "codec3.Maps", true},
        {NULL, "codec3.Maps.Pair", "codec3.Maps", true},
        {"trees", NULL, NULL, true},
    };
    (void)state;
    maps.fields = fields;
    fields[1].descriptor = &entry;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        fields[1].name = table[i].field;
        entry.name = table[i].type;
        maps.name = table[i].parent;
        const Codec3__Maps *decoded = decode(&maps, "\x12\x00", 2);
        assert_int_equal(decoded->trees[0]->value != NULL, table[i].is_map);
    }
}

/* --- errors --- */

static void errors_name_the_field(void **state)
{
    static const struct {
        const ProtobufCMessageDescriptor *type;
        const char *data;
        size_t len;
        const char *text;
    } table[] = {
        {TREE, "\x0a\x06\x12\x00\x12\x02\x1a\x01", 8,
         "malformed protobuf message: truncated (codec3.Tree: child.children[1].name)"},
        {TREE, "\x12\x00\x12\x03\x1a\x01\xff", 7,
         "a protobuf string is not valid UTF-8 (codec3.Tree: children[1].name)"},
        {REPEATED, "\x0a\x01\x80", 3,
         "malformed protobuf message: bad varint (codec3.Repeated: i32)"},
        {TREE, "\x00", 1, "malformed protobuf message: bad tag"},
        {TREE, "\x0a\x01\x00", 3, "malformed protobuf message: bad tag (codec3.Tree: child)"},
    };
    const void *message;
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        assert_int_equal(try_decode(table[i].type, table[i].data, table[i].len, &message),
                         PGRPC_INTERNAL);
        assert_string_equal(error, table[i].text);
    }
}

/* A path that is too long is cut, and without memory for a text there still is one. */
static void errors_need_no_memory(void **state)
{
    uint8_t data[101];
    const void *message;
    (void)state;
    size_t len = 0;
    for (size_t depth = 50; depth > 0; depth--) {
        data[len++] = 0x0a;
        data[len++] = (uint8_t)(2 * (depth - 1) + 1);
    }
    data[len++] = 0x00;
    assert_int_equal(try_decode(TREE, data, len, &message), PGRPC_INTERNAL);
    assert_non_null(strstr(error, "child.child"));
    assert_non_null(strstr(error, "..."));
    size_t used = arena.used;
    pgrpc__arena_reset(&arena);
    arena.budget = used - strlen(error) - 1;
    assert_int_equal(try_decode(TREE, data, len, &message), PGRPC_INTERNAL);
    assert_string_equal(error, "malformed protobuf message: bad tag");
    assert_false(arena.over_budget);
}

/* --- memory --- */

/* A message with something of everything: the n-th allocation fails, or all from it on. */
static void every_allocation_may_fail(void **state)
{
    static const char part[] = "\x0a\x09\x1a\x01"
                               "a\x22\x01\x05\xa0\x06\x01"
                               "\x12\x04\x1a\x02xy\x1a\x01z\xaa\x06\x02hi";
    enum { PARTS = 200, LEN = sizeof(part) - 1 };
    static uint8_t data[PARTS * LEN];
    (void)state;
    for (size_t i = 0; i < PARTS; i++)
        memcpy(data + i * LEN, part, LEN);
    for (size_t n = 1;; n++) {
        bool failed = false;
        for (int keeps_failing = 0; keeps_failing < 2; keeps_failing++) {
            struct faulty_allocator faulty;
            const void *message;
            faulty_allocator_init(&faulty, n);
            faulty.keeps_failing = keeps_failing;
            pgrpc__arena_init(&arena, &faulty.hook, NULL, 0);
            enum pgrpc_code code = try_decode(TREE, data, sizeof(data), &message);
            failed = faulty_allocator_has_failed(&faulty);
            assert_int_equal(code, failed ? PGRPC_RESOURCE_EXHAUSTED : PGRPC_OK);
            pgrpc__arena_clear(&arena);
            assert_int_equal(faulty_allocator_live(&faulty), 0);
        }
        if (!failed) {
            assert_in_range(n, 5, 100);
            break;
        }
    }
}

/* Merging costs what its bytes cost: twice the parts, twice the memory. */
static void merging_is_linear(void **state)
{
    enum { PARTS = 100000 };
    static uint8_t data[2 * PARTS * 4];
    (void)state;
    for (size_t i = 0; i < 2 * PARTS; i++)
        memcpy(data + 4 * i, "\x0a\x02\x20\x01", 4);
    decode(TREE, data, 4 * PARTS);
    size_t once = arena.used;
    pgrpc__arena_reset(&arena);
    const Codec3__Tree *tree = decode(TREE, data, 4 * 2 * PARTS);
    assert_int_equal(tree->child->n_numbers, 2 * PARTS);
    assert_in_range(arena.used, once, 3 * once);
    assert_in_range(arena.used, 0, 2 * PARTS * 16);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_in_parts_is_merged),
        TEST(the_last_of_a_scalar_counts),
        TEST(a_oneof_holds_what_came_last),
        TEST(numbers_are_cut_to_their_type),
        TEST(minus_zero_comes_and_goes),
        TEST(defaults_and_presence_of_proto2),
        TEST(packed_or_not_is_all_the_same),
        TEST(packed_fields_hold_whole_values),
        TEST(arrays_grow_as_they_must),
        TEST(other_wire_types_are_unknown_fields),
        TEST(unknown_fields_are_kept_at_every_level),
        TEST(groups_count_as_levels),
        TEST(bytes_stay_where_they_were_received),
        TEST(required_fields_may_come_in_any_part),
        TEST(entries_of_maps_have_key_and_value),
        TEST(entries_at_the_limit_are_too_deep_for_a_value),
        TEST(what_is_no_map_keeps_its_absent_messages),
        TEST(errors_name_the_field),
        TEST(errors_need_no_memory),
        cmocka_unit_test(every_allocation_may_fail),
        TEST(merging_is_linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
