#include "base/chunk.h"

#include <assert.h>

struct chunk *pgrpc__chunk_new(struct mem *mem, size_t cap)
{
    size_t size;
    if (__builtin_add_overflow(sizeof(struct chunk), cap, &size))
        return NULL;
    struct chunk *chunk = pgrpc__mem_alloc(mem, size);
    if (!chunk)
        return NULL;
    chunk->mem = mem;
    chunk->next = NULL;
    chunk->refs = 1;
    chunk->flags = 0;
    chunk->cap = pgrpc__mem_usable(chunk) - sizeof(struct chunk);
    chunk->len = 0;
    return chunk;
}

struct chunk *pgrpc__chunk_ref(struct chunk *chunk)
{
    chunk->refs++;
    return chunk;
}

void pgrpc__chunk_unref(struct chunk *chunk)
{
    if (chunk && --chunk->refs == 0)
        pgrpc__mem_free(chunk->mem, chunk);
}

struct chunk *pgrpc__chunk_reserve(struct chunk *chunk, size_t extra)
{
    assert(chunk->refs == 1);
    if (extra <= chunk->cap - chunk->len)
        return chunk;

    size_t cap, size;
    if (__builtin_add_overflow(chunk->len, extra, &cap))
        return NULL;
    if (cap / 2 < chunk->cap && chunk->cap <= SIZE_MAX / 2)
        cap = 2 * chunk->cap;
    if (__builtin_add_overflow(sizeof(struct chunk), cap, &size))
        return NULL;
    chunk = pgrpc__mem_realloc(chunk->mem, chunk, size);
    if (chunk)
        chunk->cap = pgrpc__mem_usable(chunk) - sizeof(struct chunk);
    return chunk;
}
