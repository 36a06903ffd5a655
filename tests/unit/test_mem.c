#include "../support/unit.h"
#include "../support/faulty_allocator.h"

#include "base/mem.h"

static void sizes_round_up_to_a_class(void **state)
{
    static const struct {
        size_t size, usable;
    } table[] = {{0, 32},        {1, 32},        {32, 32},       {33, 48},          {48, 48},
                 {49, 64},       {64, 64},       {65, 96},       {96, 96},          {97, 128},
                 {128, 128},     {129, 192},     {4096, 4096},   {4097, 6144},      {65536, 65536},
                 {65537, 98304}, {98304, 98304}, {98305, 98305}, {1000000, 1000000}};
    struct mem mem;
    (void)state;
    pgrpc__mem_init(&mem, NULL);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        void *pointer = pgrpc__mem_alloc(&mem, table[i].size);
        assert_non_null(pointer);
        assert_int_equal((uintptr_t)pointer % 16, 0);
        assert_int_equal(pgrpc__mem_usable(pointer), table[i].usable);
        memset(pointer, 0xa5, table[i].usable);
        pgrpc__mem_free(&mem, pointer);
    }
    assert_int_equal(mem.live_bytes, 0);
    pgrpc__mem_clear(&mem);
}

static void every_size_fits_its_block(void **state)
{
    struct mem mem;
    (void)state;
    pgrpc__mem_init(&mem, NULL);
    for (size_t size = 0; size <= MEM_POOLED_MAX + 1; size++) {
        void *pointer = pgrpc__mem_alloc(&mem, size);
        assert_true(pgrpc__mem_usable(pointer) >= size);
        assert_true(size < 64 || pgrpc__mem_usable(pointer) * 2 <= size * 3);
        pgrpc__mem_free(&mem, pointer);
    }
    pgrpc__mem_clear(&mem);
}

static void freed_blocks_serve_again(void **state)
{
    struct faulty_allocator faulty;
    struct mem mem;
    (void)state;
    faulty_allocator_init(&faulty, 0);
    pgrpc__mem_init(&mem, &faulty.hook);
    for (int i = 0; i < 100; i++) {
        void *a = pgrpc__mem_alloc(&mem, 100), *b = pgrpc__mem_alloc(&mem, 5000);
        assert_int_equal(mem.live_bytes, 128 + 6144);
        pgrpc__mem_free(&mem, a);
        pgrpc__mem_free(&mem, b);
        assert_int_equal(mem.cached_bytes, 128 + 6144);
    }
    assert_int_equal(faulty_allocator_count(&faulty), 2);
    pgrpc__mem_clear(&mem);
    assert_int_equal(faulty_allocator_live(&faulty), 0);
}

static void free_lists_have_a_limit(void **state)
{
    enum { COUNT = 100 };
    struct faulty_allocator faulty;
    struct mem mem;
    void *blocks[COUNT];
    (void)state;
    faulty_allocator_init(&faulty, 0);
    pgrpc__mem_init(&mem, &faulty.hook);
    for (int i = 0; i < COUNT; i++)
        blocks[i] = pgrpc__mem_alloc(&mem, MEM_POOLED_MAX);
    for (int i = 0; i < COUNT; i++)
        pgrpc__mem_free(&mem, blocks[i]);
    assert_true(mem.cached_bytes <= MEM_CACHED_MAX);
    assert_int_equal(faulty_allocator_live(&faulty), MEM_CACHED_MAX / MEM_POOLED_MAX);
    void *large = pgrpc__mem_alloc(&mem, MEM_POOLED_MAX + 1);
    pgrpc__mem_free(&mem, large);
    assert_int_equal(faulty_allocator_live(&faulty), MEM_CACHED_MAX / MEM_POOLED_MAX);
    pgrpc__mem_clear(&mem);
    assert_int_equal(faulty_allocator_live(&faulty), 0);
}

static void calloc_clears_and_checks(void **state)
{
    struct mem mem;
    (void)state;
    pgrpc__mem_init(&mem, NULL);
    unsigned char *bytes = pgrpc__mem_alloc(&mem, 64);
    memset(bytes, 0xff, 64);
    pgrpc__mem_free(&mem, bytes);
    bytes = pgrpc__mem_calloc(&mem, 8, 8);
    for (int i = 0; i < 64; i++)
        assert_int_equal(bytes[i], 0);
    pgrpc__mem_free(&mem, bytes);
    assert_null(pgrpc__mem_calloc(&mem, SIZE_MAX / 2, 3));
    assert_null(pgrpc__mem_alloc(&mem, SIZE_MAX));
    assert_null(pgrpc__mem_alloc(&mem, SIZE_MAX - 15));
    pgrpc__mem_clear(&mem);
}

static void realloc_keeps_bytes(void **state)
{
    struct mem mem;
    (void)state;
    pgrpc__mem_init(&mem, NULL);
    char *text = pgrpc__mem_realloc(&mem, NULL, 10);
    strcpy(text, "123456789");
    assert_ptr_equal(pgrpc__mem_realloc(&mem, text, 32), text);
    assert_ptr_equal(pgrpc__mem_realloc(&mem, text, 0), text);
    text = pgrpc__mem_realloc(&mem, text, 200000);
    assert_string_equal(text, "123456789");
    assert_int_equal(mem.live_bytes, 200000);
    pgrpc__mem_free(&mem, text);
    pgrpc__mem_free(&mem, NULL);
    pgrpc__mem_clear(&mem);
}

static void failure_leaves_the_old_block(void **state)
{
    struct faulty_allocator faulty;
    struct mem mem;
    (void)state;
    faulty_allocator_init(&faulty, 2);
    pgrpc__mem_init(&mem, &faulty.hook);
    char *text = pgrpc__mem_alloc(&mem, 10);
    strcpy(text, "123456789");
    assert_null(pgrpc__mem_realloc(&mem, text, 1000));
    assert_string_equal(text, "123456789");
    assert_int_equal(mem.live_bytes, 32);
    pgrpc__mem_free(&mem, text);
    pgrpc__mem_clear(&mem);
    assert_int_equal(faulty_allocator_live(&faulty), 0);
}

static void raw_goes_to_the_hook(void **state)
{
    struct faulty_allocator faulty;
    (void)state;
    faulty_allocator_init(&faulty, 3);
    char *a = pgrpc__raw_alloc(&faulty.hook, 10), *b = pgrpc__raw_zalloc(&faulty.hook, 10);
    assert_non_null(a);
    for (int i = 0; i < 10; i++)
        assert_int_equal(b[i], 0);
    assert_null(pgrpc__raw_zalloc(&faulty.hook, 10));
    pgrpc__raw_free(&faulty.hook, a);
    pgrpc__raw_free(&faulty.hook, b);
    pgrpc__raw_free(&faulty.hook, NULL);
    assert_int_equal(faulty_allocator_live(&faulty), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_round_up_to_a_class),    cmocka_unit_test(every_size_fits_its_block),
        cmocka_unit_test(freed_blocks_serve_again),     cmocka_unit_test(free_lists_have_a_limit),
        cmocka_unit_test(calloc_clears_and_checks),     cmocka_unit_test(realloc_keeps_bytes),
        cmocka_unit_test(failure_leaves_the_old_block), cmocka_unit_test(raw_goes_to_the_hook),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
