/*
 * Memory of one loop: the user's allocator hook with free lists of size classes above it.
 *
 * Embedded in a loop; lives as long as it.  The pooled functions need the loop lock; the raw
 * ones do not and are for objects that threads share before they meet a loop.
 * In the steady state every allocation is served from a free list.
 */
#ifndef PGRPC__BASE_MEM_H
#define PGRPC__BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "picogrpc/allocator.h"

enum {
    MEM_CLASS_COUNT = 24,            /* 32, 48, 64, 96, ... up to MEM_POOLED_MAX */
    MEM_POOLED_MAX = 96 * 1024,      /* larger blocks go straight to the hook */
    MEM_CACHED_MAX = 4 * 1024 * 1024 /* bytes the free lists may keep */
};

struct mem_block;

struct mem {
    struct pgrpc_allocator allocator;
    struct mem_block *free_lists[MEM_CLASS_COUNT];
    size_t cached_bytes; /* bytes on the free lists */
    size_t live_bytes;   /* bytes handed out through the pooled functions */
};

/* |allocator| NULL means malloc and free. */
void pgrpc__mem_init(struct mem *mem, const struct pgrpc_allocator *allocator);
/* Gives the cached blocks back; every pooled block must have been freed before. */
void pgrpc__mem_clear(struct mem *mem);

/* Pooled: alignment 16; NULL when the hook fails or on overflow. free accepts NULL. */
void *pgrpc__mem_alloc(struct mem *mem, size_t size);
void *pgrpc__mem_calloc(struct mem *mem, size_t count, size_t size);
void *pgrpc__mem_realloc(struct mem *mem, void *pointer, size_t size);
void pgrpc__mem_free(struct mem *mem, void *pointer);
/* Usable bytes of a pooled block (at least what was asked for). */
size_t pgrpc__mem_usable(const void *pointer);

/* Raw: straight to the hook, any thread. zalloc clears. */
void *pgrpc__raw_alloc(const struct pgrpc_allocator *allocator, size_t size);
void *pgrpc__raw_zalloc(const struct pgrpc_allocator *allocator, size_t size);
void pgrpc__raw_free(const struct pgrpc_allocator *allocator, void *pointer);
/* The hook that stands for malloc and free. */
extern const struct pgrpc_allocator pgrpc__default_allocator;

#endif
