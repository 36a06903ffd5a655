/* Groups, closed enums and strings that need not be UTF-8. What C++ protobuf does was seen with the
 * same bytes. */
#include "../support/unit.h"
#include "../support/faulty_allocator.h"
#include "../support/features.h"

#include <stdlib.h>

#include "base/mem.h"
#include "codec/codec.h"
#include "codec/protobuf.h"
#include "codec2.pb-c.h"

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

static void refuse(const ProtobufCMessageDescriptor *type, const void *data, size_t len,
                   const char *why)
{
    const void *message;
    assert_int_equal(try_decode(type, data, len, &message), PGRPC_INTERNAL);
    if (!strstr(error, why))
        fail_msg("\"%s\" is not in \"%s\"", why, error);
}
#define REFUSE(type, data, why) refuse(type, data, sizeof(data) - 1, why)

/* By both ways to encode. */
static void expect_encoded(const ProtobufCMessageDescriptor *type, const void *message,
                           const void *expected, size_t expected_len)
{
    const uint8_t *data;
    uint8_t *measured;
    size_t len;
    assert_true(pgrpc_codec_proto.serialize(type, message, codec_arena(&arena), &data, &len));
    assert_int_equal(len, expected_len);
    assert_memory_equal(data, expected, len);
    assert_int_equal(pgrpc_codec_proto.measure(type, message, &len, &error), PGRPC_OK);
    assert_int_equal(len, expected_len);
    measured = malloc(len + 1);
    assert_non_null(measured);
    pgrpc_codec_proto.encode(type, message, measured, len);
    assert_memory_equal(measured, expected, len);
    free(measured);
}

/* What is read and written again is |expected|. */
static const void *recode(const ProtobufCMessageDescriptor *type, const void *data, size_t len,
                          const void *expected, size_t expected_len)
{
    const void *message = decode(type, data, len);
    expect_encoded(type, message, expected, expected_len);
    return message;
}
#define SAME(type, data) recode(type, data, sizeof(data) - 1, data, sizeof(data) - 1)
#define RECODE(type, data, expected) \
    recode(type, data, sizeof(data) - 1, expected, sizeof(expected) - 1)

#define GROUPED &codec2__grouped__descriptor
#define NEEDS_GROUP &codec2__needs_group__descriptor
#define COLOURED with_features(&codec2__coloured__descriptor)

/* --- groups ----------------------------------------------------------------------------------- */

static void groups_have_members(void **state)
{
    (void)state;
    const Codec2__Grouped *grouped = SAME(GROUPED, "\x08\x05\x13\x0a\x01x\x18\x07\x14"
                                                   "\x1b\x08\x01\x1c\x1b\x1c\x1b\x08\x02\x1c");
    assert_int_equal(grouped->before, 5);
    assert_string_equal(grouped->single->text, "x");
    assert_int_equal(grouped->single->n_numbers, 1);
    assert_int_equal(grouped->single->numbers[0], 7);
    assert_int_equal(grouped->n_many, 3);
    assert_int_equal(grouped->many[0]->number, 1);
    assert_false(grouped->many[1]->has_number);
    assert_int_equal(grouped->many[2]->number, 2);
    assert_int_equal(grouped->base.n_unknown_fields, 0);
    /* in one another, with tags of five bytes, and in what has a length */
    SAME(GROUPED, "\x13\x12\x04\x13\x23\x24\x14\x23\x0a\x03\x0a\x01y\x24\x14");
    SAME(GROUPED, "\xfb\xff\xff\xff\x0f\xa2\x06\x02\x1b\x1c\xfc\xff\xff\xff\x0f");
    SAME(GROUPED, "\x42\x06\x08\x01\x12\x02\x13\x14");
}

static void a_group_that_comes_twice_is_merged(void **state)
{
    (void)state;
    const Codec2__Grouped *grouped =
        RECODE(GROUPED, "\x13\x0a\x01x\x18\x01\x14\x13\x18\x02\x12\x02\x08\x09\x14",
               "\x13\x0a\x01x\x12\x02\x08\x09\x18\x01\x18\x02\x14");
    assert_string_equal(grouped->single->text, "x");
    assert_int_equal(grouped->single->n_numbers, 2);
}

static void a_group_in_a_oneof_replaces_and_is_merged(void **state)
{
    (void)state;
    const Codec2__Grouped *grouped =
        RECODE(GROUPED, "\x29\x01\x02\x03\x04\x05\x06\x07\x08\x23\x08\x01\x24\x23\x10\x02\x24",
               "\x23\x08\x01\x10\x02\x24");
    assert_int_equal(grouped->choice_case, CODEC2__GROUPED__CHOICE_EITHER);
    assert_int_equal(grouped->either->number, 1);
    assert_int_equal(grouped->either->other, 2);
    grouped = RECODE(GROUPED, "\x23\x08\x01\x24\x29\x01\0\0\0\0\0\0\0", "\x29\x01\0\0\0\0\0\0\0");
    assert_int_equal(grouped->choice_case, CODEC2__GROUPED__CHOICE_NUMBER);
}

static void the_other_spelling_of_a_message_is_unknown(void **state)
{
    (void)state;
    /* groups with a length, a message with tags */
    const Codec2__Grouped *grouped = SAME(GROUPED, "\x12\x02\x18\x01\x1a\x00\x3b\x08\x01\x3c");
    assert_null(grouped->single);
    assert_int_equal(grouped->n_many, 0);
    assert_null(grouped->counted);
    assert_int_equal(grouped->base.n_unknown_fields, 3);
    /* neither ends the other */
    grouped = SAME(GROUPED, "\x13\x5b\x5c\x62\x01\x14\x14");
    assert_int_equal(grouped->single->base.n_unknown_fields, 2);
    /* other wire types of a group's number, and a number's number as a group */
    SAME(GROUPED, "\x10\x01");
    SAME(GROUPED, "\x0b\x13\x14\x0c");
}

static void groups_end_as_they_begin(void **state)
{
    (void)state;
    REFUSE(GROUPED, "\x13", "without an end");
    REFUSE(GROUPED, "\x13\x0a\x01x", "without an end");
    REFUSE(GROUPED, "\x13\x1c", "the end of another group");
    REFUSE(GROUPED, "\x13\x23\x14\x24", "the end of another group");
    REFUSE(GROUPED, "\x14", "did not begin");
    REFUSE(GROUPED, "\x13\x14\x14", "did not begin");
    /* a message with a length ends with it, whatever group it is in or holds */
    REFUSE(GROUPED, "\x13\x12\x01\x14", "did not begin");
    REFUSE(GROUPED, "\x13\x12\x01\x13\x14\x14", "without an end");
    /* nor does an unknown group end one that is known */
    REFUSE(GROUPED, "\x13\x5b\x14\x5c", "the end of another group");
}

static void errors_within_groups_name_the_field(void **state)
{
    (void)state;
    REFUSE(GROUPED, "\x1b\x1c\x1b\x08", "codec2.Grouped: many[1].number");
    REFUSE(GROUPED, "\x13\x23\x1c", "codec2.Grouped: single.nested");
    REFUSE(GROUPED, "\x33\x34", "codec2.Grouped: needing.number");
}

static void required_fields_of_groups_are_required(void **state)
{
    (void)state;
    SAME(GROUPED, "\x33\x08\x01\x34");
    /* also in a later part */
    RECODE(GROUPED, "\x33\x34\x33\x08\x01\x34", "\x33\x08\x01\x34");
    REFUSE(GROUPED, "\x33\x34", "missing");
    REFUSE(NEEDS_GROUP, "", "missing");
    REFUSE(NEEDS_GROUP, "\x0b\x0c", "missing");
    SAME(NEEDS_GROUP, "\x0b\x08\x02\x0c");

    Codec2__NeedsGroup message = CODEC2__NEEDS_GROUP__INIT;
    size_t len;
    assert_int_equal(pgrpc_codec_proto.measure(NEEDS_GROUP, &message, &len, &error),
                     PGRPC_INTERNAL);
    const uint8_t *data;
    assert_false(
        pgrpc_codec_proto.serialize(NEEDS_GROUP, &message, codec_arena(&arena), &data, &len));
    Codec2__Grouped__Many *none = NULL;
    Codec2__Grouped grouped = CODEC2__GROUPED__INIT;
    grouped.n_many = 1;
    grouped.many = &none;
    assert_int_equal(pgrpc_codec_proto.measure(GROUPED, &grouped, &len, &error), PGRPC_INTERNAL);
    assert_false(pgrpc_codec_proto.serialize(GROUPED, &grouped, codec_arena(&arena), &data, &len));
}

/* single {inner {single {...}}}, |levels| of them. */
static size_t nest(uint8_t *data, unsigned levels)
{
    size_t len = 0;
    for (unsigned i = levels; i > 0; i--) {
        uint8_t head[3] = {i % 2 ? 0x13 : 0x12, (uint8_t)len, 1};
        size_t head_len = i % 2 ? 1 : len < 0x80 ? 2 : 3;
        if (head_len == 3)
            head[1] |= 0x80;
        memmove(data + head_len, data, len);
        memcpy(data, head, head_len);
        len += head_len;
        if (i % 2)
            data[len++] = 0x14;
    }
    return len;
}

static void groups_are_levels(void **state)
{
    static uint8_t data[2000];
    (void)state;
    size_t len = nest(data, PROTOBUF_DEPTH_MAX - 1);
    const void *message = decode(GROUPED, data, len);
    expect_encoded(GROUPED, message, data, len);
    /* at the limit, and above it, with an unknown group or a known one */
    len = nest(data, PROTOBUF_DEPTH_MAX);
    recode(GROUPED, data, len, data, len);
    len = nest(data, PROTOBUF_DEPTH_MAX + 1);
    refuse(GROUPED, data, len, "too deeply");

    /* The encoder's limit is the same. */
    enum { LEVELS = PROTOBUF_DEPTH_MAX / 2 + 1 };
    static Codec2__Grouped grouped[LEVELS];
    static Codec2__Grouped__Single single[LEVELS];
    const uint8_t *written;
    for (unsigned i = 0; i < LEVELS; i++) {
        codec2__grouped__init(&grouped[i]);
        codec2__grouped__single__init(&single[i]);
        if (i > 0) {
            grouped[i].single = &single[i];
            single[i].inner = &grouped[i - 1];
        }
    }
    assert_true(pgrpc_codec_proto.serialize(GROUPED, &grouped[LEVELS - 1], codec_arena(&arena),
                                            &written, &len));
    grouped[0].single = &single[0];
    assert_false(pgrpc_codec_proto.serialize(GROUPED, &grouped[LEVELS - 1], codec_arena(&arena),
                                             &written, &len));
    assert_int_equal(pgrpc_codec_proto.measure(GROUPED, &grouped[LEVELS - 1], &len, &error),
                     PGRPC_INTERNAL);
}

static void a_large_group_is_written_whole(void **state)
{
    enum { COUNT = 5000 };
    static Codec2__Grouped__Many many[COUNT], *pointers[COUNT];
    (void)state;
    for (unsigned i = 0; i < COUNT; i++) {
        codec2__grouped__many__init(&many[i]);
        many[i].has_number = true;
        many[i].number = (int32_t)(i * 100000);
        pointers[i] = &many[i];
    }
    Codec2__Grouped message = CODEC2__GROUPED__INIT;
    message.n_many = COUNT;
    message.many = pointers;
    const uint8_t *data;
    size_t len;
    assert_true(pgrpc_codec_proto.serialize(GROUPED, &message, codec_arena(&arena), &data, &len));
    expect_encoded(GROUPED, &message, data, len);
    const Codec2__Grouped *again = decode(GROUPED, data, len);
    assert_int_equal(again->n_many, COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(again->many[i]->number, many[i].number);
}

/* --- closed enums ----------------------------------------------------------------------------- */

static void proto2_keeps_numbers_without_a_name(void **state)
{
    (void)state;
    const Codec2__Coloured *message = SAME(&codec2__coloured__descriptor, "\x08\x03");
    assert_true(message->has_one);
    assert_int_equal(message->one, 3);
}

static void a_number_without_a_name_is_unknown(void **state)
{
    (void)state;
    const Codec2__Coloured *message = SAME(COLOURED, "\x08\x03");
    assert_false(message->has_one);
    assert_int_equal(message->base.n_unknown_fields, 1);
    /* the name that came before holds */
    message = SAME(COLOURED, "\x08\x02\x08\x03");
    assert_int_equal(message->one, CODEC2__SHADE__SHADE_DARK);
    /* all the names there are, of any size */
    SAME(COLOURED, "\x08\xfb\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    message = SAME(COLOURED, "\x08\xac\x02");
    assert_int_equal(message->one, CODEC2__SHADE__SHADE_FAR);
    message = SAME(COLOURED, "\x08\x80\x80\x80\x80\xf8\xff\xff\xff\xff\x01");
    assert_int_equal(message->one, CODEC2__SHADE__SHADE_LEAST);
    message = SAME(COLOURED, "\x08\xff\xff\xff\xff\x07");
    assert_int_equal(message->one, CODEC2__SHADE__SHADE_MOST);
    message = SAME(COLOURED, "\x08\xfe\xff\xff\xff\x07");
    assert_false(message->has_one);
    /* the lower 32 bits have a name, or have none and are kept with all others */
    message = RECODE(COLOURED, "\x08\x81\x80\x80\x80\x10", "\x08\x01");
    assert_int_equal(message->one, CODEC2__SHADE__SHADE_LIGHT);
    SAME(COLOURED, "\x08\x83\x80\x80\x80\x10");
    REFUSE(COLOURED, "\x08\x83", "bad varint");
}

static void repeated_numbers_without_a_name_are_unknown(void **state)
{
    (void)state;
    const Codec2__Coloured *message =
        RECODE(COLOURED, "\x10\x01\x10\x03\x10\x02", "\x10\x01\x10\x02\x10\x03");
    assert_int_equal(message->n_loose, 2);
    /* packed: each for itself */
    message = RECODE(COLOURED, "\x1a\x06\x01\x03\x02\xad\x02\x00",
                     "\x1a\x03\x01\x02\x00\x18\x03\x18\xad\x02");
    assert_int_equal(message->n_packed, 3);
    message = RECODE(COLOURED, "\x1a\x02\x04\x03", "\x18\x04\x18\x03");
    assert_int_equal(message->n_packed, 0);
    /* and after it there is room again */
    message =
        RECODE(COLOURED, "\x1a\x02\x04\x03\x1a\x02\x01\x02", "\x1a\x02\x01\x02\x18\x04\x18\x03");
    assert_int_equal(message->n_packed, 2);
    /* the other way to write each */
    message = RECODE(COLOURED, "\x12\x02\x01\x03\x18\x03\x18\x01",
                     "\x10\x01\x1a\x01\x01\x10\x03\x18\x03");
    assert_int_equal(message->n_loose, 1);
    assert_int_equal(message->n_packed, 1);
    REFUSE(COLOURED, "\x1a\x02\x03\x83", "bad varint");
    REFUSE(COLOURED, "\x1a\x0c\x03\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", "bad varint");
}

static void a_number_without_a_name_leaves_the_oneof_alone(void **state)
{
    (void)state;
    const Codec2__Coloured *message = SAME(COLOURED, "\x28\x01\x20\x03");
    assert_int_equal(message->choice_case, CODEC2__COLOURED__CHOICE_NUMBER);
    message = RECODE(COLOURED, "\x28\x01\x20\x01", "\x20\x01");
    assert_int_equal(message->choice_case, CODEC2__COLOURED__CHOICE_EITHER);
}

static void an_entry_whose_value_has_no_name_is_unknown(void **state)
{
    (void)state;
    const Codec2__Coloured *message =
        RECODE(COLOURED, "\x32\x04\x08\x02\x10\x03\x32\x04\x08\x01\x10\x01",
               "\x32\x04\x08\x01\x10\x01\x32\x04\x08\x02\x10\x03");
    assert_int_equal(message->n_by_number, 1);
    assert_int_equal(message->base.n_unknown_fields, 1);
    /* with both parts, each once, the key first, whatever it was */
    RECODE(COLOURED, "\x32\x04\x10\x03\x08\x01", "\x32\x04\x08\x01\x10\x03");
    RECODE(COLOURED, "\x32\x02\x10\x03", "\x32\x04\x08\x00\x10\x03");
    RECODE(COLOURED, "\x3a\x02\x10\x03", "\x3a\x04\x0a\x00\x10\x03");
    RECODE(COLOURED, "\x32\x08\x08\x01\x10\x02\x10\x03\x08\x0a", "\x32\x04\x08\x0a\x10\x03");
    RECODE(COLOURED, "\x32\x06\x08\x01\x10\x03\x18\x01", "\x32\x04\x08\x01\x10\x03");
    RECODE(COLOURED, "\x32\x06\x08\x01\x10\x83\x80\x00", "\x32\x04\x08\x01\x10\x03");
    RECODE(COLOURED, "\x3a\x05\x10\x03\x0a\x01\xff", "\x3a\x05\x0a\x01\xff\x10\x03");
    /* the last value counts */
    message = RECODE(COLOURED, "\x32\x06\x08\x01\x10\x03\x10\x02", "\x32\x04\x08\x01\x10\x02");
    assert_int_equal(message->n_by_number, 1);
    /* a long key, whose entry has a length of two bytes */
    uint8_t data[3 + 3 + 200 + 2] = {0x3a, 0xcd, 0x01, 0x0a, 0xc8, 0x01};
    memset(data + 6, 'k', 200);
    memcpy(data + 206, "\x10\x03", 2);
    recode(COLOURED, data, sizeof(data), data, sizeof(data));
}

static void a_type_of_entries_by_itself_keeps_its_value(void **state)
{
    (void)state;
    const Codec2__Coloured__ByNumberEntry *entry =
        SAME(with_features(&codec2__coloured__by_number_entry__descriptor), "\x08\x01\x10\x03");
    assert_int_equal(entry->value, 3);
}

static void a_required_enum_needs_a_name(void **state)
{
    const ProtobufCMessageDescriptor *type = with_features(NEEDS_GROUP);
    (void)state;
    REFUSE(type, "\x0b\x08\x03\x0c", "missing");
    RECODE(type, "\x0b\x08\x03\x08\x01\x0c", "\x0b\x08\x01\x08\x03\x0c");
}

static void closed_enums_in_groups(void **state)
{
    (void)state;
    const Codec2__Coloured *message = RECODE(COLOURED, "\x63\x12\x03\x01\x04\x02\x08\x03\x64",
                                             "\x63\x12\x02\x01\x02\x10\x04\x08\x03\x64");
    assert_int_equal(message->within->base.n_unknown_fields, 2);
    assert_int_equal(message->base.n_unknown_fields, 0);
}

/* --- strings ---------------------------------------------------------------------------------- */

static void strings_need_not_be_utf8(void **state)
{
    static const char long_text[] = "\x42\x14\xff 4567890123456789\xfe\x80";
    (void)state;
    const Codec2__Coloured *message = SAME(COLOURED, "\x42\x01\xff");
    assert_string_equal(message->text, "\xff");
    SAME(COLOURED, "\x4a\x01\xc3\x4a\x00\x4a\x02\xed\xa0");
    SAME(COLOURED, "\x52\x06\x0a\x01\xff\x12\x01\xfe");
    SAME(COLOURED, "\x42\x0e"
                   "abcdefghijklm\xff");
    message = SAME(COLOURED, long_text);
    assert_string_equal(message->text, long_text + 2);
    /* where it is not said they must be */
    REFUSE(&codec2__coloured__descriptor, "\x42\x01\xff", "UTF-8");
    Codec2__Coloured plain = CODEC2__COLOURED__INIT;
    size_t len;
    plain.text = (char *)"\xff";
    assert_int_equal(pgrpc_codec_proto.measure(&codec2__coloured__descriptor, &plain, &len, &error),
                     PGRPC_INTERNAL);
}

static void a_nul_is_refused_in_every_string(void **state)
{
    (void)state;
    REFUSE(COLOURED, "\x42\x01\0", "NUL");
    REFUSE(COLOURED, "\x42\x03\xff\0x", "NUL");
    REFUSE(COLOURED, "\x42\x0c\xff 234567890\0\x08\x01", "NUL");
    REFUSE(COLOURED, "\x52\x03\x0a\x01\0", "NUL");
}

/* --- memory ----------------------------------------------------------------------------------- */

static const char everything[] = "\x63\x12\x03\x01\x04\x02\x08\x03\x64"
                                 "\x32\x04\x08\x02\x10\x03"
                                 "\x3a\x02\x10\x03"
                                 "\x1a\x06\x01\x03\x02\xad\x02\x00"
                                 "\x10\x01\x10\x03"
                                 "\x42\x01\xff"
                                 "\x5a\x03\x4a\x01\xff";
enum { PARTS = 300, EVERYTHING = sizeof(everything) - 1 };
static uint8_t parts[PARTS * EVERYTHING];

static void fill_parts(void)
{
    for (size_t i = 0; i < PARTS; i++)
        memcpy(parts + i * EVERYTHING, everything, EVERYTHING);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    fill_parts();
    for (size_t n = 1;; n++) {
        struct faulty_allocator faulty;
        const void *message;
        faulty_allocator_init(&faulty, n);
        pgrpc__arena_init(&arena, &faulty.hook, NULL, 0);
        enum pgrpc_code code = try_decode(COLOURED, parts, sizeof(parts), &message);
        bool failed = faulty_allocator_has_failed(&faulty);
        assert_int_equal(code, failed ? PGRPC_RESOURCE_EXHAUSTED : PGRPC_OK);
        pgrpc__arena_clear(&arena);
        assert_int_equal(faulty_allocator_live(&faulty), 0);
        if (!failed) {
            assert_in_range(n, 5, 200);
            break;
        }
    }
}

/* Each step up to what is needed is refused, wherever it runs out. */
static void every_budget_holds(void **state)
{
    const void *message;
    size_t budget = 0;
    enum pgrpc_code code;
    (void)state;
    do {
        pgrpc__arena_reset(&arena);
        arena.budget = budget += 8;
        arena.over_budget = false;
        code = try_decode(COLOURED, everything, EVERYTHING, &message);
        assert_in_range(arena.used, 0, budget);
        assert_true(code == PGRPC_OK || code == PGRPC_RESOURCE_EXHAUSTED);
    } while (code != PGRPC_OK);
    assert_in_range(budget, 500, 5000);
}

/* Unknown numbers, entries and groups cost what their bytes cost. */
static void memory_is_linear(void **state)
{
    (void)state;
    fill_parts();
    decode(COLOURED, parts, sizeof(parts) / 2);
    size_t once = arena.used;
    pgrpc__arena_reset(&arena);
    decode(COLOURED, parts, sizeof(parts));
    assert_in_range(arena.used, once, 3 * once);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(groups_have_members),
        TEST(a_group_that_comes_twice_is_merged),
        TEST(a_group_in_a_oneof_replaces_and_is_merged),
        TEST(the_other_spelling_of_a_message_is_unknown),
        TEST(groups_end_as_they_begin),
        TEST(errors_within_groups_name_the_field),
        TEST(required_fields_of_groups_are_required),
        TEST(groups_are_levels),
        TEST(a_large_group_is_written_whole),
        TEST(proto2_keeps_numbers_without_a_name),
        TEST(a_number_without_a_name_is_unknown),
        TEST(repeated_numbers_without_a_name_are_unknown),
        TEST(a_number_without_a_name_leaves_the_oneof_alone),
        TEST(an_entry_whose_value_has_no_name_is_unknown),
        TEST(a_type_of_entries_by_itself_keeps_its_value),
        TEST(a_required_enum_needs_a_name),
        TEST(closed_enums_in_groups),
        TEST(strings_need_not_be_utf8),
        TEST(a_nul_is_refused_in_every_string),
        cmocka_unit_test(every_allocation_may_fail),
        TEST(every_budget_holds),
        TEST(memory_is_linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
