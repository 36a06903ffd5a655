/*
 * An allocator that counts and fails on request, for finding leaks and paths that nobody walks.
 *
 *     struct faulty_allocator faulty;
 *     for (size_t n = 1; ; n++) {
 *         faulty_allocator_init(&faulty, n);      the n-th allocation fails
 *         ... run the scenario with &faulty.hook, expect a clean end ...
 *         assert_int_equal(faulty_allocator_live(&faulty), 0);
 *         if (!faulty_allocator_has_failed(&faulty))
 *             break;                              fewer than n allocations: done
 *     }
 *
 * Any thread.
 */
#ifndef TESTS_FAULTY_ALLOCATOR_H
#define TESTS_FAULTY_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>

#include "picogrpc/allocator.h"

struct faulty_allocator {
    struct pgrpc_allocator hook;
    _Atomic(size_t) count; /* allocations asked for */
    _Atomic(size_t) live;  /* blocks not yet freed */
    size_t fail_at;        /* the one that fails, from 1; 0: none */
    bool keeps_failing;    /* so do all that follow it */
};

void faulty_allocator_init(struct faulty_allocator *faulty, size_t fail_at);
bool faulty_allocator_has_failed(struct faulty_allocator *faulty);
size_t faulty_allocator_live(struct faulty_allocator *faulty);
/* Allocations asked for so far. */
size_t faulty_allocator_count(struct faulty_allocator *faulty);

#endif
