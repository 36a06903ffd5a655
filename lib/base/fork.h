/*
 * Knows whether this process is a fork()ed child of the one that made an object, without an atfork
 * handler and without a system call per check: a page that the kernel clears in the child
 * (MADV_WIPEONFORK).
 */
#ifndef PGRPC__BASE_FORK_H
#define PGRPC__BASE_FORK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

/* A number for "this process"; remember it when an object is made. Never 0. */
uint64_t pgrpc__fork_generation(void);
/* Holds the generation of the process that wrote it; NULL: the kernel has no MADV_WIPEONFORK,
 * process ids must do. */
extern _Atomic(uint64_t) *pgrpc__fork_page;
/* True when |generation| was taken in another process: the object is the parent's. Asked for every
 * call of the API. */
static inline bool pgrpc__is_forked(uint64_t generation)
{
    if (!pgrpc__fork_page)
        return (uint64_t)getpid() != generation;
    return atomic_load_explicit(pgrpc__fork_page, memory_order_relaxed) != generation;
}

#endif
