#include "../support/unit.h"
#include "../support/faulty_allocator.h"

#include "base/mem.h"
#include "codec/codec.h"

static void codecs_are_found_by_name(void **state)
{
    static const char *const unknown[] = {"json", "PROTO", "prot", "protoo", "ra", "raww", " raw"};
    (void)state;
    assert_ptr_equal(pgrpc__codec_find(NULL, 0), &pgrpc_codec_proto);
    assert_ptr_equal(pgrpc__codec_find("", 0), &pgrpc_codec_proto);
    assert_ptr_equal(pgrpc__codec_find("proto;x", 5), &pgrpc_codec_proto);
    assert_ptr_equal(pgrpc__codec_find("raw", 3), &pgrpc_codec_raw);
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        assert_null(pgrpc__codec_find(unknown[i], strlen(unknown[i])));
    assert_string_equal(pgrpc_codec_proto.name, "proto");
    assert_string_equal(pgrpc_codec_raw.name, "raw");
    assert_int_equal(pgrpc_codec_proto.size, sizeof(struct pgrpc_codec));
    assert_int_equal(pgrpc_codec_raw.size, sizeof(struct pgrpc_codec));
}

static void raw_bytes_go_through(void **state)
{
    static const uint8_t wire[] = {0, 1, 255};
    struct pgrpc_bytes bytes = {wire, sizeof(wire)};
    const struct pgrpc_bytes *decoded;
    const void *message;
    const char *error = NULL;
    struct arena arena;
    uint8_t output[4] = {9, 9, 9, 9};
    size_t len;
    (void)state;
    assert_int_equal(pgrpc_codec_raw.measure(NULL, &bytes, &len, &error), PGRPC_OK);
    assert_int_equal(len, 3);
    pgrpc_codec_raw.encode(NULL, &bytes, output, len);
    assert_memory_equal(output, wire, 3);
    assert_int_equal(output[3], 9);

    pgrpc__arena_init(&arena, &pgrpc__default_allocator, NULL, 0);
    for (len = 0; len <= sizeof(wire); len++) {
        assert_int_equal(
            pgrpc_codec_raw.decode(NULL, wire, len, codec_arena(&arena), &message, &error),
            PGRPC_OK);
        decoded = message;
        assert_ptr_equal(decoded->data, wire); /* not copied */
        assert_int_equal(decoded->len, len);
    }
    pgrpc__arena_clear(&arena);
    assert_null(error);
}

/* A codec that was built when the struct was shorter. */
static void what_a_codec_is_too_short_for_is_not_read(void **state)
{
    struct pgrpc_codec codec = pgrpc_codec_proto;
    (void)state;
    assert_non_null(codec_serializer(&codec));
    codec.size = offsetof(struct pgrpc_codec, serialize);
    assert_null(codec_serializer(&codec));
    assert_null(codec_serializer(&pgrpc_codec_raw));
}

static void raw_refuses_what_is_not_there(void **state)
{
    struct pgrpc_bytes nothing = {NULL, 0}, missing = {NULL, 1};
    const char *error = NULL;
    size_t len = 99;
    (void)state;
    assert_int_equal(pgrpc_codec_raw.measure(NULL, &missing, &len, &error), PGRPC_INTERNAL);
    assert_non_null(strstr(error, "no data"));
    assert_int_equal(pgrpc_codec_raw.measure(NULL, NULL, &len, &error), PGRPC_INTERNAL);
    assert_non_null(strstr(error, "NULL"));
    assert_int_equal(len, 99);
    assert_int_equal(pgrpc_codec_raw.measure(NULL, &nothing, &len, &error), PGRPC_OK);
    assert_int_equal(len, 0);
    pgrpc_codec_raw.encode(NULL, &nothing, NULL, 0);
}

static void every_allocation_may_fail(void **state)
{
    struct faulty_allocator faulty;
    struct arena arena;
    const void *message = NULL;
    const char *error = NULL;
    (void)state;
    faulty_allocator_init(&faulty, 1);
    pgrpc__arena_init(&arena, &faulty.hook, NULL, 0);
    assert_int_equal(pgrpc_codec_raw.decode(NULL, (const uint8_t *)"x", 1, codec_arena(&arena),
                                            &message, &error),
                     PGRPC_RESOURCE_EXHAUSTED);
    assert_null(message);
    assert_non_null(error);
    pgrpc__arena_clear(&arena);
}

static void applications_allocate_from_the_arena(void **state)
{
    struct arena arena;
    (void)state;
    pgrpc__arena_init(&arena, &pgrpc__default_allocator, NULL, 0);
    arena.budget = 64;
    void *pointer = pgrpc_arena_alloc(codec_arena(&arena), 64);
    assert_non_null(pointer);
    assert_int_equal((uintptr_t)pointer % 16, 0);
    assert_null(pgrpc_arena_alloc(codec_arena(&arena), 1));
    assert_true(arena.over_budget);
    pgrpc__arena_clear(&arena);
}

static void an_arena_of_the_application_keeps_to_its_limit(void **state)
{
    (void)state;
    struct pgrpc_arena *arena = pgrpc_arena_new(NULL, 64);
    char *first = pgrpc_arena_alloc(arena, 32);
    assert_non_null(first);
    memset(first, 1, 32);
    assert_non_null(pgrpc_arena_alloc(arena, 32));
    assert_null(pgrpc_arena_alloc(arena, 1));
    pgrpc_arena_free(arena);

    arena = pgrpc_arena_new(NULL, 0);
    for (size_t i = 0; i < 100; i++)
        assert_non_null(pgrpc_arena_alloc(arena, 10000));
    pgrpc_arena_free(arena);
    pgrpc_arena_free(NULL);
}

static void an_arena_of_the_application_uses_its_allocator(void **state)
{
    struct faulty_allocator faulty;
    (void)state;
    faulty_allocator_init(&faulty, 1);
    assert_null(pgrpc_arena_new(&faulty.hook, 0));
    faulty_allocator_init(&faulty, 2);
    struct pgrpc_arena *arena = pgrpc_arena_new(&faulty.hook, 0);
    assert_non_null(arena);
    assert_null(pgrpc_arena_alloc(arena, 1));
    assert_non_null(pgrpc_arena_alloc(arena, 1));
    assert_int_equal(faulty_allocator_live(&faulty), 2);
    pgrpc_arena_free(arena);
    assert_int_equal(faulty_allocator_live(&faulty), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codecs_are_found_by_name),
        cmocka_unit_test(raw_bytes_go_through),
        cmocka_unit_test(what_a_codec_is_too_short_for_is_not_read),
        cmocka_unit_test(raw_refuses_what_is_not_there),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(applications_allocate_from_the_arena),
        cmocka_unit_test(an_arena_of_the_application_keeps_to_its_limit),
        cmocka_unit_test(an_arena_of_the_application_uses_its_allocator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
