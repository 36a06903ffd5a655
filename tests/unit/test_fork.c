#include "../support/unit.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fork.h"

/* Runs |body| in a child and returns its exit code. */
static int in_child(int (*body)(uint64_t), uint64_t generation)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(body(generation));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int grandchild(uint64_t generation)
{
    return pgrpc__is_forked(generation) ? 0 : 1;
}

static int child(uint64_t generation)
{
    if (!pgrpc__is_forked(generation))
        return 1;
    uint64_t own = pgrpc__fork_generation();
    if (own == 0 || own == generation || pgrpc__is_forked(own) || !pgrpc__is_forked(generation))
        return 2;
    return in_child(grandchild, own) + in_child(grandchild, generation);
}

static void a_child_knows_the_parents_objects(void **state)
{
    uint64_t generation = pgrpc__fork_generation();
    (void)state;
    assert_true(generation != 0);
    assert_int_equal(pgrpc__fork_generation(), generation);
    assert_false(pgrpc__is_forked(generation));
    assert_int_equal(in_child(child, generation), 0);
    assert_false(pgrpc__is_forked(generation));
}

static void *ask(void *result)
{
    *(uint64_t *)result = pgrpc__fork_generation();
    return NULL;
}

/* Several threads of a fresh child ask at once and agree. */
static int threads_agree(uint64_t generation)
{
    enum { COUNT = 8 };
    pthread_t threads[COUNT];
    uint64_t results[COUNT];
    for (int i = 0; i < COUNT; i++)
        if (pthread_create(&threads[i], NULL, ask, &results[i]) != 0)
            return 1;
    for (int i = 0; i < COUNT; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < COUNT; i++)
        if (results[i] != results[0] || results[i] == generation)
            return 2;
    return 0;
}

static void threads_of_a_child_agree(void **state)
{
    (void)state;
    assert_int_equal(in_child(threads_agree, pgrpc__fork_generation()), 0);
}

/* Where the kernel cannot wipe a page, process ids do. */
static int without_the_page(uint64_t generation)
{
    (void)generation;
    pgrpc__fork_page = NULL;
    uint64_t own = pgrpc__fork_generation();
    if (own != (uint64_t)getpid() || pgrpc__is_forked(own))
        return 1;
    return in_child(grandchild, own);
}

static void process_ids_do_without_the_page(void **state)
{
    (void)state;
    assert_int_equal(in_child(without_the_page, pgrpc__fork_generation()), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_knows_the_parents_objects),
        cmocka_unit_test(threads_of_a_child_agree),
        cmocka_unit_test(process_ids_do_without_the_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
