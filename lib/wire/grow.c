#include "wire/grow.h"

#include <string.h>

struct chunk *pgrpc__chunk_grow(struct chunk *chunk, size_t needed, size_t max_cap)
{
    size_t cap = chunk->cap < max_cap / 2 ? 2 * chunk->cap : max_cap;
    struct chunk *moved = pgrpc__chunk_new(chunk->mem, cap < needed ? needed : cap);
    if (!moved)
        return NULL;
    memcpy(moved->data, chunk->data, chunk->len);
    moved->len = chunk->len;
    moved->flags = chunk->flags;
    pgrpc__chunk_unref(chunk);
    return moved;
}
