/*
 * A counted block of bytes: one outgoing framed message, or one slab of frame headers.
 * Needs the loop lock (the counter is not atomic); freed into the loop's memory.
 */
#ifndef PGRPC__BASE_CHUNK_H
#define PGRPC__BASE_CHUNK_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

struct chunk {
    struct mem *mem;
    struct chunk *next; /* for whoever queues it; NULL otherwise */
    unsigned refs;
    unsigned flags; /* for whoever queues it */
    size_t cap;
    size_t len;
    uint8_t data[];
};

/* One reference, len 0; NULL when out of memory or |cap| overflows. */
struct chunk *pgrpc__chunk_new(struct mem *mem, size_t cap);
struct chunk *pgrpc__chunk_ref(struct chunk *chunk);
/* Accepts NULL. */
void pgrpc__chunk_unref(struct chunk *chunk);
/*
 * Makes room for |extra| more bytes after len, moving the block if need be (at least doubling, so
 * that appending is linear); needs refs == 1. Returns the block's new place, NULL when out of
 * memory (the old one stays valid).
 */
struct chunk *pgrpc__chunk_reserve(struct chunk *chunk, size_t extra);

#endif
