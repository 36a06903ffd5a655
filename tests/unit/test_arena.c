#include "../support/unit.h"
#include "../support/faulty_allocator.h"

#include "base/arena.h"

static void memory_is_aligned_and_separate(void **state)
{
    struct arena arena;
    unsigned char *pointers[200];
    (void)state;
    pgrpc__arena_init(&arena, &pgrpc__default_allocator, NULL, 0);
    for (size_t i = 0; i < 200; i++) {
        pointers[i] = pgrpc__arena_alloc(&arena, i);
        assert_non_null(pointers[i]);
        assert_int_equal((uintptr_t)pointers[i] % 16, 0);
        memset(pointers[i], (int)i, i);
        assert_non_null(pgrpc__arena_strndup(&arena, "odd", 3));
    }
    for (size_t i = 0; i < 200; i++)
        for (size_t j = 0; j < i; j++)
            assert_int_equal(pointers[i][j], i);
    pgrpc__arena_clear(&arena);
}

static void first_memory_is_used_and_never_freed(void **state)
{
    struct faulty_allocator faulty;
    _Alignas(16) char first[256];
    struct arena arena;
    (void)state;
    faulty_allocator_init(&faulty, 0);
    pgrpc__arena_init(&arena, &faulty.hook, first, sizeof(first));
    assert_ptr_equal(pgrpc__arena_alloc(&arena, 128), first);
    assert_ptr_equal(pgrpc__arena_alloc(&arena, 128), first + 128);
    assert_int_equal(faulty_allocator_count(&faulty), 0);
    assert_non_null(pgrpc__arena_alloc(&arena, 1));
    assert_int_equal(faulty_allocator_count(&faulty), 1);
    pgrpc__arena_reset(&arena);
    assert_ptr_equal(pgrpc__arena_alloc(&arena, 128), first);
    pgrpc__arena_clear(&arena);
    assert_int_equal(faulty_allocator_live(&faulty), 0);
    assert_ptr_equal(pgrpc__arena_alloc(&arena, 16), first);
    pgrpc__arena_clear(&arena);
}

static void steady_state_allocates_nothing(void **state)
{
    struct faulty_allocator faulty;
    char first[64];
    struct arena arena;
    size_t settled = 0;
    (void)state;
    faulty_allocator_init(&faulty, 0);
    pgrpc__arena_init(&arena, &faulty.hook, first, sizeof(first));
    for (int turn = 0; turn < 100; turn++) {
        for (int i = 0; i < 300; i++)
            assert_non_null(pgrpc__arena_alloc(&arena, 100));
        pgrpc__arena_reset(&arena);
        if (turn == 10)
            settled = faulty_allocator_count(&faulty);
    }
    assert_int_equal(faulty_allocator_count(&faulty), settled);
    assert_int_equal(faulty_allocator_live(&faulty), 1);
    pgrpc__arena_clear(&arena);
    assert_int_equal(faulty_allocator_live(&faulty), 0);
}

static void a_large_block_does_not_survive_a_reset(void **state)
{
    struct faulty_allocator faulty;
    struct arena arena;
    (void)state;
    faulty_allocator_init(&faulty, 0);
    pgrpc__arena_init(&arena, &faulty.hook, NULL, 0);
    char *large = pgrpc__arena_alloc(&arena, 1 << 20);
    assert_non_null(large);
    memset(large, 1, 1 << 20);
    pgrpc__arena_reset(&arena);
    assert_int_equal(faulty_allocator_live(&faulty), 0);
    pgrpc__arena_clear(&arena);
}

static void a_large_object_leaves_the_current_block_in_use(void **state)
{
    struct faulty_allocator faulty;
    struct arena arena;
    (void)state;
    faulty_allocator_init(&faulty, 0);
    pgrpc__arena_init(&arena, &faulty.hook, NULL, 0);
    char *small = pgrpc__arena_alloc(&arena, 16);
    assert_non_null(pgrpc__arena_alloc(&arena, 100000));
    assert_ptr_equal(pgrpc__arena_alloc(&arena, 16), small + 16);
    assert_int_equal(faulty_allocator_count(&faulty), 2);
    pgrpc__arena_clear(&arena);
}

static void budget_is_cumulative_and_exact(void **state)
{
    char first[16];
    struct arena arena;
    (void)state;
    pgrpc__arena_init(&arena, &pgrpc__default_allocator, NULL, 0);
    arena.budget = 1600;
    for (int i = 0; i < 100; i++)
        assert_non_null(pgrpc__arena_alloc(&arena, 0));
    assert_int_equal(arena.used, 1600);
    assert_false(arena.over_budget);
    assert_null(pgrpc__arena_alloc(&arena, 1));
    assert_true(arena.over_budget);
    assert_false(arena.out_of_memory);
    pgrpc__arena_reset(&arena);
    assert_false(arena.over_budget);
    assert_int_equal(arena.budget, 1600);
    assert_non_null(pgrpc__arena_strndup(&arena, "", 0));
    assert_null(pgrpc__arena_alloc(&arena, 1600));
    assert_true(arena.over_budget);
    pgrpc__arena_clear(&arena);

    /* Lowered below what was used: nothing more, and no wrap-around. */
    pgrpc__arena_init(&arena, &pgrpc__default_allocator, first, sizeof(first));
    assert_non_null(pgrpc__arena_alloc(&arena, 1000));
    arena.budget = 10;
    assert_null(pgrpc__arena_alloc(&arena, 1));
    assert_null(pgrpc__arena_strndup(&arena, "", 0));
    pgrpc__arena_clear(&arena);
}

static void words_follow_one_another(void **state)
{
    _Alignas(16) char first[64];
    struct arena arena;
    (void)state;
    pgrpc__arena_init(&arena, &pgrpc__default_allocator, first, sizeof(first));
    assert_non_null(pgrpc__arena_strndup(&arena, "odd", 3));
    pgrpc__arena_align8(&arena);
    assert_ptr_equal(arena_take8(&arena, 24), first + 8);
    assert_ptr_equal(arena_take8(&arena, 8), first + 32);
    assert_int_equal(arena.used, 4 + 32);
    arena.budget = arena.used + 8;
    assert_null(arena_take8(&arena, 16));
    assert_true(arena.over_budget);
    assert_ptr_equal(arena_take8(&arena, 8), first + 40);
    arena.budget = SIZE_MAX;
    char *other = arena_take8(&arena, 64); /* in another block */
    assert_non_null(other);
    assert_int_equal((uintptr_t)other % 16, 0);
    pgrpc__arena_clear(&arena);
    /* a rest that is too short to be aligned is given up */
    pgrpc__arena_init(&arena, &pgrpc__default_allocator, first + 1, 3);
    pgrpc__arena_align8(&arena);
    other = arena_take8(&arena, 8);
    assert_non_null(other);
    assert_int_equal((uintptr_t)other % 8, 0);
    pgrpc__arena_clear(&arena);
}

static void only_the_last_block_grows_in_place(void **state)
{
    _Alignas(16) char first[64];
    struct arena arena;
    (void)state;
    pgrpc__arena_init(&arena, &pgrpc__default_allocator, first, sizeof(first));
    char *block = arena_take8(&arena, 16);
    assert_true(pgrpc__arena_extend(&arena, block, 16, 32));
    assert_int_equal(arena.used, 32);
    arena.budget = 32 + 7;
    assert_false(pgrpc__arena_extend(&arena, block, 32, 40));
    arena.budget = 32 + 8;
    assert_true(pgrpc__arena_extend(&arena, block, 32, 40));
    arena.budget = SIZE_MAX;
    assert_false(pgrpc__arena_extend(&arena, block, 40, 72));
    assert_ptr_equal(arena_take8(&arena, 8), first + 40);
    assert_false(pgrpc__arena_extend(&arena, block, 40, 48));
    assert_int_equal(arena.used, 48);
    pgrpc__arena_clear(&arena);
}

static void absurd_sizes_fail(void **state)
{
    struct faulty_allocator faulty;
    struct arena arena;
    (void)state;
    faulty_allocator_init(&faulty, 0);
    pgrpc__arena_init(&arena, &faulty.hook, NULL, 0);
    for (size_t size = SIZE_MAX - 64; size != 0; size++)
        assert_null(pgrpc__arena_alloc(&arena, size));
    assert_null(pgrpc__arena_strndup(&arena, "x", SIZE_MAX));
    assert_null(pgrpc__arena_memdup(&arena, "x", SIZE_MAX));
    assert_int_equal(arena.used, 0);
    assert_non_null(pgrpc__arena_alloc(&arena, 1));
    pgrpc__arena_clear(&arena);
}

static void a_failing_hook_is_told_apart(void **state)
{
    struct faulty_allocator faulty;
    struct arena arena;
    (void)state;
    faulty_allocator_init(&faulty, 1);
    pgrpc__arena_init(&arena, &faulty.hook, NULL, 0);
    assert_null(pgrpc__arena_alloc(&arena, 1));
    assert_true(arena.out_of_memory);
    assert_false(arena.over_budget);
    assert_int_equal(arena.used, 0);
    assert_non_null(pgrpc__arena_alloc(&arena, 1));
    pgrpc__arena_clear(&arena);
    assert_int_equal(faulty_allocator_live(&faulty), 0);
}

static void copies_and_texts(void **state)
{
    struct arena arena;
    (void)state;
    pgrpc__arena_init(&arena, &pgrpc__default_allocator, NULL, 0);
    assert_memory_equal(pgrpc__arena_memdup(&arena, "a\0b", 3), "a\0b", 3);
    assert_non_null(pgrpc__arena_memdup(&arena, NULL, 0));
    assert_string_equal(pgrpc__arena_strndup(&arena, "abcdef", 3), "abc");
    assert_string_equal(pgrpc__arena_strndup(&arena, NULL, 0), "");
    assert_string_equal(pgrpc__arena_printf(&arena, "%d-%s", 7, "x"), "7-x");
    char *wide = pgrpc__arena_printf(&arena, "%5000d", 1);
    assert_int_equal(strlen(wide), 5000);
    arena.budget = arena.used + 10;
    assert_null(pgrpc__arena_printf(&arena, "%s", "0123456789"));
    assert_non_null(pgrpc__arena_printf(&arena, "%s", "012345678"));
    pgrpc__arena_clear(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_aligned_and_separate),
        cmocka_unit_test(first_memory_is_used_and_never_freed),
        cmocka_unit_test(steady_state_allocates_nothing),
        cmocka_unit_test(a_large_block_does_not_survive_a_reset),
        cmocka_unit_test(a_large_object_leaves_the_current_block_in_use),
        cmocka_unit_test(budget_is_cumulative_and_exact),
        cmocka_unit_test(words_follow_one_another),
        cmocka_unit_test(only_the_last_block_grows_in_place),
        cmocka_unit_test(absurd_sizes_fail),
        cmocka_unit_test(a_failing_hook_is_told_apart),
        cmocka_unit_test(copies_and_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
