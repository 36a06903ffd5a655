/* Growing a chunk of which the final size is not known, but its limit is. */
#ifndef PGRPC__WIRE_GROW_H
#define PGRPC__WIRE_GROW_H

#include "base/chunk.h"

/*
 * Moves |chunk| (refs 1, cap < max_cap) to one that holds |needed| bytes and at least twice the
 * cap, but never asks for more than |max_cap|; needed <= max_cap.  Returns the new place; NULL when
 * out of memory (the old one stays valid).
 */
struct chunk *pgrpc__chunk_grow(struct chunk *chunk, size_t needed, size_t max_cap);

#endif
