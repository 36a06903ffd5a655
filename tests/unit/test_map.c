#include "../support/unit.h"
#include "../support/faulty_allocator.h"

#include <stdio.h>

#include "base/map.h"

enum { COUNT = 1000 };
static char keys[COUNT][32];

static void make_keys(void)
{
    for (int i = 0; i < COUNT; i++)
        snprintf(keys[i], sizeof(keys[i]), "/service.%d/Method", i);
}

static void what_was_added_is_found(void **state)
{
    struct map map;
    (void)state;
    make_keys();
    pgrpc__map_init(&map, &pgrpc__default_allocator);
    assert_null(pgrpc__map_find(&map, "x", 1));
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(pgrpc__map_add(&map, keys[i], strlen(keys[i]), keys[i]), 0);
    assert_int_equal(map.count, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_ptr_equal(pgrpc__map_find(&map, keys[i], strlen(keys[i])), keys[i]);
        assert_null(pgrpc__map_find(&map, keys[i], strlen(keys[i]) - 1));
    }
    assert_null(pgrpc__map_find(&map, "", 0));
    pgrpc__map_clear(&map);
    assert_null(pgrpc__map_find(&map, keys[0], strlen(keys[0])));
}

static void a_key_is_added_once(void **state)
{
    struct map map;
    int a, b;
    (void)state;
    pgrpc__map_init(&map, &pgrpc__default_allocator);
    assert_int_equal(pgrpc__map_add(&map, "key", 3, &a), 0);
    assert_int_equal(pgrpc__map_add(&map, "key", 3, &b), -EEXIST);
    assert_int_equal(map.count, 1);
    assert_ptr_equal(pgrpc__map_find(&map, "key", 3), &a);
    assert_int_equal(pgrpc__map_add(&map, "", 0, &b), 0);
    assert_ptr_equal(pgrpc__map_find(&map, "", 0), &b);
    pgrpc__map_clear(&map);
}

static void iteration_visits_each_once(void **state)
{
    struct map map;
    int seen[COUNT] = {0};
    size_t position = 0;
    const struct map_entry *entry;
    (void)state;
    make_keys();
    pgrpc__map_init(&map, &pgrpc__default_allocator);
    assert_null(pgrpc__map_next(&map, &position));
    for (int i = 0; i < COUNT; i++)
        pgrpc__map_add(&map, keys[i], strlen(keys[i]), &seen[i]);
    while ((entry = pgrpc__map_next(&map, &position)))
        (*(int *)entry->value)++;
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(seen[i], 1);
    pgrpc__map_clear(&map);
}

static void a_failed_add_changes_nothing(void **state)
{
    (void)state;
    make_keys();
    for (size_t n = 1;; n++) {
        struct faulty_allocator faulty;
        struct map map;
        size_t added = 0;
        faulty_allocator_init(&faulty, n);
        pgrpc__map_init(&map, &faulty.hook);
        for (int i = 0; i < COUNT; i++) {
            int error = pgrpc__map_add(&map, keys[i], strlen(keys[i]), keys[i]);
            assert_true(error == 0 || error == -ENOMEM);
            added += error == 0;
            assert_ptr_equal(pgrpc__map_find(&map, keys[i], strlen(keys[i])),
                             error == 0 ? keys[i] : NULL);
        }
        assert_int_equal(map.count, added);
        pgrpc__map_clear(&map);
        assert_int_equal(faulty_allocator_live(&faulty), 0);
        if (!faulty_allocator_has_failed(&faulty))
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_added_is_found),
        cmocka_unit_test(a_key_is_added_once),
        cmocka_unit_test(iteration_visits_each_once),
        cmocka_unit_test(a_failed_add_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
