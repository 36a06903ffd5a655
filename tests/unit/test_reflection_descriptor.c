#include "../support/unit.h"

#include <stdlib.h>

#include "services/proto/files.h"
#include "services/reflection_descriptor.h"

static struct descriptor_bytes text(const char *characters)
{
    return (struct descriptor_bytes){characters, strlen(characters)};
}

/* --- a writer -----------------------------------------------------------------------------------
 */

struct message {
    char data[4096];
    size_t len;
};

static void put_byte(struct message *message, unsigned byte)
{
    assert_true(message->len < sizeof(message->data));
    message->data[message->len++] = (char)byte;
}

static void put_varint(struct message *message, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        put_byte(message, (unsigned)(value & 0x7F) | 0x80);
    put_byte(message, (unsigned)value);
}

static void put_number(struct message *message, unsigned field, uint64_t value)
{
    put_varint(message, field << 3);
    put_varint(message, value);
}

static void put_bytes(struct message *message, unsigned field, const void *data, size_t len)
{
    put_varint(message, field << 3 | 2);
    put_varint(message, len);
    for (size_t i = 0; i < len; i++)
        put_byte(message, ((const unsigned char *)data)[i]);
}

static void put_text(struct message *message, unsigned field, const char *characters)
{
    put_bytes(message, field, characters, strlen(characters));
}

static void put_message(struct message *message, unsigned field, const struct message *part)
{
    put_bytes(message, field, part->data, part->len);
}

static struct descriptor_bytes bytes_of(const struct message *message)
{
    return (struct descriptor_bytes){message->data, message->len};
}

static struct descriptor_bytes health(void)
{
    return (struct descriptor_bytes){(const char *)pgrpc__health_file.data, pgrpc__health_file.len};
}

/* --- fields -------------------------------------------------------------------------------------
 */

static void fields_of_every_wire_type_are_read(void **state)
{
    struct message message = {.len = 0};
    struct descriptor_field field;
    (void)state;
    put_number(&message, 1, UINT64_MAX);
    put_varint(&message, 2 << 3 | 1);
    for (int i = 0; i < 8; i++)
        put_byte(&message, 0xFF);
    put_text(&message, 3, "three");
    put_varint(&message, 4 << 3 | 5);
    for (int i = 0; i < 4; i++)
        put_byte(&message, 0xFF);
    put_text(&message, 536870911, "");
    struct descriptor_reader reader = pgrpc__descriptor_reader(bytes_of(&message));

    assert_true(pgrpc__descriptor_next(&reader, &field));
    assert_int_equal(field.number, 1);
    assert_false(field.is_counted);
    assert_true(field.varint == UINT64_MAX);
    assert_true(pgrpc__descriptor_next(&reader, &field));
    assert_int_equal(field.number, 2);
    assert_true(pgrpc__descriptor_next(&reader, &field));
    assert_int_equal(field.number, 3);
    assert_true(field.is_counted);
    assert_int_equal(field.bytes.len, 5);
    assert_memory_equal(field.bytes.data, "three", 5);
    assert_true(pgrpc__descriptor_next(&reader, &field));
    assert_int_equal(field.number, 4);
    assert_true(pgrpc__descriptor_next(&reader, &field));
    assert_int_equal(field.number, 536870911);
    assert_int_equal(field.bytes.len, 0);
    assert_false(pgrpc__descriptor_next(&reader, &field));
    assert_false(reader.is_bad);
}

static void malformed_fields_end_the_message(void **state)
{
    static const struct {
        const char *data;
        size_t len;
    } cases[] = {
        {"\x08", 1},                                              /* no value */
        {"\x08\x80", 2},                                          /* unfinished varint */
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12}, /* varint of 11 bytes */
        {"\x09\x00\x00\x00\x00\x00\x00\x00", 8},                  /* 7 of 8 bytes */
        {"\x0d\x00\x00\x00", 4},                                  /* 3 of 4 */
        {"\x0a\x01", 2},                                          /* 0 of 1 */
        {"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},     /* 2^64-1 bytes */
        {"\x0a\xff\xff\xff\xff\x0f", 6},                          /* 2^32-1 bytes */
        {"\x0a", 1},                                              /* no length */
        {"\x0b\x0c", 2},                                          /* a group */
        {"\x0e", 1},                                              /* no such wire type */
        {"\x00\x00", 2},                                          /* field 0 */
        {"\x80\x80\x80\x80\x10\x00", 6},                          /* a tag above 32 bits */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct descriptor_field field;
        /* Exactly as long, so that a sanitizer sees who reads beyond. */
        char *exact = malloc(cases[i].len);
        assert_non_null(exact);
        memcpy(exact, cases[i].data, cases[i].len);
        struct descriptor_reader reader =
            pgrpc__descriptor_reader((struct descriptor_bytes){exact, cases[i].len});
        if (pgrpc__descriptor_next(&reader, &field) || !reader.is_bad)
            fail_msg("case %zu is taken", i);
        assert_false(pgrpc__descriptor_next(&reader, &field));
        free(exact);
    }
}

static void last_of_repeated_fields_counts(void **state)
{
    struct message message = {.len = 0};
    (void)state;
    put_text(&message, 2, "first");
    put_number(&message, 2, 7); /* of another type */
    put_text(&message, 2, "second");
    put_text(&message, 3, "other");
    struct descriptor_bytes found = pgrpc__descriptor_get(bytes_of(&message), 2);
    assert_int_equal(found.len, 6);
    assert_memory_equal(found.data, "second", 6);
    assert_int_equal(pgrpc__descriptor_get(bytes_of(&message), 4).len, 0);
}

/* --- symbols ------------------------------------------------------------------------------------
 */

static void symbols_are_found_in_a_real_file(void **state)
{
    static const struct {
        const char *symbol;
        enum descriptor_kind kind;
    } cases[] = {
        {"grpc.health.v1.Health", DESCRIPTOR_OTHER},
        {"grpc.health.v1.Health.Watch", DESCRIPTOR_OTHER},
        {"grpc.health.v1.HealthCheckRequest", DESCRIPTOR_MESSAGE},
        {"grpc.health.v1.HealthCheckResponse.ServingStatus", DESCRIPTOR_OTHER},
        {"grpc.health.v1.HealthCheckResponse.NOT_SERVING", DESCRIPTOR_OTHER},
        {"grpc.health.v1.HealthListResponse.StatusesEntry", DESCRIPTOR_MESSAGE},
        {"grpc.health.v1.HealthListResponse.StatusesEntry.value", DESCRIPTOR_OTHER},
        {"grpc.health.v1.NOT_SERVING", DESCRIPTOR_NONE},
        {"grpc.health.v1", DESCRIPTOR_NONE},
        {"grpc.health.v1.", DESCRIPTOR_NONE},
        {"grpc.health.v1.Health.", DESCRIPTOR_NONE},
        {"grpc.health.v2.Health", DESCRIPTOR_NONE},
        {"", DESCRIPTOR_NONE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (pgrpc__descriptor_find(health(), text(cases[i].symbol)) != cases[i].kind)
            fail_msg("%s", cases[i].symbol);
}

static void nameless_declarations_are_not_found(void **state)
{
    struct message file = {.len = 0}, nothing = {.len = 0};
    (void)state;
    put_message(&file, 4, &nothing);
    put_message(&file, 6, &nothing);
    assert_int_equal(pgrpc__descriptor_find(bytes_of(&file), text("")), DESCRIPTOR_NONE);
    assert_int_equal(pgrpc__descriptor_find(bytes_of(&file), text(".")), DESCRIPTOR_NONE);
    assert_int_equal(pgrpc__descriptor_find(bytes_of(&file), text(".x")), DESCRIPTOR_NONE);
}

/* Whatever was done to a descriptor, nothing is read beyond its end, and all ends. */
static void look_through(const char *data, size_t len)
{
    struct descriptor_walk walk;
    struct descriptor_extension extension;
    char *exact = malloc(len ? len : 1);
    assert_non_null(exact);
    memcpy(exact, data, len);
    struct descriptor_bytes file = {exact, len};
    pgrpc__descriptor_find(file, text("grpc.health.v1.HealthListResponse.StatusesEntry.value"));
    pgrpc__descriptor_find(file, text("grpc.health.v1.Health.Watch"));
    pgrpc__descriptor_find(file, text("grpc.health.v1.HealthCheckResponse.SERVING"));
    pgrpc__descriptor_walk_init(&walk, file);
    while (pgrpc__descriptor_walk_next(&walk, &extension))
        ;
    free(exact);
}

static void cut_descriptors_are_looked_through(void **state)
{
    (void)state;
    for (size_t len = 0; len <= health().len; len++)
        look_through(health().data, len);
}

static void changed_descriptors_are_looked_through(void **state)
{
    static const unsigned char values[] = {0x00, 0x01, 0x0a, 0x22, 0x7f, 0x80, 0xff};
    char changed[4096];
    (void)state;
    assert_true(health().len <= sizeof(changed));
    for (size_t i = 0; i < health().len; i++) {
        memcpy(changed, health().data, health().len);
        for (size_t j = 0; j < sizeof(values); j++) {
            changed[i] = (char)values[j];
            look_through(changed, health().len);
        }
    }
}

/* --- extensions ---------------------------------------------------------------------------------
 */

static void put_extension(struct message *message, unsigned field, const char *extendee,
                          uint64_t number)
{
    struct message extension = {.len = 0};
    put_text(&extension, 1, "name");
    put_text(&extension, 2, extendee);
    put_number(&extension, 3, number);
    put_message(message, field, &extension);
}

static void expect_extension(struct descriptor_walk *walk, const char *extendee, int32_t number)
{
    struct descriptor_extension extension;
    assert_true(pgrpc__descriptor_walk_next(walk, &extension));
    assert_int_equal(extension.extendee.len, strlen(extendee));
    assert_memory_equal(extension.extendee.data, extendee, strlen(extendee));
    assert_int_equal(extension.number, number);
}

static void extensions_are_found_at_every_depth(void **state)
{
    struct message file = {.len = 0}, outer = {.len = 0}, inner = {.len = 0};
    struct descriptor_walk walk;
    struct descriptor_extension extension;
    (void)state;
    put_extension(&inner, 6, ".a.Inner", 3);
    put_extension(&outer, 6, ".a.Outer", 2);
    put_message(&outer, 3, &inner);
    put_extension(&outer, 6, "relative", 4);
    put_extension(&file, 7, ".a.File", 1);
    put_message(&file, 4, &outer);
    put_extension(&file, 7, ".a.File", 536870911);
    pgrpc__descriptor_walk_init(&walk, bytes_of(&file));
    expect_extension(&walk, "a.File", 1);
    expect_extension(&walk, "a.Outer", 2);
    expect_extension(&walk, "a.Inner", 3);
    expect_extension(&walk, "relative", 4);
    expect_extension(&walk, "a.File", 536870911);
    assert_false(pgrpc__descriptor_walk_next(&walk, &extension));
    assert_false(walk.is_bad);
}

/* A file with an extension inside |depth| messages. */
static void nest(struct message *file, unsigned depth)
{
    struct message inside = {.len = 0}, outside;
    put_extension(&inside, 6, ".a.Deep", 1);
    for (unsigned i = 1; i < depth; i++) {
        outside.len = 0;
        put_message(&outside, 3, &inside);
        inside = outside;
    }
    file->len = 0;
    put_message(file, 4, &inside);
}

static void nesting_has_a_limit(void **state)
{
    struct message file;
    struct descriptor_walk walk;
    struct descriptor_extension extension;
    (void)state;
    nest(&file, DESCRIPTOR_DEPTH_MAX - 1);
    pgrpc__descriptor_walk_init(&walk, bytes_of(&file));
    expect_extension(&walk, "a.Deep", 1);
    assert_false(pgrpc__descriptor_walk_next(&walk, &extension));
    assert_false(walk.is_bad);
    nest(&file, DESCRIPTOR_DEPTH_MAX);
    pgrpc__descriptor_walk_init(&walk, bytes_of(&file));
    assert_false(pgrpc__descriptor_walk_next(&walk, &extension));
    assert_true(walk.is_bad);
}

static void what_is_cut_is_told(void **state)
{
    struct descriptor_walk walk;
    struct descriptor_extension extension;
    struct descriptor_bytes file = health();
    (void)state;
    pgrpc__descriptor_walk_init(&walk, file);
    assert_false(pgrpc__descriptor_walk_next(&walk, &extension));
    assert_false(walk.is_bad);
    file.len--;
    pgrpc__descriptor_walk_init(&walk, file);
    assert_false(pgrpc__descriptor_walk_next(&walk, &extension));
    assert_true(walk.is_bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_of_every_wire_type_are_read),
        cmocka_unit_test(malformed_fields_end_the_message),
        cmocka_unit_test(last_of_repeated_fields_counts),
        cmocka_unit_test(symbols_are_found_in_a_real_file),
        cmocka_unit_test(nameless_declarations_are_not_found),
        cmocka_unit_test(cut_descriptors_are_looked_through),
        cmocka_unit_test(changed_descriptors_are_looked_through),
        cmocka_unit_test(extensions_are_found_at_every_depth),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(what_is_cut_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
