/*
 * Scenarios in which allocations fail: the n-th for every n, then the n-th and all later ones.
 *
 *     static void scenario(struct world *world, bool is_single)
 *     {
 *         ... start, talk, CHECK what holds whatever fails ...
 *         failures_stop(world);
 *         if (!failures.has_happened)
 *             ... CHECK the good end ...
 *         if (is_single)
 *             ... CHECK that it works again: memory is there now ...
 *     }
 *     ... failures_each("scenario", scenario); ...
 *
 * The world is new each time, and is checked for leaks.  Its loop is made before the failures
 * start.
 */
#ifndef TESTS_FAILURES_H
#define TESTS_FAILURES_H

#include "unit.h"
#include "world.h"

/* Where we are, for whoever looks at a failed check. */
struct failures {
    const char *scenario;
    size_t at;         /* the allocation that fails, from 1 */
    bool has_happened; /* before failures_stop */
};
extern struct failures failures;

#define CHECK(condition)                                                                    \
    do {                                                                                    \
        if (!(condition))                                                                   \
            fail_msg("%s, allocation %zu: %s", failures.scenario, failures.at, #condition); \
    } while (0)

/* The scenario is over; what follows has its memory, unless all is to fail to the very end. */
void failures_stop(struct world *world);
/* Runs |scenario| until nothing fails any more, in both ways, and prints the number of failures. */
void failures_each(const char *name, void (*scenario)(struct world *world, bool is_single));

#endif
