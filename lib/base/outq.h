/*
 * Output waiting for a byte stream: an ordered list of pieces, each a view into a chunk that it
 * keeps alive. Small pieces (frame headers, HEADERS frames) are copied into a slab and grow the
 * last piece; payloads are referenced, never copied.  Embedded in a connection; needs the loop
 * lock.
 */
#ifndef PGRPC__BASE_OUTQ_H
#define PGRPC__BASE_OUTQ_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "base/chunk.h"

struct outq_piece {
    struct chunk *chunk;
    const uint8_t *data;
    size_t len;
};

struct outq {
    struct mem *mem;
    struct outq_piece *pieces; /* ring */
    size_t piece_cap;          /* power of two */
    size_t first;
    size_t count;
    size_t bytes;       /* sum of the pieces' lengths */
    struct chunk *slab; /* where copied bytes go */
};

void pgrpc__outq_init(struct outq *outq, struct mem *mem);
void pgrpc__outq_clear(struct outq *outq);
/* 0 or -ENOMEM (nothing was added). */
int pgrpc__outq_add_copy(struct outq *outq, const void *data, size_t len);
int pgrpc__outq_add_ref(struct outq *outq, struct chunk *chunk, const uint8_t *data, size_t len);
/* Fills at most |max| vectors from the front; returns how many. */
int pgrpc__outq_peek(const struct outq *outq, struct iovec *vectors, int max);
/* Drops |len| bytes from the front (len <= bytes). */
void pgrpc__outq_consume(struct outq *outq, size_t len);

#endif
