/*
 * Knows whether this process is a fork()ed child of the one that made an object, without an atfork
 * handler and without a system call per check: a page that the kernel clears in the child
 * (MADV_WIPEONFORK).
 */
#ifndef PGRPC__BASE_FORK_H
#define PGRPC__BASE_FORK_H

#include <stdbool.h>
#include <stdint.h>

/* A number for "this process"; remember it when an object is made. Never 0. */
uint64_t pgrpc__fork_generation(void);
/* True when |generation| was taken in another process: the object is the parent's. */
bool pgrpc__is_forked(uint64_t generation);

#endif
