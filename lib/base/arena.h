/*
 * A bump allocator: everything taken from it dies at once.  Serves calls, messages and parsed
 * heads.
 *
 * An arena may start on memory its owner gives (never freed by the arena) and grows through the
 * raw allocator hook, so its owner may be on any thread.  A cumulative budget bounds what one
 * message can make it allocate, whatever it frees in between.  One owner at a time; no locking.
 */
#ifndef PGRPC__BASE_ARENA_H
#define PGRPC__BASE_ARENA_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

struct arena_block;

struct arena {
    const struct pgrpc_allocator *allocator;
    struct arena_block *blocks; /* grown blocks, newest first */
    struct arena_block *spare;  /* the one kept by a reset and not yet used again, or NULL */
    char *first;                /* memory of the owner, or NULL */
    size_t first_len;
    char *position;
    char *end;
    size_t used;        /* cumulative bytes handed out since the last reset */
    size_t budget;      /* limit for |used|; SIZE_MAX means none */
    bool over_budget;   /* an allocation was refused for the budget */
    bool out_of_memory; /* an allocation was refused by the hook */
};

/* |allocator| must outlive the arena; |first| may be NULL with |first_len| 0. */
void pgrpc__arena_init(struct arena *arena, const struct pgrpc_allocator *allocator, void *first,
                       size_t first_len);
/* Forgets everything; keeps |first| and at most one grown block of a moderate size, so that a
 * steady state allocates nothing. Clears both failure flags; the budget stays. */
void pgrpc__arena_reset(struct arena *arena);
/* Frees every grown block; the arena may be used again. */
void pgrpc__arena_clear(struct arena *arena);
/* Aligned to 16 (alloc) or unaligned (text). NULL: see the two flags. */
void *pgrpc__arena_alloc(struct arena *arena, size_t size);
/* The next text, or arena_take8, is aligned to 8. */
void pgrpc__arena_align8(struct arena *arena);
/* Makes the block that was taken last |len| bytes instead of |old_len|, both multiples of 8, where
 * it stands; false when it is not the last, or there is no room. */
bool pgrpc__arena_extend(struct arena *arena, void *pointer, size_t old_len, size_t len);
void *pgrpc__arena_memdup(struct arena *arena, const void *data, size_t len);
/* Copies |len| bytes and adds a NUL. */
char *pgrpc__arena_strndup(struct arena *arena, const char *text, size_t len);
char *pgrpc__arena_vprintf(struct arena *arena, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
char *pgrpc__arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* For who takes many small blocks: |size| is a multiple of 8, and so was every one since
 * pgrpc__arena_align8. */
static inline void *arena_take8(struct arena *arena, size_t size)
{
    char *pointer = arena->position;
    if (size > (size_t)(arena->end - pointer) || arena->used + size > arena->budget)
        return pgrpc__arena_alloc(arena, size);
    arena->position = pointer + size;
    arena->used += size;
    return pointer;
}

#endif
