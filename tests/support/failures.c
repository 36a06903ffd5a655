#include "failures.h"

#include <stdlib.h>

struct failures failures;

void failures_stop(struct world *world)
{
    failures.has_happened = faulty_allocator_has_failed(&world->faulty);
    if (!world->faulty.keeps_failing)
        world->faulty.fail_at = 0;
}

void failures_each(const char *name, void (*scenario)(struct world *world, bool is_single))
{
    struct world *world = malloc(sizeof(*world));
    assert_non_null(world);
    for (int pass = 0; pass < 2; pass++) {
        bool is_single = pass == 0;
        failures = (struct failures){name, 0, true};
        while (failures.has_happened) {
            failures.at++;
            world_init(world);
            world->faulty.keeps_failing = !is_single;
            world->faulty.fail_at = faulty_allocator_count(&world->faulty) + failures.at;
            scenario(world, is_single);
            world_clear(world);
        }
        print_message("%s: %zu failure points, %s\n", name, failures.at - 1,
                      is_single ? "one at a time" : "that one and all later");
        assert_true(failures.at > 50);
    }
    free(world);
}
