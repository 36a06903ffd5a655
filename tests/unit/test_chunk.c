#include "../support/unit.h"
#include "../support/faulty_allocator.h"

#include "base/chunk.h"

static void a_chunk_dies_with_its_last_reference(void **state)
{
    struct mem mem;
    (void)state;
    pgrpc__mem_init(&mem, NULL);
    struct chunk *chunk = pgrpc__chunk_new(&mem, 100);
    assert_int_equal(chunk->refs, 1);
    assert_int_equal(chunk->len, 0);
    assert_int_equal(chunk->flags, 0);
    assert_null(chunk->next);
    assert_true(chunk->cap >= 100);
    memset(chunk->data, 1, chunk->cap);
    assert_ptr_equal(pgrpc__chunk_ref(chunk), chunk);
    pgrpc__chunk_unref(chunk);
    assert_true(mem.live_bytes > 0);
    pgrpc__chunk_unref(chunk);
    assert_int_equal(mem.live_bytes, 0);
    pgrpc__chunk_unref(NULL);
    pgrpc__mem_clear(&mem);
}

static void reserve_keeps_bytes_and_at_least_doubles(void **state)
{
    struct faulty_allocator faulty;
    struct mem mem;
    (void)state;
    faulty_allocator_init(&faulty, 0);
    pgrpc__mem_init(&mem, &faulty.hook);
    struct chunk *chunk = pgrpc__chunk_new(&mem, 1);
    for (size_t i = 0; i < 1000000; i++) {
        chunk = pgrpc__chunk_reserve(chunk, 1);
        assert_non_null(chunk);
        chunk->data[chunk->len++] = (uint8_t)(i * 7);
    }
    for (size_t i = 0; i < 1000000; i++)
        if (chunk->data[i] != (uint8_t)(i * 7))
            fail();
    assert_true(faulty_allocator_count(&faulty) <= 20);
    pgrpc__chunk_unref(chunk);
    pgrpc__mem_clear(&mem);
    assert_int_equal(faulty_allocator_live(&faulty), 0);
}

static void absurd_sizes_fail(void **state)
{
    struct faulty_allocator faulty;
    struct mem mem;
    (void)state;
    faulty_allocator_init(&faulty, 0);
    pgrpc__mem_init(&mem, &faulty.hook);
    assert_null(pgrpc__chunk_new(&mem, SIZE_MAX));
    assert_null(pgrpc__chunk_new(&mem, SIZE_MAX - sizeof(struct chunk)));
    struct chunk *chunk = pgrpc__chunk_new(&mem, 10);
    memcpy(chunk->data, "text", 5);
    chunk->len = 5;
    for (size_t extra = SIZE_MAX - 64; extra != 0; extra++)
        assert_null(pgrpc__chunk_reserve(chunk, extra));
    assert_string_equal((char *)chunk->data, "text");
    pgrpc__chunk_unref(chunk);
    pgrpc__mem_clear(&mem);
}

static void failure_leaves_the_old_chunk(void **state)
{
    struct faulty_allocator faulty;
    struct mem mem;
    (void)state;
    faulty_allocator_init(&faulty, 2);
    pgrpc__mem_init(&mem, &faulty.hook);
    struct chunk *chunk = pgrpc__chunk_new(&mem, 100);
    chunk->data[0] = 42;
    chunk->len = 1;
    assert_null(pgrpc__chunk_reserve(chunk, 1000));
    assert_int_equal(chunk->data[0], 42);
    pgrpc__chunk_unref(chunk);
    faulty.fail_at = faulty.count + 1;
    assert_null(pgrpc__chunk_new(&mem, 100000));
    pgrpc__mem_clear(&mem);
    assert_int_equal(faulty_allocator_live(&faulty), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chunk_dies_with_its_last_reference),
        cmocka_unit_test(reserve_keeps_bytes_and_at_least_doubles),
        cmocka_unit_test(absurd_sizes_fail),
        cmocka_unit_test(failure_leaves_the_old_chunk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
