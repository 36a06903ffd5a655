#include "../support/unit.h"

#include "base/list.h"

struct item {
    int number;
    struct list node;
};

static int number_of(struct list *node)
{
    return CONTAINER_OF(node, struct item, node)->number;
}

static void items_come_out_in_order(void **state)
{
    struct list head;
    struct item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    (void)state;
    list_init(&head);
    assert_true(list_is_empty(&head));
    assert_null(list_pop(&head));
    for (int i = 0; i < 3; i++) {
        assert_false(list_is_linked(&items[i].node));
        list_add_tail(&head, &items[i].node);
        assert_true(list_is_linked(&items[i].node));
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(number_of(list_pop(&head)), i);
    assert_true(list_is_empty(&head));
    assert_false(list_is_linked(&items[0].node));
}

static void remove_accepts_unlinked(void **state)
{
    struct list head;
    struct item items[3] = {{.number = 0}, {.number = 1}, {.number = 2}};
    (void)state;
    list_init(&head);
    for (int i = 0; i < 3; i++)
        list_add_tail(&head, &items[i].node);
    list_remove(&items[1].node);
    list_remove(&items[1].node);
    assert_int_equal(number_of(list_pop(&head)), 0);
    assert_int_equal(number_of(list_pop(&head)), 2);
}

static void splice_appends_and_empties(void **state)
{
    struct list to, from;
    struct item items[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
    (void)state;
    list_init(&to);
    list_init(&from);
    list_splice(&to, &from);
    assert_true(list_is_empty(&to));
    for (int i = 0; i < 4; i++)
        list_add_tail(i < 2 ? &to : &from, &items[i].node);
    list_splice(&to, &from);
    assert_true(list_is_empty(&from));
    for (int i = 0; i < 4; i++)
        assert_int_equal(number_of(list_pop(&to)), i);
    list_add_tail(&from, &items[0].node);
    list_splice(&to, &from);
    assert_int_equal(number_of(list_pop(&to)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_out_in_order),
        cmocka_unit_test(remove_accepts_unlinked),
        cmocka_unit_test(splice_appends_and_empties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
